"""What operators take and give: types, the value where both sides are constants, and what can never be equal."""

from dataclasses import dataclass

from app.campaigns.checking.faults import ExpressionFault, Place, capital
from app.campaigns.checking.functions import ARITHMETIC, ORDERED
from app.campaigns.checking.types import (
    BOOL,
    DECIMAL,
    NUMBERS,
    TEXT,
    WHOLE,
    Type,
    common,
    sure,
)

WHOLE_MIN, WHOLE_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a value: its type, and itself where it is a constant number or text."""

    type: Type
    constant: int | float | str | None = None


def arithmetic(sign: str, first: Value, second: Value, place: Place) -> Value:
    """Return what ``first sign second`` gives; raise ExpressionFault where it can't."""
    if first.type.name == "list" and second.type.name == "list" and sign == "+":
        joined = common(first.type, second.type)
        if joined is not None:
            return Value(sure(joined))
    result = ARITHMETIC.get((sign, first.type.name, second.type.name))
    if result is None:
        raise ExpressionFault(
            f"{capital(str(first.type))} `{sign}` {second.type} has no meaning{_advice(first, second)}.", place
        )
    if sign in "/%" and second.constant == 0:
        raise ExpressionFault("This divides by zero.", place)
    return Value(result, _constant(sign, first, second, place))


def _advice(first: Value, second: Value) -> str:
    if {first.type.name, second.type.name} == set(NUMBERS):
        return "; make the whole number decimal with `double(…)`"
    return ""


def _constant(sign: str, first: Value, second: Value, place: Place) -> int | float | str | None:
    one, two = first.constant, second.constant
    if isinstance(one, int) and isinstance(two, int):
        if sign in "/%":  # towards zero, the remainder with the sign of what is divided
            whole = abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
            found = whole if sign == "/" else one - two * whole
        else:
            found = {"+": one + two, "-": one - two, "*": one * two}[sign]
        if not WHOLE_MIN <= found <= WHOLE_MAX:
            raise ExpressionFault("This number is too large.", place)
        return found
    if isinstance(one, float) and isinstance(two, float):
        return one / two if sign == "/" else {"+": one + two, "-": one - two, "*": one * two}[sign]
    return None


def negative(value: Value, place: Place) -> Value:
    """Return ``-value``."""
    if value.type.name not in NUMBERS:
        raise ExpressionFault(f"`-` stands before a number, not before {value.type}.", place)
    constant = None if value.constant is None or isinstance(value.constant, str) else -value.constant
    return Value(WHOLE if value.type.name == WHOLE.name else DECIMAL, constant)


def compared(sign: str, first: Value, second: Value, place: Place) -> Value:
    """Return what a comparison gives, which is true or false; raise ExpressionFault where it can't be made."""
    if sign in ("==", "!="):
        if not _comparable(first.type, second.type):
            raise ExpressionFault(f"{capital(str(first.type))} is never equal to {second.type}.", place)
    elif sign == "in":
        _check_membership(first.type, second.type, place)
    elif not _ordered(first.type, second.type):
        raise ExpressionFault(f"{capital(str(first.type))} can't be compared with {second.type} by `{sign}`.", place)
    return Value(BOOL)


def _comparable(first: Type, second: Type) -> bool:
    if first.fields or second.fields:  # a record is compared by its fields
        return False
    return common(first, second) is not None or (first.name in NUMBERS and second.name in NUMBERS)


def _ordered(first: Type, second: Type) -> bool:
    if first.name in NUMBERS and second.name in NUMBERS:
        return True
    return first.name == second.name and first.name in ORDERED


def _check_membership(item: Type, held_by: Type, place: Place) -> None:
    if held_by.name == "map":
        if item.name != TEXT.name:
            raise ExpressionFault(f"The keys of a map are texts, so {item} is never in it.", place)
    elif held_by.name != "list" or held_by.item is None:
        advice = "; a part of a text is found with `contains`" if held_by.name == TEXT.name else ""
        raise ExpressionFault(f"`in` looks into a list, not into {held_by}{advice}.", place)
    elif not _comparable(item, held_by.item):
        raise ExpressionFault(f"{capital(str(item))} is never in {held_by}.", place)
