"""The subject of an audit by training: architectures of a space on some data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.kinds import describe_kinds
from cambrian.audits.measuring import TRUTH, Ground, Measurements, measure
from cambrian.audits.sampling import draw_sample
from cambrian.audits.shortcuts import FRESH, Shortcut, check_cheaper, read_shortcut
from cambrian.audits.sizes import Sizes, choose_skeleton, count_sizes
from cambrian.errors import UsageError
from cambrian.outcome import Fidelity
from cambrian.search.parts.compatibility import check_needs
from cambrian.search.parts.components import spec_of
from cambrian.spaces.knowledge import Graphs, know
from cambrian.tasks.targets.metrics import is_minimized, is_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class OnData:
    """`truth_text` is the shortcut's text of the truth, such as `train(epochs=20)`."""

    ground: Ground
    truth_text: str
    trains: ClassVar[bool] = True

    @staticmethod
    def of(ground: Ground, truth: str) -> OnData:
        """The subject whose ground has the truth's fidelity. Raises UsageError for a truth that is no
        training."""
        chosen = read_shortcut(truth, Fidelity(skeleton=choose_skeleton(ground.space)), ground.space)
        if not chosen.trains or chosen.weights != FRESH:
            raise UsageError(
                f"the truth {truth!r} is not a full training: give one such as 'train(epochs=20)'"
            )
        return OnData(replace(ground, truth=chosen.fidelity), truth)

    @property
    def title(self) -> str:
        return str(self._task.name)

    @property
    def unit(self) -> str:
        low = ", lower is better" if self.minimize else ""
        return f"validation {self._task.metric}" + (", %" if is_share(self._task.metric) else "") + low

    @property
    def minimize(self) -> bool:
        return is_minimized(self._task.metric)

    @property
    def truth(self) -> str:
        return self.truth_text

    @property
    def scale(self) -> float:
        return 100.0 if is_share(self._task.metric) else 1.0

    @property
    def space(self) -> Space:
        return self.ground.space

    @cached_property
    def full(self) -> Shortcut:
        return read_shortcut(self.truth_text, self.ground.truth, self.ground.space)

    def read(self, text: str) -> Shortcut:
        shortcut = read_shortcut(text, self.ground.truth, self.ground.space)
        check_cheaper(shortcut, self.full)
        from cambrian.estimators import ESTIMATORS

        check_needs(ESTIMATORS.make(shortcut.estimator), self.ground.space)
        return shortcut

    def list_usual(self) -> list[str]:
        epochs = self.ground.truth.epochs
        few = dict.fromkeys(max(1, epochs // part) for part in (10, 4))
        trained = [f"train(epochs={n})" for n in few if n < epochs]
        return [*trained, "train(fraction=0.1)", "synflow", "naswot", "jacob_cov"]

    def draw(self, count: int) -> list[Architecture]:
        return draw_sample(self.ground.space, count, self.ground.seed, self._describe)

    def measure_truth(
        self, architectures: Sequence[Architecture], twice: int
    ) -> tuple[Measurements, NDArray[np.float64]]:
        # The sample is ordered by kind: every so many of it are of all kinds.
        places = np.unique(np.linspace(0, len(architectures) - 1, twice).round().astype(int)).tolist()
        again = [architectures[place] for place in places] if twice else []
        measured = measure(self.ground, self.full, architectures, again, TRUTH)
        second = measured.again if measured.again is not None else np.zeros(0)
        pairs = np.array([measured.scores[places], second]).T if twice else np.zeros((0, 2))
        return measured, pairs[np.isfinite(pairs).all(axis=1)]

    def measure(self, shortcut: Shortcut, architectures: Sequence[Architecture]) -> Measurements:
        return measure(self.ground, shortcut, architectures)

    def count_sizes(self, architectures: Sequence[Architecture]) -> tuple[list[Sizes], float]:
        return count_sizes(self.ground.space, architectures, self.ground.task, self.ground.truth)

    def settings(self) -> dict[str, Any]:
        ground = self.ground
        return {
            "data": {"name": self._task.name, "digest": self._task.digest},
            "space": spec_of("space", ground.space),
            "truth": {"text": self.truth, "fidelity": msgspec.to_builtins(ground.truth)},
            "seed": ground.seed,
            "device": ground.device,
        }

    def _describe(self, pool: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """The kinds of a pool. A space with graphs is told by these: counting the sizes of hundreds of
        networks takes minutes."""
        known = know(self.ground.space, Graphs) is not None
        sizes: Sequence[Sizes] = [{}] * len(pool) if known else self.count_sizes(pool)[0]
        return describe_kinds(self.ground.space, pool, sizes)

    @property
    def _task(self) -> Any:
        return self.ground.task
