"""The result of a run: plain records, the best of them, and the trained network.

`cambrian.export` and `cambrian.report` take it home; they stand above this room, which knows neither:
its two methods of these names are doors that `import cambrian` opens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.counts import counted
from cambrian.errors import RunError
from cambrian.estimators.train import WEIGHTS
from cambrian.hypervolume import measure_front
from cambrian.outcome import Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_front
from cambrian.search.delivery.front_choice import KNEES, choose_knees, find_reference, list_satisfying
from cambrian.search.delivery.recommended import find_winner, read_recommendation
from cambrian.search.identity.run_components import open_components
from cambrian.search.identity.settings import read_objectives
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.normalisation import Normalised
    from cambrian.search.delivery.prediction import Predictions
    from cambrian.tasks.task import Task

Event = tuple[float, str, dict[str, Any]]


class Result:
    """A finished or unfinished run, as the ledger has it. `Result.open(directory)` reads one without
    disturbing whoever works in it."""

    def __init__(
        self,
        space: Space,
        task: Task | None,
        rows: Sequence[Row],
        facts: dict[str, Any],
        events: Sequence[Event],
        directory: Path | None = None,
    ) -> None:
        self.space, self.task, self.directory = space, task, directory
        self.rows, self.facts, self.events = list(rows), facts, list(events)

    @staticmethod
    def open(directory: str | Path, *, space: Any = None) -> Result:
        """The run in `directory`. Its `space`, an object, a name or a description, is needed only for its
        networks, and only where the run has no name by which it can be loaded, as of one that was defined in
        a script or a notebook. Raises RunError where `directory` is not a run directory, LedgerCorrupt where
        it is damaged, RunChanged where the run has another space."""
        place = Path(directory).absolute()
        ledger = Ledger.read(place / LEDGER)
        try:
            facts, rows, events = ledger.facts(), ledger.rows(), ledger.events()
        finally:
            ledger.close()
        fitted, task = open_components(place, facts, space)
        return Result(fitted, task, rows, facts, events, place)

    @property
    def objective(self) -> Objective:
        """The name of the values, and which way is better."""
        return self.objectives[0]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All objectives, the values first."""
        return read_objectives(self.facts.get("settings", {}), self.task)

    @property
    def trials(self) -> list[Trial]:
        """The search's trials in order of number, with their outcomes."""
        return [r.trial for r in self.rows if not r.final]

    @property
    def finals(self) -> list[Trial]:
        """The final stage: finalists, the winner, the baselines (see `Trial.role`)."""
        return [r.trial for r in self.rows if r.final]

    @property
    def best(self) -> Trial | None:
        """The trial that is recommended first: of the best value, where the strategy knows no better."""
        return next(iter(self.recommended), None)

    @property
    def recommended(self) -> list[Trial]:
        """The measured trials, best first; of several objectives, front by front."""
        return read_recommendation(self.trials, self.objectives, self.events)

    @property
    def front(self) -> list[Trial]:
        """The trials that no other one dominates; of a single objective, the best."""
        return find_front(self.trials, self.objectives)

    @property
    def hypervolume(self) -> float:
        """The hypervolume of the front, above the reference point of `choose_reference`."""
        return measure_front(self.trials, self.objectives)

    @property
    def reference(self) -> tuple[float, ...]:
        """The reference point of the hypervolume, each value in the user's direction; () without a front."""
        return find_reference(self.trials, self.objectives)

    @property
    def knees(self) -> list[Trial]:
        """The trials at the front's knees, as many as the final stage trains (see `choose_knees`)."""
        top = (self.facts.get("final") or {}).get("top", KNEES)
        return choose_knees(self.trials, self.objectives, top)

    @property
    def chosen(self) -> list[Trial]:
        """The trials whose networks a search for several objectives hands over: the one that its `choose`
        names, else those at the front's knees. Raises UsageError where no trial keeps the conditions."""
        text = self.facts.get("choose")
        return self.knees if text is None else [self.choose(text)]

    def choose(self, conditions: str) -> Trial:
        """The best trial that keeps the `conditions`, such as "latency<5ms, params<1M": the best of the first
        objective that none of them bounds. Raises UsageError with the nearest trial where none keeps them."""
        return list_satisfying(self.recommended, self.objectives, conditions)[0]

    @property
    def winner(self) -> Trial | None:
        """The final trial whose network is handed over, once the final stage is complete."""
        return find_winner(self.finals, self.events)

    @property
    def delivered(self) -> list[Trial]:
        """The final trials whose networks are handed over: the winner, and with it, of several objectives,
        those at the front's other knees."""
        if self.winner is None:
            return []
        numbers = next(value for _, name, value in reversed(self.events) if name == "final").get("front", [])
        return [self.winner, *(t for t in self.finals if t.number in numbers)]

    def seconds(self) -> dict[str, float]:
        """The cost of the run in seconds: "search" and "final" trainings, and the "strategy"'s thinking."""
        spent = {"search": 0.0, "final": 0.0, "strategy": sum(r.thinking for r in self.rows)}
        for row in self.rows:
            # A repeat shows the outcome of its original, which was paid once.
            if row.trial.outcome is not None and row.trial.cached is None:
                kind = "final" if row.final else "search"
                spent[kind] += row.trial.outcome.seconds
        return spent

    def model(self, trial: Trial | None = None) -> Normalised:
        """The trained network, in evaluation mode: plain torch.nn, from the pixels that an export takes,
        float32 [n, channels, height, width], bytes divided by 255, to logits [n, classes], or to numbers
        float64 [n, 1] in their unit. Without `trial` the winner's; its `network` is the one behind the
        normalisation. Raises RunError where it has no weights, RunChanged where the space builds another
        network than it did."""
        from cambrian.networks.normalisation import Normalised, in_unit

        network, task = self._load(trial), self.task
        assert task is not None
        return Normalised(in_unit(network, task.goal), task.mean, task.std).eval()

    def predict(self, images: Any, trial: Trial | None = None) -> Predictions:
        """The classes of images, with their probabilities, by the network of `model`. `images` are an array
        as the task has them, [n, height, width, channels], in bytes, or in floats (of a task of bytes, from 0
        to 1); or paths of image files and folders, which are scaled as in training. Raises DataError for
        others, and the errors of `model`."""
        from cambrian.search.delivery.prediction import predict

        network, chosen = self._load(trial), trial or self.winner
        assert chosen is not None
        assert self.task is not None
        return predict(network, self.task, chosen.fidelity.resolution, images)

    def export(self, directory: str | os.PathLike[str], **settings: Any) -> Path:
        """The same as `cambrian.export(self, directory, ...)`."""
        written: Path = doors["export"](self, directory, **settings)
        return written

    def report(self, path: str | os.PathLike[str] | None = None, **settings: Any) -> Path:
        """The same as `cambrian.report(self, path, ...)`."""
        written: Path = doors["report"](self, path, **settings)
        return written

    def frame(self) -> Any:
        """The trials as a pandas.DataFrame, a row each: number, kind, status, score, seconds, epochs, answers
        and metrics (see `cambrian.search.frame`). Raises MissingExtra without pandas."""
        from cambrian.search.frame import make_frame

        return make_frame(self)

    def _load(self, trial: Trial | None) -> nn.Module:
        """The trained network of normalised inputs."""
        from cambrian.search.delivery.missing_network import explain_missing
        from cambrian.search.delivery.trained_network import load_trained

        chosen = trial or self.winner
        if self.directory is None or self.task is None or chosen is None or WEIGHTS not in chosen.artifacts:
            raise RunError(explain_missing(self, trial))
        weights = chosen.artifacts[WEIGHTS]
        place = self.directory / weights.file
        return load_trained(self.space, self.task, chosen, place, weights.sha256, self.facts)

    def __repr__(self) -> str:
        where = "in memory" if self.directory is None else f"in {self.directory}"
        best = self.best
        value = "none with a value" if best is None else f"best {self.objective.name} {best.value:.4g}"
        winner = ", with a trained network" if self.winner is not None else ""
        return f"<Result {where}: {counted(len(self.trials), 'trial')}, {value}{winner}>"

    def _repr_html_(self) -> str | None:
        return views[-1](self) if views else None


def result_of(run: Result | str | os.PathLike[str]) -> Result:
    """The result itself, or that of a run directory, as the command line has it. Raises RunError."""
    return Result.open(Path(run)) if isinstance(run, str | os.PathLike) else run


doors: dict[str, Callable[..., Any]] = {}
"""The functions of the rooms above behind the methods of the same names."""
views: list[Callable[[Result], str]] = []
"""HTML of a result for a notebook's cell: the room that draws it appends its function, and a notebook shows
the last one's; where there is none, it shows text."""
