"""Set the demo up: reference data, programme, merchant, staff and households; doing it again changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from app.campaigns import service as campaigns
from app.catalog import service as catalog
from app.core.clock import now
from app.core.codes import make_code
from app.core.errors import Unauthorized
from app.core.unit_of_work import unit_of_work
from app.demo.credentials import DemoSecrets, load_secrets, save_secrets
from app.demo.mapping import load_mapping
from app.demo.team import ensure_team
from app.impact import service as impact
from app.members import service as members
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption.service import offer_reward

MERCHANT_KEY = "demo-grocer"
DEMO_HOUSEHOLD = 900  # the household of the data's very first basket
DEMO_ADDRESS = "shopper@greenpoints.example"
_PROGRAMME = Path(__file__).with_name("programme.json")
_CAMPAIGNS = Path(__file__).with_name("campaigns")
_REWARDS = Path(__file__).with_name("rewards")
_POOL_CODES, _POOL_TEST_CODES, _POOL_CODE_LENGTH = 200, 50, 9


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the demo works with."""

    merchant_id: UUID
    member_id: UUID
    secrets: DemoSecrets


def ref_of(household: int) -> str:
    """Return the demo merchant's reference of a household."""
    return f"household-{household}"


def _documents(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def campaign_documents() -> list[dict[str, Any]]:
    """Return the documents of the demo's campaigns, each from its own file, by the names of these."""
    return _documents(_CAMPAIGNS)


def reward_documents() -> list[dict[str, Any]]:
    """Return the documents of the demo's rewards, each from its own file, by the names of these."""
    return _documents(_REWARDS)


def load_programme() -> None:
    """Store the demo's settings where none stand there yet, and its campaigns but for those that staff changed.

    The merchant who funds one is there already. A version pays from its campaign's start on, so that baskets of the
    past are paid too; one that starts later is in force already, so that shoppers see it coming.
    """
    with unit_of_work():
        if programme.current().version == 0:
            programme.change(json.loads(_PROGRAMME.read_text(encoding="utf-8")))
        moment = now()
        for document in campaign_documents():
            if not campaigns.is_of_staff(document["key"]):
                campaigns.save_campaign(document, min(datetime.fromisoformat(document["starts_at"]), moment))


def load_rewards() -> None:
    """Publish the demo's rewards that are not there yet, a pool with codes that a partner could have printed.

    The merchant who gives them is there already.
    """
    for document in reward_documents():
        is_pool = document["kind"] == "voucher_pool"
        offer_reward(
            document,
            codes=[make_code(_POOL_CODE_LENGTH) for _ in range(_POOL_CODES if is_pool else 0)],
            test_codes=[make_code(_POOL_CODE_LENGTH) for _ in range(_POOL_TEST_CODES if is_pool else 0)],
        )


def _merchant(moment: datetime) -> UUID:
    found = merchants.find_merchant_by_key(MERCHANT_KEY)
    if found is None:
        found = merchants.create_merchant(
            key=MERCHANT_KEY, name="Demo Grocer", time_zone="UTC", currency="USD", moment=moment
        )
    return found.merchant_id


def _key(merchant_id: UUID, known: str, live: bool, moment: datetime) -> str:
    """Return ``known`` where it is still a key of the merchant, and a new one otherwise."""
    if known:
        try:
            if merchants.authenticate(known).id == merchant_id:
                return known
        except Unauthorized:
            known = ""
    grade = load_mapping().constants["evidence"]
    return merchants.issue_key(merchant_id, live=live, max_evidence=grade, label="demo", moment=moment)[1]


def _enrol(merchant_id: UUID, households: Sequence[int], moment: datetime) -> None:
    """Enrol and link the households that are not linked yet; a half-done enrolment leaves nobody behind."""
    refs = [ref_of(household) for household in households]
    with unit_of_work():
        missing = sorted(set(refs) - merchants.ids_by_ref(merchant_id, True, refs).keys())
        enrolled = members.enrol_many(len(missing), moment=moment)
        links = [(ref, member.member_id) for ref, member in zip(missing, enrolled, strict=True)]
        merchants.link_customers(merchant_id, True, links, moment)


def _demo_member(merchant_id: UUID, moment: datetime) -> UUID:
    """Return the member that the demo signs in as, who can also sign in by a code sent to an address."""
    ref = ref_of(DEMO_HOUSEHOLD)
    with unit_of_work():
        known = merchants.ids_by_ref(merchant_id, True, [ref])
        if known:
            return known[ref]
        member = members.enrol_member(address=DEMO_ADDRESS, moment=moment)
        merchants.link_customers(merchant_id, True, [(ref, member.member_id)], moment)
        return member.member_id


def find_demo_member() -> UUID | None:
    """Return the member that the demo signs in as, None before the demo was set up."""
    merchant = merchants.find_merchant_by_key(MERCHANT_KEY)
    if merchant is None:
        return None
    return merchants.ids_by_ref(merchant.merchant_id, True, [ref_of(DEMO_HOUSEHOLD)]).get(ref_of(DEMO_HOUSEHOLD))


def prepare(data_dir: Path, base_url: str, households: Sequence[int]) -> Prepared:
    """Make sure of everything that the baskets of ``households`` need, and remember the secrets in ``data_dir``."""
    moment = now()
    catalog.load_reference()
    impact.load_reference()
    merchant_id = _merchant(moment)
    load_programme()
    load_rewards()
    member_id = _demo_member(merchant_id, moment)
    _enrol(merchant_id, households, moment)
    known = load_secrets(data_dir)
    secrets = DemoSecrets(
        base_url=base_url,
        merchant_key=_key(merchant_id, known.merchant_key, True, moment),
        merchant_test_key=_key(merchant_id, known.merchant_test_key, False, moment),
        staff=ensure_team(known.staff, moment),
    )
    save_secrets(data_dir, secrets)
    return Prepared(merchant_id, member_id, secrets)
