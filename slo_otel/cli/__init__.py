"""Arguments and printing over the public API."""
