"""How an import is written: rows are copied into a staging table, and set against what is there a chunk at a time.

1. Of rows with the same GTIN the first of the file counts.
2. A product that is as the row says is not touched, so that the same file again writes nothing.
3. Labels are certificates without a number. One that is not in the file any more goes; what staff gave a number to, or
   rejected, stays as it is.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

SOURCE = "openfoodfacts"
COLUMNS = ("line", "product_id", "gtin", "names", "category", "packaging", "environmental_grade", "codes")

_STAGING = """
CREATE TEMPORARY TABLE import_row (
  line bigint, product_id uuid, gtin text, names jsonb, category text, packaging text[], environmental_grade text,
  codes text[]) ON COMMIT DROP;
CREATE TEMPORARY TABLE import_seen (gtin text PRIMARY KEY, line bigint) ON COMMIT DROP
"""
_SEE = """
INSERT INTO import_seen (gtin, line) SELECT DISTINCT ON (gtin) gtin, line FROM import_row ORDER BY gtin, line
ON CONFLICT (gtin) DO NOTHING
"""
_TAKE_REPEATED = """
DELETE FROM import_row AS row USING import_seen AS seen WHERE seen.gtin = row.gtin AND seen.line <> row.line
RETURNING row.line, row.gtin, seen.line
"""
_UPSERT = """
INSERT INTO product (product_id, merchant_id, live, sku, gtin, names, category, packaging, environmental_grade, source,
                     version, created_at, updated_at)
SELECT row.product_id, NULL, true, NULL, row.gtin, row.names, row.category, row.packaging, row.environmental_grade,
       %(source)s, 1, %(moment)s, %(moment)s
FROM import_row AS row
WHERE NOT EXISTS (
  SELECT FROM product
  WHERE product.merchant_id IS NULL AND product.gtin = row.gtin AND product.withdrawn_at IS NULL
    AND (product.names, product.category, product.packaging, product.environmental_grade, product.source)
        IS NOT DISTINCT FROM (row.names, row.category, row.packaging, row.environmental_grade, %(source)s)
    AND NOT EXISTS (
      SELECT FROM unnest(row.codes) AS code
      WHERE NOT EXISTS (SELECT FROM product_certificate AS held
                        WHERE held.product_id = product.product_id AND held.code = code))
    AND NOT EXISTS (
      SELECT FROM product_certificate AS held
      WHERE held.product_id = product.product_id AND held.number IS NULL AND held.verification = 'unverified'
        AND held.code <> ALL (row.codes)))
ON CONFLICT (gtin) WHERE merchant_id IS NULL DO UPDATE
  SET names = excluded.names, category = excluded.category, packaging = excluded.packaging,
      environmental_grade = excluded.environmental_grade, source = excluded.source, version = product.version + 1,
      updated_at = excluded.updated_at, withdrawn_at = NULL
RETURNING version
"""
_ADD_LABELS = """
INSERT INTO product_certificate (product_id, code)
SELECT product.product_id, code
FROM import_row AS row
JOIN product ON product.gtin = row.gtin AND product.merchant_id IS NULL
CROSS JOIN unnest(row.codes) AS code
ON CONFLICT (product_id, code) DO NOTHING
"""
_TAKE_LABELS = """
DELETE FROM product_certificate AS held USING import_row AS row, product
WHERE product.gtin = row.gtin AND product.merchant_id IS NULL AND held.product_id = product.product_id
  AND held.number IS NULL AND held.verification = 'unverified' AND held.code <> ALL (row.codes)
"""


def lock_import(connection: psycopg.Connection[Any]) -> bool:
    """Keep other imports out until the transaction ends; return False where one is under way."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(hashtext('catalog_import'))").fetchone()
    return bool(row and row[0])


def make_staging(connection: psycopg.Connection[Any]) -> None:
    """Make the staging tables, which are gone with the transaction."""
    for statement in _STAGING.split(";"):
        connection.execute(statement.encode())


def copy_rows(connection: psycopg.Connection[Any], rows: Iterable[Sequence[Any]]) -> list[tuple[int, str, int]]:
    """Copy rows of ``COLUMNS`` into staging; return (line, GTIN, earlier line) of those that repeat an earlier one."""
    connection.execute("TRUNCATE import_row")
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY import_row ({', '.join(COLUMNS)}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE import_row")
        cursor.execute(_SEE)
        return cursor.execute(_TAKE_REPEATED).fetchall()


def apply_rows(connection: psycopg.Connection[Any], moment: datetime) -> tuple[int, int]:
    """Bring shared products to what staging says; return how many were added and how many changed."""
    given = {"source": SOURCE, "moment": moment}
    versions = [row[0] for row in connection.execute(_UPSERT, given).fetchall()]
    connection.execute(_TAKE_LABELS)
    connection.execute(_ADD_LABELS)
    added = versions.count(1)
    return added, len(versions) - added
