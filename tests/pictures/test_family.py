"""The family tree: who descends from whom, checked by brute force, and links that never cross."""

import itertools
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.pictures.draw import family_tree
from cambrian.pictures.family_tree import MANY, Family, rows, steps
from cambrian.testing.gallery import evolve
from report_cases import EVIL, cells

CELLS = cells(8)


@st.composite
def families(draw, most=40):
    """Trials some of which have a parent; some failed."""
    n = draw(st.integers(2, most))
    parents = [None] + [draw(st.one_of(st.none(), st.integers(0, i - 1))) for i in range(1, n)]
    parents[-1] = draw(st.integers(0, n - 2))
    values = [draw(st.one_of(st.none(), st.integers(0, 9))) for _ in range(n)]
    return trials_of(parents, values)


def trials_of(parents, values):
    return [
        Trial(
            i,
            CELLS[i % len(CELLS)],
            Fidelity(),
            parent=parent,
            outcome=Infeasible("nan") if value is None else Done(value / 10),
        )
        for i, (parent, value) in enumerate(zip(parents, values))
    ]


NESTED = trials_of([None, 0, 0, 1, 3, 3, 1], range(7, 0, -1))
"""A link that passes a row which the line of an earlier branch would else take."""


@settings(max_examples=30)
@given(families())
def test_ancestors_and_children_by_brute_force(trials):
    """An ancestor is what some chain of parents leads to."""
    family = Family.of(trials)
    for t in trials:
        chain, at = [], t.number
        while at is not None:
            chain.insert(0, at)
            at = trials[at].parent
        assert family.ancestors(t.number) == chain
        assert family.children()[t.number] == [c.number for c in trials if c.parent == t.number]
    for t in trials:
        offspring = sum(t.number in family.ancestors(c.number) for c in trials)
        assert family.sizes()[t.number] == offspring
    values = [t.value for t in trials if t.value is not None]
    assert not values or trials[family.best()].value == max(values)


@settings(max_examples=30)
@given(families())
@example(NESTED)
def test_links_do_not_cross(trials):
    """A link goes down at its parent's number and along its child's row: no two trials in one place, and no
    way down through another line."""
    family = Family.of(trials)
    winner = family.best()
    row = rows(family, winner)
    line = family.ancestors(winner)
    assert len({(n, row[n]) for n in row}) == len(trials)
    if family.children()[line[0]]:
        assert {row[n] for n in line} == {0}
    links = [(t.parent, t.number) for t in trials if t.parent is not None]
    for (p, c), (q, d) in itertools.permutations(links, 2):
        assert row[c] >= row[p]
        assert p == q or not (row[p] < row[d] < row[c] and q <= p <= d)
        assert row[c] != row[d] or c <= q or d <= p


def test_a_thinned_family_keeps_the_winners_line():
    """Of a thousand trials few are drawn, but every ancestor of the winner and of the latest, and the best
    child of each of the winner's."""
    trials = evolve(1000)
    family = Family.of(trials)
    winner = family.best()
    kept = family.thin_out(winner)
    assert len(kept.trials) < 400
    assert kept.ancestors(winner) == family.ancestors(winner)
    assert kept.ancestors(999) == family.ancestors(999)
    for n in family.ancestors(winner):
        if children := family.children()[n]:
            assert max(children, key=family.score) in kept.trials
    assert Family.of(trials[:MANY]).thin_out(0) == Family.of(trials[:MANY])


def test_a_thousand_trials_are_drawn_within_a_second():
    """Of processor time, in a picture that is no taller than a few screens."""
    trials = evolve(1000)
    start = time.process_time()
    drawing = family_tree(trials)
    root = ElementTree.fromstring(drawing.svg())
    assert time.process_time() - start < 1
    assert float(root.get("height")) < 3000
    assert len(str(drawing).splitlines()) == len(Family.of(trials).ancestors(Family.of(trials).best()))


def test_a_long_line_is_no_tall_picture():
    """Of a thousand steps the picture has the first and the last, and says how many are between; its text has
    all."""
    tree = family_tree(trials_of([None, *range(999)], range(1000)))
    assert len(str(tree).splitlines()) == 1000
    drawn = ElementTree.fromstring(tree.svg())
    assert float(drawn.attrib["viewBox"].split()[3]) < 2000
    texts = ["".join(node.itertext()) for node in drawn.iter() if node.tag.endswith("text")]
    assert "… 950 more …" in texts
    assert [text.split(":")[0] for text in texts if text.startswith("trial 9")][-1] == "trial 999"


def test_the_line_of_descent_says_what_changed():
    """A line per ancestor, with its value and the answers that are others than its parent's."""
    made = [
        Architecture({"a": 1, "b": "x"}),
        Architecture({"a": 2, "b": "x"}),
        Architecture({"a": 2, "b": EVIL}),
    ]
    trials = [
        Trial(n, a, Fidelity(), parent=n - 1 if n else None, outcome=Done(n / 10)) for n, a in enumerate(made)
    ]
    assert steps(Family.of(trials), 2) == [
        "trial 0: 0",
        "trial 1: 0.1, a: 1 → 2",
        f"trial 2: 0.2, b: x → {EVIL}",
    ]
    assert str(family_tree(trials, made[1])).splitlines()[-1] == "trial 1: 0.1, a: 1 → 2"
    tags = {e.tag.rsplit("}")[-1] for e in ElementTree.fromstring(family_tree(trials).svg()).iter()}
    assert "script" not in tags


@pytest.mark.parametrize("parent", [None, 99, 1])
def test_trials_without_parents_make_no_family(parent):
    """A sentence, also where the parent named is not there or is the trial itself."""
    trial = Trial(1, CELLS[0], Fidelity(), parent=parent, outcome=Done(np.pi))
    with pytest.raises(UsageError, match="parent"):
        family_tree([trial])
