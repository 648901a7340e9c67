"""Logs, request ids and metrics: JSON lines without personal data, one line a request."""

import logging
import os
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from structlog.tracebacks import ExceptionDictTransformer

from app.core.ids import new_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}

requests_total = Counter("greenpoints_http_requests_total", "Requests answered", ["method", "endpoint", "status"])
request_seconds = Histogram(
    "greenpoints_http_request_seconds",
    "Time to answer",
    ["endpoint"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger()


def _first_lines(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave of each exception's text the first line: what follows in a database's error are the values themselves."""
    for exception in event.get("exception", ()):
        exception["exc_value"] = exception["exc_value"].partition("\n")[0]
    return event


def configure_logging(level: str) -> None:
    """Write logs of ``level`` and above as one JSON object a line to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            _first_lines,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), format="%(message)s")


def register_telemetry(app: Flask) -> None:
    """Give every request an id, a log line and its place in the metrics.

    The line names the route's rule, never the path itself: a path may hold an id of a person.
    """
    quiet = {"core.livez", "core.readyz", "core.metrics"}

    @app.before_request
    def begin() -> None:
        g.started_at = time.perf_counter()
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else str(new_id())
        structlog.contextvars.clear_contextvars()  # a thread serves one request after the other
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started_at", time.perf_counter())
        endpoint = request.endpoint or "none"
        response.headers["X-Request-Id"] = g.get("request_id", "")
        method = request.method if request.method in _METHODS else "other"  # a caller may make up any number of them
        requests_total.labels(method, endpoint, response.status_code).inc()
        request_seconds.labels(endpoint).observe(seconds)
        if endpoint not in quiet:
            log.info(
                "request",
                method=method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                ms=round(seconds * 1000, 2),
            )
        return response


def metrics_page() -> Response:
    """Return the metrics in Prometheus's text format, of all web processes where they share a folder for them."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
