"""Cells: small graphs that a skeleton repeats (survey, Sec. 2; PNAS, Sec. 3)."""
