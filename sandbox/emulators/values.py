"""The store's canonical times as vendors print them: local wall clock, epoch seconds, local midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

CHINA = timezone(timedelta(hours=8))


def moment(instant: str) -> datetime:
    """`2026-01-05T02:11:09Z`, or any ISO text with a zone, as an aware datetime."""
    return datetime.fromisoformat(instant)


@lru_cache(maxsize=100_000)
def local(instant: str, form: str = "%Y-%m-%d %H:%M:%S", zone: timezone = CHINA) -> str:
    """The wall clock of a zone: `2026-01-05 10:11:09`."""
    return moment(instant).astimezone(zone).strftime(form)


def epoch(instant: str) -> int:
    """Whole seconds since 1970; times 1000 for the vendors that count milliseconds."""
    return int(moment(instant).timestamp())


def midnight(day: str, zone: timezone = CHINA) -> datetime:
    """When a business day begins in a zone, in UTC: 2026-02-01 → 2026-01-31 16:00Z."""
    begins = date.fromisoformat(day)
    return datetime(begins.year, begins.month, begins.day, tzinfo=zone).astimezone(UTC)


def canonical(when: datetime) -> str:
    """An instant as the store writes it, for comparing with its columns."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
