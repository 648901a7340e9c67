"""What a member's activities have avoided, by month, metric and method, and the factors it rests on."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta

from app.core.clock import now
from app.core.database import db
from app.core.reference import read_reference
from app.impact import queries
from app.impact.models import ImpactFactor
from app.impact.totals import Basis, BookedSum, Equivalent, Total, liken, totals_of
from app.ledger.service.history import month_bounds
from app.programme import service as programme

_FILE = Path(__file__).parents[1] / "reference" / "equivalents.csv"
LOCALES = ("en", "zh-CN")
_IDENTITY = ("subject_kind", "subject", "metric", "unit", "source", "region")
_VERSION = ("id", "version", "value", "low", "high", "method", "year", "baseline", "is_default")


def read_impact(member_id: UUID, first: date | None, last: date | None, *, locale: str) -> dict[str, Any]:
    """Return what the member's activities of the months ``first`` to ``last`` avoided, each None for no bound.

    Months are the programme's own, by when the activity occurred. Nothing is added up across methods.
    """
    moment = now()
    sums = _sums(member_id, first, last)
    rows = queries.list_factors({item.factor_id for item in sums if item.factor_id is not None})
    bases = {row.id: Basis(row.method, row.note) for row in rows}
    totals = totals_of(sums, bases)
    used = {factor_id for total in totals for factor_id in total.factors}
    return {
        "from": first and f"{first:%Y-%m}",
        "to": last and f"{last:%Y-%m}",
        "time_zone": programme.current().time_zone,
        "totals": [asdict(total) for total in totals],
        "months": _months(sums, bases),
        "factors": [_identity(row) | _version(row) for row in rows if row.id in used],
        "equivalent": _equivalent(totals, locale),
        "as_of": moment,
    }


def _sums(member_id: UUID, first: date | None, last: date | None) -> list[BookedSum]:
    """Return what is booked of the member by month of the programme's zone, which is asked here, not of the database.

    The two may know different rules of a zone, and every other day and month of ours is by this one.
    """
    zone = programme.current().zone
    bounds = queries.find_span(db.session, member_id)
    if bounds is None:
        return []
    earliest, latest = (moment.astimezone(zone).date().replace(day=1) for moment in bounds)
    months = _months_between(max(earliest, first or earliest), min(latest, last or latest))
    starts = [month_bounds(month, zone)[0] for month in months]
    if not starts:
        return []
    end: datetime = month_bounds(months[-1], zone)[1]
    return [
        BookedSum(months[place - 1], *columns)
        for place, *columns in queries.sum_by_month(db.session, member_id, starts, end)
    ]


def _months_between(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [first + relativedelta(months=number) for number in range(count)]


def _months(sums: Sequence[BookedSum], bases: Mapping[UUID, Basis]) -> list[dict[str, Any]]:
    """Return the totals of each month that has any, oldest first."""
    by_month: dict[date, list[BookedSum]] = {}
    for item in sums:
        by_month.setdefault(item.month, []).append(item)
    totals = ((month, totals_of(items, bases)) for month, items in sorted(by_month.items()))
    return [
        {"month": f"{month:%Y-%m}", "totals": [asdict(total) for total in found]} for month, found in totals if found
    ]


def list_factor_versions(
    subject: str | None, metric: str | None, after: tuple[str, ...], limit: int
) -> list[dict[str, Any]]:
    """Return factors of a subject and a metric, None for any, after a place in their order: see ``factor_place``."""
    by_place: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in queries.list_versions(subject, metric):
        shown = _identity(row)
        place = factor_place(shown)
        by_place.setdefault(place, shown | {"versions": []})["versions"].append(_version(row))
    return [by_place[place] for place in sorted(by_place) if place > after][:limit]


def factor_place(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the place of a factor in the order of the list."""
    return tuple(shown[name] for name in _IDENTITY)


def _identity(row: ImpactFactor) -> dict[str, Any]:
    return {
        "subject_kind": row.subject_kind,
        "subject": row.subject_code,
        "metric": row.metric,
        "unit": row.unit_of_activity,
        "source": row.source,
        "region": row.region,
    }


def _version(row: ImpactFactor) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _VERSION} | {"note": row.note or None}


@functools.cache
def equivalents() -> tuple[Equivalent, ...]:
    """Return what totals can be likened to, one for a metric at most."""
    return tuple(
        Equivalent(
            row["metric"], row["unit"], int(row["value"]), row["source"], int(row["year"]), row["region"],
            row["baseline"], row["note"], {locale: row[locale] for locale in LOCALES},
        )
        for row in read_reference(_FILE)
    )  # fmt: skip


def _equivalent(totals: Sequence[Total], locale: str) -> dict[str, Any] | None:
    likened = liken(totals, equivalents())
    if likened is None:
        return None
    total, equivalent, amount = likened
    source = {name: getattr(equivalent, name) for name in ("source", "year", "region", "baseline", "note")}
    return {
        "text": equivalent.texts[locale].format(amount=amount),
        "amount": amount,
        "unit": equivalent.unit,
        "metric": total.metric,
        "method": total.method,
        "of": total.value,
        "per_unit": equivalent.value,
        **source,
    }
