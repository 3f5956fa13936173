"""A training in progress: its curve, its best epoch, its checkpoints, and the state from which a longer
training continues. `Train` runs one for a network, `OneShot` for a supernet."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.effort import ANEW, LOST
from cambrian.errors import RunError
from cambrian.estimators.estimator import Enough
from cambrian.estimators.job import Job
from cambrian.estimators.pace import Pace
from cambrian.estimators.thread_choice import ThreadChoice
from cambrian.estimators.training_clock import TrainingClock
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import ENDLESS, Infeasible, Point
from cambrian.tasks.targets.metrics import is_minimized
from cambrian.weights import Continue, Fresh

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from cambrian.networks.training.trainer import Training
    from cambrian.tasks.task import Task

LEAST_PAUSE = 5.0
"""Seconds between two checkpoints in which a few files of some megabytes are next to nothing."""
TRAINING = "training.safetensors"
"""The artifact from which a longer training of the same network continues."""


def _choose_threads(job: Job) -> ThreadChoice | None:
    """For a training that lasts until its deadline. Others keep the number that they were given, since the
    last bits of their results depend on it."""
    if job.device != "cpu" or job.deadline is None or job.fidelity.epochs < ENDLESS:
        return None
    from torch import get_num_threads, set_num_threads

    most = get_num_threads()
    return ThreadChoice(most, set_num_threads) if most > 1 and job.fidelity.seconds is None else None


def choose_pause(pause: float, left: float | None) -> float:
    """The least seconds between two checkpoints: `pause`, or a twentieth of what is `left` for the training,
    but not below LEAST_PAUSE. An interruption costs what came after the last checkpoint, and a budget of time
    does not give it back.

    >>> [choose_pause(60.0, left) for left in (None, 7200.0, 480.0, 30.0)], choose_pause(0.0, 30.0)
    ([60.0, 60.0, 24.0, 5.0], 0.0)
    """
    return pause if left is None else min(pause, max(LEAST_PAUSE, left / 20))


class TrainingRun:
    """Runs a training to its end. `score()` returns the metrics of the network in its present state, with its
    `value` among them; `learned()` what is learned beside its weights, as JSON. If an interrupted attempt
    left checkpoints, the run resumes from the newest; if the request says `Continue`, from the end of the
    shorter training that it names."""

    def __init__(
        self,
        job: Job,
        task: Task,
        recipe: Recipe,
        training: Training,
        score: Callable[[], dict[str, float]],
        started: float,
        learned: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.job, self.task, self.recipe, self.training, self.score = job, task, recipe, training, score
        self._learned = learned
        self.curve: list[Point] = []
        self.data: dict[str, Any] = {}
        self._best: tuple[int, float] | None = None
        self._best_weights: dict[str, Tensor] = {}
        self._best_learned: dict[str, Any] = {}
        self._earlier = 0.0  # seconds of the attempts before the checkpoint
        self._started = self._saved = started
        self._clock = TrainingClock(job.device)
        self._resume()
        self._pace = Pace(job, self._ending(), self._clock)
        self._threads = _choose_threads(job)
        left = None if job.deadline is None else job.deadline - time.monotonic()
        self._pause = choose_pause(recipe.checkpoint_seconds, left)

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def train(self) -> Generator[Point, None, Infeasible | None]:
        """Trains to the end, or until the caller has Enough, and yields the points of the curve. Returns
        Infeasible if the loss is not finite."""
        try:
            yield from self.curve  # of the attempts before: the caller has not seen them in this process
            if self.curve and self._pace.over:
                # A part of a training that begins too late is what the part before it has left.
                self.training.fit(self.training.steps_done)
            while not self.training.finished:
                failure = self._advance()
                if failure is not None:
                    return failure
                yield self.curve[-1]
        except Enough:
            pass
        return None

    def score_last(self) -> dict[str, float]:
        """The metrics of the trained network, on the threads that its steps had."""
        with self._threads.scoring() if self._threads else nullcontext():
            return self.score()

    def take_best(self) -> None:
        """Loads the weights of the best epoch or the average of weights into the network, if the recipe asks
        for them."""
        self.training.load_average()
        if self._best_weights:
            self.training.network.load_state_dict(self._best_weights)

    def list_learned(self) -> dict[str, Any]:
        """What was learned beside the weights that are kept: with those of the best epoch, by then."""
        return self._learned() | self._best_learned

    def final_metrics(self) -> dict[str, float]:
        """The metrics of the best or the last epoch, as the recipe says, with `best_value`, `best_epoch`."""
        assert self._best is not None
        epoch, value = self._best
        point = self.curve[epoch - 1] if self.recipe.score == "best" else self.curve[-1]
        return point.metrics | {"best_value": value, "best_epoch": float(epoch)}

    def report_length(self) -> dict[str, float]:
        """The epochs and steps that were trained, where the recipe or the fidelity counts steps or seconds;
        the trained and the planned epochs if a deadline shortened the training; the trained ones if they are
        a share of the fidelity's; else nothing."""
        trained, planned = self.training.epochs_trained, float(self.training.epochs)
        epochs, steps = {"epochs": round(trained, 3)}, {"steps": float(self.training.length)}
        if self.job.fidelity.seconds is not None:
            return epochs | steps  # its epochs are only a bound: it was not cut short
        steps = steps if self.recipe.epoch_steps else {}
        if trained < planned:
            return steps | epochs | {"planned_epochs": planned}
        return steps if planned == self.job.fidelity.epochs else steps | epochs

    def leave_training(self, keep: Path) -> None:
        """Save the state from which a longer training of the same network continues; without its times, so
        that the same training leaves the same file. One that is bounded or was cut short by time leaves none:
        it is not the beginning of a longer one."""
        cut = self.training.length < self.training.planned_length
        if cut or self.job.fidelity.seconds is not None:
            return
        from cambrian.networks.checkpoint import save_tensors

        tensors, state = self._state()
        timeless = [msgspec.structs.replace(point, seconds=0.0) for point in self.curve]
        state |= {"identity": self._identity(lasting=True), "curve": msgspec.to_builtins(timeless)}
        del state["seconds"], state["data"]
        save_tensors(keep / TRAINING, tensors, {"state": json.dumps(state)})

    def _advance(self) -> Infeasible | None:
        """Trains for an epoch and adds its point to the curve; Infeasible if the loss is not finite."""
        with self._clock.running(), self._threads.running() if self._threads else nullcontext():
            loss = self.training.run_epoch(self._between_steps)
        ended = time.perf_counter()
        metrics = {"train_loss": loss}
        if self.recipe.epoch_steps:  # displays speak of steps then: its epochs are no passes over the data
            # An epoch that the training's end cuts short counts as a whole one in `steps_done`.
            metrics["steps"] = float(min(self.training.steps_done, self.training.length))
        # At delivery there is nothing to score: validation is trained on, and the test part waits.
        if math.isfinite(loss) and self.job.stage == "search":
            with self.training.averaged():
                metrics |= self.score()
        if not all(map(math.isfinite, metrics.values())):
            where = f"epoch {len(self.curve) + 1} of {self.training.epochs}"
            detail = f"the loss was not a finite number in {where}"
            return Infeasible("nan", detail, tuple(self.curve), self.seconds)
        self.curve.append(Point(self.training.epoch, metrics, self.seconds))
        if "value" in metrics:
            self._remember(metrics["value"])
        self._pace.pause(time.perf_counter() - ended)
        self._keep_pace()
        # After the point is added, so that a resumed training does not score this epoch again.
        if time.perf_counter() - self._saved >= self._pause:
            self._save()
        return None

    def _ending(self) -> float:
        """The time of the last score, in steps: a forward pass alone takes about a third of a training step's
        time per image."""
        scored = self.task.test if self.job.stage == "deliver" else self.task.validation
        return 1 + len(scored) / (3 * self.training.batch)

    def _remember(self, value: float) -> None:
        sign = -1 if is_minimized(self.task.metric) else 1
        if self._best is not None and sign * value <= sign * self._best[1]:
            return
        self._best = (self.training.epoch, value)
        if self.recipe.score == "best":
            with self.training.averaged():
                state = self.training.network.state_dict()
                # Copies: the tensors of a state dict are the network's own, and the training changes them.
                self._best_weights = {k: v.detach().clone() for k, v in state.items()}
            self._best_learned = self._learned()

    def _between_steps(self) -> None:
        if self._threads is not None:
            self._threads.after_step(self.training.step_pixels)
        self._keep_pace()
        pause = self._pause
        # After the length is fitted, so that a resumed training knows it; one that ends here is scored first.
        if not self.training.finished and pause > 0 and time.perf_counter() - self._saved >= pause:
            self._save()

    def _keep_pace(self) -> None:
        if not self.training.finished:
            self._pace.keep(self.training)

    def _save(self) -> None:
        if self.job.checkpoints is None:
            return
        from cambrian.networks.checkpoint import write

        tensors, state = self._state()
        state["identity"] = self._identity()
        write(self.job.checkpoints, self.training.steps_done, tensors, state)
        self._saved = time.perf_counter()

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, place = self.training.state()
        # In the same file, under a prefix: a checkpoint is whole or not there.
        tensors |= {f"best.{k}": v for k, v in self._best_weights.items()}
        state = {
            "place": place,
            "best": self._best,
            "curve": msgspec.to_builtins(self.curve),
            "seconds": self.seconds,
            "data": self.data,
        }
        if self._best_learned:
            state["learned"] = self._best_learned
        if self.job.fidelity.seconds is not None:
            state["training_seconds"] = self._clock.seconds
        return tensors, state

    def _resume(self) -> None:
        """Resumes from the newest checkpoint of this very evaluation, else from the training it continues."""
        saved = None
        if self.job.checkpoints is not None:
            from cambrian.networks.checkpoint import latest

            saved = latest(self.job.checkpoints, self._identity())
        if saved is not None:
            tensors, state = saved
            self._earlier = float(state["seconds"])
            self._clock = TrainingClock(self.job.device, float(state.get("training_seconds", 0.0)))
            self.data = dict(state.get("data", {}))  # older checkpoints have none
            self._restore(tensors, state)
        elif isinstance(self.job.request.weights, Continue):
            self._continue(self.job.request.weights.row)

    def _continue(self, row: int) -> None:
        """Continues from the end of the training of `row`. If that is impossible, the network is trained from
        the start, with the same result, and the outcome says why."""
        from cambrian.networks.checkpoint import load_tensors

        if not self.training.prefix:
            self._begin_anew(f"its schedule ends with each fidelity: row {row} has come to its end")
            return
        if TRAINING not in self.job.artifacts:
            self._begin_anew(LOST)
            return
        tensors, facts = load_tensors(self.job.artifacts[TRAINING])
        state = json.loads(facts["state"])
        if state["identity"] != self._identity(lasting=True):
            self._begin_anew(f"the training of row {row} is another one")
            return
        self._restore(tensors, state)

    def _begin_anew(self, why: str) -> None:
        """Note that the network is trained from the start. Raises RunError where it began with weights that
        were inherited: unlike fresh ones they cannot be drawn again."""
        if not isinstance(self.job.root, Fresh):
            raise RunError(f"{why}, and the weights that it began with cannot be made again")
        self.data[ANEW] = why

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        self.training.restore(tensors, state["place"])
        best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
        self._best_weights = {k: v.to(self.job.device) for k, v in best.items()}
        self._best_learned = state.get("learned", {})
        self._best = tuple(state["best"]) if state["best"] else None
        self.curve = msgspec.convert(state["curve"], list[Point])

    def _identity(self, lasting: bool = False) -> str:
        """A hash of everything that determines the result, so that no other evaluation's checkpoint is used.
        A `lasting` identity leaves out the number of epochs: trainings that differ only in it begin alike."""
        job, fidelity = self.job, msgspec.to_builtins(self.job.fidelity)
        if lasting:
            fidelity.pop("epochs", None)
        root = msgspec.to_builtins(job.root)
        facts: list[Any] = [job.identity, fidelity, self.recipe.facts, job.seed, job.stage, root]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
