"""Which paths an expression's own tests have made sure of: after ``line.weight_g != null`` it is there.

The engine takes both sides of ``&&`` and ``||`` alike: where one side decides, a failure of the other does not matter.
So each operand of ``&&`` may rely on what the others test, before or after it.
"""

from collections.abc import Iterable

from app.campaigns.checking.parsing import Chain, Literal, Name, Node, Select, Signed

Paths = frozenset[str]
_NONE: Paths = frozenset()


def path_of(node: Node) -> str | None:
    """Return the variable, or variable and field, that ``node`` is, such as ``line.weight_g``; None for others."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and isinstance(node.of, Name):
        return f"{node.of.name}.{node.field}"
    return None


def present_if(node: Node, outcome: bool) -> Paths:
    """Return the paths that are not null wherever ``node`` comes out as ``outcome``."""
    if isinstance(node, Signed) and set(node.signs) == {"!"}:
        return present_if(node.of, outcome == (len(node.signs) % 2 == 0))
    if not isinstance(node, Chain):
        return _NONE
    if node.operators[0] in ("&&", "||"):
        found = [present_if(operand, outcome) for operand in node.operands]
        # all operands of && are true where it is true; where it is false, only one of them needs to be
        every = (node.operators[0] == "&&") is outcome
        return _NONE.union(*found) if every else found[0].intersection(*found[1:])
    if node.operators == (("!=",) if outcome else ("==",)):
        return _compared_with_null(node.operands)
    return _NONE


def _compared_with_null(operands: Iterable[Node]) -> Paths:
    first, second = operands
    for tested, other in ((first, second), (second, first)):
        path = path_of(tested)
        if path is not None and isinstance(other, Literal) and other.value is None:
            return frozenset((path,))
    return _NONE
