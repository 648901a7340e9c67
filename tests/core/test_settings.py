"""Settings are checked at start, with a line for each mistake."""

from pathlib import Path
from typing import Any

import pytest

from config import SettingsError, load_settings
from config.settings import SETTINGS

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


def lines(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ)
    assert str(refused.value) == "\n".join(refused.value.lines)
    return refused.value.lines


def test_nothing_needs_to_be_set_in_development() -> None:
    found = load_settings({})
    assert (found.environment, found.database_url, found.debug, found.is_production) == (
        "development",
        "",
        False,
        False,
    )
    assert found.data_dir == Path("var").absolute()
    assert found.jwt_keys_dir == found.data_dir / "keys"


def test_a_setting_that_is_empty_is_one_that_is_not_set() -> None:
    assert load_settings({setting.variable: "" for setting in SETTINGS}) == load_settings({})


def test_the_owner_s_url_is_the_application_s_unless_it_is_set() -> None:
    url = "postgresql://app@db/greenpoints"
    assert load_settings({"DATABASE_URL": url}).database_owner_url == url
    assert load_settings({"DATABASE_URL": url, "DATABASE_OWNER_URL": f"{url}2"}).database_owner_url == f"{url}2"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GREENPOINTS_ENV", "prod"),
        ("DATABASE_URL", "mysql://db"), ("DATABASE_URL", "db.example.org"), ("DATABASE_URL", "postgresql://[::1"),
        ("REDIS_URL", "http://redis"), ("SMTP_URL", "mail.example.org"), ("SMS_GATEWAY_URL", "ftp://x"),
        ("PUBLIC_URL", "example.org"), ("SECRET_KEY", "short"),
        ("WEB_WORKERS", "0"), ("WEB_WORKERS", "65"), ("WEB_WORKERS", "two"), ("WEB_WORKERS", "1.5"),
        ("WEB_THREADS", "-1"),
        ("DATABASE_POOL_SIZE", "101"),
        ("DATABASE_POOL_SIZE", "7"), ("DATABASE_OWNER_URL", "postgresql://owner@db/greenpoints"),
        ("ACCESS_TOKEN_SECONDS", "59"), ("REFRESH_TOKEN_DAYS", "366"),
        ("LOG_LEVEL", "debug"), ("RATE_LIMITS", "yes"), ("DEBUG", "true"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_variable(variable: str, value: str) -> None:
    [line] = lines({variable: value})
    assert line.startswith(f"{variable}: ")
    assert "\n" not in line
    if variable != "GREENPOINTS_ENV":
        assert value not in line.removeprefix(variable), "what was set may be a secret"


def test_every_mistake_is_told_at_once() -> None:
    found = lines({"WEB_WORKERS": "0", "DEBUG": "maybe", "DATABASE_URL": "x"})
    assert [line.partition(":")[0] for line in found] == ["DATABASE_URL", "WEB_WORKERS", "DEBUG"]


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "2026.pem").write_text("a key")
    return {
        "GREENPOINTS_ENV": "production", "DATABASE_URL": "postgresql://app@db/greenpoints",
        "REDIS_URL": "rediss://redis", "SMTP_URL": "smtp://mail", "SMS_GATEWAY_URL": "https://sms",
        "SECRET_KEY": SECRET, "JWT_KEYS_DIR": str(tmp_path), "DATA_DIR": str(tmp_path),
    }  # fmt: skip


def test_production_starts_with_everything_set(production: dict[str, str]) -> None:
    assert load_settings(production).is_production


@pytest.mark.parametrize(
    "change",
    [
        {"DATABASE_URL": ""}, {"REDIS_URL": ""}, {"SMTP_URL": ""}, {"SMS_GATEWAY_URL": ""}, {"SECRET_KEY": ""},
        {"SECRET_KEY": SECRET[:31]}, {"SECRET_KEY": "a" * 64}, {"SECRET_KEY": "abcabcabc" * 8},
        {"JWT_KEYS_DIR": ""}, {"JWT_KEYS_DIR": "/nonexistent"}, {"DEBUG": "1"}, {"RATE_LIMITS": "0"},
    ],
)  # fmt: skip
def test_production_refuses_what_is_unsafe(production: dict[str, str], change: dict[str, str]) -> None:
    [line] = lines(production | change)
    assert line.startswith(f"{next(iter(change))}: ")


def test_production_names_everything_that_is_missing() -> None:
    found = {line.partition(":")[0] for line in lines({"GREENPOINTS_ENV": "production"})}
    assert found == {"DATABASE_URL", "REDIS_URL", "SMTP_URL", "SMS_GATEWAY_URL", "SECRET_KEY", "JWT_KEYS_DIR"}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_every_default_is_one_that_would_be_accepted(setting: Any) -> None:
    assert setting.parse(setting.default) is not None
    assert setting.meaning
