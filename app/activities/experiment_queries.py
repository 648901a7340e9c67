"""The one SELECT of an experiment: what the members of each arm did; it names the tables of the rooms below."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, String, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Session, scoped_session

_Session = Session | scoped_session[Any]

# The first four bytes of SHA-256 over the ids of campaign and member, as ``campaigns.is_held_out`` takes them.
BUCKET = (
    "('x' || substr(encode(sha256(uuid_send(CAST({campaign} AS uuid)) || uuid_send({member})), 'hex'), 1, 8))"
    "::bit(32)::bigint & 4294967295"
)
_ARMS = f"""
WITH meant AS (
  SELECT member_id, ({BUCKET.format(campaign=":campaign_id", member="member_id")}) % 10000 < :held AS is_held_out
  FROM member
  WHERE live AND status = 'active' AND enrolled_at < :until
    AND (CAST(:tiers AS text[]) IS NULL OR tier = ANY(:tiers))
    AND (CAST(:tags AS text[]) IS NULL OR tags && CAST(:tags AS varchar[]))
    AND (CAST(:regions AS text[]) IS NULL OR region = ANY(:regions) OR split_part(region, '-', 1) = ANY(:regions))),
done AS (
  SELECT a.member_id, count(*) AS activities, sum((a.outcome -> 'points' ->> 'awarded')::bigint) AS points,
         sum(bought.spend) FILTER (WHERE a.body ->> 'kind' = 'purchase' AND a.body ->> 'currency' = :currency) AS spend,
         sum(bought.lines) AS lines, sum(bought.green) AS green
  FROM activity AS a
  JOIN activity_registry AS known ON known.activity_id = a.activity_id AND known.revision = a.revision AND known.live
  CROSS JOIN LATERAL (
    SELECT count(*) AS lines,
           sum(coalesce((line ->> 'total')::bigint,
                        (line ->> 'unit_price')::bigint * coalesce((line ->> 'quantity')::bigint, 1), 0)) AS spend,
           count(*) FILTER (
             WHERE jsonb_array_length(coalesce(line -> 'packaging', '[]')) > 0 OR EXISTS (
               SELECT FROM jsonb_array_elements(coalesce(line -> 'certifications', '[]')) AS held
               WHERE held ->> 'number' <> '')) AS green
    FROM jsonb_array_elements(coalesce(a.body -> 'lines', '[]')) AS line) AS bought
  WHERE a.occurred_at >= :since AND a.occurred_at < :until
  GROUP BY a.member_id),
each AS (
  SELECT meant.is_held_out, done.member_id IS NOT NULL AS is_active, coalesce(done.activities, 0) AS activities,
         coalesce(done.spend, 0) AS spend, coalesce(done.points, 0) AS points,
         done.green / nullif(done.lines, 0) AS green
  FROM meant LEFT JOIN done ON done.member_id = meant.member_id)
SELECT is_held_out, count(*) AS members, count(*) FILTER (WHERE is_active) AS active_members, count(green) AS buyers,
       sum(points) AS points_sum, avg(activities) AS activities, var_samp(activities) AS activities_variance,
       avg(spend) AS spend, var_samp(spend) AS spend_variance, avg(points) AS points,
       var_samp(points) AS points_variance, avg(green) AS green, var_samp(green) AS green_variance
FROM each GROUP BY is_held_out
"""  # noqa: S608 - made of constants
_LISTS = ("tiers", "tags", "regions")


def read_arms(
    session: _Session,
    campaign_id: UUID,
    audience: Mapping[str, Any] | None,
    *,
    percent: int,
    since: datetime,
    until: datetime,
    currency: str,
) -> dict[bool, Row[Any]]:
    """Return by whether they are held out what the members of ``audience`` did in [since, until); no members, no entry.

    Of the audience its lists are asked, by the facts of today. Means and sample variances are over members, those
    who did nothing included; ``green``, the share of lines with a certificate or a choice of packaging, is over those
    who have lines. The spend is in minor units of ``currency``: what was paid in others is left out.
    """
    lists = {name: audience[name] if audience is not None else None for name in _LISTS}
    statement = text(_ARMS).bindparams(
        bindparam("campaign_id", type_=PgUUID), *(bindparam(name, type_=ARRAY(String)) for name in _LISTS)
    )
    given = {"campaign_id": campaign_id, "held": percent * 100, "since": since, "until": until, "currency": currency}
    return {row.is_held_out: row for row in session.execute(statement, given | lists)}
