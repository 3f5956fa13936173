"""A search as scikit-learn's kinds of classifier and regressor: `fit`, `predict`, `score`."""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from cambrian.codec import encode
from cambrian.errors import DataError, RunChanged, RunError, UsageError, join_words
from cambrian.estimators.train import WEIGHTS
from cambrian.goal import GoalName
from cambrian.search.identity.settings import describe_component, resume_search
from cambrian.search.ledger.run_directory import name_place, read_begun
from cambrian.search.parts.begun import describe_begun
from cambrian.search.parts.components import component
from cambrian.search.planning.plan import plan
from cambrian.search.search import Search
from cambrian.tasks import load
from cambrian.tasks.readers.items import array_of
from cambrian.tasks.targets.labels import read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.search.delivery.prediction import Predictions
    from cambrian.search.result import Result
    from cambrian.tasks.task import Task

ASKED = "asked"
"""The fact of a run that says which space and strategy an estimator was given."""
CARRIED = "carried"
"""In the state of a fitted estimator: the file of its weights, and what is in it."""


class Estimator(BaseEstimator):  # type: ignore[misc]
    """The settings that a classifier and a regressor have in common, and their search."""

    def __init__(
        self,
        budget: str | int = "2m",
        *,
        space: Any = None,
        strategy: Any = None,
        directory: str | Path | None = None,
        workers: int | None = None,
        device: str = "auto",
        test: float = 0.1,
        seed: int = 0,
        quiet: bool = True,
        metric: str | None = None,
        shuffle: bool = True,
        begin_with: Any = None,
    ) -> None:
        self.budget = budget
        self.space = space
        self.strategy = strategy
        self.directory = directory
        self.workers = workers
        self.device = device
        self.test = test
        self.seed = seed
        self.quiet = quiet
        self.metric = metric
        self.shuffle = shuffle
        self.begin_with = begin_with

    def search(self, X: Any, y: Any, goal: GoalName | None, groups: Any = None) -> Result:
        """Fit a network to `y`, and keep the result. Raises RunError where no network could be trained,
        RunChanged where the directory holds another search."""
        shape = find_shape(X)
        if len(shape) < 2:
            got = f"an array of shape {list(shape)}" if shape else repr(type(X).__name__)
            raise DataError(
                f"{type(self).__name__} learns from rows [n, columns] or images [n, height, width], got"
                f" {got}: one column is X.reshape(-1, 1), and data in files are for cambrian.plan"
            )
        options: dict[str, Any] = {"features": True} if len(shape) == 2 else {}
        if groups is not None and not self.shuffle:
            raise UsageError("groups= and shuffle=False each say how parts are drawn: give one of them")
        options["group"] = groups
        options["order"] = None if self.shuffle else np.arange(shape[0])
        task = load((X, y), test=self.test, goal=goal, metric=self.metric, **options)
        place = name_place(self.directory) or self._make_place()
        begun = read_begun(place)
        search = self._plan(task) if begun is None else self._go_on(task, place, begun)
        result: Result = search.run(place, quiet=self.quiet)
        if result.winner is None:
            raise RunError("no network was trained within the budget: give more time")
        self.n_features_in_ = int(shape[-1])
        names = find_names(X)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):  # of an earlier `fit`
            del self.feature_names_in_
        self.test_score_ = float(result.winner.value or 0.0)
        self.result_ = result
        return result

    def __sklearn_tags__(self) -> Any:
        """What X may hold, for those of scikit-learn's who check it first, as RFE does."""
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.allow_nan = inputs.string = inputs.categorical = inputs.three_d_array = True
        return tags

    def _predict(self, X: Any) -> Predictions:
        check_is_fitted(self)
        return self.result_.predict(self._align(X))

    def _align(self, X: Any) -> Any:
        """The table with the columns of `fit` where one of the two has no names: in their order, with the
        warning of scikit-learn's estimators. Of two with names the names count, not the order."""
        names, fitted = find_names(X), getattr(self, "feature_names_in_", None)
        if (names is None) == (fitted is None) or find_shape(X)[1:] != (self.n_features_in_,):
            return X
        kind = type(self).__name__
        if fitted is None:
            said = f"X has feature names, but {kind} was fitted without feature names"
        else:
            said = f"X does not have valid feature names, but {kind} was fitted with feature names"
        warnings.warn(f"{said}: its columns are taken in their order", UserWarning, stacklevel=4)
        if fitted is None:
            return {str(n): X[name] for n, name in enumerate(names or ())}
        return dict(zip(fitted, np.asarray(array_of(X)).T, strict=True))

    def _make_place(self) -> Path:
        """A path for a run, or for a network, that ends with this object."""
        made = tempfile.mkdtemp(prefix="cambrian-")
        weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        return Path(made) / "run"

    def __getstate__(self) -> dict[str, Any]:
        """With the network's weights, which are a file of the run: a copy, or what joblib writes, predicts
        where that run is not. Raises RunError where they cannot be read."""
        state: dict[str, Any] = super().__getstate__()
        result: Result | None = state.get("result_")
        if result is not None and result.directory is not None and result.winner is not None:
            file = result.winner.artifacts[WEIGHTS].file
            try:
                state[CARRIED] = (file, (result.directory / file).read_bytes())
            except OSError as error:
                raise RunError(f"the weights of the network cannot be read: {error}") from error
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        carried = state.pop(CARRIED, None)
        super().__setstate__(state)
        if carried is None:
            return
        file, weights = carried
        if self.directory is None or not (self.result_.directory / file).exists():
            place = self._make_place()
            (place / file).parent.mkdir(parents=True)
            (place / file).write_bytes(weights)
            self.result_ = copy.copy(self.result_)  # a shallow copy of the estimator shares it
            self.result_.directory = place

    def _plan(self, task: Task) -> Search:
        names = ("space", "strategy", "workers", "device", "seed", "begin_with")
        settings = {name: getattr(self, name) for name in names}
        search = plan(task, self.budget, **settings).search
        search.remarks[ASKED] = self._describe()
        return search

    def _go_on(self, task: Task, place: Path, begun: Mapping[str, Any]) -> Search:
        """The search that was begun in `place`: another plan measures the machine's speed anew, and would be
        of another search. Raises RunChanged where it is of other data or settings."""
        settings = begun["settings"]
        # A run that the command line began was asked for in other words, and goes on as it is.
        asked, now = begun.get(ASKED, {}), self._describe()
        changed = [name for name in asked if asked[name] != now[name]]
        changed += ["seed"] if settings["seed"] != self.seed else []
        if changed:
            raise RunChanged(
                f"{place} holds a search that was begun with another {join_words(changed)}: give the same, or"
                " another directory"
            )
        if settings["task"] is None or settings["task"]["digest"] != task.digest:
            raise RunChanged(
                f"{place} holds a search of other data, by another metric, or with a test part that was drawn"
                " otherwise: give what it was begun with, or another directory"
            )
        own = {"space": self.space, "strategy": self.strategy}
        search: Search = resume_search(Search, place, self.budget, own=own)
        return search

    def _describe(self) -> dict[str, Any]:
        """The space, the strategy, the metric and the first networks that were asked for, as JSON."""
        asked = {"space": self.space, "strategy": self.strategy}
        described = {
            kind: None if given is None else describe_component(kind, component(kind, given))
            for kind, given in asked.items()
        }
        described["begin_with"] = describe_begun(self.begin_with)
        plain: dict[str, Any] = msgspec.json.decode(encode({**described, "metric": self.metric}))
        return plain


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Finds and trains a network within `budget`, a time such as "10m" or a number of trials.

    `space`, `strategy`, `workers`, `device`, `seed` and `begin_with` are those of `cambrian.plan`;
    `directory` is where the run is kept (None: a temporary one, which ends with this object, as each fold of
    a cross-validation needs). After an interruption, or with a larger budget, `fit` on the same data goes on
    there, on the device and with the workers that it was begun with. Of the data, a share `test` is kept from
    the search and the training, drawn at random or, without `shuffle`, the last rows, as of a table in the
    order of time; and `test_score_` is the network's score there, by the `metric` that networks are searched
    for by, such as "balanced-accuracy" or "roc-auc" (None: accuracy): without a choice having been made by
    it. A copy, and what `joblib.dump` writes, holds the network and the data, and predicts where the run is
    not: `result_.export` hands over the network without the data.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = Classifier("2", workers=1).fit(X, y)
    >>> model.predict(X[:2]).shape, model.predict_proba(X[:2]).shape
    ((2,), (2, 3))
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Classifier:
        """Images [n, height, width] or [n, height, width, channels], a list of images of several sizes, or
        tables [n, columns] of numbers and categories, as arrays or DataFrames; and a class for each. Rows of
        the same value in `groups` [n], as of one patient, stay in one part. Raises DataError for others,
        RunError where no network could be trained, and RunChanged where `directory` holds a search of other
        data or settings."""
        self.search(X, y, "classes", groups)
        # In the order of the network's outputs, with the type that the labels came in.
        self.classes_ = find_values(y)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row or image."""
        probabilities = self.predict_proba(X)
        likeliest: NDArray[Any] = self.classes_[probabilities.argmax(1)]
        return likeliest

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """float32 [n, classes], in the order of `classes_`."""
        return self._predict(X).probabilities


def find_shape(X: Any) -> tuple[int, ...]:
    """The shape of the array; of several shapes, in a list or an array of objects, their number and the first
    of them.

    >>> find_shape([[1, 2], [3, 4]]), find_shape([np.ones((4, 5)), np.ones((6, 5))])
    ((2, 2), (2, 4, 5))
    """
    if isinstance(X, Mapping):  # of columns
        return (len(next(iter(X.values()), ())), len(X))
    if hasattr(X, "to_numpy") and not hasattr(X, "columns"):
        X = X.to_numpy()  # of one column of a table, whose cells may be images
    try:
        shape = np.shape(X)
    except ValueError:
        return (len(X), *np.shape(X[0]))
    objects = isinstance(X, np.ndarray) and X.dtype.kind == "O" and len(shape) == 1 and len(X) > 0
    return (*shape, *np.shape(X[0])) if objects else shape


def find_names(X: Any) -> list[str] | None:
    """The names of a table's columns, as scikit-learn takes them; None where some column has none."""
    names = list(X) if isinstance(X, Mapping) else list(getattr(X, "columns", ()))
    return names if names and all(isinstance(name, str) for name in names) else None


def find_values(y: Any) -> NDArray[Any]:
    """Of each class the first label as it was given, in the order of a task's classes; of one-hot labels the
    columns."""
    given = np.asarray(array_of(y))
    values = given.reshape(len(given), -1)
    values = values[:, 0] if values.shape[1] == 1 else values.argmax(1)
    if values.dtype == object and not isinstance(values[0], str):
        values = np.array(values.tolist())  # scikit-learn does not compare objects that are not words
    _, first = np.unique(read_labels(y, "y").targets, return_index=True)
    return values[first]


class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """Finds and trains a network that predicts numbers. Its settings are those of `Classifier`; `test_score_`
    is the share r2 of the variance that it explains on the part `test`, or its `metric`, "rmse", "mae" or
    "mape".

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Regressor("2", workers=1).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Regressor:
        """Images or tables as those of a classifier, and a number for each. Raises as a classifier does."""
        self.search(X, y, "numbers", groups)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The number of each row or image, in the unit of those it was fitted to."""
        numbers = self._predict(X).numbers
        assert numbers is not None
        return numbers
