"""A directory for `PYTHONPATH`: Python imports the `sitecustomize` that it finds there before it runs anything."""
