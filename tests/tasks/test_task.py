"""A task on disk, its digest, and the leaks it reports."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cambrian.errors import DataError, RunChanged
from cambrian.tasks import Task, load, prepare
from cambrian.tasks.statistics import mean_std

RNG = np.random.default_rng(2)
X, Y = RNG.integers(0, 256, (60, 5, 5, 3), dtype=np.uint8), np.arange(60) % 3


def test_round_trip(tmp_path) -> None:
    """What is opened is what was saved, memory-mapped."""
    task = load((X, Y), name="toy", metric="balanced-accuracy")
    again = prepare(task, tmp_path)
    assert isinstance(again.inputs, np.memmap)
    assert again.facts() == task.facts()
    for name in ("inputs", "targets", "train", "validation", "test"):
        assert (getattr(again, name) == getattr(task, name)).all()
    assert (again.name, again.classes, again.height, again.channels) == ("toy", 3, 5, 3)


def test_prepare_refuses_other_data(tmp_path) -> None:
    """Preparing twice is once; changed data is refused."""
    prepare(load((X, Y)), tmp_path)
    stamp = (tmp_path / "inputs.npy").stat().st_mtime_ns
    prepare(load((X, Y)), tmp_path)
    assert (tmp_path / "inputs.npy").stat().st_mtime_ns == stamp
    with pytest.raises(RunChanged, match="prepared from other data"):
        prepare(load((X ^ 1, Y)), tmp_path)


def test_half_prepared(tmp_path) -> None:
    """A directory without task.json is no task, and is prepared anew."""
    task = load((X, Y))
    task.save(tmp_path)
    (tmp_path / "task.json").unlink()
    with pytest.raises(DataError, match="holds no prepared task"):
        Task.open(tmp_path)
    assert prepare(task, tmp_path).digest == task.digest


def test_what_is_named_is_on_the_disk(tmp_path, monkeypatch) -> None:
    """Each file is synchronised before it gets its name, and the arrays' names before task.json's: after a
    power cut a directory that has task.json is whole."""
    events = []
    fsync, replace = os.fsync, os.replace

    def name(handle: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(".part")[0].rpartition(".")[0]

    monkeypatch.setattr(os, "fsync", lambda handle: (events.append(("sync", name(handle))), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append(("name", Path(b).name)), replace(a, b)))
    load((X, Y)).save(tmp_path)
    files = [*(f"{k}.npy" for k in ("inputs", "targets", "train", "validation", "test"))]
    expected = [
        event
        for file in (*files, "task.json")
        for event in (("sync", f".{file}"), ("name", file), ("sync", ""))
    ]
    assert events == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*files, "task.json"])


def test_digest_tells_what_changed() -> None:
    """One pixel, one target, another seed, limit, size or metric changes it; loading again does not."""
    digest = load((X, Y)).digest
    pixel, target = X.copy(), Y.copy()
    pixel[40, 4, 4, 2] ^= 1
    target[7] = (target[7] + 1) % 3
    assert load((X, Y)).digest == digest
    others = [load((pixel, Y)), load((X, target)), load((X, Y), seed=1), load((X, Y), limit=30)]
    others += [load((X, Y), size=4), load((X, Y), metric="balanced-accuracy")]
    digests = {digest, *(task.digest for task in others)}
    assert len(digests) == 7


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mean_and_deviation(dtype) -> None:
    """Those of the training part alone, in the unit in which networks get their inputs."""
    inputs = X if dtype == np.uint8 else (X.astype(np.float32) + 1e4)
    task = load((inputs, Y))
    trained = task.inputs[task.train].astype(np.float64) / (255 if dtype == np.uint8 else 1)
    assert task.mean == pytest.approx(trained.mean((0, 1, 2)), rel=1e-6)
    assert task.std == pytest.approx(trained.std((0, 1, 2)), rel=1e-5)


def test_a_constant_channel_divides_by_one() -> None:
    """No division by zero."""
    blue = X.copy()
    blue[..., 2] = 7
    mean, std = mean_std(blue, np.arange(60))
    assert mean[2] == pytest.approx(7 / 255)
    assert std[2] == 1.0


def test_a_class_that_holds_most_is_said() -> None:
    """A constant answer has its share as its accuracy, which looks learned; of another metric it has not."""
    labels = ["no"] * 45 + ["yes"] * 15
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 5), dtype=np.uint8)
    (sentence,) = load((images, labels)).warnings
    assert "45 of 60 images are of the class 'no'" in sentence
    assert "has accuracy 75.0%: metric=balanced-accuracy (--metric)" in sentence
    assert load((images, labels), metric="balanced-accuracy").warnings == ()
    assert load((images[1:], labels[1:])).warnings == ()


def test_leaks_are_said_in_one_sentence() -> None:
    """A test part that repeats training images is used as it is, and said to."""
    clean = load(((X, Y), (X[:9] ^ 1, Y[:9])))
    assert clean.warnings == ()
    leaking = load(((X, Y), (np.concatenate([X[:6], X[:3] ^ 1]), Y[:9])), validation=3)
    assert len(leaking.test) == 9
    caught = {i.tobytes() for i in leaking.inputs[leaking.train]}
    count = sum(leaking.inputs[i].tobytes() in caught for i in leaking.test)
    assert count >= 3
    assert leaking.warnings[0].startswith(f"data: {count} of 9 test images are also among the training")
