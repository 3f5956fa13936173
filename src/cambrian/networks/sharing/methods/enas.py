"""ENAS: Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (ICML 2018, Sec. 2.2). In
turns, the weights descend the loss of paths that a controller draws, and the controller climbs by REINFORCE
the accuracy of its paths on batches of the validation part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Choice, OneOf
from cambrian.networks.heads import first_head
from cambrian.networks.sharing.norms import score_by_batch
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment
from cambrian.policies import controller
from cambrian.policies.decisions import walk_of
from cambrian.policies.logits import SkipShare, Squash
from cambrian.policies.lstm import Floats
from cambrian.settings import POSITIVE, SHARE, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe

LAYERS, HIDDEN, BOUND, BINS = 1, 64, 0.1, 16
"""The controller: an LSTM of one layer, with initial weights from U[-.1, .1] (the released code)."""
DECAY = 0.99
"""Of the baseline, which starts at 0."""
CONTROLLER, DRAWN = -(1 << 38), -(1 << 37)
"""Numbers of random streams beside those of the steps."""


@dataclass(frozen=True)
class ENAS:
    """After each epoch the controller takes `updates` steps of `samples` paths each at the rate `lr`, each
    path scored on one validation batch with the statistics of that batch. `entropy` weighs the entropy of a
    path's decisions in its reward. At the end `drawn` different paths are drawn from the controller.
    `favoured` options begin with `favour` times the weight that the space gives them.

    Logits of the controller are divided by `temperature` and bounded by `tanh` (0: not bounded), or between
    operations by `tanh` / `tanh_reduce`. `skip_weight` times the divergence of the probabilities of skip
    connections, and of other members of subsets, from `skip_target` is a part of the controller's loss,
    which it descends by Adam, with `momentum` as the first beta and `epsilon` beside the root of the second
    moment."""

    updates: Annotated[int, Span(1)] = 10
    samples: Annotated[int, Span(1)] = 10
    lr: Annotated[float, POSITIVE] = 5e-3
    entropy: Annotated[float, Span(0)] = 1e-4
    drawn: Annotated[int, Span(1)] = 100
    favoured: tuple[str, ...] = ()
    favour: Annotated[float, POSITIVE] = 2.56
    temperature: Annotated[float, POSITIVE] = 1.0
    tanh: Annotated[float, Span(0)] = 0.0
    tanh_reduce: Annotated[float, POSITIVE] = 1.0
    skip_target: Annotated[float, Span(0, 1, above=True, below=True)] = 0.4
    skip_weight: Annotated[float, Span(0)] = 0.0
    momentum: Annotated[float, SHARE] = 0.9
    epsilon: Annotated[float, POSITIVE] = 1e-8

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'enas'")

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> ENASStep:
        return ENASStep(self, supernet, recipe, draw, validation)


class ENASStep:
    def __init__(
        self, method: ENAS, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream
    ) -> None:
        self._method, self._supernet, self._validation = method, supernet, validation
        self._draw, self._walks = draw, Favouring(draw, method.favoured, method.favour)
        self._loss = HeadsLoss(make_loss(recipe), recipe.auxiliary)
        self._weights = GradientStep(supernet, recipe, self._measure)
        seed = int(draw.stream(CONTROLLER).integers(2**31))
        squash = Squash(method.temperature, method.tanh, method.tanh_reduce)
        self._policy = controller.start(seed, LAYERS, HIDDEN, BOUND, squash)
        self._skips = SkipShare(method.skip_target, method.skip_weight)
        self._baseline = 0.0

    @property
    def prefix(self) -> bool:
        return self._weights.prefix

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        loss = self._weights.take(inputs, targets, moment)
        if moment.step == moment.steps_per_epoch - 1:
            for update in range(self._method.updates):
                self._climb(moment.epoch * self._method.updates + update)
        return loss

    def data(self) -> dict[str, Any]:
        """Different architectures drawn from the controller, and the baseline of its rewards."""
        rng, drawn = self._draw.stream(DRAWN), dict[str, Architecture]()
        # A controller that has settled draws the same few: so many draws are enough to meet them.
        for _ in range(4 * self._method.drawn):
            if len(drawn) < self._method.drawn:
                path = controller.sample(self._policy, self._walks, rng, BINS)
                drawn.setdefault(path.key, path)
        return {"drawn": [path.to_json() for path in drawn.values()], "baseline": self._baseline}

    def state(self) -> dict[str, Tensor]:
        weights = {f"weights.{k}": v for k, v in self._weights.state().items()}
        return weights | {f"policy.{k}": v for k, v in pack_policy(self._policy, self._baseline).items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        parts = {"weights.": dict[str, Tensor](), "policy.": dict[str, Tensor]()}
        for name, tensor in tensors.items():
            begin, _, rest = name.partition(".")
            parts[f"{begin}."][rest] = tensor
        self._weights.restore(parts["weights."])
        self._policy, self._baseline = unpack_policy(self._policy, parts["policy."])

    def _measure(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """The loss of a path of the controller's."""
        rng = self._draw.stream(moment.done)
        self._supernet.choose(controller.sample(self._policy, self._walks, rng, BINS))
        return self._loss(network, inputs, targets, moment)

    def _climb(self, update: int) -> None:
        """A step of the controller, against the paths that it draws now."""
        rng, method = self._draw.stream(CONTROLLER + 1 + update), self._method
        paths = [controller.sample(self._policy, self._walks, rng, BINS) for _ in range(method.samples)]
        first = update * method.samples
        accuracies = np.array([self._score(path, first + n) for n, path in enumerate(paths)])

        def slope(logs: Floats, entropies: Floats) -> tuple[Floats, Floats]:
            rewards = (accuracies + method.entropy * entropies).tolist()
            better, self._baseline = subtract_baseline(rewards, self._baseline)
            return np.array(better) / len(better), np.zeros_like(logs)

        walks = [walk_of(self._walks, path, BINS) for path in paths]
        self._policy = controller.ascend(
            self._policy, walks, slope, method.lr, self._skips, method.momentum, method.epsilon
        )

    def _score(self, path: Architecture, number: int) -> float:
        """The accuracy of a path on validation batch `number`."""
        inputs, targets = self._validation.batch(*divmod(number, self._validation.steps))
        self._supernet.choose(path)
        self._supernet.eval()
        with torch.no_grad(), score_by_batch(self._supernet):
            guesses = first_head(self._supernet(inputs)).argmax(1)
        self._supernet.train()
        return float((guesses == targets).double().mean())


@dataclass(frozen=True)
class Favouring:
    """The walks of `draw`, in which the favoured options weigh `favour` times as much."""

    draw: Draw
    favoured: tuple[str, ...]
    favour: float

    def walk(self, decide: Decide) -> Architecture:
        return self.draw.walk(lambda choice: decide(self._favour(choice)))

    def _favour(self, choice: Choice) -> Choice:
        if not isinstance(choice, OneOf) or not set(self.favoured) & set(choice.options):
            return choice
        weights = choice.weights or (1.0,) * len(choice.options)
        pairs = zip(choice.options, weights, strict=True)
        more = tuple(w * (self.favour if o in self.favoured else 1.0) for o, w in pairs)
        return msgspec.structs.replace(choice, weights=more)


def subtract_baseline(rewards: Sequence[float], baseline: float) -> tuple[list[float], float]:
    """The advantages of rewards, and the baseline after them: it moves before each is used, as in the
    released code.

    >>> advantages, baseline = subtract_baseline([0.2, 0.4, 0.6], 0.0)
    >>> [round(a, 5) for a in advantages], round(baseline, 7)
    ([0.198, 0.39402, 0.58808], 0.0119202)
    """
    advantages = []
    for reward in rewards:
        baseline -= (1 - DECAY) * (baseline - reward)
        advantages.append(reward - baseline)
    return advantages, baseline


def pack_policy(policy: controller.Policy, baseline: float) -> dict[str, Tensor]:
    """The policy and the baseline as tensors, for a checkpoint."""
    rows = json.dumps([list(row) for row in policy.rows]).encode()
    parts = {"parameters": policy.parameters, "first": policy.first, "second": policy.second}
    arrays = {f"{part}.{name}": array for part, named in parts.items() for name, array in named.items()}
    return {
        **{name: torch.from_numpy(array.copy()) for name, array in arrays.items()},
        "rows": torch.frombuffer(bytearray(rows), dtype=torch.uint8),
        "updates": torch.tensor(policy.updates),
        "baseline": torch.tensor(baseline, dtype=torch.float64),
    }


def unpack_policy(policy: controller.Policy, tensors: dict[str, Tensor]) -> tuple[controller.Policy, float]:
    """The inverse of `pack_policy`, for a policy of the same sizes."""

    def select(part: str) -> dict[str, Any]:
        begin = f"{part}."
        return {k.removeprefix(begin): v.numpy().copy() for k, v in tensors.items() if k.startswith(begin)}

    rows = json.loads(bytes(tensors["rows"].tolist()).decode())
    restored = replace(
        policy,
        rows={(path, option): n for n, (path, option) in enumerate(rows, start=1)},
        parameters=select("parameters"),
        first=select("first"),
        second=select("second"),
        updates=int(tensors["updates"]),
    )
    return restored, float(tensors["baseline"])
