"""A restatement beside awards and returns: whatever comes first, what stands is what is left, by the factor of now."""

import os
import threading
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.core.database import db
from app.core.projector import drain
from app.engagement.models import MemberDay
from app.impact import service
from app.impact.models import ImpactEntry, Restatement
from app.impact.service import ImpactLine, ImpactSubject, restatements, restating
from app.ledger.service import Verification, verify
from tests import world
from tests.concurrency.racing import at_once
from tests.impact import conftest

CO2E = "g_co2e_avoided"
PET = "kg_recycled,1150,805,1495,warm"
FIGURES = ("kg_recycled,900,700,1200,warm", "kg_recycled,1000,700,1200,warm")
ROUNDS = 20 if os.environ.get("TEST_PROFILE") == "long" else 2
OLD, EACH = 24, 6
edit = conftest.edit


def recycling(ref, external_id, *grams):
    lines = [{"id": str(place), "material": "PET", "weight_g": weight} for place, weight in enumerate(grams)]
    return {"id": external_id, "kind": "recycling", "occurred_at": world.AN_HOUR_AGO, "member": {"ref": ref},
            "lines": lines}  # fmt: skip


def claimed(*grams):
    lines = tuple(ImpactLine(str(place), material="PET", weight_g=weight) for place, weight in enumerate(grams))
    entries = service.claim_impact(ImpactSubject("recycling", (), lines)).entries
    return sum(entry.value for entry in entries if entry.metric == CO2E)


@pytest.fixture
def small_pieces(app, monkeypatch):
    monkeypatch.setattr(restating, "OTHERS_LEARN", timedelta(0))
    monkeypatch.setattr(restating, "WINDOW_ENTRIES", 10)
    monkeypatch.setattr(restating, "PIECE", 3)


@pytest.fixture
def restate(app):
    """A function that runs what restatements wait, in any thread."""

    def run():
        with app.app_context():
            return restatements.run_restatements(threading.Event())

    return run


def request():
    service.request_restatement(None, {"factor": "PET", "from": None, "reason": "a race"})


def test_returns_and_awards_beside_two_restatements(app, shop, send, edit, small_pieces, restate):
    customers = world.make_customers(shop, 4)
    left = {}

    def report(external_id, *grams):
        answer = send("/v1/activities", recycling(customers[len(grams)].ref, external_id, *grams))
        assert answer.status_code == 201, answer.text
        left[answer.json["member_id"], answer.json["id"]] = grams
        return answer.json["member_id"], answer.json["id"]

    def give_back(places):
        for place in places:
            body = {"id": f"ret-{place[1]}", "activity": place[1], "lines": [{"id": "0"}]}
            assert send("/v1/returns", body).status_code == 201
            left[place] = left[place][1:]

    for number in range(ROUNDS):
        old = [report(f"old-{number}-{place}", *[100 + place, 55, 3][: 1 + place % 3]) for place in range(OLD)]
        service.load_reference(edit(PET, FIGURES[number % 2]))
        request()
        request()
        at_once([
            restate, restate, lambda old=old: give_back(old[::2]), lambda old=old: give_back(old[1::4]),
            lambda number=number: [report(f"new-{number}-{place}", 77) for place in range(EACH)],
        ])  # fmt: skip
    request()
    assert restate() == 1
    db.session.rollback()
    assert set(db.session.scalars(sa.select(Restatement.state))) == {"done"}
    for (member_id, activity_id), grams in left.items():
        standing = service.booked(UUID(member_id), UUID(activity_id))
        assert sum(item.value for item in standing if item.metric == CO2E) == claimed(*grams), grams
    _assert_projected_and_proven()


def _assert_projected_and_proven():
    drain()
    sums = sa.select(sa.func.sum(ImpactEntry.value)).where(ImpactEntry.metric == CO2E)
    assert db.session.scalar(sa.select(sa.func.sum(MemberDay.g_co2e_avoided))) == db.session.scalar(sums)
    assert list(verify(Verification())) == []
