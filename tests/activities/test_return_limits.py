"""What comes back gives back to limits and budgets what it took of them, exactly; whoever comes next can have it."""

from datetime import timedelta
from typing import Any

import pytest

from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.cache import bump
from app.core.clock import now
from app.core.database import db
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.members import service as members
from tests import world
from tests.corrections import faults

TEN = {"type": "per_unit", "points": 10}
BINDING = {
    "member": {"by": "member"}, "household": {"by": "household"}, "merchant": {"by": "merchant"},
    "campaign": {"by": "campaign"}, "device": {"by": "device"}, "station": {"by": "station"}, "budget": None,
}  # fmt: skip


def rule(key: str = "unit", **changes: Any) -> dict[str, Any]:
    return {"key": key, "labels": {"en": key}, "kind": "purchase", "scope": "line", "award": TEN} | changes


def campaign(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = {"key": "one", "labels": {"en": "One"}, "starts_at": "2020-01-01T00:00:00Z", "rules": list(rules)}
    return document | changes


def save(*rules: dict[str, Any], **changes: Any) -> None:
    campaigns.save_campaign(campaign(*rules, **changes), active_from=world.LONG_AGO)


def limited(binding: dict[str, Any] | None, unit: str, amount: int) -> None:
    """Let the one campaign pay 10 points a piece, within a limit, or within a budget where there is no ``binding``."""
    if binding is None:
        save(rule(), budget={"points": amount})
    else:
        save(rule(limits=[{"unit": unit, "per": "day", "amount": amount} | binding]))


class Till:
    """A shop that sells and takes back, and knows what each did."""

    def __init__(self, client: Any) -> None:
        self.client, self.shop, self.count = client, world.make_shop(), 0
        [self.customer] = world.make_customers(self.shop, 1)

    def buy(self, *quantities: int, **changes: Any) -> int:
        """Report the next order, with a line for each of ``quantities`` at 1 EUR a piece; return what it is paid."""
        self.count += 1
        lines = [
            {"id": str(place), "quantity": quantity, "unit_price": 100, "category": f"c{place}"}
            for place, quantity in enumerate(quantities, 1)
        ]
        body = world.basket(
            self.customer.ref, id=f"order-{self.count}", lines=lines, packaging=[], device="till-1", station="s-1"
        )
        answer = self.client.post("/v1/activities", json=body | changes, headers=self.shop.live)
        assert answer.status_code == 201, answer.text
        assert faults() == []
        return int(answer.json["points"]["awarded"])

    def give_back(self, order: int, quantity: int | None = None, line: str = "1") -> int:
        """Return so many pieces of a line, all that is left of the order unless told; return the points taken."""
        self.count += 1
        body: dict[str, Any] = {"id": f"return-{self.count}", "activity": f"order-{order}"}
        if quantity is not None:
            body["lines"] = [{"id": line, "quantity": quantity}]
        answer = self.client.post("/v1/returns", json=body, headers=self.shop.live)
        assert answer.status_code == 201, answer.text
        assert faults() == []
        return int(answer.json["reversed"]["points"])


@pytest.fixture
def till(app, client):
    catalog.load_reference()
    return Till(client)


@pytest.mark.parametrize("binding", BINDING.values(), ids=BINDING)
def test_points_come_back_to_what_bound_them_and_the_next_can_earn_as_many(till, binding):
    limited(binding, "points", 100)
    assert till.buy(13) == 100  # cut from 130
    assert till.buy(5) == 0
    assert till.give_back(1, 2) == 0  # 11 are worth more than it was paid
    assert till.give_back(1, 2) == 10
    assert till.buy(5) == 10
    assert till.give_back(1, 4) == 40
    assert till.give_back(5, 3) == 0  # 2 are worth more than the 10 it was paid
    assert till.buy(50) == 40


@pytest.mark.parametrize(
    ("first", "returns", "taken"),
    [(10, (3, 3, 4), (30, 30, 40)), (12, (1, 1, 1, 9), (0, 0, 10, 90)), (30, (20, 5, 5), (0, 50, 50))],
)
@pytest.mark.parametrize("binding", BINDING.values(), ids=BINDING)
def test_whatever_was_cut_parts_of_it_come_back_to_nothing(till, binding, first, returns, taken):
    limited(binding, "points", 100)
    assert till.buy(first) == 100
    assert tuple(till.give_back(1, quantity) for quantity in returns) == taken
    assert till.buy(11) == 100


@pytest.mark.parametrize("by", ["member", "household", "merchant", "campaign", "device", "station"])
def test_a_count_comes_back_with_the_last_point_of_it(till, by):
    limited({"by": by}, "count", 2)
    assert (till.buy(2), till.buy(3), till.buy(4)) == (20, 30, 0)
    assert till.give_back(2, 2) == 20
    assert till.buy(4) == 0
    assert till.give_back(2) == 10
    assert till.give_back(3) == 0
    assert till.buy(5) == 50
    assert till.buy(5) == 0


def test_another_activity_is_never_topped_up(till):
    limited({"by": "member"}, "points", 100)
    assert (till.buy(7), till.buy(7)) == (70, 30)
    assert till.give_back(1) == 70
    assert till.give_back(2, 4) == 0  # three are left: worth the 30 that it was paid
    assert till.give_back(2, 1) == 10
    assert till.buy(20) == 80


def test_of_several_limits_each_gets_back_its_own(till):
    limits = [{"unit": "points", "by": "member", "per": "day", "amount": 100},
              {"unit": "points", "by": "household", "per": "week", "amount": 60},
              {"unit": "count", "by": "merchant", "per": "month", "amount": 2}]  # fmt: skip
    save(rule(limits=limits), budget={"points": 90})
    assert till.buy(9) == 60
    assert till.give_back(1, 5) == 20
    assert till.buy(9) == 20
    assert till.buy(1) == 0
    assert till.give_back(1) == 40
    assert till.buy(9) == 40


def test_multipliers_give_back_beside_what_they_multiply(till):
    double = rule("double", scope="activity", award={"type": "multiplier", "factor": "2"})
    double["limits"] = [{"unit": "points", "by": "member", "per": "day", "amount": 30}]
    save(rule(limits=[{"unit": "points", "by": "member", "per": "day", "amount": 50}]), double)
    assert till.buy(8) == 50 + 30
    assert till.give_back(1, 3) == 0
    assert till.give_back(1, 1) == 10
    assert till.give_back(1, 2) == 20 + 10
    assert till.buy(8) == 30 + 10
    assert till.give_back(1) == 40


@pytest.mark.parametrize("budget", [None, {"points": 1000}], ids=["no budget", "budget"])
def test_a_rule_whose_condition_holds_no_longer_pays_nothing(till, budget):
    save(rule(when="activity.total >= 5000"), rule("base", award={"type": "per_unit", "points": 1}), budget=budget)
    assert till.buy(50, 30) == 800 + 80
    assert till.give_back(1, 25) == 250 + 25
    assert till.give_back(1, 6, "2") == 550 + 6
    assert till.give_back(1) == 49


def test_minimum_and_maximum_are_kept(till):
    save(rule(minimum=40), rule("most", award={"type": "per_unit", "points": 3}, maximum=21))
    assert till.buy(10) == 100 + 21
    assert till.give_back(1, 3) == 30
    assert till.give_back(1, 3) == 30 + 9
    assert till.give_back(1, 1) == 40 + 3
    assert till.give_back(1) == 9


@pytest.mark.parametrize("mode", ["best", "exclusive"])
def test_where_another_rule_of_the_group_would_pay_the_activity_is_worth_that(till, mode):
    stacking = {"group": "g", "mode": mode}
    limits = [{"unit": "points", "by": "member", "per": "day", "amount": 150}]
    save(
        rule("big", scope="activity", when="activity.total >= 500", priority=1, stacking=stacking, limits=limits,
             award={"type": "fixed", "points": 100}),
        rule("small", scope="activity", award=TEN, priority=2, stacking=stacking, limits=limits),
        budget={"points": 170},
    )  # fmt: skip
    assert till.buy(6) == 100
    assert till.give_back(1, 2) == 60  # four are worth 40 by the other rule
    assert till.buy(6) == 100
    assert till.buy(6) == 10  # of the limit; 30 are left of the budget
    assert till.give_back(1) == 40


@pytest.mark.parametrize("budget", [None, {"points": 1000}], ids=["no budget", "budget"])
@pytest.mark.parametrize("by", ["campaign", "merchant"])
def test_a_rule_whose_limit_was_used_up_takes_nothing_of_the_others(till, by, budget):
    once = rule("once", scope="activity", limits=[{"unit": "count", "by": by, "per": "day", "amount": 1}])
    save(once, rule("each", award={"type": "per_unit", "points": 1}), budget=budget)
    assert till.buy(4) == 40 + 4
    assert till.buy(6) == 6
    assert till.give_back(2, 2) == 2
    assert till.give_back(1, 1) == 11
    assert till.give_back(1) == 33
    assert till.give_back(2) == 4


def test_a_budget_that_changes_meanwhile_gets_back_what_belongs_to_it(till):
    save(rule(), budget={"points": 100})
    assert till.buy(10) == 100
    save(rule(), budget={"points": 120})
    assert till.give_back(1, 3) == 30
    assert till.buy(9) == 50
    save(rule())
    assert till.give_back(1, 3) == 30
    assert till.buy(20) == 200
    save(rule(), budget={"points": 300})  # 40 + 50 + 200 are paid
    assert till.buy(2) == 10
    assert till.give_back(5, 19) == 190
    assert till.give_back(1) == 40
    assert till.buy(40) == 230


def test_what_was_paid_before_there_was_a_budget_comes_back_to_it(till):
    save(rule())
    assert till.buy(10) == 100
    save(rule(), budget={"points": 130})
    assert till.buy(6, id="order-1", revision=2) == 60
    assert till.give_back(1, 4) == 40
    assert till.buy(20) == 110


def test_a_campaign_that_ended_gets_back_all_the_same(till):
    save(rule(), budget={"points": 100})
    assert till.buy(10) == 100
    with unit_of_work() as session:
        session.execute(db.text("UPDATE campaign SET state = 'ended'"))
        bump("campaigns")
    assert till.give_back(1, 4) == 40
    assert till.give_back(1) == 60


def test_the_household_of_then_gets_it_back(till):
    limited({"by": "household"}, "points", 100)
    assert till.buy(10) == 100
    other, third = world.make_customers(till.shop, 2)
    members.create_household(other.member_id, None, now())
    code = members.invite_into_household(other.member_id, now()).code
    members.join_household(till.customer.member_id, code, now())
    assert till.buy(3, member={"ref": other.ref}) == 30
    assert till.give_back(1, 4) == 40
    assert till.buy(10) == 70  # of the household that the member is in now
    assert till.buy(2, member={"ref": third.ref}) == 20
    members.leave_household(till.customer.member_id, now())
    assert till.buy(10) == 40
    assert till.give_back(2) == 30
    assert till.buy(10, member={"ref": other.ref}) == 30


def test_a_revision_meets_the_household_of_now_and_gives_back_to_that_of_then(till):
    limited({"by": "household"}, "points", 100)
    assert till.buy(10) == 100
    [other] = world.make_customers(till.shop, 1)
    members.create_household(other.member_id, None, now())
    assert till.buy(6, member={"ref": other.ref}) == 60
    members.join_household(till.customer.member_id, members.invite_into_household(other.member_id, now()).code, now())
    assert till.buy(9, id="order-1", revision=2) == 40
    assert till.give_back(1) == 40
    assert till.buy(9) == 40


def test_a_limit_counts_by_the_period_of_the_purchase_whenever_it_comes_back(till, time_machine):
    limited({"by": "member"}, "points", 100)
    before = world.ago(hours=0)
    assert till.buy(10, occurred_at=before) == 100
    time_machine.move_to(now() + timedelta(days=3))
    assert till.buy(10, occurred_at=world.ago(hours=0)) == 100
    assert till.give_back(1, 4) == 40
    assert till.buy(10, occurred_at=world.ago(hours=0)) == 0
    assert till.buy(10, occurred_at=before) == 40


def test_points_that_have_expired_come_back_to_the_limit_and_the_budget_too(till, time_machine):
    terms = {"expiry": {"months": 1}, "limits": [{"unit": "points", "by": "member", "per": "campaign", "amount": 100}]}
    save(rule(**terms), budget={"points": 100})
    assert till.buy(10) == 100
    time_machine.move_to(now() + timedelta(days=50))
    ledger.settle_due_accounts(now())
    assert till.give_back(1, 6) == 0
    assert till.buy(10, occurred_at=world.ago(hours=0)) == 60
