"""Read JSON strictly and write it fast.

The standard parser reads, because it can be told of duplicate keys and of numbers that JSON does not have; orjson,
which accepts the first and turns 2^64 into a float, only writes. What is wrong is told with its JSON pointer.
"""

import json
import math
import threading
from datetime import datetime
from typing import Any

import orjson

from app.core.clock import format_time
from app.core.errors import FAULTS_MAX, MalformedJson, ValidationProblem

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64


class _Odd:
    """Stands in the parsed tree for a number that the contract refuses, until its pointer is known."""

    def __init__(self, detail: str) -> None:
        self.detail = detail


class _Repeated(dict[str, Any]):
    """An object that had one key twice."""

    key = ""


def pointer(*parts: object) -> str:
    """Return the JSON pointer (RFC 6901) of ``parts``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class _Reader(threading.local):
    """A decoder a thread; ``odd`` says whether the last text held something that only a walk can locate."""

    def __init__(self) -> None:
        self.odd = False
        self.decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        ).decode

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.odd = True
        repeated = _Repeated(found)
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                repeated.key = key
                break
            seen.add(key)
        return repeated

    def _integer(self, text: str) -> int | _Odd:
        if len(text) < 16 or (len(text) < 18 and abs(int(text)) <= INTEGER_MAX):
            return int(text)
        self.odd = True
        return _Odd("must be an integer within ±(2^53−1)")

    def _float(self, text: str) -> float | _Odd:
        number = float(text)
        if math.isfinite(number):
            return number
        self.odd = True
        return _Odd("must be a finite number")

    def _constant(self, text: str) -> _Odd:
        self.odd = True
        return _Odd(f"{text} is not JSON")


_reader = _Reader()


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _faults(value: Any, path: tuple[object, ...], found: list[dict[str, str]]) -> None:
    if len(found) >= FAULTS_MAX:
        return
    if len(path) > DEPTH_MAX:
        found.append({"pointer": pointer(*path), "detail": f"nested deeper than {DEPTH_MAX} levels"})
        return
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            place = (*path, value.key) if _is_storable(value.key) else path
            found.append({"pointer": pointer(*place), "detail": "the key stands here more than once"})
        for key, inner in value.items():
            if not _is_storable(key):
                found.append({"pointer": pointer(*path), "detail": "a key holds a character that can't be stored"})
            else:
                _faults(inner, (*path, key), found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _faults(inner, (*path, index), found)
    elif isinstance(value, _Odd):
        found.append({"pointer": pointer(*path), "detail": value.detail})
    elif isinstance(value, str) and not _is_storable(value):
        found.append({"pointer": pointer(*path), "detail": "holds a character that can't be stored"})


def _set_apart(value: Any, standalone: str) -> list[Any] | None:
    """Put a problem in the place of each bad item of the list ``standalone``; return it where there is one."""
    items = value.get(standalone) if isinstance(value, dict) else None
    if not isinstance(items, list):
        return None
    for index, item in enumerate(items):
        found: list[dict[str, str]] = []
        _faults(item, (), found)
        if found:
            items[index] = ValidationProblem(found)
    return items


def loads(raw: bytes, standalone: str = "") -> Any:
    """Return the value of ``raw``.

    Raises MalformedJson where it is no UTF-8 JSON, and ValidationProblem with pointers for duplicate keys, NaN,
    infinities, integers beyond ±(2^53−1), NUL and lone surrogates. The tree is walked only where one may be. The items
    of the outermost object's list ``standalone`` stand alone: such a problem takes the place of its item, with
    pointers that begin there.
    """
    _reader.odd = False
    try:
        value = _reader.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedJson(f"Byte {error.start} is not UTF-8.") from error
    except RecursionError as error:
        raise ValidationProblem([{"pointer": "", "detail": f"nested deeper than {DEPTH_MAX} levels"}]) from error
    except ValueError as error:
        raise MalformedJson(str(error)) from error
    if _reader.odd or b"\\u" in raw:
        items = _set_apart(value, standalone)
        if items is not None:
            value[standalone] = []
        found: list[dict[str, str]] = []
        _faults(value, (), found)
        if found:
            raise ValidationProblem(found)
        if items is not None:
            value[standalone] = items
    return value


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def dumps(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON; times as RFC 3339 with ``Z``, UUIDs as strings."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)
