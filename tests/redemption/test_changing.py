"""What becomes of a redemption: confirmed, declined, cancelled, used, or over by the clock."""

import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.ledger.models import Lot
from app.redemption import changing, lapsing
from app.redemption.models import PoolCode, Redemption, RewardStock, RewardUse, Voucher
from app.staff.models import AuditEntry
from tests import world
from tests.answers import assert_problem
from tests.redemption.conftest import Spender
from tests.redemption.till import buckets, cart, give_points, post, put_pool, reward_of

pytestmark = pytest.mark.usefixtures("app")
HOUR = timedelta(hours=1)
LIMITED: dict[str, Any] = {"limit": {"quantity": 5, "per": "month"}}


def waiting(shop: world.Shop, kind: str = "product", **columns: Any) -> Any:
    return reward_of(kind, merchant_id=shop.merchant_id, needs_confirmation=True, **columns)


def say(client: FlaskClient, shop: world.Shop, redemption_id: str, verb: str, **body: Any) -> Any:
    return client.post(f"/v1/redemptions/{redemption_id}/{verb}", json=body, headers=shop.live)


def by_staff(client: FlaskClient, redemption_id: str, verb: str, *roles: str, **body: Any) -> Any:
    headers = world.make_staff(*(roles or ("support",))).headers
    path = f"/v1/admin/redemptions/{redemption_id}/{verb}"
    return client.post(path, json={"reason": "As agreed"} | body, headers=headers)


def taken() -> tuple[int, int]:
    """What is taken of stock, and counted against limits."""
    db.session.rollback()
    stock = db.session.scalar(select(func.sum(RewardStock.taken))) or 0
    used = db.session.scalar(select(func.sum(RewardUse.used))) or 0
    db.session.rollback()
    return int(stock), int(used)


def shift(redemption_id: str, **columns: datetime) -> None:
    """Move the end of a redemption, and of its vouchers, to another moment."""
    with unit_of_work() as session:
        session.execute(update(Redemption).where(Redemption.redemption_id == UUID(redemption_id)).values(columns))
        if "expires_at" in columns:
            session.execute(update(Voucher).where(Voucher.redemption_id == UUID(redemption_id)).values(columns))


def close() -> int:
    closed = lapsing.close_lapsed(threading.Event())
    db.session.rollback()
    return closed


def test_what_a_partner_must_confirm_waits_with_its_points_held(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    reward = waiting(shop, stock=3, document=LIMITED | {"confirm_within_hours": 24})
    made = spender.redeemed(reward, 2)
    assert (made["state"], made["issued_at"], made["vouchers"]) == ("held", None, [])
    until = datetime.fromisoformat(made["held_until"]) - datetime.fromisoformat(made["created_at"])
    assert until == timedelta(hours=24)
    assert (buckets(spender.member_id), taken()) == ((800, 200, 0), (2, 2))
    listed = client.get("/v1/fulfilments", headers=shop.live).json["data"]
    assert [(each["id"], each["quantity"]) for each in listed] == [(made["id"], 2)]
    assert str(spender.member_id) not in str(listed)

    answer = say(client, shop, made["id"], "confirm", reference="DHL-1")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
    assert (answer.json["state"], answer.json["fulfilment"]) == ("issued", {"reference": "DHL-1"})
    assert (buckets(spender.member_id), taken()) == ((800, 0, 200), (2, 2))
    shown = spender.get(made["id"])
    assert [(each["state"], each["by"]) for each in shown["changes"]] == [("held", "member"), ("issued", "merchant")]
    assert_problem(say(client, shop, made["id"], "confirm"), 409, "invalid_transition")
    assert_problem(say(client, shop, made["id"], "decline", reason="late"), 409, "invalid_transition")
    assert_problem(spender.cancel(made["id"]), 409, "invalid_transition")
    assert client.get("/v1/fulfilments", headers=shop.live).json["data"] == []
    assert len(client.get("/v1/fulfilments?state=issued", headers=shop.live).json["data"]) == 1


def test_what_a_partner_declines_gives_everything_back(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(waiting(shop, stock=3, document=LIMITED), 2)
    answer = say(client, shop, made["id"], "decline", reason="Out of stock")
    assert (answer.json["state"], answer.json["points_returned"]) == ("cancelled", 200)
    assert (buckets(spender.member_id), taken()) == ((1000, 0, 0), (0, 0))
    assert spender.get(made["id"])["changes"][-1]["reason"] == "Out of stock"
    assert_problem(say(client, shop, made["id"], "confirm"), 409, "invalid_transition")


def test_another_merchant_and_another_world_see_nothing(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    made = spender.redeemed(waiting(shop))
    other = world.make_shop("other-shop")
    for headers in (other.live, shop.test):
        answer = client.post(f"/v1/redemptions/{made['id']}/confirm", json={}, headers=headers)
        assert_problem(answer, 404, "redemption_not_found")
        assert client.get("/v1/fulfilments", headers=headers).json["data"] == []
    assert_problem(say(client, shop, str(new_id()), "confirm"), 404, "redemption_not_found")
    hold = client.get(f"/v1/holds/{made['id']}", headers=shop.live)
    assert_problem(hold, 404, "hold_not_found"), "the hold behind it is not the merchant's to capture"


def test_vouchers_of_what_waits_are_made_when_it_is_confirmed(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    made = spender.redeemed(waiting(shop, "voucher_generated"), 2)
    assert made["vouchers"] == []
    answer = say(client, shop, made["id"], "confirm")
    assert "vouchers" not in answer.json, "the codes are for their owner alone"
    shown = spender.get(made["id"])
    assert len({voucher["code"] for voucher in shown["vouchers"]}) == 2
    code = shown["vouchers"][0]["code"]
    assert client.post(
        "/v1/vouchers/validate", json={"code": code, "cart": cart()}, headers=shop.live
    ).json["amount"] == 500  # fmt: skip
    spender.cancel(made["id"])
    assert buckets(spender.member_id) == (1000, 0, 0)


def test_codes_of_a_pool_wait_unseen_and_go_back_unless_they_were_issued(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    reward = waiting(shop, "voucher_pool")
    put_pool(reward, ["one", "two"])
    first = spender.redeemed(reward, 2)
    assert_problem(spender.redeem(reward), 409, "sold_out")
    say(client, shop, first["id"], "decline", reason="no")
    second = spender.redeemed(reward, 2)
    say(client, shop, second["id"], "confirm")
    assert {voucher["code"] for voucher in spender.get(second["id"])["vouchers"]} == {"ONE", "TWO"}
    assert spender.cancel(second["id"]).status_code == 200
    assert_problem(spender.redeem(reward), 409, "sold_out")
    assert db.session.scalar(select(func.count()).where(PoolCode.voucher_id.is_(None))) == 0


def test_what_waits_can_be_cancelled_by_its_member(spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(waiting(shop, stock=1, document=LIMITED))
    assert spender.cancel(made["id"]).json["state"] == "cancelled"
    assert (buckets(spender.member_id), taken()) == ((1000, 0, 0), (0, 0))


def test_a_cancelled_redemption_gives_points_back_to_their_lots_and_grace_to_those_that_expired(
    client: FlaskClient, shop: world.Shop, shopper: Any
) -> None:
    start = datetime(2026, 5, 4, 12, tzinfo=now().tzinfo)
    with time_machine.travel(start):
        [customer] = world.make_customers(shop, 1)
        give_points(customer.member_id, 60, start + timedelta(days=1))
        give_points(customer.member_id, 60)
        reward = reward_of()
        made = Spender(client, customer.member_id, shopper(customer.member_id)).redeemed(reward)
    with time_machine.travel(start + timedelta(days=2), tick=False):
        headers = shopper(customer.member_id)
        later = Spender(client, customer.member_id, headers)
        key = str(new_id())
        answer = later.cancel(made["id"], key)
        assert (answer.json["state"], answer.json["points_returned"]) == ("cancelled", 100)
        assert later.cancel(made["id"], key).json == answer.json
        assert_problem(later.cancel(made["id"]), 409, "invalid_transition")
        lots = db.session.scalars(select(Lot).where(Lot.member_id == customer.member_id).order_by(Lot.lot_id)).all()
        assert [(lot.remaining, lot.spent) for lot in lots] == [(60, 0), (60, 0)]
        assert lots[0].expires_at == start + timedelta(days=2 + 7)
        assert buckets(customer.member_id) == (120, 0, 0)
        assert [str(each) for each in ledger.verify(ledger.Verification())] == []


def test_a_cancelled_voucher_is_worth_nothing(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(reward_of())
    spender.cancel(made["id"])
    assert spender.get(made["id"])["vouchers"][0]["state"] == "cancelled"
    body = {"code": made["vouchers"][0]["code"], "cart": cart()}
    assert_problem(client.post("/v1/vouchers/validate", json=body, headers=shop.live), 409, "voucher_cancelled")


def test_nobody_cancels_anothers(spender: Spender, shop: world.Shop, shopper: Any) -> None:
    made = spender.redeemed(reward_of())
    stranger = shopper(world.make_customers(shop, 1)[0].member_id)
    answer = post(spender.client, f"/v1/redemptions/{made['id']}/cancel", stranger)
    assert_problem(answer, 404, "redemption_not_found")


def test_staff_act_in_the_place_of_others_with_a_reason_and_an_audit_line(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    one, two, three = (spender.redeemed(waiting(shop))["id"] for _ in range(3))
    confirmed = by_staff(client, one, "confirm", reference="DHL-1")
    assert (confirmed.status_code, confirmed.json["state"]) == (200, "issued"), confirmed.text
    assert confirmed.json["member_id"] == str(spender.member_id)
    assert by_staff(client, two, "decline", "approver").json["state"] == "cancelled"
    assert by_staff(client, three, "confirm", "admin", reference=None).json["state"] == "issued"
    assert by_staff(client, three, "mark-used").json["state"] == "used"
    assert by_staff(client, one, "cancel").json["state"] == "cancelled", "staff can, though it was sent"
    assert buckets(spender.member_id) == (900, 0, 100)
    db.session.rollback()
    lines = db.session.scalars(
        select(AuditEntry).where(AuditEntry.object_kind == "redemption").order_by(AuditEntry.audit_id)
    ).all()
    assert [(each.action, each.object_id, each.before["state"], each.after["state"]) for each in lines] == [
        ("redemption.confirmed", one, "held", "issued"),
        ("redemption.declined", two, "held", "cancelled"),
        ("redemption.confirmed", three, "held", "issued"),
        ("redemption.marked_used", three, "issued", "used"),
        ("redemption.cancelled", one, "issued", "cancelled"),
    ]
    assert {each.after["reason"] for each in lines} == {"As agreed"}
    assert all(each.staff_id is not None for each in lines)
    db.session.rollback()
    by = spender.get(one)["changes"][-1]
    assert (by["by"], by["reason"]) == ("staff", "As agreed")


def test_staff_need_a_role_a_reason_and_a_redemption(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(waiting(shop))["id"]
    for verb in ("confirm", "decline", "cancel", "mark-used", "rollback"):
        assert_problem(by_staff(client, made, verb, "viewer", use_id=str(new_id())), 403, "forbidden")
        headers = world.make_staff("support").headers
        path = f"/v1/admin/redemptions/{made}/{verb}"
        assert_problem(client.post(path, json={}, headers=headers), 422, "validation_failed")
    for verb in ("confirm", "decline", "cancel", "mark-used"):
        assert_problem(by_staff(client, str(new_id()), verb), 404, "redemption_not_found")
    assert_problem(by_staff(client, made, "mark-used"), 409, "invalid_transition")
    assert buckets(spender.member_id) == (900, 100, 0)


def test_staff_find_redemptions_and_see_no_codes(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    reward = reward_of()
    made = [spender.redeemed(reward)["id"], spender.redeemed(reward_of())["id"]]
    headers = world.make_staff("viewer").headers

    def found(query: str) -> list[str]:
        answer = client.get(f"/v1/admin/redemptions{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json["data"]]

    assert found("") == made[::-1]
    assert found(f"?member_id={spender.member_id}&state=issued") == made[::-1]
    assert found(f"?reward_id={reward.reward_id}") == made[:1]
    assert found(f"?member_id={new_id()}") == found("?state=held") == []
    shown = client.get(f"/v1/admin/redemptions/{made[0]}", headers=headers).json
    assert (shown["member_id"], shown["changes"][0]["by"]) == (
        str(spender.member_id), f"member:{spender.member_id}",
    )  # fmt: skip
    assert "code" not in shown["vouchers"][0]
    page = client.get("/v1/admin/redemptions?limit=1", headers=headers).json
    assert found(f"?limit=1&cursor={page['next_cursor']}") == made[:1]


def test_what_nobody_confirmed_in_time_is_over_by_the_clock_and_then_by_the_job(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    reward = waiting(shop, "voucher_pool", document=LIMITED | {"confirm_within_hours": 1})
    put_pool(reward, ["one"])
    made = spender.redeemed(reward)
    ends_at = datetime.fromisoformat(made["held_until"])
    with time_machine.travel(ends_at - timedelta(seconds=1), tick=False):
        assert close() == 0
    with time_machine.travel(ends_at, tick=False):
        assert changing.state_of(_stored(made["id"]), now()) == "expired"
        assert_problem(say(client, shop, made["id"], "confirm"), 409, "invalid_transition")
        headers = world.make_staff("viewer").headers
        shown = client.get(f"/v1/admin/redemptions/{made['id']}", headers=headers).json
        assert (shown["state"], shown["points_returned"], shown["closed_at"]) == ("expired", 100, made["held_until"])
        assert _stored(made["id"]).state == "held"
        assert close() == 1
        assert close() == 0
    stored = _stored(made["id"])
    assert (stored.state, stored.closed_at) == ("expired", ends_at)
    assert (buckets(spender.member_id), taken()) == ((1000, 0, 0), (0, 0))
    assert db.session.scalar(select(func.count()).where(PoolCode.voucher_id.is_(None))) == 1
    db.session.rollback()


def _stored(redemption_id: str) -> Redemption:
    db.session.rollback()
    found = db.session.scalars(select(Redemption).where(Redemption.redemption_id == UUID(redemption_id))).one()
    db.session.expunge(found)
    db.session.rollback()
    return found


def test_the_ledgers_own_job_may_come_first(spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(waiting(shop, stock=1, document={"confirm_within_hours": 1}))
    with time_machine.travel(now() + HOUR):
        assert ledger.settle_due_accounts() == 1
        assert (buckets(spender.member_id), taken()) == ((1000, 0, 0), (1, 0))
        assert close() == 1
    assert (_stored(made["id"]).state, taken()) == ("expired", (0, 0))


@pytest.mark.parametrize(
    ("rule", "state", "points"), [("none", "expired", (800, 0, 200)), ("full", "refunded", (1000, 0, 0))]
)
def test_unused_vouchers_expire_with_the_rewards_rule(
    client: FlaskClient, spender: Spender, shop: world.Shop, rule: str, state: str, points: tuple[int, int, int]
) -> None:
    reward = reward_of(voucher={"refund_if_unused": rule}, stock=2, document=LIMITED)
    made = spender.redeemed(reward, 2)
    shift(made["id"], expires_at=now() - timedelta(seconds=1))
    shown = spender.get(made["id"])
    assert (shown["state"], {voucher["state"] for voucher in shown["vouchers"]}) == ("expired", {"expired"})
    assert spender.client.get("/v1/redemptions?state=issued", headers=spender.headers).json["data"] == []
    body = {"code": made["vouchers"][0]["code"], "cart": cart()}
    assert_problem(client.post("/v1/vouchers/validate", json=body, headers=shop.live), 409, "voucher_expired")
    assert_problem(spender.cancel(made["id"]), 409, "invalid_transition")
    assert close() == 1
    shown = spender.get(made["id"])
    assert (shown["state"], shown["points_returned"]) == (state, 1000 - 800 if state == "refunded" else 0)
    assert {voucher["state"] for voucher in shown["vouchers"]} == {"expired"}
    assert buckets(spender.member_id) == points
    assert taken() == (2, 2), "what was issued was issued"
    assert close() == 0


def test_of_vouchers_of_one_redemption_only_the_unused_are_refunded(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    made = spender.redeemed(reward_of(voucher={"refund_if_unused": "full"}), 3)
    body = {"code": made["vouchers"][0]["code"], "order": "o-1", "cart": cart(), "amount": 1}
    assert post(client, "/v1/vouchers/redeem", shop.live, body).status_code == 200
    shift(made["id"], expires_at=now())
    assert close() == 1
    shown = spender.get(made["id"])
    assert (shown["state"], shown["points_returned"]) == ("refunded", 200)
    assert buckets(spender.member_id) == (900, 0, 100)


def test_what_was_used_in_part_and_expires_was_used(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(reward_of(voucher={"refund_if_unused": "full"}))
    body = {"code": made["vouchers"][0]["code"], "order": "o-1", "cart": cart(), "amount": 1}
    assert post(client, "/v1/vouchers/redeem", shop.live, body).status_code == 200
    assert_problem(spender.cancel(made["id"]), 409, "invalid_transition")
    shift(made["id"], expires_at=now())
    assert close() == 1
    assert spender.get(made["id"])["state"] == "used"
    assert buckets(spender.member_id) == (900, 0, 100)


def test_one_that_fails_does_not_keep_the_others(spender: Spender, shop: world.Shop, monkeypatch: Any) -> None:
    made = [spender.redeemed(reward_of())["id"] for _ in range(3)]
    for number, redemption_id in enumerate(made):
        shift(redemption_id, expires_at=now() - timedelta(seconds=10 - number))
    real = changing.lapse

    def broken(member_id: UUID, redemption_id: UUID, moment: datetime) -> bool:
        if redemption_id == UUID(made[0]):
            raise RuntimeError("broken")
        return real(member_id, redemption_id, moment)

    monkeypatch.setattr(changing, "lapse", broken)
    assert close() == 2
    monkeypatch.undo()
    assert close() == 1


def test_a_fact_tells_each_state(client: FlaskClient, spender: Spender, shop: world.Shop) -> None:
    made = spender.redeemed(waiting(shop, "voucher_generated"))
    say(client, shop, made["id"], "confirm")
    shift(made["id"], expires_at=now())
    close()
    facts = db.session.scalars(
        select(OutboxRow.payload).where(OutboxRow.kind == "redemption").order_by(OutboxRow.version)
    )
    assert [each["state"] for each in facts] == ["held", "issued", "expired"]
