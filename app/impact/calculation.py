"""Compute what an activity avoided, from published factors: pure arithmetic, no database, no framework.

The rules, in order:

1. Packaging counts on a purchase alone; a box brought back was claimed with the parcel it made.
2. An option for the order or the parcel counts once an activity; one for a line counts once a piece of it.
3. Recycled material counts by what was weighed; where nothing was, by pieces of typical weight, and says so.
4. A device counts by the piece, on a trade-in that names its kind.
5. One factor for each subject and metric, the conservative default: two methods are never added.
6. Grams are whole, rounded half to even from the exact product, entry by entry; so is the band.
7. What has no factor claims 0 and is listed, never guessed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from types import MappingProxyType
from uuid import UUID

from app.impact.errors import InconsistentFactors

NO_FACTOR = "no_factor"
NO_WEIGHT = "no_weight"
_KILOGRAM = Decimal(1000)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Factor:
    """Grams avoided for each ``unit`` of a subject, with its uncertainty band and what the source warns of."""

    id: UUID
    subject_kind: str
    subject_code: str
    metric: str
    unit: str
    value: int
    low: int
    high: int
    note: str = ""


class FactorTable:
    """The factors that are claimed, by subject."""

    def __init__(self, factors: Iterable[Factor]) -> None:
        """Raises InconsistentFactors where two factors claim one metric of one subject."""
        found: dict[tuple[str, str], dict[str, Factor]] = {}
        for factor in factors:
            metrics = found.setdefault((factor.subject_kind, factor.subject_code), {})
            if factor.metric in metrics:
                raise InconsistentFactors(f"{factor.subject_code} has two default factors for {factor.metric}")
            metrics[factor.metric] = factor
        self._factors: Mapping[tuple[str, str], tuple[Factor, ...]] = MappingProxyType(
            {subject: tuple(metrics[name] for name in sorted(metrics)) for subject, metrics in found.items()}
        )

    def of(self, subject_kind: str, subject_code: str, units: frozenset[str]) -> tuple[Factor, ...]:
        """Return the factors of a subject for these units of activity, by metric."""
        return tuple(f for f in self._factors.get((subject_kind, subject_code), ()) if f.unit in units)


@dataclass(frozen=True, slots=True)
class ImpactLine:
    """What of a line bears on impact; ``device`` is a device kind such as ``PHONE``, on trade-ins alone."""

    id: str
    quantity: int = 1
    packaging: tuple[str, ...] = ()
    material: str | None = None
    weight_g: int | None = None
    pieces: int | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class ImpactSubject:
    """What of an activity bears on impact."""

    kind: str
    packaging: tuple[str, ...] = ()
    lines: tuple[ImpactLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ImpactEntry:
    """One claim; ``factor_id`` is null where it was counted or weighed, not multiplied."""

    metric: str
    value: int
    low: int
    high: int
    factor_id: UUID | None
    subject_kind: str
    subject_code: str
    line: str | None
    basis: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A subject that claims 0, and why: ``no_factor`` or ``no_weight``."""

    subject_kind: str
    subject_code: str
    line: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Impact:
    """What an activity claims, and what it can't."""

    entries: tuple[ImpactEntry, ...] = ()
    unclaimed: tuple[Unclaimed, ...] = ()


@dataclass(frozen=True, slots=True)
class ImpactReference:
    """What the calculation looks up: factors, the packaging options that belong to a line, typical piece weights."""

    factors: FactorTable
    line_packaging: frozenset[str] = frozenset()
    typical_piece_grams: Mapping[str, Decimal] = field(default_factory=dict)


_Claim = ImpactEntry | Unclaimed
_PACKAGING_UNITS = frozenset({"use", "parcel"})
_RECYCLED = frozenset({"kg_recycled"})
_REUSED = frozenset({"piece_reused"})


def _grams(amount: Decimal) -> int:
    with localcontext(prec=50):
        return int(amount.quantize(_ONE, rounding=ROUND_HALF_EVEN))


def _multiplied(
    factors: tuple[Factor, ...], kind: str, code: str, units: Decimal, line: str | None, basis: str
) -> Iterator[_Claim]:
    for factor in factors:
        yield ImpactEntry(
            metric=factor.metric,
            value=_grams(factor.value * units),
            low=_grams(factor.low * units),
            high=_grams(factor.high * units),
            factor_id=factor.id,
            subject_kind=kind,
            subject_code=code,
            line=line,
            basis=basis,
            note=factor.note,
        )
    if not factors:
        yield Unclaimed(kind, code, line, NO_FACTOR)


def _counted(metric: str, amount: int, code: str, line: str, basis: str) -> ImpactEntry:
    return ImpactEntry(metric, amount, amount, amount, None, "material", code, line, basis)


def _packaging(subject: ImpactSubject, reference: ImpactReference) -> Iterator[_Claim]:
    whole: dict[str, None] = dict.fromkeys(subject.packaging)
    for line in subject.lines:
        whole |= {code: None for code in line.packaging if code not in reference.line_packaging}
    for code in whole:
        factors = reference.factors.of("packaging", code, _PACKAGING_UNITS)
        yield from _multiplied(factors, "packaging", code, _ONE, None, f"1 {factors[0].unit}" if factors else "")
    for line in subject.lines:
        for code in dict.fromkeys(line.packaging):
            if code in reference.line_packaging:
                factors = reference.factors.of("packaging", code, _PACKAGING_UNITS)
                basis = f"{line.quantity} × 1 {factors[0].unit}" if factors else ""
                yield from _multiplied(factors, "packaging", code, Decimal(line.quantity), line.id, basis)


def _recycled(line: ImpactLine, code: str, reference: ImpactReference) -> Iterator[_Claim]:
    if line.pieces:
        yield _counted("items_recycled", line.pieces, code, line.id, "counted")
    typical = reference.typical_piece_grams.get(code)
    if line.weight_g:
        grams, basis = Decimal(line.weight_g), "weighed"
    elif line.pieces and typical is not None:
        grams, basis = (
            line.pieces * typical,
            f"estimated: {line.pieces} × {typical.normalize():f} g, a typical piece (weak)",
        )
    else:
        yield Unclaimed("material", code, line.id, NO_WEIGHT)
        return
    yield _counted("g_recycled", _grams(grams), code, line.id, basis)
    factors = reference.factors.of("material", code, _RECYCLED)
    yield from _multiplied(factors, "material", code, grams / _KILOGRAM, line.id, basis)


def _traded_in(line: ImpactLine, device: str, reference: ImpactReference) -> Iterator[_Claim]:
    factors = reference.factors.of("device", device, _REUSED)
    yield from _multiplied(factors, "device", device, Decimal(line.quantity), line.id, f"{line.quantity} × 1 piece")


def _claims(subject: ImpactSubject, reference: ImpactReference) -> Iterator[_Claim]:
    if subject.kind == "purchase":
        yield from _packaging(subject, reference)
    for line in subject.lines:
        if subject.kind == "recycling" and line.material is not None:
            yield from _recycled(line, line.material, reference)
        elif subject.kind == "trade_in" and line.device is not None:
            yield from _traded_in(line, line.device, reference)


def calculate_impact(subject: ImpactSubject, reference: ImpactReference) -> Impact:
    """Return what ``subject`` claims by the rules above, in the order of its packaging, lines and metrics."""
    claims = list(_claims(subject, reference))
    return Impact(
        entries=tuple(claim for claim in claims if isinstance(claim, ImpactEntry)),
        unclaimed=tuple(claim for claim in claims if isinstance(claim, Unclaimed)),
    )
