"""Examples of simulations, backtests and experiments, for the OpenAPI document."""

from typing import Any

from app.activities import examples

SIMULATION_EXAMPLE: dict[str, Any] = {
    "activity": examples.CART,
    "member": {"tier": "seed", "region": "DE-BE", "tags": ["student"], "age_days": 40},
    "merchant": None,
    "now": "2026-11-23T09:12:00Z",
    "version": None,
    "together_with": "alone",
}
SIMULATION_ANSWER_EXAMPLE = {
    "campaign": "certified-products",
    "version": 3,
    "now": "2026-11-23T09:12:00Z",
    **{name: examples.ANSWER[name] for name in ("occurred_at", "points", "awards", "missed", "impact")},
}
BACKTEST_REQUEST_EXAMPLE = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z", "version": None}
_ID = "019a5f3e-4a10-7d3b-8f0e-5b7c9d1e2f30"
QUEUED_EXAMPLE: dict[str, Any] = {
    "id": _ID,
    "campaign_id": "019a5f3e-1b7d-7c51-9a4e-0d9f6b2c8e11",
    "version": 4,
    "from": "2026-10-01T00:00:00Z",
    "to": "2026-11-01T00:00:00Z",
    "schedule": "whole_period",
    "state": "queued",
    "progress": {"activities_read": 0, "activities_total": None},
    "requested_at": "2026-11-23T09:12:00Z",
    "finished_at": None,
    "error": None,
    "result": None,
}
_MEMBER = {"member_id": "019a5f3e-1f00-7a57-8a52-6a1d3c9b7e02", "paid": 20, "would_pay": 60, "difference": 40}
_GROUP = {"members": 2, "members_paid": 2, "points": 80, "really_paid": 40}
RESULT_EXAMPLE = {
    "points": 80,
    "desired_points": 90,
    "cost": {"amount": 80, "currency": "EUR", "point_value_micros": 10_000},
    "really_paid": {"by_campaign": 40, "by_all": 55},
    "activities": 5,
    "activities_paid": 4,
    "members": 2,
    "members_paid": 2,
    "distribution": {
        "minimum": 20, "p10": 20, "p25": 20, "p50": 20, "p75": 60, "p90": 60, "p99": 60, "maximum": 60, "mean": 40.0,
        "histogram": [{"from": 20, "to": 49, "members": 1}, {"from": 50, "to": 99, "members": 1}],
    },
    "winners": [_MEMBER],
    "losers": [],
    "by_tier": [{"tier": "seed", **_GROUP}],
    "by_region": [{"region": "DE-BE", **_GROUP}],
    "by_rule": [{"rule": "organic-produce", "points": 80, "desired_points": 90, "activities": 4}],
    "reasons": [{"code": "limit_reached_member", "count": 1}],
    "exposure": {"points": 240, "days": 92.0, "replayed_days": 31.0},
}  # fmt: skip
BACKTEST_EXAMPLE = QUEUED_EXAMPLE | {
    "state": "done", "progress": {"activities_read": 5, "activities_total": 5}, "finished_at": "2026-11-23T09:12:41Z",
    "result": RESULT_EXAMPLE,
}  # fmt: skip
_ARM = {
    "members": 900, "active_members": 450, "points": 18_000, "activities_per_member": 2.5, "spend_per_member": 4210.75,
    "points_per_member": 20.0, "green_line_share": 0.31,
}  # fmt: skip
_HELD_OUT = {
    "members": 100, "active_members": 48, "points": 1_500, "activities_per_member": 2.3, "spend_per_member": 4100.2,
    "points_per_member": 15.0, "green_line_share": 0.27,
}  # fmt: skip
EXPERIMENT_EXAMPLE = {
    "campaign_id": "019a5f3e-1b7d-7c51-9a4e-0d9f6b2c8e11",
    "campaign": "certified-products",
    "version": 3,
    "holdout_percent": 10,
    "since": "2026-10-01T00:00:00Z",
    "until": "2026-11-23T09:12:00Z",
    "currency": "EUR",
    "confidence": 0.95,
    "arms": {"paid": _ARM, "held_out": _HELD_OUT},
    "differences": {
        "activities_per_member": {"difference": 0.2, "low": -0.11, "high": 0.51},
        "spend_per_member": {"difference": 110.55, "low": -310.2, "high": 531.3},
        "points_per_member": {"difference": 5.0, "low": 3.1, "high": 6.9},
        "green_line_share": {"difference": 0.04, "low": 0.01, "high": 0.07},
    },
}
