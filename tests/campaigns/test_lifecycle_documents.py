"""Campaign documents in and out: created, changed, copied, exported, imported, listed; each version kept for good."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from app.campaigns.errors import CampaignClosed
from app.campaigns.service import save_campaign
from app.core.clock import now
from app.core.database import driver_connection
from tests import world
from tests.answers import assert_problem
from tests.campaigns.conftest import PATH, Desk
from tests.campaigns.documents import campaign_document, rule_document


def changed(points: int, **more: Any) -> dict[str, Any]:
    return campaign_document(rule_document(award={"type": "fixed", "points": points}), **more)


def test_a_campaign_is_made_as_a_draft(desk: Desk) -> None:
    answer = desk.create()
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    who = str(desk.editor.staff_id)
    assert answer.json == {
        "id": answer.json["id"], "key": "spring", "labels": {"en": "Spring"}, "state": "draft", "version": 1,
        "in_force_version": None, "change": None, "document": campaign_document(), "budget": None,
        "exposure_points": None, "needs_approval": True, "warnings": [], "override_reason": None, "rejection": None,
        "created_by": who, "created_at": answer.json["created_at"],
        "updated_by": who, "updated_at": answer.json["created_at"],
    }  # fmt: skip
    for name in ("spring", answer.json["id"], answer.json["id"].upper()):
        found = desk.get(name, by=world.make_staff("viewer"))
        assert (found.json, found.headers["ETag"]) == (answer.json, '"1"')


def test_a_key_that_looks_like_another_s_id_names_that_other(desk: Desk) -> None:
    first = desk.create().json
    second = desk.create(campaign_document(key=first["id"])).json
    assert desk.get(first["id"]).json["key"] == "spring"
    assert desk.get(second["id"]).json["key"] == first["id"]


@pytest.mark.parametrize("key", ["import", "export", "0", "versions"])
def test_a_key_may_be_a_word_of_the_paths(desk: Desk, key: str) -> None:
    desk.create(campaign_document(key=key))
    assert desk.get(key).json["key"] == key
    assert desk.run("submit", "approve", "activate", key=key)["state"] == "active"


def test_a_key_is_taken_once(desk: Desk, writes_nothing: Callable[[], Any]) -> None:
    made = desk.create().json
    exported = {"format": "greenpoints-campaign/1", "campaign": campaign_document()}
    with writes_nothing():
        for answer in (
            desk.create(),
            desk.client.post(f"{PATH}/import", json=exported, headers=desk.editor.headers),
            desk.client.post(f"{PATH}/spring/copy", json={"key": "spring"}, headers=desk.editor.headers),
        ):
            assert_problem(answer, 409, "campaign_key_taken")
            assert answer.json["campaign_id"] == made["id"]


@pytest.mark.parametrize(
    ("document", "pointer"),
    [(changed(0), "/rules/0/award/points"), (campaign_document(colour="green"), "/colour"),
     (campaign_document(rule_document(when="activity.total >")), "/rules/0/when"),
     (campaign_document(ends_at="2025-01-01T00:00:00Z"), "/ends_at"), ([], ""), ("x", ""), (5, "")],
)  # fmt: skip
def test_a_document_that_does_not_fit_is_refused_and_nothing_is_written(
    desk: Desk, document: Any, pointer: str, writes_nothing: Callable[[], Any]
) -> None:
    desk.create()
    headers = desk.editor.headers | {"If-Match": desk.etag()}
    with writes_nothing():
        assert_problem(
            desk.client.post(PATH, json=document, headers=headers), 422, "validation_failed", pointer
        )  # fmt: skip
        answer = desk.client.put(f"{PATH}/spring", json=document, headers=headers)
        assert_problem(answer, 422, "validation_failed", pointer)
        exported = {"format": "greenpoints-campaign/1", "campaign": document}
        answer = desk.client.post(f"{PATH}/import", json=exported, headers=headers)
        assert_problem(answer, 422, "validation_failed", f"/campaign{pointer}")


def test_a_put_makes_a_version_and_the_same_document_none(desk: Desk) -> None:
    first = desk.create(changed(10))
    same = desk.put(changed(10) | {"priority": 100, "ends_at": None})
    assert (same.status_code, same.json, same.headers["ETag"]) == (200, first.json, first.headers["ETag"])
    second = desk.put(changed(11), by=desk.second_editor)
    assert (second.json["version"], second.json["document"]) == (2, changed(11))
    assert second.headers["ETag"] != first.headers["ETag"]
    assert (second.json["created_by"], second.json["updated_by"]) == (
        str(desk.editor.staff_id), str(desk.second_editor.staff_id),
    )  # fmt: skip
    assert_problem(desk.put(changed(12), etag=first.headers["ETag"]), 412, "precondition_failed")
    assert [version["document"] for version in desk.versions()] == [changed(11), changed(10)]


def test_what_was_read_can_be_sent_back(desk: Desk) -> None:
    desk.create(changed(10, ends_at=None, time_zone="Asia/Shanghai"))
    seen = desk.get()
    assert desk.put(seen.json["document"]).headers["ETag"] == seen.headers["ETag"]


def test_a_campaign_keeps_its_key(desk: Desk) -> None:
    desk.create()
    assert_problem(desk.put(campaign_document(key="summer")), 422, "validation_failed", "/key")


def test_a_copy_and_an_import_are_new_drafts_of_the_newest_document(desk: Desk) -> None:
    desk.create(changed(10))
    desk.put(changed(11))
    desk.run("archive")
    copied = desk.client.post(f"{PATH}/spring/copy", json={"key": "autumn"}, headers=desk.second_editor.headers)
    assert (copied.status_code, copied.json["state"], copied.json["version"]) == (201, "draft", 1)
    assert copied.json["document"] == changed(11, key="autumn")
    assert copied.json["created_by"] == str(desk.second_editor.staff_id)
    exported = desk.client.get(f"{PATH}/autumn/export", headers=desk.editor.headers).json
    assert exported == {"format": "greenpoints-campaign/1", "campaign": changed(11, key="autumn")}
    exported["campaign"]["key"] = "winter"
    imported = desk.client.post(f"{PATH}/import", json=exported, headers=desk.editor.headers)
    assert (imported.status_code, imported.headers["ETag"], imported.json["state"]) == (201, '"1"', "draft")
    assert imported.json["document"] == changed(11, key="winter")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"format": "greenpoints-campaign/2", "campaign": campaign_document()}, "/format"),
     ({"campaign": campaign_document()}, "/format"), ({"format": "greenpoints-campaign/1"}, "/campaign"),
     ({"format": "greenpoints-campaign/1", "campaign": campaign_document(), "more": 1}, "/more"), ([], "")],
)  # fmt: skip
def test_what_is_no_export_is_not_imported(desk: Desk, body: Any, pointer: str) -> None:
    answer = desk.client.post(f"{PATH}/import", json=body, headers=desk.editor.headers)
    assert_problem(answer, 422, "validation_failed", pointer)


@pytest.mark.parametrize("key", ["", "Not A Key", "x" * 64, None, 5])
def test_a_copy_needs_a_key(desk: Desk, key: Any) -> None:
    desk.create()
    answer = desk.client.post(f"{PATH}/spring/copy", json={"key": key}, headers=desk.editor.headers)
    assert_problem(answer, 422, "validation_failed", "/key")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": None}])
def test_a_rejection_needs_a_reason(desk: Desk, body: Any) -> None:
    desk.create()
    desk.run("submit")
    headers = desk.approver.headers | {"If-Match": desk.etag()}
    answer = desk.client.post(f"{PATH}/spring/reject", json=body, headers=headers)
    assert_problem(answer, 422, "validation_failed", "/reason")


def test_the_list_is_paged_and_filtered(desk: Desk) -> None:
    for number in range(5):
        desk.create(campaign_document(key=f"campaign-{number}"))
    desk.run("submit", key="campaign-1")

    def page(query: str) -> Any:
        return desk.client.get(f"{PATH}?{query}", headers=desk.editor.headers)

    first = page("limit=3").json
    rest = page(f"limit=3&cursor={first['next_cursor']}").json
    found = first["data"] + rest["data"]
    assert [each["key"] for each in found] == [f"campaign-{number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next_cursor"] is None
    one = desk.get("campaign-4").json
    assert found[0] == {name: value for name, value in one.items() if name in found[0]}
    assert "document" not in found[0]
    assert [each["key"] for each in page("state=submitted").json["data"]] == ["campaign-1"]
    assert page("state=active").json["data"] == []
    assert_problem(page("state=open"), 422, "validation_failed", "/state")
    assert_problem(page(f"state=draft&cursor={first['next_cursor']}"), 400, "invalid_cursor")


def test_the_history_says_who_did_what_and_when(desk: Desk) -> None:
    desk.create(changed(10))
    desk.run("submit", "approve", "activate")
    desk.put(changed(11), by=desk.second_editor)
    desk.run("submit", "reject")
    second, first = desk.versions()
    editor, approver = str(desk.editor.staff_id), str(desk.approver.staff_id)
    assert (first["version"], first["state"], first["document"]) == (1, "in_force", changed(10))
    assert (first["created_by"], first["submitted_by"], first["approved_by"], first["activated_by"]) == (
        editor, editor, approver, editor,
    )  # fmt: skip
    moments = [first[name] for name in ("created_at", "submitted_at", "approved_at", "active_from")]
    assert moments == sorted(moments)
    assert (second["state"], second["created_by"]) == ("draft", str(desk.second_editor.staff_id))
    assert (second["rejected_by"], second["reject_reason"], second["active_from"]) == (approver, "Not yet", None)
    path = f"{PATH}/spring/versions?limit=1"
    page = desk.client.get(path, headers=desk.editor.headers).json
    assert page["data"] == [second]
    page = desk.client.get(f"{path}&cursor={page['next_cursor']}", headers=desk.editor.headers).json
    assert page == {"data": [first], "next_cursor": None}


def test_the_audit_log_has_every_step_with_before_and_after(desk: Desk) -> None:
    desk.create(changed(10))
    desk.run("submit", "reject", "submit", "approve", "activate", "pause", "activate")
    desk.put(changed(11))
    desk.put(changed(11))
    desk.run("end", "archive")
    found = desk.audit()
    verbs = [entry["action"].removeprefix("campaign.") for entry in found]
    assert verbs == [
        "created", "submitted", "rejected", "submitted", "approved", "activated", "paused", "activated", "changed",
        "ended", "archived",
    ]  # fmt: skip
    assert (found[0]["before"], found[0]["after"]["document"]) == (None, changed(10))
    states = ["draft", "submitted", "draft", "submitted", "approved", "active", "paused", "active", "active", "ended",
              "archived"]  # fmt: skip
    assert [entry["after"]["state"] for entry in found] == states
    assert [entry["before"]["state"] for entry in found[1:]] == states[:-1]
    change = found[8]
    assert (change["before"]["document"], change["after"]["document"]) == (changed(10), changed(11))
    assert found[2]["after"]["reject_reason"] == "Not yet"
    people = {str(desk.editor.staff_id): "editor", str(desk.approver.staff_id): "approver"}
    who = [people[entry["staff"]["id"]] for entry in found]
    assert [verb for verb, person in zip(verbs, who, strict=True) if person == "approver"] == ["rejected", "approved"]


def test_a_trusted_import_is_in_force_and_audited_as_nobody_s(desk: Desk) -> None:
    save_campaign(changed(10))
    shown = desk.get().json
    assert (shown["state"], shown["in_force_version"], shown["created_by"]) == ("active", 1, None)
    assert [(entry["action"], entry["staff"]) for entry in desk.audit()] == [("campaign.saved", None)]


def test_a_trusted_import_takes_the_place_of_a_draft_and_keeps_a_pause_and_an_end(desk: Desk) -> None:
    desk.create(changed(10))
    version_id = save_campaign(changed(10))
    shown = desk.get().json
    assert (shown["state"], shown["version"], shown["in_force_version"]) == ("active", 1, 1)
    assert save_campaign(changed(10)) == version_id
    desk.run("pause")
    save_campaign(changed(11))
    assert (desk.get().json["state"], desk.get().json["in_force_version"]) == ("paused", 2)
    desk.run("end")
    for document in (changed(11), changed(12)):
        with pytest.raises(CampaignClosed):
            save_campaign(document)
    assert desk.get().json["version"] == 2


def test_a_version_that_begins_later_waits_for_its_day(desk: Desk) -> None:
    save_campaign(changed(10))
    save_campaign(changed(11), active_from=now() + timedelta(days=1))
    assert [version["state"] for version in desk.versions()] == ["scheduled", "in_force"]
    assert (desk.get().json["in_force_version"], desk.get().json["change"]) == (1, None)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE campaign_version SET document = '{}'", "UPDATE campaign_version SET number = 7",
     "UPDATE campaign_version SET created_by = NULL", "DELETE FROM campaign_version"],
)  # fmt: skip
def test_the_application_can_t_change_a_document_that_is_stored(app: Flask, desk: Desk, statement: str) -> None:
    desk.create()
    with driver_connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_the_database_itself_refuses_an_approval_of_one_s_own(app: Flask, desk: Desk) -> None:
    desk.create()
    campaign_id = UUID(desk.get().json["id"])
    with driver_connection() as connection, pytest.raises(psycopg.errors.CheckViolation, match="second_person"):
        connection.execute(
            "UPDATE campaign_version SET state = 'approved', approved_at = created_at, approved_by = created_by"
            " WHERE campaign_id = %s",
            [campaign_id],
        )
