"""Published architectures are answers their space accepts."""

import pytest

from cambrian.architecture import Architecture, replay
from cambrian.errors import UnknownName
from cambrian.spaces import SPACES
from cambrian.spaces.cells.published import names, published, published_in


@pytest.mark.parametrize("name", names())
def test_the_space_accepts_every_answer(name):
    """A strict replay asks for each answer and for nothing more."""
    entry = published(name)
    space = SPACES.make(entry["space"])
    architecture = Architecture.from_json(entry["answers"])
    assert replay(space, architecture) == architecture
    assert published_in(entry["space"])[name] == architecture


def test_a_wrong_name_is_answered_with_the_nearest():
    """One sentence with what was meant."""
    with pytest.raises(UnknownName, match="did you mean 'pnasnet-5'"):
        published("pnasnet5")


def test_what_is_returned_is_the_callers():
    """Changing it changes nothing for the next one."""
    published("pnasnet-5")["answers"]["blocks"] = 1
    assert published("pnasnet-5")["answers"]["blocks"] == 5
