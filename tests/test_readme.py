"""What the documents say of the code is what the code says."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from flask import Flask
from prometheus_client import REGISTRY

from app.core.database import db
from app.demo.mapping import load_mapping
from config.settings import SETTINGS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_OURS = {"limiter", "openapi", "routes", "run", "shell"}


def table(header: str) -> list[str]:
    """Return the rows of the README's table with that header."""
    _, _, rest = README.partition(f"{header}\n")
    return rest.partition("\n\n")[0].splitlines()[1:]


def first_codes(rows: list[str]) -> list[str]:
    return [re.findall(r"`([^`]+)`", row)[0] for row in rows]


def commands_of(group: click.Group, path: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands_of(command, f"{path}{name} ")
        elif not command.hidden:
            found.add(f"{path}{name}")
    return found


def test_settings_table_is_that_of_the_code() -> None:
    wanted = [
        f"| `{setting.variable}` | {f'`{setting.default}`' if setting.default else ''} | {setting.meaning} |"
        for setting in SETTINGS
    ]
    assert table("| name | default | meaning |") == wanted


def test_rooms_table_lists_every_room_in_the_order_of_imports() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [layer for layer in reversed(layers) if not layer.startswith("(") or (ROOT / "app" / layer[1:-1]).is_dir()]
    assert first_codes(table("| room | what is in it |")) == [room.strip("()") for room in rooms]


def test_dirty_data_table_lists_every_line_rule() -> None:
    rows = [row for row in table("| lines of the year | rule | what happens |") if "`" in row]
    assert first_codes(rows) == [rule.name for rule in load_mapping().line_rules]


def test_commands_table_lists_every_command_of_ours(shared_app: Flask) -> None:
    ours = {name for name in commands_of(shared_app.cli) if name.split()[0] not in NOT_OURS}
    assert set(first_codes(table("| command | what it does |"))) == ours


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_routes_in_a_document_exist(path: Path, shared_app: Flask) -> None:
    known = [re.sub(r"<[^>]+>", "[^/]+", rule.rule) for rule in shared_app.url_map.iter_rules()]
    named = re.findall(r"(?<![\w-])/v1/[\w/{}.-]*[\w}]", path.read_text(encoding="utf-8"))
    assert [route for route in named if not any(re.fullmatch(rule, route) for rule in known)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_a_document_exist(path: Path, shared_app: Flask) -> None:
    known = commands_of(shared_app.cli) | NOT_OURS
    named = re.findall(r"flask --app wsgi ([a-z-]+(?: [a-z-]+)?)", path.read_text(encoding="utf-8"))
    assert [name for name in named if name not in known and name.split()[0] not in known] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_in_a_document_lead_somewhere(path: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)#][^)]*)\)", path.read_text(encoding="utf-8"))]
    assert [link for link in links if not link.startswith("https://") and not (path.parent / link).exists()] == []


def test_metrics_table_of_the_operations_lists_every_metric(shared_app: Flask) -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    kept = {metric.name + "_total" * (metric.type == "counter") for metric in REGISTRY.collect()}
    ours = {name for name in kept if name.startswith("greenpoints_")}
    assert set(re.findall(r"^\| `(greenpoints_\w+)`", text, re.MULTILINE)) == ours


def test_tables_named_as_growing_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## What grows")[2]
    named = re.findall(r"`(\w+)`", text.partition("are history")[0])
    assert named
    assert set(named) <= set(db.metadata.tables)
