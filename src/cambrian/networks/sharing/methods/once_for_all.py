"""Progressive shrinking: Cai et al., "Once-for-All: Train One Network and Specialize It for Efficient
Deployment" (ICLR 2020, arXiv 1908.09791), Sec. 3. The largest architecture learns first; then smaller answers
are opened, one after the other, and a few architectures with them learn at each step from the labels and from
the trained largest one, which is the teacher and learns no more. Their gradients are summed for one update.

The paper's own space has smaller kernels as learned transformations of larger ones, and sorts channels before
it narrows layers; here a smaller module has the middle of a kernel and the first channels (see `elastic`)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected
from cambrian.networks.heads import first_head
from cambrian.networks.sharing.methods.extremes import rank_options
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.training.losses import Distillation, make_loss
from cambrian.networks.training.step import GradientStep, Moment, Step, half_precision
from cambrian.settings import COUNT, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class OnceForAll:
    """The largest architecture learns alone for the share `first` of the training. Then the questions open in
    `phases`, those whose names have its first part before the others, such as ["kernel", "depth", "expand"],
    each from its dearest option to its cheapest (none: all of them together). `paths` architectures learn at
    a step, and the teacher's loss weighs `teaching` times as much as that of the labels."""

    first: Annotated[float, Span(0, 1, above=True, below=True)] = 0.3
    paths: Annotated[int, COUNT] = 2
    teaching: Annotated[float, Span(0)] = 1.0
    phases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'once-for-all'")

    def find_opened(self, path: str, options: int, share: float) -> int:
        """The options of a question that are open, the dearest first, at that share of the training.

        >>> [OnceForAll(first=0.5).find_opened("layer1", 3, share) for share in (0.4, 0.5, 0.6, 0.8, 1.0)]
        [1, 2, 2, 3, 3]
        >>> kernels_first = OnceForAll(first=0.5, phases=("kernel", "depth"))
        >>> [kernels_first.find_opened("depth", 2, share) for share in (0.6, 0.7, 0.8)]
        [1, 1, 2]
        """
        if share < self.first:
            return 1
        count = max(1, len(self.phases))
        mine = next((n for n, part in enumerate(self.phases) if part in path), count - 1)
        # From 0 to 1 within the question's own phase, whose first step opens one option more.
        within = count * (share - self.first) / (1 - self.first) - mine
        if within < 0:
            return 1
        return min(options, 2 + math.floor(within * (options - 1) + 1e-9)) if within < 1 else options

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        shape = validation.batch(0, 0)[0].shape
        ranked = rank_options(supernet, draw, (int(shape[1]), int(shape[2]), int(shape[3])))
        return OnceForAllStep(self, ranked, supernet, recipe, draw)


class OnceForAllStep:
    """A gradient step of a few architectures; the teacher is a copy of the supernet as it was when the first
    smaller answer was opened."""

    def __init__(
        self,
        method: OnceForAll,
        ranked: Mapping[str, list[Scalar]],
        supernet: Supernet,
        recipe: Recipe,
        draw: Draw,
    ) -> None:
        self._method, self._ranked, self._supernet, self._draw = method, ranked, supernet, draw
        self._recipe, self._loss = recipe, make_loss(recipe)
        self._inner = GradientStep(supernet, recipe, self._measure)
        self._teacher: Supernet | None = None

    @property
    def prefix(self) -> bool:
        """Whether answers open over a horizon of their own."""
        return self._inner.prefix and self._recipe.rates.horizon > 0

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        if self._teacher is None and self._find_share(moment) >= self._method.first:
            self._teacher = self._copy_supernet()
        return self._inner.take(inputs, targets, moment)

    def state(self) -> dict[str, Tensor]:
        teacher = {} if self._teacher is None else self._teacher.state_dict()
        return {f"weights.{k}": v for k, v in self._inner.state().items()} | {
            f"teacher.{k}": v for k, v in teacher.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        parts = {"weights": dict[str, Tensor](), "teacher": dict[str, Tensor]()}
        for name, tensor in tensors.items():
            begin, _, rest = name.partition(".")
            parts[begin][rest] = tensor
        self._inner.restore(parts["weights"])
        if parts["teacher"]:
            self._teacher = self._copy_supernet()
            self._teacher.load_state_dict(parts["teacher"])

    def draw_path(self, number: int, share: float) -> Architecture:
        """A random architecture of open answers; the same number gives the same one."""
        rng = self._draw.stream(number)

        def decide(choice: Choice) -> Answer:
            ranked = self._ranked.get(choice.path)
            if ranked is None or not isinstance(choice, OneOf):
                return choice.draw(rng)
            opened = [o for o in ranked if o in choice.options]
            count = self._method.find_opened(choice.path, len(opened), share)
            return opened[int(rng.integers(count))]

        try:
            return self._draw.walk(decide)
        except Rejected:  # a space with forbidden combinations cannot be opened answer by answer
            return self._draw(number)

    def _measure(self, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        """The mean loss of the step's architectures, with the gradient of their sum."""
        share = self._find_share(moment)
        # Before the first answer opens, all architectures are the largest one.
        count = 1 if self._teacher is None else self._method.paths
        lesson = self._teach(inputs, share)
        total = torch.zeros((), device=inputs.device)
        for n in range(count):
            self._supernet.choose(self.draw_path(moment.done * self._method.paths + n, share))
            with half_precision(inputs.device):
                logits = first_head(network(inputs)).float()
            loss = self._loss(logits, targets)
            if lesson is not None:
                loss = loss + self._method.teaching * Distillation()(logits, lesson)
            total += loss.detach()
            if n < count - 1:  # the step adds the gradient of the last one
                torch.autograd.backward(loss)
        return loss + (total / count - loss.detach())

    def _teach(self, inputs: Tensor, share: float) -> Tensor | None:
        """The teacher's logits, in training mode as in the released code."""
        if self._teacher is None or not self._method.teaching:
            return None
        with torch.no_grad(), half_precision(inputs.device):
            return first_head(self._teacher(inputs)).float()

    def _copy_supernet(self) -> Supernet:
        teacher = copy.deepcopy(self._supernet).train().requires_grad_(False)
        teacher.choose(self.draw_path(0, 0.0))
        return teacher

    def _find_share(self, moment: Moment) -> float:
        span = self._recipe.rates.span(moment.length, moment.steps_per_epoch)
        return min(moment.done, span) / span
