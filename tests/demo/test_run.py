"""The whole demo over HTTP: set-up, replay, summary; then the same again."""

import re
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.core.database import db
from app.demo import run
from app.demo.baskets import window_bounds
from app.ledger.models import Account

DAYS = 1


def _figures(text: str) -> dict[str, int]:
    """Return the summary's figures by what stands beside them."""
    rows = re.findall(r"^\s*([\d,]+)\s+(\S.*?)\s*$", text, re.MULTILINE)
    return {meaning: int(figure.replace(",", "")) for figure, meaning in rows}


def _status(url: str, credential: str) -> int:
    parts = urlsplit(url)
    assert parts.hostname
    with closing(HTTPConnection(parts.hostname, parts.port)) as connection:
        connection.request("GET", parts.path, headers={"Authorization": credential})
        return connection.getresponse().status


def _issued() -> int:
    db.session.rollback()
    return sum(account.issued for account in db.session.query(Account))


def test_a_replay_accounts_for_every_basket_and_a_rerun_pays_nothing(
    context: Flask, base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = context.config["SETTINGS"]
    assert run.run_demo(settings, DAYS, base_url)
    output = capsys.readouterr().out
    figures, issued = _figures(output), _issued()
    total = window_bounds(DAYS)[2]
    assert figures["read and sent, of which"] == total == 395
    assert figures["awarded"] + figures["accepted without award"] + figures.get("refused", 0) == total
    assert figures["of these paid by this run"] == issued > 0
    assert "ledger verify: clean" in output

    asked = re.findall(r"^curl -s -H 'Authorization: (Bearer \S+)' (http\S+)$", output, re.MULTILINE)
    assert [_status(url, credential) for credential, url in asked] == [200, 200, 200]
    assert "/v1/activities/basket-" in asked[1][1]

    assert run.run_demo(settings, DAYS, base_url)
    again = _figures(capsys.readouterr().out)
    assert again["of these the server knew already and paid nothing again"] == total - figures.get("refused", 0)
    assert again["of these paid by this run"] == 0
    assert _issued() == issued


def test_no_days_set_up_the_programme_and_send_nothing(
    context: Flask, base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.run_demo(context.config["SETTINGS"], 0, base_url)
    output = capsys.readouterr().out
    assert "Baskets" not in output
    assert output.count("curl -s") == 3
    assert _issued() == 0
