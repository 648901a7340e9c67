"""The whole demo over HTTP: set-up, replay, summary; then the same again."""

import json
import re
import shlex
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.core.database import db
from app.demo import run
from app.demo.baskets import window_bounds
from app.ledger.models import Account

DAYS = 1
PREVIEW = "What a cart would earn, and what would earn more"
RETURN = "That order comes back"
CLAIM = "A receipt of nobody, which the shopper claims"
REWARDS = "What points can be turned into"


def _figures(text: str) -> dict[str, int]:
    """Return the summary's figures by what stands beside them."""
    rows = re.findall(r"^\s*([\d,]+)\s+(\S.*?)\s*$", text, re.MULTILINE)
    return {meaning: int(figure.replace(",", "")) for figure, meaning in rows}


def _asked(output: str, base_url: str) -> dict[str, tuple[str, dict[str, str], str | None]]:
    """Return the path, headers and body of each printed ``curl`` line by its title, as a shell reads it."""
    found = {}
    for title, line in re.findall(r"^(.+):\n(curl .+)$", output, re.MULTILINE):
        options: dict[str, list[str]] = {"-H": [], "-d": []}
        words = iter(shlex.split(line)[2:])
        for word in words:
            if word in options:
                options[word].append(next(words))
            else:
                url = word
        assert url.startswith(base_url)
        headers = dict(header.split(": ", 1) for header in options["-H"])
        found[title] = (url.removeprefix(base_url), headers, options["-d"][0] if options["-d"] else None)
    return found


def _ask(base_url: str, path: str, headers: dict[str, str], body: str | None) -> tuple[int, Any]:
    parts = urlsplit(base_url)
    assert parts.hostname
    with closing(HTTPConnection(parts.hostname, parts.port)) as connection:
        connection.request("GET" if body is None else "POST", path, body and body.encode(), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def _answers(output: str, base_url: str) -> dict[str, tuple[int, Any]]:
    """Return status and answer of each printed line by its title, sent in their order."""
    return {title: _ask(base_url, *asked) for title, asked in _asked(output, base_url).items()}


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

    answers = _answers(output, base_url)
    assert {title: status for title, (status, _) in answers.items()} == {
        "A shopper's wallet": 200, "A merchant's order": 200, PREVIEW: 200,
        RETURN: 201, CLAIM: 201, REWARDS: 200,
        "The programme's settings, for staff": 200,
    }  # fmt: skip
    order = answers["A merchant's order"][1]
    assert order["external_id"].startswith("basket-")
    preview = answers[PREVIEW][1]
    assert preview["points"]["awarded"] > 0
    assert preview["suggestions"][0]["extra_points"] > 0
    returned = answers[RETURN][1]
    assert (returned["is_whole"], returned["reversed"]["points"]) == (True, order["points"]["awarded"])
    claimed = answers[CLAIM][1]
    assert (claimed["status"], claimed["member_id"]) == ("accepted", preview["member_id"])
    assert {reward["state"] for reward in answers[REWARDS][1]["data"]} == {"available"}
    issued += claimed["points"]["awarded"]
    assert _issued() == issued

    assert run.run_demo(settings, DAYS, base_url)
    output = capsys.readouterr().out
    again = _figures(output)
    assert again["of these the server knew already and paid nothing again"] == total - figures.get("refused", 0)
    assert again["of these paid by this run"] == 0
    assert _issued() == issued
    assert "ledger verify: clean" in output
    answers = _answers(output, base_url)
    assert answers[RETURN][0] in (200, 201), "200 where it is the same order as before"
    assert answers[CLAIM][0] == 201, "another receipt"


def test_no_days_set_up_the_programme_and_send_nothing(
    context: Flask, base_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.run_demo(context.config["SETTINGS"], 0, base_url)
    output = capsys.readouterr().out
    assert "Baskets" not in output
    assert _issued() == 0
    statuses = {title: status for title, (status, _) in _answers(output, base_url).items()}
    assert statuses == {
        "A shopper's wallet": 200, "A merchant's customer": 200, PREVIEW: 200,
        CLAIM: 201, REWARDS: 200, "The programme's settings, for staff": 200,
    }  # fmt: skip
