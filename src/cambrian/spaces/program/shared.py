"""The third reading of a space: shared, one network that holds every candidate of its module forks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, Scalar
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError, Unbuildable
from cambrian.randomness import integer_seed
from cambrian.spaces.drafts import torch_quiet
from cambrian.spaces.program.making import make_network
from cambrian.spaces.program.reading import Read, Shared
from cambrian.spaces.program.shape_check import is_lazy
from cambrian.spaces.sharing import draw_completion, is_fork, outer_answer, refuse_foreign
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.supernet import Supernet

CHECKED = 3  # architectures that a new supernet is compared with


def all_questions(
    walk: Callable[[Callable[[Choice], Answer]], object], outer: Mapping[str, Answer]
) -> tuple[dict[str, Choice], dict[str, Answer]]:
    """The shared questions that `walk`, a reading that goes through every candidate, asks when the outer ones
    are answered as in `outer`; and those outer answers. Strict, as `replay` is."""
    shared: dict[str, Choice] = {}
    used: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        if is_fork(choice):
            # Every candidate is read whatever the answer, so that any legal one will do.
            shared[choice.path] = choice
            return next(choice.answers())
        return outer_answer(choice, outer, used)

    try:
        walk(decide)
    except Rejected as reason:
        raise IllegalArchitecture(f"the space rejects these answers: {reason}") from None
    refuse_foreign(outer, shared, used)
    return shared, used


@dataclass(frozen=True)
class ForkSharing:
    """`Shares` of a program: its function read once more, every candidate made."""

    space: Space
    function: Callable[..., Any]

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """As `Shares.share`. A few architectures are compared with their own networks, since a program may do
        anything with its modules: SpaceError for one that cannot be shared."""
        from cambrian.networks.sharing.supernet import Supernet

        read = Read(self.function, task, skeleton, Shared())
        with torch_quiet():
            choices, used = all_questions(read.walk, outer)
        if is_lazy(read.network):
            raise SpaceError("a network with lazy modules cannot be shared: give its modules their sizes")
        supernet = Supernet(read.network, choices, used, lambda a: self._draft(a, task, skeleton))
        check_shared(self.space, supernet, task, skeleton)
        return supernet

    def _draft(
        self, architecture: Mapping[str, Answer], task: Signature, skeleton: Mapping[str, Scalar]
    ) -> nn.Module:
        """The architecture's own network, without weights and without a check of its shapes."""
        import torch

        with torch.device("meta"):
            return make_network(self.function, architecture, task, skeleton)[0]


def check_shared(space: Space, supernet: Supernet, task: Signature, skeleton: Mapping[str, Scalar]) -> None:
    """Raise SpaceError unless random architectures are, in `supernet`, their own networks bit for bit."""
    import torch

    # A draft of a supernet does not have numbers to compare.
    if any(p.device.type == "meta" for p in supernet.parameters()):
        return
    # The check must leave the random state as it is: training draws from it next.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(0, "shared"))
        inputs = torch.randn(2, task.channels, task.height, task.width)
        for n in range(CHECKED):
            architecture = draw_completion(space, supernet.outer, n)
            try:
                own = None if architecture is None else space.build(architecture, task, **skeleton)
            except Unbuildable:
                continue
            if own is not None and not _equal(supernet, own, cast(Architecture, architecture), inputs):
                raise SpaceError(
                    f"shared, {architecture!r} computes something else than its own network: modules must "
                    f"not be put together by how many there are, and a repeated part must keep the shape of "
                    f"its input"
                )


def _equal(supernet: Supernet, own: nn.Module, architecture: Architecture, inputs: Any) -> bool:
    import torch

    # Equal weights first: then only the wiring can differ.
    own.load_state_dict(supernet.weights(architecture))
    supernet.choose(architecture)
    training = supernet.training
    with torch.no_grad():
        try:
            # Each its own: a network may change its input in place.
            outputs = supernet.eval()(inputs.clone()), own.eval()(inputs.clone())
        except (RuntimeError, ValueError) as error:
            raise SpaceError(f"shared, {architecture!r} cannot be run: {error}") from error
        finally:
            supernet.train(training)
    one, other = (o if isinstance(o, tuple) else (o,) for o in outputs)
    return len(one) == len(other) and all(map(torch.equal, one, other))
