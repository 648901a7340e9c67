"""What the demo's tests share: the application's context, and the application served over HTTP."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.demo.credentials import _FILE


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application's context, over an empty database and a data folder that remembers no demo."""
    (app.config["DATA_DIR"] / _FILE).unlink(missing_ok=True)
    with app.app_context():
        yield app


@pytest.fixture
def base_url(context: Flask) -> Iterator[str]:
    """Where the application is served over HTTP, by real threads."""
    server = make_server("127.0.0.1", 0, context, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
