"""Wires the stages, owns the thread, picks `now`."""
