"""A study as one page that a browser opens."""
