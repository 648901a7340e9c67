"""The store of uploads: a folder, or any store that fsspec knows; a file is there whole or not at all."""

import threading
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from app.core import uploads
from app.core.uploads import StoreUnavailable, Uploads, new_name
from config import SettingsError, load_settings


@pytest.fixture(params=["folder", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Uploads:
    if request.param == "folder":
        return Uploads(tmp_path / "up loads")
    return Uploads(f"memory://{tmp_path.name}/prefix")


def test_what_is_put_is_found_until_it_is_removed(store: Uploads) -> None:
    one, other = new_name(".jpg"), new_name(".jpg")
    store.put(one, b"first")
    store.put(other, b"other")
    store.put(one, b"second")
    assert (store.find(one), store.find(other)) == (b"second", b"other")
    store.remove(one)
    store.remove(one)
    assert (store.find(one), store.find(other)) == (None, b"other")


def test_names_are_never_the_same() -> None:
    names = {new_name(".jpg") for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) == 2 + 1 + 64 + 4 for name in names)


def test_a_reader_sees_one_whole_file_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    store, name = Uploads(tmp_path), new_name(".jpg")
    contents = {letter * 300_000 for letter in (b"a", b"b")}
    store.put(name, min(contents))
    done = threading.Event()

    def write() -> None:
        for _ in range(40):
            for content in contents:
                store.put(name, content)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert store.find(name) in contents
    writer.join()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_a_write_that_fails_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, name = Uploads(tmp_path), new_name(".jpg")
    store.put(name, b"first")

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(uploads.os, "fsync", full)
        with pytest.raises(StoreUnavailable):
            store.put(name, b"second")
    assert store.find(name) == b"first"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    store, name = Uploads("memory://gone"), new_name(".jpg")

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    for method in ("pipe_file", "cat_file", "rm_file"):
        monkeypatch.setattr(MemoryFileSystem, method, refuse)
    for call in (lambda: store.put(name, b""), lambda: store.find(name), lambda: store.remove(name)):
        with pytest.raises(StoreUnavailable):
            call()


def test_the_settings_name_the_store(tmp_path: Path) -> None:
    default = load_settings({"DATA_DIR": str(tmp_path)})
    assert uploads.place_of(default) == tmp_path / "uploads"
    folder = load_settings({"UPLOADS_URL": "file:///srv/up%20loads"})
    assert uploads.place_of(folder) == Path("/srv/up loads")


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "gs://bucket", "abfs://box/prefix"])
def test_a_store_whose_driver_is_missing_is_told_at_start(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.settings.find_spec", lambda _: None)
    with pytest.raises(SettingsError) as refused:
        load_settings({"UPLOADS_URL": url})
    [line] = refused.value.lines
    assert line.startswith("UPLOADS_URL: needs the package ")
    monkeypatch.setattr("config.settings.find_spec", lambda _: object())
    assert uploads.place_of(load_settings({"UPLOADS_URL": url})) == url
