"""The documents as a site: each page is in the nav, each link leads somewhere, each public name is there."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cambrian

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def list_links(text: str) -> list[str]:
    """Targets of links and pictures outside of code, other sites left out."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def find_anchors(text: str) -> set[str]:
    """The names of a page's headings as the site gives them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in headings}


def test_every_page_is_in_the_nav_once() -> None:
    """And the nav names no other."""
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    assert sorted(re.findall(r"([\w/-]+\.md)", nav)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    """Within docs/, since the site has nothing else; to a heading, where it names one."""
    text = (DOCS / page).read_text()
    for link in list_links(text):
        name, _, heading = link.partition("#")
        target = (DOCS / page).parent / name if name else DOCS / page
        assert target.exists(), link
        assert target.resolve().is_relative_to(DOCS.resolve()), link
        assert not heading or heading in find_anchors(target.read_text()), link


def test_the_reference_has_every_public_name() -> None:
    """By the place where it is defined, which is where the site reads its docstring."""
    named = re.findall(r"^::: ([\w.]+)$", (DOCS / "reference.md").read_text(), flags=re.MULTILINE)
    for place in named:
        module, _, name = place.rpartition(".")
        assert getattr(importlib.import_module(module), name).__module__ == module
    assert {place.rpartition(".")[2] for place in named} >= set(cambrian.__all__)


def test_the_page_of_faults_names_what_is_there() -> None:
    """Each file of its tables exists."""
    files = set(re.findall(r"`(tests/[\w/]+(?:\.py)?)`", (DOCS / "faults.md").read_text()))
    assert len(files) > 20
    assert {name for name in files if not (ROOT / name).exists()} == set()


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """By mkdocs, where it is installed, strictly."""
    pytest.importorskip("mkdocstrings", reason="needs pip install 'cambrian[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert "Budget" in (tmp_path / "reference" / "index.html").read_text()
