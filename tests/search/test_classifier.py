"""scikit-learn's kind of classifier: what its users expect of one."""

from __future__ import annotations

import copy
import gc
import itertools
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

import cambrian
from cambrian.errors import DataError, RunChanged, RunError, UnknownName, UsageError
from cambrian.search import classifier
from cambrian.search.planning import table_plan
from cambrian.tasks import Task

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
TWO = np.arange(150) % 2


@pytest.fixture(scope="module")
def fitted() -> cambrian.Classifier:
    return cambrian.Classifier("2", workers=1).fit(X[::2], NAMES[::2])


def test_it_learns_and_names_classes(fitted: cambrian.Classifier) -> None:
    """Two networks are enough for iris; labels come back as they were given, probabilities in their order."""
    assert fitted.score(X[1::2], NAMES[1::2]) > 0.85
    assert fitted.classes_.tolist() == sorted(set(NAMES))
    probabilities = fitted.predict_proba(X[1::2])
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (fitted.classes_[probabilities.argmax(1)] == fitted.predict(X[1::2])).all()
    assert 0 <= fitted.test_score_ <= 1


def test_it_is_an_estimator_of_scikit_learn(fitted: cambrian.Classifier) -> None:
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        again.predict(X)


@pytest.mark.parametrize("directory", [None, "run"])
def test_a_copy_has_the_network(directory: str | None, tmp_path: Path) -> None:
    """Also where the run is no longer, as on the machine that `joblib.load` is called on: the weights were a
    path into a folder that ended with the object."""
    place = directory and tmp_path / directory
    model = cambrian.Classifier("1", workers=1, directory=place).fit(X[::2], NAMES[::2])
    expected = model.predict_proba(X)
    written = pickle.dumps(model)
    alike, near = copy.deepcopy(model), copy.copy(model)
    run = model.result_.directory
    assert run is not None
    assert (alike.result_.directory == near.result_.directory == run) == (directory is not None)
    del model
    gc.collect()
    shutil.rmtree(run, ignore_errors=True)
    again = pickle.loads(written)  # noqa: S301 (the bytes of a line above)
    for other in [again] if directory else [again, alike, near]:
        assert np.array_equal(other.predict_proba(X), expected)
    if directory:
        with pytest.raises(RunError, match="the weights of the network cannot be read"):
            pickle.dumps(alike)
    place_of_copy = again.result_.directory
    del again, other
    gc.collect()
    assert not place_of_copy.exists()


def test_it_begins_with_the_networks_of_a_run(tmp_path: Path) -> None:
    """As `plan` has it; a run that was begun with others is another one."""
    first = cambrian.Classifier("1", workers=1, directory=tmp_path / "first").fit(X[::2], NAMES[::2])
    best = first.result_.best
    assert best is not None
    second: dict[str, Any] = {"workers": 1, "directory": tmp_path / "second", "strategy": "random", "seed": 1}
    begun = cambrian.Classifier("1", begin_with=tmp_path / "first", **second).fit(X[::2], NAMES[::2])
    assert begun.result_.trials[0].architecture == best.architecture
    assert clone(begun).begin_with == tmp_path / "first"
    with pytest.raises(RunChanged, match="begun with another begin_with"):
        cambrian.Classifier("1", begin_with=[best.architecture], **second).fit(X[::2], NAMES[::2])


def test_the_metric_is_what_networks_are_searched_by(tmp_path: Path) -> None:
    """Of classes that are not alike in number the accuracy says little; another metric is another search."""
    rows = np.r_[0:50, 50:56]
    settings: dict[str, Any] = {"directory": tmp_path / "run", "workers": 1}
    model = cambrian.Classifier("1", metric="balanced-accuracy", **settings).fit(X[rows], NAMES[rows])
    task = model.result_.task
    assert task is not None
    assert (task.metric, clone(model).metric) == ("balanced-accuracy", "balanced-accuracy")
    with pytest.raises(RunChanged, match="begun with another metric"):
        cambrian.Classifier("1", **settings).fit(X[rows], NAMES[rows])
    with pytest.raises(UnknownName, match="unknown metric 'auc'"):
        cambrian.Classifier("1", metric="auc").fit(X, NAMES)


@pytest.mark.slow
def test_a_directory_keeps_the_run(tmp_path: Path) -> None:
    """Images and whole-number labels; the run can be opened, reported and exported like any."""
    images = np.random.default_rng(0).random((40, 6, 6), dtype=np.float32)
    labels = np.arange(40) % 2 + 5
    images[labels == 6] += 1
    model = cambrian.Classifier(
        "2", space="tiny-chain", strategy="random", directory=tmp_path / "run", workers=1
    ).fit(images, labels)
    assert model.classes_.tolist() == [5, 6]
    assert model.predict(images).dtype == labels.dtype
    assert cambrian.Result.open(tmp_path / "run").winner is not None


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each plan finds the machine slower than the one before, and trains for fewer epochs."""
    times = itertools.count(1)
    monkeypatch.setattr(table_plan, "_measure", lambda *arguments: (3e-3 * next(times), None))


def own(pick: Any, task: Any) -> Any:
    from torch import nn

    width = pick("width", [4, 8])
    return lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(task.channels, width), nn.Linear(width, task.classes)
    )


@pytest.mark.usefixtures("speeds")
def test_fit_goes_on_in_its_directory(tmp_path: Path) -> None:
    """Where a run has begun, with a larger budget or the same one, however fast the machine is now."""
    values = []
    for budget in ("1, 60s", "2, 60s", "2, 60s"):
        model = cambrian.Classifier(budget, directory=tmp_path / "run", workers=1).fit(X[::2], NAMES[::2])
        values.append([trial.value for trial in model.result_.trials])
    assert list(map(len, values)) == [1, 2, 2]
    assert values[1][:1] == values[0]
    assert values[1] == values[2]


@pytest.mark.usefixtures("speeds")
def test_fit_goes_on_with_a_space_of_ones_own(tmp_path: Path) -> None:
    """Which has no name by which another process could load it; another space, seed or other data, or
    a test part drawn otherwise, are refused in a sentence."""
    space = cambrian.space(own)

    def fit(budget: str, rows: slice = slice(None, None, 2), **settings: Any) -> cambrian.Classifier:
        every: dict[str, Any] = {"space": space, "strategy": "random", "workers": 1} | settings
        return cambrian.Classifier(budget, directory=tmp_path, **every).fit(X[rows], NAMES[rows])

    fit("1, 60s")
    assert len(fit("2, 60s").result_.trials) == 2
    with pytest.raises(RunChanged, match="begun with another space: give the same, or another directory"):
        fit("2, 60s", space="tabular")
    with pytest.raises(RunChanged, match="begun with another strategy and seed"):
        fit("2, 60s", strategy="evolution", seed=1)
    with pytest.raises(RunChanged, match="holds a search of other data"):
        fit("2, 60s", rows=slice(None, None, 3))
    with pytest.raises(RunChanged, match="test part that was drawn otherwise"):
        fit("2, 60s", test=0.2)


def test_data_that_do_not_fit_are_refused(fitted: cambrian.Classifier) -> None:
    with pytest.raises(DataError, match="75 rows but 3 labels"):
        cambrian.Classifier("2").fit(X[::2], [0, 1, 2])
    with pytest.raises(DataError, match="there are 2: expected 4, as in the training"):
        fitted.predict(X[:, :2])
    for use in (lambda rows: cambrian.Classifier("2").fit(rows, NAMES), fitted.predict):
        with pytest.raises(DataError, match=r"the rows are a sparse matrix: .* toarray\(\)"):
            use(csr_array(X))
        with pytest.raises(DataError, match="the column '0' has complex numbers"):
            use(X + 1j)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (X[:, 0], r"got an array of shape \[150\]: one column is X.reshape\(-1, 1\)"),
        ("rows.csv", r"got 'str': .* data in files are for cambrian.plan"),
        (X[:, :0], "the table has no columns, so that there is nothing to learn from"),
        (np.array([[1.0, [2, 3]]] * 150, object), "the column '1' has 'list' in row 1: expected one value"),
        (np.array([[n, "a", None if n < 4 else (n,)] for n in range(150)], object), "has 'tuple' in row 5"),
    ],
)
def test_what_is_no_table_is_refused(rows: Any, said: str) -> None:
    """By an error of scikit-learn's kind, which is a ValueError."""
    with pytest.raises(ValueError, match=said) as caught:
        cambrian.Classifier("2").fit(rows, TWO)
    assert isinstance(caught.value, DataError)


def test_a_seed_is_a_number() -> None:
    with pytest.raises(UsageError, match="seed is a whole number, at least 0, got None"):
        cambrian.Classifier("2", seed=None).fit(X, TWO)


class Frame(dict[str, Any]):
    """What a DataFrame is to who imports none: columns by their names."""

    @property
    def columns(self) -> list[str]:
        return list(self)


def test_columns_go_by_their_names_where_both_have_any(fitted: cambrian.Classifier) -> None:
    """As in scikit-learn they go by their order, with a warning, where one of the two has none."""
    names = ["length", "width", "petal length", "petal width"]
    table, turned = dict(zip(names, X.T)), Frame(reversed(list(zip(names, X.T))))
    named = cambrian.Classifier("1", workers=1).fit(table, NAMES)
    assert named.feature_names_in_.tolist() == names
    assert named.n_features_in_ == 4
    expected = named.predict_proba(table)
    assert (named.predict_proba(turned) == expected).all()
    with pytest.warns(
        UserWarning, match="X does not have valid feature names, but Classifier was fitted with"
    ):
        assert (named.predict_proba(X) == expected).all()
    assert not hasattr(fitted, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but Classifier was fitted without feature"):
        assert (fitted.predict_proba(Frame(zip(names, X.T))) == fitted.predict_proba(X)).all()


def test_scikit_learns_tools_are_told_what_x_may_hold() -> None:
    """They would refuse missing values and words before the classifier sees them."""
    inputs = get_tags(cambrian.Classifier("2")).input_tags
    assert inputs.allow_nan
    assert inputs.string
    assert inputs.categorical
    assert inputs.three_d_array


class Sure:
    """A plan, its search and its result in one: a network that has learned its task by heart."""

    winner = SimpleNamespace(value=1.0)

    def __init__(self, task: Task, *_: Any, **__: Any) -> None:
        self.task, self.search, self.remarks = task, self, dict[str, Any]()

    def run(self, *_: Any, **__: Any) -> Sure:
        return self

    def predict(self, X: Any) -> Any:
        return SimpleNamespace(probabilities=np.eye(self.task.classes, dtype=np.float32)[self.task.targets])


@pytest.mark.parametrize(
    "y",
    [
        2.0 * TWO - 1,
        TWO.astype(np.float32),
        TWO == 1,
        (TWO + 5).astype(np.int8),
        np.array(["b ", "a"])[TWO],
        np.array(["b", "a"], object)[TWO],
        np.array([3, 7], object)[TWO],
        (2.0 * TWO - 1).tolist(),
        ["b" if n else "a" for n in TWO],
        torch.from_numpy(TWO - 0.0),
        (TWO - 1.0)[:, None],
    ],
)
def test_labels_come_back_as_they_were_given(y: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their values and their type, so that scikit-learn's scores compare them; sorted as it sorts."""
    monkeypatch.setattr(classifier, "plan", Sure)
    model = cambrian.Classifier("2").fit(X, y)
    given = np.asarray(y).reshape(-1)
    assert (model.predict(X) == given).all()
    assert model.score(X, y if np.ndim(y) == 1 and given.dtype != object else given.tolist()) == 1
    assert (model.classes_ == np.unique(given)).all()
    if given.dtype != object:
        assert model.predict(X).dtype == model.classes_.dtype == given.dtype


def test_one_hot_labels_are_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "plan", Sure)
    model = cambrian.Classifier("2").fit(X, np.eye(3)[Y])
    assert model.predict(X).tolist() == Y.tolist()


def test_images_of_several_sizes_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are scaled to one; rows that are not all as long are no table, which one sentence says."""
    monkeypatch.setattr(classifier, "plan", Sure)
    pixels = np.random.default_rng(0).random((150, 9, 9))
    images = [image[: 5 + n % 3, : 4 + n % 5] for n, image in enumerate(pixels)]
    model = cambrian.Classifier("2").fit(images, TWO)
    assert model.predict(images).tolist() == TWO.tolist()
    assert model.result_.task.inputs.shape == (150, 5, 5, 1)
    with pytest.raises(DataError, match="the rows are not all as long"):
        cambrian.Classifier("2").fit([[1.0, 2.0], [3.0]] * 75, TWO)
