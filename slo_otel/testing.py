"""For users tests."""
