"""The contract as a document: ``/openapi.json`` and, from files that the package brings, ``/docs``."""

import functools
from pathlib import Path

import flask_smorest
import swagger_ui_bundle
from flask import Flask, Response, send_from_directory

from app.core.api import json_response
from app.core.auth import public

_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Greenpoints API</title>
<link rel="icon" href="/docs/favicon-32x32.png"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="contract"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>
"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#contract", deepLinking: true});\n'
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def register_documentation(app: Flask, api: flask_smorest.Api) -> None:
    """Serve the OpenAPI document of ``api`` and a page that shows it without any other host."""
    folder = Path(swagger_ui_bundle.swagger_ui_path)

    @functools.cache
    def document() -> dict[str, object]:
        return dict(api.spec.to_dict())

    @app.get("/openapi.json", endpoint="openapi")
    @public
    def openapi() -> Response:
        return json_response(document())

    @app.get("/docs", endpoint="docs")
    @public
    def docs() -> Response:
        return Response(_PAGE, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})

    @app.get("/docs/<path:name>", endpoint="docs_asset")
    @public
    def docs_asset(name: str) -> Response:
        if name == "start.js":
            return Response(_START, mimetype="text/javascript")
        if name not in _ASSETS:
            return Response(status=404)
        return send_from_directory(folder, name, max_age=86_400)
