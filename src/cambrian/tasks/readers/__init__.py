"""Readers: one file per format. Each is a frozen dataclass whose `examples()` lists labelled images."""

from __future__ import annotations

from cambrian.registry import Registry

READERS = Registry(
    "reader",
    {
        "digits": "cambrian.tasks.readers.digits:Digits",
        "fashion-mnist": "cambrian.tasks.readers.idx:FashionMnist",
        "masks": "cambrian.tasks.readers.masks:Masks",
        "folder": "cambrian.tasks.readers.folder:Folder",
        "sounds": "cambrian.tasks.readers.sounds:Sounds",
        "corpus": "cambrian.tasks.readers.corpus:Corpus",
        "texts": "cambrian.tasks.readers.texts:Texts",
        "npz": "cambrian.tasks.readers.npz:Npz",
        "idx": "cambrian.tasks.readers.idx:Idx",
        "csv": "cambrian.tasks.readers.csv:Csv",
        "memory": "cambrian.tasks.readers.memory:Memory",
    },
)
"""All formats."""

TASKS = Registry(
    "data set",
    {
        "digits": "cambrian.tasks.readers.digits:Digits",
        "fashion-mnist": "cambrian.tasks.readers.idx:FashionMnist",
    },
)
"""Data sets known by name."""
