from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from app.members import service as members
from app.merchants import service
from app.staff import service as staff


@pytest.fixture
def moment():
    return datetime.now(UTC)


@pytest.fixture
def shop(app, moment):
    """A merchant with a live and a test key."""
    made = service.create_merchant(key="shop", name="Shop", time_zone="UTC", currency="EUR", moment=moment)
    live = service.issue_key(made.merchant_id, live=True, moment=moment)
    test = service.issue_key(made.merchant_id, live=False, moment=moment)
    return SimpleNamespace(id=made.merchant_id, key_id=live[0], key=live[1], test_key=test[1])


@pytest.fixture
def member(app, moment):
    return members.enrol_member(moment=moment)


@pytest.fixture
def member_token(member, moment):
    return members.start_session(member.member_id, moment).access_token


@pytest.fixture
def staff_token(app, moment):
    """A function that returns a token for staff with the given roles."""

    def make(*roles):
        staff_id, _ = staff.create_staff(
            email=f"{'-'.join(roles)}@example.org", name="Ada", password="a long pass phrase", roles=roles,
            moment=moment,
        )  # fmt: skip
        return staff.issue_token(staff_id)[0]

    return make


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
