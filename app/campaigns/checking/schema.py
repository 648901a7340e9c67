"""The variables that expressions see, with their fields; a test holds them against the facts that rules are given.

A nullable field may be absent: the shop did not report it, or the member did not say.
"""

from collections.abc import Mapping

from app.campaigns.checking.types import (
    BOOL,
    TEXT,
    TIME,
    WHOLE,
    Type,
    list_of,
    map_of,
    nullable,
    record,
)

ACTIVITY = record(
    "activity",
    {
        "kind": TEXT,
        "occurred_at": TIME,
        "currency": nullable(TEXT),
        "region": nullable(TEXT),
        "channel": nullable(TEXT),
        "completed": BOOL,
        "device": nullable(TEXT),
        "station": nullable(TEXT),
        "packaging": list_of(TEXT),
        "evidence": TEXT,
        "total": WHOLE,
        "line_count": WHOLE,
    },
)
CERTIFICATE = record("certificate", {"code": TEXT, "number": TEXT})
LINE = record(
    "line",
    {
        "id": TEXT,
        "sku": nullable(TEXT),
        "gtin": nullable(TEXT),
        "name": nullable(TEXT),
        "category": nullable(TEXT),
        "quantity": WHOLE,
        "unit_price": nullable(WHOLE),
        "total": WHOLE,
        "weight_g": nullable(WHOLE),
        "material": nullable(TEXT),
        "pieces": nullable(WHOLE),
        "serial": nullable(TEXT),
        "certifications": list_of(TEXT),
        "certificates": map_of(CERTIFICATE),
        "packaging": list_of(TEXT),
    },
)
MEMBER = record(
    "member",
    {"tier": TEXT, "region": nullable(TEXT), "tags": list_of(TEXT), "age_days": WHOLE},
)
MERCHANT = record("merchant", {"id": TEXT, "key": TEXT})

_ACTIVITY_VARIABLES = {"activity": ACTIVITY, "member": MEMBER, "merchant": MERCHANT, "now": TIME}
# A product is the line that it was bought on: of the catalogue, rules see the certificates that count.
VARIABLES: Mapping[str, Mapping[str, Type]] = {
    "line": {**_ACTIVITY_VARIABLES, "line": LINE, "product": LINE},
    "activity": _ACTIVITY_VARIABLES,
    "audience": {"member": MEMBER, "now": TIME},
}
EVERYWHERE = frozenset(name for known in VARIABLES.values() for name in known)
