"""If-Match names what was seen: one state or several, never any."""

import pytest
from flask import Flask

from app.core.errors import ProblemError
from app.core.preconditions import Seen, conditional


@conditional
def view(*, seen: Seen) -> Seen:
    return seen


@pytest.mark.parametrize(
    ("header", "tags"),
    [('"7"', {"7"}), ('"7", "8"', {"7", "8"}), ('W/"7"', set()), ('W/"7", "8"', {"8"}), ("7", {"7"}), ('"', set())],
)
def test_the_strong_tags_are_what_was_seen(app: Flask, header: str, tags: set[str]) -> None:
    with app.test_request_context(headers={"If-Match": header}):
        assert view() == Seen(frozenset(tags))


@pytest.mark.parametrize("headers", [{}, {"If-Match": ""}, {"If-Match": " "}, {"If-Match": "*"}])
def test_who_names_nothing_has_seen_nothing(app: Flask, headers: dict[str, str]) -> None:
    with app.test_request_context(headers=headers), pytest.raises(ProblemError) as refused:
        view()
    assert (refused.value.status, refused.value.code) == (428, "precondition_required")


def test_another_state_is_stale() -> None:
    Seen(frozenset({"6", "7"})).check(7)
    for tags in ({"6"}, {"77"}, {"07"}, set()):
        with pytest.raises(ProblemError) as refused:
            Seen(frozenset(tags)).check(7)
        assert (refused.value.status, refused.value.code) == (412, "precondition_failed")
