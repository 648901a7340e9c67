"""Facts as rules are given them, from bodies that say everything and bodies that say as little as they may."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import cel

from app.activities.queries import MemberFacts
from app.activities.reading import facts_of
from app.activities.schemas import ActivitySchema
from app.campaigns.expressions import make_context
from tests.campaigns.documents import MERCHANT

NOW = datetime(2026, 5, 4, 12, 30, 15, 250_000, tzinfo=UTC)
MEMBER_ID = UUID(int=7)

FULL_BODY: dict[str, Any] = {
    "id": "order-1", "kind": "purchase", "occurred_at": "2026-05-04T11:00:00Z", "member": {"id": str(MEMBER_ID)},
    "currency": "EUR", "region": "DE-BE", "channel": "web", "completed": True, "receipt": "R-1", "device": "till-3",
    "station": "s-1", "packaging": ["NO_BAG"], "evidence": "machine", "metadata": {"a": "b"},
    "lines": [
        {"id": "1", "sku": "A-1", "gtin": "04006381333931", "name": "Pears", "category": "produce", "quantity": 3,
         "unit_price": 100, "total": 300, "weight_g": 750, "material": "PET", "pieces": 3, "serial": "S-1",
         "certifications": [{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}], "packaging": ["UNPACKED"]},
    ],
}  # fmt: skip
SPARSE_BODY: dict[str, Any] = {
    "id": "course-1", "kind": "learning", "occurred_at": "2026-05-04T11:00:00Z", "lines": [{"id": "1"}],
}  # fmt: skip


def activity_facts(body: dict[str, Any]) -> dict[str, Any]:
    """The activity as ``facts_of`` makes it, lines included."""
    read = ActivitySchema().load(body)
    return facts_of(read, read["occurred_at"], "staff")


def member_facts(region: str | None = "DE-BE", tags: tuple[str, ...] = ("student",)) -> dict[str, Any]:
    """The member as rules see one."""
    known = MemberFacts(MEMBER_ID, "seed", region, tags, NOW - timedelta(days=40), "en", None)
    facts = known.for_rules(NOW)
    del facts["id"]  # for the engine alone
    return facts


def context(body: dict[str, Any], member: dict[str, Any]) -> cel.Context:
    """The context that a line rule runs in, on the first line of ``body``."""
    facts = activity_facts(body)
    [line] = facts.pop("lines")
    variables = {"activity": facts, "member": member, "merchant": MERCHANT, "now": NOW, "line": line, "product": line}
    return make_context(variables)


def full_context() -> cel.Context:
    """A context without a null."""
    return context(FULL_BODY, member_facts())


def sparse_context() -> cel.Context:
    """A context in which all that may be null is null, and all that may be empty is empty."""
    return context(SPARSE_BODY, member_facts(region=None, tags=()))
