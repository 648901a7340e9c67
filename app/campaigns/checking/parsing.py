"""The tree of an expression by cel-python's grammar, as a few plain nodes.

The grammar has a level for each precedence; here only those levels are kept at which something happens, and a run of
operators of one level is one node, so that the nodes nest as deep as the text does and no deeper.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from app.campaigns.checking.bounds import check_bounds, text_value
from app.campaigns.checking.faults import START, ExpressionFault, Place, quoted

_Tree = Any  # a tree of lark, whose children are trees and tokens by rule
STEPS_MAX = 10
ITEMS_MAX = 100


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression."""

    place: Place


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A value that is written out; None is null."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list that is written out."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries(Node):
    """A map that is written out."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Select(Node):
    """A field: ``of.field``."""

    of: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """An item: ``of[index]``."""

    of: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, method or comprehension."""

    of: Node | None
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Signed(Node):
    """One or more ``!`` and ``-`` before a value, the outermost first."""

    signs: str
    of: Node


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Operands with operators of one level between them, worked out from the left."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """``condition ? yes : no``."""

    condition: Node
    yes: Node
    no: Node


_OPERATORS: Mapping[str, str] = {
    "conditionalor": "||", "conditionaland": "&&",
    "relation_lt": "<", "relation_le": "<=", "relation_gt": ">", "relation_ge": ">=",
    "relation_eq": "==", "relation_ne": "!=", "relation_in": "in",
    "addition_add": "+", "addition_sub": "-",
    "multiplication_mul": "*", "multiplication_div": "/", "multiplication_mod": "%",
}  # fmt: skip
_LEVELS = frozenset({"conditionalor", "conditionaland", "relation", "addition", "multiplication"})
_WRAPPERS = frozenset({"expr", "unary", "member", "primary", "paren_expr"}) | _LEVELS


def parse(text: str) -> Node:
    """Return the tree of ``text``; raise ExpressionFault where it is out of bounds or follows no grammar."""
    check_bounds(text)
    return _node(_tree(text))


@functools.cache
def _grammar() -> Lark:
    """Return a parser by cel-python's grammar file, with the options that its own parser has.

    Its own loses the place of ``true`` and ``false``, and to import it costs a quarter of a second.
    """
    package = find_spec("celpy")
    assert package is not None
    assert package.origin is not None
    return Lark(
        Path(package.origin).with_name("cel.lark").read_text(encoding="utf-8"),
        parser="lalr", start="expr", g_regex_flags=re.MULTILINE, lexer_callbacks={"IDENT": _literal_or_name},
        propagate_positions=True, maybe_placeholders=False, priority="invert",
    )  # fmt: skip


def _literal_or_name(token: Token) -> Token:
    return Token.new_borrow_pos("BOOL_LIT", token.value, token) if token.value in ("true", "false") else token


def _tree(text: str) -> _Tree:
    try:
        return _grammar().parse(text)
    except UnexpectedToken as error:
        if error.token.type == "$END":
            detail = "The expression ends too early." if text.strip() else "The expression is empty."
            raise ExpressionFault(detail, _end(text)) from error
        place = Place(error.token.line or 1, error.token.column or 1)
        raise ExpressionFault(f"{quoted(str(error.token))} can't stand here.", place) from error
    except UnexpectedCharacters as error:
        raise ExpressionFault("The expression can't be read from here on.", Place(error.line, error.column)) from error


def _end(text: str) -> Place:
    lines = text.rstrip().split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def _place(tree: _Tree) -> Place:
    return START if tree.meta.empty else Place(tree.meta.line, tree.meta.column)


def _node(tree: _Tree) -> Node:
    while tree.data in _WRAPPERS and len(tree.children) == 1:
        tree = tree.children[0]
    if tree.data in _LEVELS:
        return _chain(tree)
    if tree.data == "unary":
        return _signed(tree)
    if tree.data == "expr":
        condition, yes, no = tree.children
        return Choice(_place(tree), _node(condition), _node(yes), _node(no))
    if tree.data in _STEPS:
        return _steps(tree)
    make = _PRIMARIES.get(tree.data)
    if make is None:
        raise ExpressionFault("A name is written without a dot in front.", _place(tree))
    return make(tree)


def _chain(tree: _Tree) -> Node:
    """Unwind the grammar's left recursion without recursing."""
    place, operands, operators = _place(tree), [], []
    while len(tree.children) == 2:
        left, right = tree.children
        operators.append(_OPERATORS[left.data])
        operands.append(_node(right))
        tree = left.children[0] if left.data not in _LEVELS else left
    operands.append(_node(tree))
    return Chain(place, tuple(reversed(operands)), tuple(reversed(operators)))


def _signed(tree: _Tree) -> Node:
    place, signs = _place(tree), ""
    while tree.data == "unary" and len(tree.children) == 2:
        sign, tree = tree.children
        signs += "!" if sign.data == "unary_not" else "-"
    return Signed(place, signs, _node(tree))


def _steps(tree: _Tree) -> Node:
    """Unwind ``a.b[c].d()`` from its end to its start."""
    steps = []
    while tree.data in _STEPS:
        steps.append(tree)
        tree = tree.children[0]
        while tree.data in ("member", "primary"):
            tree = tree.children[0]
    if len(steps) > STEPS_MAX:
        raise ExpressionFault(f"More than {STEPS_MAX} dots and indexes follow each other.", _place(tree))
    node = _node(tree)
    for step in reversed(steps):
        node = _STEPS[step.data](step, node)
    return node


def _select(tree: _Tree, of: Node) -> Node:
    token = tree.children[1]
    return Select(Place(token.line, token.column), of, str(token))


def _index(tree: _Tree, of: Node) -> Node:
    return Index(_place(tree.children[1]), of, _node(tree.children[1]))


def _method(tree: _Tree, of: Node) -> Node:
    token, *arguments = tree.children[1:]
    return Call(Place(token.line, token.column), of, str(token), _list(arguments))


def _object(tree: _Tree, of: Node) -> Node:
    raise ExpressionFault("Nothing can be built here; a map is written {'key': value}.", of.place)


def _list(trees: list[_Tree]) -> tuple[Node, ...]:
    """Return the nodes of an ``exprlist``, given alone, or of none."""
    found = trees[0].children if trees else []
    if len(found) > ITEMS_MAX:
        raise ExpressionFault(f"A list has {len(found)} items; at most {ITEMS_MAX} are allowed.", _place(trees[0]))
    return tuple(_node(each) for each in found)


def _items(tree: _Tree) -> Node:
    return Items(_place(tree), _list(tree.children))


def _entries(tree: _Tree) -> Node:
    found = tree.children[0].children if tree.children else []
    if len(found) > 2 * ITEMS_MAX:
        raise ExpressionFault(f"A map has more than {ITEMS_MAX} entries.", _place(tree))
    nodes = tuple(_node(each) for each in found)
    return Entries(_place(tree), nodes[::2], nodes[1::2])


def _name(tree: _Tree) -> Node:
    return Name(_place(tree), str(tree.children[0]))


def _function(tree: _Tree) -> Node:
    token, *arguments = tree.children
    return Call(_place(tree), None, str(token), _list(arguments))


def _literal(tree: _Tree) -> Node:
    place, token = _place(tree), tree.children[0]
    if token.type == "STRING_LIT":
        return Literal(place, text_value(token))
    if token.type == "BOOL_LIT":
        return Literal(place, token.value == "true")
    if token.type == "NULL_LIT":
        return Literal(place, None)
    if token.type == "INT_LIT" and -(2**63) <= int(token) < 2**63:
        return Literal(place, int(token))
    if token.type == "FLOAT_LIT" and abs(float(token)) != float("inf"):
        return Literal(place, float(token))
    raise ExpressionFault("This number is too large.", place)


_STEPS: Mapping[str, Callable[[_Tree, Node], Node]] = {
    "member_dot": _select, "member_index": _index, "member_dot_arg": _method, "member_object": _object,
}  # fmt: skip
_PRIMARIES: Mapping[str, Callable[[_Tree], Node]] = {
    "list_lit": _items, "map_lit": _entries, "ident": _name, "ident_arg": _function, "literal": _literal,
}  # fmt: skip
