"""Spaces, trials and stories for the tests of `delivery`."""

from dataclasses import dataclass

import numpy as np

from cambrian.architecture import Architecture, replay
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Objective
from cambrian.reports.contents import Story
from cambrian.reports.tested import Mistake, Tested
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.space import Graph, Pick, Space
from cambrian.weights import Inherit, Shared

EVIL = "<script>document.title='owned'</script>"
STAGES = [("image", "1x8x8"), ("stem", "16x8x8"), ("cell x 2", EVIL), ("linear", "10")]


@dataclass(frozen=True)
class Nested(Space):
    """Has no graph: drawn as the tree of its answers."""

    def program(self, pick: Pick) -> object:
        pick("stem/op", ("conv", EVIL))
        pick.some("stem/skips", ("a", "b"), 0, 2)
        return pick.integer("head", 1, 3)

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


@dataclass(frozen=True)
class Named(Nested):
    """Draws a graph whose labels and groups are what the answers say."""

    def graph(self, architecture):
        op = architecture["stem/op"]
        return Graph((f"in {op}", op, "add", "out"), ((0, 1), (0, 2), (1, 2), (2, 3)), ("", op, op, ""))


def nested(op=EVIL):
    return Architecture({"stem/op": op, "stem/skips": ("a", "b"), "head": 2})


def cells(count, blocks=3, seed=0):
    """Random cells of the PNAS space."""
    rng = np.random.default_rng(seed)
    space = PNAS()
    return [replay(space, {"blocks": blocks}, lambda c: c.draw(rng)) for _ in range(count)]


def random_trials(rng, count):
    """Trials of every kind of ending, with predictions from the second level on."""
    trials = []
    for n, cell in enumerate(cells(count, seed=int(rng.integers(1000)))):
        kind = rng.integers(8)
        cost = float(rng.integers(1, 9))
        note = {"level": 1 + n // 6}
        if n >= 6:
            note["predicted"] = float(rng.integers(5)) / 4
        outcome = Done(float(rng.integers(20)) / 20, {"params": 10.0, EVIL: cost}, seconds=cost)
        if kind == 0:
            outcome = Infeasible("nan", f"loss {EVIL}", seconds=cost)
        if kind == 1:
            outcome = Crashed(f"ValueError: {EVIL}", f"Traceback {EVIL}", seconds=cost)
        if kind == 2:
            outcome = None
        cached = 0 if kind == 3 and n else None
        trials.append(Trial(n, cell, Fidelity(), reason=note, outcome=outcome, cached=cached))
    return trials


def finals(trials, values=(0.9, 0.95, 0.94)):
    roles = ("finalist", "winner", "baseline random")
    return [
        Trial(
            10**9 + i,
            t.architecture,
            Fidelity(9),
            "final",
            role,
            outcome=Done(v, {"params": 77.0, "macs": 5e3}),
        )
        for i, (role, v, t) in enumerate(zip(roles, values, trials))
    ]


def full_tested():
    """A network that takes five of seven images for their class, with hostile names."""
    mistakes = (Mistake(3, EVIL, "b", 0.97, b"png"), Mistake(9, "b", EVIL, 0.5, b"png"))
    return Tested((EVIL, "b"), {(0, 0): 3, (0, 1): 1, (1, 0): 1, (1, 1): 2}, 7, 360, mistakes)


def full_story(count=30):
    """Everything a report can show, with hostile names everywhere."""
    trials = random_trials(np.random.default_rng(3), count)
    ended = finals(trials)
    supernet = Trial(count, trials[0].architecture, Fidelity(), "supernet", method={"name": EVIL})
    anew = Done(0.5, {EVIL: 3.0}, data={"anew": EVIL})
    late = [
        Trial(count + 1, trials[1].architecture, Fidelity(), weights=Inherit(0, EVIL), outcome=anew),
        Trial(count + 2, trials[2].architecture, Fidelity(), weights=Shared(count), outcome=anew),
    ]
    return Story(
        EVIL,
        PNAS(),
        [*trials, supernet, *late, *ended],
        winner=ended[1],
        tested=full_tested(),
        settings={"space": {"name": EVIL, "arguments": {"blocks": 5}}, EVIL: [EVIL]},
        plan=[("data", EVIL)],
        stages=STAGES,
        task={"name": EVIL, "metric": "accuracy", "labels": [EVIL, "b"], "test": 360},
        seconds={"search": 100.0, "final": 20.0, EVIL: 1.0},
        table1=[{"surrogate": EVIL, "b=1": 0.91}, {"surrogate": "lstm", "b=1": None}],
        versions={"torch": EVIL},
        events=[(1.7e9, EVIL, {"reason": EVIL})],
        more_objectives=(Objective(EVIL, True),),
    )
