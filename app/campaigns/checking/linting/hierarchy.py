"""The waste hierarchy: refuse before reduce before reuse before recycle.

What stands lower must not earn more than what stands higher for the same goods: people would buy more packaging to
earn by giving it back. So of every two ways to deal with packaging that concern the same goods, what all rules
pay for the one is held against what all rules pay for the other, from one unit to as many as there can be:

- Two ways concern the same goods if their options exclude each other or apply to the same thing (a line, a parcel,
  an order), or if rules name them for the same categories.
- Returned packaging counts as reuse, recycled material as recycle; both concern the goods' own packaging (a line)
  unless the rule names packaging.
- Points that are fixed or by unit are compared. Others depend on more than the document says: that is a warning, and
  so is a condition on the higher way that the lower one does not have.
- Within a campaign a lower way that earns more is an error, together with other campaigns a warning.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.campaigns.checking.faults import quoted
from app.campaigns.checking.linting.earnings import is_comparable, units_to_out_earn
from app.campaigns.checking.linting.findings import Finding, PackagingOption, Rule, Subject, warning
from app.campaigns.checking.linting.matching import Match, match_of, meet, takes_in, without_packaging

RUNGS = ("refuse", "reduce", "reuse", "recycle")
KIND_RUNGS = {"packaging_return": "reuse", "recycling": "recycle"}
# What bounds the work, far above what a real programme has.
OTHERS_MAX = 100
PLACES_MAX = 200


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A way to deal with packaging: an option chosen, or packaging given back; its rung, and what it applies to."""

    rung: int
    name: str
    kind: str
    applies_to: str
    exclusive_group: str  # empty for none

    def __str__(self) -> str:
        return f"{quoted(self.name)} ({RUNGS[self.rung]})"


@dataclass(frozen=True, slots=True, eq=False)
class Earner:
    """A rule that rewards a way; ``place`` is that in the document looked at, None in another campaign."""

    rule: Rule
    campaign: str
    place: int | None
    goods: Match


Earners = Mapping[Way, Sequence[Earner]]


def check_hierarchy(subject: Subject) -> list[Finding]:
    """Return where a lower rung earns more than a higher one, or may, or where the higher one earns nothing."""
    found = list(_named_by_conditions(subject))
    own = _earners(subject)
    if not own:
        return found
    every = _with_others(own, subject)
    comparison = _Comparison(own)
    comparison.compare(own)
    comparison.compare(every)
    named = {(each.code, each.pointer): each for each in reversed(comparison.found)}  # the first of each place
    return [*found, *named.values(), *_unrewarded(own, every, subject.reference.packaging)]


def ways_of(rule: Rule, packaging: Mapping[str, PackagingOption]) -> set[Way]:
    """Return the ways that ``rule`` rewards."""
    options = {code: packaging[code] for code in (rule.get("match") or {}).get("packaging", ()) if code in packaging}
    rung = KIND_RUNGS.get(rule["kind"])
    if rung is None:
        return {
            Way(RUNGS.index(option.hierarchy), code, rule["kind"], option.applies_to, option.exclusive_group or "")
            for code, option in options.items()
        }
    targets = {(option.applies_to, option.exclusive_group or "") for option in options.values()} or {("line", "")}
    return {Way(RUNGS.index(rung), rule["kind"], rule["kind"], *target) for target in targets}


def _earners(subject: Subject) -> dict[Way, list[Earner]]:
    found: dict[Way, list[Earner]] = {}
    for place, rule in enumerate(subject.rules):
        earner = Earner(rule, subject.document["key"], place, without_packaging(match_of(rule)))
        for way in ways_of(rule, subject.reference.packaging):
            found.setdefault(way, []).append(earner)
    return found


def _with_others(own: Earners, subject: Subject) -> dict[Way, list[Earner]]:
    """Return ``own`` with the rules of other campaigns that run at the same time, so many of each way."""
    found = {way: list(earners) for way, earners in own.items()}
    added: dict[Way, int] = {}
    for other in subject.others:
        if other["key"] == subject.document["key"] or not _run_together(subject.document, other):
            continue
        for rule in other["rules"]:
            earner = Earner(rule, other["key"], None, without_packaging(match_of(rule)))
            for way in ways_of(rule, subject.reference.packaging):
                if added.get(way, 0) < OTHERS_MAX:
                    added[way] = added.get(way, 0) + 1
                    found.setdefault(way, []).append(earner)
    return found


def _run_together(first: Mapping[str, object], second: Mapping[str, object]) -> bool:
    return _begins_before_end(first, second) and _begins_before_end(second, first)


def _begins_before_end(first: Mapping[str, object], second: Mapping[str, object]) -> bool:
    return second["ends_at"] is None or first["starts_at"] < second["ends_at"]  # type: ignore[operator]


def _pairs(earners: Earners) -> Iterator[tuple[Way, Way]]:
    """Yield each two ways of different rungs, the lower one first."""
    ways = sorted(earners)
    return ((lower, higher) for lower in ways for higher in ways if higher.rung < lower.rung)


def _are_alike(lower: Way, higher: Way) -> bool:
    """Return whether both concern the same goods whatever the rules say."""
    excludes_other = lower.exclusive_group != "" and lower.exclusive_group == higher.exclusive_group
    return excludes_other or lower.applies_to == higher.applies_to


def _places(lower: Way, higher: Way, earners: Earners) -> Iterator[Match]:
    """Yield, once each, the goods that a rule of each way has in common."""
    alike = _are_alike(lower, higher)
    seen: set[frozenset[tuple[str, frozenset[str]]]] = set()
    for one in earners[lower]:
        for two in earners[higher]:
            if one.place is None and two.place is None:
                continue
            if not alike and not ("categories" in one.goods and "categories" in two.goods):
                continue
            goods = meet(one.goods, two.goods)
            if goods is None or (known := frozenset(goods.items())) in seen:
                continue
            seen.add(known)
            yield goods
            if len(seen) >= PLACES_MAX:
                return


@dataclass(slots=True)
class _Comparison:
    """All pairs of ways held against each other, first our own, then together with what other campaigns pay.

    ``clashes`` are the pairs of which the lower one earns more; rules are held against each other once.
    """

    own: Earners
    found: list[Finding] = field(default_factory=list)
    clashes: set[tuple[Way, Way]] = field(default_factory=set)
    held: dict[tuple[frozenset[Earner], frozenset[Earner]], bool] = field(default_factory=dict)

    def compare(self, earners: Earners) -> None:
        """Find what there is to say of the pairs with one of our own in them, but those that clash already."""
        for lower, higher in _pairs(earners):
            if (lower, higher) not in self.clashes and (lower in self.own or higher in self.own):
                self._pair(lower, higher, earners)

    def _pair(self, lower: Way, higher: Way, earners: Earners) -> None:
        for goods in _places(lower, higher, earners):
            below = [each for each in earners[lower] if takes_in(each.goods, goods)]
            above = [each for each in earners[higher] if takes_in(each.goods, goods)]
            rules = (frozenset(below), frozenset(above))
            if rules not in self.held:
                finding = _hold(lower, higher, below, above)
                if finding is not None:
                    self.found.append(finding)
                self.held[rules] = finding is not None and finding.code != "rungs_not_compared"
            if self.held[rules]:
                self.clashes.add((lower, higher))
                return


def _hold(lower: Way, higher: Way, below: Sequence[Earner], above: Sequence[Earner]) -> Finding | None:
    """Return what there is to say of what the rules ``below`` and ``above`` pay on the same goods."""
    told_below = [each for each in below if is_comparable(each.rule)]
    told_above = [each for each in above if is_comparable(each.rule)]
    clash = _units(told_below, told_above)
    if clash is not None and len(told_above) == len(above):
        return _out_earned(lower, higher, clash, (below, above))
    if len(told_below) < len(below):
        return _not_compared(lower, higher, [each for each in below if each not in told_below])
    conditions = {each.rule["when"] for each in below}
    # what is surely paid wherever something is paid for the lower way
    sure = [each for each in told_above if each.rule["when"] is None or conditions == {each.rule["when"]}]
    if _units(below, sure) is None:
        return None
    return _not_compared(lower, higher, [each for each in above if each not in sure])


def _units(lower: Iterable[Earner], higher: Iterable[Earner]) -> tuple[int, int, int] | None:
    return units_to_out_earn([each.rule for each in lower], [each.rule for each in higher])


def _out_earned(
    lower: Way, higher: Way, clash: tuple[int, int, int], earners: tuple[Sequence[Earner], Sequence[Earner]]
) -> Finding:
    """Return the finding at the first rule that is ours, the lower way's first."""
    units, more, less = clash
    several = "1 unit" if units == 1 else f"{units} units"
    detail = (
        f"For {several} {lower} earns {more} points, {higher} only {less}: what stands lower in the waste hierarchy "
        "must not earn more for the same goods."
    )
    every = (*earners[0], *earners[1])
    place = next(each.place for each in every if each.place is not None)
    campaigns = sorted({each.campaign for each in every if each.place is None})
    if not campaigns:
        return Finding("lower_rung_earns_more", "error", f"/rules/{place}/award", detail)
    also = f" Other campaigns count in this: {', '.join(map(quoted, campaigns))}."
    return warning("lower_rung_earns_more_with_others", f"/rules/{place}/award", detail + also)


def _not_compared(lower: Way, higher: Way, earners: Sequence[Earner]) -> Finding | None:
    """Return the warning at the first of ``earners`` that is ours."""
    ours = [each for each in earners if each.place is not None]
    if not ours:
        return None
    [first, *_] = ours
    if is_comparable(first.rule):
        place, reason = "when", "what it pays hangs on a condition"
    else:
        place, reason = "award", f"what an award of type {first.rule['award']['type']} pays can't be told beforehand"
    detail = f"{lower} must not earn more than {higher} for the same goods; look at it yourself, since {reason}."
    return warning("rungs_not_compared", f"/rules/{first.place}/{place}", detail)


def _unrewarded(own: Earners, every: Earners, packaging: Mapping[str, PackagingOption]) -> Iterator[Finding]:
    """Yield one warning for each of our rules that rewards a way while nothing rewards a higher one of its kind."""
    named: set[int | None] = set()
    for way in sorted(own):
        better = sorted(
            code
            for code, option in packaging.items()
            if option.applies_to == way.applies_to and RUNGS.index(option.hierarchy) < way.rung
        )
        is_rewarded = any(other.rung < way.rung and _are_alike(way, other) for other in every)
        for earner in own[way]:
            if better and not is_rewarded and earner.place not in named:
                named.add(earner.place)
                detail = f"{way} is rewarded, and nothing that stands higher: {', '.join(map(quoted, better))}."
                yield warning("higher_rung_unrewarded", f"/rules/{earner.place}/match", detail)


def _named_by_conditions(subject: Subject) -> Iterator[Finding]:
    """Yield a warning where a condition names packaging that the match does not: what it means can't be told."""
    for place, facts in subject.conditions.items():
        named = sorted(code for path, code in facts.constants if path in ("line.packaging", "activity.packaging"))
        known = [code for code in named if code in subject.reference.packaging]
        if known and not ways_of(subject.rules[place], subject.reference.packaging):
            detail = (
                f"The condition names {', '.join(map(quoted, known))}; by the waste hierarchy only what stands in "
                "match.packaging is compared."
            )
            yield warning("rungs_not_compared", f"/rules/{place}/when", detail)
