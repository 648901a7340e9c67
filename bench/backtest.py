"""``python -m bench.backtest``: how long a backtest takes, and how much memory, on activities made by SQL.

100,000 baskets of one to ten lines of 10,000 members over a month, replayed through a draft of five rules: by unit, by
amount, one with a condition, with limits by member and day, by household and month, and with a budget. Servers of its
own. Prints seconds, activities per second and the growth of the process.
"""

import argparse
import resource
import secrets
import shutil
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from app import create_app
from app.activities import backtests
from app.campaigns import service as campaigns
from app.core import embedded, migrate
from app.core.auth import Principal
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.staff import service as staff
from bench import world
from config import load_settings

GOAL_SECONDS = 60
ACTIVITIES = 100_000
FROM, TO = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
DAILY = [{"unit": "points", "by": "member", "per": "day", "amount": 60}]
MONTHLY = [{"unit": "count", "by": "household", "per": "month", "amount": 20}]
_FILL = (
    """
    CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS activity_id, (%(members)s::uuid[])[1 + n %% %(count)s] AS member_id,
           %(start)s::timestamptz + n * (%(end)s::timestamptz - %(start)s::timestamptz) / %(activities)s AS at
    FROM generate_series(0, %(activities)s - 1) AS n
    """,
    """
    INSERT INTO activity_registry (merchant_id, live, external_id, activity_id, member_id, revision, digest)
    SELECT %(merchant)s, true, 'b-' || n, activity_id, member_id, 1, '' FROM made
    """,
    """
    INSERT INTO activity (member_id, activity_id, revision, merchant_id, occurred_at, recorded_at, body, outcome)
    SELECT member_id, activity_id, 1, %(merchant)s, at, at,
      jsonb_build_object(
        'id', 'b-' || n, 'kind', 'purchase', 'occurred_at', at, 'member', jsonb_build_object('ref', 'c' || n),
        'currency', 'EUR', 'channel', 'web', 'device', 'till-' || n %% 20, 'completed', true,
        'packaging', CASE WHEN n %% 3 = 0 THEN '["NO_BAG"]'::jsonb ELSE '[]'::jsonb END,
        'lines', (SELECT jsonb_agg(jsonb_build_object(
           'id', k::text, 'sku', 'A-' || k, 'name', 'A product of everyday life', 'quantity', 1 + (n + k) %% 3,
           'total', 100 + (n * k) %% 1900, 'weight_g', 250,
           'category', (ARRAY['produce', 'dairy', 'bread', 'household'])[1 + (n + k) %% 4],
           'certifications', CASE WHEN (n + k) %% 5 = 0 THEN '[{"code": "EU_ORGANIC", "number": "DE-ÖKO-001"}]'::jsonb
             ELSE '[]'::jsonb END,
           'packaging', CASE WHEN (n + k) %% 4 = 0 THEN '["UNPACKED"]'::jsonb ELSE '[]'::jsonb END))
         FROM generate_series(1, 1 + n %% 10) AS k)),
      '{"points": {"awarded": 3, "available": 3, "pending": 0, "paid_debt": 0}, "missed": [], "impact": [],
        "awards": [{"campaign": "bench", "rule": "spend", "points": 3, "desired_points": 3, "code": "matched"}]}'
    FROM made
    """,
)


def _rule(key: str, award: dict[str, Any], scope: str = "line", **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "purchase", "scope": scope, "award": award, "labels": {"en": key}} | more


def _draft(is_beside: bool) -> dict[str, Any]:
    """Return the campaign that is tried; ``is_beside`` adds a multiplier, which brings in the rules in force."""
    organic, loose = {"certifications": ["EU_ORGANIC"]}, {"packaging": ["UNPACKED"]}
    euros = {"type": "per_amount", "points": 1, "per": 100, "currency": "EUR"}
    rules = [
        _rule("organic", {"type": "per_unit", "points": 10}, match=organic, limits=DAILY),
        _rule("loose", {"type": "fixed", "points": 3}, match=loose, limits=DAILY),
        _rule("no-bag", {"type": "fixed", "points": 2}, "activity", match={"packaging": ["NO_BAG"]}, limits=MONTHLY),
        _rule("produce", euros, match={"categories": ["produce"]}, when="line.total >= 500"),
        _rule("spend", euros, "activity", when="activity.total >= 1000 && member.age_days >= 0"),
    ]
    double = _rule("double", {"type": "multiplier", "factor": "2"}, match={"categories": ["produce"]})
    return {
        "key": "draft", "labels": {"en": "Draft"}, "starts_at": "2020-01-01T00:00:00Z",
        "rules": [*rules, double] if is_beside else rules, "budget": {"points": 3_000_000},
    }  # fmt: skip


def _measure(app: Any, settings: Any, activities: int, is_beside: bool) -> None:
    with app.app_context():
        built = world.build(app, 0)
        staff_id, _ = staff.create_staff(
            email="bench@example.org", name="Bench", password=secrets.token_urlsafe(), roles=["editor"], moment=TO
        )
        editor = Principal("staff", staff_id, True, frozenset({"editor"}))
        with psycopg.connect(settings.database_owner_url) as connection:
            [merchant] = connection.execute("SELECT merchant_id FROM merchant").fetchone() or [new_id()]
            given = {"members": built.awarded, "count": len(built.awarded), "start": FROM, "end": TO,
                     "activities": activities, "merchant": merchant}  # fmt: skip
            for statement in _FILL:
                connection.execute(statement.encode(), given)
        with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE activity, activity_registry, member")
        made = campaigns.create_campaign(editor, _draft(is_beside))
        with unit_of_work():
            backtests.request_backtest(
                editor, made["id"], {"from": FROM, "to": TO, "version": None, "schedule": None}
            )  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.monotonic()
        assert backtests.run_backtests(threading.Event()) == 1
        seconds = time.monotonic() - started
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        with unit_of_work() as session:
            [backtest] = session.query(backtests.Backtest)
            assert backtest.state == "done", backtest.error
            result = backtest.result
        print(f"{result['activities']} activities, {result['points']} points to {result['members_paid']} members")
        goal = f"(goal: {GOAL_SECONDS} s for {ACTIVITIES})"
        print(f"{seconds:.1f} s {goal}, {activities / seconds:.0f} activities/s, {grown:.0f} MB more at the most")


def main() -> None:
    """Measure, and remove what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--activities", type=int, default=ACTIVITIES)
    parser.add_argument("--beside", action="store_true", help="with a multiplier, beside the rules in force")
    options = parser.parse_args()
    path = Path(tempfile.mkdtemp(prefix="greenpoints-backtest-"))
    try:
        with embedded.embedded_services(path) as services:
            settings = load_settings({
                "GREENPOINTS_ENV": "test", "DATA_DIR": str(path), "DATABASE_URL": services.database_url,
                "DATABASE_OWNER_URL": services.database_owner_url, "REDIS_URL": services.redis_url,
                "LOG_LEVEL": "ERROR",
            })  # fmt: skip
            migrate.upgrade(
                services.database_owner_url,
                migrate.login_role(services.database_url, services.database_owner_url),
            )  # fmt: skip
            _measure(create_app(settings), settings, options.activities, options.beside)
    finally:
        embedded.destroy(path)
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
