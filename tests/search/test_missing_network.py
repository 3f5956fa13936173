"""Why a run has no trained network: the advice of each sentence leads to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from torch import nn

import cambrian
from cambrian.cli.run_search import _describe_stop
from cambrian.errors import RunError
from cambrian.estimators.function import Function
from cambrian.search.ledger import run_directory
from cambrian.search.loop.final import Final
from cambrian.search.loop.watch import Watch
from small_training import SmallConv, bars

FIDELITY = cambrian.Fidelity(1)
FINAL = Final(FIDELITY, top=1, baselines=())


def count_weights(network: nn.Module) -> float:
    """A user's function."""
    return float(sum(p.numel() for p in network.parameters()))


def search(estimator: Any = "train", final: Final | str | None = FINAL, **settings: Any) -> cambrian.Search:
    return cambrian.Search(
        SmallConv(), "random", estimator, bars(), 2, fidelity=FIDELITY, final=final, **settings
    )


def refuse(result: cambrian.Result, **chosen: Any) -> str:
    """The one sentence of the result's three ways to a network, or of the one to that of a `trial`."""
    ways: list[Callable[[], object]] = [lambda: result.model(**chosen)]
    if not chosen:
        ways += [lambda: cambrian.export(result, "nowhere"), lambda: cambrian.robustness(result)]
    sentences = set()
    for way in ways:
        with pytest.raises(RunError) as refusal:
            way()
        sentences.add(str(refusal.value))
    (sentence,) = sentences
    return sentence


@pytest.mark.parametrize("final", [None, {"top": 1}])
def test_who_stops_a_search_is_told_how_to_have_the_best_so_far(
    final: dict[str, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a final stage would train it; a search that never began is to be given again."""
    monkeypatch.setattr(run_directory, "read_begun", lambda place: {"final": final})
    said = _describe_stop(tmp_path)
    assert ("a smaller --budget there ends it with the best so far" in said) == (final is not None)
    assert said.endswith(f"; go on with: cambrian resume {tmp_path}")
    monkeypatch.setattr(run_directory, "read_begun", lambda place: None)
    assert _describe_stop(tmp_path) == "stopped before the search began: give the same command again"


def test_a_function_leaves_no_network(tmp_path: Path) -> None:
    """A finished run of a user's function is not to be resumed: a search with a training besides has a
    network."""
    result = search(count_weights, "auto").run(tmp_path / "run", quiet=True)
    sentence = refuse(result)
    assert refuse(result, trial=result.best) == sentence
    assert sentence == (
        f"the estimator of {tmp_path / 'run'} leaves no trained network: search in another directory with"
        ' estimators={"train": "train"} and final=Final(Fidelity(20), estimator="train")'
    )
    final = msgspec.structs.replace(FINAL, estimator="train")
    other = search(count_weights, final, estimators={"train": "train"}).run(tmp_path / "other", quiet=True)
    assert isinstance(other.model().network, nn.Module)
    assert other.winner.architecture == other.best.architecture


@pytest.mark.parametrize("further", [False, True])
def test_a_search_without_a_final_stage(tmp_path: Path, further: bool) -> None:
    """The same search with one goes on there, by the estimator that delivers."""
    settings: dict[str, Any] = {"estimators": {"longer": "train"}} if further else {}
    estimator = Function(f"{__name__}:count_weights") if further else "train"
    result = search(estimator, None, **settings).run(tmp_path / "run", quiet=True)
    named = ', estimator="longer"' if further else ""
    assert refuse(result).endswith(
        f"run the same search there once more with final=Final(Fidelity(20){named})"
    )
    final = msgspec.structs.replace(FINAL, estimator="longer" if further else "")
    again = search(estimator, final, **settings).run(tmp_path / "run", quiet=True)
    assert len(again.trials) == len(result.trials)
    assert isinstance(again.model().network, nn.Module)


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    """It is resumed, as told from its ledger; of a trial of the search there are no weights even then."""
    result = search().run(tmp_path / "run", quiet=True)
    begun = cambrian.Result(
        result.space,
        result.task,
        [row for row in result.rows if not row.final],
        result.facts,
        [event for event in result.events if event[1] != "final"],
        result.directory,
    )
    assert refuse(begun) == (
        f"{tmp_path / 'run'} holds no trained network yet: resume it to its end, or with a smaller budget,"
        " which ends it with the best so far"
    )
    assert f"the weights of trial {result.best.number} of" in refuse(result, trial=result.best)
    trained = search().train(result.best.architecture, tmp_path / "trained", quiet=True)
    assert isinstance(trained.model().network, nn.Module)


class StoppedAtTheThird(Watch):
    """Ctrl-C, when two trials have ended."""

    def on_claim(self, trial: cambrian.Trial) -> None:
        if trial.number == 2:
            raise KeyboardInterrupt


def test_a_smaller_budget_ends_a_search_with_the_best_so_far(tmp_path: Path) -> None:
    """Than it has spent already: of networks that are counted, those under way are finished."""
    long = cambrian.Search(SmallConv(), "random", "train", bars(), 9, fidelity=FIDELITY, final=FINAL)
    with pytest.raises(KeyboardInterrupt):
        long.run(tmp_path / "run", StoppedAtTheThird())
    assert refuse(cambrian.Result.open(tmp_path / "run")).endswith("ends it with the best so far")
    result = cambrian.Search.resume(tmp_path / "run", 1).run(tmp_path / "run", quiet=True)
    assert 3 <= len(result.trials) < 9
    assert all(trial.value is not None for trial in result.trials)
    assert result.winner.architecture == result.best.architecture
    assert isinstance(result.model().network, nn.Module)


def test_a_final_stage_that_failed(tmp_path: Path) -> None:
    """It is not said to be unfinished."""
    result = search().run(tmp_path / "run", quiet=True)
    rows = [
        msgspec.structs.replace(
            row, trial=msgspec.structs.replace(row.trial, outcome=cambrian.Crashed("no memory"))
        )
        if row.final
        else row
        for row in result.rows
    ]
    events = [
        (at, name, value | {"winner": None} if name == "final" else value)
        for at, name, value in result.events
    ]
    failed = cambrian.Result(result.space, result.task, rows, result.facts, events, result.directory)
    assert refuse(failed).startswith("every training of the final stage of")
    assert refuse(failed, trial=failed.finals[0]).startswith("every training of the final stage of")


def test_a_run_in_memory_and_one_without_data(tmp_path: Path) -> None:
    """Neither has weights at all."""
    result = search(count_weights, "auto").run(quiet=True)
    with pytest.raises(RunError, match="the weights of a run in memory went with it"):
        result.model()
    by_answers = Function(lambda architecture: float(architecture["width"]), builds=False)
    looked_up = cambrian.Search(SmallConv(), "random", by_answers, budget=2).run(tmp_path / "run", quiet=True)
    assert refuse(looked_up).endswith("is a search without images, as in a table: it trains no network")
