"""The parts in which gradient methods differ: how logits become mixtures, and how they are learned.

A method gives `Rules` to the one `GateStep`. Each part has a default, DARTS's in its first-order form (Liu et
al. 2019), and a method replaces those that its paper changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.hypergradient import Bilevel, first_order
from cambrian.networks.sharing.mixing import Mixture, Weighted
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import Moment

Logits = Mapping[str, Tensor]
"""float[options] by site."""

Mixtures = dict[str, Mixture]


@dataclass(frozen=True)
class Progress:
    """The position in a training of `epochs` epochs: `epoch` from 0. `learning` is True in the pass that
    learns the gates, False in that of the weights. `kept` are the options that are left at a site, bool
    [options], where others were dropped."""

    epoch: int
    epochs: int
    learning: bool = True
    kept: Logits = field(default_factory=dict)

    @property
    def share(self) -> float:
        """From 0 in the first epoch to 1 in the last one."""
        return min(1.0, self.epoch / max(1, self.epochs - 1))


Relax = Callable[[Logits, Progress], Mixtures]
Penalty = Callable[[Logits, Progress], Tensor]


def mix_softmax(logits: Logits, progress: Progress) -> Mixtures:
    """Every candidate that is left, weighted by the softmax of its site's logits (Liu et al., Eq. 2)."""
    kept = progress.kept
    return {s: Weighted(keep_softmax(g, kept.get(s)), list_kept(kept.get(s))) for s, g in logits.items()}


def keep_softmax(logit: Tensor, kept: Tensor | None) -> Tensor:
    """The softmax over the options that are left; the others have exactly no weight."""
    return logit.softmax(0) if kept is None else logit.masked_fill(~kept, -torch.inf).softmax(0)


def list_kept(kept: Tensor | None) -> list[int] | None:
    """The options that are left, which alone run; None for all of them."""
    # Weights of 0 do not say so in the gates' own pass: they have gradients, for which candidates are run.
    return None if kept is None else kept.nonzero().flatten().tolist()


def keep_shares(probabilities: Tensor, kept: Tensor | None) -> Tensor:
    """The probabilities of the options that are left, which sum to 1 again."""
    if kept is None:
        return probabilities
    left = probabilities * kept
    return left / left.sum()


def softmax_of(logit: Tensor) -> Tensor:
    return logit.softmax(0)


def renormalise(before: Logits, logits: Logits) -> None:
    """Leave the logits as the optimiser made them."""


def follow_schedule(recipe: Recipe, moment: Moment, epochs: int) -> float:
    """The recipe's rate, whose schedule extends over so many epochs."""
    length = max(1, epochs * moment.steps_per_epoch)
    return recipe.rate(moment.scheduled, length, moment.steps_per_epoch)


def keep_all(probabilities: Logits, epoch: int) -> Mapping[str, Tensor]:
    """No option is dropped."""
    return {}


def rest_never(epoch: int) -> bool:
    return False


def find_best(probabilities: Tensor, count: int) -> Tensor:
    """bool[options]: the `count` most probable ones, the first of several alike."""
    order = torch.argsort(probabilities, descending=True, stable=True)
    kept = torch.zeros(len(probabilities), dtype=torch.bool, device=probabilities.device)
    kept[order[:count]] = True
    return kept


@dataclass(frozen=True)
class Rules:
    """`relax` makes mixtures of the logits, `probabilities` the numbers by which options are compared, and
    `penalty` is added to the loss of the gates, which `scale` multiplies before. `gradient` is that of the
    gates at a step. With `one_level` gates and weights learn from the same batch of the training part, in one
    pass. `settle` changes logits after a step, given those before it. `edges`: the weights of edges that are
    added are learned too. `soft`: mixtures of all candidates fit into memory, so that the curvature can be
    watched. `start` is the logits' first value. `find_rate` gives the weights' rate at a moment of so many
    epochs. `drop` gives the options that are left from the beginning of an epoch on, by site, given the
    probabilities then; `rests` the epochs in which gates do not learn. `find_share` gives the share of the
    channels that partial operations see in an epoch; where it becomes smaller, they are widened. `scales`:
    the normalisations of candidates learn a scale and a shift. Where candidates are weighed against each
    other they do not, since a scale would make up for any weight (Liu et al. 2019, App. A.1.1)."""

    relax: Relax = mix_softmax
    probabilities: Callable[[Tensor], Tensor] = softmax_of
    penalty: Penalty | None = None
    scale: Callable[[Logits], Tensor] | None = None
    gradient: Callable[[Bilevel], list[Tensor]] = first_order
    settle: Callable[[Logits, Logits], None] = renormalise
    one_level: bool = False
    edges: bool = False
    soft: bool = True
    start: float = 0.0
    find_rate: Callable[[Recipe, Moment, int], float] = follow_schedule
    drop: Callable[[Logits, int], Mapping[str, Tensor]] = keep_all
    rests: Callable[[int], bool] = rest_never
    find_share: Callable[[int], int] | None = None
    scales: bool = False


def clip_gradients(gradients: list[Tensor], most: float) -> list[Tensor]:
    """The gradients of all gates, together shortened to the norm `most` where they are longer (0: as they
    are). A gradient that is not finite is left to the check of the loss.

    >>> clip_gradients([torch.tensor([3.0]), torch.tensor([4.0])], 1.0)
    [tensor([0.6000]), tensor([0.8000])]
    """
    if not most:
        return gradients
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    return [gradient * (most / norm.clamp_min(most)) for gradient in gradients]


def check_recipe(recipe: Recipe, rules: Rules, epochs: int) -> None:
    """Raises UsageError for a recipe by which these rules cannot be followed for so many epochs."""
    if recipe.length != 1:
        raise UsageError(
            "methods with gates say themselves how long they train, by their epochs: leave out length,"
            f" got {recipe.length}"
        )
    find = rules.find_share
    if find is None or len({find(n) for n in range(epochs)}) == 1:
        return
    if recipe.average:
        raise UsageError(
            "operations that are widened in training change their weights, which an average cannot"
            " follow: take average=0, or a method without first_share"
        )
    if recipe.score == "best":
        raise UsageError(
            "operations that are widened in training end wider than those of the best epoch may be:"
            ' take score="last", or a method without first_share'
        )


def draw_gumbel(logit: Tensor) -> Tensor:
    """Gumbel noise in the shape of the logit."""
    # -log of an exponential: positive with certainty, where -log(-log(u)) may be infinite.
    return -torch.empty_like(logit).exponential_().log()
