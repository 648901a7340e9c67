"""What a campaign's document may get wrong although it is well formed, and what is given to find it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.campaigns.checking.expression import ExpressionFacts

Document = Mapping[str, Any]
Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: an ``error`` needs an approver's override with a reason, a ``warning`` nothing."""

    code: str
    severity: Literal["error", "warning"]
    pointer: str
    detail: str


class PackagingOption(Protocol):
    """A packaging option, as the catalogue knows it."""

    @property
    def hierarchy(self) -> str: ...  # noqa: D102
    @property
    def applies_to(self) -> str: ...  # noqa: D102
    @property
    def exclusive_group(self) -> str | None: ...  # noqa: D102


class Reference(Protocol):
    """What there is by code; the catalogue's reference is one."""

    @property
    def certifications(self) -> Collection[str]: ...  # noqa: D102
    @property
    def packaging(self) -> Mapping[str, PackagingOption]: ...  # noqa: D102
    @property
    def materials(self) -> Collection[str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: a document, what its rules' conditions look at by the rule's place, and its surroundings."""

    document: Document
    conditions: Mapping[int, ExpressionFacts]
    reference: Reference
    others: Sequence[Document] = ()

    @property
    def rules(self) -> Sequence[Rule]:
        """The document's rules, whose places pointers and ``conditions`` name."""
        found: Sequence[Rule] = self.document["rules"]
        return found


def warning(code: str, pointer: str, detail: str) -> Finding:
    """Return a finding that stops nobody."""
    return Finding(code, "warning", pointer, detail)
