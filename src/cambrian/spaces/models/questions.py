"""The questions about a network, as values that know nothing of torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from cambrian.choices import Scalar
from cambrian.paths import Path, at

BLOCK, WIDTH, KERNEL, NORM, ACTIVATION = "block", "width", "kernel", "norm", "activation"
KEEP, DROP = "keep", "drop"


@dataclass(frozen=True)
class Reader:
    """A layer that reads a width: `pixels` of its inputs belong to each channel."""

    path: str
    pixels: int = 1


@dataclass(frozen=True)
class Question:
    """A question about the modules `members` of a network, whose own answer is `own`. Of a width the first
    member makes the channels, and the others have as many; `readers` read them. Of normalisations `before`
    are the layers before the members, into which they can be folded ("": none)."""

    kind: str
    path: Path
    options: tuple[Scalar, ...]
    own: Scalar
    members: tuple[str, ...]
    readers: tuple[Reader, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """Chances in sampling: the network's own answer as often as all others together, so that a random
        network differs from the user's in half of the answers."""
        others = len(self.options) - 1
        return tuple(float(others) if option == self.own else 1.0 for option in self.options)

    def is_asked(self, dropped: Collection[str]) -> bool:
        """Whether the question is there when these modules are dropped: some member is left, and of a width
        all of its layers."""
        touched = (*self.members, *(reader.path for reader in self.readers))
        gone = [is_within(path, dropped) for path in touched]
        return not any(gone) if self.kind == WIDTH else not all(gone)


@dataclass(frozen=True)
class Survey:
    """All questions about a network, and sentences on the parts of it that have none."""

    questions: tuple[Question, ...]
    fixed: tuple[str, ...] = field(default=())


def is_within(path: str, roots: Iterable[str]) -> bool:
    """Whether a module is one of `roots`, or a part of one.

    >>> is_within("layer1.0.conv1", ["layer1.0"]), is_within("layer1.01", ["layer1.0"])
    (True, False)
    """
    return any(path == root or path.startswith(f"{root}.") for root in roots)


def name_question(module: str, kind: str) -> Path:
    """The path of a question about a module: numbers in its name are places among modules that are alike.

    >>> name_question("layer1.0.conv1", "kernel").parts
    ('layer1.', 0, '.conv1/kernel')
    """
    parts: list[str | int] = [""]
    for n, piece in enumerate(module.split(".")):
        dot = "." if n else ""
        text = str(parts.pop()) if isinstance(parts[-1], str) else ""
        if piece.isdecimal() and str(int(piece)) == piece:
            parts += [text + dot, int(piece)] if text + dot else [int(piece)]
        else:
            parts.append(text + dot + piece)
    if isinstance(parts[-1], str):
        return at(*parts[:-1], f"{parts[-1]}/{kind}")
    return at(*parts, f"/{kind}")
