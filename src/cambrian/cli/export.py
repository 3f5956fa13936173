"""`export`, `predict`: the trained network as files, and its use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cambrian.cli.app import Json, Run, app, give, say
from cambrian.cli.panels import USE


@app.command(rich_help_panel=USE, epilog="cambrian export runs/images-1 my-network")
def export(
    run: Run,
    out: Annotated[Path, typer.Argument(help="A directory to create.", show_default=False)],
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx too.")] = False,
    as_json: Json = False,
) -> None:
    """Write the trained network as files that need torch alone, and check them."""
    from cambrian.exports import export as files
    from cambrian.search.result import Result

    path = files.export(Result.open(run), out, onnx=onnx)
    give({"export": path}) if as_json else say(f"wrote {path}: loaded without cambrian, same outputs")


@app.command(rich_help_panel=USE, epilog="cambrian predict my-network photo.jpg path/to/folder")
def predict(
    exported: Annotated[Path, typer.Argument(help="A directory that `cambrian export` wrote.")],
    files: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Classify image files with an exported network."""
    from cambrian.exports.predict import predict_files
    from cambrian.tasks import list_images

    # Said before the work, on standard error: a folder may hold more than the user expects.
    for folder in (file for file in files if file.is_dir()):
        say(f"{folder}: a folder of {len(list_images([folder]))} images", to_json=True)
    rows = predict_files(exported, files)
    if as_json:
        give(rows)
        return
    for row in rows:
        say(f"{row.file}: {row.label} ({100 * row.probability:.1f} %)")
