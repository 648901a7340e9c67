"""Codes imported by route and command: each once, live and test apart, the others refused by line, none ever shown."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.core.api import BATCH_BYTES_MAX
from app.core.database import db
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.core.unit_of_work import unit_of_work
from app.redemption import codes, stock
from app.redemption.models import PoolCode, Reward
from app.redemption.service import code_importing
from app.redemption.service.code_importing import import_codes
from tests import world
from tests.answers import assert_problem
from tests.redemption.desk import PATH, Desk, make_desk, product_document, reward_document

Send = Callable[..., TestResponse]


def pool_document(**changes: Any) -> dict[str, Any]:
    return reward_document(kind="voucher_pool", **changes)


@pytest.fixture
def desk(app: Flask, client: FlaskClient) -> Desk:
    """An editor, a viewer and an admin."""
    return make_desk(client)


@pytest.fixture
def send(desk: Desk) -> Send:
    """A function that sends a file as the editor."""

    def run(text: str | bytes, key: str = "refill", query: str = "", by: world.Staff | None = None) -> TestResponse:
        headers = (by or desk.editor).headers | {"Content-Type": "text/csv"}
        return desk.client.post(f"{PATH}/{key}/codes?{query}", data=text, headers=headers)

    return run


def imported(answer: TestResponse) -> tuple[int, dict[int, str]]:
    """Return how many were imported, and the reason for each line that was refused."""
    assert answer.status_code == 200, answer.text
    told = answer.json
    assert told["rows"] == told["imported"] + told["refused"]
    assert sum(told["reasons"].values()) == told["refused"]
    return told["imported"], {fault["line"]: fault["code"] for fault in told["faults"]}


def drawn(reward_id: str, live: bool = True) -> str:
    """Draw a code and return it as its owner reads it."""
    reward = db.session.get(Reward, reward_id)
    with unit_of_work():
        [code] = stock.take_codes(reward, live, [new_id()])
    assert code.code_hash == codes.hash_partner("AB12", reward.merchant_id, live)
    return codes.decrypt(code.code_cipher, codes.about_pool(reward.reward_id))


def test_an_imported_code_is_found_by_its_hmac_and_read_by_its_owner_alone(desk: Desk, send: Send) -> None:
    world.make_shop("corner-shop")
    reward = desk.create(pool_document(merchant="corner-shop")).json
    assert imported(send("ab-12\ncd-34\n")) == (2, {})
    stored = db.session.scalars(select(PoolCode).order_by(PoolCode.place)).first()
    assert b"AB12" not in stored.code_hash + stored.code_cipher
    assert drawn(reward["id"]) == "AB12"
    with pytest.raises(ValueError, match="another row"):
        codes.decrypt(stored.code_cipher, codes.about_pool(UUID(int=7)))


def test_live_and_test_codes_are_apart(desk: Desk, send: Send) -> None:
    reward = desk.create(pool_document()).json
    assert imported(send("AB12", query="mode=test")) == (1, {})
    assert imported(send("AB12")) == (1, {})
    assert desk.get().json["codes"] == {"live": {"imported": 1, "free": 1}, "test": {"imported": 1, "free": 1}}
    assert (drawn(reward["id"], live=False), drawn(reward["id"])) == ("AB12", "AB12")


def test_a_code_is_taken_once_however_it_is_spelled_and_wherever_it_stands(desk: Desk, send: Send) -> None:
    for key, merchant in (("mine", "corner-shop"), ("other", "corner-shop"), ("theirs", "other-shop")):
        if key != "other":
            world.make_shop(merchant)
        desk.create(pool_document(key=key, merchant=merchant))
    assert imported(send("A1\na-1\nB2\nＡ１\n", "mine")) == (2, {2: "repeated", 4: "repeated"})
    assert imported(send("C3\nB2\nC3\n", "mine")) == (1, {2: "imported_before", 3: "repeated"})
    assert imported(send("B2\nD4\n", "other")) == (1, {1: "other_reward"})
    assert imported(send("A1\nB2\n", "theirs")) == (2, {})
    details = send("X9\nA1\nX9\n", "mine").json["faults"]
    assert [fault["detail"] for fault in details] == [
        "The code was imported before.", "The code stands in line 1 already.",
    ]  # fmt: skip


def test_chunks_know_of_each_other(desk: Desk, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_importing, "CHUNK_ROWS", 2)
    desk.create(pool_document())
    assert imported(send("A1\nB2\nC3\nA1\n\nB2\n")) == (3, {4: "repeated", 5: "blank", 6: "repeated"})
    places = db.session.scalars(select(PoolCode.place).order_by(PoolCode.place)).all()
    assert places == [1, 2, 3]
    assert imported(send("D4\n")) == (1, {})
    assert db.session.scalar(select(func.max(PoolCode.place))) == 4


def test_bad_rows_are_told_and_skipped_and_their_codes_are_not(desk: Desk, send: Send) -> None:
    desk.create(pool_document())
    answer = send(b"GOOD1\nSECRET\x00\n\xffSECRET\nSECRET,SECRET\n\nGOOD2")
    assert imported(answer) == (2, {2: "control_character", 3: "not_utf8", 4: "columns", 5: "blank"})
    assert "SECRET" not in answer.text


def test_a_column_is_named_by_the_query(desk: Desk, send: Send) -> None:
    desk.create(pool_document())
    assert imported(send("ends,code\n2027,A1\n2027\n", query="column=code")) == (1, {3: "columns"})
    assert_problem(send("ends,code\n2027,A1\n", query="column=voucher"), 422, "validation_failed", "/column")


def test_who_asks_wrongly_changes_nothing(desk: Desk, send: Send, writes_nothing: Any) -> None:
    desk.create(pool_document())
    desk.create(product_document())
    desk.create(pool_document(key="gone"))
    desk.act("archive", "gone")
    with writes_nothing():
        assert_problem(send("A1", "nothing"), 404, "reward_not_found")
        assert_problem(send("A1", "bottle"), 409, "reward_has_no_codes")
        assert_problem(send("A1", "gone"), 409, "reward_state")
        assert_problem(send("A1", by=desk.viewer), 403, "forbidden")
        assert_problem(send("A1", query="mode=both"), 422, "validation_failed", "/mode")
        assert_problem(desk.client.post(f"{PATH}/refill/codes", json={}, headers=desk.editor.headers), 415,
                       "unsupported_media_type")  # fmt: skip
        assert_problem(send(b"A" * (BATCH_BYTES_MAX + 1)), 413, "payload_too_large")


def test_too_many_rows_are_refused_as_a_whole(
    desk: Desk, send: Send, writes_nothing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_importing, "ROWS_MAX", 3)
    monkeypatch.setattr(code_importing, "CHUNK_ROWS", 1)
    desk.create(pool_document())
    with writes_nothing():
        assert_problem(send("A1\n\nB2\nC3\n"), 422, "validation_failed", "")
    assert imported(send("A1\n\nB2\n")) == (2, {2: "blank"})


def test_the_log_says_how_many_and_the_first_faults_are_told(desk: Desk, send: Send) -> None:
    desk.create(pool_document())
    send("A1\nB2\n\n")
    entry = desk.audit()[-1]
    assert (entry["action"], entry["after"]) == ("reward.codes_imported", {"live": True, "imported": 2, "refused": 1})
    answer = send("\n" * 1500)
    assert (answer.json["refused"], len(answer.json["faults"])) == (1500, 1000)
    assert desk.audit()[-1] == entry


def test_new_codes_end_what_was_told_of_a_low_pool(desk: Desk, send: Send) -> None:
    reward = desk.publish(pool_document(low_stock_at=1))
    reward_id = UUID(reward["id"])
    assert stock.notice_low_stock(reward_id)
    assert not stock.notice_low_stock(reward_id)
    send("A1\nB2\n")
    stock.take_codes(db.session.get(Reward, reward_id), True, [new_id()])
    told = select(OutboxRow.payload).where(OutboxRow.kind == "low_stock").order_by(OutboxRow.version)
    assert [fact["left"] for fact in db.session.scalars(told)] == [0, 1]


def test_imports_of_the_same_codes_at_once_share_them(app: Flask, desk: Desk) -> None:
    made = [desk.create(pool_document(key=key)).json["id"] for key in ("one", "two")]
    names = [f"CODE{number}" for number in range(300)]

    def run(job: tuple[str, list[str]]) -> int:
        reward_id, spelled = job
        with app.app_context():
            done = import_codes(UUID(reward_id), io.BytesIO("\n".join(spelled).encode()), live=True)
            assert done.imported + done.refused == 300
            return done.imported

    jobs = [(made[0], names), (made[1], names[::-1]), (made[0], names[::-1]), (made[1], names)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, jobs)) == 300
    assert db.session.scalar(select(func.count()).select_from(PoolCode)) == 300


def run_command(app: Flask, *arguments: str) -> tuple[int, str]:
    """Run the command in this process and return its exit code and output."""
    done = app.test_cli_runner().invoke(args=["rewards", "import-codes", *arguments])
    return done.exit_code, done.output


def test_the_command_imports_a_file_and_reports_lines(app: Flask, desk: Desk, tmp_path: Path) -> None:
    desk.create(pool_document())
    file, report = tmp_path / "codes.csv", tmp_path / "report.csv"
    file.write_text("code\nA1\nB2\nA1\n\n")
    code, output = run_command(app, "refill", str(file), "--report", str(report))
    assert code == 1
    assert "2 of 4 rows imported, 2 refused" in output
    assert "line 4: The code stands in line 2 already." in output
    assert report.read_text() == (
        "line,reason,detail\n4,repeated,The code stands in line 2 already.\n5,blank,No code stands here.\n"
    )
    file.write_text("C3\n")
    assert run_command(app, "refill", str(file), "--test")[0] == 0
    assert desk.get().json["codes"] == {"live": {"imported": 2, "free": 2}, "test": {"imported": 1, "free": 1}}
    assert run_command(app, "refill", str(file), "--column", "voucher") == (
        1, "Error: The first row names no such column.\n",
    )  # fmt: skip
    assert run_command(app, "nothing", str(file)) == (1, "Error: There is no such reward\n")


def test_the_command_tells_the_first_lines_of_many(app: Flask, desk: Desk, tmp_path: Path) -> None:
    desk.create(pool_document())
    file = tmp_path / "codes.csv"
    file.write_text("\n" * 30)
    code, output = run_command(app, "refill", str(file))
    assert (code, output.count("No code stands here.")) == (1, 20)
    assert output.endswith("and 10 more\n")
