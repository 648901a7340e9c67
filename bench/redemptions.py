"""Redemptions over HTTP beside awards over HTTP, in the same round: shoppers turn points into vouchers.

Each request is one shopper's, signed in, with an ``Idempotency-Key``: points are spent, a code is made, encrypted and
stored, and one of a fixed stock is taken, of one of ten rewards. The shoppers are those who are awarded.
"""

import json
import tempfile
from pathlib import Path
from uuid import UUID

import psycopg
from flask import Flask

from app.core.clock import now
from app.core.ids import new_id
from app.ledger import service as ledger
from app.members.service import start_session
from bench.ledger import Bench, Mark

SHOPPERS = 1000
REWARDS = 10
POINTS = 10**9
_DOCUMENT = {
    "names": {"en": "Five euros off"},
    "voucher": {"discount": "amount", "value": 500, "currency": "EUR", "is_partial": True, "valid_days": 90},
}
_ADD_REWARD = """
INSERT INTO reward (reward_id, key, kind, state, points, stock_kind, stock_total, document, version, created_at,
                    updated_at)
VALUES (%(id)s, %(id)s::text, 'voucher_generated', 'published', 100, 'fixed', 1000000000, %(document)s::jsonb, 1,
        '2020-01-01Z', '2020-01-01Z')
"""
_ADD_STOCK = """
INSERT INTO reward_stock (reward_id, live, day, total, taken) VALUES (%(id)s, true, '1970-01-01', 1000000000, 0)
"""
_GIVEN: set[UUID] = set()  # the shoppers who have their points


def _rewards(owner_url: str) -> list[UUID]:
    """Return ten new rewards."""
    made = [new_id() for _ in range(REWARDS)]
    with psycopg.connect(owner_url) as connection:
        for reward_id in made:
            given = {"id": reward_id, "document": json.dumps(_DOCUMENT)}
            connection.execute(_ADD_REWARD, given)
            connection.execute(_ADD_STOCK, given)
    return made


def _tokens(app: Flask, members: list[UUID]) -> list[str]:
    """Sign the members in; who has no points yet gets some."""
    tokens = []
    with app.app_context():
        for member_id in members:
            if member_id not in _GIVEN:
                ledger.adjust_points(
                    member_id, POINTS, key="adjust:bench", actor="bench", reason="bench", fingerprint=b"",
                    moment=now(),
                )  # fmt: skip
                _GIVEN.add(member_id)
            tokens.append(start_session(member_id, now()).access_token)
    return tokens


def _redemptions(bench: Bench) -> tuple[float, str]:
    rewards = _rewards(bench.owner_url)
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens"
        tokens.write_text("\n".join(_tokens(bench.app, bench.awarded[:SHOPPERS])))
        bench.redeem(tokens, rewards, 1)
        bench.load(0, 1, 1)
        redeemed = bench.redeem(tokens, rewards, bench.seconds)
        awarded = bench.load(0, 1, bench.seconds)
    told = f"{redeemed.rate:,.0f} ÷ {awarded.rate:,.0f} a second; p99 {redeemed.p99_ms:.0f} ms"
    return redeemed.rate / awarded.rate, told


MARKS = (Mark("redemptions", "redemptions over HTTP ÷ awards over HTTP", 0.5, False, _redemptions),)
