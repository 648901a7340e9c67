"""Routes for staff: try a campaign on one activity or on recorded ones; compare whom it pays with whom it holds out.

A campaign is named by its id or its key.
"""

from typing import Any
from uuid import UUID

from flask import Response

from app.activities import backtests, experiments, simulation
from app.activities import trial_examples as examples
from app.activities import trial_schemas as schemas
from app.activities.errors import BacktestNotFound, MemberNotFound, PackagingConflict, TooManyBacktests
from app.activities.routes import reader_locale
from app.campaigns import service as campaigns
from app.campaigns.errors import CampaignNotFound, CampaignVersionNotFound
from app.core.api import Blueprint, json_response, private_json
from app.core.auth import current_principal, staff_only
from app.core.unit_of_work import transactional

blueprint = Blueprint("trials", __name__, description="Campaigns tried before they are in force, and measured after")


@blueprint.route("/v1/admin/campaigns/<string:any_id>/simulate", methods=["POST"])
@staff_only("viewer")
@blueprint.problems(CampaignNotFound, CampaignVersionNotFound, MemberNotFound, PackagingConflict)
@blueprint.arguments(schemas.SimulationSchema, example=examples.SIMULATION_EXAMPLE)
@blueprint.response(200, schemas.SimulationAnswerSchema, example=examples.SIMULATION_ANSWER_EXAMPLE)
@transactional
def simulate(asked: dict[str, Any], any_id: str) -> Response:
    """Say what one activity would earn by a version of the campaign, with every rule explained; nothing is written."""
    found = simulation.simulate(campaigns.resolve_campaign(any_id), asked, reader_locale())
    return private_json(found)


@blueprint.route("/v1/admin/campaigns/<string:any_id>/backtest", methods=["POST"])
@staff_only("editor", "approver", "admin")
@blueprint.problems(CampaignNotFound, CampaignVersionNotFound, TooManyBacktests)
@blueprint.arguments(schemas.BacktestRequestSchema, example=examples.BACKTEST_REQUEST_EXAMPLE)
@blueprint.response(202, schemas.BacktestSchema, example=examples.QUEUED_EXAMPLE)
@transactional
def request_backtest(asked: dict[str, Any], any_id: str) -> Response:
    """Ask for a replay of what was reported in a period through a version of the campaign; a worker runs it."""
    campaign_id = campaigns.resolve_campaign(any_id)
    return json_response(backtests.request_backtest(current_principal(), campaign_id, asked), 202)


@blueprint.route("/v1/admin/campaigns/<string:any_id>/backtests/<uuid:backtest_id>")
@staff_only("viewer")
@blueprint.problems(CampaignNotFound, BacktestNotFound)
@blueprint.response(200, schemas.BacktestSchema, example=examples.BACKTEST_EXAMPLE)
def get_backtest(any_id: str, backtest_id: UUID) -> Response:
    """Return how far a backtest is and, once it is done, what the version would have paid."""
    return private_json(backtests.get_backtest(campaigns.resolve_campaign(any_id), backtest_id))


@blueprint.route("/v1/admin/campaigns/<string:any_id>/report")
@staff_only("viewer")
@blueprint.problems(CampaignNotFound)
@blueprint.response(200, schemas.ExperimentSchema, example=examples.EXPERIMENT_EXAMPLE)
def report_experiment(any_id: str) -> Response:
    """Return what the members whom the campaign pays did since its start, beside those whom it holds out."""
    return json_response(experiments.report_experiment(campaigns.resolve_campaign(any_id)))
