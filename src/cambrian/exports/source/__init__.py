"""The source of a trained network in plain torch: its forward is recorded, then written as classes."""

from cambrian.exports.source.network_source import NetworkSource, write_source
from cambrian.exports.source.values import Unwritable

__all__ = ["NetworkSource", "Unwritable", "write_source"]
