"""Audits by table: NAS-Bench-201's figures over all cells, a user's own table, and the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

import cambrian
from cambrian.audits import by_table, entrance
from cambrian.audits.figures import describe_recommendation, facts, list_agreement
from cambrian.audits.page import write_all
from cambrian.audits.records import write_settings
from cambrian.audits.statistics import Figure
from cambrian.benchmarks import table
from cambrian.cli.app import app
from cambrian.cli.audit import repeat_option
from cambrian.errors import RunError, UsageError
from commands import run_command
from published_tables import needs_tables
from reseeding import default_rng


@pytest.fixture
def own(tmp_path):
    """A table of 48 networks whose validation, a third of a column `guess`, is the truth with noise."""
    rng = default_rng(0)
    rows = [(w, d, k) for w in (4, 8, 16, 32) for d in (1, 2, 3) for k in ("a", "b", "c", "d")]
    truth = np.array([w**0.5 + d for w, d, _ in rows]) + 0.1 * rng.normal(size=len(rows))
    lines = ["width,depth,kind,val_acc,test_acc,guess,params,val_loss"]
    for (width, depth, kind), test in zip(rows, truth, strict=True):
        guess = test + rng.normal()
        lines.append(
            f"{width},{depth},{kind},{test + 0.05 * rng.normal()},{test},{guess},{width * depth},{-test}"
        )
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_ones_own(own):
    """Its columns are shortcuts, a loss the lower the better; its sizes are baselines; nothing is written."""
    audited = cambrian.audit(benchmark=table(own), shortcuts=["guess", "val_loss"], sample=24)
    assert [j.label for j in audited.judgements] == ["guess", "val_loss", "params", "coin"]
    assert audited["val_loss"].kendall.value == pytest.approx(1)
    assert audited["val_loss"].regret.value == 0
    assert 0.2 < audited["guess"].kendall.value < 0.95
    assert audited.ceiling is None
    with pytest.raises(UsageError, match="have 'train\\(epochs=1\\)'"):
        cambrian.audit(benchmark=table(own), shortcuts=["train(epochs=1)"])
    with pytest.raises(UsageError, match="unknown shortcut 'gues'"):
        cambrian.audit(benchmark=table(own), shortcuts=["gues"])
    with pytest.raises(UsageError, match="give DATA beside"):
        cambrian.audit(benchmark=table(own), shortcuts=["synflow"])


@pytest.mark.parametrize(("asked", "expected"), [([], 5), (["--workers", "3"], 3)])
def test_the_command_trains_as_many_at_a_time_as_the_device_bears(monkeypatch, tmp_path, asked, expected):
    """Where no number is named: on a GPU one for each, as a search does, and not one for each core."""
    grounds = []
    monkeypatch.setattr(entrance, "choose_device", lambda name, needed: "cuda")
    monkeypatch.setattr(entrance, "usual_workers", {"cuda": 5}.get)
    monkeypatch.setattr(entrance, "run_audit", lambda subject, *rest: grounds.append(subject.ground))
    CliRunner().invoke(app, ["audit", "digits", "--limit", "100", "--run", str(tmp_path / "run"), *asked])
    assert [(ground.device, ground.workers) for ground in grounds] == [("cuda", expected)]


def test_columns_of_any_content(own, tmp_path):
    """An infinite score, a column without a number, and one of words: the first is left out of the page, the
    second measured nothing, the third is no shortcut. Where the table has no times, what is better is named,
    and why it is not recommended. A truth that is a loss is shown as it is."""
    head, *lines = own.read_text().splitlines()
    more = [f"{line},{'inf' if n % 9 == 0 else n}," for n, line in enumerate(lines)]
    own.write_text("\n".join([f"{head},endless,empty", *more]) + "\n")
    loss = table(own, "val_loss", "val_loss", questions=("width", "depth", "kind"))
    heard = []
    shortcuts = ["test_acc", "endless", "empty"]
    audited = cambrian.audit(benchmark=loss, shortcuts=shortcuts, sample=40, tell=heard.append)
    assert heard == ["truth  the table's test score, of 40 architectures"]
    assert audited["endless"].left_out > 0
    assert audited["empty"].kendall == Figure(None)
    assert audited["empty"].verdict == "measured no architecture"
    sentence = describe_recommendation(audited)
    assert audited.recommended is None
    assert ": test_acc; but what the truth or they cost is not known" in sentence
    truths = [loss.test(architecture) for architecture in audited.architectures]
    assert facts(audited)["scores"] == pytest.approx(truths, rel=1e-5)
    page = write_all(audited, tmp_path / "out")[1].read_text()
    assert "truth, lower is better" in page
    assert f"{min(truths):.4g}" in page
    with pytest.raises(UsageError, match="unknown shortcut 'kind'"):
        cambrian.audit(benchmark=loss, shortcuts=["kind"])


@pytest.mark.parametrize(("saves", "why"), [(0.4, "none of them is cheaper than the truth"), (3.0, None)])
def test_only_what_saves_is_recommended(own, saves, why):
    """A shortcut that is dearer than the truth is named, and not recommended."""
    audited = cambrian.audit(benchmark=table(own), shortcuts=["val_loss"], sample=24)
    judged = [replace(j, saves=None if j.baseline else saves) for j in audited.judgements]
    priced = dataclasses.replace(audited, judgements=tuple(judged))
    assert (priced.recommended is None) == (why is not None)
    assert (why or "Recommended: val_loss") in describe_recommendation(priced)
    one = judged[0]
    none = replace(one, kendall=Figure(0.0)), replace(one, label="worse", kendall=Figure(-0.5))
    assert "best val_loss" in repr(dataclasses.replace(audited, judgements=none[::-1]))


def test_going_on_is_on_the_device_of_the_beginning(tmp_path, monkeypatch):
    """Unless another is named, which is refused later: figures of two devices are of two audits."""
    settings = {"space": "pnas", "truth": {"text": "x"}, "sample": 9, "twice": 3, "seed": 0, "device": "cuda"}
    write_settings(tmp_path, settings, ["synflow"])
    asked = []
    monkeypatch.setattr(entrance, "audit", lambda task, **named: asked.append(named["device"]))
    entrance.resume(tmp_path)
    entrance.resume(tmp_path, device="cpu")
    assert asked == ["cuda", "cpu"]


def test_the_command(own, tmp_path: Path):
    """Several texts after one --shortcuts; a table, sentences, files; JSON; a mistake is one sentence."""
    arguments = ["--benchmark", own, "--sample", 12, "--run", tmp_path / "run"]
    done = run_command("audit", "--shortcuts", "guess", "val_loss", *arguments)
    assert done.returncode == 0, done.stderr
    for text in ("Kendall (95 %)", "guess", "val_loss", "coin", "noise ceiling", "Recommended", "audit.html"):
        assert text in done.stdout, done.stdout
    record = json.loads(run_command("audit", "--shortcuts", "guess", *arguments, "--json").stdout)
    assert [row["label"] for row in record["shortcuts"]] == ["guess", "params", "coin"]
    for mistake, expected in (
        (["--sample", 3], "a sample of 3 is too small for an interval: give --sample 8 or more"),
        (["--truth", "train(epochs=9)"], "--truth is for live training"),
    ):
        failed = run_command("audit", "--benchmark", own, *mistake, "--run", tmp_path / "none")
        assert failed.returncode == 2
        assert expected in failed.stderr.replace("\n", " ")
    missing = run_command("audit", "--run", tmp_path / "nothing")
    assert missing.returncode == RunError.exit_code
    assert "holds no audit" in missing.stderr


def test_texts_up_to_the_next_option():
    """A text that follows the option's first is another of its values; a signed one does not end it."""
    args = ["x", "--shortcuts", "a", "b(c=-1)", "-1", "--sample", "9", "--shortcuts", "d"]
    expected = ["x", "--shortcuts", "a", "--shortcuts", "b(c=-1)", "--shortcuts", "-1", "--sample", "9"]
    assert repeat_option(args, "--shortcuts") == [*expected, "--shortcuts", "d"]


@needs_tables
def test_nasbench201(monkeypatch):
    """12 of 200 epochs: the figures of all 15,625 cells (Kendall .594, Spearman .772) are within the
    intervals of a sample of 150; cells of one function differ by .2 points; the short training favours small
    cells, as the survey says of lower fidelities (Elsken et al. 2019, Sec. 4)."""
    # Counting layers and MACs takes a tenth of a second each, and is not what is tested here.
    monkeypatch.setattr(by_table, "count_sizes", lambda space, chosen, *_: ([{} for _ in chosen], 0.0))
    audited = cambrian.audit(benchmark="nb201-cifar10", sample=150, twice=40)
    short = audited["train(epochs=12)"]
    assert short.kendall.low < 0.594 < short.kendall.high
    assert short.spearman.low < 0.772 < short.spearman.high
    assert short.saves == pytest.approx(200 / 12)
    assert short.leans["size"].high < 0
    assert audited.ceiling.noise == pytest.approx(0.2, abs=0.1)
    assert 0.85 < audited.ceiling.kendall < 0.95
    assert audited["coin"].kendall.low < 0 < audited["coin"].kendall.high
    assert len(list_agreement(audited)[1]) == len(facts(audited)["shortcuts"])
