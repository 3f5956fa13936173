"""Once-for-all: Cai et al., "Once-for-All: Train One Network and Specialize It for Efficient Deployment"
(ICLR 2020). The largest network is trained first, and teaches smaller ones that share its weights; evolution
then searches the children, within limits such as one on latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.settings import COUNT, Span
from cambrian.strategies.one_shot.shared_evolution import SharedEvolution


@dataclass(frozen=True)
class OnceForAll(SharedEvolution):
    """The largest network learns alone for the share `first` of the training; then answers open in
    `phases`, by these parts of their questions' names, from the dearest to the cheapest (none: all together),
    and `paths` networks learn at each step. See `SharedEvolution` for the other settings."""

    first: Annotated[float, Span(0, 1, above=True, below=True)] = 0.3
    paths: Annotated[int, COUNT] = 2
    phases: tuple[str, ...] = ()

    @staticmethod
    def paper() -> OnceForAll:
        """Kernels shrink first, then depths and widths; four networks at a step, as for the last answers that
        open; the evolution is of 100 children with 25 parents, for 500 generations (App. A, and the released
        code)."""
        phases = ("kernel", "depth", "expand")
        return OnceForAll(children=50_000, population=100, parents=25, paths=4, phases=phases)

    @property
    def method(self) -> dict[str, Any]:
        arguments = {"first": self.first, "paths": self.paths, "phases": list(self.phases)}
        return {"name": "once-for-all", "arguments": arguments}
