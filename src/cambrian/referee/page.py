"""A comparison as one HTML file that fetches nothing, beside its pictures and its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cambrian.codec import encode
from cambrian.files import make_folder
from cambrian.referee.comparison import Comparison
from cambrian.referee.figures import facts, pairs, pictures, plainly, seconds, standings
from cambrian.referee.judgement import ALPHA, Judgement
from cambrian.referee.records import write
from cambrian.reports.page import (
    Html,
    definitions,
    details,
    element,
    figure,
    join,
    page,
    section,
    table,
    tiles,
)
from cambrian.search.identity.settings import versions

CAPTIONS = {
    "evaluations": "Mean of the incumbent's score over seeds, with 95 % bootstrap bands.",
    "epochs": "Mean of the incumbent's score over seeds at equal epochs, with 95 % bootstrap bands. An epoch"
    " over a part of the data counts as that part, a continued training only the difference.",
    "seconds": "The same at equal times: what measuring cost, and the strategies' own thinking.",
    "ranks": "Mean ranks at the end of the budget; a bar joins what cannot be told apart.",
}


def write_all(comparison: Comparison, directory: Path) -> list[Path]:
    """Write comparison.html, comparison.json and a file for each picture; their paths."""
    charts = pictures(comparison)
    files = {f"{name}.svg": svg for name, svg in charts.items()}
    # Pictures by themselves as well: papers and slides take SVG, not a page.
    files["comparison.json"] = msgspec.json.format(encode(plainly(facts(comparison)))).decode()
    files["comparison.html"] = html(comparison, charts)
    make_folder(directory)
    for name, text in files.items():
        write(directory / name, text.encode())
    return [directory / name for name in files]


def html(comparison: Comparison, charts: dict[str, str]) -> str:
    """The whole page as text."""
    title = f"Strategies compared: {comparison.contest.title}"
    body = [
        element("h1", title),
        *(element("p", sentence, "lead") for sentence in comparison.verdict),
        tiles(_figures(comparison)),
        element("div", join(figure(svg, CAPTIONS[name]) for name, svg in charts.items()), "charts"),
        section("Standings", table(*standings_table(comparison))),
        section("Pairs", table(*pairs_table(comparison.judgement, comparison.margin))),
        *_sections_on_time(comparison),
        section("How it was decided", *(element("p", text) for text in _method(comparison))),
        section("Settings", details("What was compared", element("pre", _settings(comparison)))),
        section("Machine", definitions(versions().items())),
    ]
    return page(title, body)


def standings_table(comparison: Comparison) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of texts. Columns of which nothing is known are left out."""
    header = ["strategy", "rank", "mean ± sd", "95 %", "> random", "thinking"]
    places = standings(comparison)
    # A strategy that stopped early had fewer evaluations: readers must see that beside its score.
    timed, ended = comparison.contest.timed, any(row["ended"] for row in places)
    rows = [
        [
            row["strategy"],
            f"{row['rank']:.2f}",
            f"{row['mean']:.3f}" + ("" if row["sd"] is None else f" ± {row['sd']:.3f}"),
            f"{row['low']:.3f}–{row['high']:.3f}",
            "–" if row["better than random"] is None else f"{100 * row['better than random']:.0f} %",
            seconds(row["thinking"]),
            *([seconds(row["estimator"])] if timed else []),
            *([row["ended"] or ""] if ended else []),
        ]
        for row in places
    ]
    return [*header, *(["measuring"] if timed else []), *(["ended early"] if ended else [])], rows


def pairs_table(judgement: Judgement, margin: float) -> tuple[list[str], list[list[Any]]]:
    header = ["pair", "difference", "95 %", "p (Holm)", "told apart", f"not inferior by {margin:g}"]
    rows = [
        [
            f"{row['a']} – {row['b']}",
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
            f"{row['p']:.2g}",
            f"{row['winner']} wins" if row["winner"] else "no",
            ", ".join(row["not inferior"]) or "neither",
        ]
        for row in pairs(judgement, margin)
    ]
    return header, rows


def _figures(comparison: Comparison) -> Iterator[tuple[str, str]]:
    contest = comparison.contest
    yield "strategies", str(len(comparison.lines))
    yield "seeds each", str(comparison.seeds)
    if contest.epochs is None:
        yield "evaluations a search", f"{contest.budget:,}"
    else:
        yield "epochs a search", f"{contest.epochs:,.0f}"
    if contest.optimum is not None:
        yield ("lowest" if contest.minimize else "highest") + " possible score", f"{contest.optimum:.4g}"


def _sections_on_time(comparison: Comparison) -> list[Html]:
    judgement = comparison.timed_judgement
    # Said, not left out: at equal evaluations a strategy that thinks for hours looks free.
    if judgement is None:
        return [
            element(
                "p",
                "What a measurement costs is not known here (--cost says it): time is not compared.",
                "note",
            )
        ]
    sentences = (element("p", sentence) for sentence in comparison.timed_verdict)
    return [section("At equal times", *sentences, table(*pairs_table(judgement, comparison.margin)))]


def _method(comparison: Comparison) -> Sequence[str]:
    # The method in full: a page that is sent on must be judged without the program at hand.
    return (
        f"Every strategy searched under the same {comparison.seeds} seeds, which pair the searches. Scores "
        f"are the {comparison.contest.unit}, the architecture of the best objective so far.",
        "Pairs are tested by Wilcoxon's signed-rank test over seeds, two-sided, exact, the p-values adjusted "
        f"for the number of pairs by Holm's procedure at each of {len(comparison.judgement.at)} budgets. One "
        "strategy beats another from a budget on where ranks and means agree and the adjusted p-value stays "
        f"below {ALPHA:g} from there to the end. An early lead that did not last has to be significant "
        "after division by the number of budgets too.",
        "“> random” is the probability that a search ends better than one by random search (a draw "
        "counts one half). Intervals are percentile bootstrap intervals of the mean over seeds. Thinking and "
        "measuring are seconds per evaluation.",
    )


def _settings(comparison: Comparison) -> str:
    settings = {"contest": comparison.contest.identity(), **comparison.remarks}
    return msgspec.json.format(encode(settings)).decode()
