"""Rate, hours, budget and back-off of a source, with a clock of the test's own."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.http_server import http_source
from tieout.ingest.manners import Manners, Refused, opening, retry_after, state_file

SHANGHAI = ZoneInfo("Asia/Shanghai")
STREAM = {"thing": {"from": "/t", "key": ["id"], "columns": {"id": "bigint"}, "request": {}}}


class Clock:
    """A present that only moves when somebody waits."""

    def __init__(self, now=datetime(2026, 11, 22, 12, tzinfo=UTC)):
        self.now = now
        self.waits = []

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


def manners(folder, clock, **limits):
    return Manners(
        http_source("http://127.0.0.1:1", STREAM, limits=limits), folder / "shop.json", clock, clock.pause
    )


def test_the_rate_is_kept_over_restarts(tmp_path):
    clock = Clock()
    for _ in range(2):
        made = manners(tmp_path, clock, requests_per_second=4)
        for _ in range(4):
            with made.turn():
                pass
    assert clock.now - datetime(2026, 11, 22, 12, tzinfo=UTC) == timedelta(seconds=7 / 4)


def test_a_clock_put_back_does_not_stop_everybody(tmp_path):
    clock = Clock()
    with manners(tmp_path, clock, requests_per_second=1).turn():
        pass
    clock.now -= timedelta(days=1)
    with manners(tmp_path, clock, requests_per_second=1).turn():
        pass
    assert clock.waits == []


def _calls(folder, count, done):
    made = manners(Path(folder), Clock(), calls_per_month=1000)
    for _ in range(count):
        with made.turn():
            pass
    done.put(count)


def test_processes_share_one_count(tmp_path):
    context = multiprocessing.get_context("fork")
    done = context.Queue()
    workers = [context.Process(target=_calls, args=(str(tmp_path), 50, done)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    made = manners(tmp_path, Clock(), calls_per_month=201)
    with made.turn():
        pass
    with pytest.raises(Refused, match="the 201 calls of 2026-11 are used up"), made.turn():
        pass


@pytest.mark.parametrize(
    ("hours", "local", "opens"),
    [
        ("20:00-07:00", "2026-11-22 20:00", None),
        ("20:00-07:00", "2026-11-22 06:59", None),
        ("20:00-07:00", "2026-11-22 07:00", "2026-11-22 20:00"),
        ("08:00-18:00", "2026-11-22 07:59", "2026-11-22 08:00"),
        ("08:00-18:00", "2026-11-22 18:00", "2026-11-23 08:00"),
        (None, "2026-11-22 18:00", None),
    ],
)
def test_hours_are_company_time(hours, local, opens):
    now = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    found = opening(hours, now.astimezone(UTC), SHANGHAI)
    assert (found and f"{found:%Y-%m-%d %H:%M}") == opens


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 0.5 ", 0.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header, seconds):
    assert retry_after(header, datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds


def test_back_off_doubles_is_spread_and_ends_at_the_longest_wait(tmp_path):
    made = manners(tmp_path, Clock(), longest_wait="8s")
    for attempt, most in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        found = [made.backoff(attempt, None) for _ in range(200)]
        assert 0 <= min(found) < most * 0.1 and most * 0.9 < max(found) <= most
    assert made.backoff(0, 8) == 8
    with pytest.raises(Refused, match="asks us to wait 9 s"):
        made.backoff(0, 9)


def test_where_it_is_remembered():
    assert state_file(Path("/home/landing"), "shop") == Path("/home/manners/shop.json")
