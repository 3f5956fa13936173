"""What most people would try first of scikit-learn: gradient boosting of the rows of a table, a linear model
of the n-grams of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

ORDERS = (1, 5)
"""Characters of the n-grams within words that a linear model of texts counts."""


def suits_scikit(task: Task) -> bool:
    """Whether the data are rows of a table, or texts that are classified or measured as a whole."""
    return bool(task.columns) or ("text" in task.rendering and not task.causal)


def fit_scikit(task: Task) -> float:
    """The test score, in the task's metric, of what scikit-learn learns from the training and the validation
    part: gradient boosting with its own settings, or, of texts, a linear model of the n-grams of their
    characters, weighted by how rare they are. Of several labels or heads each has a model of its own."""
    import numpy as np

    from cambrian.tasks import METRICS

    learned = np.concatenate([task.train, task.validation])
    rows = task.inputs.reshape(len(task.inputs), -1) if task.columns else _count_ngrams(task, learned)
    targets = task.targets.reshape(len(task.inputs), -1)
    each = [_fit_one(task, rows, column, learned) for column in targets.T]
    predicted = np.stack(each, 1) if task.targets.ndim > 1 else each[0]
    return float(METRICS[task.metric](task.targets[task.test], predicted))


def _fit_one(task: Task, rows: Any, targets: Any, learned: Any) -> Any:
    """The predictions of one target for the test part: of a label its probability."""
    import numpy as np

    if task.goal.kind == "labels" and len(np.unique(targets[learned])) < 2:  # it takes two classes to learn
        return np.full(len(task.test), float(targets[learned][0]))
    model = _make_model(task).fit(rows[learned], targets[learned])
    tested = rows[task.test]
    return model.predict_proba(tested)[:, 1] if task.goal.kind == "labels" else model.predict(tested)


def _make_model(task: Task) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    numbers = task.goal.kind == "numbers"
    if task.columns:
        model = HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier
        return model(random_state=0)
    return Ridge() if numbers else LogisticRegression(C=10.0, max_iter=1000)


def _count_ngrams(task: Task, learned: Any) -> Any:
    """A sparse row for each text, of the n-grams that the learned part has."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from cambrian.tasks.texts import read_script, read_texts

    texts = read_texts(task.inputs, read_script(task.rendering["text"]))
    counts = TfidfVectorizer(analyzer="char_wb", ngram_range=ORDERS, sublinear_tf=True)
    counts.fit([texts[n] for n in learned])
    return counts.transform(texts)
