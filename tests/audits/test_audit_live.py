"""Audits by real training: each kind of shortcut, going on after a stop and a kill, and the advice that a
search follows."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from audit_cases import Thin

import cambrian
from cambrian.audits.advice import find_advice
from cambrian.audits.entrance import resume
from cambrian.audits.figures import facts
from cambrian.audits.live import OnData
from cambrian.audits.measuring import Ground, list_requests, measure
from cambrian.audits.page import write_all
from cambrian.audits.sampling import draw_pool
from cambrian.audits.schedule import Schedule
from cambrian.audits.shortcuts import read_shortcut
from cambrian.errors import RunChanged, RunError, UsageError
from cambrian.outcome import Done, Fidelity
from cambrian.request import Stop, TrainSupernet, Wait, trial_of
from cambrian.search.loop.watch import Watch
from cambrian.search.parts.components import task_of
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.weights import Shared
from small_training import bars

SHORTCUTS = ["train(epochs=1)", "synflow", "inherited(epochs=1)"]
TRUTH = "train(epochs=3, times=2)"


def audit(directory, shortcuts=SHORTCUTS, **more):
    settings = {"space": "audit_cases:Thin", "truth": TRUTH, "sample": 9, "twice": 4, **more}
    return cambrian.audit(bars(60), shortcuts=shortcuts, directory=directory, **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An audit that nobody disturbed, and its directory."""
    place = tmp_path_factory.mktemp("audit") / "whole"
    audited = audit(place)
    write_all(audited, place)
    return audited, place


@pytest.mark.parametrize("text", ["train(epochs=0)", "train(epochs=99)", "trian"])
def test_a_shortcut_that_cannot_be_leaves_no_directory(tmp_path, text, monkeypatch):
    """Neither the one that is named nor one among the runs: a name would be taken, and data copied."""
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "place", None):
        with pytest.raises(UsageError, match=r"at least 1|not cheaper|did you mean"):
            audit(place, [text])
    assert list(tmp_path.iterdir()) == []


class Interrupted(Watch):
    """Stops the whole audit at the end of its fifth measurement."""

    count = 0

    def on_end(self, trial):
        Interrupted.count += 1
        if Interrupted.count == 5:
            raise KeyboardInterrupt


def test_scores_are_those_of_searches(finished):
    """The truth of each network is what a search measures for it, in percent; a lower fidelity too."""
    audited, _ = finished
    chosen = list(audited.architectures[:2])
    for label, epochs, times, scale in (("truth", 3, 2, 100), ("train(epochs=1)", 1, 2, 1)):
        fidelity = Fidelity(epochs, skeleton={"times": times})
        rows = list_requests(Thin(), read_shortcut("train", fidelity, Thin()), chosen, fidelity)[0]
        alone = Search(Thin(), Schedule.of(rows), "train", bars(60), 2, fidelity=fidelity, final=None)
        values = [t.value * scale for t in alone.run(quiet=True).trials]
        scores = audited.scores if label == "truth" else audited[label].scores
        assert list(scores[:2]) == pytest.approx(values)


def test_the_figures(finished):
    """Shortcuts in their order, then sizes and a coin; all is in the JSON and on the page."""
    audited, place = finished
    assert [j.label for j in audited.judgements] == [*SHORTCUTS, "params", "macs", "layers", "coin"]
    assert audited["params"].leans["size"].value == pytest.approx(1)
    assert audited["train(epochs=1)"].saves == pytest.approx(
        audited.seconds / audited["train(epochs=1)"].seconds
    )
    assert audited["inherited(epochs=1)"].left_out == 1  # the parent of all others
    assert "\n" not in repr(audited)
    record = json.loads((place / "audit.json").read_text())
    assert record["sample"] == len(audited.scores)
    page = (place / "audit.html").read_text()
    assert all(each.label in page for each in audited.judgements)
    assert page.count("<svg") == len(audited.judgements) - 1


def test_stopped_and_continued(finished, tmp_path):
    """Stopped after five measurements and gone on with: the same figures, and nothing measured twice."""
    with pytest.raises(KeyboardInterrupt):
        audit(tmp_path / "run", watch=lambda label, total: Interrupted())
    again = audit(tmp_path / "run")
    assert compare_figures(facts(again)) == compare_figures(facts(finished[0]))
    assert {r.attempt for r in Result.open(tmp_path / "run" / "truth").rows} <= {1, 2}


def test_further_shortcuts_measure_only_themselves(finished):
    """A call with others leaves the truth as it was, another truth is refused in a sentence."""
    audited, place = finished
    more = audit(place, ["naswot"])
    assert np.array_equal(more.scores, audited.scores)
    rows = Result.open(place / "truth").rows
    assert [row.attempt for row in rows] == [1] * 13
    with pytest.raises(RunChanged, match="whose truth was"):
        audit(place, truth="train(epochs=4)")


@pytest.mark.slow(minutes=True)
@pytest.mark.damage
def test_killed_and_continued(finished, tmp_path):
    """kill -9 while the truth is measured; `--run` alone goes on to the figures of an undisturbed audit."""
    data, place = tmp_path / "bars.npz", tmp_path / "run"
    np.savez(data, x=bars(60).inputs, y=bars(60).targets)
    settings = {"space": "audit_cases:Thin", "truth": TRUTH, "sample": 9, "shortcuts": ["train(epochs=1)"]}
    expected = cambrian.audit(str(data), directory=tmp_path / "whole", **settings)
    command = ["audit", data, "--space", "audit_cases:Thin", "--truth", TRUTH, "--sample", 9, "--workers", 1]
    command += ["--shortcuts", "train(epochs=1)", "--run", place]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    ledger = place / "truth" / "ledger.sqlite"
    arguments = [sys.executable, "-m", "cambrian", *map(str, command)]
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL) as process:
        while count_done(ledger) < 3 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert 3 <= count_done(ledger) < 12
    assert compare_figures(facts(resume(place))) == compare_figures(facts(expected))


def count_done(ledger):
    if not ledger.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
            rows = connection.execute("select count(*) from trial where outcome is not null").fetchone()
    except sqlite3.OperationalError:  # not made yet
        return 0
    return int(rows[0])


def compare_figures(record):
    """All but seconds, and what follows from these."""
    rows = [[r["label"], r["kendall"], r["leans"], r["scores"]] for r in record["shortcuts"]]
    return json.loads(json.dumps([rows, record["scores"], record["ceiling"], record["architectures"]]))


def test_one_supernet_for_each_outer_answer():
    """A one-shot trains a supernet for each assignment of outer answers, and scores its own architectures."""
    space = NASBench201()
    pool = draw_pool(space, 4, 0)
    shortcut = read_shortcut("one-shot(epochs=2, method=fair)", Fidelity(20), space)
    rows, places = list_requests(space, shortcut, pool, Fidelity(20))
    assert [type(row) for row in rows].count(TrainSupernet) == 1
    assert rows[0].method == {"name": "fair", "arguments": {}}
    assert [rows[place].architecture for place in places] == pool
    assert {row.weights for row in rows[1:]} == {Shared(0)}


def test_one_shot_runs():
    """A supernet is trained once, and every architecture has a score with its weights."""
    space = NASBench201()
    small = Fidelity(1, skeleton={"filters": 2, "cells": 1})
    ground = Ground(space, bars(24), small)
    measured = measure(ground, read_shortcut("one-shot", small, space), draw_pool(space, 2, 0))
    assert np.isfinite(measured.scores).all()
    assert measured.epochs == pytest.approx(0.5)  # one epoch, shared by two


def test_what_cannot_be_audited():
    """One sentence each, with the nearest name: before anything is measured."""
    ground = Ground(Thin(), bars(60), Fidelity())
    subject = OnData.of(ground, TRUTH)
    for text, expected in (
        ("trian(epochs=1)", "did you mean 'train'"),
        ("train(epoch=1)", "did you mean 'epochs'"),
        ("train(epochs=3)", "is not cheaper than the truth"),
        ("train(times=3)", "is not cheaper than the truth"),
        ("train(epochs=x)", "cannot be: expected a whole number"),
        ("one-shot(method=farness)", "unknown supernet method"),
        ("one-shot(epochs=1)", "one network can hold"),
    ):
        with pytest.raises(UsageError, match=expected.replace("(", r"\(")):
            subject.read(text)
    with pytest.raises(UsageError, match="not a full training"):
        OnData.of(ground, "synflow")
    with pytest.raises(UsageError, match="too small for an interval: give --sample 8 or more"):
        cambrian.audit(bars(60), space=Thin(), sample=3, directory=None)


def test_advice(finished, tmp_path):
    """A search takes the recommended shortcut with its settings, of the same data only."""
    audited, place = finished
    record = json.loads((place / "audit.json").read_text())
    chosen = audited["train(epochs=1)"]
    record["recommended"] = {"label": chosen.label, **chosen.setting, "kendall": {"value": 0.7}}
    other = tmp_path / "audit-bars-1"
    other.mkdir()
    (other / "audit.json").write_text(json.dumps(record))
    advice = find_advice(task_of(bars(60)), root=tmp_path)
    assert (advice.estimator, advice.changes) == ("train", {"epochs": 1, "times": 2})
    assert advice.space["name"] == "audit_cases:Thin"
    # Later ones that are of no use stand in nobody's way: by a table, without a shortcut, unreadable.
    by_table = {**record["settings"]}
    del by_table["space"]
    for number, useless in enumerate(({"settings": by_table}, {"recommended": None}, {"settings": 3}), 2):
        (tmp_path / f"audit-{number}").mkdir()
        file = tmp_path / f"audit-{number}" / "audit.json"
        file.write_text(json.dumps({**record, **useless}))
        os.utime(file, (2e9, 2e9))
    assert find_advice(task_of(bars(60)), root=tmp_path) == advice
    with pytest.raises(UsageError, match="is of other data"):
        find_advice(bars(40), other)
    with pytest.raises(RunError, match="no audit of bars is in"):
        find_advice(bars(40), root=tmp_path / "empty")
    record["recommended"] = None
    (other / "audit.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="recommends no shortcut"):
        find_advice(task_of(bars(60)), other)


def test_a_failed_supernet_ends_its_list():
    """Rows that would begin with weights which were never made are not asked for."""
    shortcut = read_shortcut("one-shot", Fidelity(1), NASBench201())
    rows, _ = list_requests(NASBench201(), shortcut, draw_pool(NASBench201(), 2, 0), Fidelity(1))
    schedule = Schedule.of(rows)
    state = schedule.start(None)
    first = schedule.propose(state, (), None)
    assert isinstance(first, TrainSupernet)
    trial = trial_of(0, first, Fidelity(1))
    assert isinstance(schedule.propose(state, (trial,), None), Wait)
    assert isinstance(schedule.propose(schedule.learn(state, trial), (), None), Stop)
    done = msgspec.structs.replace(trial, outcome=Done(0.5))
    assert schedule.propose(schedule.learn(state, done), (), None) == rows[1]
    assert schedule.keeps(schedule.learn(state, done)) == [0]
