"""Pages that a browser opens: a study with all its maps, a sweep over settings; they load nothing.

``kit`` has what pages are made of: numbers, tables, drawings, sections and the shell around them. ``pages``
writes a study's (``study_page``) and a sweep's (``sweep_page``).
"""

from hlx.report.pages.study_page import Page, make_page, write_report

__all__ = ["Page", "make_page", "write_report"]
