"""Which questions of each built-in space a supernet holds, and which it is made for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cambrian.architecture import Architecture, sample
from cambrian.choices import Choice
from cambrian.errors import IllegalArchitecture, SpaceError
from cambrian.networks.sharing.reading import Shared
from cambrian.paths import kind_of
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.branches.encoder_decoder.space import EncoderDecoder
from cambrian.spaces.joint.space import Joint
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sharing import find_choices, is_shared, outer
from cambrian.spaces.space import Shares, Space
from cambrian.testing.matrix import sort_questions
from tiers import slow_for


@pytest.mark.parametrize("name", slow_for(("nasnet", "enas-micro", "amoebanet"), SPACES.names()))
def test_every_built_in_space_is_shared_as_the_matrix_says(name: str) -> None:
    """The questions found for a supernet are those of the shared column, its outer answers the others. A
    space of networks with their trainings is not shared, since a supernet has one training, nor are encoders
    and decoders, all of whose questions change the shapes of others."""
    space: Space = SPACES.make(name)
    assert (space.know(Shares) is None) == isinstance(space, (Joint, EncoderDecoder))
    if isinstance(space, (Joint, EncoderDecoder)):
        return
    shared, outer_kinds = sort_questions(space)
    for n in range(4):
        fixed = outer(space, sample(space, stream(n, "matrix")))
        choices, used = find_choices(space, fixed)
        assert used == fixed
        assert all(is_shared(space, choice) for choice in choices.values())
        assert {kind(choice) for choice in choices.values()} <= set(shared)
        assert len(outer_kinds) > 0 or fixed == {}


def kind(choice: Choice) -> str:
    return kind_of(choice.parts or (choice.path,))


def test_every_shared_question_is_found_whichever_answers_it_follows() -> None:
    """Of chains whose layers are asked for by their types, under every type."""
    space: Space = SPACES.make({"name": "tiny-chain", "arguments": {"layers": 2}})
    choices, _ = find_choices(space, {})
    assert set(choices) == {"layers", *(f"layer{n}/{q}" for n in (1, 2) for q in ("operation", "width"))}


def test_a_text_cannot_let_shapes_follow_shared_answers() -> None:
    """A supernet is made for one value: the sentence names two."""
    plans = [{"width": 8, "depth": 2}, {"width": 16, "depth": 2}]
    assert Shared(plans).value(lambda plan: plan["depth"]) == 2
    with pytest.raises(SpaceError, match="made for one value, and its architectures have 8 and 16"):
        Shared(plans).value(lambda plan: plan["width"])


def test_a_supernet_takes_whole_architectures_of_its_space() -> None:
    """Answers that do not go together, or are too few, are refused as the space refuses them."""
    space: Space = SPACES.make({"name": "pnas", "arguments": {"blocks": 2}})
    shares: Any = space.know(Shares)
    supernet = shares.share({}, Shape(1, 8, 8, 2), filters=2, cells=1)
    architecture = sample(space, stream(0, "refused"))
    with pytest.raises(IllegalArchitecture, match="block1/operation1"):
        supernet.choose({p: a for p, a in architecture.items() if p != "block1/operation1"})
    with pytest.raises(IllegalArchitecture, match="did you mean 'block1/operation"):
        supernet.choose(Architecture({**architecture, "block1/operation": "identity"}))


def test_asking_imports_no_torch() -> None:
    """All spaces are sampled, and asked whether they are shared, without it."""
    code = (
        "import sys, numpy; from cambrian.spaces import SPACES; from cambrian.architecture import sample\n"
        "from cambrian.spaces.space import Shares\n"
        "for name in SPACES.names():\n"
        "    space = SPACES.make(name)\n"
        "    sample(space, numpy.random.default_rng(0)), space.know(Shares)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
