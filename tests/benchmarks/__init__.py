"""Tests of the harness: that it compares what it says it compares. No time is asserted."""
