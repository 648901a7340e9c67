"""The demo is set up once, and again where something was lost."""

import json
import stat
from pathlib import Path
from uuid import UUID

import pyotp
import pytest
from flask import Flask

from app.campaigns import service as campaigns
from app.core.clock import now
from app.core.database import db
from app.core.errors import Unauthorized
from app.demo import run
from app.demo.credentials import _FILE, load_secrets
from app.demo.errors import NoServer, NotPrepared
from app.demo.prepare import DEMO_ADDRESS, DEMO_HOUSEHOLD, find_demo_member, prepare
from app.members.models import Member
from app.merchants import service as merchants
from app.programme import service as programme
from app.staff import service as staff

BASE_URL = "http://127.0.0.1:1"


@pytest.fixture
def data_dir(context: Flask) -> Path:
    folder: Path = context.config["DATA_DIR"]
    return folder


def _member_count() -> int:
    db.session.rollback()
    return db.session.query(Member).count()


def test_households_are_enrolled_and_linked_once(data_dir: Path) -> None:
    first = prepare(data_dir, BASE_URL, [1, 2, DEMO_HOUSEHOLD])
    second = prepare(data_dir, BASE_URL, [1, 2, 3, DEMO_HOUSEHOLD])
    refs = [f"household-{number}" for number in (1, 2, 3, DEMO_HOUSEHOLD)]
    linked = merchants.ids_by_ref(first.merchant_id, True, refs)
    assert set(linked) == set(refs)
    assert len(set(linked.values())) == _member_count() == 4
    assert linked[f"household-{DEMO_HOUSEHOLD}"] == first.member_id == second.member_id == find_demo_member()


def test_a_rerun_keeps_key_staff_and_settings(data_dir: Path) -> None:
    first = prepare(data_dir, BASE_URL, [])
    version = programme.current().version
    second = prepare(data_dir, BASE_URL, [])
    assert second == first
    assert programme.current().version == version == 1


def test_settings_that_staff_changed_stay(data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    programme.change(dict(programme.DEFAULTS, name="Ours"))
    prepare(data_dir, BASE_URL, [])
    assert programme.current().name == "Ours"


def test_campaigns_that_staff_changed_stay(context: Flask, data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    found = run.read_credentials(context.config["SETTINGS"])
    headers = {"Authorization": f"Bearer {found['editor_token']}"}
    client = context.test_client()
    for key, step in (("fresh-produce", "pause"), ("green-dollar", "end")):
        path = f"/v1/admin/campaigns/{key}"
        seen = headers | {"If-Match": client.get(path, headers=headers).headers["ETag"]}
        assert client.post(f"{path}/{step}", headers=seen).status_code == 200
    prepare(data_dir, BASE_URL, [])
    states = {key: client.get(f"/v1/admin/campaigns/{key}", headers=headers).json["state"]
              for key in ("fresh-produce", "green-dollar", "certified-products")}  # fmt: skip
    assert states == {"fresh-produce": "paused", "green-dollar": "ended", "certified-products": "active"}


def test_the_demo_s_editor_and_approver_are_two_people(context: Flask, data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    found = run.read_credentials(context.config["SETTINGS"])
    client = context.test_client()
    headers = {"Authorization": f"Bearer {found['editor_token']}"}
    copied = client.post("/v1/admin/campaigns/fresh-produce/copy", json={"key": "fresh-again"}, headers=headers)
    etag = copied.headers["ETag"]
    for step, who in (("submit", "editor"), ("approve", "approver"), ("activate", "editor")):
        headers = {"Authorization": f"Bearer {found[f'{who}_token']}", "If-Match": etag}
        answer = client.post(f"/v1/admin/campaigns/fresh-again/{step}", json={}, headers=headers)
        assert answer.status_code == 200, answer.json
        etag = answer.headers["ETag"]
    assert answer.json["state"] == "active"


def test_a_demo_from_before_there_was_a_test_key_gets_one(data_dir: Path) -> None:
    first = prepare(data_dir, BASE_URL, []).secrets
    kept = json.loads((data_dir / _FILE).read_bytes())
    del kept["merchant_test_key"]
    (data_dir / _FILE).write_text(json.dumps(kept))
    again = prepare(data_dir, BASE_URL, []).secrets
    assert again.merchant_key == first.merchant_key
    assert merchants.authenticate(again.merchant_test_key).live is False


def test_lost_secrets_are_made_anew(data_dir: Path) -> None:
    first = prepare(data_dir, BASE_URL, [])
    (data_dir / _FILE).unlink()
    second = prepare(data_dir, BASE_URL, [])
    assert second.secrets.merchant_key != first.secrets.merchant_key
    assert second.secrets.staff["admin"].email == "admin2@greenpoints.example"
    assert second.member_id == first.member_id
    assert merchants.authenticate(second.secrets.merchant_key).merchant_key == "demo-grocer"


def test_secrets_of_another_database_are_not_used(data_dir: Path) -> None:
    text = prepare(data_dir, BASE_URL, []).secrets.merchant_key
    secrets = load_secrets(data_dir)
    merchant = merchants.find_merchant_by_key("demo-grocer")
    assert merchant is not None
    merchants.revoke_key(merchant.merchant_id, merchants.authenticate(text).key_id, now())
    staff.disable_staff(secrets.staff["editor"].email)
    again = prepare(data_dir, BASE_URL, []).secrets
    with pytest.raises(Unauthorized):
        merchants.authenticate(text)
    assert merchants.authenticate(again.merchant_key)
    assert again.staff["editor"].email == "editor2@greenpoints.example"
    assert again.staff["admin"] == secrets.staff["admin"]


def test_secrets_are_for_their_owner_alone_and_the_key_claims_no_more_than_a_cashier_can(data_dir: Path) -> None:
    secrets = prepare(data_dir, BASE_URL, []).secrets
    assert stat.S_IMODE((data_dir / _FILE).stat().st_mode) == 0o600
    for key, live in ((secrets.merchant_key, True), (secrets.merchant_test_key, False)):
        principal = merchants.authenticate(key)
        assert (principal.live, principal.max_evidence) == (live, "staff")


def test_campaigns_pay_for_baskets_of_the_past(data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    activity = {
        "kind": "purchase", "occurred_at": now().replace(year=now().year - 1), "currency": "USD", "region": None,
        "channel": None, "completed": True, "packaging": [], "evidence": "staff", "total": 300, "line_count": 1,
        "lines": [{"id": "1", "quantity": 1, "total": 300, "category": "apples", "certifications": [],
                   "certificates": {}, "packaging": [], "material": None, "weight_g": None, "sku": None, "gtin": None,
                   "pieces": None}],
    }  # fmt: skip
    member = {"tier": "seed", "region": None, "tags": [], "age_days": 0}
    found = campaigns.evaluate(activity, member, {"id": "x", "key": "demo-grocer"}, now())
    assert ("fresh-dollar", 3) in [(desired.rule.key, desired.points) for desired in found.desired]


def test_credentials_work_for_each_kind_of_person(context: Flask, data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    found = run.read_credentials(context.config["SETTINGS"])
    assert set(found) == {
        "base_url", "merchant_key", "merchant_test_key", "staff", "admin_token", "editor_token", "approver_token",
        "member_token", "member_id", "member_code",
    }  # fmt: skip
    client = context.test_client()
    for path, credential in (
        ("/v1/me", "member_token"),
        (f"/v1/customers/household-{DEMO_HOUSEHOLD}", "merchant_key"),
        ("/v1/admin/programme", "admin_token"),
        ("/v1/admin/programme", "editor_token"),
        ("/v1/admin/programme", "approver_token"),
    ):
        answer = client.get(path, headers={"Authorization": f"Bearer {found[credential]}"})
        assert answer.status_code == 200, (path, answer.json)
    secret = found["staff"]
    assert isinstance(secret, dict)
    body = {"email": secret["email"], "password": secret["password"], "otp": pyotp.TOTP(secret["totp_secret"]).now()}
    assert client.post("/v1/admin/auth/tokens", json=body).status_code == 200
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {found['member_token']}"}).json["id"] == str(
        UUID(str(found["member_id"]))
    )


def test_the_demo_member_can_sign_in_by_a_code(context: Flask, data_dir: Path) -> None:
    prepare(data_dir, BASE_URL, [])
    answer = context.test_client().post("/v1/auth/codes", json={"channel": "email", "address": DEMO_ADDRESS})
    assert answer.status_code == 202


def test_credentials_before_the_demo_say_what_to_do(context: Flask) -> None:
    with pytest.raises(NotPrepared, match="demo --days 0"):
        run.read_credentials(context.config["SETTINGS"])


@pytest.mark.parametrize(
    ("base_url", "message"), [("http://127.0.0.1:1", "no server answers"), ("ftp://x", "no http or https address")]
)
def test_a_server_that_is_not_there_is_named_before_anything_is_set_up(
    context: Flask, base_url: str, message: str
) -> None:
    with pytest.raises(NoServer, match=message):
        run.run_demo(context.config["SETTINGS"], 1, base_url)
    assert _member_count() == 0
