"""The third reading of a space: shared, one network that holds all answers of some questions.

A question is *shared* where one network can hold all its answers, else *outer*: a supernet is made for one
assignment of the outer ones. `TextSharing` reads the text of a space (`Space.make`) for many plans at once; a
space that is a function is read by `cambrian.spaces.program.shared`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, Choice, OneOf, Scalar, SomeOf
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError, did_you_mean
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.spaces.shared_questions import is_fork as is_fork
from cambrian.spaces.shared_questions import is_shared as is_shared
from cambrian.spaces.shared_questions import outer as outer

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.spaces.space import Signature, Space

SAMPLES, TRIES = 16, 1000  # plans that a text's outer values are compared over, and draws to get them
MOST_TRIED = 64  # answers of one question: of subsets there may be millions


@dataclass(frozen=True)
class TextSharing:
    """`Shares` of a space whose text is read: see `Space.make`."""

    space: Space

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """As `Shares.share`: `Space.make` reads all plans that these outer answers leave."""
        return share_text(self.space, outer, task, skeleton)


@dataclass(frozen=True)
class PartialSharing:
    """`SharesPartly` of a space whose text is read, and whose operations keep the number of channels."""

    space: Space

    def share_partly(
        self, outer: Mapping[str, Answer], task: Signature, channel_share: int, **skeleton: Scalar
    ) -> Supernet:
        return share_text(self.space, outer, task, skeleton, channel_share)


def share_text(
    space: Space,
    outer: Mapping[str, Answer],
    task: Signature,
    skeleton: Mapping[str, Scalar],
    channel_share: int = 1,
) -> Supernet:
    """The supernet of a space's text, its operations made for one `channel_share` of the channels."""
    import torch

    from cambrian.networks.sharing.reading import Shared
    from cambrian.networks.sharing.supernet import Supernet

    settings = space.check_skeleton(skeleton)
    choices, used = find_choices(space, outer)
    # A supernet without a choice is a plain network: such a caller named wrong outer answers.
    if not choices:
        raise SpaceError(f"with these outer answers {name_of(space)} asks nothing that is shared")
    plans = [space.plan(a) for a in _completions(space, used)]
    reading: Shared[Any] = Shared(plans, channel_share=channel_share)
    network = space.make(reading, task, **settings)

    def draft(answers: Mapping[str, Answer]) -> nn.Module:
        # Only shapes are compared with a draft: weights would cost the memory of a second network.
        with torch.device("meta"):
            return space.build(Architecture(answers), task, **settings)

    def plan(answers: Mapping[str, Answer]) -> Any:
        return space.plan(replay(space, answers))

    return Supernet(network, choices, used, draft, plan, reading.gates)


def find_choices(space: Space, outer: Mapping[str, Answer]) -> tuple[dict[str, Choice], dict[str, Answer]]:
    """Find the shared questions that are asked when the outer ones are answered as in `outer`, by trying
    every answer once; and the outer answers used. Strict, as `replay` is."""
    choices: dict[str, Choice] = {}
    used: dict[str, Answer] = {}
    # Every answer is tried once after the answers that led to its question, not in all combinations:
    # linear in the number of answers where the product would be exponential.
    todo: list[dict[str, Answer]] = [{}]
    while todo:
        forced = todo.pop()
        for choice, before in _walk(space, outer, used, forced):
            known = choices.get(choice.path)
            choices[choice.path] = choice if known is None else widen(known, choice)
            if known is None:
                todo += [{**before, choice.path: answer} for answer in islice(choice.answers(), MOST_TRIED)]
    refuse_foreign(outer, choices, used)
    return choices, used


def widen(one: Choice, other: Choice) -> Choice:
    """A question with the options of both: the options may depend on shared answers given before."""
    if not isinstance(one, OneOf | SomeOf) or type(other) is not type(one) or one == other:
        return one
    # The longer list first, so that the order does not depend on which walk met the question first.
    few, many = sorted((one.options, other.options), key=len)
    options = (*many, *(option for option in few if option not in many))
    if isinstance(one, SomeOf) and isinstance(other, SomeOf):
        least, most = min(one.least, other.least), max(one.most, other.most)
        return replace(one, options=options, least=least, most=most)
    return one if options == one.options else replace(one, options=options, weights=None)


def _walk(
    space: Space, outer: Mapping[str, Answer], used: dict[str, Answer], forced: Mapping[str, Answer]
) -> list[tuple[Choice, dict[str, Answer]]]:
    """The shared questions of a walk, and the shared answers before each. A question that `forced` does not
    answer gets its first option, a depth its last."""
    asked: list[tuple[Choice, dict[str, Answer]]] = []
    answers: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        if not is_shared(space, choice):
            return outer_answer(choice, outer, used)
        asked.append((choice, dict(answers)))
        try:
            answer = choice.check(forced[choice.path])
        except (KeyError, IllegalArchitecture):
            # The last answer to a depth is the deepest walk, which meets the questions of all layers.
            deep = isinstance(choice, OneOf) and choice.depth
            answer = choice.options[-1] if deep else next(choice.answers())  # type: ignore[union-attr]
        answers[choice.path] = answer
        return answer

    with suppress(Rejected):
        space.walk(decide)
    return asked


def outer_answer(choice: Choice, outer: Mapping[str, Answer], used: dict[str, Answer]) -> Answer:
    if choice.path not in outer:
        raise IllegalArchitecture(f"question {choice.path!r} is not shared and needs an answer: it has none")
    used[choice.path] = choice.check(outer[choice.path])
    return used[choice.path]


def refuse_foreign(
    outer: Mapping[str, Answer], shared: Mapping[str, Choice], used: Mapping[str, Answer]
) -> None:
    for path in outer:
        if path not in used and path not in shared:
            raise IllegalArchitecture(f"no question {path!r} is asked{did_you_mean(path, [*used, *shared])}")


def _completions(space: Space, outer: Mapping[str, Answer]) -> list[Architecture]:
    """Draw some architectures with these outer answers, from a seed that only this purpose uses."""
    # A space may reject most draws: keep the first ones that it accepts.
    drawn = (draw_completion(space, outer, n) for n in range(TRIES))
    samples = list(islice((a for a in drawn if a is not None), SAMPLES))
    if not samples:
        raise IllegalArchitecture(f"the space rejects these answers: {dict(outer)!r}")
    return samples


def draw_completion(space: Space, outer: Mapping[str, Answer], n: int) -> Architecture | None:
    """The nth random architecture with these outer answers; None where the space rejects the draw."""
    rng = stream(0, "shared", n)
    try:
        return replay(space, outer, lambda choice: choice.draw(rng))
    except Rejected:
        return None
