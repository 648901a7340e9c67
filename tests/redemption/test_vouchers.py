"""Vouchers at the till: what one is worth, its use for an order, the undoing of that, and what is told of codes."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.core.unit_of_work import unit_of_work
from app.redemption import codes
from app.redemption.models import Redemption, Voucher, VoucherUse
from tests import world
from tests.answers import assert_problem
from tests.redemption.conftest import Spender
from tests.redemption.test_changing import by_staff, close, shift
from tests.redemption.till import buckets, cart, post, put_pool, reward_of

pytestmark = pytest.mark.usefixtures("app")
ORGANIC = [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}]


class Till:
    """A shop's till."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def validate(self, code: str, basket: Any = None, **more: Any) -> Any:
        body = {"code": code, "cart": basket or cart()} | more
        return self.client.post("/v1/vouchers/validate", json=body, headers=self.headers)

    def redeem(self, code: str, order: str = "o-1", basket: Any = None, key: str | None = None, **more: Any) -> Any:
        body = {"code": code, "order": order, "cart": basket or cart()} | more
        return post(self.client, "/v1/vouchers/redeem", self.headers, body, key)

    def roll_back(self, code: str, order: str = "o-1", key: str | None = None) -> Any:
        return post(self.client, "/v1/vouchers/rollback", self.headers, {"code": code, "order": order}, key)


@pytest.fixture
def till(client: FlaskClient, shop: world.Shop) -> Till:
    return Till(client, shop.live)


def states(spender: Spender, redemption_id: str) -> tuple[str, list[tuple[str, Any]]]:
    shown = spender.get(redemption_id)
    return shown["state"], [(voucher["state"], voucher["remaining"]) for voucher in shown["vouchers"]]


def test_validate_says_what_is_taken_off_and_changes_nothing(
    spender: Spender, till: Till, shop: world.Shop, writes_nothing: Any
) -> None:
    code = spender.code(reward_of(merchant_id=shop.merchant_id))
    with writes_nothing():
        answer = till.validate(code.lower().replace("-", " "))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
    told = answer.json
    assert {name: told[name] for name in ("amount", "currency", "lines", "reason", "missing_amount")} == {
        "amount": 500, "currency": "EUR", "lines": [{"id": "1", "amount": 500}], "reason": None, "missing_amount": 0,
    }  # fmt: skip
    assert (told["voucher"]["state"], told["voucher"]["remaining"]) == ("issued", 500)
    assert "code" not in told["voucher"]
    assert till.validate(code, cart(300)).json["amount"] == 300


def test_only_lines_with_a_valid_certificate_count_where_the_terms_say(spender: Spender, till: Till) -> None:
    code = spender.code(reward_of(voucher={"certified_only": True, "minimum_spend": 800}))
    plain = {"id": "2", "sku": "B-1", "total": 5000, "quantity": 1}
    organic = cart(799, certifications=ORGANIC)
    organic["lines"].append(plain)
    told = till.validate(code, organic).json
    assert (told["amount"], told["reason"], told["missing_amount"]) == (0, "below_minimum_spend", 1)
    organic["lines"][0]["total"] = 900
    told = till.validate(code, organic).json
    assert (told["amount"], told["lines"]) == (500, [{"id": "1", "amount": 500}])
    organic["lines"][0]["certifications"] = [{"code": "EU_ORGANIC"}]  # a claim that nobody can check
    assert till.validate(code, organic).json["reason"] == "nothing_eligible"
    assert_problem(till.redeem(code, basket=organic), 409, "nothing_eligible")
    organic["lines"][0]["certifications"] = [{"code": "MADE_UP", "number": "1"}]
    assert_problem(till.validate(code, organic), 422, "validation_failed", "/cart/lines/0/certifications/0/code")


def test_below_the_minimum_nothing_is_redeemed(spender: Spender, till: Till) -> None:
    code = spender.code(reward_of(voucher={"minimum_spend": 2500}))
    answer = till.redeem(code)
    assert_problem(answer, 409, "below_minimum_spend")
    assert answer.json["missing_amount"] == 500


def test_a_value_is_used_in_parts_until_nothing_is_left(spender: Spender, till: Till) -> None:
    made = spender.redeemed(reward_of())
    code = made["vouchers"][0]["code"]
    first = till.redeem(code, "o-1", amount=120).json
    assert (first["amount"], first["lines"], first["voucher"]["remaining"]) == (120, [{"id": "1", "amount": 120}], 380)
    assert till.validate(code).json["amount"] == 380
    exceeding = till.redeem(code, "o-2", amount=381)
    assert_problem(exceeding, 409, "amount_exceeds_worth")
    assert exceeding.json["worth"] == 380
    assert till.redeem(code, "o-2", cart(80)).json["voucher"]["remaining"] == 300
    assert states(spender, made["id"]) == ("issued", [("issued", 300)])
    last = till.redeem(code, "o-3").json
    assert (last["amount"], last["voucher"]["state"]) == (300, "used")
    assert states(spender, made["id"]) == ("used", [("used", 0)])
    assert_problem(till.redeem(code, "o-4"), 409, "voucher_redeemed")
    assert_problem(till.validate(code), 409, "voucher_redeemed")
    uses = spender.get(made["id"])["vouchers"][0]["uses"]
    assert [(use["order"], use["amount"]) for use in uses] == [("o-1", 120), ("o-2", 80), ("o-3", 300)]
    assert buckets(spender.member_id) == (900, 0, 100)


def test_the_same_key_uses_it_once_and_one_order_has_it_once(spender: Spender, till: Till) -> None:
    code = spender.code(reward_of())
    first, again = (till.redeem(code, amount=100, key="k") for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(till.redeem(code, amount=100), 409, "voucher_used_for_order")
    assert db.session.scalars(select(VoucherUse.amount)).all() == [100]
    body = {"code": code, "order": "o-9", "cart": cart()}
    for verb in ("redeem", "rollback"):
        answer = till.client.post(f"/v1/vouchers/{verb}", json=body, headers=till.headers)
        assert_problem(answer, 400, "idempotency_key_required")


@pytest.mark.parametrize(
    ("terms", "amount"),
    [
        ({"is_partial": False}, 500),
        ({"discount": "percent", "value": 15, "currency": None}, 300),
        ({"discount": "product", "value": None, "currency": None, "skus": ["A-1"]}, 1000),
    ],
)
def test_what_is_used_as_a_whole_is_used_once(spender: Spender, till: Till, terms: dict[str, Any], amount: int) -> None:
    made = spender.redeemed(reward_of(voucher=terms))
    code = made["vouchers"][0]["code"]
    assert_problem(till.redeem(code, amount=amount - 1), 409, "not_partial")
    done = till.redeem(code).json
    assert (done["amount"], done["voucher"]["state"]) == (amount, "used")
    assert states(spender, made["id"])[0] == "used"
    assert till.roll_back(code).json["voucher"]["state"] == "issued"
    assert till.redeem(code, "o-2").json["amount"] == amount


def test_a_whole_value_that_was_larger_than_the_cart_comes_back_whole(spender: Spender, till: Till) -> None:
    made = spender.redeemed(reward_of(voucher={"is_partial": False}))
    code = made["vouchers"][0]["code"]
    assert till.redeem(code, basket=cart(200)).json["amount"] == 200
    assert states(spender, made["id"]) == ("used", [("used", 0)])
    till.roll_back(code)
    assert states(spender, made["id"]) == ("issued", [("issued", 500)])


def test_a_redemption_is_used_with_the_last_of_its_vouchers_and_open_again_when_one_comes_back(
    spender: Spender, till: Till
) -> None:
    made = spender.redeemed(reward_of(), 2)
    one, two = (voucher["code"] for voucher in made["vouchers"])
    till.redeem(one)
    assert states(spender, made["id"])[0] == "issued"
    till.redeem(two)
    assert states(spender, made["id"])[0] == "used"
    assert_problem(spender.cancel(made["id"]), 409, "invalid_transition")
    assert till.roll_back(two).status_code == 200
    shown = spender.get(made["id"])
    assert (shown["state"], shown["closed_at"]) == ("issued", None)
    assert [(each["state"], each["by"]) for each in shown["changes"]] == [
        ("issued", "member"), ("used", "merchant"), ("issued", "merchant"),
    ]  # fmt: skip
    assert_problem(spender.cancel(made["id"]), 409, "invalid_transition")
    till.roll_back(one)
    assert spender.cancel(made["id"]).json["state"] == "cancelled"
    assert buckets(spender.member_id) == (1000, 0, 0)


def test_a_use_is_rolled_back_once(spender: Spender, till: Till) -> None:
    made = spender.redeemed(reward_of())
    code = made["vouchers"][0]["code"]
    assert_problem(till.roll_back(code), 404, "voucher_use_not_found")
    used = till.redeem(code, amount=200).json
    undone = till.roll_back(code, key="k").json
    assert (undone["use_id"], undone["amount"], undone["voucher"]["remaining"]) == (used["use_id"], 200, 500)
    assert till.roll_back(code, key="k").json == undone
    assert_problem(till.roll_back(code), 409, "already_rolled_back")
    assert_problem(till.roll_back(code, "o-2"), 404, "voucher_use_not_found")
    again = till.redeem(code, amount=300).json
    assert again["voucher"]["remaining"] == 200, "the order may have it again"
    assert till.roll_back(code).json["voucher"]["remaining"] == 500
    assert [use["rolled_back_at"] is not None for use in spender.get(made["id"])["vouchers"][0]["uses"]] == [True, True]


def test_a_merchant_rolls_back_on_its_own_day_and_staff_later(
    client: FlaskClient, spender: Spender, till: Till, shop: world.Shop
) -> None:
    """The shop's day is Berlin's: in winter it ends at 23:00 UTC."""
    made = spender.redeemed(reward_of())
    code = made["vouchers"][0]["code"]
    berlin = ZoneInfo("Europe/Berlin")
    tomorrow = now().astimezone(berlin).date() + timedelta(days=1)
    midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=berlin)
    used = till.redeem(code, "o-1", amount=100).json
    till.redeem(code, "o-2", amount=50)
    with time_machine.travel(midnight - timedelta(seconds=1), tick=False):
        assert till.roll_back(code, "o-2").status_code == 200
    with time_machine.travel(midnight, tick=False):
        assert_problem(till.roll_back(code, "o-1"), 409, "rollback_too_late")
        assert_problem(till.roll_back(code, "o-2"), 409, "already_rolled_back")
        answer = by_staff(client, made["id"], "rollback", use_id=used["use_id"])
        assert (answer.status_code, answer.json["vouchers"][0]["remaining"]) == (200, 500), answer.text
        assert_problem(
            by_staff(client, made["id"], "rollback", use_id=used["use_id"]), 409, "already_rolled_back"
        )  # fmt: skip
        assert_problem(by_staff(client, made["id"], "rollback", use_id=str(new_id())), 404, "voucher_use_not_found")


def test_what_comes_back_to_an_expired_voucher_has_seven_days(
    client: FlaskClient, spender: Spender, till: Till, shop: world.Shop
) -> None:
    made = spender.redeemed(reward_of())
    code = made["vouchers"][0]["code"]
    used = till.redeem(code, amount=200).json
    shift(made["id"], expires_at=now())
    assert close() == 1
    assert states(spender, made["id"]) == ("used", [("expired", 300)])
    assert by_staff(client, made["id"], "rollback", use_id=used["use_id"]).status_code == 200
    shown = spender.get(made["id"])
    assert states(spender, made["id"]) == ("issued", [("issued", 200)]), "what had lapsed stays so"
    until = datetime.fromisoformat(shown["expires_at"]) - now()
    assert timedelta(days=6, hours=23) < until <= timedelta(days=7)
    assert shown["vouchers"][0]["expires_at"] == shown["expires_at"]
    assert till.redeem(code, "o-2").json["amount"] == 200


def test_a_voucher_is_good_at_its_own_merchant_alone_and_in_its_own_world(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    code = spender.code(reward_of(merchant_id=shop.merchant_id))
    other = Till(client, world.make_shop("other-shop").live)
    assert_problem(other.validate(code), 404, "voucher_not_found")
    assert_problem(other.redeem(code), 404, "voucher_not_found")
    assert_problem(other.roll_back(code), 404, "voucher_not_found")
    assert_problem(Till(client, shop.test).validate(code), 404, "voucher_not_found")
    everywhere = spender.code(reward_of())
    assert other.redeem(everywhere, amount=1).status_code == 200
    assert_problem(Till(client, shop.live).roll_back(everywhere), 404, "voucher_use_not_found")


def test_a_mistyped_code_is_known_by_its_check_symbol_and_an_unknown_one_is_not_found(
    spender: Spender, till: Till
) -> None:
    code = spender.code(reward_of()).replace("-", "")
    wrong = code[:4] + ("Z" if code[4] != "Z" else "Y") + code[5:]
    for verb in (till.validate, till.redeem, till.roll_back):
        assert_problem(verb(wrong), 422, "invalid_code", "/code")
        assert_problem(verb(codes.make_voucher_code()), 404, "voucher_not_found")
    for text in ("ABC", "*", "SAVE-10-2026", code + "0"):
        assert_problem(till.validate(text), 422, "invalid_code", "/code")
    for text in ("", "A" * 101, None, 5, ["A"]):
        assert_problem(till.validate(text), 422, "validation_failed", "/code")  # type: ignore[arg-type]


def test_a_partners_codes_are_found_however_they_are_typed_by_that_partner_alone(
    client: FlaskClient, spender: Spender, till: Till, shop: world.Shop
) -> None:
    other = world.make_shop("other-shop")
    mine, theirs = (reward_of("voucher_pool", merchant_id=whose.merchant_id) for whose in (shop, other))
    put_pool(mine, ["Save-0001", "PARTNER0000001"])
    put_pool(theirs, ["Save-0001"])
    put_pool(reward_of("voucher_pool"), ["everywhere-1"])
    codes_ = {voucher["code"] for voucher in spender.redeemed(mine, 2)["vouchers"]}
    spender.redeemed(theirs)
    assert codes_ == {"SAVE0001", "PARTNER0000001"}
    assert till.redeem("save 0001", amount=100).json["voucher"]["remaining"] == 400
    assert till.validate("SAVE-0001").json["voucher"]["remaining"] == 400
    assert Till(client, other.live).validate("SAVE-0001").json["voucher"]["remaining"] == 500
    assert till.validate("partner0000001").json["amount"] == 500, "it has the form of one of ours, and is none"
    assert_problem(till.validate("partner0000003"), 422, "invalid_code", "/code")
    assert_problem(till.validate("save-0009"), 404, "voucher_not_found")
    assert_problem(till.validate("everywhere-1"), 404, "voucher_not_found"), "nobody has drawn it"


@pytest.mark.parametrize("verb", ["validate", "redeem"])
def test_a_cart_in_another_currency_does_not_fit(spender: Spender, till: Till, verb: str) -> None:
    code = spender.code(reward_of())
    answer = getattr(till, verb)(code, basket=cart(2000, "USD"))
    assert_problem(answer, 409, "currency_differs")
    assert answer.json["currency"] == "EUR"
    percent = spender.code(reward_of(voucher={"discount": "percent", "value": 10, "currency": None}))
    assert till.validate(percent, basket=cart(2000, "USD")).json["amount"] == 200


@pytest.mark.parametrize(
    ("basket", "pointer"),
    [
        ({"lines": []}, "/cart/lines"),
        ({"currency": "EUR", "lines": [{"id": "1"}]}, "/cart/lines/0/total"),
        ({"currency": "XXX", "lines": [{"id": "1", "total": 1}]}, "/cart/currency"),
        ({"lines": [{"id": "1", "total": 1}]}, "/cart/currency"),
        ({"currency": "EUR", "lines": [{"id": "1", "total": -1}]}, "/cart/lines/0/total"),
        ({"currency": "EUR", "kind": "recycling", "lines": [{"id": "1", "total": 1}]}, "/cart/kind"),
        ({"currency": "EUR", "lines": [{"id": "1", "total": 1}, {"id": "1", "total": 1}]}, "/cart/lines/1/id"),
    ],
)
def test_a_cart_that_breaks_the_contract_is_told_where(
    spender: Spender, till: Till, basket: dict[str, Any], pointer: str
) -> None:
    assert_problem(till.validate(spender.code(reward_of()), basket), 422, "validation_failed", pointer)


def test_amounts_and_orders_keep_the_contract(spender: Spender, till: Till) -> None:
    code = spender.code(reward_of())
    for amount in (0, -1, 1.5, "1", True):
        assert_problem(till.redeem(code, amount=amount), 422, "validation_failed", "/amount")
    assert_problem(till.redeem(code, order="o 1"), 422, "validation_failed", "/order")
    assert_problem(till.redeem(code, code_="x"), 422, "validation_failed", "/code_")


def test_neither_logs_nor_errors_nor_stored_rows_tell_a_code(spender: Spender, till: Till, shop: world.Shop) -> None:
    reward = reward_of("voucher_pool", merchant_id=shop.merchant_id)
    put_pool(reward, ["SECRET-PARTNER-CODE"])
    own, partners = spender.code(reward_of()), spender.code(reward)
    wrong = "SECRETPARTNERCODE9"
    with capture_logs() as lines:
        answers = [till.validate(own), till.redeem(own, amount=1), till.roll_back(own), till.redeem(partners)]
        answers += [
            till.validate(wrong), till.redeem(wrong), till.validate(own[:-1]), till.redeem(partners, "o 1"),
            till.validate(own, {"lines": []}), till.redeem(partners, amount=1, order="o-9"),
        ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 404, 404, 404, 422, 422, 409]
    told = str(lines) + "".join(answer.text for answer in answers)
    assert "/v1/vouchers/redeem" in told
    secrets = {own, own.replace("-", ""), own[:-1], partners, wrong, "SECRET"}
    assert not [secret for secret in secrets if secret in told]
    with db.engine.connect() as connection:
        for table in ("idempotency_record", "voucher", "voucher_code", "voucher_use", "outbox", "redemption"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert rows
            kept = b"".join(_bytes(value) for row in rows for value in row)
            assert not [secret for secret in secrets if secret.encode() in kept], table


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def test_uses_are_told_the_outbox(spender: Spender, till: Till) -> None:
    code = spender.code(reward_of())
    till.redeem(code)
    till.roll_back(code)
    facts = db.session.scalars(
        select(OutboxRow.payload).where(OutboxRow.kind == "redemption").order_by(OutboxRow.version)
    )
    told = [each.get("event", each.get("state")) for each in facts]
    assert told == ["issued", "voucher_used", "used", "voucher_rolled_back", "issued"]


def test_a_voucher_over_by_the_clock_is_refused_before_the_job_has_booked_it(spender: Spender, till: Till) -> None:
    made = spender.redeemed(reward_of())
    code = made["vouchers"][0]["code"]
    ends_at = now() + timedelta(hours=1)
    with unit_of_work() as session:
        session.execute(update(Voucher).values(expires_at=ends_at))
        session.execute(update(Redemption).values(expires_at=ends_at))
    with time_machine.travel(ends_at - timedelta(seconds=1), tick=False):
        assert till.validate(code).status_code == 200
    with time_machine.travel(ends_at, tick=False):
        assert_problem(till.redeem(code), 409, "voucher_expired")
    assert db.session.get(Redemption, (spender.member_id, UUID(made["id"]))).state == "issued"
