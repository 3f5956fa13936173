"""What other programs are told of a search, against the formats that they read."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import cambrian
from cambrian.errors import MissingExtra, UnknownName, UsageError
from cambrian.estimators.function import Function
from cambrian.loggers import MLflow, TensorBoard, Together
from cambrian.loggers.event_file import checksum, encode_version
from cambrian.loggers.opening import check_log, open_loggers
from cambrian.outcome import Crashed, Done, Fidelity, Point, Trial
from cambrian.search.frame import list_records
from cambrian.search.loop.watch import Watch
from commands import run_command
from report_cases import cells

CELLS = cells(4)
OUTCOMES = [
    Done(0.5, {"params": 10.0}, seconds=2.0),
    Crashed("no"),
    Done(0.7, seconds=1.0),
    None,
]


WATCHING = Path(__file__).parents[2] / "docs" / "watching.md"


def make_trials():
    trials = [Trial(n, cell, Fidelity(), outcome=OUTCOMES[n]) for n, cell in enumerate(CELLS)]
    curve = (Point(1, {"loss": 2.0}), Point(2, {"loss": 1.0}))
    winner = Trial(0, CELLS[2], Fidelity(), kind="final", role="winner", outcome=Done(0.9, curve=curve))
    return trials[:3], winner


TOLD = [
    *(("search/best", 0.5, 0), ("search/failed", 0, 0), ("search/value", 0.5, 0), ("search/seconds", 2, 0)),
    *(("search/params", 10, 0), ("search/best", 0.5, 1), ("search/failed", 1, 1), ("search/best", 0.7, 2)),
    *(("search/failed", 1, 2), ("search/value", 0.7, 2), ("search/seconds", 1, 2)),
    *(("final/0-winner/loss", 2, 1), ("final/0-winner/loss", 1, 2), ("final/0-winner/score", 0.9, 0)),
]
"""By hand, of the four trials above."""


def read_records(data):
    """The data of each record, whose checksums are checked bit by bit by the polynomial's definition."""
    while data:
        length, (crc,) = data[:8], struct.unpack("<I", data[8:12])
        assert crc == mask(slow_crc(length))
        (count,) = struct.unpack("<Q", length)
        body, (crc,) = data[12 : 12 + count], struct.unpack("<I", data[12 + count : 16 + count])
        assert crc == mask(slow_crc(body))
        yield body
        data = data[16 + count :]


def slow_crc(data):
    """CRC-32C as a division of polynomials, a bit at a time."""
    crc = 0xFFFFFFFF
    for bit in (byte >> i & 1 for byte in data for i in range(8)):
        crc = crc >> 1 ^ (0x82F63B78 if (crc ^ bit) & 1 else 0)
    return crc ^ 0xFFFFFFFF


def mask(crc):
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def read_message(data):
    """The fields of a protocol buffer by number."""
    fields, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size, form = {1: (8, "<d"), 5: (4, "<f")}[kind]
            (value,), at = struct.unpack(form, data[at : at + size]), at + size
        fields[tag >> 3] = value
    return fields


def read_scalars(folder):
    (path,) = folder.iterdir()
    first, *rest = map(read_message, read_records(path.read_bytes()))
    assert first[3] == b"brain.Event:2"
    for event in rest:
        value = read_message(read_message(event[5])[1])
        yield value[1].decode(), value[2], event.get(2, 0)


def test_the_first_record_is_that_of_every_event_file():
    """Its length of 24 bytes and that length's checksum, a37f4b22, as TensorFlow writes them; the check value
    of CRC-32C is from its catalogue."""
    assert encode_version(0.0)[:12].hex() == "1800000000000000a37f4b22"
    assert checksum(b"123456789") == 0xE3069283


def test_tensorboard_reads_each_number(tmp_path):
    """By a reader that shares no line with the writer; a second session replaces the first's file."""
    for _ in range(2):
        logger = TensorBoard(tmp_path / "logs")
        trials, winner = make_trials()
        for trial in (*trials, winner):
            logger.on_end(trial)
    read = list(read_scalars(tmp_path / "logs"))
    assert [(n, s) for n, _, s in read] == [(n, s) for n, _, s in TOLD]
    assert [v for _, v, _ in read] == pytest.approx([v for _, v, _ in TOLD])


def test_runs_that_log_into_one_folder_keep_their_logs(tmp_path):
    """Each has a folder there, of its name, where another run of the same name keeps its file as well; a
    second session replaces its own. The log of the first run was removed when the second began."""
    places = [tmp_path / "a" / "one", tmp_path / "a" / "two", tmp_path / "b" / "one"]
    for place in (*places, places[0]):
        with open_loggers(Watch(), [f"tensorboard:{tmp_path / 'logs'}"], place) as watch:
            watch.on_end(make_trials()[0][0])
    files = sorted((tmp_path / "logs").glob("*/events.out.tfevents.*"))
    assert [file.parent.name for file in files] == ["one", "one", "two"]
    assert len({file.stat().st_size for file in files}) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    """At the start; a disk that fills later is a warning, and the search goes on."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot log to"):
        TensorBoard(tmp_path / "file" / "logs")
    logger = TensorBoard(tmp_path / "logs")
    logger.path.unlink()
    logger.path.mkdir()
    with pytest.warns(UserWarning, match="cannot log to"):
        logger.on_end(make_trials()[0][0])


def test_mlflow_is_told_each_number(monkeypatch, tmp_path):
    """By its client's calls, on a stand-in of the four that are used: one request a trial, under one run;
    of a long curve several; and how the search has ended."""
    calls = []
    client = SimpleNamespace(
        get_experiment_by_name=lambda name: None,
        create_experiment=lambda name: f"experiment {name}",
        create_run=lambda number, run_name: SimpleNamespace(
            info=SimpleNamespace(run_id=f"{number} {run_name}")
        ),
        log_batch=lambda run, metrics: calls.append((run, metrics)),
        set_tag=lambda *arguments: calls.append(arguments),
        set_terminated=lambda run, status: calls.append((run, status)),
    )
    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient = lambda tracking_uri: client if tracking_uri == "there" else None
    entities.Metric = lambda key, value, timestamp, step: (key, value, step)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    logger = MLflow("there", "digits-1")
    trials, winner = make_trials()
    for trial in (*trials, winner):
        logger.on_end(trial)
    logger.on_stop("over")
    logger.close()
    run = "experiment cambrian digits-1"
    assert [m for _, metrics in calls[:4] for m in metrics] == TOLD
    assert calls[4:] == [(run, "cambrian.stopped", "over"), (run, "FINISHED")]
    calls.clear()
    for error, status in ((KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")):
        with pytest.raises(error), open_loggers(Watch(), ["mlflow:there"], tmp_path / "digits-1"):
            raise error
        assert calls.pop() == (run, status)
    logger.write([("final/loss", 0.5, n) for n in range(2500)])  # a server takes 1,000 at once
    assert [len(metrics) for _, metrics in calls] == [1000, 1000, 500]

    def refuse(*arguments, **named):
        raise ConnectionError("the server is away")

    vars(client).update(log_batch=refuse, set_tag=refuse, set_terminated=refuse)
    for tell in (lambda: logger.on_end(trials[0]), lambda: logger.on_stop("over"), logger.close):
        with pytest.warns(UserWarning, match="cannot log to MLflow: the server is away"):
            tell()
    client.create_run = refuse
    with pytest.raises(UsageError, match="cannot log to MLflow: the server is away"):
        MLflow("there", "digits-2")


def test_what_is_not_installed_is_one_sentence(monkeypatch, tmp_path):
    """It says which pip install mends it."""
    for name in ("mlflow", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[mlflow\]'"):
        MLflow()
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[pandas\]'"):
        search().run(quiet=True).frame()


def test_an_unknown_logger_is_refused():
    """With the nearest name."""
    with pytest.raises(UnknownName, match="did you mean 'tensorboard'"):
        check_log("tensorbord:logs")


def test_a_logger_that_is_none_is_refused(monkeypatch, tmp_path):
    """Before the search where it can be, with the nearest name in the module; else when it is opened."""
    (tmp_path / "own_loggers.py").write_text("def lines(): pass\ndef nothing(folder): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="did you mean 'lines'"):
        check_log("own_loggers:linse")
    with pytest.raises(UsageError, match="cannot be called with the folder of the run"):
        check_log("own_loggers:lines")
    check_log("own_loggers:nothing")
    refused = pytest.raises(UsageError, match=r"gives 'NoneType', and no cambrian\.loggers\.Watch")
    with refused, open_loggers(Watch(), ["own_loggers:nothing"], tmp_path):
        pass


def test_together_tells_each_and_warns_once(tmp_path):
    """Every callback of `Watch` reaches each of several, but a warning the first alone."""
    names = [name for name in vars(Watch) if name.startswith("on_")]
    assert {name for name in vars(Together) if name.startswith("on_")} == set(names)
    heard = []

    def listen(number):
        methods = {n: lambda self, *a, n=n: heard.append((number, n)) for n in names}
        return type("Listener", (Watch,), methods)()

    both = Together(listen(1), listen(2))
    for name in names:
        getattr(both, name)(*range(getattr(Watch, name).__code__.co_argcount - 1))
    assert heard == [(i, n) for n in names for i in (1, 2) if (i, n) != (2, "on_warning")]
    with open_loggers(both, [], tmp_path) as watch:
        assert watch is both


def score(architecture, fidelity):
    return len(architecture) / 100


def search():
    return cambrian.Search("pnas", "random", Function(score, builds=False), budget=3)


def test_a_run_as_records():
    """One for each trial, with the columns of all."""
    result = search().run(quiet=True)
    records = list_records(result)
    assert [r["number"] for r in records] == [0, 1, 2]
    for record, trial in zip(records, result.trials, strict=True):
        assert list(record) == list(records[0])
        assert (record["status"], record["kind"], record["value"]) == ("done", "trial", trial.value)
        answers = {k.removeprefix("answers."): v for k, v in record.items() if k.startswith("answers.")}
        assert {k: v for k, v in answers.items() if v is not None} == dict(trial.architecture)


def test_a_frame_has_the_records(monkeypatch):
    """pandas is given them as they are."""
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda rows: rows))
    result = search().run(quiet=True)
    assert result.frame() == list_records(result)


def test_the_command_line_logs_a_search_on_a_table(tmp_path):
    """`--log tensorboard` leaves the best value of each of 8 trials in the run, and the logger that the page
    shows a line; another name is refused."""
    table = "op,width,accuracy\n" + "".join(f"{o},{w},{w / 100}\n" for o in ("a", "b") for w in (1, 2, 3, 4))
    (tmp_path / "mine.csv").write_text(table)
    common = ("search", "--benchmark", "mine.csv", "--budget", "8", "--strategy", "random", "--run", "run")
    refused = run_command(*common, "--log", "tensorbord", place=tmp_path)
    assert (refused.returncode, (tmp_path / "run").exists()) == (2, False)
    (example,) = re.findall(r"```python\n(.*?)```", WATCHING.read_text(), flags=re.DOTALL)
    (tmp_path / "mine.py").write_text(example)
    done = run_command(*common, "--log", "tensorboard", "--log", "mine:Lines", place=tmp_path)
    assert done.returncode == 0, done.stderr
    best = [
        value for name, value, _ in read_scalars(tmp_path / "run" / "tensorboard") if name == "search/best"
    ]
    assert len(best) == 8
    lines = (tmp_path / "run" / "lines.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [str(n) for n in range(8)]
    assert best == sorted(best)
