"""The check of a campaign document: what refuses it, what an approver must override, and what is only worth knowing.

Each check takes a document as ``CampaignSchema`` reads it. It raises ValidationProblem with the places of what has no
meaning at all, and returns findings of the rest: an ``error`` keeps the version from coming in force unless an approver
overrides it with a reason, a ``warning`` keeps nobody from anything. A further check is added to ``CHECKS``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.campaigns.schemas import CampaignSchema
from app.campaigns.service.compiling import compile_rules
from app.core import schemas
from app.core.ids import new_id

_schema = CampaignSchema()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found at ``pointer`` of the document; ``severity`` is error or warning, ``code`` is stable."""

    severity: str
    code: str
    pointer: str
    detail: str


def _compiles(document: Mapping[str, Any]) -> Sequence[Finding]:
    """Find nothing, or raise: every rule must compile."""
    compile_rules(document, campaign_id=new_id(), version_id=new_id(), version=1, is_paused=False)
    return ()


Check = Callable[[Mapping[str, Any]], Sequence[Finding]]
CHECKS: list[Check] = [_compiles]


def read_document(document: Any) -> dict[str, Any]:
    """Return a campaign document as ``CampaignSchema`` reads it; raise ValidationProblem."""
    read: dict[str, Any] = schemas.load(_schema, document)
    return read


def check_document(document: Mapping[str, Any]) -> list[Finding]:
    """Return what the checks find in a document that ``read_document`` returned; raise ValidationProblem."""
    return [finding for check in CHECKS for finding in check(document)]


def needs_override(findings: Sequence[Finding]) -> bool:
    """Return whether an approver must override one of ``findings``."""
    return any(finding.severity == "error" for finding in findings)


def as_json(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return ``findings`` as they are stored and answered."""
    return [asdict(finding) for finding in findings]
