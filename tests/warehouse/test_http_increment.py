"""What is new since the last pull, one window again, deletions, and pulls that were killed: no row lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.http_server import Puller, Reply, http_source, running
from tieout.ingest.intake.ask import Window

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def system():
    with running() as made:
        yield made


class Orders:
    """The system's own orders; `since` is compared as the system compares it, by its own text."""

    def __init__(self, system, size=5):
        self.rows, self.size = {}, size
        system.on("/api/orders", self.pages)
        system.on("/api/order-ids", lambda asked: [{"no": no} for no in self.rows])

    def put(self, no, at, **more):
        self.rows[no] = {"no": no, "updated_at": at, "amount": 1, **more}

    def pages(self, asked):
        since = asked.params.get("since", "")
        rows = sorted(
            (row for row in self.rows.values() if row["updated_at"] >= since),
            key=lambda row: (row["updated_at"], row["no"]),
        )
        start = (int(asked.params["page"]) - 1) * self.size
        return {"rows": rows[start : start + self.size], "total": len(rows)}


def orders(**stream):
    request = {
        "params": {"page": "{page}", "since": "{since}"},
        "paging": {"kind": "page", "size": 5},
        "records": "rows",
        "total": "total",
        "times": {"format": "%Y-%m-%d %H:%M:%S", "timezone": "Asia/Shanghai"},
    }
    return {
        "order": {
            "from": "/orders",
            "key": ["no"],
            "load": "incremental",
            "cursor": "updated_at",
            "lateness": "1h",
            "columns": {"no": "text", "updated_at": "timestamp", "amount": "integer"},
            **stream,
            "request": {**request, **stream.get("request", {})},
        }
    }


def current(puller, stream="order", key=("no",)):
    """The state that the landed batches stand for, by the rules of a batch and nothing else."""
    held = {}
    for manifest in puller.landing.batches("shop", stream):
        if manifest.complete:
            held.clear()
        for row in puller.rows(stream, manifest):
            held[tuple(row[name] for name in key)] = row
        if manifest.keys:
            keys = duckdb.sql(
                f"select {', '.join(chr(34) + name + chr(34) for name in key)} from read_parquet('{puller.landing.keys_file(manifest)}')"
            ).fetchall()
            held = {item: row for item, row in held.items() if item in set(keys)}
    return held


def equal(puller, system_rows):
    return {no: row["updated_at"] for (no,), row in current(puller).items()} == {
        no: row["updated_at"] for no, row in system_rows.items()
    }


def at(minute, second=0):
    """Company time (Shanghai) on the day of NOW, which is 20:00 there."""
    return f"2026-03-10 {minute // 60:02d}:{minute % 60:02d}:{second:02d}"


def test_only_what_is_new_is_asked_for_and_landed(system, tmp_path):
    held = Orders(system)
    for number in range(12):
        held.put(f"A{number}", at(600 + number))
    made = Puller(http_source(system.url, orders()), tmp_path)
    made.pull(NOW)
    assert equal(made, held.rows)
    assert all("since" not in item.params for item in system.log)

    system.log.clear()
    assert made.pull(NOW)["order"].landed == ()
    assert {item.params["since"] for item in system.log} == {at(611 - 60)}  # the highest, less an hour

    held.put("A3", at(640))
    held.put("LATE", at(580))  # committed late: older than what was read before, but within the lateness
    held.put("B1", at(650))
    (manifest,) = made.pull(NOW)["order"].landed
    assert manifest.rows == 3 and not manifest.complete
    assert equal(made, held.rows)


def test_equal_timestamps_at_the_border_lose_nothing(system, tmp_path):
    held = Orders(system)
    for number in range(7):
        held.put(f"A{number}", at(600))
    made = Puller(http_source(system.url, orders(lateness="0h")), tmp_path)
    made.pull(NOW)
    held.put("A7", at(600))
    made.pull(NOW)
    assert equal(made, held.rows)
    assert [item.rows for item in made.landing.batches("shop", "order")] == [7, 1]


def test_a_row_dated_in_the_future_does_not_hide_those_that_follow(system, tmp_path):
    held = Orders(system)
    held.put("A1", "2099-01-01 00:00:00")
    made = Puller(http_source(system.url, orders()), tmp_path)
    made.pull(NOW)
    assert made.landing.latest("shop", "order").cursor_to == str(NOW.replace(tzinfo=None))
    held.put("A2", at(1220))
    made.pull(NOW + timedelta(hours=1))
    assert equal(made, held.rows)


@pytest.mark.parametrize(
    ("kind", "value", "times", "expected"),
    [
        ("timestamptz", "2026-03-10T10:00:00+08:00", {"format": "iso"}, "2026-03-10T09:00:00+08:00"),
        (
            "timestamptz",
            "2026-03-10T10:00:00+08:00",
            {"format": "iso", "timezone": "UTC"},
            "2026-03-10T01:00:00+00:00",
        ),
        ("timestamp", "2026-03-10 10:00:30", {"format": "%Y-%m-%d %H:%M"}, "2026-03-10 09:00"),
        ("timestamp", "2026-03-10 10:00:00", {"format": "epoch"}, "1773104400"),
        ("timestamptz", 1773108000000, {"format": "epoch_ms", "numbers": "ms"}, "1773104400000"),
        ("date", "2026-03-10", {"format": "%Y-%m-%d"}, "2026-03-09"),
    ],
)
def test_the_beginning_is_written_as_the_system_writes_times(system, tmp_path, kind, value, times, expected):
    system.on(
        "/api/orders", lambda asked: {"rows": [{"no": "A", "updated_at": value, "amount": 1}], "total": 1}
    )
    streams = orders(
        columns={"no": "text", "updated_at": kind, "amount": "integer"}, request={"times": times}
    )
    made = Puller(http_source(system.url, streams), tmp_path)
    made.pull(NOW)
    made.pull(NOW)
    assert system.log[-1].params["since"] == expected


def test_a_beginning_is_said_where_a_filter_may_not_be_left_out(system, tmp_path):
    held = Orders(system)
    held.put("A", at(600))
    streams = orders(
        request={"params": {"page": "{page}", "since": "{since}", "until": "{to}"}, "beginning": "2020-01-01"}
    )
    made = Puller(http_source(system.url, streams), tmp_path)
    made.pull(NOW)
    assert system.log[0].params == {
        "page": "1",
        "since": "2020-01-01 00:00:00",
        "until": "2026-03-10 20:00:00",
    }


def test_one_window_is_read_again_and_nothing_else_is_touched(system, tmp_path):
    held = Orders(system)
    for number in range(12):
        held.put(f"A{number:02d}", at(600 + number))
    made = Puller(
        http_source(system.url, orders(request={"params": {"page": "{page}", "since": "{from}"}})), tmp_path
    )
    made.pull(NOW)
    before = made.landing.latest("shop", "order")
    for row in held.rows.values():
        row["amount"] = 2  # a correction that the system did not stamp
    made.pull(NOW, window=Window(at(603), at(606)))
    window = made.landing.latest("shop", "order")
    assert system.log[-1].params["since"] == at(603)
    assert sorted(row["no"] for row in made.rows("order")) == ["A03", "A04", "A05"]  # whatever else was given
    assert (window.complete, window.cursor_to, window.scope[:6]) == (False, before.cursor_to, "window")
    made.pull(NOW)  # the next pull goes on from the batch before the window
    assert system.log[-1].params["since"] == at(611 - 60)


def test_deletions_are_found_by_the_list_of_keys(system, tmp_path):
    held = Orders(system)
    for number in range(8):
        held.put(f"A{number}", at(600 + number))
    streams = orders(
        deletes="keys",
        request={"keys": {"path": "/order-ids", "records": "", "params": {}, "paging": {"kind": "none"}}},
    )
    streams["order"]["request"]["keys"]["records"] = ""
    made = Puller(http_source(system.url, streams), tmp_path)
    outcome = made.pull(NOW)["order"]
    assert outcome.error is None
    del held.rows["A2"]
    (manifest,) = made.pull(NOW)["order"].landed
    assert manifest.rows == 0 and equal(made, held.rows)
    assert made.pull(NOW)["order"].landed == ()
    held.put("VERY-LATE", at(60))  # far beyond the lateness: only the list of keys shows it
    made.pull(NOW)
    assert equal(made, held.rows)


def test_lines_that_vanish_from_a_changed_document_are_found(system, tmp_path):
    held = Orders(system)
    for number in range(4):
        held.put(
            f"A{number}", at(600 + 90 * number), lines=[{"line": line, "qty": line} for line in (1, 2, 3)]
        )
    lines = {
        "from": "/orders",
        "key": ["no", "line"],
        "load": "incremental",
        "cursor": "updated_at",
        "lateness": "1h",
        "columns": {
            "no": {"type": "text", "from": "parent.no"},
            "updated_at": {"type": "timestamp", "from": "parent.updated_at"},
            "line": "integer",
            "qty": "integer",
        },
        "request": {"parent": "order", "records": "lines"},
    }
    made = Puller(http_source(system.url, orders() | {"line": lines}), tmp_path)

    def same():
        got = {key: row["qty"] for key, row in current(made, "line", ("parent.no", "line")).items()}
        return got == {
            (no, str(line["line"])): str(line["qty"])
            for no, row in held.rows.items()
            for line in row["lines"]
        }

    made.pull(NOW)
    assert same()
    held.put("A1", at(900), lines=[{"line": 1, "qty": 7}, {"line": 4, "qty": 4}])  # 2 and 3 are gone
    outcome = made.pull(NOW)["line"]
    assert outcome.error is None and same()
    held.put("A2", at(905), lines=[])
    made.pull(NOW)
    assert same()
    assert made.pull(NOW)["line"].landed == ()


def test_a_log_is_read_on_from_its_highest_number(system, tmp_path):
    rows = [{"id": number, "what": f"w{number}"} for number in range(1, 8)]
    system.on(
        "/api/log", lambda asked: [row for row in rows if row["id"] >= int(asked.params.get("since", 0))]
    )
    stream = {
        "from": "/log", "key": ["id"], "load": "append", "cursor": "id",
        "columns": {"id": "bigint", "what": "text"}, "request": {"params": {"since": "{since}"}},
    }  # fmt: skip
    made = Puller(http_source(system.url, {"log": stream}), tmp_path)
    made.pull(NOW)
    rows.append({"id": 8, "what": "w8"})
    (manifest,) = made.pull(NOW)["log"].landed
    assert [item.params for item in system.log] == [{}, {"since": "7"}]
    assert (manifest.rows, manifest.cursor_to) == (1, "8")


# --- pulls that were killed -----------------------------------------------------------------------


class Killed(BaseException):
    """What a kill looks like from inside: no handler of ours may catch it."""


def things(system, count=43):
    rows = [{"id": number, "name": f"n{number}"} for number in range(1, count + 1)]

    def answer(asked):
        start = (int(asked.params["page"]) - 1) * 10
        return {"rows": rows[start : start + 10], "total": len(rows)}

    system.on("/api/things", answer)
    request = {
        "params": {"page": "{page}"},
        "paging": {"kind": "page", "size": 10},
        "records": "rows",
        "total": "total",
    }
    return rows, {
        "thing": {
            "from": "/things",
            "key": ["id"],
            "columns": {"id": "bigint", "name": "text"},
            "request": request,
        }
    }


@pytest.mark.parametrize("after", [1, 2, 4, 5])
@pytest.mark.parametrize("place", ["page", "lines", "journal", "torn"])
def test_a_killed_pull_asks_only_for_what_is_missing(system, tmp_path, monkeypatch, after, place):
    from tieout.ingest.intake.http import book

    rows, streams = things(system)
    made = Puller(http_source(system.url, streams), tmp_path)
    real, add = Path.write_bytes, book.Book.add
    written = []

    def write(path, content):
        real(path, content)
        written.append(path.name)
        if place in path.name and sum(place in name for name in written) == after:
            raise Killed

    def added(self, *args):
        kept = add(self, *args)
        if len(self.pages) == after and place in {"journal", "torn"}:
            if place == "torn":
                journal = self.folder / book.JOURNAL
                journal.write_bytes(journal.read_bytes()[:-20])
            raise Killed
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        patch.setattr(book.Book, "add", added)
        with pytest.raises(Killed):
            made.pull()
    assert made.landing.batches("shop", "thing") == []

    asked = len(system.log)
    assert made.pull()["thing"].error is None
    whole = after if place == "journal" else after - 1
    assert [item.params["page"] for item in system.log[asked:]] == [str(page) for page in range(whole + 1, 6)]
    assert [int(row["id"]) for row in made.rows("thing")] == [row["id"] for row in rows]
    assert not list(made.landing.root.rglob(".resume-*"))


def test_a_pull_killed_twice_still_goes_on_from_every_page_it_has(system, tmp_path, monkeypatch):
    """The line torn by the first kill must not spoil what is written after it."""
    from tieout.ingest.intake.http import book

    rows, streams = things(system)
    made = Puller(http_source(system.url, streams), tmp_path)
    add = book.Book.add

    def torn(self, *args):
        kept = add(self, *args)
        if len(self.pages) == 2:
            journal = self.folder / book.JOURNAL
            journal.write_bytes(journal.read_bytes()[:-20])
            raise Killed
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(book.Book, "add", torn)
        with pytest.raises(Killed):
            made.pull()
    system.faults = [None, None, *[Reply(status=503)] * 9]
    made.error("thing")
    system.faults.clear()
    asked = len(system.log)
    made.pull()
    assert [item.params["page"] for item in system.log[asked:]] == ["4", "5"]
    assert [int(row["id"]) for row in made.rows("thing")] == [row["id"] for row in rows]


def test_a_pull_killed_while_it_lands_asks_for_nothing_again(system, tmp_path, monkeypatch):
    rows, streams = things(system)
    made = Puller(http_source(system.url, streams), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(type(made.landing), "commit", lambda *args: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            made.pull()
    asked = len(system.log)
    made.pull()
    assert len(system.log) == asked
    assert [int(row["id"]) for row in made.rows("thing")] == [row["id"] for row in rows]


def test_pages_of_another_question_are_never_used(system, tmp_path):
    rows, streams = things(system)
    system.faults = [None, None, *[Reply(status=503)] * 9]
    made = Puller(http_source(system.url, streams), tmp_path)
    assert "HTTP 503" in made.error("thing")
    system.faults.clear()
    system.log.clear()
    streams["thing"]["request"]["params"]["size"] = "{size}"
    other = Puller(http_source(system.url, streams), tmp_path)
    other.pull()
    assert system.log[0].params["page"] == "1"
    assert len(other.rows("thing")) == len(rows)


def test_pages_that_have_grown_old_are_asked_for_again(system, tmp_path):
    rows, streams = things(system)
    system.faults = [None, None, *[Reply(status=503)] * 9]
    made = Puller(http_source(system.url, streams), tmp_path)
    made.error("thing")
    system.faults.clear()
    system.log.clear()
    made.pull(datetime.now(UTC) + timedelta(hours=7))
    assert system.log[0].params["page"] == "1"
    assert len(made.rows("thing")) == len(rows)
