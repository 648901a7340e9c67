"""Greenpoints: the backend of a green points and rewards programme.

This is the composition root: here each room registers its blueprint, authenticator, projector and commands, so that
a lower room never needs a higher one.
"""

import hashlib
import os
from collections.abc import Callable
from typing import Any

import redis
from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin

from app.activities import duplicate_routes as duplicates_routes
from app.activities import evidence_routes, reconciliation_routes, review_routes, self_declared_routes, trial_routes
from app.activities import return_routes as returns_routes
from app.activities import routes as activities_routes
from app.activities import service as activities
from app.activities.backtests import JOB as BACKTEST_JOB
from app.activities.evidence import JOB as EVIDENCE_JOB
from app.activities.reviews import JOB as REVIEWS_JOB
from app.campaigns import jobs as campaigns_jobs
from app.campaigns import routes as campaigns_routes
from app.campaigns import service as campaigns
from app.campaigns import shopper_routes as ways_routes
from app.catalog import routes as catalog_routes
from app.catalog import service as catalog
from app.catalog import staff_routes as catalog_staff_routes
from app.catalog.commands import catalog_commands
from app.core import auth, commands, documentation, embedded, errors, telemetry
from app.core import routes as core_routes
from app.core.api import BATCH_BYTES_MAX, make_api
from app.core.clock import now
from app.core.database import database_config, db
from app.core.idempotency import forget_old_keys
from app.core.jobs import Job, register_job
from app.core.projection_commands import projection_commands
from app.core.projector import register_projection
from app.core.rate_limits import register_rate_limits
from app.core.secrets import development_secret
from app.core.tokens import register_token_authenticator, register_tokens
from app.demo.commands import demo_commands
from app.engagement.projection import MEMBER_DAYS
from app.impact import jobs as impact_jobs
from app.impact import routes as impact_routes
from app.impact import service as impact
from app.impact.commands import impact_commands
from app.ledger import jobs as ledger_jobs
from app.ledger import routes as ledger_routes
from app.ledger import service as ledger
from app.ledger.commands import ledger_commands
from app.members import routes as members_routes
from app.members import service as members
from app.members.delivery import register_delivery
from app.merchants import routes as merchants_routes
from app.merchants import service as merchants
from app.programme import routes as programme_routes
from app.programme import service as programme
from app.redemption import catalogue_routes, cause_routes, redemption_routes, redemption_staff_routes, voucher_routes
from app.redemption import jobs as redemption_jobs
from app.redemption import reward_routes as rewards_routes
from app.redemption.commands import reward_commands
from app.redemption.projection import CAUSE_TOTALS
from app.settlement import routes as settlement_routes
from app.staff import routes as staff_routes
from app.staff import service as staff
from app.staff.commands import staff_commands
from config import Settings, load_settings


class NoSessions(SessionInterface):
    """Cookies carry nothing here: callers send a token or a key with every request."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return a session that refuses to be written."""
        return _NO_SESSION

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Keep nothing."""


_NO_SESSION = NullSession()


class Application(Flask):
    """Flask whose views and hooks are all plain functions: it need not ask of each, at each request, if it is async."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func`` as it is."""
        return func


def forgetting_jobs() -> tuple[Job, ...]:
    """Return the jobs that delete what is no longer needed."""
    return (
        Job("forget_idempotency_keys", "23 * * * *", lambda _: forget_old_keys(now())),
        Job("forget_sessions_and_codes", "33 * * * *", lambda _: members.forget_old(now())),
    )


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application for ``settings``, by default those in the environment.

    It opens no connection; whoever serves or runs a command starts the embedded services first.
    """
    settings = settings or load_settings(os.environ)
    telemetry.configure_logging(settings.log_level)
    app = Application(__name__, static_folder=None)
    secret = settings.secret_key or development_secret(settings.data_dir)
    app.config |= {
        "SETTINGS": settings,
        "DATA_DIR": settings.data_dir,
        "DEBUG": settings.debug,
        "TESTING": settings.environment == "test",
        "SECRET_KEY": secret,
        "CURSOR_KEY": hashlib.sha256(b"cursor\x00" + secret.encode()).digest(),
        "MAX_CONTENT_LENGTH": BATCH_BYTES_MAX,
    } | database_config(settings, embedded.services_of(settings).database_url)
    app.url_map.strict_slashes = False
    app.session_interface = NoSessions()
    db.init_app(app)
    app.extensions["redis"] = redis.Redis.from_url(
        embedded.services_of(settings).redis_url, socket_timeout=1, socket_connect_timeout=1
    )
    telemetry.register_telemetry(app)
    api = make_api(app)
    errors.register_error_handlers(app)  # after the API's own, which they replace
    rooms = (
        core_routes,
        programme_routes,
        staff_routes,
        members_routes,
        merchants_routes,
        catalog_routes,
        catalog_staff_routes,
        ledger_routes,
        impact_routes,
        campaigns_routes,
        ways_routes,
        activities_routes,
        returns_routes,
        duplicates_routes,
        reconciliation_routes,
        trial_routes,
        evidence_routes,
        self_declared_routes,
        review_routes,
        settlement_routes,
        rewards_routes,
        catalogue_routes,
        redemption_routes,
        redemption_staff_routes,
        voucher_routes,
        cause_routes,
    )
    for room in rooms:
        api.register_blueprint(room.blueprint)
    documentation.register_documentation(app, api)
    commands.register_commands(app)
    for command in (
        projection_commands,
        staff_commands,
        catalog_commands,
        ledger_commands,
        impact_commands,
        reward_commands,
        *demo_commands,
    ):
        app.cli.add_command(command)
    for load in (merchants.load_reference, catalog.load_reference, impact.load_reference):
        commands.register_reference(app, load)
    register_projection(app, MEMBER_DAYS)
    register_projection(app, CAUSE_TOTALS)
    activities_jobs = (BACKTEST_JOB, EVIDENCE_JOB, REVIEWS_JOB)
    for job in (
        *ledger_jobs.JOBS,
        *impact_jobs.JOBS,
        *campaigns_jobs.JOBS,
        *redemption_jobs.JOBS,
        *forgetting_jobs(),
        *activities_jobs,
    ):
        register_job(app, job)
    register_delivery(app)
    register_tokens(app, settings)
    register_token_authenticator(app, "staff", staff.authenticate)
    register_token_authenticator(app, "member", members.authenticate)
    members.on_enrolled(ledger.open_accounts)
    programme.on_changed(staff.audit_programme)
    ledger.explain_rules_with(app, campaigns.rule_words)
    campaigns.read_examples_with(app, activities.example_facts)
    auth.register_authenticator(app, "gp_", merchants.authenticate)
    register_rate_limits(app, settings)
    return app
