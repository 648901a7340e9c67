"""Commands of rewards."""

import csv
from pathlib import Path

import click
from flask.cli import AppGroup

from app.core.commands import with_services
from app.core.errors import ProblemError
from app.redemption.service.code_importing import Imported, import_codes
from app.redemption.service.reward_reading import resolve_reward

LINES_SHOWN = 20
FAULTS_MAX = 100_000  # as many as the report tells of
PATIENCE_SECONDS = 600

reward_commands = AppGroup("rewards", help="Rewards and their codes.")
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@reward_commands.command("import-codes")
@click.argument("reward")
@click.argument("file", type=_file)
@click.option("--column", help="The column of the codes, as the first row names it; without it each row is a code.")
@click.option("--test", "is_test", is_flag=True, help="Codes for trying it out: no live member draws them.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the refused lines to this CSV.")
@with_services
def import_codes_command(reward: str, file: Path, column: str | None, is_test: bool, report: Path | None) -> None:
    """Add the codes in FILE, a CSV of up to a million rows, to the voucher pool REWARD, an id or key.

    All that are good are added, in one transaction; each other row is refused by its line, and the command ends with
    1. Run again, it adds what is new.
    """
    from rich.console import Console

    from app.core.progress import shown_progress

    console = Console()
    try:
        with (
            file.open("rb") as stream,
            shown_progress(console, "importing codes", file.stat().st_size, in_bytes=True) as advance,
        ):
            read = 0

            def progress() -> None:
                nonlocal read
                advance(stream.tell() - read)
                read = stream.tell()

            done = import_codes(
                resolve_reward(reward), stream, live=not is_test, column=column, faults_max=FAULTS_MAX,
                patience_s=PATIENCE_SECONDS, progress=progress,
            )  # fmt: skip
    except ProblemError as problem:
        raise click.ClickException(problem.detail) from problem
    _tell(done, report)


def _tell(done: Imported, report: Path | None) -> None:
    """Print what became of the file; never a code, only lines."""
    click.echo(f"{done.imported:,} of {done.rows:,} rows imported, {done.refused:,} refused")
    for fault in done.faults[:LINES_SHOWN]:
        click.echo(f"line {fault['line']}: {fault['detail']}")
    if done.refused > LINES_SHOWN:
        click.echo(f"and {done.refused - LINES_SHOWN:,} more")
    if report is not None:
        with report.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["line", "reason", "detail"])
            writer.writerows([fault["line"], fault["code"], fault["detail"]] for fault in done.faults)
    if done.refused:
        raise SystemExit(1)
