"""Self-declared activities: what shoppers say they did, with or without a picture.

1. They go through the same intake as merchants' activities, of a merchant that is the programme itself. The grade of
   their evidence is ``photo`` where they cite a picture, else ``self_declared``: rules say which they need.
2. Their points wait for a review, which is opened in the same transaction.
3. A member declares a few a day, counted by the day on which they are declared, whenever it was done. One more is
   refused; of one that would earn more than the day's points are left for, the points are cut.
4. The shopper's own id names the activity: the same content again gets the same answer, and counts nothing.

They name neither receipts nor serial numbers: the first who names one keeps it, and that must not be somebody who has
shown nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.activities import evidence, queries, review_queries
from app.activities.evaluating import Source
from app.activities.evidence_errors import SelfDeclaredLimit
from app.activities.intake import attempt_alone
from app.activities.outcome import Accepted
from app.activities.reading import Report, digest_of
from app.activities.reviews import open_review
from app.activities.schemas import ActivitySchema
from app.activities.self_declared_schemas import SelfDeclaredSchema
from app.core import schemas
from app.core.auth import Principal
from app.core.clock import format_time, now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from app.merchants import service as merchants
from app.programme import service as programme

KIND = "self_declared"
_own = SelfDeclaredSchema()
_activity = ActivitySchema(exclude=("id",))
_OWN_ALONE = ("id", "evidence_ids", "note")


def declare(member: Principal, body: Any) -> Accepted:
    """Store and award what a member declares, once; its points wait for a review.

    Joins the caller's unit of work. Raises ValidationProblem, PackagingConflict, ActivityIdReused, SelfDeclaredLimit,
    EvidenceNotFound, EvidenceUsed.
    """
    read = schemas.load(_own, body)
    if read["kind"] not in programme.current().self_declared_kinds:
        raise ValidationProblem([{"pointer": "/kind", "detail": "This can't be declared by oneself."}])
    pictures = read["evidence_ids"]
    grade = "photo" if pictures else "self_declared"
    with unit_of_work():
        ledger.lock_account(member.id)
        moment = now()
        report = _report_of(member, body, grade, moment)
        source = Source(merchants.principal_of(merchants.PROGRAMME_ID, member.live, grade), waits_for_review=True)
        is_known = _is_known(member, report)
        accepted = attempt_alone(source if is_known else _within_the_day(source, member, moment), report)
        assert accepted is not None  # nobody else stores what is this member's while we have the account's lock
        if is_known:
            return accepted
        reasons = [KIND]
        if pictures and evidence.cite(member.id, pictures, accepted.activity_id, moment):
            reasons.append("picture_reused")
        open_review(accepted, live=member.live, kind=KIND, reasons=reasons, moment=moment)
        return accepted


def _report_of(member: Principal, body: Mapping[str, Any], grade: str, moment: datetime) -> Report:
    """Return the declaration as the intake takes it: of this member by code, under an id that is this member's."""
    digest = digest_of(body)
    body = {"occurred_at": format_time(moment)} | dict(body) | {"evidence": grade}
    code = members.get_member(member.id, member.live).code
    stated = {key: value for key, value in body.items() if key not in _OWN_ALONE} | {"member": {"code": code}}
    read = schemas.load(_activity, stated) | {"id": f"{member.id.hex}:{body['id']}"}
    return Report(0, body, read, digest)


def _is_known(member: Principal, report: Report) -> bool:
    registered = queries.find_registered(db.session, merchants.PROGRAMME_ID, member.live, report.external_id)
    return registered is not None


def _within_the_day(source: Source, member: Principal, moment: datetime) -> Source:
    """Return ``source`` bound to what is left of the member's day; raise SelfDeclaredLimit where nothing is."""
    settings = programme.current()
    since = settings.start_of_day(moment)
    count, points = review_queries.sum_opened(db.session, member.id, KIND, since)
    if count >= settings.self_declared_activities_max_daily:
        raise SelfDeclaredLimit(
            f"{settings.self_declared_activities_max_daily} activities a day can be declared.",
            next_at=format_time(settings.start_of_day(since + timedelta(hours=36))),
        )
    left = max(0, settings.self_declared_points_max_daily - points)
    return Source(source.merchant, waits_for_review=True, points_max=left)
