"""A restatement whose process is killed in the middle leaves whole pieces, and a worker finishes it, each once."""

import os
import signal
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from app.core import serving
from app.core.clock import now
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import FactKind, OutboxRow
from app.core.unit_of_work import unit_of_work
from app.impact import service
from app.impact.models import ImpactEntry, Restatement
from app.impact.service import ImpactLine, ImpactSubject, restatements, restating
from app.members import service as members
from config import Settings
from tests.impact import conftest
from tests.impact.test_booking import insert

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = restating.PIECE + 50
PATIENCE_SECONDS = 60
PET, LESS_PET = "kg_recycled,1150,805,1495,warm", "kg_recycled,900,700,1200,warm"
edit = conftest.edit


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
        "GREENPOINTS_ENV": "test", "DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url, "REDIS_URL": settings.redis_url,
    }  # fmt: skip
    command = serving.flask_command("impact", "restate", "--factor", "PET")
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _value() -> int:
    """The sum of what is booked by factors."""
    db.session.rollback()
    query = sa.select(sa.func.sum(ImpactEntry.value)).where(ImpactEntry.metric == "g_co2e_avoided")
    return int(db.session.scalar(query) or 0)


def _wait_for_changes(count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        db.session.rollback()
        if db.session.scalar(sa.select(Restatement.activities_changed)) == count:
            return
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("programme")
def test_a_killed_restatement_is_finished_by_a_worker(settings: Settings, edit: conftest.Edit) -> None:
    enrolled = members.enrol_many(MEMBERS, live=True, moment=now())
    line = ImpactLine("1", material="PET", weight_g=1000)
    claimed = service.claim_impact(ImpactSubject("recycling", (), (line,)))
    for member in enrolled:
        insert(service.entry_rows(member.member_id, new_id(), claimed, now(), now()))
    service.load_reference(edit(PET, LESS_PET))
    last = max(member.member_id for member in enrolled)
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute("SELECT FROM account WHERE member_id = %s FOR UPDATE", (last,))  # the second piece waits
        process = _start(settings)
        try:
            _wait_for_changes(restating.PIECE, process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    assert _value() == restating.PIECE * 900 + 50 * 1150
    with unit_of_work() as session:
        session.execute(sa.update(Restatement).values(heartbeat_at=now() - restatements.STALE - timedelta(seconds=1)))
    assert restatements.run_restatements(threading.Event()) == 1
    assert _value() == MEMBERS * 900
    done = db.session.scalars(sa.select(Restatement)).one()
    assert (done.state, done.activities_changed, done.entries_booked) == ("done", MEMBERS, 2 * MEMBERS)
    told = sa.select(sa.func.count()).select_from(OutboxRow).where(OutboxRow.kind == FactKind.CORRECTED)
    assert db.session.scalar(told) == MEMBERS
