"""What a sweep found: maps across grids and backgrounds, estimators against exact values, costs."""
