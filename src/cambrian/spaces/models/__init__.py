"""Spaces made of a user's own network."""
