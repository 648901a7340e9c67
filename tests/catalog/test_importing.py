"""The export of Open Food Facts becomes shared products; bad rows are told with their line, and cost only that line."""

import gzip
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog import service
from app.catalog.commands import BAD_SHOWN_MAX
from app.catalog.mappings import label_meanings, packaging_meanings
from app.catalog.models import Product, ProductCertificate
from app.catalog.service import importing
from app.catalog.service.importing import NotAnExport, import_products
from app.catalog.service.reference import FOLDER
from app.core.clock import now
from app.core.database import db
from app.core.reference import read_reference
from app.core.unit_of_work import unit_of_work
from tests import world
from tests.catalog.documents import certificate, product
from tests.catalog.exports import COLUMNS, NAMED, gtin, row, text_of, write_synthetic
from tests.world import basket, line


@pytest.fixture(autouse=True)
def loaded(app: Flask) -> None:
    service.load_reference()


@pytest.fixture
def import_bytes(tmp_path: Path):
    """A function that imports a file of these bytes; returns the report and what was said of bad rows, by line."""

    def run(raw: bytes):
        path = tmp_path / "export.csv"
        path.write_bytes(raw)
        said: dict[int, str] = {}
        report = import_products(path, now(), lambda _: None, said.__setitem__)
        return report, said

    return run


def shared(gtin_14: str) -> Product:
    found = db.session.scalar(select(Product).where(Product.gtin == gtin_14).execution_options(populate_existing=True))
    assert found is not None
    return found


def held(found: Product) -> dict[str, str | None]:
    rows = db.session.scalars(select(ProductCertificate).where(ProductCertificate.product_id == found.product_id))
    return {each.code: each.number for each in rows}


def test_a_row_becomes_a_shared_product(import_bytes):
    cells = row(
        1, product_name="Thé &quot;vert&quot;  bio", packaging_tags="fr:vrac,en:glass,en:of-gold",
        labels_tags="en:organic,en:eu-organic,fr:ab-agriculture-biologique,en:fair-trade,xx:nobody-knows",
    )  # fmt: skip
    report, said = import_bytes(text_of([cells]))
    assert said == {}
    assert (report.rows, report.added, report.changed, report.unchanged) == (1, 1, 0, 0)
    found = shared("0" + gtin(1))
    assert (found.merchant_id, found.sku, found.live, found.source) == (None, None, True, "openfoodfacts")
    assert found.names == {"und": 'Thé "vert" bio'}
    assert (found.category, found.packaging, found.environmental_grade) == ("en:teas", ["UNPACKED"], "b")
    assert held(found) == {"EU_ORGANIC": None}
    assert dict(report.unknown_labels) == {"xx:nobody-knows": 1}
    assert dict(report.unknown_packaging) == {"en:of-gold": 1}


def test_the_same_file_again_changes_nothing_and_another_only_what_differs(import_bytes):
    first = [row(number) for number in range(5)]
    import_bytes(text_of(first))
    before = {each.product_id: (each.version, each.updated_at) for each in db.session.scalars(select(Product))}
    report, _ = import_bytes(text_of(first))
    assert (report.added, report.changed, report.unchanged) == (0, 0, 5)
    db.session.rollback()
    after = {each.product_id: (each.version, each.updated_at) for each in db.session.scalars(select(Product))}
    assert after == before
    other = [row(0, product_name="New"), row(1, labels_tags="en:fairtrade-international"), row(2), row(9)]
    report, _ = import_bytes(text_of(other))
    assert (report.added, report.changed, report.unchanged) == (1, 2, 1)
    assert shared("0" + gtin(0)).version == 2
    assert held(shared("0" + gtin(1))) == {"FAIRTRADE": None}
    assert held(shared("0" + gtin(3))) == {"EU_ORGANIC": None}  # not in the second file: it stays


def bad_file() -> bytes:
    header, good, *_ = text_of([row(1)]).split(b"\n")
    wide = b"\t".join(COLUMNS[place].encode() for place in range(150))
    return b"\n".join(
        [
            header,
            good,
            good.replace(b"Product 1", b"Pro\x00duct"),
            good[: len(good) // 2],
            wide,
            b"",
            text_of([row(2, code="4006381333932")]).split(b"\n")[1],
            text_of([row(2, code="")]).split(b"\n")[1],
            text_of([row(2, code="B000WXYZ12")]).split(b"\n")[1],
            text_of([row(2, code="123456789012345")]).split(b"\n")[1],
            text_of([row(2, code="2000000000008")]).split(b"\n")[1],
            text_of([row(2, product_name="x" * 301)]).split(b"\n")[1],
            text_of([row(2, labels_tags="en:organic," * 2000)]).split(b"\n")[1],
            text_of([row(2, categories_tags="en:" + "x" * 100)]).split(b"\n")[1],
            good.replace(b"Product 1", b"Th\xe9 vert"),
            good.replace(b"Product 1", b"x" * 1_100_000),
            text_of([row(1, product_name="Again")]).split(b"\n")[1],
            text_of([row(3)]).split(b"\n")[1],
            good[:100],
        ]
    )


FAULTS = {
    3: "NUL byte", 4: "wrong number of columns", 5: "wrong number of columns: 150 instead of 200",
    7: "wrong check digit: 4006381333932", 8: "no code", 9: "code is no GTIN: B000WXYZ12", 10: "code is no GTIN",
    11: "number of one shop alone", 12: "too long: a name of 301 characters", 13: "too long: tags of",
    14: "too long: a category of 103 characters", 15: "not UTF-8", 16: "too long: more than", 17: "repeated",
    19: "wrong number of columns",
}  # fmt: skip


def test_bad_rows_are_told_with_their_line_and_skipped(import_bytes):
    report, said = import_bytes(bad_file())
    assert said.keys() == FAULTS.keys()
    for number, fault in FAULTS.items():
        assert said[number].startswith(fault), (number, said[number])
    assert (report.rows, report.added, report.bad.total()) == (17, 2, 15)
    assert shared("0" + gtin(1)).names == {"und": "Product 1"}
    assert f"stands in line {2}" in said[17]
    report, _ = import_bytes(bad_file())
    assert (report.added, report.changed, report.unchanged, report.bad.total()) == (0, 0, 2, 15)


def test_repeated_rows_are_found_across_chunks(import_bytes, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK_ROWS", 2)
    rows = [row(1), row(2), row(3), row(1, product_name="Again"), row(2, product_name="Again"), row(2)]
    report, said = import_bytes(text_of(rows))
    assert (report.added, sorted(said)) == (3, [5, 6, 7])
    assert shared("0" + gtin(1)).names == {"und": "Product 1"}


@pytest.mark.parametrize("change", ["comma", "gzip", "bom", "crlf", "no newline at the end", "older grade column"])
def test_an_export_is_read_in_any_of_its_forms(import_bytes, change):
    rows = [row(1), row(2, product_name="Zwei")]
    raw = text_of(rows)
    if change == "comma":
        quoted = {"product_name": '"Zwei ""und"", drei"', "labels_tags": '"en:organic,en:fsc"',
                  "categories_tags": '"en:beverages,en:teas"'}  # fmt: skip
        raw = text_of([row(1, **quoted), row(2, **quoted)], delimiter=",")
    elif change == "gzip":
        raw = gzip.compress(raw)
    elif change == "bom":
        raw = b"\xef\xbb\xbf" + raw
    elif change == "crlf":
        raw = raw.replace(b"\n", b"\r\n")
    elif change == "no newline at the end":
        raw = raw.rstrip(b"\n")
    else:
        raw = raw.replace(b"environmental_score_grade", b"ecoscore_grade")
    report, said = import_bytes(raw)
    assert (said, report.added) == ({}, 2)
    found = shared("0" + gtin(2))
    assert (found.category, found.environmental_grade) == ("en:teas", "b")
    assert found.names == {"und": 'Zwei "und", drei' if change == "comma" else "Zwei"}


def test_a_quote_that_never_ends_costs_its_own_line(import_bytes):
    cells = {"labels_tags": '"en:organic"', "categories_tags": "en:teas"}
    rows = [row(1, **cells), row(2, **cells, product_name='"Half a name'), row(3, **cells)]
    report, said = import_bytes(text_of(rows, delimiter=","))
    assert (report.added, list(said)) == (2, [3])


def test_names_are_kept_by_language_where_the_file_says_it(import_bytes):
    columns = (*COLUMNS, "lang", "product_name_en", "product_name_zh")
    rows = [
        row(1, lang="fr", product_name="Thé", product_name_en="Tea", product_name_zh="茶"),
        row(2, lang="not a language", product_name="Thé"), row(3, product_name=""),
    ]  # fmt: skip
    import_bytes(text_of(rows, columns))
    assert shared("0" + gtin(1)).names == {"fr": "Thé", "en": "Tea", "zh": "茶"}
    assert shared("0" + gtin(2)).names == {"und": "Thé"}
    assert shared("0" + gtin(3)).names == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"code\tproduct_name\n", b"PK\x03\x04 a zip \xff\xfe", b"id,name\n1,x\n",
        text_of([row(1)], [name for name in NAMED if name != "labels_tags"]),
        gzip.compress(text_of([row(number) for number in range(2000)]))[:-2000],
        b"\x1f\x8b no gzip after all",
    ],
)  # fmt: skip
def test_what_is_no_export_imports_nothing(import_bytes, writes_nothing, raw):
    with writes_nothing(), pytest.raises(NotAnExport):
        import_bytes(raw)


def test_what_staff_found_of_a_shared_product_outlives_an_import_and_earns(import_bytes, client, shop, customer):
    world.load_programme()
    import_bytes(text_of([row(1, labels_tags="en:eu-organic,en:fairtrade-international")]))
    editor = world.make_staff("editor")
    bought = {"sku": None, "gtin": gtin(1), "certifications": []}

    def paid(number):
        answer = client.post(
            "/v1/activities", json=basket(customer.ref, id=f"order-{number}", lines=[line(**bought)]),
            headers=shop.live,
        ).json  # fmt: skip
        return next((award["certificate"] for award in answer["awards"] if award["rule"] == "organic"), None)

    assert paid(1) is None
    found = client.get(f"/v1/admin/products?gtin={gtin(1)}", headers=editor.headers).json["data"][0]
    assert (found["merchant"], found["public_labels"]) == (None, ["EU_ORGANIC", "FAIRTRADE"])

    def check(verb, body, code="EU_ORGANIC"):
        address = f"/v1/admin/products/{found['id']}"
        tag = client.get(address, headers=editor.headers).headers["ETag"]
        return client.post(
            f"{address}/certificates/{code}/{verb}", json=body, headers=editor.headers | {"If-Match": tag}
        )

    assert check("verify", {"reason": "Looked it up"}).status_code == 409
    assert check("verify", {"number": "organic"}).status_code == 422
    assert (
        check("verify", {"number": "DE-ÖKO-001", "valid_from": "2020-01-02", "valid_to": "2020-01-01"}).status_code
        == 422
    )
    looked_up = {"reason": "Looked it up", "number": "DE-ÖKO-001", "valid_to": "2059-12-31"}
    assert check("verify", looked_up).status_code == 200
    assert check("reject", {"reason": "Not so"}, "FAIRTRADE").status_code == 200
    assert paid(2) == {"code": "EU_ORGANIC", "number": "DE-ÖKO-001", "basis": "verified"}
    report, _ = import_bytes(text_of([row(1, labels_tags="en:fairtrade-international")]))
    assert report.unchanged == 1
    assert held(shared("0" + gtin(1))) == {"EU_ORGANIC": "DE-ÖKO-001", "FAIRTRADE": None}
    assert paid(3)["basis"] == "verified"
    client.put("/v1/products/A-9", json=product(gtin=gtin(1), certificates=[]), headers=shop.live)
    assert paid(4) is None  # the merchant's own product is the last word


def test_an_import_touches_no_merchants_product(import_bytes, client, shop):
    mine = client.put(
        "/v1/products/A-1", json=product(gtin=gtin(1), certificates=[certificate()]), headers=shop.live
    ).json  # fmt: skip
    report, _ = import_bytes(text_of([row(1, labels_tags="")]))
    assert report.added == 1
    assert client.get("/v1/products/A-1", headers=shop.live).json == mine
    editor = world.make_staff("viewer")
    found = client.get(f"/v1/admin/products?gtin={gtin(1)}", headers=editor.headers).json["data"]
    assert {each["source"] for each in found} == {None, "openfoodfacts"}


def test_every_meaning_is_a_code_that_there_is():
    labels = read_reference(FOLDER / "label_mapping.csv")
    packaging = read_reference(FOLDER / "packaging_mapping.csv")
    known = service.reference()
    assert {row["certification"] for row in labels} - {""} <= known.certifications.keys()
    assert {row["packaging"] for row in packaging} - {""} <= known.line_packaging
    for rows in (labels, packaging):
        tags = [row["tag"] for row in rows]
        assert len(tags) == len(set(tags))
        assert all(row["why"] for row in rows)


@pytest.mark.parametrize(
    ("tag", "meaning"),
    [
        ("en:eu-organic", "EU_ORGANIC"), ("en:de-oko-006", "EU_ORGANIC"), ("en:fr-bio-01", "EU_ORGANIC"),
        ("en:organic", ""), ("fr:bio", ""), ("en:fair-trade", ""), ("en:fairtrade-international", "FAIRTRADE"),
        ("en:utz-certified", ""), ("en:sustainable-seafood-msc", "MSC"), ("en:fsc-c123652", "FSC"),
        ("en:my-eco-label", None), ("en:fsc-club", None), ("", None),
    ],
)  # fmt: skip
def test_what_labels_mean(tag, meaning):
    assert label_meanings().of(tag) == label_meanings().of(tag) == meaning


def test_what_packaging_tags_mean():
    found = {
        tag: packaging_meanings().of(tag) for tag in ("fr:vrac", "en:bulk", "en:eco-refill", "en:hdpe-2", "en:glass")
    }
    assert found == {"fr:vrac": "UNPACKED", "en:bulk": "", "en:eco-refill": "REFILL", "en:hdpe-2": None, "en:glass": ""}


def test_the_command_says_what_it_did(app, tmp_path):
    path, rejects = tmp_path / "export.csv", tmp_path / "rejects.csv"
    write_synthetic(path, 3000)
    runner = app.test_cli_runner()
    began = time.monotonic()
    first = runner.invoke(args=["catalog", "import", str(path), "--rejects", str(rejects), "--top", "1"])
    took = time.monotonic() - began
    assert first.exit_code == 0, first.output
    assert "3,000 rows: 2,970 products added, 0 changed, 0 as they were, 30 skipped" in first.output
    assert "skipped, NUL byte: 15" in first.output
    assert "skipped, wrong number of columns: 15" in first.output
    assert "line 52 skipped: NUL byte" in first.output
    assert first.output.count(" skipped: ") == BAD_SHOWN_MAX
    assert "unknown labels: 1, on " in first.output
    assert "  fr:inconnu: " in first.output
    assert "EU_ORGANIC" in first.output
    assert len(rejects.read_text(encoding="utf-8").splitlines()) == 31
    again = runner.invoke(args=["catalog", "import", str(path)])
    assert "3,000 rows: 0 products added, 0 changed, 2,970 as they were, 30 skipped" in again.output
    assert took < 60 * 3000 / 100_000 * 5  # the goal for 100,000 rows, with room for a busy machine


def test_what_stands_in_a_file_does_not_steer_the_terminal(app, tmp_path):
    path = tmp_path / "export.csv"
    path.write_bytes(text_of([row(1, labels_tags="en:\x1b[2J"), row(2, code="\x1b]0;x\x07")]))
    shown = app.test_cli_runner().invoke(args=["catalog", "import", str(path)]).output
    assert "\x1b" not in shown
    assert r"en:\x1b[2J" in shown


def test_the_command_refuses_what_is_no_export_and_a_second_import_at_once(app, tmp_path):
    path = tmp_path / "export.csv"
    path.write_bytes(b"a,b\n1,2\n")
    runner = app.test_cli_runner()
    refused = runner.invoke(args=["catalog", "import", str(path)])
    assert refused.exit_code == 1
    assert "lacks code, product_name" in refused.output
    path.write_bytes(text_of([row(1, code="1")]))
    none = runner.invoke(args=["catalog", "import", str(path)])
    assert (none.exit_code, "No row could be imported" in none.output) == (1, True)
    path.write_bytes(text_of([row(1)]))
    with db.engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('catalog_import'))")
        busy = runner.invoke(args=["catalog", "import", str(path)])
    assert (busy.exit_code, "Another import is under way" in busy.output) == (1, True)


def test_an_import_that_fails_leaves_nothing(tmp_path, writes_nothing):
    path = tmp_path / "export.csv"
    path.write_bytes(text_of([row(1)]))
    with writes_nothing(), pytest.raises(RuntimeError), unit_of_work():
        import_products(path, now(), lambda _: None, lambda *_: None)
        raise RuntimeError
