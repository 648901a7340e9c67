"""Who owes whom: the arithmetic alone."""

from collections import Counter
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.settlement.accounts import (
    PROGRAMME,
    Fund,
    Movement,
    Spend,
    account_of,
    accounts_of,
    priced,
    sort_out,
)

PARTIES = [PROGRAMME, *(UUID(int=number) for number in (1, 2, 3, 4))]
parties = st.sampled_from(PARTIES)
points = st.integers(1, 10**6)
spent = st.builds(Movement, st.sampled_from(["spent", "refunded"]), parties, parties, points)
told = st.builds(Movement, st.sampled_from(["issued", "expired", "reversed"]), parties, st.just(PROGRAMME), points)
worths = st.fractions(min_value=0, max_value=200, max_denominator=1000)


@given(movements=st.lists(st.one_of(spent, told), max_size=30), worth=worths)
def test_all_balances_come_to_zero_and_every_statement_adds_up(movements: list[Movement], worth: Fraction) -> None:
    sorted_out, funds = sort_out(movements)
    spends = priced(sorted_out, worth)
    accounts = accounts_of(spends, funds)
    assert sum(account.balance for account in accounts) == 0
    assert accounts[0].party == PROGRAMME
    for account in accounts:
        assert account == account_of(account.party, spends, funds)
        assert account.balance == account.receivable - account.payable == sum(line.balance for line in account.lines)
    # what one gets on account of another is what the other pays on account of the one
    balances = {(account.party, line.counterparty): line.balance for account in accounts for line in account.lines}
    assert all(balances[other, one] == -balance for (one, other), balance in balances.items())
    assert all(balance == 0 for (one, other), balance in balances.items() if one == other)


@given(movements=st.lists(spent, max_size=30), worth=worths)
def test_amounts_are_within_one_of_their_worth_and_their_sum_is_rounded_once(
    movements: list[Movement], worth: Fraction
) -> None:
    spends = priced(sort_out(movements)[0], worth)
    for side in ("spent", "refunded"):
        amounts = [getattr(spend, f"{side}_amount") for spend in spends]
        counted = [getattr(spend, f"{side}_points") for spend in spends]
        assert sum(amounts) == round(sum(counted) * worth)
        assert all(amount >= 0 for amount in amounts)
        assert all(abs(amount - number * worth) < 2 for amount, number in zip(amounts, counted, strict=True))
        assert all(amount == 0 for amount, number in zip(amounts, counted, strict=True) if number == 0)


@given(movements=st.lists(st.one_of(spent, told), max_size=30))
def test_points_are_sorted_by_who_funds_them_and_where_they_went(movements: list[Movement]) -> None:
    spends, funds = sort_out(movements)
    expected: Counter[tuple[str, UUID, UUID]] = Counter()
    for each in movements:
        place = each.place if each.kind in ("spent", "refunded") else PROGRAMME
        expected[each.kind, each.funder, place] += each.points
    found: Counter[tuple[str, UUID, UUID]] = Counter()
    for spend in spends:
        found["spent", spend.funder, spend.place] += spend.spent_points
        found["refunded", spend.funder, spend.place] += spend.refunded_points
    for fund in funds:
        for kind in ("issued", "expired", "reversed"):
            found[kind, fund.funder, PROGRAMME] += getattr(fund, f"{kind}_points")
    assert +found == expected


def test_gifts_net_out_of_what_was_issued() -> None:
    one, other = PARTIES[1:3]
    given_away = [Movement("gift", one, PROGRAMME, 30), Movement("issued", one, PROGRAMME, 130)]
    spends, funds = sort_out([*given_away, Movement("spent", one, other, 5)])
    assert funds == [Fund(one, issued_points=100)]
    assert spends == [Spend(one, other, spent_points=5)]


def test_what_divides_badly_is_shared_by_largest_remainder() -> None:
    one, other = PARTIES[1:3]
    movements = [
        Movement("spent", PROGRAMME, one, 1), Movement("spent", one, other, 1), Movement("spent", other, PROGRAMME, 1)
    ]  # fmt: skip
    spends = priced(sort_out(movements)[0], Fraction(1, 2))
    assert [spend.spent_amount for spend in spends] == [1, 1, 0]  # 1.5 is 2
    assert [account.balance for account in accounts_of(spends, [])] == [-1, 0, 1]
