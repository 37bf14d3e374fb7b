"""How close models' maps are to where people look."""
