"""The report of a search: one HTML file that fetches nothing, readable on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from cambrian.counts import counted
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Trial, describe_failure
from cambrian.pictures import charts, draw
from cambrian.reports.contents import Story
from cambrian.reports.evidence import anytime, best_trials, failures, leaderboard, levels, search_trials
from cambrian.reports.formats import cell_text, flatten_settings, integer_text, time_text
from cambrian.reports.front import front_section
from cambrian.reports.gates import gates_section
from cambrian.reports.learning import learning_section
from cambrian.reports.mistakes import mistakes_section
from cambrian.reports.naming import architecture_text, name_role
from cambrian.reports.page import (
    Html,
    chart,
    definitions,
    details,
    drop_empty,
    element,
    figure,
    join,
    page,
    section,
    table,
    tiles,
)
from cambrian.reports.shared_scores import compare_orders, find_shared_scores
from cambrian.reports.verdict import baselines, verdict
from cambrian.reports.weights import describe_weights, supernets_section, weights_section
from cambrian.weights import AS_TRAINED, Fresh, Inherit

_FAILURES_SHOWN = 20
_KINDS = {
    "search": "training and scoring trials",
    "final": "final stage",
    "strategy": "strategy (surrogate, ranking)",
}


def report_html(story: Story) -> str:
    """The whole page as text: the verdict first, then each section that the run has something for."""
    title = f"Architecture search: {story.title}"
    body: list[Html] = [element("h1", title), element("p", verdict(story), "lead"), tiles(_figures(story))]
    parts = (
        _winner,
        learning_section,
        mistakes_section,
        final_section,
        progress_section,
        front_section,
        surrogate_section,
        _leaders,
        weights_section,
        supernets_section,
        gates_section,
        _family,
        failures_section,
        _cost,
        _questions,
        _machine,
    )
    body += [html for part in parts if (html := part(story))]
    return page(title, body)


def _figures(story: Story) -> Iterator[tuple[str, str]]:
    """The few numbers that a reader should see first."""
    trials = [t for t in search_trials(story.trials) if t.outcome is not None]
    best = best_trials(trials, 1)
    yield "trials", f"{len(trials):,}"
    if best:
        yield f"best {story.searched} in the search", story.value_of(best[0])
    if story.winner is not None and isinstance(story.winner.outcome, Done):
        yield "of the final network", story.value_of(story.winner)
        yield from ((n, integer_text(story.winner.outcome.metrics.get(n))) for n in ("params", "macs"))
    if story.seconds:
        seconds = sum(story.seconds.values())
        yield "seconds of work", f"{seconds:,.1f}" if seconds < 10 else f"{seconds:,.0f}"


def _winner(story: Story) -> Html | None:
    if story.winner is None:
        return None
    architecture = story.winner.architecture
    pictures = [figure(draw.svg(story.space, architecture, title="the best cell found"), "the architecture")]
    if story.stages:
        pictures.append(figure(draw.network_svg(story.stages), "the network it makes"))
    return section("The network", element("div", join(pictures), "row"), _as_text(story, architecture))


def _as_text(story: Story, architecture: Any) -> Html:
    return details("as text", element("pre", draw.text(story.space, architecture)))


def _tell_training(story: Story, finals: Sequence[Trial]) -> str:
    if getattr((story.winner or finals[0]).weights, "move", "") == AS_TRAINED:
        return "Handed over as the search trained it: there was no time to train it anew, on all but test"
    return f"Trained {_tell_beginning(story, finals)} in the final skeleton"


def _tell_beginning(story: Story, finals: Sequence[Trial]) -> str:
    if isinstance(finals[0].weights, Inherit):
        return "on from its weights of the search"
    if getattr(story.space, "pretrained", False):
        return "from your network's weights"
    if story.given:
        return f"from the weights in {story.given}, where their names and shapes fit, all else from scratch"
    return "from your pretrained parts, all else from scratch" if story.parts else "from scratch"


def final_section(story: Story) -> Html | None:
    finals = [t for t in story.trials if t.kind == "final"]
    if not finals:
        return None
    rows = [_final_row(story, t) for t in finals]
    header = ["role", "scored on", story.metric, "params", "macs", "seconds", "architecture"]
    shared = find_shared_scores(story.trials)
    if shared:  # a score with a supernet's weights never stands without the one of the network alone
        header.insert(3, "with shared weights")
        for row, trial in zip(rows, finals, strict=True):
            known = shared.get(trial.architecture)
            row.insert(3, "–" if known is None else story.value_of(known))
    pictures = [
        figure(draw.svg(story.space, t.architecture, title=name), f"{name}: {story.value_of(t)}")
        for name, t in baselines(story)
    ]
    return section(
        "Final stage",
        element("p", f"{_tell_training(story, finals)}; only the networks "
                "that are handed over and those they are compared with have seen the test part, once each, "
                "after every choice had been made.", "note"),
        table(header, rows),
        element("p", compare_orders(story.trials), "note") if shared else "",
        details("the baselines, drawn", element("div", join(pictures), "row")) if pictures else "",
    )  # fmt: skip


def _final_row(story: Story, trial: Trial) -> list[object]:
    metrics = trial.outcome.metrics if isinstance(trial.outcome, Done) else {}
    # Finalists are chosen among on validation; the test part is for the winner and its baselines alone.
    on = "validation" if trial.role == "finalist" else "test"
    value = story.value_of(trial) if trial.value is not None else describe_failure(trial) or "running"
    seconds = f"{trial.outcome.seconds:,.0f}" if trial.outcome else "–"
    sizes = [integer_text(metrics.get(n)) for n in ("params", "macs")]
    name = architecture_text(story, trial.architecture, trial=True)
    return [name_role(trial, story.winner), on, value, *sizes, seconds, name]


def progress_section(story: Story) -> Html | None:
    curve = anytime(story.trials)
    if not curve:
        return None
    name = f"best {story.unit}"
    over = {
        "trials": [(float(b.trials), b.value) for b in curve],
        "seconds": [(b.seconds, b.value) for b in curve],
    }
    captions = {"trials": "over trials", "seconds": "over seconds of evaluation, added up"}
    rows = [
        chart(partial(charts.steps, f"best value over {x}", points, x, name, story.axis), captions[x], 2)
        for x, points in over.items()
    ]
    return section("Best value so far", element("div", join(rows), "charts"))


def surrogate_section(story: Story) -> Html | None:
    """Predictions against measurements by level, and Table 1 of the PNAS paper on this run's trials."""
    rows = levels(story.trials)
    if not rows and not story.table1:
        return None
    pictures = []
    for level in rows:
        rho = "not defined" if level.rho is None else f"{level.rho:.2f}"
        caption = f"level {level.level}: {counted(len(level.measured), 'trial')}, Spearman's rho {rho}"
        names = (f"predicted {story.unit}", f"measured {story.unit}")
        draw_level = partial(charts.scatter, caption, level.predicted, level.measured, *names, story.axis)
        pictures.append(chart(draw_level, caption, len(rows)))
    note = (
        "What the surrogate foretold of the trials it chose, before they were trained. Chosen trials are "
        "alike, so that rho is lower among them than among all. Dashed: where both agree."
    )
    return section(
        "Prediction against truth",
        element("p", note, "note") if rows else "",
        element("div", join(pictures), "charts" if len(pictures) > 1 else ""),
        _table1(story),
    )


def _table1(story: Story) -> Html:
    if not story.table1:
        return Html("")
    header = list(story.table1[0])
    rows = [[cell_text(row.get(name)) for name in header] for row in story.table1]
    title = element("h3", "Four surrogates fitted after the fact (PNAS, Table 1)")
    return join([title, table(header, rows)])


def _leaders(story: Story) -> Html | None:
    rows = leaderboard(story.trials, 10)
    if not rows:
        return None
    header = ["rank", "trial", story.searched, "level", "params", "macs", "seconds", "architecture"]
    leaders = best_trials(story.trials, 10)
    # The level is that of a progressive search; other strategies leave it open.
    cells = [
        [
            row["rank"],
            row["trial"],
            story.value(row["value"]),
            "–" if row["level"] is None else row["level"],
            integer_text(row["params"]),
            integer_text(row["macs"]),
            f"{row['seconds']:,.1f}",
            architecture_text(story, trial.architecture),
        ]
        for row, trial in zip(rows, leaders, strict=True)
    ]
    # A column only where it tells trials apart: most searches train every network from its own weights.
    if any(not isinstance(t.weights, Fresh) for t in leaders):
        header.append("began with")
        cells = [[*row, describe_weights(t)] for row, t in zip(cells, leaders, strict=True)]
    pictures = [
        join([figure(draw.svg(story.space, t.architecture), f"trial {t.number}: {story.value_of(t)}")])
        for t in leaders[:3]
    ]
    return section("Leaderboard", table(*drop_empty(header, cells)), element("div", join(pictures), "three"))


def _family(story: Story) -> Html | None:
    """The family tree, where the strategy named the parents of its architectures."""
    if all(t.parent is None for t in search_trials(story.trials)):
        return None
    winner = story.winner.architecture if story.winner is not None else None
    try:
        tree = draw.family_tree(search_trials(story.trials), winner, show=story.value)
    except UsageError:  # the parents named are none of these trials
        return None
    caption = "trials by number, each under the one it was made of"
    return section("Descent", figure(tree.svg(), caption))


def failures_section(story: Story) -> Html | None:
    groups = failures(story.trials)
    if not groups:
        return None
    parts: list[Html] = []
    for group in groups:
        rows = [[t.number, describe_failure(t)] for t in group.trials[:_FAILURES_SHOWN]]
        parts.append(element("h3", f"{group.reason}: {len(group.trials)}"))
        parts.append(table(["trial", "what happened"], rows))
        if len(group.trials) > len(rows):
            parts.append(element("p", f"and {len(group.trials) - len(rows)} more", "note"))
        # One traceback stands for its group: a bug in a user's code crashes every trial alike.
        trace = next((t.outcome.traceback for t in group.trials if isinstance(t.outcome, Crashed)), "")
        parts.append(details("traceback of the first", element("pre", trace)) if trace else Html(""))
    return section("Failures", *parts)


def _cost(story: Story) -> Html | None:
    if not story.seconds:
        return None
    parts = [(_KINDS.get(kind, kind), seconds) for kind, seconds in story.seconds.items()]
    draw_bars = partial(charts.shares, "seconds by kind of work", parts, lambda s: f"{s:,.1f} s")
    return section("What it cost", chart(draw_bars, "seconds of work, of all workers together"))


def _questions(story: Story) -> Html | None:
    parts = []
    if story.plan:
        parts.append(definitions(story.plan))
    if story.task:
        parts += [element("h3", "Data"), definitions(_data(story))]
    if story.settings:
        rows = definitions((k, cell_text(v)) for k, v in flatten_settings(story.settings))
        parts.append(details("all settings", rows))
    return section("What was asked", *parts) if parts else None


def _data(story: Story) -> list[tuple[str, str]]:
    """The facts that people ask of a data set, and its warnings."""
    task = story.task
    size = "x".join(str(task[k]) for k in ("channels", "height", "width") if k in task)
    rows = [("name", task.get("name")), (story.noun, size), ("type", task.get("stored"))]
    rows += [(k, task.get(k)) for k in ("train", "validation", "test", "labels", "metric", "warnings")]
    return [(k, cell_text(v)) for k, v in rows if v not in (None, "", [], ())]


def _machine(story: Story) -> Html | None:
    rows: list[tuple[str, str]] = [(k, str(v)) for k, v in story.versions.items()]
    rows.append(("sampling", story.space.measure))
    events = [[time_text(at), name, cell_text(dict(value))] for at, name, value in story.events]
    log = details(f"{len(events)} events", table(["time", "event", ""], events)) if events else Html("")
    return section("Versions and machine", definitions(rows), log)
