"""Tables of one's own: what is read from a file, what is refused, and that searches work on them."""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import pytest
from published import raw, told

from cambrian.architecture import Architecture, completions, sample
from cambrian.benchmarks import Benchmark, benchmark, play, table
from cambrian.errors import (
    CambrianError,
    DataError,
    IllegalArchitecture,
    RunChanged,
    Unbuildable,
    UnknownName,
)
from cambrian.estimators.tabular import Tabular
from cambrian.neighbourhood import neighbours
from cambrian.outcome import Infeasible
from cambrian.randomness import stream
from cambrian.referee import compare
from cambrian.search.identity.agreement import same_settings
from cambrian.search.search import Search
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.progressive import Progressive
from commands import run_command
from published_tables import needs_tables

KINDS = ("conv", "pool", "none")


def written(path, header, rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]))
    return path


@pytest.fixture
def small(tmp_path):
    """Two questions of text, one of numbers; value 100 a + 10 b + width, worth half of it on the test."""
    rows = [
        (a, b, width, 100 * i + 10 * j + width, 50 * i + 5 * j + width / 2, 1000 * i + j)
        for (i, a), (j, b), width in product(enumerate(KINDS), enumerate(KINDS), (1, 2))
    ]
    return written(tmp_path / "small.csv", ("a", "b", "width", "valid_acc", "test_acc", "params"), rows)


def cell(a="conv", b="pool", width=2):
    return Architecture({"a": a, "b": b, "width": width})


def test_a_table_in_one_call(small):
    """Questions, options in the file's order, objective, test and metrics, all by usual names."""
    found = table(small)
    assert found.name == "small"
    assert found.space.questions == ("a", "b", "width")
    assert list(completions(found.space, {})) == [cell(*row) for row in product(KINDS, KINDS, (1, 2))]
    outcome = told(found, cell())
    assert (outcome.value, outcome.metrics) == (12, {"params": 1})
    assert (found.test(cell()), found.optimum) == (6, 111)
    with pytest.raises(Unbuildable, match="looked up, not built"):
        found.space.build(cell(), Shape())


def test_a_file_that_has_changed_is_read_anew(small, tmp_path, monkeypatch):
    """When it is asked for again, by either name; a search that goes on keeps its rows."""
    monkeypatch.chdir(tmp_path)
    first, again = table(small), benchmark("small.csv")
    written(small, ("a", "valid_acc"), [("conv", 1), ("pool", 2), ("new", 3)])
    assert told(first, cell()).value == 12
    assert again.test(cell()) == 6
    for changed in (benchmark("small.csv"), table(small)):
        assert (changed.space.count, changed.optimum) == (3, 3)
        assert told(changed, Architecture({"a": "new"})).value == 3


def test_columns_by_name(small):
    """Another objective, no metric, and times; without a test column the objective is reported."""
    found = table(small, "params", "valid_acc", metrics=(), seconds="test_acc")
    outcome = told(found, cell())
    assert (outcome.value, outcome.metrics, outcome.seconds) == (1, {}, 6)
    assert found.timed
    assert benchmark(f"{small}:params:valid_acc").test(cell()) == 12
    assert table(small, "valid_acc", "valid_acc", questions=("a", "b", "width")).optimum == 222


def test_npz_is_the_same_table(small, tmp_path):
    """Columns as arrays: the same benchmark, numbers of any kind being answers."""
    rows = [line.split(",") for line in small.read_text().splitlines()]
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    arrays = {k: np.array(v) if k in "ab" else np.array(v, float) for k, v in columns.items()}
    np.savez(tmp_path / "small.npz", **arrays | {"width": arrays["width"].astype(np.int8)})
    found = table(tmp_path / "small.npz")
    for architecture in completions(table(small).space, {}):
        assert told(found, architecture) == told(table(small), architecture)


def test_numbered_operations(tmp_path):
    """Questions coded as numbers: those up to which every combination is there once, not what follows,
    nor the number of the row."""
    codes = list(product(range(3), repeat=3))
    rows = [(n, *code, sum(code), n / 7) for n, code in enumerate(codes)]
    path = written(tmp_path / "coded.csv", ("row", "x", "y", "z", "layers", "value"), rows)
    found = table(path)
    assert found.space.questions == ("x", "y", "z")
    assert found.estimator.metrics == ("row", "layers")


def test_rows_that_are_not_there(tmp_path):
    """Of a table with gaps only rows are drawn, each as likely as any other, and neighbours are rows."""
    rows = [(a, b, n) for n, (a, b) in enumerate(product(KINDS, KINDS)) if (a, b) != ("conv", "pool")]
    found = table(written(tmp_path / "gaps.csv", ("a", "b", "value"), rows))
    drawn = [sample(found.space, stream(n, "gaps")) for n in range(2000)]
    counts = [sum(d["a"] == a and d["b"] == b for d in drawn) for a, b, _ in rows]
    assert sum(counts) == 2000
    assert sum((c - 250) ** 2 / 250 for c in counts) < 24.3  # 99.9 % of chi squared with 7 degrees
    near = neighbours(found.space, Architecture({"a": "none", "b": "pool"}), stream(0))
    assert all(told(found, architecture).value >= 0 for architecture in near)
    with pytest.raises(IllegalArchitecture, match="has no row"):
        told(found, Architecture({"a": "conv", "b": "pool"}))


def test_questions_that_are_not_always_asked(tmp_path):
    """An empty cell was not asked; a row is found by what was."""
    rows = [("conv", 3, 0.5), ("conv", 5, 0.6), ("pool", "", 0.4)]
    found = table(written(tmp_path / "some.csv", ("kind", "size", "value"), rows), questions=("kind", "size"))
    every = list(completions(found.space, {}))
    assert [dict(a) for a in every] == [
        {"kind": "conv", "size": 3},
        {"kind": "conv", "size": 5},
        {"kind": "pool"},
    ]
    assert [told(found, a).value for a in every] == [0.5, 0.6, 0.4]


CONDITIONAL = [
    ("conv", 3, "", 0.5, 0.4, 0.9, 7),
    ("conv", 5, "", 0.6, 0.7, 0.8, 5),
    ("dense", "", "relu", 0.7, 0.3, 0.1, 3),
    ("dense", "", "tanh", 0.55, 0.9, 0.2, 2),
    ("pool", "", "", 0.4, 0.5, 0.3, 1),
]
COLUMNS = ("kind", "size", "unit", "valid_acc", "test_acc", "test_seed1", "seconds")


def conditional(folder, suffix):
    """The table above as a `.csv`, or as an `.npz` whose absent answers are NaN and empty text."""
    path = folder / f"some{suffix}"
    if suffix == ".csv":
        return written(path, COLUMNS, CONDITIONAL)
    columns = dict(zip(COLUMNS, map(list, zip(*CONDITIONAL, strict=True)), strict=True))
    columns["size"] = [size or np.nan for size in columns["size"]]
    np.savez(path, **{name: np.array(values) for name, values in columns.items()})
    return path


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
@pytest.mark.parametrize("guessed", [True, False])
@pytest.mark.parametrize("test", ["test_acc", "test_seed1"])
def test_the_test_score_of_questions_that_are_not_always_asked(tmp_path, suffix, guessed, test):
    """Of every row it is what the row says, whichever column it is, whether the questions were named or
    not; and searches of several seeds end with that of the row that is best on the objective."""
    settings = {} if guessed else {"questions": COLUMNS[:3]}
    found = table(conditional(tmp_path, suffix), test=test, seconds="seconds", **settings)
    assert found.space.questions == COLUMNS[:3]
    place = COLUMNS.index(test)
    rows = {tuple(str(a) for a in row[:3] if a != ""): row for row in CONDITIONAL}
    every = list(completions(found.space, {}))
    assert len(every) == len(rows)
    for architecture in every:
        row = rows[tuple(map(str, architecture.values()))]
        assert found.test(architecture) == row[place]
        assert (told(found, architecture).value, told(found, architecture).seconds) == (row[3], row[6])
    assert found.optimum == max(row[place] for row in CONDITIONAL)
    for strategy in ("random", "evolution"):
        for seed in range(3):
            assert play(found, strategy, 40, seed).test[-1] == CONDITIONAL[2][place]


def test_a_space_of_ones_own_finds_its_rows(tmp_path):
    """Without the names of the questions a row is found by what was asked; answers that several rows have
    are refused."""
    estimator = Tabular(str(conditional(tmp_path, ".csv")), "valid_acc")
    space = table(estimator.table).space
    for seed in range(5):
        result = Search(space, "random", estimator, budget=8, seed=seed).run()
        assert all(t.value in {row[3] for row in CONDITIONAL} for t in result.trials)
    with pytest.raises(DataError, match="rows 1 and 2 have the same answers to kind"):
        told(Benchmark("x", space, estimator, float, 0), Architecture({"kind": "conv"}))


def test_values_that_are_not_there(tmp_path):
    """A row without its objective is a trial that failed, not a mistake."""
    found = table(written(tmp_path / "nan.csv", ("kind", "value"), [("conv", 0.5), ("pool", "")]))
    assert told(found, Architecture({"kind": "pool"})) == Infeasible("nan", "the value is nan")
    assert len(play(found, "random", 20).trials) == 20


def test_progressive_search_on_a_depth(tmp_path):
    """A column of depths makes a table grow: the best chain of three is found in the order of levels."""
    rows = [
        (n, *chain, *[""] * (3 - n), sum(KINDS.index(k) for k in chain) + n)
        for n in (1, 2, 3)
        for chain in product(KINDS, repeat=n)
    ]
    path = written(tmp_path / "chains.csv", ("depth", "op1", "op2", "op3", "value"), rows)
    found = table(path, questions=("depth", "op1", "op2", "op3"), depth="depth")
    played = play(found, Progressive(keep=6, surrogate="ridge"), 30)
    levels = [found.space.know(Grows).level(t.architecture) for t in played.trials]
    assert levels == sorted(levels)
    assert played.value[-1] == found.optimum == 9


@pytest.mark.parametrize("strategy", ["random", "evolution", "hill-climbing"])
def test_strategies_find_the_best_row(small, strategy):
    """Of 18 rows in 100 trials, through the loop every search runs by."""
    assert play(table(small), strategy, 100, seed=1).test[-1] == 111


def test_a_search_goes_on_by_name(small, tmp_path):
    """Space and estimator of a table have names: a run in a directory is resumed from there."""
    found = table(small)
    Search(found.space, "random", found.estimator, budget=5).run(tmp_path / "run")
    result = Search.resume(tmp_path / "run", 12).run(tmp_path / "run")
    straight = Search(found.space, "random", found.estimator, budget=12).run()
    assert [(t.architecture, t.value) for t in result.trials] == [
        (t.architecture, t.value) for t in straight.trials
    ]


def test_nothing_goes_on_with_another_table(small, tmp_path):
    """A run and a comparison of a file that has other values since are refused, though its best is the same;
    a run that was begun before the file's digest was kept goes on."""
    found = table(small)
    Search(found.space, "random", found.estimator, budget=5).run(tmp_path / "run", quiet=True)
    compare(found, "hill-climbing", seeds=1, budget=5, directory=tmp_path / "compared")
    text = small.read_text()
    small.write_text(text.replace("\nconv,conv,1,", "\nconv,conv,1,1", 1))
    assert small.read_text() != text
    with pytest.raises(RunChanged, match="the table's file has changed"):
        Search.resume(tmp_path / "run", 12).run(tmp_path / "run", quiet=True)
    again = table(small)
    assert again.optimum == found.optimum
    with pytest.raises(RunChanged, match="the table's file has changed"):
        compare(again, "hill-climbing", seeds=2, budget=5, directory=tmp_path / "compared")
    small.rename(small.with_suffix(".moved.csv"))
    with pytest.raises(RunChanged, match="the table's file is not where it was"):
        Search.resume(tmp_path / "run", 12).run(tmp_path / "run", quiet=True)
    small.with_suffix(".moved.csv").rename(small)
    now = Search(again.space, "random", again.estimator).settings()
    same_settings({name: value for name, value in now.items() if name != "table"}, now, None)


@needs_tables
def test_nas_bench_201_as_anybodys_table(tmp_path):
    """The published table written as a CSV gives searches the trials that the built-in one gives."""
    from cambrian.spaces.cells.nasbench201.space import PATHS, NASBench201

    published, names = raw("nb201/nb201_accuracy.npz"), NASBench201.operations
    rows = zip(published["ops"].tolist(), published["c10_val_200"], published["c10_test_200"], strict=True)
    lines = [(*(names[c] for c in codes), valid, test) for codes, valid, test in sorted(rows)]
    own = table(written(tmp_path / "nb201.csv", (*PATHS, "valid_acc", "test_acc"), lines))
    mine, theirs = (play(found, "random", 50, seed=4) for found in (own, benchmark("nb201-cifar10")))
    assert mine.test == pytest.approx(theirs.test)
    assert mine.value / 100 == pytest.approx(theirs.value)


BAD = {
    "no file": (None, {}, "there is no table"),
    "no rows": ("a,value\n", {}, "has no rows"),
    "nothing": ("", {}, "has no rows"),
    "ragged": ("a,value\nx,1\ny\n", {}, "row 2 has 1 cells, the header 2"),
    "twice named": ("a,a,value\nx,y,1\n", {}, "name each column once, got 'a'"),
    "no objective": ("a,score\nx,1\n", {}, "no column named valid_acc: which is the objective"),
    "wrong name": ("a,valid_acc\nx,1\ny,2\n", {"objective": "valid_ac"}, "did you mean 'valid_acc'"),
    "words as values": (
        "a,value\nx,good\ny,bad\n",
        {},
        "'value' must be a column of numbers, but row 1 has 'good'",
    ),
    "one word": ("a,value\nx,1\ny,\nz,n/a\n", {}, "but row 3 has 'n/a'"),
    "words as seconds": ("a,value,t\nx,1,2s\n", {"seconds": "t"}, "the column of seconds 't' must be a"),
    "words as a metric": ("a,value,b\nx,1,p\n", {"metrics": ("b",)}, "the metric 'b' must be a column of"),
    "no test": ("a,value,test\nx,1,1\ny,2,\n", {}, "row 2 has a value but no test"),
    "no seconds": ("a,value,t\nx,1,1\ny,,\n", {"seconds": "t"}, "row 2 has no t: fill it in"),
    "no value": ("a,value\nx,\ny,\n", {}, "no row has a value"),
    "no questions": ("value,params\n1,2.5\n2,3.5\n", {}, "no column that could be a question"),
    "wrong question": ("a,value\nx,1\ny,2\n", {"questions": ("b",)}, "unknown column"),
    "same rows": ("a,value\nx,1\nx,2\n", {}, "rows 1 and 2 have the same answers"),
    "half asked": ("a,b,value\nx,p,1\nx,,2\ny,q,3\n", {"questions": ("a", "b")}, "row 2 has no 'b'"),
    "binary": (b"\xff\xfe\x00a", {}, "cannot read"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_one_sentence(tmp_path, case):
    """Whatever is wrong is said when the table is given, with the file and what is expected."""
    content, settings, sentence = BAD[case]
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DataError, UnknownName), match=sentence) as error:
        table(path, **settings)
    assert "bad.csv" in str(error.value)


def test_headers_are_stripped_as_cells_are(tmp_path):
    """Blanks around a name are no part of it, nor do they make two names of one."""
    (tmp_path / "wide.csv").write_text("op1 , op2, valid_acc\nconv , pool, 1\npool, pool ,2\n")
    found = table(tmp_path / "wide.csv")
    assert found.space.questions == ("op1", "op2")
    assert told(found, Architecture({"op1": "pool", "op2": "pool"})).value == 2
    (tmp_path / "twice.csv").write_text("a, a,value\nx,y,1\n")
    with pytest.raises(DataError, match="name each column once, got 'a'"):
        table(tmp_path / "twice.csv")


def test_a_row_without_a_value_needs_no_test(tmp_path):
    """Nobody could have measured it; it is never the best."""
    path = written(tmp_path / "t.csv", ("kind", "value", "test"), [("a", 1, 5), ("b", "", ""), ("c", 2, 7)])
    found = table(path)
    assert play(found, "random", 12).test[-1] == found.optimum == 7


def test_one_array_is_no_table(tmp_path):
    """What numpy.save wrote has no columns, whatever the file is called."""
    with (tmp_path / "bad.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(
        DataError, match=r"bad\.npz: it is one array, as numpy\.save writes it: expected arrays"
    ):
        table(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_damaged_npz(tmp_path, content):
    """An `.npz` that is none is named."""
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*bad\.npz"):
        table(tmp_path / "bad.npz")


def test_arrays_that_are_no_columns(tmp_path):
    """Matrices, objects and columns of different lengths are refused."""
    np.savez(tmp_path / "matrix.npz", a=np.zeros((2, 2)), value=np.zeros(2))
    with pytest.raises(DataError, match=r"'a' is float64\[2, 2\], expected a column"):
        table(tmp_path / "matrix.npz")
    np.savez(tmp_path / "lengths.npz", a=np.zeros(3), value=np.zeros(2))
    with pytest.raises(DataError, match="different lengths"):
        table(tmp_path / "lengths.npz")


def test_a_column_the_estimator_does_not_find(small):
    """Misspelt columns are answered with the nearest."""
    with pytest.raises(UnknownName, match="did you mean 'params'"):
        told(
            benchmark(str(small)).__class__.of_table(
                "x", table(small).space, Tabular(str(small), "param"), np.ones(18)
            ),
            cell(),
        )


def test_published_tables_that_are_not_there(monkeypatch, tmp_path):
    """Without CAMBRIAN_DATA, without the file, with a damaged one: a sentence that says what to do."""
    from cambrian.estimators.tables.published_files import read_arrays

    monkeypatch.delenv("CAMBRIAN_DATA", raising=False)
    with pytest.raises(DataError, match=r"needs the table nb201/x\.npz: set CAMBRIAN_DATA to the folder"):
        read_arrays("nb201/x.npz", "ops")
    monkeypatch.setenv("CAMBRIAN_DATA", str(tmp_path))
    (tmp_path / "nb201").mkdir()
    with pytest.raises(
        DataError, match=r"there is no table .*nb201/x\.npz: put it there, or set CAMBRIAN_DATA"
    ):
        read_arrays("nb201/x.npz", "ops")
    (tmp_path / "nb201" / "x.npz").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match=r"nb201/x\.npz is damaged or another file .*: fetch it anew"):
        read_arrays("nb201/x.npz", "ops")
    np.savez(tmp_path / "nb201" / "x.npz", other=np.zeros(1))
    with pytest.raises(DataError, match=r"x\.npz is damaged or another file .*'ops"):
        read_arrays("nb201/x.npz", "ops")


def test_unknown_benchmarks():
    """The nearest name, and how a table is written."""
    with pytest.raises(UnknownName, match="did you mean 'nb201-cifar10'"):
        benchmark("nb201-cifr10")
    with pytest.raises(CambrianError, match=r"write it as TABLE\.csv, TABLE\.csv:OBJECTIVE"):
        benchmark("mine.csv:a:b:c")


def run(folder, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "CAMBRIAN_DATA"}
    return run_command("search", *arguments, place=folder, environment=environment)


def test_search_on_a_table_from_the_command_line(small, tmp_path):
    """One command: what was taken for questions, the best row, its test score; then a run directory."""
    done = run(tmp_path, "--benchmark", "small.csv", "--strategy", "random", "--budget", "60")
    assert done.returncode == 0, done.stderr
    said = "questions: a, b, width; objective: valid_acc, higher is better; further metrics: params"
    assert said in done.stdout
    assert "test of the best: 111 (the highest there is: 111)" in done.stdout
    rows = [(kind, 10 * len(kind), len(kind)) for kind in KINDS]
    written(tmp_path / "timed.csv", ("kind", "seconds", "value"), rows[1:])
    timed = run(tmp_path, "--benchmark", "timed.csv", "--strategy", "random", "--budget", "2")
    assert "cost of a measurement: seconds; further metrics: none" in timed.stdout
    assert (tmp_path / "runs" / "small-1" / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--benchmark", "nb201-cifar10"], "set CAMBRIAN_DATA to the folder"),
        (["--benchmark", "nb201-cifar"], "did you mean 'nb201-cifar10'"),
        (["--benchmark", "small.csv", "--strategy", "progressive"], "needs a space whose architectures grow"),
        (["--benchmark", "small.csv", "--strategy", "randm"], "did you mean 'random'"),
    ],
)
def test_mistakes_on_the_command_line(small, tmp_path, arguments, sentence):
    """Exit code 2, one sentence, no traceback."""
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_whole_number_that_decides_is_a_question(tmp_path):
    """A depth says which operations there are, and a size alone tells rows apart: both are asked, in the
    order of the columns, and neither the number of a row nor a metric of whole numbers is."""
    rows = [(9, 1, "conv", "", 5, 1), (8, 1, "pool", "", 6, 2), (7, 2, "conv", "pool", 5, 3)]
    path = written(tmp_path / "depths.csv", ("row", "depth", "op1", "op2", "layers", "value"), rows)
    assert table(path).space.questions == ("depth", "op1", "op2")
    rows = [("conv", 3, 50, 1), ("conv", 5, 51, 2), ("pool", "", 52, 3)]
    path = written(tmp_path / "sizes.csv", ("kind", "size", "params", "value"), rows)
    assert table(path).space.questions == ("kind", "size")


def test_costs_are_no_questions(tmp_path):
    """Whole numbers that repeat are no answers where the column's name says that they are a cost, whether the
    questions tell the rows apart or nothing but a cost does; and seconds are the cost of a measurement, where
    no row lacks them, and a metric."""
    rows = [("conv", 16, 9, 310, 5, 3), ("conv", 32, 8, 250, 4, 2), ("pool", 32, 7, 310, 5, 3)]
    header = ("op", "width", "valid_acc", "seconds", "params", "latency_ms")
    found = table(written(tmp_path / "few.csv", header, rows))
    assert found.space.questions == ("op", "width")
    assert found.estimator.metrics == ("seconds", "params", "latency_ms")
    assert told(found, Architecture({"op": "pool", "width": 32})).seconds == 310
    gap = [*rows, ("pool", 16, 7, "", 5, 3)]
    assert not table(written(tmp_path / "gap.csv", header, gap)).timed
    alone = [("conv", 9, 310), ("conv", 8, 250), ("pool", 7, 310)]
    says = r"rows 1 and 2 have the same answers to op: .* \(seconds: by name no question but a cost\)"
    with pytest.raises(DataError, match=says):
        table(written(tmp_path / "alone.csv", ("op", "valid_acc", "seconds"), alone))


@pytest.mark.parametrize(("separator", "mark"), [(";", ","), (";", "."), ("\t", "."), ("|", ".")])
def test_tables_of_other_separators(tmp_path, separator, mark):
    """As spreadsheets write them, with semicolons where a comma is in numbers: the same table as with
    commas."""
    rows = [("conv, wide", 16, 0.75), ("conv, wide", 32, 0.5), ("pool", 16, 1.25), ("pool", 32, 2)]
    lines = [("op", "width", "valid_acc"), *rows]
    text = "\n".join(separator.join(str(cell).replace(".", mark) for cell in line) for line in lines)
    (tmp_path / "other.csv").write_text(text + "\n")
    found = table(tmp_path / "other.csv")
    assert found.space.questions == ("op", "width")
    values = {architecture: told(found, architecture).value for architecture in completions(found.space, {})}
    assert {tuple(map(str, a.values())): value for a, value in values.items()} == {
        (op, str(width)): value for op, width, value in rows
    }


def test_words_are_no_cost(tmp_path):
    """A column of words is a question whatever its name: a cost is measured in numbers."""
    rows = [("conv", 16, "none", 9), ("conv", 32, "lstm", 8), ("pool", 32, "gru", 7)]
    found = table(written(tmp_path / "words.csv", ("op", "width", "memory", "valid_acc"), rows))
    assert "memory" in found.space.questions
    alone = [("none", 1), ("lstm", 2), ("gru", 3)]
    assert table(written(tmp_path / "alone.csv", ("memory", "valid_acc"), alone)).space.questions == (
        "memory",
    )


def test_matrices_of_an_npz_are_questions(tmp_path):
    """A matrix of codes or words is a question for each of its columns, named by its place; one whose
    columns have other names already is refused."""
    codes = np.array(list(product(range(3), repeat=4)))
    value, widths = codes @ (1, 2, 3, 4), np.tile([4, 8, 16], 27)
    np.savez(tmp_path / "codes.npz", ops=codes, value=value, width=widths)
    found = table(tmp_path / "codes.npz")
    assert found.space.questions == ("ops0", "ops1", "ops2", "ops3")
    assert (found.optimum, found.space.count, found.estimator.metrics) == (20, 81, ("width",))
    np.savez(tmp_path / "twice.npz", ops=codes, ops1=value, value=value)
    with pytest.raises(DataError, match="two columns would be called 'ops1': rename the array"):
        table(tmp_path / "twice.npz")


REPEATED = [("conv", 0, 1.0, 4.0), ("pool", 0, 3.0, 5.0), ("conv", 1, 2.0, 6.0), ("conv", 2, "", 5.0)]


def test_repeated_rows_are_replicates_where_asked(tmp_path):
    """Their mean is the value, of those that were measured; or one of them is, which the seed draws: each is
    drawn, and always the same by one seed. The test is the mean in both, and no row is lost."""
    path = written(tmp_path / "r.csv", ("kind", "seed", "value", "test"), REPEATED)
    conv = Architecture({"kind": "conv"})
    mean = table(path, replicates="mean")
    assert (mean.space.questions, mean.space.count) == (("kind",), 2)
    assert (told(mean, conv).value, mean.test(conv), mean.optimum) == (1.5, 5.0, 5.0)
    drawn = table(path, replicates="seed")
    assert drawn.test(conv) == 5.0
    values = []
    for seed in range(40):
        courses = [play(drawn, "random", 6, seed).trials for _ in range(2)]
        values += [t.value for t in courses[0] if t.architecture == conv]
        assert [t.value for t in courses[0]] == [t.value for t in courses[1]]
    assert set(values) == {1.0, 2.0, None}


def test_repeated_rows_are_refused_where_nobody_asked(tmp_path):
    """The sentence names the options that mend it, and an unknown way to read them is refused."""
    path = written(tmp_path / "r.csv", ("kind", "value"), [("conv", 1), ("pool", 3), ("conv", 2)])
    with pytest.raises(DataError, match="rows 1 and 3 have the same answers to kind: keep one"):
        table(path)
    with pytest.raises(CambrianError, match="--replicates is mean or seed, got 'median'"):
        table(path, replicates="median")


@pytest.mark.parametrize("name", ["mine.json.gz", "mine.csv.gz", "tables/mine.parquet"])
def test_other_formats_are_refused_with_those_that_are_read(name):
    """Whether there is such a file or not."""
    with pytest.raises(DataError, match=r"tables are read from \.csv files with a header and from \.npz"):
        benchmark(name)
    with pytest.raises(DataError, match=r"tables are read from \.csv files with a header and from \.npz"):
        table(name)


def test_questions_of_a_table_on_the_command_line(small, tmp_path):
    """They are named by their columns, as is the depth; the first line says how many rows there are."""
    done = run(tmp_path, "--benchmark", "small.csv", "--questions", "b, a,width", "--depth", "width",
               "--strategy", "random", "--budget", "5")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("18 rows; questions: b, a, width; objective: valid_acc")
