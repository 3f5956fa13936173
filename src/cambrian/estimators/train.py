"""Real training, the estimator all shortcuts are measured against (Elsken et al. 2019, Sec. 4)."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured, signature
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.pace import Pace
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_data import scored_images, training_images
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Done, Fidelity, Infeasible, Point
from cambrian.request import Evaluate
from cambrian.weights import Continue, Fresh, Inherit

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.trainer import Training
    from cambrian.spaces.space import Signature
    from cambrian.tasks.task import Task

WEIGHTS, TRAINING = "weights.safetensors", "training.safetensors"
"""Artifacts: the network's weights, by its own names; the state that its training goes on from."""


@dataclass(frozen=True)
class Train(Recipe):
    """Builds the network and trains it by the recipe for `fidelity.epochs` epochs.

    In stage "search" it trains on the training part and scores each epoch on validation: `value` (the
    task's metric), `accuracy`, `balanced_accuracy`, `loss` and `train_loss` in every point. In stage
    "deliver" it trains on training and validation part together, the curve has `train_loss` only, and
    the one look at the test part is the last thing that happens: `test_accuracy`,
    `test_balanced_accuracy`, `test_loss`. Every outcome has `params`, `macs` where they can be
    counted, and the measures that are limits or objectives; a search's also `best_value` and `best_epoch`.

    A training whose loss is not finite, on what it learns from or is scored on, ends as
    Infeasible("nan"). Answers under `train.` take the place of settings. With
    `job.checkpoints` it goes on where it was killed, yielding the points it had once more.

    A training that the job allows to be shortened, and that would not be ready by the deadline, takes as
    many steps as fit, and its outcome says so: `epochs` it was trained of `planned_epochs`."""

    needs: ClassVar[tuple[type, ...]] = ()
    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Continue, Inherit)
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = True

    def prepare(self) -> None:
        """Import all that a training needs, once for the trials that a worker process forks."""
        import torch._dynamo  # noqa: F401  (what torch's optimisers import when the first one is made)

        from cambrian.networks import checkpoint  # noqa: F401
        from cambrian.networks.measure import measure_network  # noqa: F401
        from cambrian.networks.training import trainer as training  # noqa: F401

    def run(self, job: Job) -> Estimate:
        started = time.perf_counter()
        if job.task is None:
            raise UsageError("training needs a task: data to train on")
        built = build_measured(job)
        if isinstance(built, Infeasible):
            return built
        if isinstance(job.request.weights, Inherit):
            from cambrian.networks.inherit import inherit_weights

            inherit_weights(built.network, job.artifact(WEIGHTS), job.request.weights.move)
        run = _Run(apply_answers(self, job.architecture), job, job.task, built.network, started)
        yield from run.curve
        while not run.finished:
            ended = run.advance()
            if ended is not None:
                return ended
            yield run.curve[-1]
        return run.outcome(built.metrics)

    def augmentation(self, task: Signature, fidelity: Fidelity) -> Augment:
        """What is done to the images of a task, the automatic choices made; its text is for people."""
        from cambrian.networks.training.augment import automatic

        seen = signature(task, fidelity)
        return automatic(seen.height, seen.width, seen.channels, self.crop, self.flip, self.cutout)


class _Run:
    """One evaluation under way: the training, its curve, the best epoch, the time of the checkpoints."""

    def __init__(self, train: Train, job: Job, task: Task, network: nn.Module, started: float) -> None:
        self._train, self._job, self._task = train, job, task
        self.curve: list[Point] = []
        self._best: tuple[int, float] | None = None
        self._best_weights: dict[str, Tensor] = {}
        self._earlier = 0.0  # seconds of the attempts whose checkpoint this one goes on from
        self._data: dict[str, Any] = {}
        self._started = self._saved = started
        self._training = self._start(network)
        self._resume()
        self._pace = Pace(job, self._ending())

    @property
    def finished(self) -> bool:
        return self._training.finished

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def advance(self) -> Infeasible | None:
        """Train for an epoch and add its point to the curve, or say why that is not possible."""
        loss = self._training.run_epoch(self._between_steps)
        metrics = {"train_loss": loss}
        if math.isfinite(loss) and self._job.stage == "search":
            metrics |= self._score()
        if not all(map(math.isfinite, metrics.values())):
            where = f"epoch {len(self.curve) + 1} of {self._training.epochs}"
            detail = f"the loss was not a finite number in {where}"
            return Infeasible("nan", detail, tuple(self.curve), self.seconds)
        self.curve.append(Point(self._training.epoch, metrics, self.seconds))
        if "value" in metrics:
            self._remember(metrics["value"])
        if time.perf_counter() - self._saved >= self._train.checkpoint_seconds:
            self._save()
        if not self.finished:
            self._pace.keep(self._training)
        return None

    def outcome(self, measures: dict[str, float]) -> Done | Infeasible:
        """Of the finished training; leaves its artifacts where they are wanted."""
        if self._job.keep is not None and not self._job.shorten:
            self._leave_training(self._job.keep)  # before the best weights take the place of the last
        if self._best_weights:
            self._training.network.load_state_dict(self._best_weights)
        if self._job.stage == "search":
            metrics = self._best_metrics()
        else:
            metrics = dict(self.curve[-1].metrics)
            scored = self._score()
            if not math.isfinite(scored["loss"]):  # by its last update: the training's losses were finite
                detail = "the loss of the trained network was not a finite number on the test part"
                return Infeasible("nan", detail, tuple(self.curve), self.seconds)
            metrics |= {f"test_{k}": v for k, v in scored.items() if k != "value"} | {
                "value": scored["value"]
            }
        value = metrics.pop("value")
        if self._job.keep is not None:
            self._leave_artifacts(self._job.keep)
        metrics |= measures | self._shortened()
        return Done(value, metrics, tuple(self.curve), self.seconds, data=self._data)

    def _start(self, network: nn.Module) -> Training:
        from cambrian.networks.pointwise import memory_format
        from cambrian.networks.training.trainer import Training

        job, fidelity = self._job, self._job.fidelity
        images = training_images(self._task, fidelity, job.stage, job.seed, job.device)
        return Training(
            network.to(job.device, memory_format=memory_format(network)),  # type: ignore[call-overload]
            images,
            self._train,
            self._train.augmentation(self._task, fidelity),
            fidelity.epochs,
            job.seed,
            job.identity,
        )

    def _ending(self) -> float:
        """The last score, in steps: forward alone takes about a third of a step's time for each image."""
        scored = self._task.test if self._job.stage == "deliver" else self._task.validation
        return 1 + len(scored) / (3 * self._training.batch)

    def _shortened(self) -> dict[str, float]:
        trained, planned = self._training.epochs_trained, float(self._training.epochs)
        return {} if trained >= planned else {"epochs": round(trained, 3), "planned_epochs": planned}

    def _score(self) -> dict[str, float]:
        from cambrian.networks.training.trainer import scores

        images = scored_images(self._task, self._job.fidelity, self._job.stage, self._job.device)
        found = scores(self._training.network, images, 4 * self._train.batch_size)
        return found | {"value": found[self._task.metric.replace("-", "_")]}

    def _remember(self, value: float) -> None:
        if self._best is not None and value <= self._best[1]:
            return
        self._best = (self._training.epoch, value)
        if self._train.score == "best":
            state = self._training.network.state_dict()
            self._best_weights = {k: v.detach().clone() for k, v in state.items()}

    def _best_metrics(self) -> dict[str, float]:
        assert self._best is not None
        epoch, value = self._best
        point = self.curve[epoch - 1] if self._train.score == "best" else self.curve[-1]
        return point.metrics | {"best_value": value, "best_epoch": float(epoch)}

    def _leave_artifacts(self, keep: Path) -> None:
        from cambrian.networks.checkpoint import save_weights
        from cambrian.networks.known_outputs import describe_outputs

        seen = signature(self._task, self._job.fidelity)
        outputs = describe_outputs(self._training.network, (seen.channels, seen.height, seen.width))
        save_weights(self._training.network, keep / WEIGHTS, {"outputs": outputs} if outputs else {})

    def _leave_training(self, keep: Path) -> None:
        """The state that a longer training of the same network goes on from."""
        from cambrian.networks.checkpoint import save_tensors

        tensors, state = self._state()
        state["identity"] = _identity(self._train, self._job, lasting=True)
        save_tensors(keep / TRAINING, tensors, {"state": json.dumps(state)})

    def _between_steps(self) -> None:
        pause = self._train.checkpoint_seconds
        if pause > 0 and time.perf_counter() - self._saved >= pause:
            self._save()
        self._pace.keep(self._training)

    def _save(self) -> None:
        if self._job.checkpoints is None:
            return
        from cambrian.networks.checkpoint import write

        tensors, state = self._state()
        state["identity"] = _identity(self._train, self._job)
        write(self._job.checkpoints, self._training.steps_done, tensors, state)
        self._saved = time.perf_counter()

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, place = self._training.state()
        tensors |= {f"best.{k}": v for k, v in self._best_weights.items()}
        state = {
            "place": place,
            "best": self._best,
            "curve": msgspec.to_builtins(self.curve),
            "seconds": self.seconds,
        }
        return tensors, state

    def _resume(self) -> None:
        """Take up the newest checkpoint in this row's directory that is of this very evaluation; else go on
        from the shorter training that the request names."""
        saved = None
        if self._job.checkpoints is not None:
            from cambrian.networks.checkpoint import latest

            saved = latest(self._job.checkpoints, _identity(self._train, self._job))
        if saved is not None:
            tensors, state = saved
            self._earlier = float(state["seconds"])
            self._restore(tensors, state)
            self._training.restore(tensors, state["place"])
        elif isinstance(self._job.request.weights, Continue):
            self._continue(self._job.request.weights.row)

    def _continue(self, row: int) -> None:
        """Go on from where the training of `row` ended. Where that cannot be, it is trained anew, with the
        same result, and the outcome says so."""
        from cambrian.networks.checkpoint import load_tensors

        if not self._training.prefix:
            self._data["anew"] = (
                f"its schedule ends with each fidelity, so that row {row} is not gone on from"
            )
            return
        if TRAINING not in self._job.artifacts:
            self._data["anew"] = f"the training of row {row} is not kept any more"
            return
        tensors, facts = load_tensors(self._job.artifacts[TRAINING])
        state = json.loads(facts["state"])
        if state["identity"] != _identity(self._train, self._job, lasting=True):
            self._data["anew"] = f"the training of row {row} is another one"
            return
        self._restore(tensors, state)
        self._training.restore(tensors, state["place"])

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
        self._best_weights = {k: v.to(self._job.device) for k, v in best.items()}
        self._best = tuple(state["best"]) if state["best"] else None
        self.curve = msgspec.convert(state["curve"], list[Point])


def _identity(train: Train, job: Job, lasting: bool = False) -> str:
    """A hash of all that the result is a function of: a checkpoint of something else is none of ours. A
    `lasting` one leaves out how long: trainings that differ in nothing else begin alike."""
    fidelity = msgspec.to_builtins(job.fidelity)
    if lasting:
        fidelity.pop("epochs", None)
    facts: list[Any] = [job.architecture.key, fidelity, train.facts]
    facts += [job.seed, job.replicate, job.stage]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
