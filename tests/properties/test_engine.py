"""What holds of every evaluation, whatever the rules and the basket."""

from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from app.campaigns.engine import Evaluation, share_by_largest_remainder
from tests.campaigns.documents import activity, campaign_document, compiled, evaluated, line, rule_document

CATEGORIES = ["produce", "bakery", "toys"]
CODES = ["EU_ORGANIC", "FSC"]
PACKAGING = ["UNPACKED", "NO_BAG"]
PER_AMOUNT = {"type": "per_amount", "currency": "EUR"}
small = st.integers(1, 1000)

awards = st.one_of(
    st.builds(lambda points: {"type": "fixed", "points": points}, small),
    st.builds(lambda points: {"type": "per_unit", "points": points}, small),
    st.builds(
        lambda points, per: {"type": "per_amount", "points": points, "per": per, "currency": "EUR"}, small, small
    ),
    st.builds(lambda points, per: {"type": "per_weight", "points": points, "per_g": per}, small, small),
    st.builds(
        lambda hundredths: {"type": "multiplier", "factor": f"{Fraction(hundredths, 100).__float__():.2f}"},
        st.integers(101, 500),
    ),
)
matches = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
        for name, values in (("categories", CATEGORIES), ("certifications", CODES), ("packaging", PACKAGING))
    },
)
conditions = st.sampled_from([None, "activity.total > 500", "activity.line_count != 2", "activity.nothing == 1"])


@st.composite
def rule_documents(draw: st.DrawFn) -> dict[str, Any]:
    return rule_document(
        scope=draw(st.sampled_from(["line", "activity"])),
        award=draw(awards),
        match=draw(matches),
        when=draw(conditions),
        rounding=draw(st.sampled_from(["floor", "half_up", "ceil"])),
        minimum=draw(st.none() | st.integers(1, 50)),
        maximum=draw(st.none() | st.integers(1, 500)),
    )


@st.composite
def programmes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Campaigns of distinct keys with rules of distinct keys, in any order."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        rules = draw(st.lists(rule_documents(), min_size=1, max_size=4))
        keyed = [rule | {"key": f"c{number}r{place}"} for place, rule in enumerate(rules)]
        found.append(
            campaign_document(*draw(st.permutations(keyed)), key=f"c{number}", priority=draw(st.integers(0, 2)))
        )
    return found


@st.composite
def baskets(draw: st.DrawFn) -> dict[str, Any]:
    lines = [
        line(
            str(number),
            category=draw(st.none() | st.sampled_from(CATEGORIES)),
            quantity=draw(st.integers(1, 10_000)),
            total=draw(st.integers(0, 10**9)),
            weight_g=draw(st.none() | st.integers(0, 10**6)),
            certifications=draw(st.lists(st.sampled_from(CODES), unique=True)),
            packaging=draw(st.lists(st.just("UNPACKED"), max_size=1)),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    return activity(*lines, packaging=draw(st.lists(st.just("NO_BAG"), max_size=1)))


def told(evaluation: Evaluation) -> tuple[dict[str, Any], dict[str, str]]:
    awarded = {each.rule.key: (each.points, each.lines) for each in evaluation.desired}
    return awarded, {each.rule.key: each.code for each in evaluation.missed}


@given(programmes(), baskets())
def test_points_are_positive_bounded_and_the_sum_of_their_lines(
    documents: list[dict[str, Any]], basket: dict[str, Any]
) -> None:
    for desired in evaluated(compiled(*documents), basket).desired:
        assert desired.points > 0
        assert desired.rule.minimum is None or desired.points >= min(
            desired.rule.minimum, desired.rule.maximum or desired.rule.minimum
        )
        assert desired.rule.maximum is None or desired.points <= desired.rule.maximum
        assert sum(points for _, points in desired.lines) == desired.points
        assert all(points >= 0 for _, points in desired.lines)
        assert len({name for name, _ in desired.lines}) == len(desired.lines)


@given(programmes(), baskets())
def test_every_rule_pays_or_says_why_not(documents: list[dict[str, Any]], basket: dict[str, Any]) -> None:
    rules = compiled(*documents)
    awarded, reasons = told(evaluated(rules, basket))
    assert awarded.keys() | reasons.keys() == {rule.key for rule in rules}
    assert not awarded.keys() & reasons.keys()


@given(programmes(), baskets(), st.randoms(use_true_random=False))
def test_the_order_in_which_rules_and_campaigns_are_given_does_not_matter(
    documents: list[dict[str, Any]], basket: dict[str, Any], random: Any
) -> None:
    rules = compiled(*documents)
    shuffled = random.sample(rules, len(rules))
    assert evaluated(rules, basket) == evaluated(shuffled, basket)


@given(programmes(), baskets(), rule_documents())
def test_a_rule_that_does_not_match_changes_no_award(
    documents: list[dict[str, Any]], basket: dict[str, Any], extra: dict[str, Any]
) -> None:
    never = extra | {"key": "never", "match": {"materials": ["UNOBTAINIUM"]}}
    before, _ = told(evaluated(compiled(*documents), basket))
    after, reasons = told(evaluated(compiled(*documents, campaign_document(never, key="extra", priority=1)), basket))
    assert after == before
    assert reasons["never"] == "condition_not_met"


weights = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


@given(st.integers(0, 10**6), weights)
def test_shares_sum_exactly_and_are_within_one_of_exact(points: int, given_weights: list[int]) -> None:
    total = sum(given_weights)
    assume(total > 0)
    shares = share_by_largest_remainder(points, given_weights)
    assert sum(shares) == points
    for share, weight in zip(shares, given_weights, strict=True):
        assert abs(share - Fraction(points * weight, total)) < 1
