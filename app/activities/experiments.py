"""Experiments: the members whom a campaign pays beside those whom it holds out, since its start.

The arms are all live members who belong to the lists of its audience (tiers, regions, tags), by the hash that decides
who is held out; an audience's expression and ages are not asked. That compares as the lot has drawn: who did nothing
counts too. The percentage is that of the version in force, or of the newest where none is.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.activities.comparison import CONFIDENCE, Sample, compare
from app.activities.experiment_queries import read_arms
from app.campaigns.service import trials
from app.core.clock import now
from app.core.database import db
from app.programme import service as programme

MEASURES = {
    "activities_per_member": "activities",
    "spend_per_member": "spend",
    "points_per_member": "points",
    "green_line_share": "green",
}
_DIGITS = 4


def report_experiment(campaign_id: UUID) -> dict[str, Any]:
    """Return the two arms and their differences, paid less held out; both null where nobody is held out.

    Raises CampaignNotFound.
    """
    moment = now()
    trial = trials.get_trial(campaign_id, at=moment)
    document, currency = trial.document, programme.current().currency
    since, until = document["starts_at"], min(moment, document["ends_at"] or moment)
    shown: dict[str, Any] = {
        "campaign_id": campaign_id,
        "campaign": trial.key,
        "version": trial.version,
        "holdout_percent": document["holdout_percent"],
        "since": since,
        "until": until,
        "currency": currency,
        "confidence": CONFIDENCE,
        "arms": None,
        "differences": None,
    }
    if document["holdout_percent"]:
        shown |= _compared(trial, since, until, currency)
    return shown


def _compared(trial: trials.Trial, since: datetime, until: datetime, currency: str) -> dict[str, Any]:
    found = read_arms(
        db.session, trial.campaign_id, trial.document["audience"], percent=trial.document["holdout_percent"],
        since=since, until=until, currency=currency,
    )  # fmt: skip
    paid, held_out = found.get(False), found.get(True)
    differences = {}
    for name, measure in MEASURES.items():
        compared = compare(_sample(paid, measure), _sample(held_out, measure))
        differences[name] = compared and dict(
            zip(("difference", "low", "high"), (round(each, _DIGITS) for each in compared), strict=True)
        )
    return {"arms": {"paid": _arm(paid), "held_out": _arm(held_out)}, "differences": differences}


def _sample(row: Row[Any] | None, measure: str) -> Sample:
    if row is None:
        return Sample(0, None, None)
    mean, variance = getattr(row, measure), getattr(row, f"{measure}_variance")
    size = row.buyers if measure == "green" else row.members
    return Sample(size, None if mean is None else float(mean), None if variance is None else float(variance))


def _arm(row: Row[Any] | None) -> dict[str, Any]:
    means = {name: _sample(row, measure).mean for name, measure in MEASURES.items()}
    return {
        "members": row.members if row else 0,
        "active_members": row.active_members if row else 0,
        "points": int(row.points_sum) if row else 0,
        **{name: None if mean is None else round(mean, _DIGITS) for name, mean in means.items()},
    }
