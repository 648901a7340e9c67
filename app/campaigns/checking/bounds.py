"""The bounds of an expression, and its words, checked in one pass before any parser sees the text.

Both parsers behind this one are thereby given little, and read the same: cel-python's lexer needs exponential time for
some strings that don't end, and the engine's recursion is as deep as the text nests. What the two read differently
(raw strings, bytes, comments, numbers that run into a name) has no use in a rule and is refused here.
"""

import re

from app.campaigns.checking.faults import ExpressionFault, Place, quoted

LENGTH_MAX = 2000
NESTING_MAX = 20
WORDS_MAX = 500
CHOICES_MAX = 20
DIGITS_MAX = 40

# No two alternatives begin alike, so that no text is tried twice.
_WORD = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    | (?P<comment>//)
    | (?P<text>"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*" | '(?:[^'\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*')
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator>&&|\|\||[=!<>]=|[-+*/%<>!?:.,])
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([\\\"'nrt])|u([0-9a-fA-F]{4}))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
# What would run into the word before it, if no space stood between.
_JOINS = {
    "name": ("text", "Texts are written 'like this', without a letter in front."),
    "text": ("text", "Texts are written on one line between single ' or \" signs."),
    "number": ("name", "Numbers are written in decimal digits, without letters."),
}


def place_in(text: str, position: int) -> Place:
    """Return the line and column of a position in ``text``."""
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def text_value(literal: str) -> str:
    """Return what the text literal ``literal``, quotes included, stands for; its escapes are known to be good."""
    return _ESCAPE.sub(
        lambda found: chr(int(found[2], 16)) if found[2] else _ESCAPED.get(found[1], found[1]), literal[1:-1]
    )


def check_bounds(text: str) -> None:
    """Raise ExpressionFault where ``text`` is too long, too deep, has too many words, or one that is none."""
    if len(text) > LENGTH_MAX:
        raise ExpressionFault(f"The expression has {len(text):,} characters; at most {LENGTH_MAX:,} are allowed.")
    position = depth = words = choices = 0
    before: str | None = None  # the kind of the word that ends where this one begins
    while position < len(text):
        found = _WORD.match(text, position)
        place = place_in(text, position)
        if found is None:
            raise ExpressionFault(_unreadable(text[position]), place)
        kind, word = str(found.lastgroup), found.group()
        _check_word(kind, word, before, place)
        depth += (kind == "open") - (kind == "close")
        words += kind != "space"
        choices += word == "?"
        if depth > NESTING_MAX:
            raise ExpressionFault(f"Brackets stand {depth} deep; at most {NESTING_MAX} are allowed.", place)
        if words > WORDS_MAX:
            raise ExpressionFault(f"The expression has more than {WORDS_MAX} words and signs.", place)
        if choices > CHOICES_MAX:
            raise ExpressionFault(f"The expression has more than {CHOICES_MAX} choices (`? :`).", place)
        before, position = kind, found.end()


def _unreadable(character: str) -> str:
    if character in "'\"":
        return "This text does not end on its line."
    if character == "=":
        return "Two values are compared with `==`."
    if character in "&|":
        return f"Write {quoted(character * 2)}."
    return f"The character {character!a} has no meaning here."


def _check_word(kind: str, word: str, before: str | None, place: Place) -> None:
    if kind == "comment":
        raise ExpressionFault("An expression has no comments.", place)
    follower, detail = _JOINS.get(before or "", ("", ""))
    if kind == follower:
        raise ExpressionFault(detail, place)
    if before == "number" and word == ".":
        raise ExpressionFault("A decimal number has digits after its point: write `5.0`.", place)
    if kind == "number" and len(word) > DIGITS_MAX:
        raise ExpressionFault("This number is too long.", place)
    if kind == "text":
        rest = _ESCAPE.sub("", word[1:-1])
        if "\\" in rest:
            raise ExpressionFault(
                r"In a text, \ stands before \, a quotation mark, n, r, t, or u and four digits.", place
            )
        if any("\ud800" <= character <= "\udfff" for character in text_value(word)):
            raise ExpressionFault("The text holds half a character.", place)
