"""How a system is asked without hurting it: rate, hours, monthly budget, back-off. One per source.

The rate and the calls of the month live in a small file that all processes share under a lock, so a restart
neither bursts nor forgets what the month has cost.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sources.contract import Source, duration
from tieout.ingest.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

_LONGEST = 200  # bytes of the record; always so many, so that a shorter one leaves no rest of a longer
FIRST_BACKOFF = 0.5  # seconds; doubles with every attempt
Pause = Callable[[float], None]
Clock = Callable[[], datetime]


class Refused(SourceError):
    """The contract's limits do not allow the request now; what was fetched so far is kept for the next pull."""


class Manners:
    """The limits of one source, kept by all threads and processes that ask it.

    Args:
        state: The file that keeps the calls of the month and the next free moment.
        clock: The present (aware); so that a test need not wait for midnight.
        pause: Waits a number of seconds.
    """

    def __init__(self, source: Source, state: Path, clock: Clock, pause: Pause = time.sleep) -> None:
        self.name, self.limits, self.zone = source.name, source.limits, ZoneInfo(source.timezone)
        self.state, self.clock, self.pause = state, clock, pause
        self.waited = 0.0
        self._stopped: str | None = None
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(source.limits.concurrency)

    @contextmanager
    def turn(self) -> Generator[None]:
        """One request: blocks until it may be made.

        Raises: Refused outside the hours, when the month's calls are used up, or after `stop`.
        """
        with self._places:
            if self._stopped:
                raise Refused(self._stopped)
            self._admit()
            yield

    def _admit(self) -> None:
        now = self.clock()
        opens = opening(self.limits.hours, now, self.zone)
        if opens:
            raise Refused(
                f"{self.name}: may be asked only {self.limits.hours} ({self.zone}); it opens {opens:%Y-%m-%d %H:%M}. "
                f"Nothing more was asked; what was loaded before stays. Pages already here are kept for the next pull."
            )
        if self.limits.requests_per_second is None and self.limits.calls_per_month is None:
            return
        with self._lock, _locked(self.state) as record:
            month = f"{now.astimezone(self.zone):%Y-%m}"
            calls = record.get("calls", 0) if record.get("month") == month else 0
            budget = self.limits.calls_per_month
            if budget is not None and calls >= budget:
                raise Refused(
                    f"{self.name}: the {budget} calls of {month} are used up (limits.calls_per_month). Nothing more "
                    f"was asked; what was loaded before stays. The next month begins with a new budget; or raise it."
                )
            free = record.get("free", 0.0)
            present = now.timestamp()
            # A clock that was put back must not make everybody wait until it has caught up.
            start = max(present, free) if free < present + 3600 else present
            gap = 1 / self.limits.requests_per_second if self.limits.requests_per_second else 0.0
            record.update(month=month, calls=calls + 1, free=start + gap)
        self.wait(start - present)

    def stop(self, why: str) -> Refused:
        """Let nothing more be asked in this pull, by any thread; returns what to raise. The first reason is told."""
        with self._lock:
            self._stopped = self._stopped or why
        return Refused(self._stopped)

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            with self._lock:
                self.waited += seconds
            self.pause(seconds)

    def backoff(self, attempt: int, asked: float | None) -> float:
        """Seconds before the attempt after number `attempt` (from 0): what the server asked for, else full jitter.

        Raises: Refused if the server asks for more than `limits.longest_wait`.
        """
        longest = duration(self.limits.longest_wait).total_seconds()
        if asked is not None:
            if asked > longest:
                raise Refused(
                    f"{self.name}: the server asks us to wait {asked:.0f} s, longer than limits.longest_wait "
                    f"({self.limits.longest_wait}). Nothing of it was loaded; what was loaded before stays. "
                    f"Pages already here are kept: repeat after {asked:.0f} s."
                )
            return asked
        return random.uniform(0, min(longest, FIRST_BACKOFF * 2**attempt))


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds a Retry-After header asks for: a number, or a date; None if it says neither."""
    if header is None:
        return None
    text = header.strip()
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def opening(hours: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When a system that may be asked only in `hours` (`20:00-07:00`) opens; None if it is open at `now`."""
    if hours is None:
        return None
    start, end = (datetime.strptime(part, "%H:%M").time() for part in hours.split("-"))  # noqa: DTZ007
    local = now.astimezone(zone)
    moment = local.time()
    inside = start <= moment < end if start < end else moment >= start or moment < end
    if inside or start == end:
        return None
    opens = local.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
    return opens if opens > local else opens + timedelta(days=1)


@contextmanager
def _locked(path: Path) -> Generator[dict[str, Any]]:
    """The state file's content, written back on success; other processes wait meanwhile.

    One short record in one file, written in one go: a request takes its turn some thousand times a pull.
    """
    import fcntl

    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        record = json.loads(os.pread(file, _LONGEST, 0) or b"{}")
        yield record
        os.pwrite(file, json.dumps(record).encode().ljust(_LONGEST), 0)
    finally:
        os.close(file)


def state_file(landing_root: Path, source: str) -> Path:
    """Where the manners of one source are remembered, beside the landing."""
    return landing_root.parent / "manners" / f"{source}.json"
