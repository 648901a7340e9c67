"""Every route demands the credentials that it says, or stands on the public list."""

import re
from uuid import UUID

import pytest

from tests import world
from tests.answers import assert_problem

# What anybody may call. A route comes onto this list by a decision, not by forgetting a decorator.
PUBLIC = {
    "causes.list_causes",
    "causes.get_cause",
    "core.livez",
    "core.metrics",
    "core.readyz",
    "docs",
    "docs_asset",
    "members.refresh",
    "members.request_code",
    "members.sign_in",
    "openapi",
    "staff.sign_in",
}
KINDS = {"public", "member", "merchant", "staff"}
NOBODYS_ID = str(UUID(int=7))


def routes(app):
    """Yield (endpoint, method, a path that it answers) of every route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<uuid:\w+>", NOBODYS_ID, rule.rule)
        path = re.sub(r"<[^>]+>", "x", path)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, path


def access_of(app, endpoint):
    return getattr(app.view_functions[endpoint], "access", None)


def test_every_route_says_who_may_call_it(app):
    found = {endpoint: access_of(app, endpoint) for endpoint, _, _ in routes(app)}
    assert {endpoint: access for endpoint, access in found.items() if access not in KINDS} == {}
    assert {endpoint for endpoint, access in found.items() if access == "public"} == PUBLIC


def test_every_other_route_refuses_who_says_nothing(app, client, writes_nothing, subtests):
    for endpoint, method, path in routes(app):
        if endpoint not in PUBLIC:
            with subtests.test(f"{method} {path}"), writes_nothing():
                answer = client.open(path, method=method, json={})
                assert_problem(answer, 401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_route_refuses_the_other_kinds_of_caller(app, client, shop, customer, shopper, subtests):
    callers = {"merchant": shop.live, "member": shopper(customer.member_id)}
    for endpoint, method, path in routes(app):
        wanted = access_of(app, endpoint)
        for kind, headers in callers.items():
            if wanted not in ("public", kind):
                with subtests.test(f"{kind}: {method} {path}"):
                    assert_problem(client.open(path, method=method, headers=headers, json={}), 403, "forbidden")


def test_a_key_without_scopes_may_call_nothing_of_a_merchants(app, client, programme, subtests):
    bare = world.make_shop("bare-shop", scopes=[])
    for endpoint, method, path in routes(app):
        if access_of(app, endpoint) == "merchant":
            with subtests.test(f"{method} {path}"):
                assert_problem(client.open(path, method=method, headers=bare.live, json={}), 403, "forbidden")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_route_that_writes_is_one_transaction(method, app):
    """But for reports, returns and redemptions, each of which is one of its own, what writes nothing or takes long.

    The staff's sign-in hashes a password before it opens its transaction; an upload keeps none open for its picture.
    """
    own = {
        "activities.report_activity", "activities.report_activities", "activities.preview", "returns.return_goods",
        "returns.return_many", "reconciliations.reconcile", "redemptions.redeem_reward", "staff.sign_in",
        "evidence.upload_evidence",
    }  # fmt: skip
    open_ = {
        endpoint for endpoint, verb, _ in routes(app)
        if verb == method and not getattr(app.view_functions[endpoint], "transactional", False)
    }  # fmt: skip
    assert open_ - own == set()
