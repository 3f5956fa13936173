"""TensorBoard's event files, written without TensorBoard.

A file is a row of records (TensorFlow's TFRecord): the length in eight bytes, its checksum, the data, their
checksum, all little-endian. The data of a record are an `Event` as protocol buffer (tensorflow/core/util/
event.proto, tensorflow/core/framework/summary.proto), of which a scalar needs five fields.
"""

from __future__ import annotations

import struct

VERSION = "brain.Event:2"
"""The version that the first event of each file names."""


def encode_version(at: float) -> bytes:
    """The record of the first event."""
    return encode_record(_field_double(1, at) + _field_bytes(3, VERSION.encode()))


def encode_scalar(name: str, value: float, step: int, at: float) -> bytes:
    """The record of one number; `at` is a Unix time."""
    # Summary.Value: tag = 1, simple_value = 2. Summary: value = 1. Event: wall_time = 1, step = 2, and
    # summary = 5.
    number = _field_bytes(1, name.encode()) + b"\x15" + struct.pack("<f", _clip(value))
    return encode_record(
        _field_double(1, at) + b"\x10" + _varint(step) + _field_bytes(5, _field_bytes(1, number))
    )


def encode_record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def checksum(data: bytes) -> int:
    """CRC-32C (Castagnoli).

    >>> hex(checksum(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    # Turned and shifted, as TFRecord wants it: a checksum of data that hold their own checksum is weak.
    crc = checksum(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _make_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            # The polynomial 0x1EDC6F41, its bits reversed.
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _make_table()
_LARGEST = 3.4028234e38


def _clip(value: float) -> float:
    """The value within the range of single precision; NaN stays what it is."""
    return max(-_LARGEST, min(_LARGEST, value)) if value == value else value


def _varint(number: int) -> bytes:
    """
    >>> _varint(300)
    b'\\xac\\x02'
    """
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _field_double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _field_bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data
