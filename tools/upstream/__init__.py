"""Starlette's and FastAPI's own test suites, bare and around our middleware: `make upstream`."""
