"""Runs that something has happened to: what is wrong with them, and what can be done about it."""
