"""Values to JSON bytes and back: their only form in the ledger, in files and between processes."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from cambrian.architecture import Architecture

T = TypeVar("T")


def _encode(value: Any) -> Any:
    if isinstance(value, Architecture):
        return value.to_json()
    if hasattr(value, "item"):  # NumPy's scalars
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _decode(kind: type, value: Any) -> Any:
    if kind is Architecture:
        return Architecture.from_json(value)
    raise TypeError(f"{kind.__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_encode)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """JSON, compact, keys in the order of the value's fields."""
    return _encoder.encode(value)


def decode(data: bytes | str, kind: type[T] | Any) -> T:
    """The value of type `kind` in `data`. Raises msgspec.ValidationError if it has another type."""
    if kind not in _decoders:  # making a decoder costs more than reading a row with it
        _decoders[kind] = msgspec.json.Decoder(kind, dec_hook=_decode)
    value: T = _decoders[kind].decode(data)
    return value
