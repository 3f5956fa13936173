"""The page of `cambrian watch` and a report in a real browser, by clicks and photographs, on a desktop and a
phone."""

from __future__ import annotations

import pytest
from test_watch import begin, serve

from browser import CHROMIUM, DESKTOP, PHONE, open_browser
from cambrian.outcome import Done

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def fits(page):
    """Whether nothing is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_run_is_watched_and_clicked(page, tmp_path, size, dark):
    """A trial that ends is seen without reloading; a heading sorts, and stays so when trials come; a trial
    opens and closes, and says that it cannot where the server has ended; the page fits its width, says no
    error, and its address no longer holds the token."""
    ledger = begin(tmp_path / "run", 6, running=1)
    with serve(tmp_path / "run") as server:
        page.open(f"http://{server.host}/?token={server.token}", size, dark)
        page.wait_for("document.querySelector('#trials tbody tr')")
        assert page.evaluate("location.search") == ""
        assert page.evaluate("document.cookie") == ""
        assert fits(page)
        ledger.record([(6, 1, Done(0.95, seconds=1.0), 9.0)])
        page.wait_for("document.querySelector('#tiles').textContent.includes('0.95')")
        page.click("#trials th:nth-child(2) button")
        best = "document.querySelector('#trials tbody tr').textContent.startsWith('trial 6')"
        assert page.evaluate(best)
        ledger.remember(budget={"trials": 20})
        ledger.note("stop", reason="over")
        page.wait_for("document.querySelector('#trials th[aria-sort=descending]')")
        assert page.evaluate(best)
        page.click("#trials tbody tr:nth-child(2) .open")
        page.wait_for("document.querySelector('#detail[open] svg')")
        page.photograph(tmp_path / "detail.png", whole=False)
        assert fits(page)
        page.click("#detail .close")
        assert not page.evaluate("document.querySelector('#detail').open")
        assert page.photograph(tmp_path / "page.png").stat().st_size > 10_000
    page.wait_for("document.querySelector('#line').textContent.includes('trying again')")
    page.click("#trials tbody tr:nth-child(2) .open")
    page.wait_for("document.querySelector('#detail[open]')?.textContent.includes('cannot be shown')")
    ledger.close()
    # A server that is gone is the browser's one complaint, and not the page's fault.
    assert [p for p in page.problems if "ERR_CONNECTION" not in p and "ERR_INCOMPLETE" not in p] == []
    page.problems.clear()


def test_a_script_in_a_name_does_not_run(page, tmp_path):
    """The names and errors of the run hold one that would change the title."""
    begin(tmp_path / "run").close()
    with serve(tmp_path / "run") as server:
        page.open(f"http://{server.host}/?token={server.token}", DESKTOP)
        page.wait_for("document.querySelector('#failures section')")
        page.click("#failures summary")
        page.click(".open[data-open='trial/1']")
        page.wait_for("document.querySelector('#detail[open]')")
        assert page.evaluate("document.title") == "run: cambrian watch"


def test_without_the_token_there_is_no_page(page, tmp_path):
    """One sentence in its place."""
    with serve(tmp_path / "run") as server:
        page.open(f"http://localhost:{server.host.partition(':')[2]}/", PHONE)
        assert "needs the token" in page.evaluate("document.body.textContent")
    page.problems.clear()
