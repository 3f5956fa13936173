"""A real training, killed between its steps: it ends with the weights it would have had."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import killed_training
import mock_search
import mocks
from cambrian.search.ledger.ledger import Ledger
from mock_search import contents
from reseeding import seeded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are found by /proc")


def started(run):
    return subprocess.Popen(
        [sys.executable, killed_training.__file__, run],
        stdout=subprocess.PIPE,
        env=mock_search.environment(),
    )


def weights(run):
    """The hash of the delivered weights."""
    ledger = Ledger.read(run / "ledger.sqlite")
    (final,) = (row for row in ledger.rows() if row.final)
    ledger.close()
    return final.trial.artifacts["weights.safetensors"].sha256


@pytest.mark.slow(minutes=True)
@pytest.mark.damage
def test_a_killed_training_ends_with_the_same_weights(tmp_path, capsys):
    """kill -9 of the coordinator in the middle of an epoch of the search's training, and of one of the
    final one: the same ledger and, bit for bit, the same weights as the undisturbed, which is run here."""
    killed_training.search("serial").run(tmp_path / "undisturbed", killed_training.Telling())
    assert len(capsys.readouterr().out.splitlines()) == 3 + 6
    rng, seen = seeded(0), set()
    for after in (1, 6):
        with started(tmp_path / "killed") as process:
            while len(seen) < after and (line := process.stdout.readline()):
                seen.add(line)
            time.sleep(rng.random() * 0.05)
            family = mocks.descendants(process.pid)
            process.kill()
        assert process.returncode == -9
        assert mocks.gone(family, within=5.0)
    with started(tmp_path / "killed") as process:
        process.stdout.read()
    assert process.returncode == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
    assert weights(tmp_path / "killed") == weights(tmp_path / "undisturbed")
