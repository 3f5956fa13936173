"""The report of a run as a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import Unread, UsageError
from cambrian.files import check_target, write_file
from cambrian.reports.contents import story_of
from cambrian.reports.report import report_html

if TYPE_CHECKING:
    from cambrian.search.result import Result


def report(
    result: Result | str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    plan: Sequence[tuple[str, str]] = (),
    table1: Sequence[Mapping[str, Any]] | None = None,
    surrogates: bool = False,
) -> Path:
    """Write one self-contained HTML file of a run, given as its result or its directory; without `path`,
    report.html in there. `plan` are rows of (label, text). `table1` are the rows on surrogates: without any,
    those that an earlier report has kept; with `surrogates` they are fitted after the fact, which takes
    minutes, once (see `surrogate_ranks`). Raises Unread where the run has nothing to fit them to."""
    from cambrian.reports.surrogate_ranks import FEWEST, can_rank, rank_surrogates
    from cambrian.search.result import result_of

    result = result_of(result)
    if surrogates and not can_rank(result):
        raise Unread(
            ["surrogates"],
            f"for searches that have ended, of a space with levels, two of which have {FEWEST} measured"
            " architectures",
        )
    if path is None:
        if result.directory is None:
            raise UsageError(
                "a result that is kept in memory has no directory for its report: give report(path), or"
                " search with run('runs/first')"
            )
        path = result.directory / "report.html"
    target = Path(path)
    check_target(target)
    rows = rank_surrogates(result, fit=surrogates) if table1 is None else table1
    text = report_html(story_of(result, plan=plan, table1=rows))
    try:
        write_file(target, text.encode())
    except OSError as error:
        raise UsageError(f"the report cannot be written to {target}: {error.strerror}") from error
    return target
