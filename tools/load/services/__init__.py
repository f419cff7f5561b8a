"""The two services under load: one checkout each, answered as its caller wants."""
