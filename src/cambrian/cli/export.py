"""`export`, `predict`: the trained network as files, and its use."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.cli.display.busy import busy
from cambrian.cli.display.panels import USE
from cambrian.counts import counted
from cambrian.errors import DataError


@app.command(
    rich_help_panel=USE,
    epilog="cambrian export runs/images-1 my-network\ncambrian export runs/images-1 my-network --onnx --int8",
)
def export(
    run: Run,
    out: Annotated[Path, typer.Argument(help="A directory to create.", show_default=False)],
    onnx: Annotated[
        bool,
        typer.Option("--onnx", help="Write program.onnx too, compared and timed in ONNX Runtime."),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Write program.int8.onnx too, with the accuracy that 8 bits cost."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the trained network as files that need torch alone, and check them."""
    from cambrian.exports import export as files
    from cambrian.exports.onnx_card import describe_in_words
    from cambrian.exports.predict import model_facts
    from cambrian.search.result import Result

    result = Result.open(run)
    with busy("writing the network, and comparing its outputs in a process of its own"):
        path = files.export(result, out, onnx=onnx, int8=int8)
    facts = model_facts(path)
    reason = facts.get("no_source")
    source = None if reason else path / files.SOURCE
    if as_json:
        cards = {name: facts[name] for name in ("no_source", "onnx", "int8") if name in facts}
        give({"export": path, "source": source} | cards)
        return
    say(f"wrote {path}: loaded without cambrian, same outputs")
    say(f"no network.py: {reason}" if reason else f"read it, train it further: {source}")
    for line in describe_in_words(facts):
        say(line)


@app.command(rich_help_panel=USE, epilog="cambrian predict my-network photo.jpg path/to/folder")
def predict(
    exported: Annotated[Path, typer.Argument(help="A directory that `cambrian export` wrote.")],
    files: Annotated[list[Path], typer.Argument(help="Image files or sounds, folders of them, or a .csv.")],
    out: Annotated[
        Path | None, typer.Option(help="A .csv file to write: file, label, probability.", show_default=False)
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="A folder to write the classes of pixels into, a PNG for each image.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict image files, all those in folders, or rows of a .csv with an exported network.

    Files that cannot be read are named and left out, and the exit code is 1 then."""
    from cambrian.exports.predict import check_table, model_facts, predict_files, write_table
    from cambrian.tasks import list_files

    if out is not None:
        check_table(out)
    # Said before the work, on standard error: a folder may hold more than the user expects.
    for folder in (file for file in files if file.is_dir()):
        rendering = model_facts(exported).get("rendering") or {}
        kind = next((kind for kind in ("sound", "text") if kind in rendering), "image")
        say(f"{folder}: a folder of {len(list_files([folder], rendering))} {kind}s", to_json=True)
    broken: list[DataError] = []
    with busy("predicting"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows = predict_files(exported, files, masks, broken)
    for warning in caught:
        say(f"note: {warning.message}", to_json=True)
    if masks is not None:
        say(f"wrote {masks}: {len(rows):,} masks", to_json=as_json)
    if out is not None:
        write_table(rows, out, str(model_facts(exported)["labels"][0]))
        say(f"wrote {out}: {len(rows):,} predictions", to_json=as_json)
    if as_json:
        give(rows)
    for row in rows if out is None and not as_json else ():
        sure = "" if row.probability is None else f" ({100 * row.probability:.1f} %)"
        say(f"{row.file}: {row.label or 'no label'}{sure}")
    if broken:
        for error in broken:
            say(f"cambrian: {error}", to_json=True)
        left = sum(len(error.places) for error in broken)
        say(f"{counted(left, 'file')} not predicted, {len(rows):,} predicted", to_json=True)
        raise typer.Exit(1)
