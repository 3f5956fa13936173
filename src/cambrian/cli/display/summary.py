"""The summary of a run, for the terminal and as JSON: leaderboard, best architecture, final networks."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cambrian.cli.app import give, say
from cambrian.cli.display.saved import describe_saved
from cambrian.cli.display.tables import make_table, print_table
from cambrian.counts import counted
from cambrian.errors import UsageError
from cambrian.estimators.limits import SIZES
from cambrian.outcome import ENDLESS, Done, Trial, describe_failure, failure_reason
from cambrian.reports.verdict import tell_shortfall, tell_uncompared
from cambrian.search.delivery.front_choice import describe_hypervolume, name_begun
from cambrian.search.display.failures import count_failures, describe_failures, failure_text
from cambrian.search.display.progress import read_progress
from cambrian.search.display.shares import find_shares
from cambrian.search.display.tally import number_text, value_text
from cambrian.search.parts.conditions import write_value
from cambrian.search.result import Result
from cambrian.weights import AS_TRAINED, Inherit

if TYPE_CHECKING:
    from cambrian.exports.latency import Latency
    from cambrian.tasks.task import Task


def summarise(result: Result, as_json: bool = False) -> None:
    """Print the summary of a run that has ended."""
    if as_json:
        give(facts(result, measured=True))
        return
    from rich.console import Console  # late, as everything that --json does without

    console = Console()
    best = result.winner or result.best
    if result.trials:
        several = len(result.objectives) > 1
        if several or result.recommended:
            print_table(_front(result) if several else _leaderboard(result))
        for line in describe_hypervolume(result.objectives, result.reference, result.hypervolume):
            say(line)
    if best is not None:
        from cambrian.pictures.draw import text

        console.print(text(result.space, best.architecture), highlight=False, markup=False)
    if result.finals:
        print_table(_finals(result))
        for line in (
            *_list_others(result),
            *_list_unraced(result),
            *_warn_of_winner(result),
        ):
            say(line)
    for line in _list_failures(result):
        say(line)
    for row in _latency(result):
        say(str(row))
    for line in (*describe_saved(result.trials), *_where(result)):
        say(line)


def facts(result: Result, measured: bool = False) -> dict[str, Any]:
    """Everything that `summarise` shows, as JSON; the winner's latency only if it is to be measured."""
    best, winner, progress = result.best, result.winner, read_progress(result)
    open_rows = sum(t.outcome is None for t in result.trials + result.finals)
    several = len(result.objectives) > 1
    return {
        "run": result.directory,
        "objective": {"name": result.objective.name, "minimize": result.objective.minimize},
        # Those that have ended, as the search itself counts them.
        "trials": sum(t.outcome is not None for t in result.trials),
        "failed": sum(t.outcome is not None and t.value is None for t in result.trials),
        "failures": count_failures(result.trials),
        # Rows that a kill or a deadline left open are not at work.
        "running": open_rows if progress.state == "running" else 0,
        # The last one counts: a resumed run has stopped before.
        "progress": progress,
        "stopped": next((v["reason"] for _, n, v in reversed(result.events) if n == "stop"), None),
        "best": None if best is None else _record(best),
        "winner": None if winner is None else _record(winner),
        **(_describe_front(result) if several else {}),
        "finals": [_record(t) for t in result.finals],
        "latency": _latency(result) if measured else [],
        "seconds": result.seconds(),
    }


def _describe_front(result: Result) -> dict[str, Any]:
    """The front, its hypervolume above the reference point, and the trials that are handed over."""
    return {
        "front": [_record(t) for t in result.front],
        "hypervolume": result.hypervolume,
        "reference": result.reference,
        "chosen": [t.number for t in find_chosen(result)],
    }


def find_chosen(result: Result) -> list[Trial]:
    """The trials whose networks are handed over; none where no trial keeps the conditions."""
    with suppress(UsageError):
        return result.chosen
    return []


def _record(trial: Trial) -> dict[str, Any]:
    metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
    return {
        "number": trial.number,
        "role": trial.role,
        "value": trial.value,
        "failure": describe_failure(trial),
        "metrics": metrics,
        "architecture": trial.architecture,
        **({} if (row := _find_kept(trial)) is None else {"as_trained": row}),
    }


def _leaderboard(result: Result, top: int = 5) -> Any:
    columns = ("trial", "level", "validation", "params", "macs", "seconds")
    shares = find_shares(result)
    rows = [
        [str(t.number), str(t.reason.get("level", "")), value_text(t, shares), *_sizes(t)]
        for t in result.recommended[:top]
    ]
    return make_table(_name_metric("best under search", result.objective.name), columns, rows)


def _name_metric(title: str, metric: str) -> str:
    """The title with the metric of the values, unless they are accuracies, whose percentages say it."""
    return title if metric in ("accuracy", "value") else f"{title}, by {metric}"


def _front(result: Result, top: int = 20) -> Any:
    front, names = result.front, [o.name for o in result.objectives]
    title = f"front: {counted(len(front), 'trial')}"
    more = f"and {len(front) - top} more" if len(front) > top else ""
    chosen, shares = {t.number for t in find_chosen(result)}, find_shares(result)
    # A choice by conditions on other metrics need not lie on the front, nor need the user's own network.
    on_front = {f.number for f in front}
    begun = [t for t in result.trials if name_begun(t) and t.value is not None and t.number not in chosen]
    aside = [t for t in (*begun, *find_chosen(result)) if t.number not in on_front]
    shown = [t for t in front[top:] if t.number in chosen or name_begun(t)]
    rows = []
    for trial in (*front[:top], *shown, *aside):
        marks = [name_begun(trial), "chosen" if trial.number in chosen else ""]
        others = [_write_metric(result, trial, name) for name in names[1:]]
        rows.append([str(trial.number), value_text(trial, shares), *others, ", ".join(filter(None, marks))])
    return make_table(title, ("trial", *names, ""), rows, caption=more)


def _finals(result: Result) -> Any:
    from cambrian.reports.naming import name_role
    from cambrian.reports.shared_scores import find_shared_scores
    from cambrian.reports.tested import is_tested

    shared, shares = find_shared_scores(result.trials), find_shares(result)
    also, more = ("shared",) if shared else (), _list_measures(result)
    rows = []
    for trial in result.finals:
        metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
        # The value of a network that was tested is its test score, else its validation score.
        tested = is_tested(metrics)
        rows.append(
            [
                name_role(trial, result.winner) + _say_shortened(metrics) + _say_kept(trial),
                *([value_text(shared.get(trial.architecture), shares)] if shared else []),
                "" if tested else value_text(trial, shares, "failed"),
                value_text(trial, shares) if tested else "",
                *(_write_metric(result, trial, name) for name in more),
                *_sizes(trial),
            ]
        )
    if result.task is not None and result.task.causal:
        name, score = _count_ngrams(result.task)
        rows.append([name, *("" for _ in also), "", score, *("" for _ in (*more, *SIZES, "seconds"))])
    columns = ("network", *also, "validation", "test", *more, *SIZES, "seconds")
    metric = "value" if result.task is None else result.task.metric
    return make_table(_name_metric("final stage", metric), columns, rows, left="network")


def _list_measures(result: Result) -> list[str]:
    """The objectives and limits of the search besides the value and the sizes, which have columns anyway."""
    limits = result.facts.get("settings", {}).get("limits") or {}
    names = dict.fromkeys([*(o.name for o in result.objectives[1:]), *limits])
    return [name for name in names if name not in SIZES]


def _write_metric(result: Result, trial: Trial, name: str) -> str:
    """A metric with its unit; of a table as it stands there, since its columns have units of their own."""
    metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
    if name not in metrics:
        return "-"
    return f"{metrics[name]:,.5g}" if result.task is None else write_value(name, metrics[name])


def _count_ngrams(task: Task) -> tuple[str, str]:
    """The name and the test score of n-grams, which need no network."""
    from cambrian.tasks.ngrams import score_ngrams
    from cambrian.tasks.targets.metrics import is_share

    order, score = score_ngrams(task)
    return f"n-grams of order {order}", number_text(score, is_share(task.metric))


def _list_unraced(result: Result) -> list[str]:
    """A sentence on the entrants of a race that there was no time for."""
    strategy = result.facts.get("settings", {}).get("strategy", {})
    if strategy.get("name") != "race":
        return []
    entrants = [each["name"] for each in strategy.get("arguments", {}).get("entrants", ()) if "name" in each]
    raced = {t.reason.get("runner") for t in result.trials if t.outcome is not None}
    left = [name for name in entrants if name not in raced]
    return [f"there was no time to race {', '.join(left)}"] if left else []


def _list_others(result: Result) -> list[str]:
    """The winner's other scores on the test part, where there is more to say than by shares of right answers:
    the errors of numbers, the metrics of labels, the accuracy of each head, and the accuracy where classes
    are judged by something else."""
    from cambrian.estimators.scoring import COUNTED

    winner, task = result.winner, result.task
    if winner is None or task is None or not isinstance(winner.outcome, Done):
        return []
    if task.goal.kind == "classes" and task.metric in COUNTED:
        return []
    # The task's own metric is the value in the table above.
    known = ("test_loss", f"test_{task.metric.replace('-', '_')}")
    metrics = winner.outcome.metrics.items()
    others = {k.removeprefix("test_"): v for k, v in metrics if k.startswith("test_") and k not in known}
    return [f"test: {', '.join(_describe_score(*score) for score in others.items())}"] if others else []


def _describe_score(recorded: str, value: float) -> str:
    """A score under the name by which `--metric` is told it, as a percentage where it is read as one.

    >>> _describe_score("balanced_accuracy", 0.5), _describe_score("mcc", 0.5)
    ('balanced-accuracy 50.00 %', 'mcc 0.5')
    """
    from cambrian.tasks.targets.metrics import METRICS, is_share

    metric, of, head = recorded.partition(" of ")
    name = metric.replace("_", "-")
    return f"{name if name in METRICS else metric}{of}{head} {number_text(value, is_share(name))}"


def _list_failures(result: Result) -> list[str]:
    """How many trials failed and why, and each network of the final stage that failed."""
    lines = [describe_failures(count_failures(result.trials))]
    lines += [f"{t.role} {failure_text(t)}" for t in result.finals if failure_reason(t)]
    return [line for line in lines if line]


def _warn_of_winner(result: Result) -> list[str]:
    """Sentences on a winner that was compared with no other network, that has hardly learned, or that is no
    better than a constant answer."""
    if result.winner is None:
        return []
    from cambrian.reports.constant_answer import tell_constant

    return [
        *tell_constant(result.winner, result.task),
        *tell_uncompared(result.trials),
        *tell_shortfall(result.winner, (*result.trials, *result.finals)),
    ]


def _say_shortened(metrics: dict[str, float]) -> str:
    """How much of its epochs a training had, where the budget ended it early."""
    if metrics.get("planned_epochs", ENDLESS) >= ENDLESS:  # it was to last until the end of the budget
        return ""
    if "steps" in metrics:  # its epochs are no passes over the data
        return f" (ended early, after {counted(metrics['steps'], 'step')})"
    return f" ({metrics['epochs']:.3g} of {metrics['planned_epochs']:g} epochs)"


def _say_kept(trial: Trial) -> str:
    row = _find_kept(trial)
    return "" if row is None else f" (as trial {row} left it)"


def _find_kept(trial: Trial) -> int | None:
    """The trial of the search that had trained the network, where it learned no more."""
    weights = trial.weights
    return weights.row if isinstance(weights, Inherit) and weights.move == AS_TRAINED else None


def _sizes(trial: Trial) -> list[str]:
    if not isinstance(trial.outcome, Done):
        return ["", "", ""]
    metrics = trial.outcome.metrics
    numbers = [f"{metrics[n]:,.0f}" if n in metrics else "" for n in SIZES]
    return [*numbers, f"{trial.outcome.seconds:.1f}"]


def _latency(result: Result) -> list[Latency]:
    """The latency of the winner on the device it was trained on, if that device is there."""
    from cambrian.exports.latency import list_latencies

    return list_latencies(result)


def _where(result: Result) -> list[str]:
    run = shlex.quote(str(result.directory))
    # Of a search in a table there is no network to take.
    take = f"    take it: cambrian export {run} OUT" if result.winner is not None and result.task else ""
    return [f"everything lies in {result.directory}", f"see it: cambrian report {run}{take}"]
