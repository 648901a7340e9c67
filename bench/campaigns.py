"""What campaigns cost the award over HTTP: many rules, many campaigns, a budget that every award shares.

Each is a ratio of two loads of the same round, with the programme changed in between. Beside the one rule that pays
each time, other rules only have to be looked at: what more awards cost is another question.
"""

import json
import time
from typing import Any

import psycopg

from app.campaigns import service as campaigns
from bench.ledger import Bench, Mark
from bench.world import CAMPAIGN

RULES = 100
CANDIDATES = 10
CAMPAIGNS = 10_000
BUDGET = 10**9
SETTLE_SECONDS = 3  # until every process has the change, and has compiled what is new

_ADD = """
INSERT INTO campaign (campaign_id, key, state, created_at, updated_at)
SELECT gen_random_uuid(), 'other-' || number, 'active', '2020-01-01Z', '2020-01-01Z'
FROM generate_series(1, %(count)s) AS number
"""
_ADD_VERSIONS = """
INSERT INTO campaign_version (campaign_version_id, campaign_id, number, document, state, created_at, active_from)
SELECT gen_random_uuid(), campaign_id, 1,
       jsonb_set(jsonb_set(%(document)s::jsonb, '{key}', to_jsonb(key)), '{rules,0,match,categories,0}', to_jsonb(key)),
       'draft', '2020-01-01Z', '2020-01-01Z'
FROM campaign WHERE key LIKE 'other-%%'
"""
_BUMP = "UPDATE config_version SET version = version + 1 WHERE name = 'campaigns'"


def _rule(key: str, category: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key, "kind": "purchase", "scope": "line", "match": {"categories": [category]},
        "award": {"type": "per_unit", "points": 1}, "labels": {"en": key},
    } | more  # fmt: skip


def _store(bench: Bench, document: dict[str, Any]) -> None:
    with bench.app.app_context():
        campaigns.save_campaign(document)
    time.sleep(SETTLE_SECONDS)


def _end(bench: Bench, keys: str) -> None:
    with psycopg.connect(bench.owner_url, autocommit=True) as connection:
        connection.execute("UPDATE campaign SET state = 'ended' WHERE key LIKE %s", [keys])
        connection.execute("UPDATE campaign SET key = 'past-' || campaign_id::text WHERE key LIKE %s", [keys])
        connection.execute(_BUMP)
    time.sleep(SETTLE_SECONDS)


def _many_rules(bench: Bench) -> tuple[float, str]:
    """Compare the p50 with 100 rules, of which 10 are candidates by their category, with that of the one that pays."""
    bench.load(0, 1, 1)
    one = bench.load(0, 1, bench.seconds).p50_ms
    rules = [_rule(f"near-{number}", "produce", when="line.total > 100000") for number in range(CANDIDATES - 1)]
    rules += [_rule(f"far-{number}", f"category {number}") for number in range(RULES - CANDIDATES)]
    _store(bench, {"key": "many", "labels": {"en": "Many"}, "starts_at": "2020-01-01T00:00:00Z", "rules": rules})
    many = bench.load(0, 1, bench.seconds).p50_ms
    _end(bench, "many%")
    return many / one, f"{many:.2f} ms ÷ {one:.2f} ms (p50)"


def _many_campaigns(bench: Bench) -> tuple[float, str]:
    """Compare awards a second under one campaign for everyone with those beside 9,999 others."""
    bench.load(0, 1, 1)
    one = bench.load(0, 1, bench.seconds).rate
    document = CAMPAIGN | {"rules": [_rule("other", "x")]}
    with psycopg.connect(bench.owner_url, autocommit=True) as connection:
        connection.execute(_ADD, {"count": CAMPAIGNS - 1})
        connection.execute(_ADD_VERSIONS, {"document": json.dumps(document)})
        connection.execute(_BUMP)
    time.sleep(2 * SETTLE_SECONDS)
    bench.load(0, 1, 2 * SETTLE_SECONDS)  # each process compiles them
    many = bench.load(0, 1, bench.seconds).rate
    _end(bench, "other-%")
    return one / many, f"{one:,.0f} ÷ {many:,.0f} awards/s"


def _budget(bench: Bench) -> tuple[float, str]:
    """Compare awards a second where all share the budget of one campaign with those where it has none."""
    bench.load(0, 1, 1)
    free = bench.load(0, 1, bench.seconds).rate
    _store(bench, CAMPAIGN | {"budget": {"points": BUDGET}})
    bound = bench.load(0, 1, bench.seconds).rate
    _store(bench, CAMPAIGN)
    return bound / free, f"{bound:,.0f} ÷ {free:,.0f} awards/s"


MARKS = (
    Mark("rules", "100 rules, 10 candidates, 1 pays ÷ 1 rule, HTTP p50", 1.15, True, _many_rules),
    Mark("campaigns", "one campaign for everyone ÷ 10,000 campaigns", 0.95, False, _many_campaigns),
    Mark("budget", "one budget that all share ÷ none", 0.9, False, _budget),
)
