"""The report: whole for every kind of run, inert, and readable on a phone."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from msgspec.structs import replace

import cambrian
from cambrian.estimators.function import Function
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.reports import tested
from cambrian.reports.contents import Story
from cambrian.reports.report import report_html
from cambrian.reports.verdict import verdict
from cambrian.spaces.cells.pnas import PNAS
from report_cases import EVIL, Nested, cells, finals, full_story, nested, random_trials

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Tags, texts and attributes of a page; fails where tags do not close in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def failed_story():
    outcome = Infeasible("oom", "could not get 7 GB")
    trials = [Trial(n, c, Fidelity(), outcome=outcome) for n, c in enumerate(cells(30))]
    return Story("failing", PNAS(), trials)


STORIES = {
    "full": full_story,
    "empty": lambda: Story("empty", PNAS(), []),
    "failed": failed_story,
    "running": lambda: Story("running", PNAS(), [Trial(0, cells(1)[0], Fidelity())]),
    "one": lambda: Story("one", Nested(), [Trial(0, nested(), Fidelity(), outcome=Done(3.0))]),
}


@pytest.mark.parametrize("name", STORIES)
def test_every_kind_of_run_has_a_report(name):
    """Well-formed, made for phones, and asking nothing of the network."""
    html = report_html(STORIES[name]())
    found = Page(html)
    assert ("name", "viewport") in found.attributes
    loading = {"href", "srcset", "data", "action"}
    assert not loading & {key for key, _ in found.attributes}
    assert all(value.startswith("data:image/png;base64,") for key, value in found.attributes if key == "src")
    assert not re.search(r"url\(|@import", html)


def test_scripts_in_names_are_inert():
    """A script in the names of data, classes, settings, failures, table and events is text."""
    html = report_html(full_story())
    found = Page(html)
    assert "script" not in found.tags
    assert not any(key.startswith("on") for key, _ in found.attributes)
    assert found.text.count(EVIL) >= 10
    assert "default-src 'none'" in html


def test_the_report_shows_what_the_run_found():
    """Values, roles, sizes, levels, failures, table, plan, versions and the sampling measure."""
    text = Page(report_html(full_story())).text
    for shown in (
        *("95.00 %", "94.00 %", "winner", "baseline random", "77", "5,000"),
        *("Spearman's rho", "level 3", "0.91", "lstm", "nan:", "crashed:", "ValueError", "Traceback"),
        *("2023-11-14 22:13:20 UTC", "training and scoring trials"),
        PNAS().measure,
    ):
        assert shown in text


def test_many_failures_are_told_and_cut():
    """Thirty failures of one kind: twenty listed, the rest counted."""
    text = Page(report_html(failed_story())).text
    assert text.count("could not get 7 GB") == 20
    assert "and 10 more" in text


def test_verdicts_say_what_came_out():
    """A sentence for each kind of run; the noise of a test of so many images is two standard errors of
    a difference of shares."""
    assert verdict(STORIES["empty"]()) == "Nothing has been measured yet."
    assert verdict(STORIES["failed"]()) == ("None of the 30 evaluations gave a value: most often oom (30).")
    assert verdict(STORIES["one"]()) == (
        "The best of 1 architecture measured so far reaches 3; no final network has been trained."
    )
    trials = [t for t in random_trials_done(10)]
    task, ended = {"metric": "accuracy", "test": 400}, finals(trials)
    story = Story("x", PNAS(), [*trials, *ended], task=task, winner=ended[1])
    assert verdict(story) == (
        "The network found reaches 95.00 % on the test images. It was chosen on validation among 10 trained "
        "architectures. Finished in the same way, a random architecture reaches 94.00 %. This is one run on "
        "400 test images: differences below 3.1 points say little."  # 2 * sqrt(2 * .95 * .05 / 400) = .0308
    )


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("r2", -0.5, "reaches -50.00 % on the test images."),
        ("balanced-accuracy", 0.9, "reaches 90.00 % on the test images."),
        ("roc-auc", 0.9, "reaches 0.9 (roc-auc) on the test images."),
    ],
)
def test_the_error_by_chance_is_that_of_right_answers(metric, value, said):
    """Two standard errors of a share say nothing of an r2, which may be below 0, or a mean over classes."""
    trials = random_trials_done(10)
    ended = finals(trials, (value, value, value / 2))
    tested = {"test_loss": 1.0}
    ended = [replace(t, outcome=replace(t.outcome, metrics=tested)) for t in ended]
    task = {"metric": metric, "test": 400}
    text = verdict(Story("x", PNAS(), [*trials, *ended], task=task, winner=ended[1]))
    assert said in text
    assert "a random architecture reaches" in text
    assert "say little" not in text


def test_a_baseline_over_a_limit_is_said_to_be():
    """One that is measured after the training, as a latency: a comparison with it would not be fair."""
    trials = random_trials_done(10)
    said = [
        verdict(Story("x", PNAS(), finals(trials), winner=finals(trials)[1], settings={"limits": limits}))
        for limits in ({}, {"macs": 5e3}, {"params": 80.0, "macs": 4e3})
    ]
    assert said[0] == said[1]
    assert "0.94. The baseline random is over the limit on macs, which the winner had to keep." in said[2]


@pytest.mark.parametrize(
    ("facts", "noun"), [({"columns": [{}]}, "rows"), ({"rendering": {"text": {}}}, "texts"), ({}, "images")]
)
def test_examples_are_called_what_they_are(facts, noun):
    """In the verdict, above the table of the data, and in the section on the test part."""
    trials = random_trials_done(10)
    task = {"metric": "accuracy", "test": 400, "channels": 1, "height": 2, "width": 3, **facts}
    account = tested.Tested(("a", "b"), {(0, 0): 2, (0, 1): 1, (1, 1): 3}, 6, 9)
    story = Story(
        "x", PNAS(), [*trials, *finals(trials)], task=task, winner=finals(trials)[1], tested=account
    )
    said = verdict(story)
    assert f"95.00 % on the test {noun}. " in said
    assert f"one run on 400 test {noun}: " in said
    text = Page(report_html(story)).text
    assert f"On the test {noun}" in text
    assert f"6 of 9 test {noun}, evenly" in text
    assert noun == "images" or "test images" not in text


def test_the_verdict_of_a_training_without_a_search():
    """`cambrian train` has no trials, only a network and its score."""
    (winner,) = finals(random_trials_done(1), (0.9,))
    story = Story("x", PNAS(), [winner], task={"metric": "accuracy", "test": 400}, winner=winner)
    assert verdict(story) == "The network trained reaches 90.00 % on the test images."


def test_what_was_a_baseline_can_win_later():
    """A continued run delivers the row its last choice names: a baseline's then is no baseline beside
    itself, and the winner before it is called so."""
    trials = random_trials_done(10)
    ended = finals(trials)
    task = {"metric": "accuracy", "test": 400}
    story = Story("x", PNAS(), [*trials, *ended], task=task, winner=ended[2])
    assert verdict(story).startswith("The network found reaches 94.00 % on the test images.")
    assert "random" not in verdict(story)
    assert "an earlier winner" in Page(report_html(story)).text


def random_trials_done(count):
    return [Trial(n, c, Fidelity(), outcome=Done(0.5)) for n, c in enumerate(cells(count))]


def test_random_runs_have_reports():
    """Nothing in the mixture of endings, repeats and predictions trips it."""

    for seed in range(5):
        rng = np.random.default_rng(seed)
        Page(report_html(Story("x", PNAS(), random_trials(rng, int(rng.integers(1, 25))))))


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>addEventListener("load", () => {
  const page = document.createElement("iframe");
  page.style.cssText = "width:390px;height:800px;border:0";
  page.srcdoc = REPORT;
  page.onload = () => {
    const found = page.contentDocument.documentElement;
    document.title = `${found.scrollWidth} ${found.clientWidth} ${page.contentDocument.title}`;
  };
  document.body.append(page);
})</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to look at the report with")
def test_a_phone_shows_the_report_without_scrolling_sideways(tmp_path):
    """At 390 pixels nothing is wider than the page, and its title is what it was: no script ran."""
    import json

    report = json.dumps(report_html(full_story())).replace("</", "<\\/")
    (tmp_path / "probe.html").write_text(f"<body>{PROBE.replace('REPORT', report)}</body>")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [CHROMIUM, *flags, "--virtual-time-budget=5000", "--dump-dom", f"file://{tmp_path / 'probe.html'}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    title = re.search(r"<title>(\d+) (\d+) (.*?)</title>", done.stdout)
    assert title, done.stderr[-500:]
    assert title[1] == title[2]
    assert "owned" in title[3] and title[3].startswith("Architecture search")  # noqa: PT018


def test_a_result_has_doors_to_export_and_report(tmp_path):
    """`result.report(...)` writes what `cambrian.report(result, ...)` does; the package opens both."""
    counted = Function(lambda architecture, fidelity: 1.0, builds=False)
    result = cambrian.Search("tiny-chain", "random", counted, budget=3).run()
    written = result.report(tmp_path / "one.html")
    assert written.read_text() == cambrian.report(result, tmp_path / "two.html").read_text()
    with pytest.raises(cambrian.CambrianError):
        result.export(tmp_path / "out")
