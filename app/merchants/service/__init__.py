"""Use cases of the merchants."""

from app.merchants.service.customers import (
    CustomerFacts,
    get_customer,
    ids_by_ref,
    link_customer,
    link_customers,
    linked_members,
    unlink_customer,
)
from app.merchants.service.keys import (
    SCOPES,
    MerchantPrincipal,
    authenticate,
    issue_key,
    principal_of,
    revoke_key,
    rotate_key,
)
from app.merchants.service.merchants import (
    PROGRAMME_ID,
    PROGRAMME_KEY,
    MerchantFacts,
    create_merchant,
    find_merchant_by_key,
    get_merchant,
    list_merchants,
    load_reference,
)
from app.merchants.service.test_members import check_test_member, make_test_member

__all__ = [
    "PROGRAMME_ID",
    "PROGRAMME_KEY",
    "SCOPES",
    "CustomerFacts",
    "MerchantFacts",
    "MerchantPrincipal",
    "authenticate",
    "check_test_member",
    "create_merchant",
    "find_merchant_by_key",
    "get_customer",
    "get_merchant",
    "ids_by_ref",
    "issue_key",
    "link_customer",
    "link_customers",
    "linked_members",
    "list_merchants",
    "load_reference",
    "make_test_member",
    "principal_of",
    "revoke_key",
    "rotate_key",
    "unlink_customer",
]
