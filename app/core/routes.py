"""Operations: liveness, readiness, metrics."""

from pathlib import Path
from typing import Any

import redis
from flask import Response, current_app
from marshmallow import fields
from sqlalchemy import text

from app.core import telemetry
from app.core.api import Blueprint, json_response
from app.core.auth import public
from app.core.database import db
from app.core.migrate import head_revision
from app.core.schemas import Schema

blueprint = Blueprint("core", __name__, description="Is it up, is it ready, how is it doing")
DRAINING_FILE = "draining"


class HealthSchema(Schema):
    """The state of the process and of what it needs."""

    status = fields.String(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.String())


@blueprint.route("/livez")
@public
@blueprint.response(200, HealthSchema, example={"status": "ok"})
def livez() -> Response:
    """Say that the process is up."""
    return json_response({"status": "ok"})


def _database_state() -> str:
    try:
        revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    except Exception as error:  # whatever the driver says, it means that the database can't serve
        return f"down: {type(error).__name__}"
    return "ok" if revision == head_revision() else "schema is not at the newest migration"


def _redis_state() -> str:
    try:
        current_app.extensions["redis"].ping()
    except redis.RedisError as error:
        return f"degraded: {type(error).__name__}"
    return "ok"


@blueprint.route("/readyz")
@public
@blueprint.response(200, HealthSchema, example={"status": "ok", "checks": {"database": "ok", "redis": "ok"}})
@blueprint.alt_response(503, schema=HealthSchema, example={"status": "draining", "checks": {}})
def readyz() -> Response:
    """Say whether to send requests here: database, schema and not draining; without Redis it is merely degraded."""
    checks: dict[str, Any] = {"database": _database_state(), "redis": _redis_state()}
    if (Path(current_app.config["DATA_DIR"]) / DRAINING_FILE).exists():
        status = "draining"
    elif checks["database"] != "ok":
        status = "unready"
    else:
        status = "ok" if checks["redis"] == "ok" else "degraded"
    return json_response({"status": status, "checks": checks}, 200 if status in ("ok", "degraded") else 503)


@blueprint.route("/metrics")
@public
@blueprint.response(
    200,
    {"type": "string"},
    content_type="text/plain",
    example='greenpoints_http_requests_total{endpoint="core.livez",method="GET",status="200"} 1.0\n',
)
def metrics() -> Response:
    """Return the process's metrics in Prometheus's text format."""
    return telemetry.metrics_page()
