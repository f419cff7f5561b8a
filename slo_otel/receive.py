"""A small OTLP receiver for demos and tests."""
