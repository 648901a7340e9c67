"""The verification is quiet about a sound ledger and names each kind of fault that an owner could plant."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import time_machine
from flask import Flask

from app.core.clock import now
from app.core.ids import new_id
from app.ledger import service, verification
from tests.ledger.conftest import GiveAward, NewMember, differences, point_award, settle

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def member(new_member: NewMember, give: GiveAward) -> UUID:
    """A member whose entries are: 100 and 40 issued in one posting, 100 matured, 100 expired, 9 issued."""
    with time_machine.travel(START, tick=False):
        member_id = new_member()
        give(member_id, point_award(100, START + DAY, START + 2 * DAY), point_award(40, START))
    with time_machine.travel(START + 3 * DAY, tick=False):
        settle(member_id, now())
        give(member_id, point_award(9, START))
    return member_id


def test_a_sound_ledger_is_clean_and_counted(member: UUID, new_member: NewMember) -> None:
    new_member()
    found = service.Verification()
    assert list(service.verify(found)) == []
    assert (found.members, found.entries, found.lots, found.points_issued, found.differences) == (2, 5, 3, 149, 0)


def test_members_beyond_one_chunk_are_checked_too(
    new_member: NewMember, give: GiveAward, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MEMBERS_A_CHUNK", 2)
    ids = [new_member() for _ in range(5)]
    for member_id in ids:
        give(member_id, point_award(3))
    plant(owner, "UPDATE account SET issued = 4, available = 4 WHERE member_id = ANY(%s)", [ids[0], ids[4]])
    found = service.Verification()
    assert {each.member_id for each in service.verify(found)} == {ids[0], ids[4], None}
    assert found.members == 5


def plant(owner: psycopg.Connection, statement: str, *parameters: object) -> None:
    """Change rows as the owner, foreign keys or not."""
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(statement.encode(), parameters or None)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        # each bucket of the account, the equation kept
        ("UPDATE account SET issued = issued + 5, available = available + 5",
         {"issued against lots", "issued against entries", "available against lots", "available against entries"}),
        ("UPDATE account SET available = 48, pending = 1",
         {"available against lots", "available against entries", "pending against lots", "pending against entries"}),
        ("UPDATE account SET available = 48, held = 1",
         {"available against lots", "available against entries", "held against lots", "held against entries",
          "held against holds"}),
        ("UPDATE account SET available = 48, spent = 1",
         {"available against lots", "available against entries", "spent against lots", "spent against entries"}),
        ("UPDATE account SET available = 48, reversed = 1",
         {"available against lots", "available against entries", "reversed against lots", "reversed against entries"}),
        ("UPDATE account SET available = 50, expired = 99",
         {"available against lots", "available against entries", "expired against lots", "expired against entries"}),
        ("UPDATE account SET debt = 1, available = 50",
         {"available against lots", "available against entries", "debt against entries",
          "debt and written off against lots"}),
        ("UPDATE account SET written_off = 1, available = 50",
         {"available against lots", "available against entries", "written off against entries",
          "debt and written off against lots"}),
        # lots
        ("UPDATE lot SET remaining = remaining - 1, spent = 1 WHERE lot_id = 2",
         {"available against lots", "spent against lots", "spent of lot 2"}),
        ("UPDATE lot SET is_matured = false WHERE lot_id = 2",
            {"available against lots", "pending against lots", "next due"}),
        ("DELETE FROM lot WHERE lot_id = 2", {"issued against lots", "available against lots", "lot of entry 2"}),
        # entries
        ("DELETE FROM entry WHERE seq = 2",
         {"gaps in seq", "balances that do not follow", "issued against entries", "available against entries",
          "number of entries", "entries of posting", "lot of entry 2"}),
        ("DELETE FROM entry WHERE seq = 5",
         {"last seq", "number of entries", "issued against entries", "available against entries",
          "entries of posting", "lot of entry 5"}),
        ("UPDATE entry SET seq = 7 WHERE seq = 5",
         {"gaps in seq", "last seq", "entries of posting", "lot of entry 5", "lot of entry 7"}),
        ("UPDATE entry SET available = available + 1 WHERE seq = 2", {"balances that do not follow"}),
        ("UPDATE entry SET available = available + 1 WHERE seq = 5", {"balances that do not follow"}),
        ("UPDATE entry SET amount = amount + 1 WHERE seq = 5",
         {"balances that do not follow", "issued against entries", "available against entries", "lot of entry 5"}),
        ("UPDATE entry SET target = 'held' WHERE seq = 5",
         {"balances that do not follow", "available against entries", "held against entries"}),
        # postings
        ("UPDATE posting SET entry_count = 3 WHERE first_seq = 1", {"entries of posting"}),
        ("UPDATE posting SET first_seq = 9 WHERE first_seq = 1", {"entries of posting"}),
        ("INSERT INTO posting (member_id, idempotency_key, kind, fingerprint, first_seq, entry_count, recorded_at)"
         " SELECT member_id, 'stray', 'award', '', 6, 1, recorded_at FROM posting LIMIT 1", {"entries of posting"}),
        ("DELETE FROM posting WHERE first_seq = 5", {"entries of posting"}),
        # allocations
        ("DELETE FROM lot_allocation WHERE seq = 4", {"allocations of entry 4", "expired of lot 1"}),
        ("UPDATE lot_allocation SET amount = 99 WHERE seq = 3", {"allocations of entry 3"}),
        ("UPDATE lot_allocation SET amount = 101 WHERE seq = 4", {"allocations of entry 4", "expired of lot 1"}),
        ("UPDATE lot_allocation SET lot_id = 2 WHERE seq = 4", {"expired of lot 1", "expired of lot 2"}),
        # points moved from lot to lot: the sums of the member stay as they are
        ("UPDATE lot SET amount = amount + (CASE lot_id WHEN 2 THEN 1 ELSE -1 END),"
         " remaining = remaining + (CASE lot_id WHEN 2 THEN 1 ELSE -1 END) WHERE lot_id IN (2, 5)",
         {"lot of entry 2", "lot of entry 5"}),
        # the moment from which a read or write looks for what is due
        ("UPDATE account SET next_due_at = NULL", set()),
        ("UPDATE lot SET expires_at = now()", {"next due"}),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(member: UUID, owner: psycopg.Connection, statement: str, found: set[str]) -> None:
    plant(owner, statement)
    checks = {check.split(" activity:")[0].removesuffix(" stray") for check in differences()}
    assert {check for check in checks if not check.endswith(" over the programme")} == found


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE account SET issued = 150, expired = 101", {"issued", "expired", "lots"}),
        ("UPDATE account SET available = 48, debt = 1, spent = 2", {"available", "debt", "spent"}),
        ("UPDATE account SET written_off = 1, reversed = 1", {"written off", "reversed"}),
        ("UPDATE entry SET target = 'held' WHERE seq = 3", {"available", "held"}),
        ("UPDATE lot SET amount = 41, remaining = 41 WHERE lot_id = 2", {"lots"}),
        ("DELETE FROM account", {"issued", "available", "expired", "lots"}),  # its rows belong to nobody
        ("UPDATE posting SET kind = 'gift' WHERE first_seq = 5", set()),
    ],
)  # fmt: skip
def test_the_sums_over_the_programme_are_checked(
    member: UUID, owner: psycopg.Connection, statement: str, found: set[str]
) -> None:
    plant(owner, statement)
    told = [each for each in service.verify(service.Verification()) if each.member_id is None]
    assert {each.check.removesuffix(" over the programme") for each in told if "gift" not in each.check} == found
    assert [each for each in told if "gift" in each.check] == (
        [] if "gift" not in statement else [verification.Difference(None, told[0].check, "0", "9")]
    )


def test_a_gift_is_not_issued_twice_and_both_its_sides_are_compared(
    member: UUID, new_member: NewMember, owner: psycopg.Connection
) -> None:
    service.give_points(
        member, new_member(), 30, key="gift:1", actor="m", reason=None, fingerprint=b"", moment=now()
    )  # fmt: skip
    found = service.Verification()
    assert list(service.verify(found)) == []
    assert found.points_issued == 149
    plant(owner, "UPDATE entry SET amount = 29 WHERE posting_key = 'gift:1' AND source = 'issued'")
    assert "programme gift gift:1: stated 30, recomputed 29" in {
        str(each) for each in service.verify(service.Verification())
    }


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM hold", {"held against holds"}),
        ("UPDATE hold SET status = 'released'", {"held against holds"}),
        ("UPDATE hold SET amount = 19", {"held against holds", "entry of hold"}),
        ("UPDATE hold SET seq = 1", {"entry of hold"}),
    ],
)
def test_a_fault_of_a_hold_is_found(member: UUID, owner: psycopg.Connection, statement: str, found: set[str]) -> None:
    service.hold_points(
        member, new_id(), 20, expires_at=now() + DAY, live=True, actor="m", fingerprint=b"", moment=now()
    )  # fmt: skip
    assert differences() == []
    plant(owner, statement)
    assert {check.split(" of hold ")[0] + (" of hold" if " of hold " in check else "") for check in differences()} == (
        found
    )


@pytest.mark.parametrize("size", [1, 6, 1000])
def test_members_with_more_entries_than_a_chunk_are_checked_whole(
    new_member: NewMember, give: GiveAward, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(verification, "ENTRIES_A_CHUNK", size)
    ids = [new_member() for _ in range(3)]
    for member_id in ids:
        give(member_id, *[point_award(3) for _ in range(5)])
    found = service.Verification()
    assert list(service.verify(found)) == []
    assert (found.members, found.entries, found.lots, found.points_issued) == (3, 15, 15, 45)
    plant(owner, "UPDATE entry SET available = 99 WHERE seq = 5 AND member_id = %s", ids[1])
    assert [(each.member_id, each.check) for each in service.verify(service.Verification())] == [
        (ids[1], "balances that do not follow")
    ]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE lot SET amount = amount + 1 WHERE lot_id = 2", {"lots that do not add up", "issued against lots"}),
        ("UPDATE lot SET is_open = false WHERE lot_id = 2", {"lots that do not add up"}),
        ("UPDATE account SET available = available + 1",
         {"account equation", "available against lots", "available against entries"}),
    ],
)  # fmt: skip
def test_a_fault_that_the_checks_of_the_tables_would_refuse_is_found_without_them(
    app: Flask, member: UUID, owner: psycopg.Connection, statement: str, found: set[str]
) -> None:
    constraints = owner.execute(
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid IN ('lot'::regclass, 'account'::regclass)"
    ).fetchall()
    try:
        for table, name, _ in constraints:
            owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        plant(owner, statement)
        assert set(differences()) >= found
    finally:
        owner.execute(b"TRUNCATE account CASCADE")
        for table, name, definition in constraints:
            owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".encode())


def test_the_command_ends_with_1_and_a_line_a_difference(app: Flask, member: UUID, owner: psycopg.Connection) -> None:
    clean = app.test_cli_runner().invoke(args=["ledger", "verify"])
    assert (clean.exit_code, clean.output) == (
        0, "1 accounts, 5 entries, 3 lots, 149 points issued: no differences\n",
    )  # fmt: skip
    plant(owner, "UPDATE entry SET available = available + 1 WHERE seq = 2")
    broken = app.test_cli_runner().invoke(args=["ledger", "verify"])
    assert broken.exit_code == 1
    assert f"{member} balances that do not follow: stated 0, recomputed 2" in broken.output


def test_awards_may_go_on_meanwhile(app: Flask, new_member: NewMember, give: GiveAward) -> None:
    ids = [new_member() for _ in range(5)]
    stop = threading.Event()

    def award() -> None:
        with app.app_context():
            while not stop.is_set():
                for member_id in ids:
                    give(member_id, point_award(3), point_award(4, START + 10_000 * DAY))

    with ThreadPoolExecutor(1) as pool:
        awarding = pool.submit(award)
        try:
            for _ in range(10):
                assert differences() == []
        finally:
            stop.set()
        awarding.result()
    assert differences() == []
