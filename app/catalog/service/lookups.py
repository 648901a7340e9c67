"""What the award path knows of products, from memory: products that are known cost no query.

Merchants are shared out over ``PARTITIONS``: a change forgets what is known of the products of one of these alone, in
every process, as ``core.cache`` says. A partition keeps at most ``KEPT_MAX`` keys.
"""

from uuid import UUID

from app.core.cache import bump

PARTITIONS = 64
SHARED = "products/shared"


def _partition(merchant_id: UUID) -> str:
    return f"products/{merchant_id.int % PARTITIONS:02d}"


def forget_products(merchant_id: UUID | None) -> None:
    """Say, in the open unit of work, that products of the merchant, or with None the shared ones, have changed."""
    bump(SHARED if merchant_id is None else _partition(merchant_id))
