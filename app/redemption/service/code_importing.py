"""Import a partner's codes into a pool: a million in one transaction, bad and known ones refused by their line."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from uuid import UUID

import psycopg

from app.core.clock import now
from app.core.database import db, driver_connection
from app.core.errors import ValidationProblem
from app.core.unit_of_work import unit_of_work
from app.redemption import code_queries, codes
from app.redemption import reward_queries as queries
from app.redemption.code_rows import FAULTS, NoSuchColumn, read_codes
from app.redemption.errors import RewardHasNoCodes, RewardNotFound, WrongRewardState
from app.redemption.models import Reward
from app.redemption.stock import notice_afterwards
from app.staff import service as staff

ROWS_MAX = 1_000_000
CHUNK_ROWS = 20_000
PATIENCE_SECONDS = 10


@dataclass(slots=True)
class Imported:
    """What became of a file: its rows, those imported, and up to ``faults_max`` of those refused, by line.

    ``reasons`` counts all that were refused.
    """

    faults_max: int
    rows: int = 0
    imported: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return self.reasons.total()

    def refuse(self, line: int, code: str, of: int | None = None) -> None:
        """Count a row as refused for ``code``, a key of ``FAULTS``."""
        self.reasons[code] += 1
        if len(self.faults) < self.faults_max:
            self.faults.append({"line": line, "code": code, "detail": FAULTS[code].format(of=of)})


def import_codes(
    reward_id: UUID,
    stream: BinaryIO,
    *,
    live: bool,
    column: str | None = None,
    faults_max: int = 1000,
    patience_s: int = PATIENCE_SECONDS,
    progress: Callable[[], object] = lambda: None,
) -> Imported:
    """Add the codes in ``stream``, as ``code_rows`` reads them, to the reward's free ones, and return what became.

    One transaction: all that are good, or none. A code is refused that stands in the file before, was imported before,
    or belongs to another reward of the merchant. ``progress`` is called as the work goes on. Raises RewardNotFound,
    RewardHasNoCodes, WrongRewardState for an archived reward, ValidationProblem for too many rows or no such column.
    """
    done = Imported(faults_max)
    with unit_of_work(), driver_connection() as connection:
        reward = _pool(reward_id)
        base = code_queries.begin_import(connection, reward_id, reward.merchant_id, patience_s)
        adding = _Adding(connection, reward, live, base, done)
        rows = _bounded(read_codes(stream, column), done)
        try:
            for chunk in iter(lambda: list(itertools.islice(rows, CHUNK_ROWS)), []):
                adding.add(chunk)
                progress()
        except NoSuchColumn:
            raise ValidationProblem([{"pointer": "/column", "detail": "The first row names no such column."}]) from None
        done.faults.sort(key=lambda fault: fault["line"])
        if done.imported:
            after = {"live": live, "imported": done.imported, "refused": done.refused}
            staff.record_audit("reward.codes_imported", "reward", reward_id, before=None, after=after, moment=now())
            notice_afterwards(reward_id)
    return done


def _pool(reward_id: UUID) -> Reward:
    """Return the reward, whose kind and merchant never change."""
    reward = queries.find_reward(db.session, reward_id)
    if reward is None:
        raise RewardNotFound
    if reward.kind != "voucher_pool":
        raise RewardHasNoCodes
    if reward.state == "archived":
        raise WrongRewardState("The reward is archived.", reward_state=reward.state)
    return reward


def _bounded(rows: Iterable[tuple[int, str | None, str]], done: Imported) -> Iterator[tuple[int, str]]:
    """Yield the rows that hold a code, and count the others; raise ValidationProblem."""
    for line, code, fault in rows:
        done.rows += 1
        if done.rows > ROWS_MAX:
            raise ValidationProblem([{"pointer": "", "detail": f"At most {ROWS_MAX:,} rows."}])
        if code is None:
            done.refuse(line, fault)
        else:
            yield line, code


class _Adding:
    """Adds chunks of codes to a reward's pool; a code's place is its line after ``base``."""

    def __init__(
        self, connection: psycopg.Connection[Any], reward: Reward, live: bool, base: int, done: Imported
    ) -> None:
        self._connection, self._reward_id, self._live, self._base, self._done = (
            connection, reward.reward_id, live, base, done,
        )  # fmt: skip
        self._hash = codes.partner_hasher(reward.merchant_id, live)
        self._encrypt = codes.encrypter(codes.about_pool(reward.reward_id))

    def add(self, chunk: Sequence[tuple[int, str]]) -> None:
        """Add those codes (line, code) that no pool has, and count the others as refused."""
        hashes = [self._hash(code) for _, code in chunk]
        known = code_queries.list_known(self._connection, self._reward_id, hashes)
        fresh = []
        for (line, code), code_hash in zip(chunk, hashes, strict=True):
            if code_hash in known:
                self._refuse(line, *known[code_hash])
            else:
                known[code_hash] = (True, self._base + line)
                fresh.append((self._base + line, code_hash, self._encrypt(code)))
        code_queries.add_codes(self._connection, self._reward_id, self._live, fresh)
        self._done.imported += len(fresh)

    def _refuse(self, line: int, is_own: bool, place: int) -> None:
        if not is_own:
            self._done.refuse(line, "other_reward")
        elif place > self._base:
            self._done.refuse(line, "repeated", place - self._base)
        else:
            self._done.refuse(line, "imported_before")
