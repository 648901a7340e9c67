"""Points turned into rewards: what is checked, what is taken, what is shown to whom."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.database import db
from app.core.idempotency import IdempotencyRecord
from app.core.outbox import OutboxRow
from app.ledger import service as ledger
from app.redemption import codes
from app.redemption.models import PoolCode, Redemption, RewardStock, RewardUse, Voucher, VoucherCode
from tests import world
from tests.answers import assert_problem
from tests.redemption.conftest import Spender
from tests.redemption.rows import put_reward
from tests.redemption.till import FIVE_EUROS, buckets, give_points, post, put_pool, reward_of

pytestmark = pytest.mark.usefixtures("app")
DAY = timedelta(days=1)


def taken(reward: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.sum(RewardStock.taken)).where(RewardStock.reward_id == reward.reward_id)) or 0


def test_points_become_a_voucher_with_a_code_that_its_owner_reads_again(
    spender: Spender, shop: world.Shop, shopper: Any
) -> None:
    reward = reward_of(merchant_id=shop.merchant_id)
    answer = spender.redeem(reward)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store"), answer.text
    made = answer.json
    assert {name: made[name] for name in ("state", "quantity", "points", "points_returned", "money", "held_until")} == {
        "state": "issued", "quantity": 1, "points": 100, "points_returned": 0, "money": None, "held_until": None,
    }  # fmt: skip
    assert made["reward"] == {
        "id": str(reward.reward_id), "key": reward.key, "kind": "voucher_generated", "name": "Five euros",
        "merchant_id": str(shop.merchant_id),
    }  # fmt: skip
    [voucher] = made["vouchers"]
    assert {name: voucher[name] for name in ("state", "discount", "value", "remaining", "currency", "is_partial")} == {
        "state": "issued", "discount": "amount", "value": 500, "remaining": 500, "currency": "EUR", "is_partial": True,
    }  # fmt: skip
    assert codes.spell_own(voucher["code"]) is not None
    assert [change["state"] for change in made["changes"]] == ["issued"]
    assert buckets(spender.member_id) == (900, 0, 100)
    assert spender.get(made["id"]) == made
    stranger = shopper(world.make_customers(shop, 1)[0].member_id)
    assert_problem(
        spender.client.get(f"/v1/redemptions/{made['id']}", headers=stranger), 404, "redemption_not_found"
    )  # fmt: skip


def test_what_is_stored_and_logged_does_not_tell_the_code(spender: Spender) -> None:
    with capture_logs() as lines:
        shown = spender.code(reward_of())
    bare = shown.replace("-", "")
    stored = [
        *db.session.scalars(select(Voucher.code_cipher)),
        *db.session.scalars(select(VoucherCode.code_hash)),
        *db.session.scalars(select(IdempotencyRecord.body)),
        *(str(payload).encode() for payload in db.session.scalars(select(OutboxRow.payload))),
    ]
    assert len(stored) >= 5
    logged = str(lines)
    assert "/v1/redemptions" in logged
    for text in (shown, bare):
        assert not any(text.encode() in bytes(each) for each in stored)
        assert text not in logged


def test_the_same_key_redeems_once_and_tells_the_code_again(spender: Spender) -> None:
    reward = reward_of()
    first, again = spender.redeem(reward, key="k"), spender.redeem(reward, key="k")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json == again.json
    assert buckets(spender.member_id) == (900, 0, 100)
    assert_problem(spender.redeem(reward, 2, key="k"), 422, "idempotency_key_reused")
    body = {"reward_id": str(reward.reward_id), "quantity": 1}
    assert_problem(
        spender.client.post("/v1/redemptions", json=body, headers=spender.headers), 400, "idempotency_key_required"
    )  # fmt: skip


def test_each_piece_has_a_voucher_of_its_own_and_costs_the_price_of_the_tier(spender: Spender) -> None:
    made = spender.redeemed(reward_of(document={"tier_points": {"seed": 80}}), 3)
    assert (made["points"], made["quantity"]) == (240, 3)
    assert len({voucher["code"] for voucher in made["vouchers"]}) == 3
    assert buckets(spender.member_id) == (760, 0, 240)


def test_a_part_may_be_paid_in_money(spender: Spender) -> None:
    made = spender.redeemed(reward_of("product", document={"money": {"amount": 250, "currency": "EUR"}}), 2)
    assert made["money"] == {"amount": 500, "currency": "EUR"}
    assert made["vouchers"] == []
    assert (made["state"], made["expires_at"]) == ("issued", None)


def test_the_name_is_in_the_language_that_is_asked_for(spender: Spender) -> None:
    made = spender.redeemed(reward_of())
    path = f"/v1/redemptions/{made['id']}"
    names = {
        asked: spender.client.get(path, headers=spender.headers | {"Accept-Language": asked}).json["reward"]["name"]
        for asked in ("de-AT", "fr, de;q=0.5", "fr")
    }
    assert names == {"de-AT": "Fünf Euro", "fr, de;q=0.5": "Fünf Euro", "fr": "Five euros"}


HINDERED: list[tuple[dict[str, Any], int, str]] = [
    ({"state": "draft"}, 404, "reward_not_found"),
    ({"state": "archived"}, 404, "reward_not_found"),
    ({"visible_from": now() + DAY}, 404, "reward_not_found"),
    ({"visible_until": now() - DAY}, 404, "reward_not_found"),
    ({"available_from": now() + DAY}, 409, "not_yet_available"),
    ({"available_until": now() - DAY}, 409, "no_longer_available"),
    ({"document": {"audience": {"tiers": ["gold"]}}}, 409, "not_for_tier"),
    ({"document": {"audience": {"regions": ["FR"]}}}, 409, "not_for_member"),
    ({"document": {"limit": {"quantity": 1, "per": "ever"}}}, 409, "limit_reached"),
    ({"stock": 1}, 409, "sold_out"),
    ({"stock_kind": "per_day", "stock_total": 1}, 409, "sold_out"),
    ({"kind": "voucher_pool"}, 409, "sold_out"),
    ({"points": 501}, 409, "insufficient_points"),
]


@pytest.mark.parametrize(("columns", "status", "code"), HINDERED)
def test_what_is_refused_moves_nothing(
    spender: Spender, writes_nothing: Any, columns: dict[str, Any], status: int, code: str
) -> None:
    """Two pieces are asked for, of which one alone would be there."""
    reward = reward_of(columns.pop("kind", "voucher_generated"), **columns)
    body = {"reward_id": str(reward.reward_id), "quantity": 2}
    with writes_nothing():
        answer = spender.client.post("/v1/redemptions", json=body, headers=spender.headers)
        assert_problem(answer, 400, "idempotency_key_required")
    assert_problem(spender.redeem(reward, 2), status, code)
    assert buckets(spender.member_id) == (1000, 0, 0)
    assert taken(reward) == 0
    assert db.session.scalar(select(func.count()).select_from(Redemption)) == 0


def test_refusals_say_what_is_missing(spender: Spender) -> None:
    assert spender.redeem(reward_of(points=1035)).json["missing_points"] == 35
    assert spender.redeem(reward_of(document={"limit": {"quantity": 2, "per": "day"}}), 3).json["left"] == 2
    opens_at = (now() + DAY).replace(microsecond=0)
    told = spender.redeem(reward_of(available_from=opens_at)).json["available_from"]
    assert told == opens_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("quantity", [0, -1, 21, 1.5, "1", True])
def test_a_quantity_is_a_number_from_1_to_20(spender: Spender, quantity: Any) -> None:
    body = {"reward_id": str(reward_of().reward_id), "quantity": quantity}
    answer = post(spender.client, "/v1/redemptions", spender.headers, body)
    assert_problem(answer, 422, "validation_failed", "/quantity")


def test_who_owes_points_redeems_nothing(spender: Spender) -> None:
    spender.redeemed(reward_of(points=950))
    ledger.adjust_points(
        spender.member_id, 40, key="later", actor="test", reason="r", fingerprint=b"", moment=now()
    )  # fmt: skip
    ledger.reverse_points(
        spender.member_id, _first_posting(spender), None, key="r:1", actor="test", fingerprint=b"", moment=now()
    )  # fmt: skip
    assert_problem(spender.redeem(reward_of(points=1)), 409, "in_debt")


def _first_posting(spender: Spender) -> str:
    from app.ledger.models import Posting

    found = db.session.scalars(
        select(Posting.idempotency_key)
        .where(Posting.member_id == spender.member_id, Posting.kind == "adjust")
        .order_by(Posting.first_seq)
    ).first()
    assert found is not None
    db.session.rollback()
    return found


def test_stock_is_taken_and_given_back_when_it_is_cancelled(spender: Spender) -> None:
    reward = reward_of(stock=2)
    first = spender.redeemed(reward, 2)
    assert taken(reward) == 2
    assert_problem(spender.redeem(reward), 409, "sold_out")
    assert spender.cancel(first["id"]).status_code == 200
    assert taken(reward) == 0
    spender.redeemed(reward)


def test_stock_by_day_begins_anew_with_the_day_of_the_programme(spender: Spender) -> None:
    reward = reward_of(stock_kind="per_day", stock_total=1)
    spender.redeemed(reward)
    assert_problem(spender.redeem(reward), 409, "sold_out")
    with time_machine.travel(now() + DAY):
        headers = spender.headers
        fresh = spender.client.get("/v1/redemptions", headers=headers)
        assert fresh.status_code == 401, "the token is over by then"
    rows = db.session.scalars(select(RewardStock).where(RewardStock.reward_id == reward.reward_id)).all()
    assert [(row.total, row.taken) for row in rows] == [(1, 1)]


def test_a_limit_counts_what_was_taken_and_not_what_was_given_back(spender: Spender) -> None:
    reward = reward_of(document={"limit": {"quantity": 2, "per": "month"}})
    first = spender.redeemed(reward)
    spender.redeemed(reward)
    assert_problem(spender.redeem(reward), 409, "limit_reached")
    assert spender.cancel(first["id"]).status_code == 200
    assert db.session.scalars(select(RewardUse.used)).all() == [1]
    spender.redeemed(reward)
    assert_problem(spender.redeem(reward), 409, "limit_reached")


def test_codes_of_a_pool_are_handed_out_in_their_order_as_the_partner_wrote_them(
    spender: Spender, shop: world.Shop
) -> None:
    reward = reward_of("voucher_pool", merchant_id=shop.merchant_id)
    put_pool(reward, ["save-0001", "save-0002", "save-0003"])
    put_pool(reward_of("voucher_pool", merchant_id=shop.merchant_id), ["other-1"])
    first, second = spender.redeemed(reward), spender.redeemed(reward, 2)
    assert [voucher["code"] for voucher in first["vouchers"]] == ["SAVE0001"]
    assert sorted(voucher["code"] for voucher in second["vouchers"]) == ["SAVE0002", "SAVE0003"]
    assert spender.get(second["id"]) == second
    assert_problem(spender.redeem(reward), 409, "sold_out")


def test_a_code_of_a_pool_that_was_shown_is_not_handed_out_again(spender: Spender, shop: world.Shop) -> None:
    reward = reward_of("voucher_pool", merchant_id=shop.merchant_id)
    put_pool(reward, ["save-0001"])
    made = spender.redeemed(reward)
    assert spender.cancel(made["id"]).json["state"] == "cancelled"
    assert buckets(spender.member_id) == (1000, 0, 0)
    assert_problem(spender.redeem(reward), 409, "sold_out")
    assert db.session.scalar(select(func.count()).where(PoolCode.voucher_id.is_(None))) == 0


def test_test_members_take_of_the_stock_of_test_data_alone(
    client: FlaskClient, shop: world.Shop, shopper: Any, spender: Spender
) -> None:
    reward = reward_of(stock=1)
    [customer] = world.make_customers(shop, 1, live=False)
    give_points(customer.member_id, 100)
    tester = Spender(client, customer.member_id, shopper(customer.member_id))
    tester.redeemed(reward)
    spender.redeemed(reward)
    assert_problem(spender.redeem(reward), 409, "sold_out")


def test_every_state_is_told_the_outbox(spender: Spender) -> None:
    made = spender.redeemed(reward_of())
    spender.cancel(made["id"])
    payloads = db.session.scalars(
        select(OutboxRow.payload)
        .where(OutboxRow.member_id == spender.member_id, OutboxRow.kind == "redemption")
        .order_by(OutboxRow.version)
    ).all()
    assert [(each["redemption"], each["state"], each["points"]) for each in payloads] == [
        (made["id"], "issued", 100), (made["id"], "cancelled", 100),
    ]  # fmt: skip


def test_redemptions_are_listed_newest_first_by_state_and_without_codes(spender: Spender) -> None:
    made = [spender.redeemed(reward_of())["id"] for _ in range(3)]
    spender.cancel(made[1])

    def listed(query: str) -> Any:
        return spender.client.get(f"/v1/redemptions{query}", headers=spender.headers).json

    page = listed("?limit=2")
    assert [each["id"] for each in page["data"]] == [made[2], made[1]]
    rest = listed(f"?limit=2&cursor={page['next_cursor']}")
    assert ([each["id"] for each in rest["data"]], rest["next_cursor"]) == ([made[0]], None)
    assert "vouchers" not in page["data"][0]
    assert [each["id"] for each in listed("?state=issued")["data"]] == [made[2], made[0]]
    assert [each["id"] for each in listed("?state=cancelled")["data"]] == [made[1]]
    answer = spender.client.get(
        f"/v1/redemptions?state=issued&cursor={page['next_cursor']}", headers=spender.headers
    )  # fmt: skip
    assert_problem(answer, 400, "invalid_cursor")


def test_the_terms_of_a_voucher_stay_those_of_the_day_it_was_issued(spender: Spender) -> None:
    reward = reward_of()
    made = spender.redeemed(reward)
    from app.core.unit_of_work import unit_of_work
    from app.redemption.models import Reward

    with unit_of_work() as session:
        row = session.get(Reward, reward.reward_id)
        row.document = row.document | {"voucher": FIVE_EUROS | {"value": 100}}
        row.version = 2
    assert spender.get(made["id"])["vouchers"] == made["vouchers"]


def test_a_reward_without_a_voucher_in_its_document_is_a_product_voucher(spender: Spender) -> None:
    reward = put_reward(kind="voucher_generated", document={"names": {"en": "A surprise"}})
    [voucher] = spender.redeemed(reward)["vouchers"]
    assert (voucher["discount"], voucher["value"], voucher["expires_at"]) == ("product", None, None)
