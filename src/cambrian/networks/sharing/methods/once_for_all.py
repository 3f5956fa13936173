"""Progressive shrinking: Cai et al., "Once-for-All: Train One Network and Specialize It for Efficient
Deployment" (ICLR 2020, arXiv 1908.09791), Sec. 3. The largest architecture learns first; then smaller answers
are opened, one after the other, and a few architectures with them learn at each step from the labels and from
the trained largest one, which is the teacher and learns no more. Their gradients are summed for one update.

Before the first narrower network learns, channels are sorted by their importance where a layer can be
reordered (Sec. 3.3; the paper does so again before its second phase of widths). The space `ofa` is the
paper's, whose small kernels are learned transformations of large ones; in other spaces a smaller module has
the middle of a kernel (see `elastic`)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected, UsageError
from cambrian.networks.heads import first_head
from cambrian.networks.sharing.elastic import Elastic, OrdersChannels
from cambrian.networks.sharing.methods.extremes import rank_options
from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.training.losses import Distillation, make_loss
from cambrian.networks.training.precision import half_precision
from cambrian.networks.training.step import GradientStep, Moment, Step
from cambrian.settings import COUNT, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe


@dataclass(frozen=True)
class OnceForAll:
    """The largest architecture learns alone for the share `first` of the training. Then the questions open in
    `phases`, those whose names have its first part before the others, such as ["kernel", "depth", "expand"],
    each from its dearest option to its cheapest (none: all of them together); parts that no name has are left
    out. `paths` architectures learn at
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
        phases = tuple(part for part in self.phases if any(part in path for path in ranked))
        return OnceForAllStep(replace(self, phases=phases), ranked, supernet, recipe, draw)


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
        self._sortable = [
            m.full
            for m in supernet.modules()
            if isinstance(m, Elastic) and isinstance(m.full, OrdersChannels)
        ]
        if recipe.average and self._sortable:
            raise UsageError(
                "supernet method 'once-for-all' sorts the channels of this space in training, which an"
                " average of weights cannot follow: take average=0"
            )
        self._method, self._ranked, self._supernet, self._draw = method, ranked, supernet, draw
        self._recipe, self._loss = recipe, make_loss(recipe)
        self._inner = GradientStep(supernet, recipe, self._measure)
        self._teacher: Supernet | None = None
        self._sorted = False  # whether the most important channels come first

    @property
    def prefix(self) -> bool:
        """Whether answers open over a horizon of their own."""
        return self._inner.prefix and self._recipe.rates.horizon > 0

    def take(self, inputs: Tensor, targets: Tensor, moment: Moment) -> Tensor:
        if self._teacher is None and self._find_share(moment) >= self._method.first:
            self._teacher = self._copy_supernet()
        # Before the step: a gradient that has begun to add up would not be reordered.
        if self._sortable and not self._sorted and any(map(self._narrows, self._draw_paths(moment))):
            self._sort_channels()
        return self._inner.take(inputs, targets, moment)

    def state(self) -> dict[str, Tensor]:
        teacher = {} if self._teacher is None else self._teacher.state_dict()
        flags = {"sorted.": torch.tensor(True)} if self._sorted else {}
        return {f"weights.{k}": v for k, v in self._inner.state().items()} | {
            **{f"teacher.{k}": v for k, v in teacher.items()},
            **flags,
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "teacher": {}, "sorted": {}}
        for name, tensor in tensors.items():
            begin, _, rest = name.partition(".")
            parts[begin][rest] = tensor
        self._inner.restore(parts["weights"])
        self._sorted = bool(parts["sorted"])
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
        paths, lesson = self._draw_paths(moment), self._teach(inputs, share)
        total = torch.zeros((), device=inputs.device)
        for n, path in enumerate(paths):
            self._supernet.choose(path)
            with half_precision(inputs.device):
                logits = first_head(network(inputs)).float()
            loss = self._loss(logits, targets)
            if lesson is not None:
                loss = loss + self._method.teaching * Distillation()(logits, lesson)
            total += loss.detach()
            if n < len(paths) - 1:  # the step adds the gradient of the last one
                torch.autograd.backward(loss)
        return loss + (total / len(paths) - loss.detach())

    def _draw_paths(self, moment: Moment) -> list[Architecture]:
        """The architectures of a step."""
        # Before the first answer opens, all architectures are the largest one.
        count = 1 if self._teacher is None else self._method.paths
        first, share = moment.done * self._method.paths, self._find_share(moment)
        return [self.draw_path(first + n, share) for n in range(count)]

    def _narrows(self, path: Architecture) -> bool:
        """Whether a layer of the path has fewer channels than could be reordered."""
        return any(
            isinstance(full, OrdersChannels) and isinstance(part, OrdersChannels) and part.wide < full.wide
            for full, part in self._supernet.list_elastic(path)
        )

    def _sort_channels(self) -> None:
        for module in self._sortable:
            self._inner.reorder(module.order_channels())
        self._sorted = True

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
