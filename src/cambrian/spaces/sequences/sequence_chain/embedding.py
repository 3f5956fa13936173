"""The vectors of a sequence's rows: of each row alone, and of the n-grams that end at it, which are hashed
into tables (Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification", Sec. 2.1; Bojanowski et
al. 2017, "Enriching Word Vectors with Subword Information", Sec. 3.2).

The code of a row is 0 where none of its numbers is positive, else 1 + the place of the greatest: of a text,
whose rows have one number for each character, it says which character the row has, normalised or not. The
number of the n-gram of codes c(1) to c(n) is

    sum of c(k) kinds^(n - k), modulo PRIME

with `kinds` of codes, and its row in the table of its length is that number, where the table has a row for
each, else a universal hash of it (Carter & Wegman 1979, Sec. 3): number * FACTOR modulo PRIME, modulo ROWS.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LENGTHS = (2, 3, 4, 5)
"""Rows of an n-gram; those of a single row are the linear layer's."""
ROWS = 1 << 14
"""The most vectors of n-grams of one length."""
PRIME, FACTOR = (1 << 31) - 1, 1103515245
"""Products of two numbers below the prime fit into 63 bits, so that all machines have the same."""


class NGrams(nn.Module):
    """A linear layer of each row, plus the vectors of the n-grams that end at it. Before the first row are
    rows of code 0. The vectors begin at 0, and so do those of n-grams that are never learned."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.kinds = features + 1
        self.rows = nn.Linear(features, width)
        sizes = [min(self.kinds**length, ROWS) for length in LENGTHS]
        self.tables = nn.ModuleList(_make_table(size, width) for size in sizes)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, steps, features) -> (n, steps, width)."""
        out: Tensor = self.rows(rows)
        numbers = number_ngrams(read_codes(rows), self.kinds, max(LENGTHS))
        for length, table in zip(LENGTHS, self.tables, strict=True):
            out = out + table(choose_rows(numbers[length - 1], self.kinds**length))
        return out


def _make_table(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    nn.init.zeros_(table.weight)
    return table


def read_codes(rows: Tensor) -> Tensor:
    """(n, steps, features) -> int64 (n, steps), 0 to features."""
    greatest, place = rows.max(2)
    return torch.where(greatest > 0, place + 1, 0)


def number_ngrams(codes: Tensor, kinds: int, longest: int) -> list[Tensor]:
    """Int64 (n, steps) each: the numbers of the n-grams of 1 to `longest` codes that end at each step.

    >>> [each.tolist() for each in number_ngrams(torch.tensor([[1, 2, 3]]), 10, 3)]
    [[[1, 2, 3]], [[1, 12, 23]], [[1, 12, 123]]]
    """
    numbers = [codes]
    for back in range(1, longest):
        earlier = F.pad(codes, (back, 0))[:, : codes.shape[1]]
        numbers.append((numbers[-1] + earlier * pow(kinds, back, PRIME)) % PRIME)
    return numbers


def choose_rows(numbers: Tensor, count: int) -> Tensor:
    """The rows of n-grams of which there are `count`."""
    return numbers if count <= ROWS else numbers * FACTOR % PRIME % ROWS
