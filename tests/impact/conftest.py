"""The reference data of impact, and a way to have other figures in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.catalog import service as catalog
from app.impact import service

FILE = Path(service.__file__).parents[1] / "reference" / "impact_factors.csv"
Edit = Callable[..., Path]


@pytest.fixture
def loaded(app: Flask) -> Iterator[None]:
    """The reference data of catalogue and impact."""
    with app.app_context():
        catalog.load_reference()
        service.load_reference()
        yield


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    """A function that writes the reference file with texts replaced: old, new, old, new …"""

    def edited(*replaced: str) -> Path:
        text = FILE.read_text(encoding="utf-8")
        for old, new in zip(replaced[::2], replaced[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        copy = tmp_path / "impact_factors.csv"
        copy.write_text(text, encoding="utf-8")
        return copy

    return edited
