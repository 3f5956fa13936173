"""The settings of an audit in its directory, so that it goes on as it was begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import encode
from cambrian.errors import RunChanged, RunError
from cambrian.files import make_folder, write_file
from cambrian.search.ledger.database import translate_errors

SETTINGS, RESULT = "audit-settings.json", "audit.json"


def write_settings(home: Path, settings: Mapping[str, Any], shortcuts: Sequence[str]) -> None:
    """Write the settings, and the shortcuts of the latest call."""
    with translate_errors(home):
        make_folder(home)
        write_file(home / SETTINGS, msgspec.json.format(encode({**settings, "shortcuts": shortcuts})))


def read_settings(home: Path) -> dict[str, Any]:
    """The settings of the audit in `home`, empty where there is none. Raises RunError for a damaged file."""
    file = home / SETTINGS
    if not file.exists():
        return {}
    try:
        settings: dict[str, Any] = msgspec.json.decode(file.read_bytes(), type=dict)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"cannot read {file}: {error}; begin the audit in another directory") from error
    return settings


def check_settings(home: Path, settings: Mapping[str, Any]) -> None:
    """Raise RunChanged where `home` holds an audit with other settings; its shortcuts may be others."""
    old = read_settings(home)
    new = msgspec.json.decode(encode(settings))
    changed = [name for name in new if old and old.get(name) != new[name]]
    if changed:
        name = changed[0]
        raise RunChanged(
            f"{home} holds an audit whose {name} was {old.get(name)!s:.80}, now {new[name]!s:.80}: give"
            " the same, or another directory"
        )
