"""Baskets of any age are imported by service, each paid once."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.core.clock import now
from app.demo.baskets import Mover, Tally, Window, read_baskets
from app.demo.importing import import_baskets
from app.demo.outcomes import Outcomes
from app.demo.prepare import Prepared, prepare
from app.ledger import service as ledger
from app.merchants import service as merchants

COUNT = 300


@pytest.fixture
def baskets() -> list[dict[str, Any]]:
    """The first baskets of the data, a year old by now."""
    mover = Mover([Window(2, now() - timedelta(days=365))])
    return list(itertools.islice(read_baskets(mover, Tally(), 2), COUNT))


@pytest.fixture
def prepared(context: Flask, baskets: list[dict[str, Any]]) -> Prepared:
    households = sorted({int(basket["member"]["ref"].removeprefix("household-")) for basket in baskets})
    return prepare(context.config["DATA_DIR"], "http://127.0.0.1", households)


def _import(prepared: Prepared, baskets: list[dict[str, Any]]) -> Outcomes:
    done: list[int] = []
    outcomes = import_baskets(baskets, merchants.authenticate(prepared.secrets.merchant_key), done.append)
    assert sum(done) == len(baskets)
    return outcomes


def test_baskets_of_last_year_are_taken_and_all_accounted_for(
    prepared: Prepared, baskets: list[dict[str, Any]]
) -> None:
    outcomes = _import(prepared, baskets)
    empty = sum(not basket["lines"] for basket in baskets)
    assert outcomes.read == COUNT == outcomes.awarded + outcomes.accepted + outcomes.refused.total()
    assert dict(outcomes.refused) == ({"no_line_left": empty} if empty else {})
    assert outcomes.awarded > 50
    assert outcomes.points == outcomes.points_new == sum(outcomes.by_member.values()) > 0


def test_the_ledger_holds_what_the_outcomes_say_and_proves_itself(
    prepared: Prepared, baskets: list[dict[str, Any]]
) -> None:
    outcomes = _import(prepared, baskets)
    found = ledger.Verification()
    assert list(ledger.verify(found)) == []
    assert found.points_issued == outcomes.points


def test_a_second_import_pays_nothing(prepared: Prepared, baskets: list[dict[str, Any]]) -> None:
    first, second = _import(prepared, baskets), _import(prepared, baskets)
    assert (second.points, second.awarded, second.by_member) == (first.points, first.awarded, first.by_member)
    assert (second.points_new, second.awarded_new) == (0, 0)
    assert second.replayed == first.awarded + first.accepted
