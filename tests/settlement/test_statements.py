"""Statements over HTTP: whose points were spent where, by month, in both formats, and the end of a month."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient

from app.core.clock import format_time
from app.core.database import db
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.programme import service as programme
from app.redemption.models import Redemption, Reward
from app.settlement.models import SettlementMonth
from config import Settings
from tests import world
from tests.answers import assert_problem
from tests.concurrency.racing import at_once
from tests.settlement.conftest import APRIL, BY, MAY, NOW, award, new_member, pay, refund

Ask = Callable[..., Any]
NOTHING = dict.fromkeys(("funded", "expired", "reversed", "spent", "refunded", "spent_at", "refunded_at"), 0)


def line_of(shown: dict[str, Any], key: str | None) -> dict[str, Any]:
    [line] = [each for each in shown["lines"] if each["counterparty"]["key"] == key]
    return line


def test_a_statement_says_whose_points_were_spent_where(
    statement: Ask, overview: Ask, mill: world.Shop, corner: world.Shop
) -> None:
    one, other = new_member(), new_member()
    award(one, 500, corner.merchant_id)
    award(other, 300)
    spent = pay(one, 200, mill.merchant_id)
    pay(one, 80, corner.merchant_id)
    pay(other, 120, corner.merchant_id)
    refund(one, spent, 50)
    shown = statement(corner).json
    assert shown["merchant"] == {
        "kind": "merchant", "id": str(corner.merchant_id), "key": "corner-shop", "name": "corner-shop",
    }  # fmt: skip
    assert shown["points"] == NOTHING | {"funded": 500, "spent": 280, "refunded": 50, "spent_at": 200}
    assert shown["owed"] == {"receivable": 200, "payable": 230, "balance": -30}
    zero = {"points": 0, "amount": 0}
    assert line_of(shown, "old-mill") == {
        "counterparty": {"kind": "merchant", "id": str(mill.merchant_id), "key": "old-mill", "name": "old-mill"},
        "spent_here": zero, "refunded_here": zero, "spent_there": {"points": 200, "amount": 200},
        "refunded_there": {"points": 50, "amount": 50}, "balance": -150,
    }  # fmt: skip
    own = line_of(shown, "corner-shop")
    assert (own["spent_here"], own["spent_there"], own["balance"]) == ({"points": 80, "amount": 80},) * 2 + (0,)
    assert line_of(shown, None)["balance"] == 120
    assert [shown[name] for name in ("month", "state", "starts_at", "ends_at", "as_of", "closed_at")] == [
        "2031-04", "open", "2031-04-01T00:00:00Z", "2031-05-01T00:00:00Z", "2031-05-01T00:00:00Z", None,
    ]  # fmt: skip
    assert (shown["currency"], shown["point_value_micros"]) == ("EUR", 10_000)
    everybody = overview()
    assert {key: each["owed"]["balance"] for key, each in everybody.items()} == {
        "programme": -120, "corner-shop": -30, "old-mill": 150,
    }  # fmt: skip
    assert everybody["corner-shop"]["points"] == shown["points"]


def test_expired_and_reversed_points_are_told_and_not_owed(
    statement: Ask, overview: Ask, corner: world.Shop, mill: world.Shop
) -> None:
    member = new_member()
    award(member, 40, corner.merchant_id, expires_at=APRIL + timedelta(days=1))
    key = award(member, 100, corner.merchant_id)
    ledger.settle_due(member, APRIL + timedelta(days=2))
    later = APRIL + timedelta(days=3)
    pay(member, 70, mill.merchant_id, later)
    ledger.reverse_points(member, key, None, key="reverse:1", moment=later + timedelta(days=1), **BY)
    shown = statement(corner).json
    assert shown["points"] == NOTHING | {"funded": 140, "expired": 40, "reversed": 100, "spent": 70}
    assert shown["owed"]["balance"] == -70  # what was taken back after it was spent stays paid
    assert overview()["old-mill"]["owed"]["balance"] == 70


def redeemed(member: UUID, points: int, shop: UUID | None, is_held: bool = False) -> str:
    """Redeem points for a reward of ``shop``; return the key of the posting that spent them."""
    redemption_id, reward_id = new_id(), new_id()
    with unit_of_work() as session:
        session.add(
            Reward(
                reward_id=reward_id, key=f"reward-{reward_id}", kind="product", state="published", merchant_id=shop,
                points=points, stock_kind="none", document={}, version=1, created_at=APRIL, updated_at=APRIL,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Redemption(
                member_id=member, redemption_id=redemption_id, reward_id=reward_id, reward_version=1, merchant_id=shop,
                live=True, quantity=1, points=points, state="issued", created_at=APRIL,
            )
        )  # fmt: skip
    if not is_held:
        ledger.spend_points(member, points, key=f"redemption:{redemption_id}", moment=APRIL, **BY)
        return f"redemption:{redemption_id}"
    ledger.hold_points(
        member, redemption_id, points, expires_at=APRIL + timedelta(days=1), live=True, moment=APRIL, **BY
    )  # fmt: skip
    ledger.capture_hold(member, redemption_id, points, moment=APRIL, **BY)
    return f"hold:{redemption_id}:captured"


def test_rewards_are_spent_at_their_merchant_and_donations_with_the_programme(
    overview: Ask, mill: world.Shop, corner: world.Shop
) -> None:
    member = new_member()
    award(member, 1000, corner.merchant_id)
    at_once_key = redeemed(member, 100, mill.merchant_id)
    redeemed(member, 30, mill.merchant_id, is_held=True)
    redeemed(member, 7, None)
    ledger.spend_points(member, 13, key=f"donation:{new_id()}", moment=APRIL, **BY)
    pay(member, 5, None)
    refund(member, at_once_key, 40)
    found = overview()
    assert found["old-mill"]["points"] == NOTHING | {"spent_at": 130, "refunded_at": 40}
    assert found["programme"]["points"] == NOTHING | {"spent_at": 7 + 13 + 5}
    assert found["corner-shop"]["owed"] == {"receivable": 0, "payable": 90 + 25, "balance": -115}


def test_gifts_net_out_and_keep_their_funder(overview: Ask, corner: world.Shop, mill: world.Shop) -> None:
    giver, receiver = new_member(), new_member()
    award(giver, 100, corner.merchant_id)
    award(giver, 50)
    ledger.give_points(giver, receiver, 120, key=f"gift:{new_id()}", reason=None, moment=APRIL, **BY)
    pay(receiver, 120, mill.merchant_id)
    found = overview()
    assert found["corner-shop"]["points"] == NOTHING | {"funded": 100, "spent": 100}
    assert found["programme"]["points"] == NOTHING | {"funded": 50, "spent": 20}
    assert found["old-mill"]["owed"]["balance"] == 120


def test_test_mode_is_not_settled(statement: Ask, overview: Ask, client: FlaskClient, corner: world.Shop) -> None:
    made_up = new_member(live=False)
    award(made_up, 100, corner.merchant_id)
    pay(made_up, 60, corner.merchant_id)
    assert statement(corner).json["points"] == NOTHING
    assert overview().keys() == {"programme"}
    live = new_member()
    award(live, 100, corner.merchant_id)
    shown = client.get("/v1/statements/2031-04", headers=corner.test).json
    assert (shown["points"], shown["lines"], shown["owed"]["balance"]) == (NOTHING, [], 0)


def test_the_point_value_is_that_at_the_end_of_the_month(statement: Ask, corner: world.Shop, clock: Any) -> None:
    member = new_member()
    award(member, 1000)
    for moment in (APRIL, MAY):
        pay(member, 101, corner.merchant_id, moment)
    clock.move_to(APRIL)
    programme.change(programme.DEFAULTS | {"point_value_micros": 5_000})
    clock.move_to(MAY)
    programme.change(programme.DEFAULTS | {"point_value_micros": 20_000})
    clock.move_to(NOW)
    assert [statement(corner, month).json["owed"]["balance"] for month in ("2031-03", "2031-04", "2031-05")] == [
        0, 50, 202,  # 50.5 is rounded half to even
    ]  # fmt: skip
    running = statement(corner, "2031-05").json
    assert [running[name] for name in ("state", "as_of", "point_value_micros")] == [
        "running", "2031-05-20T12:00:00Z", 20_000,
    ]  # fmt: skip


def test_months_are_those_of_the_programme_s_zone_and_follow_each_other(
    statement: Ask, corner: world.Shop, clock: Any
) -> None:
    member = new_member()
    award(member, 1000)
    clock.move_to(APRIL)
    programme.change(programme.DEFAULTS | {"time_zone": "Asia/Shanghai"})
    pay(member, 1, corner.merchant_id, datetime(2031, 4, 30, 15, 59, 59, tzinfo=UTC))
    pay(member, 10, corner.merchant_id, datetime(2031, 4, 30, 16, tzinfo=UTC))
    clock.move_to(NOW)
    programme.change(programme.DEFAULTS | {"time_zone": "America/New_York"})
    april, may = (statement(corner, month).json for month in ("2031-04", "2031-05"))
    assert (april["starts_at"], april["ends_at"]) == ("2031-04-01T00:00:00Z", "2031-04-30T16:00:00Z")
    assert (may["starts_at"], may["ends_at"]) == (april["ends_at"], "2031-06-01T04:00:00Z")
    assert [each["owed"]["balance"] for each in (april, may)] == [1, 10]


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_statement_is_a_file_for_a_spreadsheet(
    statement: Ask, client: FlaskClient, finance: world.Staff, mill: world.Shop, corner: world.Shop
) -> None:
    member = new_member()
    award(member, 500, corner.merchant_id)
    refund(member, pay(member, 200, mill.merchant_id), 50)
    answer = statement(corner, Accept="text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="statement-2031-04.csv"'
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("no-store", "Accept")
    rows = rows_of(answer)
    assert [(row["item"], row["counterparty"], row["points"], row["amount"]) for row in rows] == [
        ("funded", "", "500", ""), ("expired", "", "0", ""), ("reversed", "", "0", ""),
        ("spent_there", "old-mill", "200", "-200"), ("refunded_there", "old-mill", "50", "50"),
        ("balance", "", "", "-150"),
    ]  # fmt: skip
    everybody = rows_of(
        client.get("/v1/admin/statements/2031-04", headers=finance.headers | {"Accept": "text/csv"})
    )  # fmt: skip
    assert {row["merchant"]: (row["kind"], row["spent"], row["spent_at"], row["balance"]) for row in everybody} == {
        "": ("programme", "0", "0", "0"), "corner-shop": ("merchant", "200", "0", "-150"),
        "old-mill": ("merchant", "0", "200", "150"),
    }  # fmt: skip


def test_finance_sees_any_merchant_s_statement(
    client: FlaskClient, statement: Ask, finance: world.Staff, corner: world.Shop
) -> None:
    own = statement(corner).json
    for name in ("corner-shop", str(corner.merchant_id)):
        asked = client.get(f"/v1/admin/statements/2031-04?merchant={name}", headers=finance.headers)
        assert asked.json == own
    for name in ("nobody", str(new_id())):
        asked = client.get(f"/v1/admin/statements/2031-04?merchant={name}", headers=finance.headers)
        assert_problem(asked, 404, "merchant_not_found")


@pytest.mark.parametrize("month", ["2031-13", "2031-4", "april", "2031-06", "1969-12", "2031-04-01"])
def test_a_month_that_is_none_or_has_not_begun_is_refused(
    client: FlaskClient, statement: Ask, finance: world.Staff, corner: world.Shop, month: str
) -> None:
    assert_problem(statement(corner, month), 422, "validation_failed", "/month")
    assert_problem(
        client.get(f"/v1/admin/statements/{month}", headers=finance.headers), 422, "validation_failed", "/month"
    )
    closed = client.post(f"/v1/admin/statements/{month}/close", headers=finance.headers)
    assert_problem(closed, 422, "validation_failed", "/month")


def test_only_finance_and_the_merchant_itself_may_read(client: FlaskClient, clock: Any) -> None:
    narrow = world.make_shop("narrow", scopes=["activities"])
    assert_problem(client.get("/v1/statements/2031-04", headers=narrow.live), 403, "forbidden")
    for role in ("viewer", "support", "editor", "approver", "authority", "admin"):
        headers = world.make_staff(role).headers
        assert_problem(client.get("/v1/admin/statements/2031-04", headers=headers), 403, "forbidden")
        assert_problem(client.post("/v1/admin/statements/2031-04/close", headers=headers), 403, "forbidden")


# --- the end of a month


@pytest.fixture
def close(client: FlaskClient, finance: world.Staff) -> Ask:
    return lambda month="2031-04": client.post(f"/v1/admin/statements/{month}/close", headers=finance.headers)


def test_a_closed_month_does_not_change_and_corrections_fall_into_the_next(
    statement: Ask, overview: Ask, close: Ask, mill: world.Shop, corner: world.Shop, clock: Any
) -> None:
    member = new_member()
    award(member, 500, corner.merchant_id)
    spent = pay(member, 200, mill.merchant_id)
    before = statement(corner).json
    closed = close()
    assert closed.status_code == 200, closed.text
    assert (closed.json["state"], closed.json["closed_at"]) == ("closed", "2031-05-20T12:00:00Z")
    assert closed.json["balance"] == 0
    assert statement(corner).json == before | {"state": "closed", "closed_at": "2031-05-20T12:00:00Z"}
    kept, sheet = overview(), statement(corner, Accept="text/csv").text
    # what comes now, and a worth that changes now
    refund(member, spent, 150, NOW)
    clock.shift(60)
    programme.change(programme.DEFAULTS | {"point_value_micros": 20_000, "time_zone": "Asia/Shanghai"})
    assert (overview(), statement(corner, Accept="text/csv").text) == (kept, sheet)
    may = statement(corner, "2031-05").json
    assert may["starts_at"] == "2031-05-01T00:00:00Z"
    assert may["points"] == NOTHING | {"refunded": 150}
    assert may["owed"] == {"receivable": 0, "payable": -300, "balance": 300}
    assert line_of(may, "old-mill")["refunded_there"] == {"points": 150, "amount": 300}
    assert overview("2031-05")["old-mill"]["owed"]["balance"] == -300


def test_what_took_effect_in_a_closed_month_and_is_recorded_later_belongs_to_the_later(
    statement: Ask, close: Ask, corner: world.Shop
) -> None:
    member = new_member()
    award(member, 40, corner.merchant_id, expires_at=APRIL + timedelta(days=10))
    close()
    ledger.settle_due(member, MAY)  # the job that was late: the points had expired in April
    assert statement(corner).json["points"]["expired"] == 0
    assert statement(corner, "2031-05").json["points"]["expired"] == 40


@pytest.mark.parametrize(
    ("zone", "closable_at"),
    [("UTC", datetime(2031, 6, 1, 1, tzinfo=UTC)), ("Asia/Shanghai", datetime(2031, 6, 1, 1, tzinfo=UTC)),
     ("America/New_York", datetime(2031, 6, 1, 5, tzinfo=UTC))],
)  # fmt: skip
def test_a_month_is_closed_once_it_is_over_everywhere_and_written(
    client: FlaskClient, clock: Any, zone: str, closable_at: datetime
) -> None:
    """Over in its own zone, and in UTC, by which its settings count; and no writer is left that began before."""
    programme.change(programme.DEFAULTS | {"time_zone": zone})
    for moment, status in ((NOW, 409), (closable_at - timedelta(seconds=1), 409), (closable_at, 200)):
        clock.move_to(moment)
        headers = world.make_staff("finance").headers
        answer = client.post("/v1/admin/statements/2031-05/close", headers=headers)
        assert answer.status_code == status
        if status == 409:
            assert_problem(answer, 409, "month_running")
            assert answer.json["closable_at"] == format_time(closable_at)


def test_a_month_is_closed_with_its_point_value_and_audited(
    client: FlaskClient, close: Ask, finance: world.Staff, corner: world.Shop, settings: Settings
) -> None:
    member = new_member()
    award(member, 500, corner.merchant_id)
    pay(member, 200, None)
    close()
    assert_problem(close(), 409, "month_closed")
    row = db.session.scalars(db.select(SettlementMonth)).one()
    assert (row.point_value_micros, row.currency, row.closed_by) == (10_000, "EUR", finance.staff_id)
    [entry] = client.get("/v1/admin/audit?object_kind=month", headers=world.make_staff("admin").headers).json["data"]
    assert (entry["action"], entry["object"]["id"], entry["staff"]["id"]) == (
        "month.closed", "2031-04", str(finance.staff_id),
    )  # fmt: skip
    assert entry["after"]["amount"] == 200
    for table in ("settlement_month", "settlement_spend", "settlement_fund"):
        with (
            psycopg.connect(settings.database_url, options="-c role=greenpoints_app") as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"DELETE FROM {table}")


def test_of_two_who_close_at_once_one_does(app: Any, finance: world.Staff, corner: world.Shop) -> None:
    member = new_member()
    award(member, 500, corner.merchant_id)
    db.session.rollback()

    def attempt() -> int:
        return app.test_client().post("/v1/admin/statements/2031-04/close", headers=finance.headers).status_code

    assert sorted(at_once([attempt] * 4)) == [200, 409, 409, 409]
