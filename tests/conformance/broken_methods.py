"""Ways to train a supernet that break one promise each. `Soft`, which they vary, breaks none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Weighted


@dataclass(frozen=True)
class Soft(GateSettings):
    """The softmax of the logits."""

    curvature: int = 0
    made_by: ClassVar[Any] = GateStep

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        return {site: self.mix(site, logit) for site, logit in logits.items()}

    def mix(self, site: str, logit: Tensor) -> Any:
        return Weighted(logit.softmax(0))

    def step(self, supernet: Any, recipe: Any, draw: Any, validation: Any) -> Any:
        return self.made_by(self, Rules(self.relax), supernet, recipe, validation)


class Detached(Soft):
    """No gate has a gradient."""

    def mix(self, site: str, logit: Tensor) -> Any:
        return Weighted(logit.softmax(0).detach())


class DetachedOnce(Soft):
    """The gates of one site have no gradient."""

    def mix(self, site: str, logit: Tensor) -> Any:
        weights = logit.softmax(0)
        return Weighted(weights.detach() if site == "node1/from0" else weights)


class Unseeded(Soft):
    """Noise from a generator that nobody has seeded."""

    def mix(self, site: str, logit: Tensor) -> Any:
        noise = torch.from_numpy(np.random.random(len(logit)).astype(np.float32))
        return Weighted((logit + noise).softmax(0))


class Aside(Soft):
    """Grows colder by a count that is kept outside of the state."""

    def step(self, supernet: Any, recipe: Any, draw: Any, validation: Any) -> Any:
        numbers = count(1)

        def relax(logits: Logits, progress: Progress) -> Mixtures:
            heat = next(numbers)
            return {site: Weighted((logit * heat).softmax(0) * heat) for site, logit in logits.items()}

        return GateStep(self, Rules(relax), supernet, recipe, validation)


class Negative(Soft):
    """Logits in the place of probabilities."""

    def step(self, supernet: Any, recipe: Any, draw: Any, validation: Any) -> Any:
        rules = Rules(self.relax, probabilities=lambda logit: logit)
        return GateStep(self, rules, supernet, recipe, validation)


class _Attached(GateStep):
    def take(self, inputs: Tensor, targets: Tensor, moment: Any) -> Tensor:
        return super().take(inputs, targets, moment).requires_grad_()


class _Whitening(GateStep):
    def take(self, inputs: Tensor, targets: Tensor, moment: Any) -> Tensor:
        inputs.sub_(inputs.mean())
        return super().take(inputs, targets, moment)


class _Chatting(GateStep):
    def data(self) -> dict[str, Any]:
        return {"supernet": self}


class _Renaming(GateStep):
    def gates(self) -> dict[str, list[float]]:
        return {f"my {site}": numbers for site, numbers in super().gates().items()}


class _Omitting(GateStep):
    def gates(self) -> dict[str, list[float]]:
        return dict([*super().gates().items()][1:])


class _Idle(GateStep):
    def take(self, inputs: Tensor, targets: Tensor, moment: Any) -> Tensor:
        return torch.tensor(1.0)


class _Counting(GateStep):
    def state(self) -> dict[str, Any]:
        return {**super().state(), "count": _Count()}


class _Count(float):
    """A number that has what the suite asks of a tensor, and is none."""

    def detach(self) -> _Count:
        return self

    clone = detach


class Omits(Soft):
    """Leaves the gates of a site out."""

    made_by = _Omitting


class Idles(Soft):
    """Trains nothing."""

    made_by = _Idle


class KeepsNumbers(Soft):
    """Has a state that cannot be saved with the tensors."""

    made_by = _Counting


class Attaches(Soft):
    """Returns a loss that keeps its graph."""

    made_by = _Attached


class Whitens(Soft):
    """Normalises the batch in place."""

    made_by = _Whitening


class Chats(Soft):
    """Says what JSON cannot hold."""

    made_by = _Chatting


class Renames(Soft):
    """Gates by names of its own."""

    made_by = _Renaming


@dataclass(frozen=True)
class Nervous(Soft):
    """A setting that does not come back from JSON as it was."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", self.every + 1)


BROKEN = [
    (Nervous, "settings_are_a_spec"),
    (Attaches, "steps_learn"),
    (Whitens, "steps_learn"),
    (Idles, "steps_learn"),
    (Unseeded, "steps_depend_on_seed_and_batches_alone"),
    (Aside, "interrupted_trainings_resume"),
    (KeepsNumbers, "interrupted_trainings_resume"),
    (Chats, "what_it_says_is_plain"),
    (Renames, "gates_are_of_the_sites"),
    (Omits, "gates_are_of_the_sites"),
    (Negative, "gates_are_of_the_sites"),
    (Detached, "gates_learn_from_the_data"),
    (DetachedOnce, "gates_learn_from_the_data"),
]
