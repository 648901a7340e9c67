"""Bring a message to a shopper: by SMTP, by an HTTP gateway for SMS, or in development into a folder.

It goes out after the commit and from a thread of its own, so that the answer's time tells nothing of the address. What
can't be delivered is logged, never with the address: the shopper asks again.
"""

import json
import smtplib
import ssl
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from threading import BoundedSemaphore
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from flask import Flask, current_app

from app.core.clock import format_time, now
from app.core.ids import new_id
from app.core.secrets import write_private
from app.core.unit_of_work import after_commit
from config import Settings

TIMEOUT_SECONDS = 10
WAITING_MAX = 1000
_EXTENSION = "message_delivery"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """What one shopper is to read; ``code`` is for the development folder."""

    channel: str
    address: str
    subject: str
    text: str
    code: str | None = None


class _Pool:
    """A few threads with a bounded queue: more than it holds is dropped, so that a dead neighbour fills no memory."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="delivery")
        self.places = BoundedSemaphore(WAITING_MAX)

    def submit(self, settings: Settings, message: Message) -> None:
        if not self.places.acquire(blocking=False):
            log.error("message_dropped", channel=message.channel, waiting=WAITING_MAX)
            return
        self.threads.submit(self._deliver, settings, message)

    def _deliver(self, settings: Settings, message: Message) -> None:
        try:
            (_send_email if message.channel == "email" else _send_sms)(settings, message)
            log.info("message_sent", channel=message.channel)
        except Exception as error:  # a thread's edge: whatever went wrong is logged here or nowhere
            log.error("message_not_sent", channel=message.channel, error=type(error).__name__)
        finally:
            self.places.release()


def register_delivery(app: Flask) -> None:
    """Give ``app`` the threads that deliver."""
    app.extensions[_EXTENSION] = _Pool()


def send_after_commit(message: Message) -> None:
    """Deliver ``message`` once the open unit of work has committed."""
    settings: Settings = current_app.config["SETTINGS"]
    pool: _Pool = current_app.extensions[_EXTENSION]
    if settings.smtp_url if message.channel == "email" else settings.sms_gateway_url:
        after_commit(lambda: pool.submit(settings, message))
    else:
        after_commit(lambda: _write_file(settings, message))


def _write_file(settings: Settings, message: Message) -> None:
    """Write the message where a developer finds it; production has no settings that come here."""
    if settings.is_production:
        raise RuntimeError("production has to name who delivers")
    moment = now()
    path = Path(settings.data_dir) / "mail" / f"{moment:%Y%m%dT%H%M%S.%f}-{new_id()}.json"
    content = {
        "channel": message.channel, "to": message.address, "subject": message.subject, "text": message.text,
        "code": message.code, "written_at": format_time(moment),
    }  # fmt: skip
    write_private(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))
    log.info("sign_in_code_written", file=path.name, code=message.code)


def _send_email(settings: Settings, message: Message) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.mail_from, message.address, message.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    url = urlsplit(settings.smtp_url)
    host = url.hostname or "localhost"
    tls = ssl.create_default_context()
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, url.port or 465, timeout=TIMEOUT_SECONDS, context=tls)
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=TIMEOUT_SECONDS)
    with server:
        server.ehlo()
        if url.scheme == "smtp" and (url.username or server.has_extn("starttls")):
            server.starttls(context=tls)  # a password never goes in the clear: without TLS this raises
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(mail)


def _send_sms(settings: Settings, message: Message) -> None:
    headers = {"Content-Type": "application/json"}
    if settings.sms_gateway_token:
        headers["Authorization"] = f"Bearer {settings.sms_gateway_token}"
    body = json.dumps({"to": message.address, "text": message.text}).encode()
    request = urllib.request.Request(settings.sms_gateway_url, body, headers, method="POST")  # noqa: S310 - http(s)
    with _opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        response.read(1024)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the gateway's token to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)
