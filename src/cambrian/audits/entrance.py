"""`cambrian.audit`: an audit of data, of a table, or of what a directory holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.audits.audit import SAMPLE, Audit, read_shortcuts, run_audit
from cambrian.audits.by_table import OnTable
from cambrian.audits.live import OnData
from cambrian.audits.measuring import Ground
from cambrian.audits.records import read_settings
from cambrian.errors import RunError, UsageError
from cambrian.outcome import Fidelity
from cambrian.search.ledger.run_directory import TASK, claim, prepare_task
from cambrian.search.parts.components import space_for, task_of
from cambrian.search.parts.devices import AUTO, choose_device, usual_workers

if TYPE_CHECKING:
    from cambrian.benchmarks import Benchmark
    from cambrian.search.loop.watch import Watch
    from cambrian.tasks.task import Task

TRUTH = "train(epochs=20)"


def audit(
    data: Any = None,
    *,
    benchmark: Benchmark | str | None = None,
    space: Any = "pnas",
    shortcuts: Sequence[str] | None = None,
    truth: str = TRUTH,
    sample: int = SAMPLE,
    twice: int | None = None,
    directory: str | Path | None = None,
    seed: int = 0,
    workers: int | None = 1,
    device: str = AUTO,
    watch: Callable[[str, int], Watch] | None = None,
    tell: Callable[[str], object] | None = None,
) -> Audit:
    """Whether cheap measurements rank architectures as the full training does, on your own data.

    A stratified `sample` of `space` is measured by `truth`, and `twice` many of them once more (left open:
    one in six), from which the noise ceiling is known. Then it is measured by each of the `shortcuts`:
    `train(epochs=2)` and other parts of a fidelity (`fraction`, `resolution`, `filters`, `cells`),
    `inherited`, `one-shot`, or a measure such as `synflow`. Parameters, MACs, layers and a coin are in every
    audit.

    With a `benchmark` (a name, the path of a table, or an object) trainings are looked up: the truth is its
    test score, shortcuts are its shorter trainings and its columns; measures of networks need `data` too.

    So many `workers` train at a time; None is one for each GPU, or for each core. Everything is kept in
    `directory` (left open: runs/audit-NAME-1, -2, ...; of a table without data nothing is): the same call
    goes on after an interruption, and one with other shortcuts measures only those. Raises UsageError where
    the sample is too small, a shortcut is unknown, or costs as much as the truth."""
    if data is None and benchmark is None:
        raise UsageError(
            "nothing to audit: give data, such as 'digits', or a benchmark, such as 'nb201-cifar10'"
        )
    task = task_of(data)
    chosen = choose_device(device, needed=task is not None)
    count = usual_workers(chosen) if workers is None else workers
    subject = make_subject(task, benchmark, space, truth, seed, count, chosen, watch)
    read_shortcuts(subject, shortcuts)  # before a directory is made, and data are copied into it
    home = None if directory is None else Path(directory).absolute()
    if home is None and task is not None:
        home = claim(f"audit-{task.name if benchmark is None else _name(benchmark)}").absolute()
    prepare_task(task, home)
    placed = replace(subject, ground=replace(subject.ground, home=home))
    return run_audit(placed, shortcuts, sample, twice, home, tell)


def check_shortcuts(
    task: Task | None,
    shortcuts: Sequence[str] | None,
    *,
    benchmark: Benchmark | str | None = None,
    space: Any = "pnas",
    truth: str = TRUTH,
) -> None:
    """Raise UsageError where `audit` would refuse the truth or a shortcut: a command makes no directory then,
    nor names one."""
    read_shortcuts(make_subject(task, benchmark, space, truth), shortcuts)


def make_subject(
    task: Task | None,
    benchmark: Benchmark | str | None,
    space: Any,
    truth: str,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    watch: Callable[[str, int], Watch] | None = None,
) -> OnTable | OnData:
    """The subject of an audit, as yet without a directory. Raises UsageError for a truth that is no
    training."""
    if benchmark is not None:
        table = open_benchmark(benchmark)
        return OnTable(table, Ground(table.space, task, Fidelity(), None, seed, workers, device, watch))
    ground = Ground(space_for(space, task), task, Fidelity(), None, seed, workers, device, watch)
    return OnData.of(ground, truth)


def open_benchmark(given: Benchmark | str | Mapping[str, Any]) -> Benchmark:
    """The benchmark of that name, of that path, or as it is."""
    if not isinstance(given, str):
        return given  # type: ignore[return-value]
    from cambrian.benchmarks import benchmark

    return benchmark(given)


def _name(benchmark: Benchmark | str) -> str:
    return Path(benchmark).stem if isinstance(benchmark, str) else benchmark.name


def resume(
    directory: str | Path,
    shortcuts: Sequence[str] | None = None,
    *,
    workers: int | None = 1,
    device: str = AUTO,
    watch: Callable[[str, int], Watch] | None = None,
    tell: Callable[[str], object] | None = None,
) -> Audit:
    """Go on with the audit in `directory`, as it was begun, on the device that it was begun on; with other
    `shortcuts` than it had, measure these. Raises RunError where there is none."""
    from cambrian.tasks.task import Task

    home = Path(directory).absolute()
    settings = read_settings(home)
    if not settings:
        raise RunError(f"{home} holds no audit: begin one with DATA or a benchmark")
    task = Task.open(home / TASK) if (home / TASK / "task.json").exists() else None
    subject: dict[str, Any] = (
        {"benchmark": _find_published(settings["benchmark"])}
        if "benchmark" in settings
        else {"space": settings["space"], "truth": settings["truth"]["text"]}
    )
    return audit(
        task,
        **subject,
        shortcuts=shortcuts or settings["shortcuts"],
        sample=settings["sample"],
        twice=settings["twice"],
        directory=home,
        seed=settings["seed"],
        workers=workers,
        device=settings.get("device", device) if device == AUTO else device,
        watch=watch,
        tell=tell,
    )


def _find_published(name: str) -> str:
    """The name of a published benchmark. Raises RunError for a table of the user's own, whose path and
    columns the audit does not keep."""
    from cambrian.benchmarks import BENCHMARKS

    if name not in BENCHMARKS.names():
        raise RunError(f"the audit is of the table {name!r}: go on by its whole command")
    return name
