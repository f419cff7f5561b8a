"""Under construction by its room."""
