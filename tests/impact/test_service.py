"""Factors are loaded as immutable versions, and an activity claims by the default ones."""

import pytest
import sqlalchemy as sa

from app.core.database import db
from app.impact import service
from app.impact.errors import InconsistentFactors
from app.impact.models import ImpactFactor
from tests.impact.conftest import FILE, Edit

pytestmark = pytest.mark.usefixtures("loaded")


def _versions(code: str, metric: str) -> list[tuple[int, int, bool, str]]:
    query = sa.select(ImpactFactor).where(ImpactFactor.subject_code == code, ImpactFactor.metric == metric)
    rows = db.session.scalars(query.order_by(ImpactFactor.version))
    return [(row.version, row.value, row.is_default, row.note) for row in rows]


def _claimed(code: str) -> dict[str, int]:
    impact = service.claim_impact(service.ImpactSubject("purchase", (code,)))
    return {entry.metric: entry.value for entry in impact.entries}


def test_loading_twice_adds_nothing_the_second_time() -> None:
    assert service.load_reference() == 0


def test_a_parcel_claims_what_the_published_factors_say() -> None:
    assert _claimed("NO_SECONDARY") == {"g_co2e_avoided": 257, "g_packaging_avoided": 186, "g_plastic_avoided": 17}
    assert _claimed("REUSABLE_BOX") == {"g_packaging_avoided": 329}


def test_the_conservative_method_alone_is_claimed() -> None:
    line = service.ImpactLine("1", material="CORRUGATED", weight_g=1000)
    impact = service.claim_impact(service.ImpactSubject("recycling", (), (line,)))
    assert [entry.value for entry in impact.entries if entry.metric == "g_co2e_avoided"] == [100]


def test_pieces_are_weighed_by_the_catalogues_typical_piece() -> None:
    line = service.ImpactLine("1", material="PET", pieces=56)
    impact = service.claim_impact(service.ImpactSubject("recycling", (), (line,)))
    assert {entry.metric: entry.value for entry in impact.entries} == {
        "items_recycled": 56, "g_recycled": 991, "g_co2e_avoided": 1140,
    }  # fmt: skip


def test_loose_goods_have_no_factor_and_claim_nothing() -> None:
    line = service.ImpactLine("7", quantity=2, packaging=("UNPACKED",))
    impact = service.claim_impact(service.ImpactSubject("purchase", (), (line,)))
    assert impact.entries == ()
    assert impact.unclaimed == (service.Unclaimed("packaging", "UNPACKED", "7", "no_factor"),)


def test_a_changed_figure_is_a_new_version_and_the_old_one_stays(edit: Edit) -> None:
    before = _versions("NO_BAG", "g_co2e_avoided")
    assert service.load_reference(edit("NO_BAG,g_co2e_avoided,use,21,0,42", "NO_BAG,g_co2e_avoided,use,18,0,36")) == 1
    after = _versions("NO_BAG", "g_co2e_avoided")
    assert (before, after) == ([(1, 21, True, "weak")], [(1, 21, True, "weak"), (2, 18, True, "weak")])
    assert _claimed("NO_BAG") == {"g_co2e_avoided": 18}


def test_a_factor_that_left_the_file_is_claimed_no_more(edit: Edit) -> None:
    gone = next(line for line in FILE.read_text(encoding="utf-8").splitlines(keepends=True) if "REUSED_CARTON" in line)
    assert service.load_reference(edit(gone, "")) == 1
    assert _versions("REUSED_CARTON", "g_co2e_avoided")[-1][2:] == (False, "withdrawn from the reference data")
    assert _claimed("REUSED_CARTON") == {}
    assert service.load_reference(edit(gone, "")) == 0


def test_two_defaults_for_one_metric_are_refused_and_nothing_is_kept(edit: Edit) -> None:
    before = _versions("CORRUGATED", "g_co2e_avoided")
    with pytest.raises(InconsistentFactors, match="CORRUGATED"):
        service.load_reference(edit("incl. forest carbon,false", "incl. forest carbon,true"))
    assert _versions("CORRUGATED", "g_co2e_avoided") == before


def test_a_default_above_the_lowest_published_figure_is_refused_and_nothing_is_kept(edit: Edit) -> None:
    before = _versions("PET", "g_co2e_avoided")
    uk = "2025,GB,primary production,{},\nmaterial,HDPE"
    generous = edit("primary production,true,lowest of", "primary production,false,lowest of", uk.format("false"),
                    uk.format("true"))  # fmt: skip
    with pytest.raises(InconsistentFactors, match="PET claims 1650 g_co2e_avoided by default, where 1150 is published"):
        service.load_reference(generous)
    assert _versions("PET", "g_co2e_avoided") == before


def test_every_factor_has_a_method(loaded: None) -> None:
    methods = set(db.session.scalars(sa.select(ImpactFactor.method)))
    assert {"warm", "desnz", "packaging_weight"} < methods
    assert "" not in methods


def test_the_application_may_add_factors_but_never_change_one() -> None:
    with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), db.engine.begin() as connection:
        connection.execute(sa.update(ImpactFactor).values(value=1))
