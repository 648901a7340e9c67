"""Functions, methods and comprehensions: which there are, what they take, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cel

from app.campaigns.checking import nulls
from app.campaigns.checking.faults import ExpressionFault, Place, nearest, quoted, suggestion
from app.campaigns.checking.functions import (
    COMPREHENSIONS,
    FUNCTIONS,
    LITERAL_ALONE,
    METHODS,
    SIGNATURES,
    WITHHELD,
    Signature,
)
from app.campaigns.checking.operators import Value
from app.campaigns.checking.parsing import Call, Literal, Name
from app.campaigns.checking.types import BOOL, fits, list_of

if TYPE_CHECKING:
    from app.campaigns.checking.inferring import Inference, Scope


def called(inference: Inference, node: Call, scope: Scope) -> Value:
    """Return what the function or method gives; raise ExpressionFault where there is none that takes this."""
    known = FUNCTIONS if node.of is None else METHODS
    if node.name not in known:
        raise ExpressionFault(_unknown(node), node.place)
    receiver = None if node.of is None else inference.sure_value(node.of, scope)
    arguments = [inference.sure_value(each, scope) for each in node.arguments]
    given = [value.type for value in arguments]
    for signature in SIGNATURES:
        if signature.name != node.name or (signature.receiver is None) is not (receiver is None):
            continue
        if receiver is not None and signature.receiver is not None and not fits(receiver.type, signature.receiver):
            continue
        if len(given) == len(signature.arguments) and all(map(fits, given, signature.arguments)):
            _try_literal(node)
            return Value(signature.result)
    raise ExpressionFault(_misused(node, receiver, arguments), node.place)


def _unknown(node: Call) -> str:
    if node.name in WITHHELD:
        return f"{quoted(node.name)} is not for rules: {WITHHELD[node.name]}."
    if node.of is None and node.name in METHODS | COMPREHENSIONS:
        return f"{quoted(node.name)} is written after a value and a dot: `value.{node.name}(…)`."
    if node.of is not None and node.name in FUNCTIONS:
        return f"{quoted(node.name)} is written before its value: `{node.name}(value)`."
    known = FUNCTIONS | METHODS | COMPREHENSIONS
    if nearest(node.name, known) is None:
        known = FUNCTIONS if node.of is None else METHODS | COMPREHENSIONS
    return f"There is no function {quoted(node.name)}{suggestion(node.name, known)}"


def _misused(node: Call, receiver: Value | None, arguments: Sequence[Value]) -> str:
    alike = [each for each in SIGNATURES if each.name == node.name and (each.receiver is None) is (receiver is None)]
    ways = " or ".join(dict.fromkeys(_written(each) for each in alike))
    given = ", ".join(str(value.type) for value in arguments) or "nothing"
    on = "" if receiver is None else f" on {receiver.type}"
    return f"{quoted(node.name)} takes {ways}; here it is given {given}{on}."


def _written(signature: Signature) -> str:
    arguments = ", ".join(map(str, signature.arguments))
    before = "" if signature.receiver is None else f"({signature.receiver})."
    return f"`{before}{signature.name}({arguments})`"


def _try_literal(node: Call) -> None:
    """Run ``timestamp`` and ``duration`` on their text, which must be written out."""
    wanted = LITERAL_ALONE.get(node.name)
    if wanted is None:
        return
    [argument] = node.arguments
    if not isinstance(argument, Literal):
        raise ExpressionFault(f"{quoted(node.name)} takes {wanted}, written out.", node.place)
    try:
        cel.compile(f"{node.name}(text)").execute(cel.Context(variables={"text": argument.value}))
    except (RuntimeError, ValueError, OverflowError) as error:
        raise ExpressionFault(f"{quoted(str(argument.value))} is not {wanted}.", argument.place) from error


def comprehended(inference: Inference, node: Call, scope: Scope) -> Value:
    """Return what a comprehension gives; raise ExpressionFault where it is nested or not over a list."""
    assert node.of is not None
    if scope.bound:
        detail = f"{quoted(node.name)} stands inside another of its kind; one may not stand in another."
        raise ExpressionFault(detail, node.place)
    over = inference.sure_value(node.of, scope).type
    if over.name != "list" or over.item is None:
        raise ExpressionFault(f"{quoted(node.name)} goes through a list, not through {over}.", node.place)
    if len(node.arguments) != 2:
        raise ExpressionFault(f"{quoted(node.name)} takes a name and an expression: {_form(node)}.", node.place)
    variable, body = node.arguments
    name = _bound_name(node, variable, scope, node.place)
    path = nulls.path_of(node.of)
    inner = replace(scope, variables={**scope.variables, name: over.item}, bound={name: path})
    if node.name == "map":
        return Value(list_of(inference.value(body, inner).type))
    inference.check_bool(body, inner, f"What {quoted(node.name)} asks of each item")
    return Value(over if node.name == "filter" else BOOL)


def _bound_name(node: Call, variable: object, scope: Scope, place: Place) -> str:
    if not isinstance(variable, Name):
        raise ExpressionFault(f"{quoted(node.name)} takes a plain name first: {_form(node)}.", place)
    if variable.name in scope.variables:
        raise ExpressionFault(f"{quoted(variable.name)} is a variable already; take another name.", variable.place)
    return variable.name


def _form(node: Call) -> str:
    return f"`list.{node.name}(each, …)`"
