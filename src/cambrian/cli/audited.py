"""`search --estimator auto`: measure networks by the shortcut that an audit recommends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cambrian.cli.app import read_place, say
from cambrian.cli.options.given import refuse
from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

AUTO, TRAIN = "auto", "train"
Audited = Annotated[
    Path | None,
    typer.Option(
        "--audit",
        help="The audit that --estimator auto follows [default: the latest of these data in runs].",
        show_default=False,
        parser=read_place,
        metavar="RUN",
        rich_help_panel="What to search",
    ),
]


def check_audited(estimator: str | None, audit: Path | None) -> None:
    """Refuse an audit that nothing would read."""
    if audit is not None and estimator != AUTO:
        refuse(["--audit"], f"for --estimator {AUTO}, which follows it")


def follow_audit(
    task: Task,
    audit: Path | None,
    space: Any,
    changes: dict[str, Any],
    recipe: dict[str, Any],
    as_json: bool,
) -> tuple[str, Any, bool]:
    """The audit's estimator and space, and whether a quick audit within the search is wanted, as it is where
    there is none of these data; the plan says whether there is one. The audit's settings are put into
    `changes` and `recipe` where the user named none. Raises UsageError for another space than the audited
    one."""
    from cambrian.audits.advice import find_advice, has_audit
    from cambrian.search.parts.components import spec_of
    from cambrian.spaces import SPACES

    if audit is None and not has_audit(task):
        say(f"{'estimator':>9}  train; no audit of these data is in runs", to_json=as_json)
        return TRAIN, space, True
    advice = find_advice(task, audit)
    if space is not None and spec_of("space", space) != advice.space:
        raise UsageError(
            f"the audit is of the space {advice.space['name']!r}, and --space names another: leave it out, or"
            " audit that one"
        )
    say(f"{'estimator':>9}  {advice.sentence}", to_json=as_json)
    for named, advised in ((changes, advice.changes), (recipe, advice.recipe)):
        named.update({name: value for name, value in advised.items() if named.get(name) is None})
    return advice.estimator, SPACES.make(advice.space) if space is None else space, False
