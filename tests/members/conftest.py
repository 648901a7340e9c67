import json
from pathlib import Path

import pytest


@pytest.fixture
def mail_folder(app):
    folder = Path(app.config["DATA_DIR"]) / "mail"
    for old in folder.glob("*.json"):
        old.unlink()
    return folder


@pytest.fixture
def mailbox(mail_folder):
    """A function that returns what has arrived at an address, the oldest first."""

    def read(address):
        messages = [json.loads(path.read_text()) for path in sorted(mail_folder.glob("*.json"))]
        return [message for message in messages if message["to"] == address]

    return read


@pytest.fixture
def ask(client, mailbox):
    """A function that asks for a code by HTTP and returns the one that arrived."""

    def ask_for_code(address="ada@example.org"):
        channel = "email" if "@" in address else "sms"
        answer = client.post("/v1/auth/codes", json={"channel": channel, "address": address})
        assert answer.status_code == 202
        return mailbox(address)[-1]["code"]

    return ask_for_code


@pytest.fixture
def sign_in(client, ask):
    """A function that signs in by HTTP and returns the answer's body."""

    def with_code(address="ada@example.org"):
        answer = client.post("/v1/auth/tokens", json={"address": address, "code": ask(address)})
        assert answer.status_code == 200, answer.json
        return answer.json

    return with_code


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def wrong(code):
    """A code of six digits that is not ``code``."""
    return f"{(int(code) + 1) % 10**6:06}"
