"""Store campaign documents as immutable versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError

from app.campaigns import lifecycle, queries
from app.campaigns.errors import CampaignKeyTaken
from app.campaigns.models import CampaignVersion
from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.budgets import check_budget
from app.campaigns.service.changing import audit, changing, may_go_alone, new_version, put_in_force
from app.campaigns.service.checks import check_document, read_document
from app.campaigns.service.reading import get_campaign
from app.core.auth import Principal
from app.core.clock import now
from app.core.errors import ValidationProblem
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.unit_of_work import unit_of_work

_schema = CampaignSchema()


def create_campaign(caller: Principal, document: dict[str, Any], verb: str = "created") -> dict[str, Any]:
    """Store ``document`` as the first version of a new campaign, a draft, and return the campaign.

    ``verb`` is how the audit log names it. Raises ValidationProblem, CampaignKeyTaken.
    """
    read = read_document(document)
    findings = check_document(read)
    campaign_id, moment = new_id(), now()
    with unit_of_work() as session:
        if not queries.insert_campaign(session, campaign_id, read["key"], caller.id, moment):
            raise CampaignKeyTaken(campaign_id=queries.find_campaign_id(session, read["key"]))
        new_version(campaign_id, 1, document, findings, caller.id, moment)
        after = {"key": read["key"], "state": "draft", "version": 1, "document": document}
        audit(verb, campaign_id, None, after, moment)
        return get_campaign(campaign_id)


def copy_campaign(caller: Principal, campaign_id: UUID, key: str) -> dict[str, Any]:
    """Store the newest version of a campaign, over or not, as a new one under ``key``, a draft; return the new one.

    Raises CampaignNotFound, CampaignKeyTaken.
    """
    return create_campaign(caller, get_campaign(campaign_id)["document"] | {"key": key}, "copied")


def import_campaign(caller: Principal, exported: dict[str, Any]) -> dict[str, Any]:
    """Store what ``export_campaign`` returned, here or elsewhere, as a new campaign, a draft, and return it.

    A campaign of that key is not changed: whoever wants that has to have seen it. Raises ValidationProblem,
    CampaignKeyTaken.
    """
    try:
        return create_campaign(caller, exported["campaign"], "imported")
    except ValidationProblem as problem:
        places = [each | {"pointer": f"/campaign{each['pointer']}"} for each in problem.errors or []]
        raise ValidationProblem(places) from problem


def change_campaign(caller: Principal, campaign_id: UUID, document: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Store ``document`` as the campaign's newest version and return the campaign; the same one changes nothing.

    Of a campaign that runs it is in force at once where one person alone may do that, or where it is what pays
    already; otherwise it waits, while the version in force pays on. A campaign that never ran is a draft again.
    Raises ValidationProblem, CampaignNotFound, PreconditionFailed, CampaignClosed.
    """
    read = read_document(document)
    findings = check_document(read)
    with changing(campaign_id, seen, "changed", caller.id) as opened:
        opened.check_open()
        if read["key"] != opened.campaign.key:
            detail = f"A campaign keeps its key, {opened.campaign.key!r}; copy it to have it under another."
            raise ValidationProblem([{"pointer": "/key", "detail": detail}])
        if not _is_same(opened.newest, document, read):
            check_budget(campaign_id, lifecycle.budget_points(read))
            number = opened.newest.number + 1
            opened.newest = new_version(campaign_id, number, document, findings, caller.id, opened.moment)
            if opened.campaign.state not in lifecycle.RUNNING:
                opened.campaign.state = "draft"
            elif _is_same(opened.in_force, document, read) or may_go_alone(opened.newest, findings):
                put_in_force(opened)
    return get_campaign(campaign_id)


def save_campaign(document: dict[str, Any], active_from: datetime | None = None) -> UUID:
    """Put ``document`` in force as the newest version of the campaign of its key, and return the version's id.

    For what is trusted, such as a command: it makes the campaign and asks nobody. The version pays for activities that
    occurred from ``active_from`` on, by default from now; a paused campaign stays paused. The same document as the
    newest version in force changes nothing. Raises ValidationProblem, CampaignClosed.
    """
    read = read_document(document)
    findings = check_document(read, beside_others=False)
    with unit_of_work() as session:
        moment, campaign_id = now(), new_id()
        if queries.insert_campaign(session, campaign_id, read["key"], None, moment):
            new_version(campaign_id, 1, document, findings, None, moment)
        else:
            campaign_id = queries.find_campaign_id(session, read["key"]) or campaign_id
        with changing(campaign_id, None, "saved", None) as opened:
            opened.check_open()
            if not _is_same(opened.newest, document, read):
                number = opened.newest.number + 1
                opened.newest = new_version(campaign_id, number, document, findings, None, opened.moment)
            if opened.waiting is not None:
                put_in_force(opened, active_from or opened.moment)
            version_id: UUID = opened.newest.campaign_version_id
    return version_id


def _is_same(version: CampaignVersion | None, document: dict[str, Any], read: dict[str, Any]) -> bool:
    """Return whether a stored version says the same: what is left out and what is written as its default is equal."""
    if version is None:
        return False
    try:
        return version.document == document or _schema.load(version.document) == read
    except ValidationError:  # stored under rules that were wider than today's
        return False
