"""Drawings of explanations: pictures for files and papers, text for terminals."""

from hlx.plot.files import save_contact_sheet, save_overlay
from hlx.plot.overlay import Panel, contact_sheet, overlay_figure
from hlx.plot.terminal import region_list, terminal_map

__all__ = [
    "Panel",
    "contact_sheet",
    "overlay_figure",
    "region_list",
    "save_contact_sheet",
    "save_overlay",
    "terminal_map",
]
