"""What holds of every evaluation, whatever the rules and the basket."""

from fractions import Fraction
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from app.campaigns.engine import Evaluation, Rule, share_by_largest_remainder
from app.campaigns.limits import Headroom, Settlement, settle
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
    st.builds(
        lambda expression: {"type": "expression", "expression": expression},
        st.sampled_from(["3", "0.3", "double(activity.total) / 700.0", "1000 / (activity.line_count - 2)", "0"]),
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
stackings = st.none() | st.fixed_dictionaries(
    {"group": st.sampled_from(["g", "h"]), "mode": st.sampled_from(["sum", "best", "exclusive"])}
)
limits = st.lists(
    st.fixed_dictionaries(
        {
            "unit": st.sampled_from(["points", "count"]),
            "by": st.sampled_from(["member", "household", "campaign"]),
            "per": st.sampled_from(["day", "campaign"]),
            "amount": small,
        }
    ),
    max_size=3,
    unique_by=lambda limit: (limit["unit"], limit["by"], limit["per"]),
)


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
        priority=draw(st.none() | st.integers(0, 2)),
        stacking=draw(stackings),
        limits=draw(limits),
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


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Rule], dict[str, Any], Headroom]:
    """Rules, a basket, and what is left of some of their limits and budgets."""
    rules = compiled(*draw(programmes()))
    few = st.integers(-1, 3) | st.integers(0, 2000)
    keys = [(rule.campaign_id, rule.key, limit.key) for rule in rules for limit in rule.limits]
    left = {key: draw(few) for key in keys if draw(st.booleans())}
    funds = {campaign_id: draw(few) for campaign_id in {rule.campaign_id for rule in rules} if draw(st.booleans())}
    return rules, draw(baskets()), Headroom(left, funds)


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
    assert evaluated(rules, basket) == evaluated(shuffled, basket) == evaluated(rules, basket)


@given(programmes(), baskets(), rule_documents())
def test_a_rule_that_does_not_match_changes_no_award(
    documents: list[dict[str, Any]], basket: dict[str, Any], extra: dict[str, Any]
) -> None:
    never = extra | {"key": "never", "match": {"materials": ["UNOBTAINIUM"]}}
    before, _ = told(evaluated(compiled(*documents), basket))
    after, reasons = told(evaluated(compiled(*documents, campaign_document(never, key="extra", priority=1)), basket))
    assert after == before
    assert reasons["never"] == "condition_not_met"


def by_rule(settlement: Settlement) -> dict[str, int]:
    return {each.desired.rule.key: each.points for each in settlement.granted}


@given(cases())
def test_nothing_is_granted_beyond_what_is_desired_or_left(case: tuple[list[Rule], dict[str, Any], Headroom]) -> None:
    rules, basket, headroom = case
    evaluation = evaluated(rules, basket)
    settlement = settle(evaluation, headroom)
    desired = {each.rule.key: each for each in evaluation.desired}
    for each in settlement.granted:
        wanted = desired[each.desired.rule.key]
        assert each.desired is wanted
        assert 0 < each.points <= wanted.points
        assert sum(points for _, points, _ in each.lines) == each.points
        assert sum(wants for _, _, wants in each.lines) == wanted.points
        assert [name for name, _, _ in each.lines] == [name for name, _ in wanted.lines]
        assert all(0 <= points <= wants for _, points, wants in each.lines)
        assert (each.codes == ("matched",)) is (each.points == wanted.points)
    for key, taken in settlement.taken.items():
        assert 0 <= taken <= max(headroom.left[key], 0)
    spent: dict[UUID, int] = {}
    for each in settlement.granted:
        campaign_id = each.desired.rule.campaign_id
        spent[campaign_id] = spent.get(campaign_id, 0) + each.points
    for campaign_id, fund in headroom.funds.items():
        assert spent.get(campaign_id, 0) <= max(fund, 0)
        assert settlement.spent.get(campaign_id, 0) == spent.get(campaign_id, 0)


@given(cases())
def test_what_is_taken_is_what_is_granted(case: tuple[list[Rule], dict[str, Any], Headroom]) -> None:
    rules, basket, headroom = case
    evaluation = evaluated(rules, basket)
    settlement = settle(evaluation, headroom)
    granted = by_rule(settlement)
    concerned = {(rule.campaign_id, rule.key, limit.key): limit for each in evaluation.desired
                 for rule in [each.rule] for limit in rule.limits}  # fmt: skip
    assert settlement.taken.keys() == concerned.keys() & headroom.left.keys()
    for key, taken in settlement.taken.items():
        points = granted.get(key[1], 0)
        assert taken == (points if concerned[key].unit == "points" else min(points, 1))


@given(cases())
def test_every_rule_is_granted_something_or_says_why_not(case: tuple[list[Rule], dict[str, Any], Headroom]) -> None:
    rules, basket, headroom = case
    settlement = settle(evaluated(rules, basket), headroom)
    reasons = {each.rule.key for each in settlement.missed}
    assert by_rule(settlement).keys() | reasons == {rule.key for rule in rules}
    assert not by_rule(settlement).keys() & reasons
    orders = [each.rule.order for each in settlement.missed]
    assert orders == sorted(orders)


@given(cases())
def test_what_was_granted_is_granted_again_with_just_that_left(
    case: tuple[list[Rule], dict[str, Any], Headroom],
) -> None:
    rules, basket, headroom = case
    evaluation = evaluated(rules, basket)
    first = settle(evaluation, headroom)
    again = settle(evaluation, Headroom(first.taken, first.spent))
    assert [each.lines for each in again.granted] == [each.lines for each in first.granted]
    assert (again.taken, again.spent) == (first.taken, first.spent)


@given(cases())
def test_more_headroom_never_grants_a_base_rule_less(case: tuple[list[Rule], dict[str, Any], Headroom]) -> None:
    rules, basket, headroom = case
    evaluation = evaluated(rules, basket)
    tight = settle(evaluation, Headroom(headroom.left))
    loose = by_rule(settle(evaluation, Headroom({key: left + 1 for key, left in headroom.left.items()})))
    for each in tight.granted:
        assert loose[each.desired.rule.key] >= each.points


@given(programmes(), baskets())
def test_without_limits_all_is_granted_as_desired(documents: list[dict[str, Any]], basket: dict[str, Any]) -> None:
    evaluation = evaluated(compiled(*documents), basket)
    settlement = settle(evaluation, Headroom())
    assert [(each.desired, each.points) for each in settlement.granted] == [
        (desired, desired.points) for desired in evaluation.desired
    ]
    assert settlement.missed == evaluation.missed


@given(programmes(), baskets())
def test_in_a_group_of_whole_rules_one_alone_pays_where_that_is_its_mode(
    documents: list[dict[str, Any]], basket: dict[str, Any]
) -> None:
    for document in documents:
        for rule in document["rules"]:
            rule |= {"scope": "activity", "stacking": {"group": "g", "mode": "exclusive"}}
    desired = evaluated(compiled(*documents), basket).desired
    assert len([each for each in desired if not each.rule.is_multiplier]) <= 1
    assert len([each for each in desired if each.rule.is_multiplier]) <= 1


weights = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


@given(st.integers(0, 10**6), weights)
def test_shares_sum_exactly_and_are_within_one_of_exact(points: int, given_weights: list[int]) -> None:
    total = sum(given_weights)
    assume(total > 0)
    shares = share_by_largest_remainder(points, given_weights)
    assert sum(shares) == points
    for share, weight in zip(shares, given_weights, strict=True):
        assert abs(share - Fraction(points * weight, total)) < 1
