"""Causes: organisations that members give points to, as staff keep them and as shoppers see them.

1. A cause is shown and given to while it is published and verified. Who verifies has looked at the proof of the
   registration; a change of registration or proof, or of the organisation's names, takes the verification back.
2. An archived cause stays for its donations and reports; nothing of it changes any more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from app.core import cache
from app.core.clock import format_time, now
from app.core.database import db
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.unit_of_work import savepoint, unit_of_work
from app.redemption import cause_queries as queries
from app.redemption.catalogue import CACHE
from app.redemption.errors import CauseClosed, CauseKeyTaken, CauseNotFound, ProofNeeded
from app.redemption.models import Cause, CauseMatch, CauseTotal
from app.staff import service as staff

_COLUMNS = ("key", "registration_country", "registration_number", "proof_url", "goal_points")
_VERIFIED = ("registration_country", "registration_number", "proof_url")


def _split(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a read cause as its columns and its document."""
    document = {key: value for key, value in body.items() if key not in _COLUMNS}
    stories = [story | {"published_at": format_time(story["published_at"])} for story in document["stories"]]
    return {key: body[key] for key in _COLUMNS}, document | {"stories": stories}


def create_cause(body: Mapping[str, Any]) -> Cause:
    """Take in a cause, a draft that nobody has verified. Raises CauseKeyTaken."""
    columns, document = _split(body)
    moment = now()
    values = columns | {
        "cause_id": new_id(), "state": "draft", "document": document, "version": 1, "created_at": moment,
        "updated_at": moment,
    }  # fmt: skip
    with unit_of_work() as session:
        try:
            with savepoint():
                session.execute(insert(Cause).values(values))
        except IntegrityError as error:
            raise CauseKeyTaken from error
        cause = session.get_one(Cause, values["cause_id"])
        staff.record_audit("cause.created", "cause", cause.cause_id, before=None, after=_state(cause), moment=moment)
        return cause


def get_cause(any_id: str) -> Cause:
    """Return a cause by its id or its key, for staff; raise CauseNotFound."""
    cause = queries.find_cause(db.session, any_id)
    if cause is None:
        raise CauseNotFound
    return cause


def list_all(after: str | None, limit: int) -> Sequence[Cause]:
    """Return one page of causes by key, for staff."""
    return queries.list_causes(db.session, False, after, limit)


def change_cause(any_id: str, body: Mapping[str, Any], seen: Seen) -> Cause:
    """Replace what is said of a cause. Raises CauseNotFound, PreconditionFailed, CauseClosed, CauseKeyTaken."""
    columns, document = _split(body)
    with unit_of_work() as session:
        cause = _lock(any_id, seen)
        before = _state(cause)
        is_other = any(getattr(cause, name) != columns[name] for name in _VERIFIED)
        if is_other or cause.document["names"] != document["names"]:
            cause.verified_at = cause.verified_by = None
        try:
            with savepoint():
                for name, value in columns.items():
                    setattr(cause, name, value)
                cause.document = document
                session.flush()
        except IntegrityError as error:
            raise CauseKeyTaken from error
        return _changed(cause, "cause.changed", before)


def verify_cause(any_id: str, seen: Seen, reason: str, staff_id: UUID) -> Cause:
    """Say that the organisation is what it says, by the proof. Raises CauseNotFound, CauseClosed, ProofNeeded."""
    with unit_of_work():
        cause = _lock(any_id, seen)
        if cause.proof_url is None:
            raise ProofNeeded
        before = _state(cause)
        cause.verified_at, cause.verified_by = now(), staff_id
        return _changed(cause, "cause.verified", before, reason)


def unverify_cause(any_id: str, seen: Seen, reason: str) -> Cause:
    """Take the verification back: the cause is neither shown nor given to. Raises CauseNotFound, CauseClosed."""
    with unit_of_work():
        cause = _lock(any_id, seen)
        before = _state(cause)
        cause.verified_at = cause.verified_by = None
        return _changed(cause, "cause.unverified", before, reason)


def move_cause(any_id: str, seen: Seen, state: str) -> Cause:
    """Publish a cause, make it a draft again, or archive it for good. Raises CauseNotFound, CauseClosed."""
    with unit_of_work():
        cause = _lock(any_id, seen)
        before = _state(cause)
        cause.state = state
        return _changed(cause, f"cause.{state}", before)


def _lock(any_id: str, seen: Seen) -> Cause:
    cause = queries.lock_cause(db.session, get_cause(any_id).cause_id)
    seen.check(cause.version)
    if cause.state == "archived":
        raise CauseClosed
    return cause


def _changed(cause: Cause, action: str, before: Mapping[str, Any], reason: str | None = None) -> Cause:
    cause.version += 1
    cause.updated_at = now()
    db.session.flush()
    after = _state(cause) | ({"reason": reason} if reason else {})
    staff.record_audit(action, "cause", cause.cause_id, before=before, after=after, moment=cause.updated_at)
    cache.bump(CACHE)  # rewards that give to it are shown while it is
    return cause


def _state(cause: Cause) -> dict[str, Any]:
    return {name: getattr(cause, name) for name in (*_COLUMNS, "state", "verified_at", "document")}


def total_of(total: CauseTotal | None) -> dict[str, int]:
    """Return a public counter."""
    names = ("donations", "points", "matched_points")
    return {name: getattr(total, name) if total is not None else 0 for name in names}


def shown_to_staff(causes: Sequence[Cause]) -> list[dict[str, Any]]:
    """Return causes as staff see them."""
    totals = queries.list_totals(db.session, [cause.cause_id for cause in causes])
    return [
        {"id": str(cause.cause_id), **{name: getattr(cause, name) for name in _COLUMNS}, **cause.document,
         "state": cause.state, "verified_at": cause.verified_at and format_time(cause.verified_at),
         "total": total_of(totals.get(cause.cause_id))}
        for cause in causes
    ]  # fmt: skip


def find_given_to(cause_id: UUID) -> Cause | None:
    """Return a cause that can be given to, None where it is not published or not verified, or not there."""
    cause = queries.find_cause(db.session, cause_id)
    return cause if cause is not None and is_shown(cause) else None


def is_shown(cause: Cause) -> bool:
    """Return whether shoppers see the cause and may give to it."""
    return bool(cause.state == "published" and cause.verified_at is not None)


def list_shown(after: str | None, limit: int, locales: Sequence[str], moment: datetime) -> list[dict[str, Any]]:
    """Return one page of the causes that can be given to, by key, in the first of ``locales`` that there is."""
    return _shown(queries.list_causes(db.session, True, after, limit), locales, moment)


def get_shown(any_id: str, locales: Sequence[str], moment: datetime) -> dict[str, Any]:
    """Return a cause that can be given to; raise CauseNotFound."""
    cause = queries.find_cause(db.session, any_id)
    if cause is None or not is_shown(cause):
        raise CauseNotFound
    return _shown([cause], locales, moment)[0]


def _shown(causes: Sequence[Cause], locales: Sequence[str], moment: datetime) -> list[dict[str, Any]]:
    ids = [cause.cause_id for cause in causes]
    totals = queries.list_totals(db.session, ids)
    matches = queries.list_open_matches(db.session, ids, moment)
    return [
        {
            "id": str(cause.cause_id), "key": cause.key, "name": in_language(cause.document["names"], locales),
            "description": in_language(cause.document["descriptions"], locales),
            "registration_country": cause.registration_country, "registration_number": cause.registration_number,
            "website": cause.document["website"], "image_url": cause.document["image_url"],
            "verified_at": cause.verified_at and format_time(cause.verified_at),
            "total": total_of(totals.get(cause.cause_id)),
            "goal": _goal(cause, totals.get(cause.cause_id)), "match": _match(matches.get(cause.cause_id)),
            "stories": [
                {"title": in_language(story["titles"], locales), "text": in_language(story["texts"], locales),
                 "source_url": story["source_url"], "published_at": story["published_at"]}
                for story in cause.document["stories"]
            ],
        }
        for cause in causes
    ]  # fmt: skip


def _goal(cause: Cause, total: CauseTotal | None) -> dict[str, int] | None:
    if cause.goal_points is None:
        return None
    given = total.points + total.matched_points if total is not None else 0
    return {"points": cause.goal_points, "percent": min(100, given * 100 // cause.goal_points)}


def _match(match: CauseMatch | None) -> dict[str, Any] | None:
    if match is None:
        return None
    return {
        "sponsor": match.sponsor, "percent": match.percent,
        "points_left": match.budget_points - match.matched_points,
        "ends_at": match.ends_at and format_time(match.ends_at),
    }  # fmt: skip


def in_language(texts: Mapping[str, str], locales: Sequence[str]) -> str:
    """Return the text of the first of ``locales`` that there is, by its language if need be; else English, or any."""
    for locale in (*locales, "en"):
        if locale in texts:
            return texts[locale]
        language = locale.partition("-")[0].lower()
        near = next((text for name, text in texts.items() if name.partition("-")[0] == language), None)
        if near is not None:
            return near
    return next(iter(texts.values()))
