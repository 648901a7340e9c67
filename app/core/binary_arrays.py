"""Columns of rows as arrays in PostgreSQL's binary format. Pure.

psycopg's own dumper finds type and dimensions out from the values of each list, in Python: for a round of four awards
that cost as much as everything else of it. Here the type is known from the column. The format is that of
``array_send`` in PostgreSQL's source, src/backend/utils/adt/arrayfuncs.c.
"""

import struct
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiiii")  # one dimension, may hold nulls, element type, length, lower bound
_LENGTH = struct.Struct(">i")
_SMALLINT, _INTEGER, _BIGINT = struct.Struct(">ih"), struct.Struct(">ii"), struct.Struct(">iq")
_NULL = _LENGTH.pack(-1)
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_EPOCH_DAY = _EPOCH.toordinal()
_UUID_LENGTH = _LENGTH.pack(16)
_BOOLEANS = {False: _LENGTH.pack(1) + b"\x00", True: _LENGTH.pack(1) + b"\x01"}


class EncodedArray(bytes):
    """An array that is encoded already; the statement's cast says of which type."""

    __slots__ = ()


class EncodedArrayDumper(Dumper):
    """Sends an ``EncodedArray`` as it is."""

    format = Format.BINARY

    def dump(self, obj: EncodedArray) -> EncodedArray:
        """Return ``obj``."""
        return obj


def _text(value: str) -> bytes:
    return _LENGTH.pack(len(encoded := value.encode())) + encoded


_ELEMENTS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "boolean": (16, _BOOLEANS.__getitem__),
    "bytea": (17, lambda value: _LENGTH.pack(len(value)) + value),
    "bigint": (20, partial(_BIGINT.pack, 8)),
    "smallint": (21, partial(_SMALLINT.pack, 2)),
    "integer": (23, partial(_INTEGER.pack, 4)),
    "text": (25, _text),
    "date": (1082, lambda value: _INTEGER.pack(4, value.toordinal() - _EPOCH_DAY)),
    "timestamptz": (1184, lambda value: _BIGINT.pack(8, (value - _EPOCH) // _MICROSECOND)),
    "uuid": (2950, lambda value: _UUID_LENGTH + value.int.to_bytes(16, "big")),
}


def encode_array(sql_type: str, values: Iterable[Any]) -> EncodedArray:
    """Return ``values``, each of ``sql_type`` or None, as an array; raise struct.error for a number out of range."""
    oid, encode = _ELEMENTS[sql_type]
    elements = [_NULL if value is None else encode(value) for value in values]
    return EncodedArray(_HEADER.pack(1, 1, oid, len(elements), 1) + b"".join(elements))
