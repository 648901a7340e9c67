"""Compute what an activity avoided, from published factors: pure arithmetic, no database, no framework.

The rules, in order:

1. Packaging counts on a purchase alone; a box brought back was claimed with the parcel it made.
2. An option for the order or the parcel counts once an activity; one for a line counts once a piece of it.
3. Recycled material counts by what was weighed; where nothing was, by pieces of typical weight, and says so.
4. A device counts by the piece, on a trade-in that names its kind.
5. One factor for each subject and metric, the conservative default: two methods are never added.
6. Grams are whole, rounded half to even from the exact product, entry by entry; so is the band.
7. What has no factor claims 0 and is listed, never guessed.

An entry keeps what it multiplied, in millionths of the factor's unit, so that another version of the factor gives
exactly what it would have given then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from app.impact.errors import InconsistentFactors

NO_FACTOR = "no_factor"
NO_WEIGHT = "no_weight"
MICROS = 10**6
_MILLIGRAMS = 1000  # in a gram: millionths of a kilogram, and as fine as typical pieces are given


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
    """One claim; ``factor_id`` is null where it was counted or weighed, not multiplied.

    ``units_micros`` is what was multiplied, 0 without a factor; ``is_estimated`` says that a weight was not measured
    but taken from typical pieces.
    """

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
    units_micros: int = 0
    is_estimated: bool = False


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


def _rounded(numerator: int, denominator: int) -> int:
    """Return the nearest whole of a quotient, half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def band_of(factor: Factor, units_micros: int) -> tuple[int, int, int]:
    """Return value, low and high of so many millionths of the factor's unit, each rounded from its exact product."""
    return (
        _rounded(factor.value * units_micros, MICROS),
        _rounded(factor.low * units_micros, MICROS),
        _rounded(factor.high * units_micros, MICROS),
    )


def _multiplied(
    factors: tuple[Factor, ...],
    kind: str,
    code: str,
    units_micros: int,
    line: str | None,
    basis: str,
    is_estimated: bool = False,
) -> Iterator[_Claim]:
    for factor in factors:
        value, low, high = band_of(factor, units_micros)
        yield ImpactEntry(
            metric=factor.metric,
            value=value,
            low=low,
            high=high,
            factor_id=factor.id,
            subject_kind=kind,
            subject_code=code,
            line=line,
            basis=basis,
            note=factor.note,
            units_micros=units_micros,
            is_estimated=is_estimated,
        )
    if not factors:
        yield Unclaimed(kind, code, line, NO_FACTOR)


def _counted(metric: str, amount: int, code: str, line: str, basis: str, is_estimated: bool = False) -> ImpactEntry:
    return ImpactEntry(metric, amount, amount, amount, None, "material", code, line, basis, is_estimated=is_estimated)


def _packaging(subject: ImpactSubject, reference: ImpactReference) -> Iterator[_Claim]:
    whole: dict[str, None] = dict.fromkeys(subject.packaging)
    for line in subject.lines:
        whole |= {code: None for code in line.packaging if code not in reference.line_packaging}
    for code in whole:
        factors = reference.factors.of("packaging", code, _PACKAGING_UNITS)
        yield from _multiplied(factors, "packaging", code, MICROS, None, f"1 {factors[0].unit}" if factors else "")
    for line in subject.lines:
        for code in dict.fromkeys(line.packaging):
            if code in reference.line_packaging:
                factors = reference.factors.of("packaging", code, _PACKAGING_UNITS)
                basis = f"{line.quantity} × 1 {factors[0].unit}" if factors else ""
                yield from _multiplied(factors, "packaging", code, line.quantity * MICROS, line.id, basis)


def _recycled(line: ImpactLine, code: str, reference: ImpactReference) -> Iterator[_Claim]:
    if line.pieces:
        yield _counted("items_recycled", line.pieces, code, line.id, "counted")
    typical, is_estimated = reference.typical_piece_grams.get(code), not line.weight_g
    if line.weight_g:
        milligrams, basis = line.weight_g * _MILLIGRAMS, "weighed"
    elif line.pieces and typical is not None:
        milligrams = int(line.pieces * typical * _MILLIGRAMS)
        basis = f"estimated: {line.pieces} × {typical.normalize():f} g, a typical piece (weak)"
    else:
        yield Unclaimed("material", code, line.id, NO_WEIGHT)
        return
    yield _counted("g_recycled", _rounded(milligrams, _MILLIGRAMS), code, line.id, basis, is_estimated)
    factors = reference.factors.of("material", code, _RECYCLED)
    yield from _multiplied(factors, "material", code, milligrams, line.id, basis, is_estimated)


def _traded_in(line: ImpactLine, device: str, reference: ImpactReference) -> Iterator[_Claim]:
    factors = reference.factors.of("device", device, _REUSED)
    units_micros, basis = line.quantity * MICROS, f"{line.quantity} × 1 piece"
    yield from _multiplied(factors, "device", device, units_micros, line.id, basis)


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
