"""What a comparison leaves to be looked at: whole, inert, the same figures everywhere."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from referee_cases import climbing, line, toy

from cambrian.referee import Comparison, OnBenchmark
from cambrian.referee.figures import pictures
from cambrian.referee.page import write_all
from reseeding import default_rng

EVIL = "<script>document.title='owned'</script>"
SVG = "{http://www.w3.org/2000/svg}"


def comparison(strategies=("evolution", EVIL, "random"), seeds=12, budget=40, each=2.0):
    rng = default_rng(0)
    lines = {
        name: [line(name, seed, row, cost=each or 0.0, thinking=0.01) for seed, row in enumerate(rows)]
        for name, rows in ((n, climbing(rng, seeds, budget, 3.0 * (n == "evolution"))) for n in strategies)
    }
    return Comparison(OnBenchmark(toy(), budget, "toy", each), lines)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.attributes = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data + " "


def test_files(tmp_path):
    """A page that asks nothing of the network and runs nothing, pictures that are XML, figures as JSON."""
    given = comparison()
    names = {path.name for path in write_all(given, tmp_path)}
    assert names == {"comparison.html", "comparison.json", "evaluations.svg", "seconds.svg", "ranks.svg"}
    page = Page((tmp_path / "comparison.html").read_text())
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3
    assert not any(k in ("src", "href") for k, _ in page.attributes)
    for sentence in given.verdict + given.timed_verdict:
        assert sentence in page.text
    facts = json.loads((tmp_path / "comparison.json").read_text())
    assert facts["verdict"] == given.verdict
    assert facts["standings"][0]["strategy"] == "evolution"
    assert facts["standings"][0]["thinking"] == pytest.approx(0.01)
    assert facts["standings"][0]["estimator"] == pytest.approx(2.0)
    curve = facts["evaluations"]["curves"]["evolution"]
    assert curve["mean"] == pytest.approx(given.curves.scores[0].mean(axis=0).tolist(), rel=1e-5)
    assert all(low <= mean <= high for low, mean, high in zip(curve["low"], curve["mean"], curve["high"]))


def test_pictures_are_well_formed_and_say_all_names():
    """Every strategy is named in every picture, as text."""
    for svg in pictures(comparison()).values():
        texts = [e.text for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]
        for name in ("evolution", EVIL, "random"):
            assert any(str(text).startswith(name) for text in texts)


def test_the_bands_hold_their_lines():
    """At every drawn budget the mean lies inside the band: both are read off the picture."""
    root = ElementTree.fromstring(pictures(comparison())["evaluations"])
    paths = [e.get("d") for e in root.iter(f"{SVG}path") if e.get("d", "").count("L") > 20]
    closed, open_ = [p for p in paths if p.endswith("Z")], [p for p in paths if not p.endswith("Z")]
    assert len(closed) == len(open_) == 3
    for band, mean in zip(closed, open_):
        around, middle = points(band), points(mean)
        upper, lower = around[: len(middle)], around[len(middle) :][::-1]
        for (x, high), (_, y), (_, low) in zip(upper, middle, lower):
            assert high - 0.11 <= y <= low + 0.11, x  # downwards is more, in pixels


def points(data):
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", data)]
    return list(zip(numbers[::2], numbers[1::2]))


def test_the_rank_picture_is_to_scale():
    """Names hang from their mean rank: equally spaced ranks are equally far apart; alike ones are joined."""
    given = comparison(("random", "b", "c"))
    root = ElementTree.fromstring(pictures(given)["ranks"])
    starts = [points(e.get("d"))[0] for e in root.iter(f"{SVG}path") if e.get("class") == "flow"]
    ticks = sorted({x for x, y in starts if y < 44})
    assert len(ticks) == 3
    for name in given.judgement.order:
        x = ticks[0] + (given.judgement.rank(name) - 1) / 2 * (ticks[-1] - ticks[0])
        assert any(abs(x - start) < 0.11 for start, _ in starts)
    bars = [e for e in root.iter(f"{SVG}path") if e.get("stroke-width") == "4"]
    assert len(bars) == len(given.judgement.alike())


@pytest.mark.parametrize(("seeds", "budget", "each"), [(1, 1, None), (2, 3, 1.0), (6, 500, None)])
def test_the_smallest_and_longer_ones(tmp_path, seeds, budget, each):
    """One seed and one evaluation are a comparison too; without costs there is no picture over seconds."""
    given = comparison(("random", *"abcdefgh"), seeds, budget, each)
    names = {path.name for path in write_all(given, tmp_path)}
    assert ("seconds.svg" in names) == (each is not None)


def test_nothing_measured(tmp_path):
    """Searches without any incumbent are drawn too."""
    from cambrian.referee.line import Line

    lines = {name: [Line(name, s, (), (0.0,), (0.0,)) for s in range(2)] for name in ("a", "random")}
    given = Comparison(OnBenchmark(toy(), 1), lines)
    write_all(given, tmp_path)
    assert "a and random cannot be told apart after 1 evaluation." in given.verdict
