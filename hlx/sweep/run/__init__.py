"""The run: image groups to an executor, local or on Ray, and results to the disk as they come."""
