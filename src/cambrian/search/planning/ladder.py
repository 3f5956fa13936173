"""How large a search may be, from a minute to the paper's own, as rungs of a ladder."""

from __future__ import annotations

import msgspec


class Rung(msgspec.Struct, frozen=True):
    """How large a search: B levels, K cells kept, each trained for `epochs` on at most `images` images
    with `filters` and `cells`; the final networks for `final_epochs` with `final_filters`, `final_cells`."""

    levels: int
    keep: int
    epochs: int
    images: int
    filters: int = 8
    cells: int = 2
    final_epochs: int = 15
    final_filters: int = 16
    final_cells: int = 3


LADDER = (
    Rung(2, 8, 4, 500, final_epochs=3, final_filters=8, final_cells=2),
    Rung(2, 16, 3, 1000, final_epochs=5, final_filters=8, final_cells=2),
    Rung(3, 16, 2, 1500, final_epochs=10, final_filters=16, final_cells=2),
    Rung(3, 28, 4, 2000, final_cells=2),
    Rung(3, 48, 4, 5000),
    Rung(4, 48, 4, 10_000, final_epochs=20),
    Rung(4, 64, 5, 15_000, final_epochs=30, final_filters=24),
    Rung(5, 64, 6, 20_000, 16, 3, final_epochs=40, final_filters=24, final_cells=6),
    Rung(5, 128, 10, 30_000, 16, 3, final_epochs=80, final_filters=32, final_cells=6),
    Rung(5, 256, 15, 45_000, 16, 6, final_epochs=200, final_filters=32, final_cells=9),
    Rung(5, 256, 20, 45_000, 24, 6, final_epochs=600, final_filters=48, final_cells=9),
)
"""From a minute to the paper's own (Sec. 5.1: B=5, K=256, 20 epochs of 45,000 images, F=24, N=2; then
F=48, N=3, 600 epochs)."""
