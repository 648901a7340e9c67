"""The reference tables hold what the files say, and the snapshot is what the tables hold."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import update

from app.catalog import service
from app.catalog.models import Material, PackagingOption
from app.core.database import db
from app.core.unit_of_work import unit_of_work


@pytest.fixture(autouse=True)
def loaded(app: Flask) -> Iterator[None]:
    with app.app_context():
        service.load_reference()
        yield


def test_loading_twice_changes_nothing_the_second_time() -> None:
    assert service.load_reference() == 0


def test_a_row_that_differs_from_the_file_is_brought_back_and_the_snapshot_follows() -> None:
    assert service.reference().packaging["NO_BAG"].hierarchy == "refuse"
    with unit_of_work() as session:
        session.execute(update(PackagingOption).where(PackagingOption.code == "NO_BAG").values(hierarchy="recycle"))
    assert service.load_reference() == 1
    assert service.reference().packaging["NO_BAG"].hierarchy == "refuse"


def test_a_code_that_is_not_in_the_files_stays() -> None:
    with unit_of_work() as session:
        session.add(Material(code="CORK", name="Cork", units=["kg"], piece_source=""))
    assert service.load_reference() == 0
    assert db.session.get(Material, "CORK") is not None


def test_the_snapshot_holds_every_code() -> None:
    tables = service.reference()
    assert (len(tables.certifications), len(tables.packaging), len(tables.materials)) == (24, 19, 15)
    assert tables.certifications["CN_GREEN_FOOD"].grades == {"A", "AA"}
    assert tables.certifications["USDA_ORGANIC"].grades == frozenset()
    assert tables.certifications["CN_POLLUTION_FREE"].status == "legacy"
    assert tables.line_packaging == {"UNPACKED", "REFILL", "CONCENTRATE"}
    assert tables.materials["PET"].units == {"kg", "piece"}
    assert tables.typical_piece_grams["PET"] == Decimal("17.7")
    assert "HDPE" not in tables.typical_piece_grams


def test_the_snapshot_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        service.reference().packaging["NO_BAG"] = None  # type: ignore[index]


@pytest.mark.parametrize(
    ("codes", "conflicts"),
    [
        (["REUSABLE_BOX", "SLIM_TAPE_45", "NO_BAG"], []),
        (["NO_SECONDARY", "REUSABLE_BOX"], [("NO_SECONDARY", "REUSABLE_BOX")]),
        (["REUSABLE_BOX", "REUSABLE_BOX"], []),
        (["UNPACKED", "REFILL", "CONCENTRATE"], [("UNPACKED", "REFILL"), ("UNPACKED", "CONCENTRATE")]),
        (["UNPACKED", "REUSABLE_BOX"], []),
        (["MADE_UP"], []),
    ],
)
def test_options_of_one_group_exclude_each_other(codes: list[str], conflicts: list[tuple[str, str]]) -> None:
    assert service.reference().conflicts(codes) == conflicts
