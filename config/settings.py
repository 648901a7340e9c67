"""Read the settings from environment variables and refuse a wrong one with one clear line each.

``SETTINGS`` is the single table of what can be set: the README's table is checked against it by a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ENVIRONMENTS = ("development", "test", "production")
SECRET_LENGTH_MIN = 32
# the packages by which fsspec reaches a store; we carry none of them
UPLOAD_DRIVERS = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}


class SettingsError(Exception):
    """One or more settings are wrong; ``lines`` holds one readable line a mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process needs to know before it starts. Empty URLs mean the embedded services."""

    environment: str
    data_dir: Path
    database_url: str
    database_owner_url: str
    redis_url: str
    uploads_url: str
    secret_key: str
    jwt_keys_dir: Path
    jwt_issuer: str
    access_token_seconds: int
    refresh_token_days: int
    public_url: str
    web_workers: int
    web_threads: int
    database_pool_size: int
    log_level: str
    smtp_url: str
    mail_from: str
    sms_gateway_url: str
    sms_gateway_token: str
    rate_limits: bool
    debug: bool

    @property
    def is_production(self) -> bool:
        """Whether this is production, where nothing unsafe is allowed."""
        return self.environment == "production"


def _text(value: str) -> str:
    return value


def _int(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.strip().lstrip("-").isdecimal():
            raise ValueError("must be a whole number")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be from {low} to {high}")
        return number

    return parse


def _flag(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return value == "1"


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return value

    return parse


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value and urlsplit(value).scheme not in schemes:
            raise ValueError("must be empty or a URL of scheme " + ", ".join(schemes))
        return value

    return parse


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the variable, its field, its default and what it means."""

    variable: str
    field: str
    default: str
    parse: Callable[[str], Any]
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "GREENPOINTS_ENV",
        "environment",
        "development",
        _one_of(*ENVIRONMENTS),
        "`development`, `test` or `production`; production refuses every default below that is unsafe",
    ),
    Setting(
        "DATA_DIR",
        "data_dir",
        "./var",
        Path,
        "folder of the embedded services, uploads, development keys and development mail",
    ),
    Setting(
        "DATABASE_URL",
        "database_url",
        "",
        _url("postgresql"),
        "PostgreSQL 16 or newer as the application; empty starts the embedded server",
    ),
    Setting(
        "DATABASE_OWNER_URL",
        "database_owner_url",
        "",
        _url("postgresql"),
        "the same database as its owner, for migrations; empty means `DATABASE_URL`",
    ),
    Setting(
        "REDIS_URL",
        "redis_url",
        "",
        _url("redis", "rediss", "unix"),
        "Redis 6.2 or newer; empty starts the embedded server",
    ),
    Setting(
        "UPLOADS_URL",
        "uploads_url",
        "",
        _url("file", *UPLOAD_DRIVERS),
        "where uploaded pictures are kept, such as `s3://bucket/prefix`; empty is the folder `uploads` in `DATA_DIR`",
    ),
    Setting(
        "SECRET_KEY",
        "secret_key",
        "",
        _text,
        f"signs cursors and hashes codes, at least {SECRET_LENGTH_MIN} characters; "
        "empty makes one in `DATA_DIR` (not in production)",
    ),
    Setting(
        "JWT_KEYS_DIR",
        "jwt_keys_dir",
        "",
        Path,
        "folder of Ed25519 private keys `<kid>.pem`, the last by name signs; "
        "empty makes one in `DATA_DIR` (not in production)",
    ),
    Setting("JWT_ISSUER", "jwt_issuer", "greenpoints", _text, "`iss` of the tokens we issue and accept"),
    Setting("ACCESS_TOKEN_SECONDS", "access_token_seconds", "900", _int(60, 86_400), "life of an access token"),
    Setting("REFRESH_TOKEN_DAYS", "refresh_token_days", "60", _int(1, 365), "life of a refresh token's family"),
    Setting(
        "PUBLIC_URL",
        "public_url",
        "",
        _url("http", "https"),
        "where clients reach us, for links; empty means the address of the request",
    ),
    Setting("WEB_WORKERS", "web_workers", "2", _int(1, 64), "web processes"),
    Setting("WEB_THREADS", "web_threads", "8", _int(1, 64), "request threads in each web process"),
    Setting("DATABASE_POOL_SIZE", "database_pool_size", "8", _int(1, 100), "connections in each process"),
    Setting("LOG_LEVEL", "log_level", "INFO", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "least level logged"),
    Setting(
        "SMTP_URL",
        "smtp_url",
        "",
        _url("smtp", "smtps"),
        "`smtp://user:password@host:587`; empty writes mail to `DATA_DIR/mail` (not in production)",
    ),
    Setting("MAIL_FROM", "mail_from", "greenpoints@localhost", _text, "sender of our mail"),
    Setting(
        "SMS_GATEWAY_URL",
        "sms_gateway_url",
        "",
        _url("http", "https"),
        'takes `POST {"to","text"}`; empty writes messages to `DATA_DIR/mail` (not in production)',
    ),
    Setting("SMS_GATEWAY_TOKEN", "sms_gateway_token", "", _text, "bearer token for the SMS gateway"),
    Setting("RATE_LIMITS", "rate_limits", "1", _flag, "`0` switches rate limits off (not in production)"),
    Setting("DEBUG", "debug", "0", _flag, "`1` shows Flask's debugger (not in production)"),
)
assert {setting.field for setting in SETTINGS} == {field.name for field in fields(Settings)}


def _production_faults(values: dict[str, Any]) -> list[str]:
    """Return one line for each value that production must not run with."""
    faults = [
        f"{variable}: production needs it set; the embedded one is for development"
        for variable, field in (
            ("DATABASE_URL", "database_url"),
            ("REDIS_URL", "redis_url"),
            ("SMTP_URL", "smtp_url"),
            ("SMS_GATEWAY_URL", "sms_gateway_url"),
        )
        if not values[field]
    ]
    if len(values["secret_key"]) < SECRET_LENGTH_MIN or len(set(values["secret_key"])) < 10:
        faults.append(f"SECRET_KEY: production needs at least {SECRET_LENGTH_MIN} random characters")
    if values["jwt_keys_dir"] == Path(""):
        faults.append("JWT_KEYS_DIR: production needs a folder with your own signing keys")
    elif not any(values["jwt_keys_dir"].glob("*.pem")):
        faults.append("JWT_KEYS_DIR: no key <kid>.pem in that folder")
    if values["debug"]:
        faults.append("DEBUG: must be 0 in production")
    if not values["rate_limits"]:
        faults.append("RATE_LIMITS: must be 1 in production")
    return faults


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``; raise SettingsError with a line for each wrong one."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        raw = environ.get(setting.variable, "") or setting.default
        try:
            values[setting.field] = setting.parse(raw)
        except ValueError as error:
            faults.append(f"{setting.variable}: {error}")
    if faults:
        raise SettingsError(faults)
    if values["database_pool_size"] < values["web_threads"]:
        faults.append("DATABASE_POOL_SIZE: at least WEB_THREADS, or requests wait for each other")
    if values["database_owner_url"] and not values["database_url"]:
        faults.append("DATABASE_OWNER_URL: set DATABASE_URL too, or the application would use another database")
    driver = UPLOAD_DRIVERS.get(urlsplit(values["uploads_url"]).scheme)
    if driver is not None and find_spec(driver) is None:
        faults.append(f"UPLOADS_URL: needs the package {driver}; see docs/operations.md")
    if values["environment"] == "production":
        faults += _production_faults(values)
    elif 0 < len(values["secret_key"]) < SECRET_LENGTH_MIN:
        faults.append(f"SECRET_KEY: at least {SECRET_LENGTH_MIN} characters, or empty in development")
    if faults:
        raise SettingsError(faults)
    values["data_dir"] = values["data_dir"].absolute()
    values["database_owner_url"] = values["database_owner_url"] or values["database_url"]
    if values["jwt_keys_dir"] == Path(""):
        values["jwt_keys_dir"] = values["data_dir"] / "keys"
    return Settings(**values)
