"""A picture of a command and its output, as a terminal shows them.

`python benchmarks/terminal_picture.py OUT.svg search digits --budget 1m` runs that command and
draws all that it prints."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

WIDTH = 120


def run_command(arguments: list[str]) -> str:
    """All that `cambrian` prints with these arguments, in a folder of its own."""
    command = [sys.executable, "-m", "cambrian", *arguments]
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        return done.stdout.replace(f"{folder}/", "")


def draw_terminal(command: str, output: str) -> str:
    """An SVG that fetches nothing: the reader's own fixed-width font is used."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    for line in output.splitlines():
        console.print(Text(line.rstrip()))
    svg = console.export_svg(title="cambrian", unique_id="cambrian")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    path, arguments = Path(sys.argv[1]), sys.argv[2:]
    path.write_text(draw_terminal(f"cambrian {' '.join(arguments)}", run_command(arguments)))
