"""Tests, corrections, intervals and effect sizes."""
