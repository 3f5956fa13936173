"""Mutations of a module that its tests should notice: `python tests/mutate.py MODULE [--sample N]`.

Every mutation of mutmut's operators (`pip install mutmut`), decorated functions and the module's own level
included, which mutmut by itself passes over. Each is tried in a process of its own on a copy of the sources,
with the tests that concern the module alone. A mutation is noticed where a test fails or hangs.

Results are kept in .mutants.jsonl: begun again, what was noticed is passed over and the others are tried
once more. Without MODULE the modules are listed."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOG = ROOT / ".mutants.jsonl"
LEDGER = ("search/test_ledger.py", "search/test_directory.py")
MODULES = {
    "files": ("test_files.py",),
    "networks/checkpoint": ("networks/test_checkpoint.py",),
    "search/ledger/database": (*LEDGER, "search/test_ledger_damage.py", "watching/test_follower.py"),
    "search/ledger/follower": ("watching/test_follower.py",),
    "search/ledger/keys": (*LEDGER, "golden"),
    "search/ledger/ledger": (*LEDGER, "search/test_ledger_damage.py", "golden/test_runs.py"),
    "search/ledger/lock": (*LEDGER, "watching"),
    "search/ledger/repair": ("search/test_ledger_damage.py", "golden/test_runs.py"),
    "search/ledger/rows": (*LEDGER, "search/test_ledger_damage.py"),
    "search/ledger/run_directory": (*LEDGER, "requests/test_store.py", "search/test_resume.py"),
    "search/ledger/schema1": (*LEDGER, "golden/test_runs.py"),
    "search/ledger/store": ("requests/test_store.py",),
}


def mutate(source: str) -> list[str]:
    """The source with one mutation each, in the order of the places; annotations and imports stay."""
    import libcst
    from mutmut.mutation.mutators import mutation_operators

    module, mutants = libcst.parse_module(source), []
    kept = (libcst.Annotation, libcst.Import, libcst.ImportFrom)

    def walk(node: libcst.CSTNode) -> None:
        if isinstance(node, kept):
            return
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                mutants.extend(module.deep_replace(node, other).code for other in operator(node))
        for child in node.children:
            walk(child)

    walk(module)
    return list(dict.fromkeys(mutant for mutant in mutants if mutant != source))


def try_tests(sources: Path, tests: tuple[str, ...], limit: float) -> str:
    """Passed, failed or hung: the tests in a fork of this process, which has not imported the house yet."""
    child = os.fork()
    if child == 0:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.environ["PYTHONPATH"] = str(sources)
        sys.path.insert(0, str(sources))
        os.chdir(ROOT)
        status = 1
        try:
            import pytest

            places = [str(ROOT / "tests" / test) for test in tests]
            status = int(pytest.main(["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *places]))
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            _stop(child)
            return "failed" if status else "passed"
        time.sleep(0.05)
    _stop(child)
    os.waitpid(child, 0)
    return "hung"


def _stop(group: int) -> None:
    """What a test left running is of its session."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def read_log() -> dict[str, str]:
    """The last result of each mutation, by its hash."""
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    return {line["mutant"]: line["result"] for line in map(json.loads, lines)}


def main(name: str, sample: int | None) -> int:
    tests, known = MODULES[name], read_log()
    path = ROOT / "src" / "cambrian" / f"{name}.py"
    source = path.read_text()
    mutants = mutate(source)
    if sample is not None:
        mutants = random.Random(0).sample(mutants, min(sample, len(mutants)))
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "src"
        shutil.copytree(ROOT / "src", sources, ignore=shutil.ignore_patterns("__pycache__"))
        place = sources / "cambrian" / f"{name}.py"
        import pytest  # noqa: F401  (here, so that no fork has to)
        import torch  # noqa: F401

        start = time.monotonic()
        if try_tests(sources, tests, 3600) != "passed":
            print(f"{name}: its tests fail without a mutation")
            return 1
        limit = 30 + 5 * (time.monotonic() - start)
        noticed = 0
        for number, mutant in enumerate(mutants, 1):
            key = hashlib.sha256(f"{name}\n{mutant}".encode()).hexdigest()[:16]
            result = known.get(key, "passed")
            if result == "passed":
                place.write_text(mutant)
                result = try_tests(sources, tests, limit)
                with LOG.open("a") as log:
                    log.write(json.dumps({"module": name, "mutant": key, "result": result}) + "\n")
            noticed += result != "passed"
            if result == "passed":
                change = difflib.unified_diff(source.splitlines(), mutant.splitlines(), n=0, lineterm="")
                print("\n".join(line for line in change if line[:3] not in ("---", "+++")), flush=True)
            if number % 20 == 0 or number == len(mutants):
                print(f"{name}: {noticed} of {number} mutations are noticed", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", nargs="?", choices=sorted(MODULES), help="as search/ledger/lock")
    parser.add_argument("--sample", type=int, help="so many mutations, drawn with a fixed seed")
    given = parser.parse_args()
    if given.module is None:
        print("\n".join(MODULES))
        raise SystemExit(0)
    raise SystemExit(main(given.module, given.sample))
