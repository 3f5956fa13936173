"""Each package opens with a README of about ten lines, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cambrian

SOURCE = Path(cambrian.__file__).parent
PACKAGES = sorted(p.parent for p in SOURCE.rglob("__init__.py") if p.parent != SOURCE)
FAMILIES = [p for p in PACKAGES if (p / "network.py").exists()]
"""A space and its network: the README above says what these folders are."""


@pytest.mark.parametrize(
    "package", [p for p in PACKAGES if p not in FAMILIES], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_a_package_says_what_it_is_for(package: Path) -> None:
    """A README of at most fifteen lines; the files and folders that it names exist."""
    text = (package / "README.md").read_text()
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 15
    for name in re.findall(r"`([a-z_0-9/]+(?:\.py|/))`", text):
        places = [root / name for root in (package, package.parent, SOURCE)]
        assert any(place.exists() for place in places) or any(package.rglob(name)), name


def test_the_page_on_the_house_names_what_is_there() -> None:
    """Each file, and each folder, that docs/architecture.md names exists."""
    text = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text()
    files = set(re.findall(r"[\w/]+\.py", text))
    assert len(files) > 20
    there = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
    tests = {"tests/test_imports.py"}
    assert {
        name for name in files - tests if not any(f"/{path}".endswith(f"/{name}") for path in there)
    } == set()
