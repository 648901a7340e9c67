"""The journal is accepted by beancount with the accounts as its assertions, and a changed account is refused."""

import csv
import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import time_machine
from beancount import loader
from beancount.core import data
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.ledger import service
from app.ledger.export import export_ledger
from app.ledger.models import BUCKETS, Account, Entry, Posting
from tests.ledger.conftest import GiveAward, NewMember, differences, point_award

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NASTY = '=1+1 "quoted" \\ back\nnext line\t; note 积分'
OPERATIONS = {
    "award", "mature", "expire", "hold", "capture", "release", "spend", "refund", "reverse", "repay", "write_off",
    "adjust", "gift",
}  # fmt: skip


def at(days: float) -> time_machine.travel:
    return time_machine.travel(START + days * DAY, tick=False)


def told(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "actor": "staff:1", "fingerprint": b"", "moment": now()} | more


@pytest.fixture
def members(new_member: NewMember, give: GiveAward) -> tuple[UUID, UUID]:
    """Two members between whom every operation of the ledger has happened; a third has nothing."""
    with at(0):
        one, two, _ = new_member(), new_member(), new_member()
        give(one, point_award(100, START + DAY, START + 20 * DAY), point_award(40, START), point_award(300, START))
        give(two, point_award(50, None, None, START + 90 * DAY), point_award(20, START))
        hold_id, given_up, forgotten = new_id(), new_id(), new_id()
        ends = {"live": True, "actor": "m", "fingerprint": b"", "moment": now(), "expires_at": now() + DAY}
        for held in (hold_id, given_up, forgotten):
            service.hold_points(one, held, 30, **ends)
        service.capture_hold(one, hold_id, 10, actor="m", fingerprint=b"", moment=now())
        service.release_hold(one, given_up, actor="m", fingerprint=b"", moment=now())
    with at(2):
        service.settle_due(one, now())
        service.spend_points(one, 60, **told("spend:1", reason=NASTY))
        service.refund_spend(one, "spend:1", 5, **told("refund:1"))
        service.give_points(one, two, 25, **told("gift:1", reason="Danke"))
        service.adjust_points(one, 13, **told("adjust:up", reason=NASTY))
        service.adjust_points(one, -3, **told("adjust:down", reason="@ mistake"))
        service.spend_points(two, 45, **told("spend:2"))
        award = db.session.scalars(select(Posting).filter_by(member_id=two, kind="award")).one()
        service.reverse_points(two, award.idempotency_key, None, **told("reverse:2", reason="returned"))
        service.write_off_debt(two, 5, **told("write-off:2", reason="kindness"))
        service.adjust_points(two, 9, **told("adjust:2", reason="repays"))
        give(one, point_award(7, START + 3 * DAY))
        service.extend_expiry(two, START + 400 * DAY, moment=now())
    with at(4):
        owed = service.AwardedActivity("activity:late", b"", new_id(), "m", [point_award(30, now() + DAY)], "", "")
        with service.open_book(two, now()) as (_, book):
            service.award_in_book(book, owed)
    with at(6):
        service.settle_due(two, now())
    with at(30):
        service.settle_due(one, now())
    return one, two


def journal() -> str:
    return "".join(export_ledger("beancount"))


def test_the_journal_of_every_operation_is_accepted_and_asserts_every_account(members: tuple[UUID, UUID]) -> None:
    assert set(db.session.scalars(select(Posting.kind))) == OPERATIONS
    assert differences() == []
    entries, errors, _ = loader.load_string(journal())
    assert errors == []
    asserted = {
        entry.account: abs(entry.amount.number) for entry in entries if isinstance(entry, data.Balance)
    }  # fmt: skip
    accounts = db.session.scalars(select(Account)).all()
    assert len(accounts) == 3
    for account in accounts:
        of_member = {name.split(":")[1]: points for name, points in asserted.items() if name.endswith(
            f":{account.member_id}".upper())}  # fmt: skip
        assert of_member == {
            bucket.title().replace("_", ""): getattr(account, bucket) for bucket in BUCKETS
        }  # fmt: skip
    assert asserted["Income:Issued"] == sum(account.issued for account in accounts)
    assert len([entry for entry in entries if isinstance(entry, data.Transaction)]) == len(
        db.session.scalars(select(Posting)).all()
    )


def test_gifts_stand_apart_and_net_to_nothing(members: tuple[UUID, UUID]) -> None:
    entries, _, _ = loader.load_string(journal())
    legs = [leg for entry in entries if isinstance(entry, data.Transaction) for leg in entry.postings]
    sent, received = ([leg.units.number for leg in legs if leg.account.endswith(end)] for end in ("Sent", "Received"))
    assert sum(sent) == 25
    assert sum(received) == -25


@pytest.mark.parametrize("bucket", ["available", "debt", "spent"])
def test_an_account_that_says_otherwise_is_refused(
    members: tuple[UUID, UUID], owner: psycopg.Connection, bucket: str
) -> None:
    other = "issued" if bucket != "debt" else "pending"
    owner.execute(f"UPDATE account SET {bucket} = {bucket} + 1, {other} = {other} + 1".encode())
    _, errors, _ = loader.load_string(journal())
    assert {type(error).__name__ for error in errors} == {"BalanceError"}
    assert len(errors) == 8


def test_the_same_ledger_gives_the_same_text(members: tuple[UUID, UUID]) -> None:
    for file_format in ("beancount", "csv"):
        assert list(export_ledger(file_format)) == list(export_ledger(file_format))


def test_an_empty_ledger_is_a_journal_too(app: Flask) -> None:
    _, errors, _ = loader.load_string(journal())
    assert errors == []


def test_the_csv_has_every_entry_and_no_formula(members: tuple[UUID, UUID]) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(export_ledger("csv")), newline="")))
    stored = db.session.scalars(select(Entry).order_by(Entry.member_id, Entry.seq)).all()
    assert [(row["member_id"], int(row["seq"]), int(row["amount"])) for row in rows] == [
        (str(entry.member_id), entry.seq, entry.amount) for entry in stored
    ]
    assert {row["reason"] for row in rows} >= {f"'{NASTY}", "'@ mistake", "kindness", ""}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_the_command_writes_a_file_that_bean_check_accepts(
    app: Flask, members: tuple[UUID, UUID], tmp_path: Path
) -> None:
    path = tmp_path / "ledger.beancount"
    done = app.test_cli_runner().invoke(args=["ledger", "export", "--output", str(path)])
    assert (done.exit_code, done.output) == (0, "")
    checked = subprocess.run(
        [Path(sys.executable).with_name("bean-check"), path], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    printed = app.test_cli_runner().invoke(args=["ledger", "export", "--format", "csv"])
    assert printed.exit_code == 0
    assert printed.output.startswith("member_id,seq,posting_key,")
