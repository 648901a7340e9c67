"""``ETag`` and ``If-Match``: who changes a configuration object names the state of it that they saw.

An object's ETag is a number that grows with each of its changes. ``conditional`` demands the header of a route and
hands the service what it names; the service checks it once it has locked the object.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

from app.core.errors import ProblemError

ETAG_HEADER = {
    "ETag": {"description": "Names this state of the object; send it as `If-Match` to change it.",
             "schema": {"type": "string"}},
}  # fmt: skip
_PARAMETER = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The `ETag` of the state that was seen. Another state by now is 412, no state named is 428.",
    "schema": {"type": "string", "minLength": 1},
    "example": '"7"',
}


class PreconditionFailed(ProblemError):
    """The object has changed since the caller saw it."""

    status, code, title = 412, "precondition_failed", "It has changed meanwhile; read it again"


class PreconditionRequired(ProblemError):
    """The route demands the header, and in it what was seen: ``*`` names nothing."""

    status, code, title = 428, "precondition_required", "This request needs an If-Match header with the ETag you saw"


@dataclass(frozen=True, slots=True)
class Seen:
    """The states of an object that the caller says to have seen."""

    tags: frozenset[str]

    def check(self, version: int) -> None:
        """Raise PreconditionFailed unless the object's state ``version`` is among them."""
        if str(version) not in self.tags:
            raise PreconditionFailed


def etag(version: int) -> dict[str, str]:
    """Return the header that names the state ``version`` of the object in the answer."""
    return {"ETag": f'"{version}"'}


def conditional(view: Callable[..., Any]) -> Callable[..., Any]:
    """Demand ``If-Match`` of this route and pass it on as ``seen``; stands inside ``transactional``."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if request.headers.get("If-Match", "").strip() in ("", "*"):
            raise PreconditionRequired
        # the weak ones are left out: such a tag does not name one state
        return view(*args, seen=Seen(frozenset(request.if_match.as_set())), **kwargs)

    docs = dict(getattr(wrapper, "_apidoc", {}))
    manual = dict(docs.get("manual_doc", {}))
    docs["manual_doc"] = manual | {"parameters": [*manual.get("parameters", ()), _PARAMETER]}
    wrapper.__dict__["_apidoc"] = docs
    return wrapper
