"""The packaging options for orders and parcels that a merchant offers."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.catalog import product_queries as queries
from app.catalog.models import PackagingOffer
from app.catalog.service.lookups import forget_products
from app.catalog.service.reference import reference
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.strict_json import pointer
from app.core.unit_of_work import unit_of_work
from app.merchants.service import MerchantPrincipal


def get_offers(merchant: MerchantPrincipal) -> dict[str, Any]:
    """Return what the merchant offers, None where it has not said, and all the options that there are."""
    found = queries.find_offers(db.session, merchant.id, merchant.live)
    options = [asdict(option) for _, option in sorted(reference().packaging.items())]
    return {"offers": None if found is None else found.offers, "options": options}


def put_offers(merchant: MerchantPrincipal, codes: Sequence[str] | None, moment: datetime) -> dict[str, Any]:
    """Say which options for orders and parcels the merchant offers, None for all; return what ``get_offers`` does.

    Raises ValidationProblem for what is no such option; those of a line belong to its product.
    """
    faults = []
    for place, code in enumerate(codes or ()):
        option = reference().packaging.get(code)
        if option is None:
            faults.append({"pointer": pointer("offers", place), "detail": f"{code!r} is no packaging option."})
        elif option.applies_to == "line":
            detail = f"{code} belongs to a product: name it there."
            faults.append({"pointer": pointer("offers", place), "detail": detail})
    if faults:
        raise ValidationProblem(faults)
    with unit_of_work() as session:
        queries.lock_shelf(session, merchant.id, merchant.live)
        found = queries.find_offers(session, merchant.id, merchant.live)
        if codes is None:
            if found is not None:
                session.delete(found)
        elif found is None:
            session.add(
                PackagingOffer(
                    merchant_id=merchant.id, live=merchant.live, offers=sorted(set(codes)), updated_at=moment
                )
            )
        elif found.offers != sorted(set(codes)):
            found.offers, found.updated_at = sorted(set(codes)), moment
        session.flush()
        forget_products(merchant.id)
        return get_offers(merchant)
