"""The closing summary: what was read, what became of it, what it earned and avoided."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from app.demo.baskets import Tally
from app.demo.mapping import load_mapping
from app.demo.outcomes import EMPTY_BASKET, Outcomes

BEST_MEMBERS = 5
_UNITS = {
    "g_co2e_avoided": "g CO2e avoided",
    "g_packaging_avoided": "g packaging avoided",
    "g_plastic_avoided": "g plastic avoided",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run; ``differences`` are the lines of the ledger's verification, none where it is clean."""

    tally: Tally
    outcomes: Outcomes
    members: int
    seconds: float
    differences: tuple[str, ...]


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for figure, meaning in rows:
        table.add_row(figure, meaning)
    return table


def _basket_rows(run: Run) -> list[tuple[str, str]]:
    outcomes = run.outcomes
    rows = [
        (_number(run.tally.baskets_read), "read and sent, of which"),
        (_number(outcomes.awarded), "  awarded"),
        (_number(outcomes.accepted), "  accepted without award"),
        (_number(outcomes.refused.total()), "  refused"),
    ]
    for code, count in outcomes.refused.most_common():
        why = "no line left by the rules below" if code == EMPTY_BASKET else code
        rows.append((_number(count), f"    {why}"))
    accounted = outcomes.awarded + outcomes.accepted + outcomes.refused.total()
    if accounted != run.tally.baskets_read:
        rows.append((_number(run.tally.baskets_read - accounted), "[bold red]NOT ACCOUNTED FOR[/]"))
    if outcomes.replayed:
        rows.append((_number(outcomes.replayed), "of these the server knew already and paid nothing again"))
    return rows


def _line_rows(tally: Tally) -> list[tuple[str, str]]:
    rows = [(_number(tally.lines_read), "read"), (_number(tally.lines_sent), "  sent")]
    for rule in load_mapping().line_rules:
        dropped, changed = tally.lines_dropped[rule.name], tally.lines_changed[rule.name]
        if dropped:
            rows.append((_number(dropped), f"  dropped: {rule.name} ({rule.when})"))
        if changed:
            rows.append((_number(changed), f"    of those sent, with quantity 1: {rule.name} ({rule.when})"))
    return rows


def _point_rows(run: Run) -> list[tuple[str, str]]:
    outcomes = run.outcomes
    rows = [
        (_number(outcomes.points), f"awarded to {_number(len(outcomes.by_member))} of {_number(run.members)} members"),
        (_number(outcomes.points_pending), "  of these still pending"),
        (_number(outcomes.points_new), "  of these paid by this run"),
    ]
    rows += [(_number(points), f"  by {campaign}") for campaign, points in outcomes.by_campaign.most_common()]
    if run.seconds > 0 and outcomes.awarded_new:
        rows.append((_number(outcomes.awarded_new / run.seconds), "awards per second"))
    if run.seconds > 0 and outcomes.read:
        rows.append((_number(outcomes.read / run.seconds), f"baskets per second, in {run.seconds:.1f} s"))
    return rows


def _impact_rows(outcomes: Outcomes) -> list[tuple[str, str]]:
    rows = [(_number(value), _UNITS.get(metric, metric)) for metric, value in sorted(outcomes.impact.items())]
    rows += [
        (_number(count), f"× {subject}: no published factor, so 0 is claimed")
        for subject, count in sorted(outcomes.unclaimed.items())
    ]
    return rows or [("0", "nothing that a published factor covers")]


def print_summary(console: Console, run: Run) -> None:
    """Print what happened; every basket and line is accounted for."""
    if run.outcomes.read:
        best = run.outcomes.by_member.most_common(BEST_MEMBERS)
        for table in (
            _table("Baskets", _basket_rows(run)),
            _table("Lines", _line_rows(run.tally)),
            _table("Points", _point_rows(run)),
            _table("Impact", _impact_rows(run.outcomes)),
            _table("Best members", [(_number(points), ref) for ref, points in best]),
        ):
            console.print()
            console.print(table)
    console.print()
    if run.differences:
        console.print(f"[bold red]ledger verify: {len(run.differences)} differences[/]")
        for line in run.differences:
            console.print(f"  {line}", markup=False)
    else:
        console.print("ledger verify: clean")
