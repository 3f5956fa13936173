"""A measure that is predicted from a table of operations' costs, which `cambrian latency` makes of a few
measured networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import msgspec
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.measure.latency_table import LatencyTable
from cambrian.networks.measure.operation_totals import count_operations


@dataclass(frozen=True)
class PredictedLatency:
    """The seconds of a forward of one image, as the table in the file `table` predicts them: on a network
    without weights, for a device that need not be here."""

    table: str = ""

    unit: ClassVar[str] = "s"
    images: ClassVar[int] = 1
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.table:  # said when it is named, and not in the middle of a search
            read_table(self.table)

    def needs_weights(self, device: str) -> bool:
        return False

    def protocol(self, device: str) -> str:
        table = read_table(self.table)
        return (
            f"predicted from {table.measurements} measurements of {table.measured} on {table.device}, rank"
            f" correlation {table.rank_correlation:.2f}"
        )

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        _images, channels, height, width = batch.shape
        return read_table(self.table).predict(count_operations(network, (channels, height, width)))


def read_table(path: str) -> LatencyTable:
    """The table in a file. Raises UsageError where there is none."""
    if not path:
        raise UsageError(
            "predicted_latency needs a table of a device: make one by `cambrian latency`, and name it as"
            " predicted_latency(table=latency.json)"
        )
    try:
        return _read_table(path, Path(path).stat().st_mtime_ns)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"predicted_latency: {path!r} is not a table of latencies ({error}): make one by"
            " `cambrian latency`"
        ) from error


@lru_cache(16)
def _read_table(path: str, changed: int) -> LatencyTable:
    return msgspec.json.decode(Path(path).read_bytes(), type=LatencyTable)
