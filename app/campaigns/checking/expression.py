"""The check of one expression, from its text to what it looks at."""

from dataclasses import dataclass
from typing import Literal

import cel

from app.campaigns.checking.faults import ExpressionFault, Place, Remark
from app.campaigns.checking.inferring import Inference, Scope
from app.campaigns.checking.operators import Value
from app.campaigns.checking.parsing import Node, parse
from app.campaigns.checking.schema import VARIABLES
from app.campaigns.checking.types import NUMBERS

ExpressionScope = Literal["line", "activity", "audience"]
Expected = Literal["bool", "number"]


@dataclass(frozen=True, slots=True)
class ExpressionFacts:
    """What an expression that passed looks at.

    ``fields`` are the variables and paths in it (``now``, ``line.weight_g``), ``constants`` the texts that it compares
    a path with, and the items of a path with (``("line.packaging", "UNPACKED")``); ``product`` counts as ``line``.
    ``remarks`` are what works and will surprise, such as a field that may be null.
    """

    fields: frozenset[str]
    constants: frozenset[tuple[str, str]]
    remarks: tuple[Remark, ...]


def check_expression(text: str, *, scope: ExpressionScope, expects: Expected) -> ExpressionFacts:
    """Return what ``text`` looks at, if a rule can use it; raise ExpressionFault with a sentence and a place if not.

    ``scope`` says which variables there are, ``expects`` what a condition (``bool``) or an award (``number``) gives.
    Call it before the engine compiles the text: what passes here is within the depth that the engine bears.
    """
    node = parse(text)
    inference = Inference(scope)
    visible = Scope(VARIABLES[scope])
    if expects == "bool":
        inference.check_bool(node, visible, "A condition")
    else:
        _check_award(node, inference.sure_value(node, visible))
    _check_compiles(text)
    remarks = dict.fromkeys(sorted(inference.remarks, key=lambda remark: remark.place))
    return ExpressionFacts(frozenset(inference.fields), frozenset(inference.constants), tuple(remarks))


def _check_award(node: Node, found: Value) -> None:
    if found.type.name not in NUMBERS:
        raise ExpressionFault(f"An award must be a number of points, not {found.type}.", node.place)
    if isinstance(found.constant, int | float) and found.constant <= 0:
        raise ExpressionFault("An award must be above 0.", node.place)


def _check_compiles(text: str) -> None:
    try:
        cel.compile(text)
    except (ValueError, RuntimeError) as error:
        raise ExpressionFault("The engine that runs rules can't read this expression.", Place(1, 1)) from error
