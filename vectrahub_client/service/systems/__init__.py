"""What can be asked for: one file per system, which says its values and files and builds its graph."""
