"""Change the products of one merchant: what differs is written, and nothing that staff found is carried over a change.

1. A product that is named again is the one that was withdrawn.
2. A verified certificate of which anything changes has to be verified again.
3. A rejected one stays rejected until staff verify it or it has another number. Taken off its product it is kept, so
   that it comes back as what it was.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import scoped_session

from app.catalog import product_queries as queries
from app.catalog.gtin import normalise_gtin
from app.catalog.models import Product, ProductCertificate
from app.catalog.numbers import normalise_number
from app.catalog.service.showing import CERTIFICATE_FIELDS, shown
from app.core.ids import new_id
from app.merchants.service import MerchantPrincipal
from app.staff import service as staff

_Stated = Mapping[str, Any]


class Shelf:
    """The products of a merchant that are to be changed, in an open unit of work; no other changes them meanwhile."""

    def __init__(
        self, session: scoped_session[Any], merchant: MerchantPrincipal, skus: Collection[str], moment: datetime
    ) -> None:
        self._session, self._merchant, self._moment = session, merchant, moment
        queries.lock_shelf(session, merchant.id, merchant.live)
        self._products = {
            product.sku: product for product in queries.lock_by_sku(session, merchant.id, merchant.live, skus)
        }
        self._certificates: dict[UUID, dict[str, ProductCertificate]] = {}
        ids = [product.product_id for product in self._products.values()]
        for row in queries.list_certificates(session, ids, with_withdrawn=True):
            self._certificates.setdefault(row.product_id, {})[row.code] = row
        self._new: list[Product] = []
        self._added: list[ProductCertificate] = []
        self.is_changed = False

    def put(self, sku: str, read: _Stated) -> tuple[dict[str, Any], bool]:
        """Make the product of ``sku`` what ``read`` says; return it as its merchant sees it, and whether it is new."""
        product = self._products.get(sku)
        is_new = product is None or product.withdrawn_at is not None
        if product is None:
            product = self._products[sku] = Product(
                product_id=new_id(), merchant_id=self._merchant.id, live=self._merchant.live, sku=sku, version=0,
                created_at=self._moment,
            )  # fmt: skip
            self._new.append(product)
        values = {
            "gtin": read["gtin"] and normalise_gtin(read["gtin"]),
            "names": read["names"],
            "category": read["category"],
            "packaging": list(dict.fromkeys(read["packaging"])),
            "withdrawn_at": None,
        }
        has_changed = [name for name, value in values.items() if getattr(product, name) != value]
        for name in has_changed:
            setattr(product, name, values[name])
        if self._put_certificates(product, read["certificates"]) or has_changed or is_new:
            product.version += 1
            product.updated_at = self._moment
            self.is_changed = True
        held = self._certificates[product.product_id]
        return shown(product, [held[code] for code in sorted(held)]), is_new

    def _put_certificates(self, product: Product, stated: Sequence[_Stated]) -> bool:
        held = self._certificates.setdefault(product.product_id, {})
        has_changed = False
        for each in stated:
            row = held.get(each["code"])
            if row is None:
                row = held[each["code"]] = ProductCertificate(
                    product_id=product.product_id, verification="unverified", is_withdrawn=False, **each
                )
                self._added.append(row)
                has_changed = True
            elif self._change(row, each):
                has_changed = True
        for code in held.keys() - {each["code"] for each in stated}:
            if self._take_off(held, code):
                has_changed = True
        return has_changed

    def _change(self, row: ProductCertificate, stated: _Stated) -> bool:
        before = {name: getattr(row, name) for name in CERTIFICATE_FIELDS}
        after = {name: stated[name] for name in CERTIFICATE_FIELDS}
        if before == after and not row.is_withdrawn:
            return False
        for name, value in after.items():
            setattr(row, name, value)
        row.is_withdrawn = False
        is_other = normalise_number(before["number"] or "") != normalise_number(after["number"] or "")
        if (row.verification == "verified" and before != after) or (row.verification == "rejected" and is_other):
            was = row.verification
            row.verification, row.checked_at, row.checked_by, row.reason = "unverified", None, None, None
            self._audit(row, was, before, after)
        return True

    def _take_off(self, held: dict[str, ProductCertificate], code: str) -> bool:
        row = held[code]
        if row.verification == "rejected":
            was_there = not row.is_withdrawn
            row.is_withdrawn = True
            return was_there
        del held[code]
        if row in self._added:
            self._added.remove(row)
        else:
            self._session.delete(row)
        return True

    def _audit(self, row: ProductCertificate, was: str, before: _Stated, after: _Stated) -> None:
        by = {"code": row.code, "merchant": self._merchant.merchant_key}
        staff.record_audit(
            "product_certificate.changed", "product", row.product_id,
            before={**by, **before, "verification": was}, after={**by, **after, "verification": row.verification},
            moment=self._moment,
        )  # fmt: skip

    def write(self) -> None:
        """Write what has changed: products before their certificates."""
        self._session.add_all(self._new)
        self._session.flush()
        self._session.add_all(self._added)
        self._session.flush()
