"""Draw an architecture: its data-flow graph where the space knows it, else the tree of its answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cambrian.architecture import Architecture
from cambrian.delivery.drawings import cell_svg, network_svg, tree_svg
from cambrian.delivery.picture import picture
from cambrian.delivery.terminal import graph_text, tree_text
from cambrian.spaces.space import Graphs, Space

__all__ = ["network_svg", "png", "svg", "text"]


def svg(
    space: Space,
    architecture: Architecture,
    *,
    stages: Sequence[tuple[str, str]] = (),
    title: str | None = None,
) -> str:
    """The architecture as one self-contained SVG; `stages`, rows of (label, detail) from input to
    output, are drawn beside it as the network it is repeated in."""
    title = title or f"architecture {architecture.key}"
    if isinstance(space, Graphs):
        return cell_svg(picture(space.graph(architecture)), title, stages)
    return tree_svg(architecture, title)


def png(space: Space, architecture: Architecture, path: str | os.PathLike[str]) -> None:
    """The architecture as a bitmap, written to `path`."""
    from cambrian.delivery.raster import lines_png, picture_png

    if isinstance(space, Graphs):
        picture_png(picture(space.graph(architecture)), Path(path))
    else:
        lines_png(tree_text(architecture).splitlines(), Path(path))


def text(space: Space, architecture: Architecture) -> str:
    """The architecture for a terminal, a line for every block."""
    if isinstance(space, Graphs):
        return graph_text(space.graph(architecture))
    return tree_text(architecture)
