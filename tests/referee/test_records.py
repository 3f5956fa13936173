"""What a comparison remembers survives kills, and damage is found."""

import pytest
from referee_cases import line

from cambrian.errors import LedgerCorrupt, RunBusy, RunChanged, RunError
from cambrian.referee.records import LINES, SETTINGS, Records, read_settings

LINES_OF = [line("a", 0, [1.0, 2.0]), line("a", 1, [0.0, 0.5], thinking=0.25), line("b", 0, [3.0], ended="x")]


def filled(place):
    records = Records(place)
    for each in LINES_OF:
        records.add(each)
    records.close()
    return place / LINES


def opened(place):
    records = Records(place)
    records.close()
    return list(records.lines.values())


def test_lines_come_back(tmp_path):
    """Equal after reopening, and nobody else may write meanwhile."""
    filled(tmp_path)
    assert opened(tmp_path) == LINES_OF
    records = Records(tmp_path)
    with pytest.raises(RunBusy, match="at work in"):
        Records(tmp_path)
    records.close()


def test_every_cut_leaves_what_was_whole(tmp_path):
    """Cut anywhere, the file holds the lines before the cut, and takes more."""
    data = filled(tmp_path).read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(0, len(data), 7):
        (tmp_path / LINES).write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        records = Records(tmp_path)
        assert list(records.lines.values()) == LINES_OF[:whole]
        records.add(LINES_OF[2])
        records.close()
        assert LINES_OF[2] in opened(tmp_path)


def test_damage_is_found(tmp_path):
    """A changed digit, and a line that is none, are refused by file and number."""
    path = filled(tmp_path)
    data = path.read_bytes()
    for wrong in (data.replace(b"0.25", b"0.35"), data.replace(b'"seed":1', b'"sood":1')):
        path.write_bytes(wrong)
        with pytest.raises(LedgerCorrupt, match=rf"{LINES} is damaged in line 2: delete that line"):
            Records(tmp_path)


def asked(**strategies):
    return {"strategies": strategies, "seeds": 3}


def test_only_the_same_comparison_goes_on(tmp_path):
    """Another budget, or another strategy under a known label, is refused; a new label is welcome."""
    records = Records(tmp_path)
    records.agree({"space": None, "budget": 3}, asked(a={"name": "random"}))
    records.agree({"space": None, "budget": 3}, asked(b={"name": "evolution"}))
    with pytest.raises(RunChanged, match="budget was 3, now 4"):
        records.agree({"space": None, "budget": 4}, asked())
    with pytest.raises(RunChanged, match="another strategy as 'a'"):
        records.agree({"space": None, "budget": 3}, asked(a={"name": "evolution"}))
    records.close()
    assert read_settings(tmp_path)["strategies"] == {"a": {"name": "random"}, "b": {"name": "evolution"}}
    assert read_settings(tmp_path)["asked"] == asked(b={"name": "evolution"})


def test_a_directory_without_a_comparison(tmp_path):
    """Said, and so is a damaged settings file."""
    with pytest.raises(RunError, match="holds no comparison"):
        read_settings(tmp_path)
    (tmp_path / SETTINGS).write_text("{")
    with pytest.raises(LedgerCorrupt, match="is damaged"):
        read_settings(tmp_path)
