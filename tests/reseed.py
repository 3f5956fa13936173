"""The statistical and the damage tests with other seeds: `python tests/reseed.py [SEEDS]`, 20 where none is
given.

Each line of the log (.reseeded.log) is a seed that has passed, with the commit it passed at: begun again,
those are passed over. A seed that fails leaves its output in .reseeded.SEED.txt, and the others go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOG = ROOT / ".reseeded.log"
TESTS = "(statistical or damage) and not slow(minutes=True)"
"""Those that take minutes have many seeds of their own."""


def read_commit() -> str:
    """The commit at hand; where anything differs from it nothing that passed is remembered."""
    ask = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*ask, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    clean = subprocess.run([*ask, "diff", "--quiet", "HEAD"], check=False).returncode == 0
    return commit.strip() if clean else f"{commit.strip()}, edited at {time.time():.0f}"


def run_tests(seed: int) -> bool:
    """Whether they pass with this seed."""
    command = [sys.executable, "-m", "pytest", "-m", TESTS, "-p", "no:cacheprovider", "tests"]
    environment = {**os.environ, "CAMBRIAN_TEST_SEED": str(seed)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        (ROOT / f".reseeded.{seed}.txt").write_text(done.stdout + done.stderr)
    return done.returncode == 0


def main(seeds: int) -> int:
    commit, failed = read_commit(), 0
    known = LOG.read_text().splitlines() if LOG.exists() else []
    for seed in range(1, seeds + 1):
        line = f"{commit}: seed {seed} passed"
        if any(earlier.startswith(line) for earlier in known):
            continue
        start = time.monotonic()
        passed = run_tests(seed)
        print(
            f"seed {seed}: {'passed' if passed else 'FAILED'}, {time.monotonic() - start:.0f} s", flush=True
        )
        if passed:
            with LOG.open("a") as log:
                log.write(f"{line} in {time.monotonic() - start:.0f} s\n")
        failed += not passed
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
