"""The types of an expression, worked out over its tree; what it looks at, and what in it will surprise.

``line.weight_g > 500`` has a type although the weight may be null, and at run time it fails where it is: the rule then
pays nothing and says ``rule_error``. So that is no fault but a remark, unless the expression itself tests for null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.campaigns.checking import nulls
from app.campaigns.checking.calls import called, comprehended
from app.campaigns.checking.faults import ExpressionFault, Place, Remark, capital, quoted, suggestion
from app.campaigns.checking.functions import COMPREHENSIONS
from app.campaigns.checking.operators import Value, arithmetic, compared, negative
from app.campaigns.checking.parsing import (
    Call,
    Chain,
    Choice,
    Entries,
    Index,
    Items,
    Literal,
    Name,
    Node,
    Select,
    Signed,
)
from app.campaigns.checking.schema import EVERYWHERE
from app.campaigns.checking.types import (
    BOOL,
    DECIMAL,
    NULL,
    TEXT,
    WHOLE,
    Type,
    common,
    list_of,
    map_of,
    sure,
)

_LITERALS: Mapping[type, Type] = {bool: BOOL, int: WHOLE, float: DECIMAL, str: TEXT}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a part of an expression sees: variables, paths known not to be null, the names bound around it.

    ``bound`` is the path of the list whose items each bound name stands for, None where it is no plain field.
    """

    variables: Mapping[str, Type]
    present: nulls.Paths = frozenset()
    bound: Mapping[str, str | None] = field(default_factory=dict)

    def knowing(self, paths: nulls.Paths) -> "Scope":
        """Return the scope in which ``paths`` are not null either."""
        return replace(self, present=self.present | paths) if paths else self


@dataclass(slots=True)
class Inference:
    """One pass over a tree; ``fields`` and ``constants`` name paths, those of ``product`` as those of ``line``."""

    kind_of_rule: str
    fields: set[str] = field(default_factory=set)
    constants: set[tuple[str, str]] = field(default_factory=set)
    remarks: list[Remark] = field(default_factory=list)

    def value(self, node: Node, scope: Scope) -> Value:
        """Return what is known of ``node``'s value; raise ExpressionFault where it has none."""
        match node:
            case Literal():
                return self._literal(node)
            case Name():
                return self._name(node, scope)
            case Select():
                return self._select(node, scope)
            case Index():
                return self._index(node, scope)
            case Items():
                return Value(list_of(self._common(node.items, scope, node.place)))
            case Entries():
                return self._entries(node, scope)
            case Signed():
                return self._signed(node, scope)
            case Chain():
                return self._logical(node, scope) if node.operators[0] in ("&&", "||") else self._chain(node, scope)
            case Choice():
                return self._choice(node, scope)
            case Call():
                return self._call(node, scope)
        raise AssertionError(node)

    def sure_value(self, node: Node, scope: Scope) -> Value:
        """Return the value of ``node`` for a use that fails on null, with a remark where it may be null."""
        return self._sure(node, self.value(node, scope))

    def _sure(self, node: Node, found: Value) -> Value:
        if found.type.is_nullable and found.type.name != NULL.name:
            path = nulls.path_of(node)
            what, test = (quoted(path), f"`{path} != null && …`") if path else ("This", "a test for null")
            detail = f"{what} may be null, and then the rule fails and pays nothing; put {test} in front."
            self.remarks.append(Remark("may_be_null", detail, node.place))
        return replace(found, type=sure(found.type))

    def check_bool(self, node: Node, scope: Scope, what: str) -> None:
        """Raise ExpressionFault unless ``node`` is true or false; ``what`` begins the sentence."""
        found = self.sure_value(node, scope)
        if found.type.name != BOOL.name:
            raise ExpressionFault(f"{what} must be true or false, not {found.type}.", node.place)

    def _literal(self, node: Literal) -> Value:
        if node.value is None:
            return Value(NULL)
        return Value(_LITERALS[type(node.value)], None if isinstance(node.value, bool) else node.value)

    def _name(self, node: Name, scope: Scope) -> Value:
        known = scope.variables.get(node.name)
        if known is None:
            raise ExpressionFault(self._unknown(node.name, scope), node.place)
        if node.name not in scope.bound:
            self.fields.add(_plain(node.name))
        return Value(sure(known) if node.name in scope.present else known)

    def _unknown(self, name: str, scope: Scope) -> str:
        where = {"line": "a rule about lines", "activity": "a rule about the whole activity"}
        if name in EVERYWHERE:
            seen = ", ".join(quoted(each) for each in sorted(scope.variables))
            return f"{quoted(name)} is not seen by {where.get(self.kind_of_rule, 'an audience')}, which sees {seen}."
        return f"There is no variable {quoted(name)}{suggestion(name, scope.variables)}"

    def _select(self, node: Select, scope: Scope) -> Value:
        of = self.sure_value(node.of, scope).type
        path = nulls.path_of(node.of)
        subject = path if path and path not in scope.bound else str(of)
        if of.name == "map":
            detail = f"An entry of {of} is written `{subject}['{node.field}']`."
            raise ExpressionFault(detail, node.place)
        if not of.fields:
            raise ExpressionFault(f"{capital(str(of))} has no fields, so no {quoted(node.field)}.", node.place)
        known = of.fields.get(node.field)
        if known is None:
            detail = f"{subject} has no field {quoted(node.field)}{suggestion(node.field, of.fields)}"
            raise ExpressionFault(detail, node.place)
        path = nulls.path_of(node)
        if path is not None and isinstance(node.of, Name) and node.of.name not in scope.bound:
            self.fields.add(_plain(path))
        return Value(sure(known) if path in scope.present else known)

    def _index(self, node: Index, scope: Scope) -> Value:
        of, index = self.sure_value(node.of, scope).type, self.sure_value(node.index, scope)
        if of.item is None:
            raise ExpressionFault(f"{capital(str(of))} has no items to pick with [ ].", node.place)
        wanted = WHOLE if of.name == "list" else TEXT
        if index.type.name != wanted.name:
            raise ExpressionFault(f"An item of {of} is picked by {wanted}, not by {index.type}.", node.place)
        written = isinstance(node.of, Entries) and any(
            isinstance(key, Literal) and key.value == index.constant for key in node.of.keys
        )
        if not written:
            detail = "Where there is no such item, the rule fails and pays nothing."
            self.remarks.append(Remark("may_be_missing", detail, node.place))
        return Value(of.item)

    def _common(self, nodes: tuple[Node, ...], scope: Scope, place: Place) -> Type:
        if not nodes:
            raise ExpressionFault("An empty list or map holds nothing; `size(…) == 0` tells whether one is.", place)
        found = self.value(nodes[0], scope).type
        for node in nodes[1:]:
            other = self.value(node, scope).type
            joined = common(found, other)
            if joined is None:
                raise ExpressionFault(f"Items of one list have one type: here {found} and {other}.", node.place)
            found = joined
        return found

    def _entries(self, node: Entries, scope: Scope) -> Value:
        held = self._common(node.values, scope, node.place)
        for key in node.keys:
            if self.sure_value(key, scope).type.name != TEXT.name:
                raise ExpressionFault("The keys of a map are texts.", key.place)
        return Value(map_of(held))

    def _signed(self, node: Signed, scope: Scope) -> Value:
        found = self.sure_value(node.of, scope)
        for sign in reversed(node.signs):
            if sign == "-":
                found = negative(found, node.place)
            elif found.type.name != BOOL.name:
                raise ExpressionFault(f"`!` stands before what is true or false, not before {found.type}.", node.place)
        return found

    def _logical(self, node: Chain, scope: Scope) -> Value:
        is_and = node.operators[0] == "&&"
        present = [nulls.present_if(operand, is_and) for operand in node.operands]
        for place, operand in enumerate(node.operands):
            others = frozenset[str]().union(*present[:place], *present[place + 1 :])
            self.check_bool(operand, scope.knowing(others), f"What stands beside {quoted(node.operators[0])}")
        return Value(BOOL)

    def _chain(self, node: Chain, scope: Scope) -> Value:
        found = self._operand(node, 0, scope)
        for place, sign in enumerate(node.operators):
            other = self._operand(node, place + 1, scope)
            where = node.operands[place + 1].place
            if sign in ("+", "-", "*", "/", "%"):
                found = arithmetic(sign, found, other, where)
            else:
                self._note_comparison(node.operands[place], node.operands[place + 1], (found, other), sign, scope)
                if sign == "in" and other.type.name == "map":  # a list may be asked for null, a map may not
                    found = self._sure(node.operands[place], found)
                found = compared(sign, found, other, where)
        return found

    def _operand(self, node: Chain, place: int, scope: Scope) -> Value:
        """Return an operand's value; on the sides of ``==``, ``!=`` and left of ``in`` it may be null."""
        around = node.operators[max(place - 1, 0) : place + 1]
        asked = [sign for sign in around if sign not in ("==", "!=")]
        takes_null = not asked or (asked == ["in"] and node.operators[place : place + 1] == ("in",))
        return (self.value if takes_null else self.sure_value)(node.operands[place], scope)

    def _note_comparison(self, left: Node, right: Node, values: tuple[Value, Value], sign: str, scope: Scope) -> None:
        """Remark on a comparison of what is never null with null, and keep the texts that a field is compared with."""
        for node, value, other in ((left, values[0], values[1]), (right, values[1], values[0])):
            if other.type.name == NULL.name and not value.type.is_nullable and sign != "in":
                detail = f"This is never null, so `{sign} null` always comes out {'false' if sign == '==' else 'true'}."
                self.remarks.append(Remark("never_null", detail, node.place))
        if sign not in ("==", "!=", "in"):
            return
        for node, other_node in ((left, right), (right, left)):
            path = nulls.path_of(node)
            origin = scope.bound.get(path or "", path)
            if path is None or origin is None or (path in scope.variables and path not in scope.bound):
                continue
            texts = other_node.items if isinstance(other_node, Items) else (other_node,)
            self.constants |= {
                (_plain(origin), each.value)
                for each in texts
                if isinstance(each, Literal) and isinstance(each.value, str)
            }

    def _choice(self, node: Choice, scope: Scope) -> Value:
        self.check_bool(node.condition, scope, "What stands before `?`")
        yes = self.value(node.yes, scope.knowing(nulls.present_if(node.condition, True)))
        no = self.value(node.no, scope.knowing(nulls.present_if(node.condition, False)))
        joined = common(yes.type, no.type)
        if joined is None:
            detail = f"Both outcomes of a choice have one type: here {yes.type} and {no.type}."
            raise ExpressionFault(detail, node.place)
        return Value(joined)

    def _call(self, node: Call, scope: Scope) -> Value:
        if node.of is not None and node.name in COMPREHENSIONS:
            return comprehended(self, node, scope)
        return called(self, node, scope)


def _plain(path: str) -> str:
    """Return ``path`` with ``line`` for ``product``."""
    name, dot, rest = path.partition(".")
    return f"line{dot}{rest}" if name == "product" else path
