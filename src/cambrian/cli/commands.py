"""Registers every command with the application."""

from __future__ import annotations

from cambrian.cli import comparing, doctor, looking, searching, taking

__all__ = ["comparing", "doctor", "looking", "searching", "taking"]
