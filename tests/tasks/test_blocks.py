"""Rows that belong together, or follow one another, are not torn apart where parts are carved out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score

import cambrian
from cambrian.errors import DataError, UsageError
from cambrian.tasks import load
from cambrian.tasks.blocks import read_groups, read_order
from cambrian.tasks.examples import TEST, TRAIN, Blocks, Examples
from cambrian.tasks.splits import Split, split

ROWS = 120
RNG = np.random.default_rng(0)
PATIENTS = RNG.integers(0, 20, ROWS)
VALUES = RNG.normal(size=ROWS)


def examples(numbers: np.ndarray, ordered: bool, targets: np.ndarray) -> Examples:
    labels = tuple(f"c{k}" for k in range(int(targets.max()) + 1))
    parts = np.full(len(targets), TRAIN, np.int8)
    blocks = Blocks(numbers, ordered, "'patient'")
    return Examples("toy", targets, labels, parts, lambda *_: None, blocks=blocks)


def list_parts(drawn: Split) -> list[np.ndarray]:
    return [drawn.train, drawn.validation, drawn.test]


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 40), st.integers(60, 200), st.booleans(), st.integers(0, 99))
def test_blocks_are_whole_and_nothing_is_lost(count: int, rows: int, ordered: bool, seed: int) -> None:
    """Each block is in one part; all rows are in some part; of ordered blocks none of a later part is before
    one of an earlier part."""
    rng = np.random.default_rng(seed)
    numbers = np.concatenate([np.arange(count), rng.integers(0, count, rows)])
    drawn = list_parts(split(examples(numbers, ordered, rng.integers(0, 2, len(numbers))), seed=seed))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(len(numbers)))
    sets = [set(numbers[part].tolist()) for part in drawn]
    assert all(sets)
    assert sum(map(len, sets)) == count
    if ordered:
        assert max(sets[0]) < min(sets[1])
        assert max(sets[1]) < min(sets[2])


def test_parts_of_groups_are_as_large_and_as_mixed_as_asked() -> None:
    """Of many small groups the test part has its share of each class within a few rows, as scikit-learn's
    StratifiedGroupKFold has it, and another seed draws other groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    numbers = np.repeat(np.arange(200), 5)
    targets = np.repeat(np.random.default_rng(1).random(200) < 0.2, 5).astype(np.int64)
    ours = split(examples(numbers, False, targets), seed=0).test
    theirs = next(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(numbers, targets, numbers))[1]
    assert abs(len(ours) - len(theirs)) <= 5
    assert abs(targets[ours].sum() - targets[theirs].sum()) <= 10
    assert ours.tolist() == split(examples(numbers, False, targets), seed=0).test.tolist()
    assert ours.tolist() != split(examples(numbers, False, targets), seed=1).test.tolist()


def test_ordered_parts_are_those_of_scikit_learn_without_shuffling() -> None:
    from sklearn.model_selection import train_test_split

    numbers = np.arange(100)
    theirs = train_test_split(numbers, test_size=0.2, shuffle=False)[1]
    assert split(examples(numbers, True, numbers % 2), seed=3).test.tolist() == theirs.tolist()


def write(path: Path, header: str, *columns: object) -> Path:
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]  # type: ignore[call-overload]
    path.write_text("\n".join([header, *lines]))
    return path


def test_a_column_of_a_table_groups_its_rows(tmp_path: Path) -> None:
    """The column is not learned from, and what it does is said."""
    path = write(tmp_path / "t.csv", "patient,x,y", PATIENTS, VALUES, PATIENTS % 2)
    task = load(path, target="y", group="patient")
    assert [column["name"] for column in task.columns] == ["x"]
    sets = [set(PATIENTS[part].tolist()) for part in (task.train, task.validation, task.test)]
    assert sum(map(len, sets)) == len(set(PATIENTS.tolist()))
    assert any("20 different values of 'patient'" in sentence for sentence in task.warnings)


def test_a_column_of_days_orders_the_rows(tmp_path: Path) -> None:
    days = np.datetime64("2026-01-01") + RNG.permutation(ROWS)
    path = write(tmp_path / "t.csv", "day,x,y", days, VALUES, VALUES + 1.5)
    task = load(path, target="y", order="day")
    assert days[task.train].max() < days[task.validation].min()
    assert days[task.validation].max() < days[task.test].min()
    assert any("by 'day' the last are the test part" in sentence for sentence in task.warnings)


def test_image_files_of_a_table_are_grouped(tmp_path: Path) -> None:
    from PIL import Image

    pixels = RNG.integers(0, 255, (40, 8, 8), dtype=np.uint8)
    names = [f"{n}.png" for n in range(40)]
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    eyes = np.arange(40) // 2
    path = write(tmp_path / "t.csv", "file,person,label", names, eyes, eyes % 2)
    task = load(path, group="person")
    sets = [set(eyes[part].tolist()) for part in (task.train, task.validation, task.test)]
    assert sum(map(len, sets)) == 20
    assert not any("not used" in sentence for sentence in task.warnings)


def test_data_in_memory_are_grouped_and_ordered() -> None:
    images = RNG.integers(0, 255, (ROWS, 6, 6), dtype=np.uint8)
    task = load((images, PATIENTS % 2), group=PATIENTS)
    assert not set(PATIENTS[task.train]) & set(PATIENTS[task.test])
    task = load((VALUES[:, None], PATIENTS % 2), features=True, order=np.arange(ROWS))
    assert task.test.tolist() == list(range(ROWS - 24, ROWS))


def test_estimators_of_scikit_learn_keep_groups_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `fit` is given arrives where data are read; no network is trained here."""
    from cambrian.search import classifier

    class Stopped(Exception):
        pass

    asked = {}

    def stop(source: object, **options: object) -> None:
        asked.update(options)
        raise Stopped

    monkeypatch.setattr(classifier, "load", stop)
    with pytest.raises(Stopped):
        cambrian.Regressor("1").fit(VALUES[:, None], VALUES, groups=PATIENTS)
    assert asked["group"] is PATIENTS
    assert asked["order"] is None
    with pytest.raises(Stopped):
        clone(cambrian.Classifier("1", shuffle=False)).fit(VALUES[:, None], PATIENTS % 2)
    assert asked["order"].tolist() == list(range(ROWS))
    with sklearn.config_context(enable_metadata_routing=True), pytest.raises(Stopped):
        cross_val_score(
            cambrian.Classifier("1").set_fit_request(groups=True),
            VALUES[:, None],
            PATIENTS % 2,
            params={"groups": PATIENTS},
            cv=GroupKFold(2),
            error_score="raise",
        )
    assert 0 < len(asked["group"]) < ROWS
    assert set(asked["group"].tolist()) < set(PATIENTS.tolist())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"group": "patient", "order": "x"}, "give one of them"),
        ({"group": "pat"}, "no column 'pat'"),
        ({"group": "y"}, "'y'.* is learned, and group= names another column"),
        ({"order": "place"}, "line 2: 'Ulm' in 'place' is neither a number nor a day"),
        ({"group": "y2"}, "only 2 different values of 'y2' where 3 parts are drawn"),
        ({"group": "three"}, "class '[01]' is in too few values of 'three'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, options: dict, sentence: str) -> None:
    three = np.repeat([0, 1, 2], ROWS // 3)
    labels = (three == 1).astype(int) if options.get("group") == "three" else PATIENTS % 2
    columns = (PATIENTS, VALUES, labels, PATIENTS % 2, ["Ulm"] * ROWS, three)
    path = write(tmp_path / "t.csv", "patient,x,y,y2,place,three", *columns)
    refused(path, sentence, target="y", **options)


def test_options_that_would_do_nothing_are_refused(tmp_path: Path) -> None:
    """Where the data bring all of their parts along, and in memory where the values do not fit."""
    found = examples(np.arange(30), False, np.arange(30) % 2)
    parts = np.repeat(np.array([TRAIN, 1, TEST], np.int8), 10)
    with pytest.raises(DataError, match="the data have all of"):
        split(Examples("toy", found.targets, found.labels, parts, found.decode, blocks=found.blocks))
    with pytest.raises(DataError, match="has a value for each example, 120 in all parts: got 'patient'"):
        load((VALUES[:, None], PATIENTS % 2), features=True, group="patient")
    with pytest.raises(DataError, match="row 3: no group"):
        read_groups(["a", "b", ""], "'patient'", lambda i: f"row {i + 1}")


def test_moments_with_zones_follow_one_another() -> None:
    cells = ["2026-03-01T12:00:00+02:00", "2026-03-01T11:00:00Z", "2026-03-01T09:00:00+00:00"]
    assert read_order(cells, "'at'", str).numbers.tolist() == [1, 2, 0]
    with pytest.raises(DataError, match="1: '2026-03-01' in 'at' has no zone, and other rows have one"):
        read_order([cells[0], "2026-03-01"], "'at'", str)
    first = ["0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00Z"]  # before the first year of Python
    assert read_order(first, "'at'", str).numbers.tolist() == [0, 1]


def test_groups_that_the_parts_of_the_data_tear_apart_are_counted(tmp_path: Path) -> None:
    """The test part is the data's own: nothing says that its last rows are the test part, nor that patients
    in both parts are kept apart."""
    parts = np.where(np.arange(ROWS) < 80, "train", "test")
    path = write(tmp_path / "t.csv", "patient,x,y,split", PATIENTS, VALUES, PATIENTS % 2, parts)
    both, there = np.intersect1d(PATIENTS[:80], PATIENTS[80:]), np.unique(PATIENTS[80:])
    task = load(path, target="y", group="patient")
    kept = np.intersect1d(PATIENTS[task.train], there)
    assert 0 < len(kept) <= len(both)
    said = f"{len(kept)} of {len(there)} values of 'patient' in the test part of the data's own are also in"
    assert any(said in sentence for sentence in task.warnings)
    assert not any("of 'patient' in the validation part" in sentence for sentence in task.warnings)
    ordered = load(path, target="y", order="patient").warnings
    assert not any("are the test part" in sentence for sentence in ordered)
    assert any("by 'patient' the last that are not in a part of the data's own" in s for s in ordered)


def test_missing_moments_are_no_group_and_lists_of_lists_no_values() -> None:
    with pytest.raises(DataError, match="1: no group in 'day'"):
        read_groups(np.array(["2026-01-01", "NaT"], "M8[D]"), "'day'", str)
    with pytest.raises(DataError, match="got lists of several lengths"):
        load((VALUES[:, None], PATIENTS % 2), features=True, group=[[1], [1, 2]])
    with pytest.raises(UsageError, match="groups= and shuffle=False each say"):
        cambrian.Classifier("1", shuffle=False).fit(VALUES[:, None], PATIENTS % 2, groups=PATIENTS)


def test_an_order_of_numbers_has_the_decimals_of_its_table(tmp_path: Path) -> None:
    """1,500 is 1.5 there, and before 20."""
    times = [f"{n / 8:.3f}".replace(".", ",") for n in range(8, 8 + ROWS)]
    times = [time.removesuffix(",000") for time in times]
    path = tmp_path / "t.csv"
    lines = [f"{time};{value:.4f};{n % 2}" for n, (time, value) in enumerate(zip(times, VALUES, strict=True))]
    path.write_text("\n".join(["t;x;y", *lines]))
    task = load(path, target="y", order="t", decimal="comma")
    assert task.test.tolist() == list(range(ROWS - 24, ROWS))
