"""What a sweep takes before it runs: evaluations, time and room on the disk."""
