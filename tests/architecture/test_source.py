"""Rules of the source that no reviewer has to remember: who imports whom, who commits, who tells the time."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
FILES = sorted(APP.rglob("*.py"))
ROOMS = {path.name for path in APP.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
OPEN_TO_OTHERS = {"service", "errors"}
# Inside a room each of these imports only those that stand after it.
ORDER = ("routes", "service", "queries", "models")


@functools.cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything that a module imports, a function's own imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_rooms_import_only_up_the_list() -> None:
    """The contract stands in pyproject.toml, which names every room."""
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr


def test_rooms_see_of_each_other_only_service_and_errors() -> None:
    """Core is free to all; the composition root registers what it needs of each."""
    strays = []
    for path, tree in trees():
        room = path.relative_to(APP).parts[0]
        if room not in ROOMS:
            continue
        for line, name in imports(tree):
            package, _, rest = name.partition(".")
            other, _, rest = rest.partition(".")
            if package == "app" and other not in (room, "core") and rest.split(".")[0] not in OPEN_TO_OTHERS:
                strays.append(f"{place(path)}:{line} {name}")
    assert strays == []


def test_inside_a_room_routes_use_the_service_and_the_service_the_queries() -> None:
    strays = []
    for path, tree in trees():
        room, *inner = path.relative_to(APP).with_suffix("").parts
        if room not in ROOMS or room == "core" or not inner or inner[0] not in ORDER:
            continue
        above = ORDER[: ORDER.index(inner[0])]
        skipped = ("queries", "models") if inner[0] == "routes" else ()
        for line, name in imports(tree):
            parts = name.split(".")
            if parts[:2] == ["app", room] and len(parts) > 2 and parts[2] in (*above, *skipped):
                strays.append(f"{place(path)}:{line} {name}")
    assert strays == []


def test_commit_and_rollback_stand_in_the_unit_of_work_alone() -> None:
    strays = [
        f"{place(path)}:{call.lineno}"
        for path, tree in trees()
        if place(path) != "app/core/unit_of_work.py"
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("commit", "rollback")
    ]
    assert strays == []


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK"])
def test_nobody_sends_them_as_sql_either(word: str) -> None:
    strays = [
        f"{place(path)}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(rf"\s*{word}\b", node.value)
    ]
    assert strays == []


def test_the_clock_tells_the_time_and_nobody_else() -> None:
    """So that a test can move it: no datetime.now of one's own, and no now() of the database's."""
    strays = []
    for path, tree in trees():
        if place(path) == "app/core/clock.py":
            continue
        for call in calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("utcnow", "today", "fromtimestamp"):
                strays.append(f"{place(path)}:{call.lineno}")
            if ast.unparse(call.func) in ("datetime.now", "func.now", "func.current_timestamp"):
                strays.append(f"{place(path)}:{call.lineno}")
        sql = re.compile(r"(?<![\w.])(now|clock_timestamp|statement_timestamp)\s*\(\s*\)|\bCURRENT_(TIMESTAMP|DATE)\b")
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        strays += [
            f"{place(path)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
            and sql.search(node.value)
        ]  # fmt: skip
    assert strays == []


def test_nothing_is_swallowed_without_a_reason_and_nothing_left_to_do() -> None:
    strays = []
    for path, tree in trees():
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.body[0], ast.Pass):
                caught = "everything" if node.type is None else ast.unparse(node.type)
                if "#" not in lines[node.body[0].lineno - 1] or caught in ("everything", "Exception", "BaseException"):
                    strays.append(f"{place(path)}:{node.lineno} swallows {caught}")
        for number, text in enumerate(lines, 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", text):
                strays.append(f"{place(path)}:{number} leaves something to do")
    assert strays == []


def test_every_ruff_exception_names_its_rule() -> None:
    strays = [
        f"{place(path)}:{number}"
        for path in FILES
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*noqa(?!: [A-Z]+[0-9]+)|#\s*type:\s*ignore(?!\[)", text)
    ]
    assert strays == []
