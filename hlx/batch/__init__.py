"""The page on what a sweep found."""
