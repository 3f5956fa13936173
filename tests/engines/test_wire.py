"""Messages between processes: whatever is sent is what arrives, in whatever pieces."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Point, Trial
from cambrian.search.engines.engine import Assignment, Report
from cambrian.search.engines.frames import LONGEST, Inbox, pack
from cambrian.search.engines.wire import Message

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = text | st.integers(-(2**53), 2**53) | finite | st.booleans()
answers = scalars | st.lists(scalars, max_size=3).map(tuple)
points = st.builds(Point, st.integers(0, 99), st.dictionaries(text, finite, max_size=2), finite)
curves = st.lists(points, max_size=2).map(tuple)
outcomes = (
    st.builds(Done, finite, st.dictionaries(text, finite, max_size=2), curves, finite)
    | st.builds(Infeasible, text, text, curves, finite, st.dictionaries(text, finite, max_size=2))
    | st.builds(Crashed, text, text, finite)
)
trials = st.builds(
    Trial,
    st.integers(0, 10**6),
    st.dictionaries(text, answers, max_size=4).map(Architecture),
    st.builds(Fidelity, st.integers(1, 600), skeleton=st.dictionaries(text, scalars, max_size=2)),
)
messages = st.builds(Assignment, trials, st.integers(1, 9), text, st.booleans()) | st.builds(
    Report, st.integers(0, 99), st.integers(1, 9), st.none() | points, st.none() | outcomes, st.none() | text
)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_messages_arrive_as_sent(sent, piece):
    """A stream cut into pieces of any size gives the messages again, floats to the last bit."""
    inbox, stream = Inbox(Message), b"".join(map(pack, sent))
    arrived = [m for i in range(0, len(stream), piece) for m in inbox.feed(stream[i : i + piece])]
    assert arrived == sent


def test_order_of_answers_is_kept():
    """A space's program asks in an order, and keys do not depend on it."""
    architecture = Architecture({"z": 1, "a": (0.1, "x"), "m": True})
    (arrived,) = Inbox(Message).feed(pack(Assignment(Trial(0, architecture, Fidelity()), 1)))
    assert list(arrived.trial.architecture) == ["z", "a", "m"]
    assert arrived.trial.architecture.key == architecture.key


@pytest.mark.parametrize("noise", [b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x02{}", b"\xff\xff\xff\xffhello"])
def test_noise_is_refused(noise):
    """What is no message raises, before a gigabyte is waited for."""
    assert LONGEST < 2**32 - 1
    with pytest.raises(msgspec.MsgspecError):
        Inbox(Message).feed(noise)


def test_what_is_not_json_cannot_be_sent():
    """A note that holds an object is the sender's mistake, found by the sender."""
    trial = Trial(0, Architecture({}), Fidelity(), reason={"rank": math})
    with pytest.raises(TypeError, match="module has no JSON form"):
        pack(Assignment(trial, 1))
