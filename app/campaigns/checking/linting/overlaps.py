"""Rules of one campaign that pay for the same thing, and rules that another always beats."""

from collections.abc import Iterator, Sequence

from app.campaigns.checking.faults import quoted
from app.campaigns.checking.linting.earnings import is_comparable
from app.campaigns.checking.linting.findings import Finding, Rule, Subject, warning
from app.campaigns.checking.linting.matching import match_of, meet, takes_in
from app.core.evidence import RANK

LISTED_MAX = 5


def check_overlaps(subject: Subject) -> Iterator[Finding]:
    """Yield one warning for each rule that pays for what an earlier one of the document pays for too.

    Nobody is warned of rules of one stacking group, whatever its mode: there somebody has thought of it. Rules with
    different conditions may have been made to exclude each other.
    """
    for place, rule in enumerate(subject.rules):
        also = [other["key"] for other in subject.rules[:place] if _overlap(rule, other)]
        if also:
            detail = (
                f"Where {quoted(rule['key'])} pays, {_listed(also)} may pay for the same too; put them in one stacking "
                "group, with mode sum if all are to pay."
            )
            yield warning("rules_overlap", f"/rules/{place}", detail)


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - LISTED_MAX} more" if len(keys) > LISTED_MAX else ""
    return ", ".join(map(quoted, keys[:LISTED_MAX])) + more


def _overlap(first: Rule, second: Rule) -> bool:
    awards = first["award"], second["award"]
    conditions = first["when"], second["when"]
    return (
        first["kind"] == second["kind"]
        and (awards[0]["type"] == "multiplier") is (awards[1]["type"] == "multiplier")
        and (None in conditions or conditions[0] == conditions[1])
        and len({award["currency"] for award in awards if award["type"] == "per_amount"}) < 2
        and (_group(first) is None or _group(first) != _group(second))
        and meet(match_of(first), match_of(second)) is not None
    )


def _group(rule: Rule) -> str | None:
    stacking = rule.get("stacking")
    return None if stacking is None else str(stacking["group"])


def check_beaten(subject: Subject) -> Iterator[Finding]:
    """Yield a warning for each rule that an earlier one of its group beats wherever it would pay.

    That is so in a group of which a rule says ``exclusive``, where the earlier one pays by itself and without a
    condition for all that the later one is for.
    """
    ordered = sorted(enumerate(subject.rules), key=lambda found: _order(subject, found[1]))
    exclusive = {_group(rule) for rule in subject.rules if (rule.get("stacking") or {}).get("mode") == "exclusive"}
    for position, (place, rule) in enumerate(ordered):
        if _group(rule) is None or _group(rule) not in exclusive:
            continue
        winner = next((earlier for _, earlier in ordered[:position] if _always_beats(earlier, rule)), None)
        if winner is not None:
            detail = f"{quoted(rule['key'])} never pays: {quoted(winner['key'])} stands before it and takes all of it."
            yield warning("rule_always_beaten", f"/rules/{place}/stacking", detail)


def _order(subject: Subject, rule: Rule) -> tuple[int, str]:
    own = rule.get("priority")
    return (subject.document["priority"] if own is None else own), rule["key"]


def _always_beats(earlier: Rule, rule: Rule) -> bool:
    return (
        _group(earlier) == _group(rule)
        and earlier["kind"] == rule["kind"]
        and earlier["when"] is None
        and earlier["minimum"] is None
        and is_comparable(earlier)
        and rule["award"]["type"] != "multiplier"  # those compete among themselves
        # an activity rule finds on the whole what a line rule finds on one line, not the other way round
        and (earlier["scope"] == "activity" or rule["scope"] == "line")
        and _rank(earlier) <= _rank(rule)
        and takes_in(match_of(earlier), match_of(rule))
    )


def _rank(rule: Rule) -> int:
    return RANK[rule["minimum_evidence"]] if rule["minimum_evidence"] else 0
