"""Readers: one file per format. Each is a frozen dataclass whose `examples()` lists labelled images."""

from __future__ import annotations

from cambrian.registry import Registry

TASKS = Registry("data set", {"digits": "cambrian.tasks.readers.digits:Digits"})
"""Data sets known by name."""
