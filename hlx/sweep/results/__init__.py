"""What a sweep has found: shards, failures, the merged file, exported tables, and the state of it all."""
