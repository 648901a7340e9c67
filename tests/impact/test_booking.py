"""What is booked of an activity is found again, claimed again by the same factors, and brought to what it is now."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.guarded_write import source_text, source_values
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.impact import service
from app.impact.errors import FactorNotFound
from app.impact.models import ImpactEntry
from app.impact.service import ImpactLine, ImpactSubject
from app.members import service as members
from tests.impact.conftest import Edit

CO2E = "g_co2e_avoided"
NO_BAG, CHEAPER_BAG = "NO_BAG,g_co2e_avoided,use,21,0,42", "NO_BAG,g_co2e_avoided,use,18,0,36"
MOMENT = now()
pytestmark = pytest.mark.usefixtures("loaded")


@pytest.fixture
def member_id(app: Flask) -> UUID:
    return members.enrol_member(moment=now()).member_id


def insert(rows: list[tuple[Any, ...]]) -> None:
    """Insert rows of ``IMPACT_ENTRY`` as the award's statement does."""
    shape = service.IMPACT_ENTRY
    names = ", ".join(name for name, _ in shape.columns)
    with unit_of_work(), driver_connection() as connection, psycopg.RawCursor(connection) as cursor:
        statement = f"INSERT INTO impact_entry ({names}) {source_text(shape.columns, len(rows), 1)}"
        cursor.execute(statement.encode(), source_values(shape.columns, rows))


@pytest.fixture
def book(member_id: UUID) -> Callable[[ImpactSubject], UUID]:
    """A function that books what an activity claims and returns its id."""

    def booked(subject: ImpactSubject) -> UUID:
        activity_id = new_id()
        insert(service.entry_rows(member_id, activity_id, service.claim_impact(subject), MOMENT, MOMENT))
        return activity_id

    return booked


def recycled(*weights: int) -> ImpactSubject:
    lines = [ImpactLine(str(place), material="PET", weight_g=grams) for place, grams in enumerate(weights)]
    return ImpactSubject("recycling", (), tuple(lines))


def sums(member_id: UUID, activity_id: UUID) -> dict[str, tuple[int, int, int]]:
    entry = ImpactEntry
    query = sa.select(entry.metric, *(sa.func.sum(column) for column in (entry.value, entry.low, entry.high)))
    query = query.where(entry.member_id == member_id, entry.activity_id == activity_id).group_by(entry.metric)
    return {metric: tuple(map(int, band)) for metric, *band in db.session.execute(query)}  # type: ignore[misc]


def test_what_was_claimed_stands(member_id: UUID, book: Callable[[ImpactSubject], UUID]) -> None:
    subject = recycled(500)
    activity_id = book(subject)
    assert service.booked(member_id, activity_id) == service.booked_of(service.claim_impact(subject), MOMENT)
    assert service.booked(member_id, new_id()) == []
    assert service.booked(new_id(), activity_id) == []


def test_a_partial_return_takes_its_share_and_a_whole_one_everything(
    member_id: UUID, book: Callable[[ImpactSubject], UUID]
) -> None:
    activity_id = book(recycled(500, 300))
    for left in (recycled(500, 10), recycled(10), ImpactSubject("recycling")):
        standing = service.booked(member_id, activity_id)
        after = service.claim_impact_by(left, service.factor_ids_of(standing))
        insert(service.difference_rows(member_id, activity_id, standing, after, MOMENT, MOMENT))
        claimed = {entry.metric: 0 for entry in standing}
        for entry in service.claim_impact(left).entries:
            claimed[entry.metric] += entry.value
        assert {metric: band[0] for metric, band in sums(member_id, activity_id).items()} == claimed
    assert sums(member_id, activity_id) == {CO2E: (0, 0, 0), "g_recycled": (0, 0, 0)}
    assert service.booked(member_id, activity_id) == []


def test_nothing_is_booked_where_nothing_changed(member_id: UUID, book: Callable[[ImpactSubject], UUID]) -> None:
    activity_id = book(recycled(500))
    standing = service.booked(member_id, activity_id)
    after = service.claim_impact_by(recycled(500), service.factor_ids_of(standing))
    assert service.difference_rows(member_id, activity_id, standing, after, MOMENT, MOMENT) == []


def test_what_is_left_of_an_activity_is_claimed_by_the_factors_it_was_claimed_by(
    member_id: UUID, book: Callable[[ImpactSubject], UUID], edit: Edit
) -> None:
    subject = ImpactSubject("purchase", ("NO_BAG",))
    activity_id = book(subject)
    service.load_reference(edit(NO_BAG, CHEAPER_BAG))
    factor_ids = service.factor_ids_of(service.booked(member_id, activity_id))
    assert [entry.value for entry in service.claim_impact(subject).entries] == [18]
    assert [(e.value, e.low, e.high) for e in service.claim_impact_by(subject, factor_ids).entries] == [(21, 0, 42)]


def test_what_rounds_to_nothing_still_stands_by_its_factor(
    member_id: UUID, book: Callable[[ImpactSubject], UUID]
) -> None:
    line = ImpactLine("1", material="CORRUGATED", weight_g=1)  # 100 g a kilogram, up to 200
    activity_id = book(ImpactSubject("recycling", (), (line,)))
    standing = [item for item in service.booked(member_id, activity_id) if item.metric == CO2E]
    assert [(item.value, item.low, item.high, item.units_micros) for item in standing] == [(0, 0, 0, 1000)]


def test_a_factor_that_does_not_exist_is_named(app: Flask) -> None:
    with pytest.raises(FactorNotFound):
        service.claim_impact_by(recycled(1), [new_id()])


def test_another_process_finds_a_version_that_was_loaded_a_moment_ago(other_app: Flask, edit: Edit) -> None:
    with other_app.app_context():
        service.default_factors()  # it knows the factors of before
    service.load_reference(edit(NO_BAG, CHEAPER_BAG))
    (factor,) = service.default_factors().of("packaging", "NO_BAG", frozenset({"use"}))
    with other_app.app_context():
        claimed = service.claim_impact_by(ImpactSubject("purchase", ("NO_BAG",)), [factor.id])
        assert [entry.value for entry in claimed.entries] == [18]


@pytest.mark.parametrize("band", [(10, 11, 12), (10, 9, 8), (-10, -12, -8), (10, 8, 9)])
def test_an_entry_has_a_band_in_order_or_mirrored(member_id: UUID, band: tuple[int, int, int]) -> None:
    value, low, high = band
    row = (member_id, new_id(), new_id(), None, value, low, high, MOMENT, MOMENT, "g_recycled", "PET", "1", 0, False)
    is_in_order = low <= value <= high or high <= value <= low
    if is_in_order:
        insert([row])
    else:
        with pytest.raises(psycopg.errors.CheckViolation, match="band"):
            insert([row])


def test_the_application_may_add_entries_but_never_change_one() -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), db.engine.begin() as connection:
        connection.execute(sa.update(ImpactEntry).values(value=1))
