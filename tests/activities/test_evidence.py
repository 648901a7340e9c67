"""Uploading evidence over HTTP: what is taken in, who sees it again, what is found to be the same picture."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from uuid import UUID

import psycopg
import pytest

from app.activities import evidence_queries
from app.activities.evidence import KEPT_UNCITED, UPLOAD_BYTES_MAX, cite, forget_uncited, of_activities
from app.activities.evidence_errors import EvidenceNotFound, EvidenceUsed
from app.core import uploads as core_uploads
from app.core.clock import now
from app.core.ids import new_id
from app.core.unit_of_work import unit_of_work
from app.core.uploads import StoreUnavailable, Uploads
from tests import world
from tests.activities.pictures import encoded, exif_with_place, huge_png, jpeg, opened, photo, zip_file
from tests.answers import assert_problem

PATH = "/v1/me/evidence"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.fixture
def member(shop):
    return world.make_customers(shop, 1)[0]


@pytest.fixture
def upload(client, member, shopper):
    """A function that sends a picture, by default as the member."""

    def send(raw, media="image/jpeg", by=None, **options):
        headers = shopper((by or member).member_id)
        return client.post(PATH, data=raw, content_type=media, headers=headers, **options)

    return send


@pytest.fixture
def query(settings):
    """A function that returns the rows of a statement, as the owner."""

    def run(statement, *values):
        with psycopg.connect(settings.database_owner_url) as connection:
            return connection.execute(statement, values).fetchall()

    return run


@pytest.fixture
def folder(settings):
    return Path(settings.data_dir) / core_uploads.FOLDER


def files(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def as_form(raw):
    """Return the body of a form with one file; the test client would leave a large one in an open file."""
    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="me.jpg"\r\n\r\n'
    return head + raw + b"\r\n--x--\r\n"


def reused_of(query, answer):
    [row] = query("SELECT reused_evidence_id FROM evidence WHERE evidence_id = %s", answer.json["id"])
    return None if row[0] is None else str(row[0])


def cite_one(member, answer, activity_id=None):
    activity_id = activity_id or new_id()
    with unit_of_work():
        was_used = cite(member.member_id, [UUID(answer.json["id"])], activity_id, now())
    return activity_id, was_used


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_taken_in_and_its_owner_sees_it_again(client, upload, member, shopper, form):
    answer = upload(encoded(photo(), form, exif=exif_with_place().tobytes()), f"image/{form.lower()}")
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == {"id", "width", "height", "bytes", "reused", "created_at", "expires_at"}
    assert (answer.json["width"], answer.json["height"], answer.json["reused"]) == (480, 360, False)
    seen = client.get(f"{PATH}/{answer.json['id']}", headers=shopper(member.member_id))
    assert (seen.status_code, seen.content_type) == (200, "image/jpeg")
    assert seen.headers["Cache-Control"] == "private, no-store"
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert len(seen.data) == answer.json["bytes"]
    assert opened(seen.data).size == (480, 360)
    assert b"Secretphone" not in seen.data
    assert dict(opened(seen.data).getexif()) == {}


def test_a_form_with_one_file_does_as_well(upload):
    for raw in (jpeg(), jpeg(2) + b"\x00" * 3_000_000):
        answer = upload(as_form(raw), "multipart/form-data; boundary=x")
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "form",
    [{}, {"picture": "text"}, {"photo": (io.BytesIO(b"x"), "x.jpg")},
     {"picture": (io.BytesIO(b"x"), "x.jpg"), "more": "1"},
     {"picture": [(io.BytesIO(b"x"), "x.jpg"), (io.BytesIO(b"y"), "y.jpg")]}],
    ids=["nothing", "a text", "another name", "a field more", "two files"],
)  # fmt: skip
def test_a_form_that_is_not_one_file_is_refused(upload, form):
    assert_problem(upload(form, "multipart/form-data"), 422, "validation_failed", "/picture")


def test_a_form_that_is_no_form_is_refused(upload):
    answer = upload(b"--x\r\nContent-Disposition: nonsense", "multipart/form-data; boundary=x")
    assert_problem(answer, 422, "validation_failed", "/picture")


@pytest.mark.parametrize(
    ("raw", "media"),
    [
        (b"", "image/jpeg"), (zip_file(), "image/jpeg"), (jpeg() + zip_file(), "image/jpeg"),
        (jpeg()[:-900], "image/jpeg"),
        (encoded(photo(), "GIF"), "image/gif"), (SVG, "image/svg+xml"), (SVG, "image/jpeg"), (b"hello", "image/webp"),
    ],
    ids=["empty", "ZIP as JPEG", "JPEG and ZIP", "cut short", "GIF", "SVG", "SVG as JPEG", "text"],
)  # fmt: skip
def test_what_is_no_picture_is_refused_and_leaves_nothing(client, member, shopper, folder, writes_nothing, raw, media):
    before, headers = files(folder), shopper(member.member_id)
    form = {"picture": (io.BytesIO(raw), "me.jpg")}
    with writes_nothing():
        assert_problem(client.post(PATH, data=raw, content_type=media, headers=headers), 422, "not_an_image")
        assert_problem(client.post(PATH, data=form, headers=headers), 422, "not_an_image")
    assert files(folder) == before


def test_200_megapixels_are_refused(upload):
    assert_problem(upload(huge_png(20_000, 10_000), "image/png"), 422, "image_too_large")


@pytest.mark.parametrize("media", ["application/zip", "application/json", "text/html", ""])
def test_what_does_not_say_it_is_a_picture_is_refused(upload, media):
    assert_problem(upload(jpeg(), media), 415, "unsupported_media_type")


def test_more_than_five_megabytes_are_refused(upload):
    small = jpeg()
    just = small + b"\x00" * (UPLOAD_BYTES_MAX - len(small))
    assert upload(just).status_code == 201
    assert_problem(upload(just + b"\x00"), 413, "payload_too_large")
    assert_problem(upload(b"\x00" * 6_000_000), 413, "payload_too_large")
    for large in (just + b"\x00", b"\x00" * 6_000_000):
        assert_problem(upload(as_form(large), "multipart/form-data; boundary=x"), 413, "payload_too_large")


@pytest.mark.parametrize("length", ["", "7"])
def test_a_body_is_as_long_as_it_is_and_not_as_it_says(client, member, shopper, length):
    """Sent in chunks it says nothing; what it says wrongly is where the server cuts it."""
    large = io.BytesIO(b"\xff" * (UPLOAD_BYTES_MAX + 100))
    environ = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "image/jpeg"} | (
        {} if length else {"wsgi.input_terminated": True}
    )
    headers = shopper(member.member_id) | ({} if length else {"Transfer-Encoding": "chunked"})
    answer = client.post(PATH, headers=headers, input_stream=large, environ_overrides=environ)
    assert_problem(answer, *((422, "not_an_image") if length else (413, "payload_too_large")))
    assert large.tell() <= UPLOAD_BYTES_MAX + 1


def test_evidence_is_seen_by_its_owner_and_by_staff_who_review(client, upload, member, shop, shopper):
    evidence_id = upload(jpeg()).json["id"]
    other = world.make_customers(shop, 1)[0]
    assert_problem(client.get(f"{PATH}/{evidence_id}", headers=shopper(other.member_id)), 404, "evidence_not_found")
    assert_problem(client.get(f"{PATH}/{new_id()}", headers=shopper(member.member_id)), 404, "evidence_not_found")
    for caller in (shop.live, {}, world.make_staff("support").headers):
        assert client.get(f"{PATH}/{evidence_id}", headers=caller).status_code in (401, 403)
    path = f"/v1/admin/evidence/{evidence_id}"
    for role in ("support", "approver", "admin"):
        seen = client.get(path, headers=world.make_staff(role).headers)
        assert (seen.status_code, seen.content_type) == (200, "image/jpeg")
        assert seen.headers["Cache-Control"] == "private, no-store"
        assert seen.headers["X-Content-Type-Options"] == "nosniff"
    for caller in (world.make_staff("viewer").headers, world.make_staff("editor").headers, shopper(member.member_id)):
        assert client.get(path, headers=caller).status_code == 403
    answer = client.get(f"/v1/admin/evidence/{new_id()}", headers=world.make_staff("admin").headers)
    assert_problem(answer, 404, "evidence_not_found")


def test_the_store_has_one_file_of_a_name_nobody_guesses_that_nobody_else_reads(upload, folder, query):
    before = files(folder)
    first, second = upload(jpeg(1)), upload(jpeg(2))
    added = files(folder) - before
    assert len(added) == 2
    names = {name for (name,) in query("SELECT object_name FROM evidence")}
    assert {str(path.relative_to(folder)) for path in added} == names
    assert all(len(path.stem) == 64 for path in added)
    assert not any(answer.json["id"][:8] in path.name for answer in (first, second) for path in added)
    assert folder.stat().st_mode & 0o077 == 0


def test_the_same_upload_again_is_the_same_evidence(upload, query, folder):
    first = upload(jpeg())
    again = upload(jpeg())
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json == first.json
    assert query("SELECT count(*) FROM evidence") == [(1,)]
    assert query("SELECT count(*) FROM evidence_band") == [(4,)]


def test_the_same_picture_of_somebody_else_is_taken_in_and_names_the_first(upload, shop, query):
    first = upload(jpeg())
    other = world.make_customers(shop, 1)[0]
    for copy in (jpeg(), jpeg(quality=40), encoded(photo().resize((240, 180)), "WEBP")):
        answer = upload(copy, by=other)
        assert (answer.status_code, answer.json["reused"]) == (201, True)
        assert reused_of(query, answer) == first.json["id"]
    assert reused_of(query, first) is None
    fresh = upload(jpeg(2), by=other)
    assert fresh.json["reused"] is False


def test_test_data_and_live_data_do_not_know_each_other(upload, shop):
    tester = world.make_customers(shop, 1, live=False)[0]
    assert upload(jpeg(), by=tester).json["reused"] is False
    assert upload(jpeg()).json["reused"] is False
    assert upload(jpeg(), by=world.make_customers(shop, 1, live=False)[0]).json["reused"] is True


def test_a_second_shot_of_ones_own_is_no_reuse_until_one_of_them_is_cited(upload, member, query):
    first, second = upload(jpeg()), upload(jpeg(quality=50))
    assert second.json["reused"] is False
    assert cite_one(member, second)[1] is False
    assert cite_one(member, first)[1] is True
    assert reused_of(query, first) == second.json["id"]


def test_the_same_upload_after_it_was_cited_is_a_reuse_of_it(upload, member, query):
    first = upload(jpeg())
    activity_id, _ = cite_one(member, first)
    again = upload(jpeg())
    assert (again.status_code, again.json["reused"]) == (201, True)
    assert reused_of(query, again) == first.json["id"]
    other_activity, was_used = cite_one(member, again)
    assert was_used is True
    shown = of_activities([activity_id, other_activity])
    assert shown[activity_id][0]["reused_of"] is None
    assert shown[other_activity][0]["reused_of"] == {
        "id": UUID(first.json["id"]), "url": f"/v1/admin/evidence/{first.json['id']}",
        "member_id": member.member_id, "activity_id": activity_id,
    }  # fmt: skip


def test_evidence_belongs_to_one_activity_of_its_owner(upload, member, shop):
    answer = upload(jpeg())
    other = world.make_customers(shop, 1)[0]
    with pytest.raises(EvidenceNotFound):
        cite_one(other, answer)
    activity_id, _ = cite_one(member, answer)
    with pytest.raises(EvidenceUsed):
        cite_one(member, answer, activity_id)
    with pytest.raises(EvidenceUsed):
        cite_one(member, answer)


def test_of_several_alike_the_one_that_was_cited_is_named(upload, shop, query):
    one, two, three = world.make_customers(shop, 3)
    first = upload(jpeg(quality=80), by=one)
    cited = upload(jpeg(quality=70), by=two)
    cite_one(two, cited)
    assert reused_of(query, upload(jpeg(quality=60), by=three)) == cited.json["id"]
    assert reused_of(query, upload(jpeg(quality=80), by=three)) == first.json["id"], "the very upload comes first"


def test_like_pictures_uploaded_at_once_do_not_pass_each_other_unseen(app, shop, shopper, query):
    members = world.make_customers(shop, 6)
    headers = [shopper(each.member_id) for each in members]
    barrier = Barrier(len(members))

    def send(place):
        barrier.wait(10)
        raw = jpeg(quality=60 + 5 * place)
        return app.test_client().post(PATH, data=raw, content_type="image/jpeg", headers=headers[place])

    with ThreadPoolExecutor(len(members)) as threads:
        answers = list(threads.map(send, range(len(members))))
    assert [answer.status_code for answer in answers] == [201] * len(members)
    assert sorted(answer.json["reused"] for answer in answers) == [False] + [True] * (len(members) - 1)


def test_the_same_upload_at_once_is_one_evidence(app, member, shopper, query, folder):
    before = files(folder)
    headers = shopper(member.member_id)
    barrier = Barrier(5)

    def send(_):
        barrier.wait(10)
        return app.test_client().post(PATH, data=jpeg(), content_type="image/jpeg", headers=headers)

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(send, range(5)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert query("SELECT count(*), count(stored_at) FROM evidence") == [(1, 1)]
    assert len(files(folder) - before) == 1


def test_the_search_compares_a_bounded_number_of_pictures(upload, member, shop, monkeypatch):
    """Beyond that the newest are compared; the very same upload is found all the same."""
    first = jpeg()
    upload(first)
    monkeypatch.setattr(evidence_queries, "ALIKE_MAX", 0)
    other, another = world.make_customers(shop, 2)
    assert upload(jpeg(quality=50), by=other).json["reused"] is False
    assert upload(first, by=another).json["reused"] is True


def test_twenty_uploads_a_day_and_no_more(upload, shop):
    for seed in range(20):
        assert upload(b"no picture").status_code == 422, "what is refused is not counted among them"
        answer = upload(encoded(photo(seed, (64, 48)), "JPEG"))
        assert answer.status_code == 201
    answer = upload(encoded(photo(99, (64, 48)), "JPEG"))
    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) > 3600
    assert upload(jpeg(), by=world.make_customers(shop, 1)[0]).status_code == 201, "another member is not held up"


def test_sixty_attempts_an_hour_and_no_more(upload):
    statuses = [upload(b"no picture").status_code for _ in range(61)]
    assert statuses == [422] * 60 + [429]


def test_what_no_activity_cites_is_deleted_after_a_week_with_its_file(
    client, upload, member, shopper, folder, query, time_machine
):
    before = files(folder)
    loose, cited = upload(jpeg(1)), upload(jpeg(2))
    cite_one(member, cited)
    assert forget_uncited(Event()) == 0
    time_machine.move_to(now() + KEPT_UNCITED + timedelta(minutes=1))
    assert forget_uncited(Event()) == 1
    assert forget_uncited(Event()) == 0
    assert len(files(folder) - before) == 1
    assert query("SELECT evidence_id::text FROM evidence") == [(cited.json["id"],)]
    assert query("SELECT DISTINCT evidence_id::text FROM evidence_band") == [(cited.json["id"],)]
    headers = shopper(member.member_id)
    assert client.get(f"{PATH}/{cited.json['id']}", headers=headers).status_code == 200
    assert_problem(client.get(f"{PATH}/{loose.json['id']}", headers=headers), 404, "evidence_not_found")
    fresh = upload(jpeg(1))
    assert (fresh.status_code, fresh.json["reused"]) == (201, False), "a picture that was never used may be sent again"


def test_evidence_that_is_over_its_time_is_cited_no_more(upload, member, time_machine):
    answer = upload(jpeg())
    time_machine.move_to(now() + KEPT_UNCITED)
    with pytest.raises(EvidenceNotFound):
        cite_one(member, answer)
    assert upload(jpeg()).json["id"] != answer.json["id"]


def test_a_deletion_that_was_cut_short_goes_on(upload, folder, query, time_machine, monkeypatch):
    before = files(folder)
    upload(jpeg(1))
    upload(jpeg(2))
    time_machine.move_to(now() + KEPT_UNCITED + timedelta(minutes=1))
    removed = []

    def remove(self, name, whole=Uploads.remove):
        if removed:
            raise StoreUnavailable
        removed.append(name)
        whole(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(Uploads, "remove", remove)
        with pytest.raises(StoreUnavailable):
            forget_uncited(Event())
    assert len(files(folder) - before) == 1
    assert forget_uncited(Event()) == 2
    assert files(folder) == before
    assert query("SELECT count(*) FROM evidence") == [(0,)]


def test_a_store_that_fails_is_told_and_the_upload_can_be_repeated(client, upload, member, shopper, query, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(core_uploads.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "no space left")))
        answer = upload(jpeg())
        assert_problem(answer, 503, "service_unavailable")
        assert "Retry-After" in answer.headers
    [(made,)] = query("SELECT evidence_id FROM evidence WHERE stored_at IS NULL")
    answer = client.get(f"{PATH}/{made}", headers=shopper(member.member_id))
    assert_problem(answer, 404, "evidence_not_found")
    with pytest.raises(EvidenceNotFound), unit_of_work():
        cite(member.member_id, [made], new_id(), now())
    again = upload(jpeg())
    assert (again.status_code, again.json["id"]) == (201, str(made))
    assert client.get(f"{PATH}/{made}", headers=shopper(member.member_id)).status_code == 200
    assert query("SELECT count(*), count(stored_at) FROM evidence") == [(1, 1)]
