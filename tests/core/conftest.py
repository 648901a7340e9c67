"""More applications beside the one under test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from flask import Flask, current_app

from app import create_app
from app.core.database import db
from config import Settings

MakeApp = Callable[..., Flask]
T = TypeVar("T")


def in_context(function: Callable[[], T]) -> Callable[[], T]:
    """``function`` for another thread: in a context of its own of the application that is current here."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> T:
        with app.app_context():
            return function()

    return run


@pytest.fixture
def make_app(settings: Settings) -> Iterator[MakeApp]:
    """A function that makes one more application, with other settings if any are named, and closes it at the end."""
    made = []

    def make(**changes: Any) -> Flask:
        made.append(create_app(replace(settings, **changes)))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()
        app.extensions["redis"].close()
