"""The walk of docs/integrating.md as somebody pastes it: each command works against the demo and answers as it says."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.core.database import db
from app.demo import run
from app.ledger.models import Account
from app.members.models import Member

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "integrating.md"
# the real curl, which tells each status on the standard error
TELLING = '#!/bin/sh\nexec {curl} -w "%{{stderr}}%{{http_code}}\\n" "$@"\n'


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.+?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def promised() -> list[str]:
    """Return the status that the document names behind each command that asks the server."""
    return re.findall(r"# ([1-5][0-9]{2})\b", "".join(blocks()))


def walk(tmp_path: Path, shell: str, settings: Any) -> subprocess.CompletedProcess[str]:
    """Run all blocks in one shell, with this run's servers in the place of the demo's own."""
    curl = shutil.which("curl")
    if curl is None or shutil.which(shell) is None:
        pytest.skip(f"there is no curl, or no {shell}, here")
    shim = tmp_path / "curl"
    shim.write_text(TELLING.format(curl=curl))
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    python = tmp_path / "python3"
    python.symlink_to(sys.executable)
    script = "\n".join(blocks()).replace(".venv/bin/flask", f"'{sys.executable}' -m flask")
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GREENPOINTS_ENV": "test",
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
    }
    return subprocess.run(
        [shell, "-eu", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_every_command_of_the_walk_works_and_answers_as_it_says(
    context: Flask, base_url: str, tmp_path: Path, shell: str
) -> None:
    settings = context.config["SETTINGS"]
    assert run.run_demo(settings, 0, base_url)
    done = walk(tmp_path, shell, settings)
    assert done.returncode == 0, done.stderr + done.stdout
    answered = re.findall(r"^[1-5][0-9]{2}$", done.stderr, re.MULTILINE)
    assert answered == promised(), done.stdout
    assert len(answered) > 15
    db.session.rollback()
    touched = db.session.query(Member.live).join(Account, Account.member_id == Member.member_id)
    moved = {live for (live,) in touched.filter(Account.last_seq > 0)}
    assert moved == {False}, "nothing live was touched"
