"""Real training, the estimator all shortcuts are measured against (Elsken et al. 2019, Sec. 4)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.estimators.build import build_measured, signature
from cambrian.estimators.estimator import Context, Estimate
from cambrian.estimators.pace import Pace
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_data import scored_images, training_images
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Done, Fidelity, Infeasible, Point

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.trainer import Training
    from cambrian.spaces.space import Signature, Space
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class Train(Recipe):
    """Builds the network and trains it by the recipe for `fidelity.epochs` epochs.

    In stage "search" it trains on the training part and scores each epoch on validation: `value` (the
    task's metric), `accuracy`, `balanced_accuracy`, `loss` and `train_loss` in every point. In stage
    "deliver" it trains on training and validation part together, the curve has `train_loss` only, and
    the one look at the test part is the last thing that happens: `test_accuracy`,
    `test_balanced_accuracy`, `test_loss`. Every outcome has `params`, `macs` where they can be
    counted, and whatever is limited; a search's also `best_value` and `best_epoch`.

    A training whose loss is not finite, on what it learns from or is scored on, ends as
    Infeasible("nan"). Answers under `train.` take the place of settings. With
    `context.checkpoints` it goes on where it was killed, yielding the points it had once more.

    A training that `context` allows to be shortened, and that would not be ready by the deadline, takes as
    many steps as fit, and its outcome says so: `epochs` it was trained of `planned_epochs`."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = True
    delivers: ClassVar[bool] = True

    def prepare(self) -> None:
        """Import all that a training needs, once for the trials that a worker process forks."""
        import torch._dynamo  # noqa: F401  (what torch's optimisers import when the first one is made)

        from cambrian.networks import checkpoint  # noqa: F401
        from cambrian.networks.measure import measure_network  # noqa: F401
        from cambrian.networks.training import trainer as training  # noqa: F401

    def estimate(
        self,
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task | None,
        context: Context,
    ) -> Estimate:
        started = time.perf_counter()
        if task is None:
            raise UsageError("training needs a task: data to train on")
        built = build_measured(space, architecture, fidelity, task, context)
        if isinstance(built, Infeasible):
            return built
        recipe = apply_answers(self, architecture)
        run = _Run(recipe, architecture, fidelity, task, context, built.network, started)
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

    def __init__(
        self,
        train: Train,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task,
        context: Context,
        network: nn.Module,
        started: float,
    ) -> None:
        self._train, self._fidelity, self._task, self._context = train, fidelity, task, context
        self._identity = _identity(train, architecture, fidelity, context)
        self.curve: list[Point] = []
        self._best: tuple[int, float] | None = None
        self._best_weights: dict[str, Tensor] = {}
        self._earlier = 0.0  # seconds of the attempts whose checkpoint this one goes on from
        self._started = self._saved = started
        self._training = self._start(network)
        self._resume()
        self._pace = Pace(context, self._ending())

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
        if math.isfinite(loss) and self._context.stage == "search":
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

    def outcome(self, sizes: dict[str, float]) -> Done | Infeasible:
        """Of the finished training; leaves the weights where they are wanted."""
        if self._best_weights:
            self._training.network.load_state_dict(self._best_weights)
        if self._context.stage == "search":
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
        weights = self._leave_weights()
        metrics |= sizes | self._shortened()
        return Done(value, metrics, tuple(self.curve), self.seconds, weights)

    def _start(self, network: nn.Module) -> Training:
        from cambrian.networks.pointwise import memory_format
        from cambrian.networks.training.trainer import Training

        context, fidelity = self._context, self._fidelity
        images = training_images(self._task, fidelity, context.stage, context.seed, context.device)
        return Training(
            network.to(context.device, memory_format=memory_format(network)),  # type: ignore[call-overload]
            images,
            self._train,
            self._train.augmentation(self._task, fidelity),
            fidelity.epochs,
            context.seed,
            context.trial,
        )

    def _ending(self) -> float:
        """The last score, in steps: forward alone takes about a third of a step's time for each image."""
        scored = self._task.test if self._context.stage == "deliver" else self._task.validation
        return 1 + len(scored) / (3 * self._training.batch)

    def _shortened(self) -> dict[str, float]:
        trained, planned = self._training.epochs_trained, float(self._training.epochs)
        return {} if trained >= planned else {"epochs": round(trained, 3), "planned_epochs": planned}

    def _score(self) -> dict[str, float]:
        from cambrian.networks.training.trainer import scores

        images = scored_images(self._task, self._fidelity, self._context.stage, self._context.device)
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

    def _leave_weights(self) -> str | None:
        if self._context.weights is None:
            return None
        from cambrian.networks.checkpoint import save_weights
        from cambrian.networks.known_outputs import describe_outputs

        seen = signature(self._task, self._fidelity)
        outputs = describe_outputs(self._training.network, (seen.channels, seen.height, seen.width))
        facts = {"outputs": outputs} if outputs else {}
        save_weights(self._training.network, self._context.weights, facts)
        return str(self._context.weights)

    def _between_steps(self) -> None:
        pause = self._train.checkpoint_seconds
        if pause > 0 and time.perf_counter() - self._saved >= pause:
            self._save()
        self._pace.keep(self._training)

    def _save(self) -> None:
        if self._context.checkpoints is None:
            return
        from cambrian.networks.checkpoint import write

        tensors, place = self._training.state()
        tensors |= {f"best.{k}": v for k, v in self._best_weights.items()}
        state = {
            "identity": self._identity,
            "place": place,
            "best": self._best,
            "curve": msgspec.to_builtins(self.curve),
            "seconds": self.seconds,
        }
        write(self._context.checkpoints, self._training.steps_done, tensors, state)
        self._saved = time.perf_counter()

    def _resume(self) -> None:
        """Take up the newest checkpoint in this trial's directory that is of this very evaluation."""
        if self._context.checkpoints is None:
            return
        from cambrian.networks.checkpoint import latest

        found = latest(self._context.checkpoints, self._identity)
        if found is None:
            return
        tensors, state = found
        best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
        self._best_weights = {k: v.to(self._context.device) for k, v in best.items()}
        self._best = tuple(state["best"]) if state["best"] else None
        self.curve = msgspec.convert(state["curve"], list[Point])
        self._earlier = float(state["seconds"])
        self._training.restore(tensors, state["place"])


def _identity(train: Train, architecture: Architecture, fidelity: Fidelity, context: Context) -> str:
    """A hash of all that the result is a function of: a checkpoint of something else is none of ours."""
    recipe = {k: v for k, v in dataclasses.asdict(train).items() if k != "checkpoint_seconds"}
    facts: list[Any] = [architecture.key, msgspec.to_builtins(fidelity), recipe]
    facts += [context.seed, context.trial, context.stage]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
