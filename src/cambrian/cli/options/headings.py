"""The headings under which the options of a search stand in its help."""

from __future__ import annotations

DATA, BUDGET, SEARCHED, FINAL, TRAINING, LIMITS, MACHINE, RUN = (
    "Data",
    "Budget",
    "What to search",
    "Final network",
    "Training",
    "Limits",
    "Machine",
    "The run",
)
