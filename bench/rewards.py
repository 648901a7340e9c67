"""Rewards: how long a shopper waits for a page of ten thousand, and how long a million codes take to import.

The pages are asked for one after the other over HTTP, as a phone does: by price, newest, what ends first, favourites
first, of one kind or merchant, what is affordable, and pages further on. A fifth of the rewards are for other tiers or
regions, a fifth are counted in stock, a tenth have a limit.
"""

import http.client
import io
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from app.core.clock import now
from app.core.ids import new_id
from app.ledger import service as ledger
from app.members.service import start_session
from app.redemption.service.code_importing import ROWS_MAX, import_codes
from bench.ledger import Bench, Mark

REWARDS = 10_000
REQUESTS = 400
WARM_REQUESTS = 50
PAGES = 4  # of each query
PAGE_MS_MAX = 50
IMPORT_SECONDS_MAX = 60
SHOPPERS = 20
POINTS = 5000
QUERIES = (
    "", "sort=newest", "sort=expiring", "sort=favourites", "affordable=true", "kind=product", "region=DE-BE",
    "merchant=bench&sort=newest", "kind=donation", "affordable=true&kind=checkout_discount&limit=100",
)  # fmt: skip
_ADD = """
INSERT INTO reward (reward_id, key, kind, state, merchant_id, points, stock_kind, stock_total, visible_until, document,
                    version, created_at, updated_at)
SELECT ('019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'listed-' || n,
       (ARRAY['voucher_generated', 'product', 'checkout_discount'])[1 + mod(n, 3)], 'published',
       CASE WHEN mod(n, 4) = 0 THEN (SELECT merchant_id FROM merchant) END, 100 + mod(n * 7919, 9900),
       CASE WHEN mod(n, 5) = 0 THEN 'per_day' ELSE 'none' END, CASE WHEN mod(n, 5) = 0 THEN mod(n, 3) END,
       CASE WHEN mod(n, 7) = 0 THEN timestamptz '2100-01-01Z' + n * interval '1 minute' END,
       %(document)s::jsonb || jsonb_build_object(
         'audience', CASE mod(n, 10) WHEN 1 THEN '{"tiers": ["gold"]}'::jsonb WHEN 2 THEN '{"regions": ["FR"]}' END,
         'limit', CASE WHEN mod(n, 10) = 3 THEN '{"quantity": 1, "per": "month"}'::jsonb END,
         'tier_points', CASE WHEN mod(n, 10) = 4 THEN jsonb_build_object('seed', 100 + mod(n, 900)) END),
       1, '2020-01-01Z', '2020-01-01Z'
  FROM generate_series(1, %(count)s) AS n
ON CONFLICT (key) DO NOTHING
"""
_BUMP = """
INSERT INTO config_version (name, version) VALUES ('rewards', 1)
ON CONFLICT (name) DO UPDATE SET version = config_version.version + 1
"""
_DOCUMENT: dict[str, Any] = {
    "names": {"en": "Five euros off", "zh-CN": "立减 5 欧元"},
    "descriptions": {"en": "For whatever carries a certificate, at all shops of the programme. " * 5},
    "image_url": "https://images.example.org/reward.jpg",
    "money": None,
    "low_stock_at": None,
    "confirm_within_hours": None,
    "voucher": {"discount": "amount", "value": 500, "currency": "EUR", "is_partial": True, "valid_days": 90},
}


def _fill(bench: Bench) -> None:
    with psycopg.connect(bench.owner_url) as connection:
        connection.execute(_ADD, {"document": json.dumps(_DOCUMENT), "count": REWARDS})
        connection.execute(_BUMP)
    time.sleep(1)  # until every process has noticed


def _tokens(bench: Bench) -> list[str]:
    tokens = []
    with bench.app.app_context():
        for member_id in bench.awarded[:SHOPPERS]:
            ledger.adjust_points(
                member_id, POINTS, key=f"adjust:{new_id()}", actor="bench", reason="bench", fingerprint=b"",
                moment=now(),
            )  # fmt: skip
            tokens.append(start_session(member_id, now()).access_token)
    return tokens


def _asked(connection: http.client.HTTPConnection, tokens: list[str]) -> Iterator[float]:
    """Ask page after page and yield the milliseconds that each took; raises for any refusal."""
    for token, query in zip(itertools.cycle(tokens), itertools.cycle(QUERIES), strict=False):
        cursor = ""
        for _ in range(PAGES):
            started = time.perf_counter()
            connection.request("GET", f"/v1/rewards?{query}{cursor}", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200:
                raise RuntimeError(body)
            yield (time.perf_counter() - started) * 1000
            if body["next_cursor"] is None:
                break
            cursor = f"&cursor={body['next_cursor']}"


def _pages(bench: Bench) -> tuple[float, str]:
    """Return the time within which 95 of 100 pages came."""
    _fill(bench)
    connection = http.client.HTTPConnection(urlsplit(bench.url).netloc)
    taken = _asked(connection, _tokens(bench))
    for _ in range(WARM_REQUESTS):
        next(taken)
    found = sorted(itertools.islice(taken, REQUESTS))
    connection.close()
    p95 = found[int(len(found) * 0.95)]
    return p95, f"p50 {statistics.median(found):.1f} ms, p95 {p95:.1f} ms, p99 {found[int(len(found) * 0.99)]:.1f} ms"


def _import(bench: Bench) -> tuple[float, str]:
    """Return the seconds that a million codes take."""
    reward_id = UUID("019a0000-0000-7000-9000-000000000001")
    with psycopg.connect(bench.owner_url) as connection:
        connection.execute("TRUNCATE pool_code")
        connection.execute(
            "INSERT INTO reward (reward_id, key, kind, state, points, stock_kind, document, version, created_at,"
            " updated_at) VALUES (%s, 'pool', 'voucher_pool', 'draft', 100, 'none', %s::jsonb, 1, '2020-01-01Z',"
            " '2020-01-01Z') ON CONFLICT DO NOTHING",
            [reward_id, json.dumps(_DOCUMENT)],
        )
    lines = (f"SPRING-{number:07d}-{number * 7919 % 9973:04d}\n" for number in range(ROWS_MAX))
    file = io.BytesIO("".join(lines).encode())
    with bench.app.app_context():
        started = time.monotonic()
        done = import_codes(reward_id, file, live=True)
        elapsed = time.monotonic() - started
    if done.imported != ROWS_MAX:
        raise RuntimeError(f"{done.imported} imported")
    return elapsed, f"{ROWS_MAX / elapsed:,.0f} codes/s"


MARKS = (
    Mark("rewards", "a page of 10,000 rewards for a member, HTTP p95 in ms", PAGE_MS_MAX, True, _pages),
    Mark("codes", "import of 1,000,000 codes, in seconds", IMPORT_SECONDS_MAX, True, _import),
)
