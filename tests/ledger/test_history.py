"""The history's filters, and why each line is there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask.testing import FlaskClient

from app.core.clock import format_time, now
from app.core.database import db
from app.core.ids import new_id
from app.ledger import explanations, history_queries, service
from app.ledger.schemas import KINDS
from app.ledger.service import history
from tests import world
from tests.ledger.conftest import GiveAward, NewMember, point_award

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
Shopper = Callable[[UUID], dict[str, str]]
HOLD = new_id()


@pytest.fixture
def member(new_member: NewMember, give: GiveAward) -> UUID:
    """A member to whom one thing a day has happened: see ``test_filters_choose_lines``."""
    named: dict[str, Any] = {"actor": "test", "fingerprint": b""}
    with time_machine.travel(START, tick=False):
        member_id = new_member()
        give(member_id, point_award(100, START + DAY, START + 30 * DAY))
    with time_machine.travel(START + 2 * DAY, tick=False):
        service.hold_points(
            member_id, HOLD, 40, expires_at=now() + DAY, live=True, order_ref="order-7", moment=now(), **named
        )  # fmt: skip
    with time_machine.travel(START + 2.5 * DAY, tick=False):
        service.capture_hold(member_id, HOLD, 30, moment=now(), **named)
    with time_machine.travel(START + 3 * DAY, tick=False):
        service.adjust_points(member_id, 5, key="adjust:1", reason="sorry", moment=now(), **named)
    return member_id


def lines(client: FlaskClient, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/v1/me/wallet/entries?limit=100{query}", headers=headers)
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["data"]
    return found


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("&kind=award", [1]),
        ("&kind=capture,adjust", [6, 5, 4]),
        ("&bucket=held", [5, 4, 3]),
        ("&bucket=spent", [4]),
        ("&bucket=debt", []),
        ("&kind=capture&bucket=available", [5]),
        (f"&from={format_time(START + 2 * DAY)}", [6, 5, 4, 3]),
        (f"&to={format_time(START + 2 * DAY)}", [2, 1]),
        (f"&from={format_time(START + DAY)}&to={format_time(START + 2.5 * DAY)}", [3, 2]),
        (f"&from={format_time(START + DAY)}&bucket=pending", [2]),
        (f"&from={format_time(START + 99 * DAY)}", []),
        (f"&to={format_time(START)}", []),
        (f"&from={format_time(START + 3 * DAY)}&to={format_time(START)}", []),
    ],
)
def test_filters_choose_lines(client: FlaskClient, shopper: Shopper, member: UUID, query: str, seqs: list[int]) -> None:
    assert [line["seq"] for line in lines(client, shopper(member), query)] == seqs


def test_a_filtered_history_goes_on_from_page_to_page(
    client: FlaskClient, shopper: Shopper, new_member: NewMember, give: GiveAward, monkeypatch: pytest.MonkeyPatch
) -> None:
    member_id = new_member()
    for number in range(1, 31):
        give(member_id, point_award(number))
        if number % 10 == 0:
            service.adjust_points(
                member_id, 1, key=f"adjust:{number}", reason="x", actor="t", fingerprint=b"", moment=now()
            )  # fmt: skip
    monkeypatch.setattr(history, "SCANNED_MAX", 7)
    found, pages, query = [], 0, ""
    headers = shopper(member_id)
    while True:
        answer = client.get(f"/v1/me/wallet/entries?limit=2&kind=adjust{query}", headers=headers).json
        found += [line["seq"] for line in answer["data"]]
        pages += 1
        if answer["next_cursor"] is None:
            break
        query = f"&cursor={answer['next_cursor']}"
    assert (found, pages) == ([33, 22, 11], 5)


def test_a_cursor_is_bound_to_its_filters(client: FlaskClient, shopper: Shopper, member: UUID) -> None:
    headers = shopper(member)
    cursor = client.get("/v1/me/wallet/entries?limit=1&bucket=held", headers=headers).json["next_cursor"]
    assert client.get(f"/v1/me/wallet/entries?limit=1&bucket=held&cursor={cursor}", headers=headers).status_code == 200
    for other in ("", "&bucket=spent", "&bucket=held&kind=hold", f"&bucket=held&from={format_time(START)}"):
        answer = client.get(f"/v1/me/wallet/entries?limit=1{other}&cursor={cursor}", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("kind=gold", "/kind"), ("kind=award,", "/kind"), ("kind=", "/kind"), ("bucket=purse", "/bucket"),
     ("from=noon", "/from"), ("to=2026-01-01T00:00:00", "/to"), ("start=2026-01-01T00:00:00Z", "/start")],
)  # fmt: skip
def test_a_filter_that_does_not_fit_is_told(
    client: FlaskClient, shopper: Shopper, new_member: NewMember, query: str, pointer: str
) -> None:
    answer = client.get(f"/v1/me/wallet/entries?{query}", headers=shopper(new_member()))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_a_line_links_its_hold_and_its_posting(client: FlaskClient, shopper: Shopper, member: UUID) -> None:
    by_seq = {line["seq"]: line for line in lines(client, shopper(member))}
    assert [by_seq[seq]["hold"] for seq in (3, 4, 5)] == [{"id": str(HOLD), "order": "order-7"}] * 3
    assert by_seq[1]["hold"] is None
    assert [by_seq[seq]["posting"] for seq in (3, 4, 6)] == [f"hold:{HOLD}", f"hold:{HOLD}:captured", "adjust:1"]
    assert by_seq[6]["reason"] == "sorry"


@pytest.mark.parametrize(
    ("language", "texts"),
    [("en", ["Points became available.", "Points were set aside to pay with.", "You paid with points."]),
     ("zh-CN,zh;q=0.9,en;q=0.5", ["积分已可使用。", "积分已预留，用于支付。", "您使用积分支付。"]),
     ("nl", ["Points became available.", "Points were set aside to pay with.", "You paid with points."])],
)  # fmt: skip
def test_why_is_in_the_reader_s_language(
    client: FlaskClient, shopper: Shopper, member: UUID, language: str, texts: list[str]
) -> None:
    found = lines(client, shopper(member) | {"Accept-Language": language})
    assert [line["why"] for line in found[::-1][1:4]] == texts


def test_why_names_the_rule_by_its_label_in_the_member_s_own_language(
    client: FlaskClient, shopper: Shopper, shop: world.Shop, customer: world.Customer
) -> None:
    reported = client.post("/v1/activities", json=world.basket(customer.ref), headers=shop.live)
    headers = shopper(customer.member_id)
    found = {line["reason"]: line for line in lines(client, headers)}
    assert found["no-bag"]["why"] == "This earned “No bag”."
    assert found["no-bag"]["activity_id"] == reported.json["id"]
    assert client.patch("/v1/me", json={"locale": "zh-CN"}, headers=headers).status_code == 200
    assert {line["reason"]: line["why"] for line in lines(client, headers)}["no-bag"] == "已获得“规则 no bag”。"


def test_every_kind_has_its_words_in_every_language() -> None:
    assert set(explanations.TEXTS) == set(explanations.LOCALES)
    assert all(texts.keys() == explanations.TEXTS["en"].keys() for texts in explanations.TEXTS.values())
    for kind in KINDS:
        for source in ("issued", "available"):
            assert explanations.why(explanations.code_of(kind, source, "x"), "zh")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9])
def test_a_moment_is_found_among_entries(new_member: NewMember, give: GiveAward, count: int) -> None:
    with time_machine.travel(START, tick=False):
        member_id = new_member()
    for number in range(count):
        with time_machine.travel(START + number // 2 * DAY, tick=False):
            give(member_id, point_award(1))
    for days in range(-1, 6):
        expected = min(count, 2 * (days + 1))
        for moment in (START + days * DAY, START + days * DAY + timedelta(hours=23)):
            assert history_queries.last_seq_by(db.session, member_id, moment) == expected
