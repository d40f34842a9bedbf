"""Acceptance rules, one a file."""
