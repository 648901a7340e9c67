"""Reviews as staff see them, and what a shopper sees of one's own."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.activities import evidence
from app.activities import review_queries as queries
from app.activities.evidence_errors import ReviewNotFound
from app.activities.outcome import Accepted
from app.activities.queries import list_since
from app.activities.review_models import Review
from app.activities.review_words import NOT_REVIEWED, sentence
from app.activities.reviews import state_at
from app.activities.service import answer
from app.campaigns import service as campaigns
from app.core.clock import now
from app.core.database import db

_SHOWN_AS = {"open": "in_review", "approved": "accepted", "rejected": "rejected", "expired": "rejected"}


def get_review(review_id: UUID, words: campaigns.Words, moment: datetime) -> dict[str, Any]:
    """Return a review as staff see it at ``moment``; raise ReviewNotFound."""
    row = queries.find_with_activity(db.session, review_id)
    if row is None:
        raise ReviewNotFound
    return _shown([row], words, moment)[0]


def list_reviews(
    filters: Mapping[str, Any], after: UUID | None, limit: int, words: campaigns.Words, moment: datetime
) -> list[dict[str, Any]]:
    """Return one page of reviews, the oldest first; see ``review_queries.list_reviews`` for ``filters``."""
    return _shown(queries.list_reviews(db.session, filters, after, limit, moment), words, moment)


def _shown(rows: Sequence[Any], words: campaigns.Words, moment: datetime) -> list[dict[str, Any]]:
    pictures = evidence.of_activities([review.activity_id for review, _, _ in rows])
    since = list_since(db.session, [(review.member_id, review.activity_id) for review, _, _ in rows])
    return [
        {
            "id": review.review_id,
            "kind": review.kind,
            "state": state_at(review, moment),
            "reasons": review.reasons,
            "member_id": review.member_id,
            "points": review.points,
            "opened_at": review.opened_at,
            "expires_at": review.expires_at,
            "decided_by": review.decided_by,
            "decided_at": review.decided_at,
            "reason": review.reason,
            "note": review.note,
            "declared": activity.body,
            "activity": _as_its_member_sees(
                review, _answer(activity, external_id, since.get(review.activity_id, {}), words), moment, None
            ),
            "evidence": pictures.get(review.activity_id, []),
        }
        for review, activity, external_id in rows
    ]


def _answer(activity: Any, external_id: str, since: Mapping[str, Any], words: campaigns.Words) -> dict[str, Any]:
    accepted = Accepted(
        activity.activity_id, external_id, activity.revision, activity.member_id, activity.occurred_at,
        activity.outcome, since=since,
    )  # fmt: skip
    return answer(accepted, words)


def with_reviews(member_id: UUID, answers: Collection[dict[str, Any]], locale: str) -> list[dict[str, Any]]:
    """Return the answers to a member's own activities with what became of their reviews, and under the member's ids."""
    found = queries.reviews_of(db.session, member_id, [UUID(shown["id"]) for shown in answers])
    moment = now()
    told = []
    for shown in answers:
        review = found.get(UUID(shown["id"]))
        told.append(shown if review is None else _as_its_member_sees(review, shown, moment, locale))
    return told


def _as_its_member_sees(review: Review, shown: dict[str, Any], moment: datetime, locale: str | None) -> dict[str, Any]:
    state = state_at(review, moment)
    code = NOT_REVIEWED if state == "expired" else review.reason
    told = {"state": state, "reason": code, "detail": None}
    if locale is not None and state != "approved":
        told["detail"] = sentence(code or "open", locale)
    return shown | {
        "external_id": shown["external_id"].removeprefix(f"{review.member_id.hex}:"),
        "status": _SHOWN_AS[state] if shown["status"] == "accepted" else shown["status"],
        "review": told,
    }
