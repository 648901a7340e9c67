"""Who guesses codes waits longer and longer; what guessing comes to is what the documentation says."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.core.codes import ALPHABET, normalise_code
from app.redemption import codes, guessing
from app.redemption.errors import TooManyGuesses
from tests import world
from tests.answers import assert_problem
from tests.redemption.conftest import Spender
from tests.redemption.test_vouchers import Till
from tests.redemption.till import reward_of

pytestmark = pytest.mark.usefixtures("app")
DOCUMENT = Path(__file__).parents[2] / "docs" / "vouchers.md"


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Counts in Redis, and in memory while Redis is gone."""
    app.extensions.pop("voucher_guesses", None)
    if request.param == "memory":
        gone = redis.Redis(port=1, socket_connect_timeout=1)
        monkeypatch.setitem(app.extensions, "redis", gone)
    yield request.param
    app.extensions.pop("voucher_guesses", None)


def waits(shop: world.Shop, live: bool = True) -> int:
    """How many seconds the merchant is to wait; 0: it need not."""
    try:
        guessing.check(shop.merchant_id, live)
    except TooManyGuesses as refused:
        return int(refused.headers["Retry-After"])
    return 0


def wrong(shop: world.Shop, times: int, live: bool = True) -> None:
    for _ in range(times):
        guessing.note_wrong(shop.merchant_id, live)


@pytest.mark.usefixtures("store")
def test_after_twenty_wrong_codes_each_costs_a_wait_that_doubles(shop: world.Shop) -> None:
    wrong(shop, 20)
    assert waits(shop) == 0
    found = []
    for _ in range(11):
        wrong(shop, 1)
        found.append(waits(shop))
    assert found == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert waits(shop, live=False) == 0
    assert waits(world.make_shop("other-shop")) == 0


@pytest.mark.usefixtures("store")
def test_beyond_200_in_all_every_merchant_that_has_had_a_wrong_one_waits(shop: world.Shop) -> None:
    others = [world.make_shop(f"shop-{number}") for number in range(12)]
    for other in others[:10]:
        wrong(other, 20)
    assert [waits(other) for other in others[:10]] == [0] * 10
    wrong(others[10], 3)
    assert waits(others[10]) == waits(others[0]) == 4
    assert waits(others[11]) == 0, "a till without a wrong code goes on"
    guessing.note_right(others[0].merchant_id, True)
    assert waits(others[0]) == 0
    wrong(others[0], 1)
    assert waits(others[0]) == 8, "the count of all went on"


@pytest.mark.usefixtures("store")
def test_a_redeemed_voucher_lets_its_merchant_begin_anew(shop: world.Shop) -> None:
    wrong(shop, 19)
    guessing.note_right(shop.merchant_id, True)
    wrong(shop, 20)
    assert waits(shop) == 0
    wrong(shop, 1)
    assert waits(shop) == 1


@pytest.mark.usefixtures("store")
def test_a_window_ends_by_itself(shop: world.Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "WINDOW_SECONDS", 0.3)
    monkeypatch.setattr(guessing, "MERCHANT_DELAY_MAX", 0.1)
    wrong(shop, 21)
    assert waits(shop) == 1, "less than a second, told as one"
    threading.Event().wait(0.4)
    assert waits(shop) == 0
    wrong(shop, 20)
    assert waits(shop) == 0


def test_many_at_once_are_all_counted(app: Flask, shop: world.Shop, store: str) -> None:
    def work() -> None:
        with app.app_context():
            wrong(shop, 5)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits(shop) == 16, "25 wrong codes: five beyond the twenty"


def test_the_routes_count_wrong_codes_and_refuse_even_right_ones(
    client: FlaskClient, spender: Spender, shop: world.Shop
) -> None:
    code, till = spender.code(reward_of()), Till(client, shop.live)
    for _ in range(9):
        assert till.validate(codes.make_voucher_code()).status_code == 404
        assert till.redeem("0" * 13 + "1").status_code == 422
    for _ in range(2):
        assert till.roll_back(codes.make_voucher_code()).status_code == 404
    assert till.validate(code).status_code == 200
    assert till.validate("ABC").status_code == 422
    refused = till.validate(code)
    assert_problem(refused, 429, "too_many_guesses")
    assert refused.headers["Retry-After"] == "1"
    key = "the-same-key"
    assert_problem(till.redeem(code, key=key), 429, "too_many_guesses")
    threading.Event().wait(1.05)
    assert till.redeem(code, key=key, amount=1).status_code == 200, "a refusal for the time being is not kept"
    assert till.validate(codes.make_voucher_code()).status_code == 404
    assert till.validate(code).status_code == 200, "a redeemed voucher has let it begin anew"


def test_a_repeated_request_is_not_counted_again(client: FlaskClient, shop: world.Shop, spender: Spender) -> None:
    code, till = spender.code(reward_of()), Till(client, shop.live)
    for _ in range(25):
        assert till.redeem("0" * 13 + "1", key="same").status_code == 422
    assert till.validate(code).status_code == 200


@given(st.text(alphabet=ALPHABET, min_size=13, max_size=13))
def test_of_the_symbols_before_it_one_check_symbol_is_right_or_none(symbols: str) -> None:
    """32 of 37 remainders have a symbol of the alphabet: the other codes are not made."""
    assert sum(normalise_code(symbols + check) is not None for check in ALPHABET) in (0, 1)


def expected_hits() -> dict[str, float]:
    """What docs/vouchers.md computes, from the numbers that the code has."""
    live, per_second, year = 10**6, 100, 365 * 24 * 3600
    blind, made = 32**codes.LENGTH, 32**codes.SYMBOLS * 32 / 37
    guesses = per_second * year
    windows = year / guessing.WINDOW_SECONDS
    merchants = 100

    def per_window(free: int, delay_max: int) -> int:
        """The most wrong codes of a window that begins with the first: the free ones, then one after each wait."""
        count, at = free + 1, 0
        while at + (wait := min(2 ** (count - free - 1), delay_max)) < guessing.WINDOW_SECONDS:
            at, count = at + wait, count + 1
        return count

    own = per_window(guessing.MERCHANT_FREE, guessing.MERCHANT_DELAY_MAX)
    all_ = per_window(guessing.ALL_FREE, guessing.ALL_DELAY_MAX)
    bounded = all_ + 2 * merchants  # each merchant once more, when its own window begins and after a redeemed voucher
    return {
        "guesses a year": guesses,
        "blind": guesses * live / blind,
        "with right check symbols": guesses * live / made,
        "one merchant a window": own,
        "one merchant a year": own * windows,
        "hits of one merchant": own * windows * live / made,
        "all a window": bounded,
        "all a year": bounded * windows,
        "hits of all": bounded * windows * live / made,
    }


def test_the_documentation_has_the_numbers_that_come_out() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    told = {
        name.strip(): float(value.replace(",", ""))
        for name, value in re.findall(r"^\| ([a-z ]+?) \|[^|]*\| ([0-9.,e+-]+) \|", text, re.M)
    }
    computed = expected_hits()
    assert told.keys() == computed.keys()
    for name, value in computed.items():
        assert told[name] == pytest.approx(value, rel=0.01), name


def test_the_documentation_names_the_limits_in_force() -> None:
    text = re.sub(r"\s+", " ", DOCUMENT.read_text(encoding="utf-8"))
    numbers: dict[str, Any] = {
        "the first {} wrong codes of a merchant": guessing.MERCHANT_FREE,
        "the first {} of all merchants": guessing.ALL_FREE,
        "window of {} minutes": guessing.WINDOW_SECONDS // 60,
        "at most {} seconds": guessing.MERCHANT_DELAY_MAX,
    }
    for phrase, number in numbers.items():
        assert phrase.format(number) in text
    assert guessing.MERCHANT_DELAY_MAX == guessing.ALL_DELAY_MAX
