"""What regions are called in lists."""

from hlx.regions import Grid, Regions


def region_name(region: int, regions: Regions | None) -> str:
    """(row, column) of a grid, from (0, 0) at the top left, else the region's number."""
    if isinstance(regions, Grid):
        row, column = divmod(region, regions.cols)
        return f"({row}, {column})"
    return str(region)
