"""Plans of searches by a proxy: scored before training, finished by training."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.errors import UsageError
from cambrian.estimators.proxy import Proxy
from cambrian.estimators.train import Train
from cambrian.reports.contents import Story
from cambrian.search.planning.plan import plan
from cambrian.testing import toy_task
from remembered import fix_cost_speed


def test_a_plan_by_a_proxy_trains_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is the first estimator, the plan says so, and the final stage names the one that trains."""
    fix_cost_speed(monkeypatch, lambda self, blocks, device: 1e-4 * blocks)
    planned = plan(toy_task(), 4, space="nasbench201", strategy="random", estimator="naswot", workers=1)
    search, rows = planned.search, dict(planned.rows)
    assert search.estimator == Proxy("naswot")
    assert search.final is not None
    assert isinstance(search.estimators[search.final.estimator], Train)
    assert rows["strategy"] == "random: 4 networks scored"
    assert rows["each"].startswith("naswot of the network before training")


def own_score(network: object) -> float:
    return 0.5


@pytest.mark.parametrize(
    ("estimator", "name"),
    [("test_plan_proxy:own_score", "test_plan_proxy:own_score"), (own_score, "own_score")],
)
def test_the_time_of_a_user_s_function_is_not_known(
    monkeypatch: pytest.MonkeyPatch, estimator: object, name: str
) -> None:
    """The plan names the function, and gives no time that leaves it out."""
    fix_cost_speed(monkeypatch, lambda self, blocks, device: 1e-4 * blocks)
    rows = dict(
        plan(toy_task(), 4, space="nasbench201", strategy="random", estimator=estimator, workers=1).rows
    )
    assert rows["strategy"] == "random: 4 networks scored"
    assert rows["each"] == f"what {name} says of the network, in a time that is not known"
    assert rows["time"].startswith(f"that of {name}, which is not known, and about ")
    assert rows["time"].endswith(" for what is trained in the end; budget: 4 trials")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("naswott", "unknown estimator 'naswott'; did you mean 'naswot'?"),
        ("zen(repeat=3)", "measure 'zen' has no setting 'repeat'; did you mean 'repeats'?"),
    ],
)
def test_mistakes_in_the_estimator_are_sentences(text: str, sentence: str) -> None:
    """Before data are read."""
    refused = CliRunner().invoke(app, ["search", "nowhere", "--estimator", text])
    assert isinstance(refused.exception, UsageError)
    assert str(refused.exception).startswith(sentence)


def test_a_report_writes_scores_as_they_are() -> None:
    """A proxy's score is no share of right answers, wherever it lies, and its column has its name; what the
    networks that are trained at the end have is."""
    settings = {"estimator": {"name": "proxy", "arguments": {"measure": "naswot"}}}
    settings["estimators"] = {"final": {"name": "train"}}
    story = Story("", None, [], settings=settings, task={"metric": "accuracy"})  # type: ignore[arg-type]
    assert (story.searched, story.metric) == ("naswot", "accuracy")
    assert (story.value(232.43), story.value(0.5), story.axis(0.5), story.unit) == (
        "232.4",
        "0.5",
        "0.5",
        "naswot",
    )
    assert (story.value(0.5, "final"), story.unit_of("final")) == ("50.00 %", "accuracy, %")
