"""A small shop on Django and SQLite, with service levels in three lines of its settings."""
