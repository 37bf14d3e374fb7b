"""A study as one page that a browser opens: tables, figures and a gallery, loading nothing from anywhere.

``page`` puts together what ``overview``, ``question_one``, ``question_two`` and ``review`` write as sections
of ``parts`` and ``tables``; ``findings`` says it in sentences, ``distributions`` and ``relations`` draw it on
``svg``, and ``gallery`` shows every stimulus.
"""

from hlx.report.page import Page, make_page, write_report

__all__ = ["Page", "make_page", "write_report"]
