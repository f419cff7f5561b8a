"""Tests of the WSGI middleware and of Flask."""
