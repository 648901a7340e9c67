"""Lists by keyset, with authenticated cursors: a changed or foreign one is ``invalid_cursor``."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import current_app

from app.core.errors import InvalidCursor
from app.core.schemas import Integer, Schema, Text

LIMIT_MAX = 100
LIMIT_DEFAULT = 20
_TAG_BYTES = 16


class PageQuery(Schema):
    """The query of every list."""

    limit = Integer(minimum=1, maximum=LIMIT_MAX, load_default=LIMIT_DEFAULT, metadata={"example": LIMIT_DEFAULT})
    cursor = Text(maximum=1000, load_default=None, metadata={"description": "`next_cursor` of the page before"})

    def load(self, data: Any, **keywords: Any) -> Any:
        """Read the query; a limit stands there as digits, since a query string has no numbers."""
        if isinstance(data.get("limit"), str) and data["limit"].isascii() and data["limit"].isdigit():
            data = dict(data) | {"limit": int(data["limit"][:6])}
        return super().load(data, **keywords)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its rows and the cursor of the next, None on the last."""

    data: Sequence[Any]
    next_cursor: str | None


def _tag(payload: bytes, bound_to: str) -> bytes:
    key = current_app.config["CURSOR_KEY"]
    return hmac.new(key, payload + b"\x00" + bound_to.encode(), hashlib.sha256).digest()[:_TAG_BYTES]


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode_cursor(position: list[Any], bound_to: str) -> str:
    """Return a cursor for ``position`` that only the list and caller named by ``bound_to`` can use."""
    payload = orjson.dumps(position)
    return _spelled(_tag(payload, bound_to) + payload)


def decode_cursor(cursor: str, bound_to: str) -> list[Any]:
    """Return the position in ``cursor``; raise InvalidCursor where it was not made for ``bound_to``."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError as error:
        raise InvalidCursor from error
    if _spelled(raw) != cursor:  # base64 has other spellings of the same bytes
        raise InvalidCursor
    tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(payload, bound_to)):
        raise InvalidCursor
    position: list[Any] = orjson.loads(payload)
    return position
