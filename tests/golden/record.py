"""Writes the golden files; see `golden_searches`."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.modules.setdefault("golden_searches", __import__("golden_searches"))

from golden_searches import KILLED, PLACES, RUNS, STRATEGIES, arithmetic, learning, proposals  # noqa: E402

from cambrian.outcome import Trial  # noqa: E402
from cambrian.search.loop.watch import Watch  # noqa: E402


def record_proposals() -> None:
    table = {place: {name: one_line(proposals(name, place)) for name in STRATEGIES} for place in PLACES}
    recorded = {"arithmetic": arithmetic(), "learning": learning(), "proposals": table}
    (HERE / "proposals.json").write_text(json.dumps(recorded, indent=1) + "\n")


def one_line(digests: list[str] | str) -> str:
    return digests if isinstance(digests, str) else " ".join(digests)


def record_runs() -> None:
    for name in RUNS:
        for ending in ("finished", "killed"):
            place = HERE / "runs" / f"{name}-{ending}"
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(exist_ok=True)
            child = multiprocessing.get_context("fork").Process(target=_run, args=(name, ending, place))
            child.start()
            child.join()
            assert child.exitcode == (0 if ending == "finished" else -signal.SIGKILL), child.exitcode
            (place / "ledger.sqlite-shm").unlink(missing_ok=True)


def _run(name: str, ending: str, place: Path) -> None:
    RUNS[name]().run(place, watch=_Kill(*KILLED[name]) if ending == "killed" else None)


class _Kill(Watch):
    """Ends the process without a word at the claim of row `count` of a stage."""

    def __init__(self, stage: str, count: int) -> None:
        self._stage, self._count = stage, count

    def on_claim(self, trial: Trial) -> None:
        self._count -= trial.kind == self._stage
        if self._count < 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    {"proposals": record_proposals, "runs": record_runs}[sys.argv[1]]()
