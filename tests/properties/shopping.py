"""Made-up shoppers for the properties of corrections: what they buy, give back, complete and spend, in any order.

``Shopper`` does one thing at a time, at the moment of a clock that the test moves. A ``Journey`` is what two of them
do: the one buys everything and gives some of it back, the other buys at the same times what the one has kept.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import text

from app.activities import completing, returns
from app.activities.service import Accepted, Source, report_many
from app.campaigns import service as campaigns
from app.core.clock import format_time, now
from app.core.database import db
from app.core.ids import new_id
from app.core.projector import drain
from app.core.unit_of_work import unit_of_work
from app.engagement.models import METRICS, MemberDay
from app.ledger import service as ledger
from app.merchants.service import MerchantPrincipal, principal_of
from tests import world

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
_RULES = [
    {"key": "third", "scope": "activity", "rounding": "half_up",
     "award": {"type": "expression", "expression": "double(activity.total) / 700.0"}},
    {"key": "piece", "scope": "line", "match": {"categories": ["toys"]}, "maximum": 9,
     "award": {"type": "per_unit", "points": 4}, "pending": {"days": 2}, "expiry": {"months": 2}},
    {"key": "bakery", "scope": "line", "match": {"categories": ["bakery"]}, "pending": {"until": "completed"},
     "award": {"type": "per_amount", "points": 1, "per": 70, "currency": "EUR"}, "expiry": {"months": 1}},
    {"key": "newcomer", "scope": "activity", "when": "member.age_days < 10", "award": {"type": "fixed", "points": 5}},
    {"key": "half-more", "scope": "activity", "match": {"packaging": ["NO_BAG"]},
     "award": {"type": "multiplier", "factor": "1.5"}},
]  # fmt: skip
# of none of these does less of a basket ever pay more, and none has a limit
MONOTONE = {
    "key": "monotone", "labels": {"en": "Monotone"}, "starts_at": "2020-01-01T00:00:00Z",
    "rules": [{"kind": "purchase", "labels": {"en": "Rule"}} | rule for rule in _RULES],
}  # fmt: skip
Lines = Mapping[str, int]


def open_shop() -> MerchantPrincipal:
    """Load the programme and take in a merchant."""
    world.load_programme()
    campaigns.save_campaign(MONOTONE, active_from=world.LONG_AGO)
    shop = world.make_shop()
    return principal_of(shop.merchant_id, True, "staff")


@dataclass
class Shopper:
    """A member of the shop, new each time, and each thing that was done, to do it again."""

    shop: MerchantPrincipal
    member_id: UUID = field(init=False)
    ref: str = field(init=False)
    done: list[Callable[[], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shop = world.Shop(self.shop.id, self.shop.merchant_key, {}, self.shop.id, {})
        [customer] = world.make_customers(shop, 1)
        self.member_id, self.ref = customer.member_id, customer.ref

    def order(self, number: int, basket: Mapping[str, Any], occurred_at: datetime | None = None) -> dict[str, Any]:
        """Return the activity as it is reported; its id is the shopper's own."""
        at = format_time(occurred_at or now())
        return {**basket, "id": self.name(number), "member": {"ref": self.ref}, "occurred_at": at}

    def name(self, number: int) -> str:
        """Return the merchant's id of the shopper's activity of that number."""
        return f"{self.ref}-{number}"

    def buy(self, number: int, basket: Mapping[str, Any], occurred_at: datetime | None = None) -> None:
        """Report a basket."""
        body = self.order(number, basket, occurred_at)
        self.act(lambda: self.reported([body])[0].is_replay)

    def reported(self, bodies: Sequence[Mapping[str, Any]]) -> list[Accepted]:
        """Report several, as one batch does, and return what became of them."""
        results = report_many(Source(self.shop), bodies)
        assert all(isinstance(result, Accepted) for result in results), results
        return results  # type: ignore[return-value]

    def give_back(self, number: int, lines: Lines | None, occurred_at: datetime | None = None) -> None:
        """Return quantities by line, None for all that is left."""
        body: dict[str, Any] = {"id": str(new_id()), "activity": self.name(number)}
        if lines is not None:
            body["lines"] = [{"id": line, "quantity": quantity} for line, quantity in lines.items()]
        if occurred_at is not None:
            body["occurred_at"] = format_time(occurred_at)
        self.act(lambda: returns.return_one(self.shop, body).is_replay)

    def complete(self, number: int, completed_at: datetime | None = None) -> None:
        """Say that an order was delivered."""
        at = completed_at or now()

        def act() -> None:
            with unit_of_work():
                completing.complete(self.shop, self.name(number), at)

        self.act(act)

    def spend(self, points: int) -> None:
        """Spend available points."""
        key, moment = f"spend:{new_id()}", now()
        self.act(
            lambda: (
                ledger.spend_points(
                    self.member_id, points, key=key, actor="test", fingerprint=b"", moment=moment
                ).is_replay
            )
        )

    def hold(self, points: int) -> UUID:
        """Hold available points for longer than any journey takes; return the hold."""
        hold_id = new_id()
        ledger.hold_points(
            self.member_id, hold_id, points, expires_at=now() + timedelta(days=9999), live=True, actor="test",
            fingerprint=b"", moment=now(),
        )  # fmt: skip
        return hold_id

    def act(self, action: Callable[[], Any]) -> None:
        """Do it for the first time."""
        assert not action()
        self.done.append(action)

    def again(self, place: int) -> None:
        """Do something that was done once more: it says so where it can, and changes nothing."""
        if self.done:
            before = self.wallet().version
            assert self.done[place % len(self.done)]() in (True, None)
            assert self.wallet().version == before

    def wallet(self) -> ledger.Wallet:
        """Return the wallet by the clock."""
        db.session.rollback()
        return ledger.read_wallet(self.member_id)

    def impact(self) -> dict[str, tuple[int, ...]]:
        """Return the sums of value, low and high by metric; what is nothing is left out."""
        rows = db.session.execute(
            text("SELECT metric, sum(value), sum(low), sum(high) FROM impact_entry WHERE member_id = :id GROUP BY 1"),
            {"id": self.member_id},
        )
        return {row[0]: tuple(map(int, row[1:])) for row in rows if any(row[1:])}

    def days(self) -> dict[Any, tuple[int, ...]]:
        """Return the days on which anything is left, once the projector has caught up."""
        drain()
        query = db.session.query(MemberDay).filter_by(member_id=self.member_id).populate_existing()
        found = {row.day: (row.activities, row.points, *(getattr(row, name) for name in METRICS)) for row in query}
        return {day: sums for day, sums in found.items() if any(sums)}


@dataclass(frozen=True)
class Purchase:
    """A basket, what comes back of it in which parts (None: all that is left), and whether it is completed later."""

    basket: Mapping[str, Any]
    returns: Sequence[Lines | None]
    is_completed: bool

    @property
    def kept(self) -> dict[str, Any] | None:
        """The basket without what comes back; None where nothing is left."""
        gone: Counter[str] = Counter()
        for part in self.returns:
            if part is None:
                return None
            gone.update(part)
        lines = [
            {**line, "quantity": line["quantity"] - gone[line["id"]]}
            | {name: line[name] // line["quantity"] * (line["quantity"] - gone[line["id"]])
               for name in ("weight_g", "pieces") if name in line}
            for line in self.basket["lines"]
            if line["quantity"] > gone[line["id"]]
        ]  # fmt: skip
        return {**self.basket, "lines": lines} if lines else None


@st.composite
def lines(draw: st.DrawFn, number: int, kind: str) -> dict[str, Any]:
    """Draw a line whose total, weight and pieces are whole for each of its pieces."""
    quantity = draw(st.integers(1, 6))
    line: dict[str, Any] = {
        "id": str(number), "quantity": quantity, "unit_price": draw(st.integers(0, 2000)),
        "category": draw(st.sampled_from(["produce", "toys", "bakery", "other"])),
    }  # fmt: skip
    if kind == "recycling":
        line |= {"material": "PET", "weight_g": quantity * draw(st.integers(1, 300)), "pieces": quantity}
    elif draw(st.booleans()):
        line["certifications"] = [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}]
    if kind == "purchase" and draw(st.booleans()):
        line["packaging"] = ["UNPACKED"]
    return line


@st.composite
def purchases(draw: st.DrawFn) -> Purchase:
    """Draw a basket of up to four lines, and up to three returns of it that are no more than was bought."""
    kind = draw(st.sampled_from(["purchase", "purchase", "purchase", "recycling"]))
    bought = [draw(lines(number, kind)) for number in range(draw(st.integers(1, 4)))]
    packaging = draw(st.lists(st.sampled_from(["NO_BAG", "REUSABLE_BOX"]), unique=True)) if kind == "purchase" else []
    basket = {"kind": kind, "currency": "EUR", "lines": bought, "packaging": packaging}
    parts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for line in bought:
        for _ in range(draw(st.sampled_from([0, 1, line["quantity"] // 2, line["quantity"]]))):
            parts[draw(st.integers(0, 2))][line["id"]] += 1
    given_back: list[Lines | None] = [dict(part) for part in parts if part]
    if draw(st.integers(0, 5)) == 0:
        given_back.append(None)  # all that is left; where nothing is, it is taken out below
    purchase = Purchase(basket, given_back, draw(st.booleans()))
    if given_back and given_back[-1] is None and Purchase(basket, given_back[:-1], False).kept is None:
        return Purchase(basket, given_back[:-1], purchase.is_completed)
    return purchase
