"""The peers, set up as their own documentation says; one module each.

They are not in the environment of the tests, so those that are no dependency of ours are imported by name, and here
only.
"""
