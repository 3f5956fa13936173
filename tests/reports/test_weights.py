"""The report on weights: with whose a trial began, which were trained anew, supernets by themselves."""

import re

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
