"""Messages in a stream of bytes: JSON documents, each behind its length in four bytes.

JSON and not pickle, so that reading a message can never run code.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from cambrian.codec import decode, encode

_LENGTH = struct.Struct(">I")

LONGEST = 1 << 28
"""Bytes of the longest message believed; a length beyond it is noise on the channel."""


def pack(message: Any) -> bytes:
    """The bytes that an `Inbox` at the other end reads as `message`."""
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """Reads messages of type `kind` out of a stream of bytes, in whatever pieces these arrive."""

    def __init__(self, kind: Any) -> None:
        self._kind, self._buffer = kind, bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that `data` completes. Raises `msgspec.MsgspecError` for bytes that are not one."""
        self._buffer += data
        messages: list[Any] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > LONGEST:  # said now, and not after waiting for bytes that never come
                raise msgspec.DecodeError(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(decode(bytes(self._buffer[_LENGTH.size : end]), self._kind))
            del self._buffer[:end]
        return messages
