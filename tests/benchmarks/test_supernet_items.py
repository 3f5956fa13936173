"""`benchmarks/supernets.py`: what it does, in which order, and how long its trainings are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cambrian.search.parts.compatibility import trains_supernets
from cambrian.strategies import STRATEGIES

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """The script, and those that it imports from its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import supernet_seconds
        import supernets

        yield supernets, supernet_seconds
    for name in (
        "supernets",
        "supernet_seconds",
        "supernet_subjects",
        "supernet_ranking",
        "supernet_figures",
    ):
        sys.modules.pop(name, None)


def test_every_strategy_with_a_supernet_is_searched_with(scripts: Any) -> None:
    """With the table's space, or one of its own; each item has a name of its own, beside random search of
    the same space, and a first seed of everything comes before a second one."""
    supernets, _ = scripts
    items = supernets.list_items(supernets.Size(seeds=2))
    methods = {item.method.partition("(")[0] for item in items if item.part in ("search", "own")}
    wanted = {name for name in STRATEGIES.names() if trains_supernets(STRATEGIES.make(name))}
    assert methods == wanted | {"random"}
    assert len({item.name for item in items}) == len(items)
    rivals = {item.space for item in items if item.method == "random"}
    assert rivals == {item.space for item in items if item.part in ("search", "own")}
    searches = [item.seed for item in items if item.part == "search"]
    assert searches == sorted(searches)
    shares = [items[share::3] for share in range(3)]
    assert sorted(item.name for part in shares for item in part) == sorted(item.name for item in items)


def test_a_length_is_found_by_two_short_searches(scripts: Any, tmp_path: Path) -> None:
    """Of ten seconds around five for each epoch, 110 hold twenty; what is known is not measured again."""
    _, seconds = scripts
    measured: list[int] = []

    def measure(epochs: int) -> float:
        measured.append(epochs)
        return 10.0 + 5.0 * epochs

    place = tmp_path / "pace" / "darts.json"
    for _ in range(2):
        assert seconds.find_amount(place, 110.0, measure, (4, 10)) == 20
    assert measured == [4, 10]
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_seconds_add_up_over_sessions(scripts: Any, tmp_path: Path) -> None:
    """By row; a line that a kill left unfinished is left out, and does not spoil the next one."""
    _, seconds = scripts
    path = tmp_path / "processor.jsonl"
    path.write_text("[0, 1.5]\n[0, 2.0]\n[1, 4.0]\n[1, 3.")
    watch = seconds.Processor(path)
    watch.on_point(1, None)
    found = seconds.read_seconds(path)
    assert found[0] == 3.5
    assert found[1] == pytest.approx(4.0, abs=0.5)
