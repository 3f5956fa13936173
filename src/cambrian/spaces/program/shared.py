"""The third reading of a space: shared, one network that holds every candidate of its module forks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from cambrian.architecture import Architecture, questions, replay, sample
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError, Unbuildable, did_you_mean
from cambrian.randomness import integer_seed, stream
from cambrian.spaces.program.making import make_network, torch_quiet
from cambrian.spaces.program.reading import Read, Shared
from cambrian.spaces.program.shape_check import is_lazy
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.supernet import Supernet

CHECKED = 3  # architectures that a new supernet is compared with
SAMPLES, TRIES = 16, 1000  # plans that a text's outer values are compared over, and draws to get them
MOST_TRIED = 64  # answers of one question: of subsets there may be millions


def can_be_shared(space: Space, walks: int = 8) -> bool:
    """Whether some of the questions that are asked on a few seeded walks are shared."""
    samples = (sample(space, stream(0, "can be shared", n)) for n in range(walks))
    return any(space.shares(choice) for one in samples for choice in questions(space, one))


def outer(space: Space, architecture: Architecture) -> dict[str, Answer]:
    """The answers of `architecture` that a supernet is made for."""
    return {c.path: architecture[c.path] for c in questions(space, architecture) if not space.shares(c)}


def share(
    space: Space, outer: Mapping[str, Answer], task: Signature, settings: Mapping[str, Any]
) -> Supernet:
    """See `Space.share`: the space's text, read for all plans of these outer answers."""
    import torch

    from cambrian.networks.sharing.reading import Shared as SharedReading
    from cambrian.networks.sharing.supernet import Supernet

    choices, used = find_choices(space, outer)
    if not choices:
        raise SpaceError(f"the space {type(space).__name__} asks nothing that can be shared")
    reading: SharedReading[Any] = SharedReading([space.plan(a) for a in _completions(space, used)])
    network = space.make(reading, task, **settings)

    def draft(answers: Mapping[str, Answer]) -> nn.Module:
        with torch.device("meta"):
            return space.build(Architecture(answers), task, **settings)

    def plan(answers: Mapping[str, Answer]) -> Any:
        return space.plan(replay(space, answers))

    return Supernet(network, choices, used, draft, plan, reading.gates)


def find_choices(space: Space, outer: Mapping[str, Answer]) -> tuple[dict[str, Choice], dict[str, Answer]]:
    """The shared questions that are asked after any answers, each of which is tried once, when the outer ones
    are answered as in `outer`; and those outer answers. Strict, as `replay` is."""
    found: dict[str, Choice] = {}
    used: dict[str, Answer] = {}
    todo: list[dict[str, Answer]] = [{}]
    while todo:
        forced = todo.pop()
        for choice, before in _walk(space, outer, used, forced):
            if choice.path not in found:
                found[choice.path] = choice
                todo += [{**before, choice.path: answer} for answer in islice(choice.answers(), MOST_TRIED)]
    _refuse_foreign(outer, found, used)
    return found, used


def _walk(
    space: Space, outer: Mapping[str, Answer], used: dict[str, Answer], forced: Mapping[str, Answer]
) -> list[tuple[Choice, dict[str, Answer]]]:
    """The shared questions of a walk, and the shared answers before each. What `forced` does not say is the
    first answer, of a depth the last."""
    asked: list[tuple[Choice, dict[str, Answer]]] = []
    answers: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        if not space.shares(choice):
            return _outer_answer(choice, outer, used)
        asked.append((choice, dict(answers)))
        try:
            answer = choice.check(forced[choice.path])
        except (KeyError, IllegalArchitecture):
            deep = isinstance(choice, OneOf) and choice.depth
            answer = choice.options[-1] if deep else next(choice.answers())  # type: ignore[union-attr]
        answers[choice.path] = answer
        return answer

    with suppress(Rejected):
        space.walk(decide)
    return asked


def _outer_answer(choice: Choice, outer: Mapping[str, Answer], used: dict[str, Answer]) -> Answer:
    if choice.path not in outer:
        raise IllegalArchitecture(f"question {choice.path!r} is not shared and needs an answer: it has none")
    used[choice.path] = choice.check(outer[choice.path])
    return used[choice.path]


def _refuse_foreign(
    outer: Mapping[str, Answer], shared: Mapping[str, Choice], used: Mapping[str, Answer]
) -> None:
    for path in outer:
        if path not in used and path not in shared:
            raise IllegalArchitecture(f"no question {path!r} is asked{did_you_mean(path, [*used, *shared])}")


def _completions(space: Space, outer: Mapping[str, Answer]) -> list[Architecture]:
    """Some architectures with these outer answers, drawn with a seed of their own."""
    drawn = (_draw(space, outer, n) for n in range(TRIES))
    found = list(islice((a for a in drawn if a is not None), SAMPLES))
    if not found:
        raise IllegalArchitecture(f"the space rejects these answers: {dict(outer)!r}")
    return found


def all_questions(
    space: Space, walk: Callable[[Callable[[Choice], Answer]], object], outer: Mapping[str, Answer]
) -> tuple[dict[str, Choice], dict[str, Answer]]:
    """The shared questions that `walk`, a reading that goes through every candidate, asks when the outer ones
    are answered as in `outer`; and those outer answers. Strict, as `replay` is."""
    shared: dict[str, Choice] = {}
    used: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        if space.shares(choice):
            shared[choice.path] = choice
            return next(choice.answers())
        return _outer_answer(choice, outer, used)

    try:
        walk(decide)
    except Rejected as reason:
        raise IllegalArchitecture(f"the space rejects these answers: {reason}") from None
    _refuse_foreign(outer, shared, used)
    return shared, used


class ForkSharing(Space):
    """Sharing for programs: their function read once more, every candidate made."""

    function: Callable[..., Any]

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """As `Space.share`. A few architectures are compared with their own networks, since what a program
        does with its modules is its own affair: SpaceError for one that cannot be shared."""
        from cambrian.networks.sharing.supernet import Supernet

        read = Read(self.function, task, skeleton, Shared())
        with torch_quiet():
            choices, used = all_questions(self, read.walk, outer)
        if is_lazy(read.network):
            raise SpaceError("a network with lazy modules cannot be shared: give its modules their sizes")
        supernet = Supernet(read.network, choices, used, lambda a: self._draft(a, task, skeleton))
        check_shared(self, supernet, task, skeleton)
        return supernet

    def _draft(
        self, architecture: Mapping[str, Answer], task: Signature, skeleton: Mapping[str, Scalar]
    ) -> nn.Module:
        """The architecture's own network, without weights and without a look at what fits."""
        import torch

        with torch.device("meta"):
            return make_network(self.function, architecture, task, skeleton)[0]


def check_shared(space: Space, supernet: Supernet, task: Signature, skeleton: Mapping[str, Scalar]) -> None:
    """Raise SpaceError unless random architectures are, in `supernet`, their own networks bit for bit."""
    import torch

    if any(p.device.type == "meta" for p in supernet.parameters()):
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(0, "shared"))
        inputs = torch.randn(2, task.channels, task.height, task.width)
        for n in range(CHECKED):
            architecture = _draw(space, supernet.outer, n)
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


def _draw(space: Space, outer: Mapping[str, Answer], n: int) -> Architecture | None:
    rng = stream(0, "shared", n)
    try:
        return replay(space, outer, lambda choice: choice.draw(rng))
    except Rejected:
        return None


def _equal(supernet: Supernet, own: nn.Module, architecture: Architecture, inputs: Any) -> bool:
    import torch

    own.load_state_dict(supernet.weights(architecture))
    supernet.choose(architecture)
    training = supernet.training
    with torch.no_grad():
        try:
            outputs = supernet.eval()(inputs), own.eval()(inputs)
        except (RuntimeError, ValueError) as error:
            raise SpaceError(f"shared, {architecture!r} cannot be run: {error}") from error
        finally:
            supernet.train(training)
    one, other = (o if isinstance(o, tuple) else (o,) for o in outputs)
    return len(one) == len(other) and all(map(torch.equal, one, other))
