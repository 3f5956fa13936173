"""Registers every command with the application."""

from __future__ import annotations

from cambrian.cli import doctor, looking, searching, taking

__all__ = ["doctor", "looking", "searching", "taking"]
