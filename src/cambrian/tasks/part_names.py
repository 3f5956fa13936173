"""Names of folders that are parts of a data set: Train, Training_Set, val2017, seg-test."""

from __future__ import annotations

import re

from cambrian.tasks.examples import PARTS, TEST, VALIDATION

WORDS = {**PARTS, "validate": VALIDATION, "devel": VALIDATION, "holdout": TEST}
FILLERS = {"set", "sets", "data", "dataset", "images", "image", "imgs", "img", "samples", "split", "part"}
FILLERS |= {"folder", "dir", "photos", "pictures", "pics"}
EVALUATION = {"eval", "evaluation"}
VEHICLE = "train"  # which pictures may show, too


def part_of(name: str) -> tuple[int, str] | None:
    """The part that the name says, and the rest of the name, such as that of the data set.

    >>> part_of("Training_Set"), part_of("seg-test"), part_of("trainimages"), part_of("bus station")
    ((0, ''), (2, 'seg'), (0, ''), None)
    """
    words = [_without_filler(word) for word in _words(name)]
    parts = [WORDS[word] for word in words if word in WORDS]
    rest = [w for w in words if w and w not in WORDS and w not in FILLERS and not w.isdigit()]
    # Two parts in one name (train_test) say nothing.
    return (parts[0], " ".join(rest)) if len(parts) == 1 else None


def says_evaluation(name: str) -> bool:
    """Whether the name says evaluation: a validation part, or the test part where no other folder is one."""
    return any(_without_filler(word) in EVALUATION for word in _words(name))


def _words(name: str) -> list[str]:
    whole = name.strip().lower()
    if whole in WORDS:
        return [whole]
    # Capitals, small letters, digits and other scripts apart: TrainSet, val2017.
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+", name)]


def _without_filler(word: str) -> str:
    stems = [word.removesuffix(f) for f in FILLERS if word.endswith(f)]
    return next((stem for stem in stems if stem in WORDS), word)
