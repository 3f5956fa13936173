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

    from cambrian.tasks.targets.metrics import measure

    learned = np.concatenate([task.train, task.validation])
    rows = task.inputs.reshape(len(task.inputs), -1) if task.columns else _count_ngrams(task, learned)
    targets = task.targets.reshape(len(task.inputs), -1)
    if task.goal.kind == "numbers":
        outputs = _make_model(task).fit(rows[learned], targets[learned, 0]).predict(rows[task.test])
        return measure(task.metric, task.targets[task.test], outputs, task.goal)
    labels = task.goal.kind == "labels"
    sizes = [count for _, count in task.goal.heads] or [2 if labels else task.classes] * targets.shape[1]
    each = [_fit_one(task, rows, *one, learned) for one in zip(targets.T, sizes, strict=True)]
    # The probabilities of heads lie side by side; of a label it is that of having it.
    outputs = np.concatenate([one[:, 1:] if labels else one for one in each], 1)
    return measure(task.metric, task.targets[task.test], outputs, task.goal)


def _fit_one(task: Task, rows: Any, targets: Any, classes: int, learned: Any) -> Any:
    """The probabilities float64 [n, classes] of one target for the test part; of a class that the learned
    part lacks, 0."""
    import numpy as np

    known = np.unique(targets[learned])
    probabilities = np.zeros((len(task.test), classes))
    if len(known) < 2:  # it takes two classes to learn
        probabilities[:, known] = 1.0
        return probabilities
    model = _make_model(task).fit(rows[learned], targets[learned])
    probabilities[:, model.classes_] = model.predict_proba(rows[task.test])
    return probabilities


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
