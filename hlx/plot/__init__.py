"""Drawings of explanations: pictures for files and papers, HTML for notebooks, text for terminals."""

from hlx.plot.distributions import (
    Distribution,
    DistributionPanel,
    distributions_figure,
    draw_distributions,
    model_colours,
)
from hlx.plot.figure_files import (
    check_picture,
    figure_bytes,
    notebook_html,
    save_contact_sheet,
    save_figure,
    save_overlay,
)
from hlx.plot.overlay import Panel, contact_sheet, overlay_figure
from hlx.plot.pairs import PairPanel, pairs_sheet
from hlx.plot.terminal import region_list, terminal_map

__all__ = [
    "Distribution",
    "DistributionPanel",
    "PairPanel",
    "Panel",
    "check_picture",
    "contact_sheet",
    "distributions_figure",
    "draw_distributions",
    "figure_bytes",
    "model_colours",
    "notebook_html",
    "overlay_figure",
    "pairs_sheet",
    "region_list",
    "save_contact_sheet",
    "save_figure",
    "save_overlay",
    "terminal_map",
]
