import json
import socketserver
import stat
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from structlog.testing import capture_logs

from app.core.unit_of_work import unit_of_work
from app.members import delivery
from app.members.delivery import Message


class Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as smtplib speaks; no TLS."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        in_data = False
        lines = []
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if in_data:
                if line == ".":
                    in_data = False
                    self.server.mails.append("\n".join(lines))
                    self.wfile.write(b"250 ok\r\n")
                else:
                    lines.append(line)
            else:
                self.server.commands.append(line)
                in_data = line.upper() == "DATA"
                self.wfile.write({"DATA": b"354 go\r\n", "QUIT": b"221 bye\r\n"}.get(line.upper(), b"250 ok\r\n"))


class Gateway(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def smtp():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)
    server.mails, server.commands = [], []
    with serving(server):
        yield server


@pytest.fixture
def gateway():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.seen, server.status = [], 200
    with serving(server):
        yield server


@pytest.fixture
def configure(app, monkeypatch):
    def change(**changes):
        monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], **changes))
        return app.config["SETTINGS"]

    return change


def wait_for(found):
    deadline = time.monotonic() + 5
    while not found and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def test_a_code_goes_out_by_smtp(client, smtp, configure, mailbox):
    configure(smtp_url=f"smtp://127.0.0.1:{smtp.server_address[1]}", mail_from="green@example.org")
    client.post("/v1/auth/codes", json={"channel": "email", "address": "ada@example.org"})
    (mail,) = wait_for(smtp.mails)
    assert "To: ada@example.org" in mail
    assert "From: green@example.org" in mail
    assert "is your Greenpoints code" in mail
    assert mailbox("ada@example.org") == []


def test_a_password_is_not_sent_in_the_clear(smtp, configure):
    settings = configure(smtp_url=f"smtp://green:secret@127.0.0.1:{smtp.server_address[1]}")
    with pytest.raises(delivery.smtplib.SMTPNotSupportedError):
        delivery._send_email(settings, Message("email", "ada@example.org", "s", "t"))
    assert not [line for line in smtp.commands if "AUTH" in line]
    assert smtp.mails == []


def test_a_code_goes_out_by_the_sms_gateway(client, gateway, configure):
    configure(sms_gateway_url=f"http://127.0.0.1:{gateway.server_address[1]}/send", sms_gateway_token="t0ken")
    client.post("/v1/auth/codes", json={"channel": "sms", "address": "+4930123456"})
    ((headers, body),) = wait_for(gateway.seen)
    assert headers["Authorization"] == "Bearer t0ken"
    assert body["to"] == "+4930123456"
    assert set(body) == {"to", "text"}


def test_the_gateways_token_follows_no_redirect(gateway, configure):
    gateway.status = 307
    settings = configure(sms_gateway_url=f"http://127.0.0.1:{gateway.server_address[1]}/send")
    with pytest.raises(delivery.urllib.error.HTTPError) as caught:
        delivery._send_sms(settings, Message("sms", "+4930123456", "s", "t"))
    caught.value.close()
    assert caught.value.code == 307


def test_a_dead_neighbour_costs_the_caller_nothing_and_is_logged_without_the_address(client, configure):
    configure(smtp_url="smtp://127.0.0.1:9")
    with capture_logs() as lines:
        answer = client.post("/v1/auth/codes", json={"channel": "email", "address": "ada@example.org"})
        assert answer.status_code == 202
        deadline = time.monotonic() + 5
        while "message_not_sent" not in str(lines) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "message_not_sent" in str(lines)
    assert "ada@" not in str(lines)


def test_more_than_can_wait_is_dropped(configure, monkeypatch):
    settings = configure(smtp_url="smtp://127.0.0.1:9")
    held = threading.Event()
    monkeypatch.setattr(delivery, "WAITING_MAX", 2)
    monkeypatch.setattr(delivery, "_send_email", lambda *_: held.wait(5))
    pool = delivery._Pool()
    try:
        with capture_logs() as lines:
            for _ in range(3):
                pool.submit(settings, Message("email", "ada@example.org", "s", "t"))
        assert [line["event"] for line in lines] == ["message_dropped"]
    finally:
        held.set()
        pool.threads.shutdown()


def test_nothing_goes_out_of_a_transaction_that_failed(app, mailbox):
    def fail_afterwards():
        with unit_of_work():
            delivery.send_after_commit(Message("email", "ada@example.org", "s", "t"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_afterwards()
    assert mailbox("ada@example.org") == []


def test_development_mail_is_for_its_owners_eyes_and_logged_without_the_address(ask, mail_folder):
    with capture_logs() as lines:
        code = ask()
    (path,) = mail_folder.glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = [line for line in lines if line["event"] == "sign_in_code_written"]
    assert line["code"] == code
    assert "ada@" not in str(lines)


def test_production_never_writes_a_code_to_a_folder(configure, mailbox):
    settings = configure(environment="production")
    with pytest.raises(RuntimeError):
        delivery._write_file(settings, Message("email", "ada@example.org", "s", "t", "123456"))
    assert mailbox("ada@example.org") == []
