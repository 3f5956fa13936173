"""Work on each of many files, with one error for all that are broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cambrian.errors import DataError
from cambrian.tasks.images.image_files import quiet, refuse_broken

BLOCK = 256
"""Files per piece of work handed to a thread."""

T = TypeVar("T")


def for_each(work: Callable[[int], T], places: Sequence[str], noun: str = "images") -> list[T]:
    """`[work(0), work(1), ...]` on two threads, since Pillow decodes without the GIL. One error names all
    files that cannot be used, by their `places`; `noun` is the kind of them."""

    def attempt(row: int) -> T | DataError:
        try:
            return work(row)
        except DataError as error:
            return error

    def block(start: int) -> list[T | DataError]:
        return [attempt(i) for i in range(start, min(start + BLOCK, len(places)))]

    results: list[T] = []
    errors: dict[int, DataError] = {}
    with quiet(), ThreadPoolExecutor(2) as pool:
        # `map` keeps the order, so that of several errors the same one comes first every time.
        blocks = pool.map(block, range(0, len(places), BLOCK))
        for row, result in enumerate(result for results in blocks for result in results):
            if isinstance(result, DataError):
                errors[row] = result
            else:
                results.append(result)
    if errors:
        broken = [places[row] for row in errors]
        refused = refuse_broken([*errors.values()], broken, noun)
        refused.places = tuple(broken)
        raise refused
    return results
