"""Being here puts `tests/` on sys.path, so that `mocks` can be imported, by workers too."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

# Beside other work on the machine generating is slow, and a step too: neither is a fault.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items):
    """Some run a hundred searches, longer than the few minutes after which a test must have hung."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))


def pytest_collection_finish():
    """Modules and tests live to the end: without them, looking for garbage takes a fraction of the time.
    Looked for after every 700 objects it takes a twelfth of all that tests of networks take."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def read_parameters_once() -> Iterator[None]:
    """Typer reads the signatures of all commands whenever one is called: in this process once."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_params_from_function", cache(typer.main.get_params_from_function))
        yield


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each module is at work in a folder of its own. A run without a directory begins in runs/ of the present
    one: in the repository's they stayed, and an audit among them advises each later search of its data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("folder"))
        yield


@pytest.fixture
def clean_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clean process in which an export is verified is forked from one that has imported torch, and never
    the house; `tests/exports/test_export.py` has the new interpreter."""
    from commands import run_clean

    def run(command: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        _python, isolated, flag, code, *arguments = command
        assert (isolated, flag) == ("-I", "-c")
        return run_clean(code, *arguments, place=cwd)

    monkeypatch.setattr("cambrian.exports.verification.subprocess", SimpleNamespace(run=run))


@pytest.fixture
def names_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process in which a space gives the same names is forked from one whose sets have another
    order; `tests/conformance/test_suites_catch.py` has new interpreters."""
    from commands import forked_elsewhere

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        _python, flag, code, *arguments = command
        assert flag == "-c"
        done = forked_elsewhere().run(*arguments, code=code)
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    monkeypatch.setattr("cambrian.testing.elsewhere.subprocess", SimpleNamespace(run=run))
