"""The report on weights: with whose a trial began, which were trained anew, supernets by themselves."""

import re

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.reports.contents import Story
from cambrian.reports.report import report_html
from cambrian.weights import FRESH, Continue, Inherit, Shared
from mocks import Toy

ANEW = "the training of row 1 is not kept any more"


def trial(number, weights=FRESH, kind="trial", **data):
    return Trial(
        number,
        Architecture({"q0": number}),
        Fidelity(),
        kind,
        weights=weights,
        method={"name": "uniform"} if kind == "supernet" else {},
        outcome=Done(number / 10, seconds=2.0, data=data),
    )


def cells(html, title):
    """The cells of the first table of a section, row by row."""
    section = re.search(rf"<h2>{title}</h2>.*?</section>", html).group()
    body = re.search(r"<tbody>(.*?)</tbody>", section).group(1)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>") if row]


def test_the_report_says_with_whose_weights_trials_began():
    """Each origin with the number of its trials, the commonest first."""
    trials = [trial(0, kind="supernet"), trial(1), trial(2, Shared(0)), trial(3, Shared(0))]
    trials += [trial(4, Inherit(2, "widen")), trial(5, Continue(1))]
    html = report_html(Story("weights", Toy(), trials))
    rows = cells(html, "Weights")
    assert rows[0] == ["the weights of supernet 0", "2"]
    assert {tuple(row) for row in rows[1:]} == {
        ("own first weights", "1"),
        ("the weights of trial 2, by widen", "1"),
        ("the training of trial 1, continued", "1"),
    }
    assert "trained anew" not in html


def test_the_report_says_which_trials_were_trained_anew():
    """With the reason that the training gave."""
    trials = [trial(1), trial(2, Continue(1), anew=ANEW)]
    html = report_html(Story("anew", Toy(), trials))
    assert "trained anew: 1" in html
    assert ANEW in html


def test_supernets_stand_by_themselves():
    """Not on the leaderboard, though their value may be the highest; with the trials they scored."""
    supernets = [trial(9, kind="supernet"), trial(10, Continue(9), kind="supernet", anew=ANEW)]
    trials = [*supernets, trial(1, Shared(9)), trial(2, Shared(9)), trial(3, Shared(10))]
    html = report_html(Story("one-shot", Toy(), trials))
    assert [row[1] for row in cells(html, "Leaderboard")] == ["3", "2", "1"]
    assert [[r[0], r[1], r[3], r[6], r[7]] for r in cells(html, "Supernets")] == [
        ["9", "uniform", "2", "its own", "–"],
        ["10", "uniform", "1", "supernet 9, continued", ANEW],
    ]


def test_a_run_without_shared_weights_says_nothing_of_them():
    """Neither section, nor a column of the leaderboard."""
    html = report_html(Story("plain", Toy(), [trial(1), trial(2)]))
    assert "<h2>Weights</h2>" not in html
    assert "<h2>Supernets</h2>" not in html
    assert "began with" not in html


def test_gates_show_their_course_and_their_collapse():
    """Of a training in chunks the last one; and the values of what was derived from it, side by side."""
    course = {"loss": [1.0, 0.8, 0.9], "eigenvalue": [0.1, None, 0.2], "skips": [0, 2, 4], "gates": {}}
    collapse = {"epoch": 3, "before": 2, "sign": "4 of 6 operations are skip connections"}
    supernets = [
        trial(0, kind="supernet", course=course),
        trial(1, Continue(0), kind="supernet", course=course, collapse=collapse),
    ]
    alone = msgspec.structs.replace(trial(3), reason={"shared": 0.9, "supernet": 1})
    html = report_html(Story("gates", Toy(), [*supernets, trial(2, Shared(1)), alone]))
    said = "collapsed in epoch 3: 4 of 6 operations are skip connections; the last epoch before it is 2"
    assert f"supernet 1, uniform: {said}" in html
    assert "supernet 0, uniform" not in html
    assert [row[7] for row in cells(html, "Supernets")] == ["–", said]
    assert cells(html, "Gates") == [["3", "1", "0.9", "0.3"]]
    for picture in ("mean validation loss", "largest eigenvalue of its Hessian"):
        assert picture in html


def test_a_supernet_without_gates_has_no_section_of_them():
    """Nor one whose training failed."""
    html = report_html(Story("plain", Toy(), [trial(0, kind="supernet"), trial(1, Shared(0))]))
    assert "<h2>Gates</h2>" not in html
