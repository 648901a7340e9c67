import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import flask_jwt_extended
import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask

from app.core import tokens
from app.core.auth import Principal
from app.core.errors import Unauthorized
from app.core.ids import new_id
from config import SettingsError

SUBJECT, SESSION = new_id(), new_id()


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def settings(folder, **changes):
    values = {
        "jwt_keys_dir": folder, "jwt_issuer": "greenpoints", "access_token_seconds": 900, "is_production": False,
    }  # fmt: skip
    return SimpleNamespace(**values | changes)


def make_app(folder, **changes):
    app = Flask("tokens")
    app.config["SETTINGS"] = settings(folder, **changes)
    tokens.register_tokens(app, app.config["SETTINGS"])
    return app


@pytest.fixture
def keys(tmp_path):
    found = {}
    for kid in ("2026-a", "2026-b"):
        found[kid] = Ed25519PrivateKey.generate()
        (tmp_path / f"{kid}.pem").write_bytes(pem(found[kid]))
    return found


@pytest.fixture
def context(tmp_path, keys):
    app = make_app(tmp_path)
    with app.app_context():
        yield app


def claims(**changes):
    moment = int(time.time())
    return {
        "iss": "greenpoints", "aud": "greenpoints:member", "exp": moment + 900, "iat": moment, "jti": "j",
        "type": "member", "sub": str(SUBJECT), "sid": str(SESSION), "mode": "live",
    } | changes  # fmt: skip


def sign(keys, payload, kid="2026-b", algorithm="EdDSA", key=None):
    raw = json.dumps(payload).encode()
    return jwt.PyJWS().encode(raw, key or keys[kid], algorithm=algorithm, headers={"kid": kid, "typ": "JWT"})


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def refused(token):
    with pytest.raises(Unauthorized):
        tokens.read_access_token(token)


def test_a_token_is_read_back_as_it_was_issued(context):
    token, seconds = tokens.issue_access_token("member", SUBJECT, SESSION, live=False)
    assert seconds == 900
    assert tokens.read_access_token(token) == tokens.Claims("member", SUBJECT, SESSION, False)
    header = jwt.get_unverified_header(token)
    assert (header["kid"], header["alg"]) == ("2026-b", "EdDSA")
    assert tokens.read_access_token(tokens.issue_access_token("staff", SUBJECT, SESSION, live=True)[0]).kind == "staff"


def test_the_claims_made_here_are_good_so_that_the_refusals_below_mean_something(context, keys):
    assert tokens.read_access_token(sign(keys, claims())).subject == SUBJECT


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "jti", "type", "sub", "sid", "mode"])
def test_every_claim_is_demanded(context, keys, name):
    payload = claims()
    del payload[name]
    refused(sign(keys, payload))


@pytest.mark.parametrize("name", ["exp", "jti", "type"])
def test_the_library_alone_would_take_a_token_without_it(context, keys, name):
    payload = claims()
    del payload[name]
    assert flask_jwt_extended.decode_token(sign(keys, payload))["sub"] == str(SUBJECT)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "another"},
        {"iss": ["greenpoints"]},
        {"aud": "greenpoints:staff"},
        {"aud": "another"},
        {"aud": ["greenpoints:member"]},
        {"aud": ["greenpoints:member", "greenpoints:staff"]},
        {"type": "staff"},
        {"type": "access"},
        {"type": "refresh"},
        {"type": ["member"]},
        {"jti": ""},
        {"jti": 7},
        {"sub": "ada"},
        {"sub": 7},
        {"sid": 7},
        {"sid": "x"},
        {"mode": "both"},
        {"mode": ["live"]},
        {"exp": 0},
        {"exp": "2099"},
        {"exp": 1e12 + 0.5},
        {"iat": None},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"nbf": "soon"},
    ],
)
def test_an_odd_claim_is_refused(context, keys, changes):
    refused(sign(keys, claims(**changes)))


def test_a_token_ends_with_its_time(context):
    with time_machine.travel(datetime(2026, 11, 23, 9, tzinfo=UTC), tick=False) as clock:
        token, seconds = tokens.issue_access_token("member", SUBJECT, SESSION, live=True)
        clock.shift(seconds - 1)
        assert tokens.read_access_token(token).subject == SUBJECT
        clock.shift(1)
        refused(token)


def test_another_algorithm_is_refused(context, keys):
    public = keys["2026-b"].public_key()
    header = {"typ": "JWT", "kid": "2026-b"}
    refused(f"{part(header | {'alg': 'none'})}.{part(claims())}.")
    refused(f"{part(header | {'alg': 'EdDSA'})}.{part(claims())}.")
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ):
        signed = f"{part(header | {'alg': 'HS256'})}.{part(claims())}"
        refused(f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}")
    refused(sign(keys, claims(), algorithm="ES256", key=generate_private_key(SECP256R1())))


def test_every_key_verifies_under_its_own_name_alone(context, keys):
    assert tokens.read_access_token(sign(keys, claims(), kid="2026-a")).subject == SUBJECT
    refused(sign(keys, claims(), kid="2026-a", key=keys["2026-b"]))
    refused(sign(keys, claims(), key=Ed25519PrivateKey.generate()))
    for kid in ("", "2026-c", "../2026-b", "2026-b.pem"):
        refused(sign(keys, claims(), kid=kid, key=keys["2026-b"]))
    refused(jwt.encode(claims(), keys["2026-b"], algorithm="EdDSA"))
    refused(f"{part({'alg': 'EdDSA', 'kid': ['2026-b']})}.{part(claims())}.{part(b'x' * 64)}")


def test_a_changed_token_is_refused(context, keys):
    header, _, signature = sign(keys, claims()).split(".")
    refused(f"{header}.{part(claims(sub=str(UUID(int=1))))}.{signature}")


@pytest.mark.parametrize("text", ["ey", "ey.ey.ey", "ey..", "e" * 4000, "ey\u2603.x.y", "eyJ9.e30.e30"])
def test_what_is_no_token_is_refused(context, text):
    refused(text)


@pytest.mark.parametrize("nested", [b"[" * 2500, b'{"a":' * 500])
def test_deeply_nested_claims_are_refused(context, nested):
    refused(f"{part({'alg': 'EdDSA', 'kid': '2026-b'})}.{part(nested)}.{part(b'x' * 64)}")


def test_a_kind_that_no_room_answers_for_is_refused(context):
    tokens.register_token_authenticator(context, "staff", lambda said: Principal("staff", said.subject, said.live))
    token, _ = tokens.issue_access_token("staff", SUBJECT, SESSION, live=True)
    assert tokens.authenticate(token) == Principal("staff", SUBJECT, True)
    token, _ = tokens.issue_access_token("member", SUBJECT, SESSION, live=True)
    with pytest.raises(Unauthorized):
        tokens.authenticate(token)


def test_a_development_key_is_made_once_and_only_for_its_owner(tmp_path):
    folder = tmp_path / "keys"
    with make_app(folder).app_context():
        token, _ = tokens.issue_access_token("member", SUBJECT, SESSION, live=True)
    (made,) = folder.iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
    with make_app(folder).app_context():
        assert tokens.read_access_token(token).subject == SUBJECT
    assert [made] == list(folder.iterdir())


def test_a_file_that_holds_no_ed25519_key_stops_the_start(tmp_path):
    (tmp_path / "a.pem").write_text("not a key")
    with pytest.raises(SettingsError, match=r"a\.pem can't be read"):
        make_app(tmp_path)
    (tmp_path / "a.pem").write_bytes(pem(generate_private_key(SECP256R1())))
    with pytest.raises(SettingsError, match=r"a\.pem is not an Ed25519 key"):
        make_app(tmp_path)
