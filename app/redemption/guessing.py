"""Slow down who guesses codes: wrong ones are counted by merchant and in all, and beyond a number each costs a wait.

1. In a window of ten minutes, which begins with its first wrong code, a merchant has 20 for nothing. Each further one
   lets none of that merchant's codes be looked at for 1, 2, 4, … seconds, 5 minutes at most.
2. All merchants together have 200. Each further one does the same to every merchant that has had a wrong code in its
   own window; a merchant without one goes on, so that a guesser can't stop the tills of the others.
3. A voucher that is redeemed lets its merchant begin anew, because who types codes of real vouchers mistypes some. It
   does nothing to the count of all, which bounds a guesser that owns a voucher.
4. A request that is refused for this is not counted. Live and test are counted apart.

The counts stand in Redis; while it is gone, in the memory of each process. What it comes to is in docs/vouchers.md.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import redis
import structlog
from flask import current_app

from app.redemption.errors import TooManyGuesses

WINDOW_SECONDS = 600
MERCHANT_FREE = 20
MERCHANT_DELAY_MAX = 300
ALL_FREE = 200
ALL_DELAY_MAX = 300
REDIS_REST_SECONDS = 5.0  # how long Redis is not asked again after it failed

log = structlog.get_logger()

_T = TypeVar("_T")

# count, then block: the window ends no sooner than the wait
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local over = count - tonumber(ARGV[2])
if over > 0 then
  local wait = math.min(2 ^ math.min(over - 1, 30) * 1000, tonumber(ARGV[3]))
  redis.call('SET', KEYS[2], '1', 'PX', string.format('%d', wait))
  if redis.call('PTTL', KEYS[1]) < wait then redis.call('PEXPIRE', KEYS[1], string.format('%d', wait)) end
end
return count
"""


@dataclass(frozen=True, slots=True)
class _Counter:
    """A count of wrong codes: its name, how many are free, and the longest wait in seconds."""

    name: str
    free: int
    delay_max: int

    @property
    def key(self) -> str:
        return f"voucher-guesses:{self.name}"

    @property
    def block_key(self) -> str:
        return f"voucher-wait:{self.name}"


def _of_merchant(merchant_id: UUID, live: bool) -> _Counter:
    return _Counter(f"{'live' if live else 'test'}:{merchant_id}", MERCHANT_FREE, MERCHANT_DELAY_MAX)


def _of_all(live: bool) -> _Counter:
    return _Counter(f"{'live' if live else 'test'}:all", ALL_FREE, ALL_DELAY_MAX)


def check(merchant_id: UUID, live: bool) -> None:
    """Raise TooManyGuesses, with how long to wait, where no code of this merchant is looked at now."""
    if not current_app.config["SETTINGS"].rate_limits:
        return
    own, all_ = _of_merchant(merchant_id, live), _of_all(live)
    found = _in_redis(lambda client: _read_redis(client, own, all_))
    own_wait, all_wait, count = found if found is not None else _memory().read(own, all_)
    wait = max(own_wait, all_wait if count else 0.0)
    if wait > 0:
        raise TooManyGuesses(headers={"Retry-After": str(math.ceil(wait))})


def note_wrong(merchant_id: UUID, live: bool) -> None:
    """Count a wrong code of this merchant."""
    if not current_app.config["SETTINGS"].rate_limits:
        return
    counters = (_of_merchant(merchant_id, live), _of_all(live))
    if _in_redis(lambda client: _count_redis(client, counters)) is None:
        _memory().count(counters)


def note_right(merchant_id: UUID, live: bool) -> None:
    """Let the merchant begin anew: a voucher of its was redeemed."""
    own = _of_merchant(merchant_id, live)
    _in_redis(lambda client: client.delete(own.key))
    _memory().forget(own)


def _in_redis(work: Callable[[redis.Redis], _T]) -> _T | None:
    """Return what ``work`` does with Redis, None while that is gone; it is asked again after a rest."""
    memory = _memory()
    if time.monotonic() < memory.redis_rests_until:
        return None
    try:
        return work(current_app.extensions["redis"])
    except redis.RedisError as error:
        memory.redis_rests_until = time.monotonic() + REDIS_REST_SECONDS
        log.warning("voucher_guesses_in_memory", error=type(error).__name__)
        return None


def _read_redis(client: redis.Redis, own: _Counter, all_: _Counter) -> tuple[float, float, int]:
    with client.pipeline(transaction=False) as pipe:
        pipe.pttl(own.block_key)
        pipe.pttl(all_.block_key)
        pipe.get(own.key)
        own_wait, all_wait, count = pipe.execute()
    return own_wait / 1000, all_wait / 1000, int(count or 0)


def _count_redis(client: redis.Redis, counters: Iterable[_Counter]) -> bool:
    with client.pipeline(transaction=False) as pipe:
        for counter in counters:
            keys = (counter.key, counter.block_key)
            pipe.eval(_COUNT, 2, *keys, WINDOW_SECONDS * 1000, counter.free, counter.delay_max * 1000)
        pipe.execute()
    return True


@dataclass(slots=True)
class _Kept:
    """A count in memory, until when it lasts and until when it blocks."""

    count: int
    ends_at: float
    blocked_until: float = 0.0


@dataclass(slots=True)
class _Memory:
    """The counts of this process while Redis is gone."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[str, _Kept] = field(default_factory=dict)
    redis_rests_until: float = 0.0

    def read(self, own: _Counter, all_: _Counter) -> tuple[float, float, int]:
        """Return how long each blocks still, and the merchant's own count."""
        with self.lock:
            moment = time.monotonic()
            mine, all_kept = self._living(own, moment), self._living(all_, moment)
            return mine.blocked_until - moment, all_kept.blocked_until - moment, mine.count

    def _living(self, counter: _Counter, moment: float) -> _Kept:
        kept = self.kept.get(counter.name)
        return kept if kept is not None and kept.ends_at > moment else _Kept(0, moment + WINDOW_SECONDS)

    def count(self, counters: Iterable[_Counter]) -> None:
        """Do as ``_COUNT`` does."""
        with self.lock:
            moment = time.monotonic()
            self.kept = {name: each for name, each in self.kept.items() if each.ends_at > moment}
            for counter in counters:
                kept = self.kept.setdefault(counter.name, self._living(counter, moment))
                kept.count += 1
                over = kept.count - counter.free
                if over > 0:
                    kept.blocked_until = moment + min(2 ** min(over - 1, 30), counter.delay_max)
                    kept.ends_at = max(kept.ends_at, kept.blocked_until)

    def forget(self, counter: _Counter) -> None:
        """Forget a count."""
        with self.lock:
            self.kept.pop(counter.name, None)


def _memory() -> _Memory:
    memory: _Memory = current_app.extensions.setdefault("voucher_guesses", _Memory())
    return memory
