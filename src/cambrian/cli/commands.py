"""Registers every command with the application."""

from __future__ import annotations

from cambrian.cli import audit as auditing
from cambrian.cli import compare as comparing
from cambrian.cli import doctor, listing
from cambrian.cli import export as taking
from cambrian.cli import inspect as looking
from cambrian.cli import robustness as testing
from cambrian.cli import search as searching
from cambrian.cli import train as training
from cambrian.cli import watch as watching

__all__ = [
    "auditing",
    "comparing",
    "doctor",
    "listing",
    "looking",
    "searching",
    "taking",
    "testing",
    "training",
    "watching",
]
