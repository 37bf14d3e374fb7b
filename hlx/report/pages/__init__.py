"""Pages and their sections: ``study_*`` with a ``gallery`` of all maps, and ``sweep_*``."""
