"""What an HTTP system leaves out without saying so is noticed: by its list of keys, and by the time of its rows.

And what only looks like a change, or like a secret, changes nothing.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.conftest import SmallSource
from tests.http_server import Puller, http_source, running
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http import pull_http
from tieout.ingest.landing import Landing

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def system():
    with running() as made:
        yield made


# --- rows that are listed, and never came ---------------------------------------------------------


class Orders:
    """Eleven orders in pages of five; the system names no total. `hidden` are those it leaves out, so often."""

    def __init__(self, system):
        self.system = system
        self.at = {f"A{number:02}": f"2026-03-10 10:{number:02}:00" for number in range(11)}
        self.hidden: Counter[str] = Counter()
        self.meanwhile: list[str] = []  # made between the reading of rows and of keys, one each time
        system.on("/api/orders", self.page)
        system.on("/api/order-ids", self.ids)

    def page(self, asked):
        since = asked.params.get("since", "")
        start = (int(asked.params["page"]) - 1) * 5
        rows = [{"no": no, "updated_at": at} for no, at in sorted(self.at.items()) if at >= since][
            start : start + 5
        ]
        left = [row for row in rows if not self.hidden[row["no"]]]
        self.hidden.subtract(row["no"] for row in rows if self.hidden[row["no"]])
        return left

    def ids(self, asked):
        if self.meanwhile:
            self.at[self.meanwhile.pop(0)] = "2026-03-10 11:59:00"
        return [{"no": no} for no in self.at]

    def readings(self):
        """How often the first page of all orders was asked for."""
        asked = self.system.asked("/api/orders")
        return sum(item.params["page"] == "1" and "since" not in item.params for item in asked)


def orders(**more):
    return {
        "order": {
            "from": "/orders", "key": ["no"], "load": "incremental", "cursor": "updated_at", "lateness": "1m",
            "columns": {"no": "text", "updated_at": "timestamp"},
            "request": {
                "params": {"page": "{page}", "since": "{since}"}, "paging": {"kind": "page", "size": 5},
                "times": {"format": "%Y-%m-%d %H:%M:%S"}, "keys": {"path": "/order-ids", "params": {}, "paging": {"kind": "none"}},
            },
            "deletes": "keys", **more,
        }
    }  # fmt: skip


class Shop(SmallSource):
    """Pulls and loads; the orders that hold now."""

    def pulled(self):
        self.pulls += 1
        outcomes = {}
        moment = NOW + timedelta(hours=self.pulls)
        pull_http(
            self.source, self.landing, Ask(moment), lambda item: outcomes.update({item.stream: item}),
            pause=lambda _: None,
        )  # fmt: skip
        assert outcomes["order"].error is None, outcomes["order"].error
        self.load()
        return outcomes["order"]

    def held(self):
        return {no for (no,) in self.rows('select "no" from raw_shop."order" where not _is_deleted')}

    def keys(self):
        manifest = self.landing.latest("shop", "order")
        assert manifest is not None
        return {
            no for (no,) in duckdb.sql(f"from read_parquet('{self.landing.keys_file(manifest)}')").fetchall()
        }


def shop(system, root, **more):
    source = http_source(system.url, orders(**more), timezone="UTC")
    return Shop(source, root, Landing(root / "landing"), root / "warehouse.duckdb")


def test_a_page_cut_short_on_the_first_pull_is_read_again_at_once(system, tmp_path):
    held = Orders(system)
    held.hidden["A03"] = 1
    made = shop(system, tmp_path)
    outcome = made.pulled()
    assert made.held() == set(held.at) and held.readings() == 2
    assert outcome.notes == ()


def test_a_row_that_is_left_out_again_and_again_is_told_and_asked_for_by_the_next_pull(system, tmp_path):
    held = Orders(system)
    held.hidden["A03"] = 3
    made = shop(system, tmp_path)
    (note,) = made.pulled().notes
    assert "the list of keys has 1 without a row (such as A03), in spite of all readings" in note
    assert held.readings() == 3
    assert made.held() == made.keys() == set(held.at) - {"A03"}

    assert made.pulled().notes == ()
    assert made.held() == made.keys() == set(held.at)


def test_a_row_late_and_left_out_once_more_is_not_lost(system, tmp_path):
    """Too late for the cursor, and the page that would bring it, when everything is read, is cut short too."""
    held = Orders(system)
    made = shop(system, tmp_path)
    made.pulled()
    held.at["VERY-LATE"] = "2026-01-01 00:00:00"
    held.hidden["VERY-LATE"] = 1
    assert made.pulled().notes == ()
    assert made.held() == made.keys() == set(held.at)


def test_rows_made_while_all_is_read_do_not_make_it_read_on_and_on(system, tmp_path):
    held = Orders(system)
    held.meanwhile = ["B1", "B2", "B3", "B4"]
    made = shop(system, tmp_path)
    (note,) = made.pulled().notes
    assert "1 without a row (such as B2), made meanwhile?" in note and held.readings() == 2
    assert made.held() == set(held.at) - {"B2"}
    held.meanwhile = []
    system.log.clear()
    made.pulled()
    assert made.held() == set(held.at) and held.readings() == 0  # its time is new, so the cursor brings it


def test_what_was_lost_before_keys_were_listed_is_found_when_they_are(system, tmp_path):
    held = Orders(system)
    held.hidden["A03"] = 1
    made = shop(system, tmp_path, deletes="none")
    made.pulled()
    assert made.held() == set(held.at) - {"A03"}
    listing = shop(system, tmp_path)
    listing.pulls = made.pulls
    listing.pulled()
    assert listing.held() == set(held.at)


# --- rows of another time than was asked for ------------------------------------------------------


class Gate:
    """Passes through a gate, given by weeks; `swap` is the piece that is answered with the one before."""

    def __init__(self, system):
        self.passes: list[dict[str, Any]] = [
            {"id": number, "at": f"2026-02-{2 * number + 1:02}T08:00:00+00:00"} for number in range(12)
        ]
        self.swap, self.whole_days, self.last = -1, False, []
        system.on("/api/passes", self.answer)

    def answer(self, asked):
        low, high = (datetime.fromisoformat(asked.params[name]) for name in ("from", "to"))
        if self.whole_days:
            low, high = low.replace(hour=0), high.replace(hour=0) + timedelta(days=1)
        rows = [row for row in self.passes if row["at"] and low <= datetime.fromisoformat(row["at"]) < high]
        sent = self.last if self.swap == 0 else rows
        self.swap, self.last = self.swap - 1, rows
        return {"rows": sent, "total": len(sent)}


def passes(system, root, begins="2026-02-01", **more):
    streams = {
        "pass": {
            "from": "/passes", "key": ["id"], "load": "incremental", "cursor": "at", "allow_empty": True,
            "columns": {"id": "bigint", "at": "timestamptz"}, "control": {"kind": "query"},
            "request": {
                "params": {"from": "{from}", "to": "{to}"}, "records": "rows", "total": "total", "span": "7d",
                "beginning": begins,
            },
            **more,
        }
    }  # fmt: skip
    return Puller(http_source(system.url, streams, timezone="UTC"), root)


def test_a_week_sent_in_place_of_the_next_is_refused(system, tmp_path):
    """Counts and totals agree; only the time of the rows tells."""
    gate = Gate(system)
    gate.swap = 2
    made = passes(system, tmp_path)
    error = made.error("pass", NOW)
    assert "shop.pass: /passes (from 2026-02-15T00:00:00+00:00 to 2026-02-22T00:00:00+00:00)" in error
    assert (
        "rows are of another time, for example at 2026-02-" in error and "Nothing of it was loaded" in error
    )
    made.pull(NOW)  # nothing of the refused answer was kept
    assert sorted(row["id"] for row in made.rows("pass")) == [
        str(number) for number in sorted(range(12), key=str)
    ]


def test_a_system_that_does_not_heed_the_time_is_refused(system, tmp_path):
    gate = Gate(system)
    system.on("/api/passes", lambda asked: {"rows": gate.passes, "total": 12})
    assert "the system does not heed {from} and {to}" in passes(system, tmp_path).error("pass", NOW)


def test_systems_of_whole_days_and_rows_without_a_time_are_none_the_worse(system, tmp_path):
    gate = Gate(system)
    gate.whole_days = True
    made = passes(system, tmp_path, "9d")
    later = NOW.replace(month=2, day=20)
    outcome = made.pull(later)["pass"]
    assert outcome.error is None
    begin = later - timedelta(days=9)
    assert {row["id"] for row in made.rows("pass")} == {
        str(row["id"]) for row in gate.passes
        if begin.replace(hour=0) <= datetime.fromisoformat(row["at"]) < later.replace(hour=0) + timedelta(days=1)
    }  # fmt: skip
    nameless = {"id": 99, "at": None}
    system.on("/api/passes", lambda asked: {"rows": [nameless], "total": 1})
    assert passes(system, tmp_path / "b").pull(NOW)["pass"].error is None


# --- a number or a text ---------------------------------------------------------------------------

NUMBERS = {"id": "bigint", "amount": "decimal(12, 2)", "rate": "double", "paid": "boolean"}
AS_TEXT = {"id": 1, "amount": "12.50", "rate": "0.25", "paid": "true"}
AS_NUMBERS = {"id": 2, "amount": Decimal("7.25"), "rate": Decimal("1.5"), "paid": False}


def invoices(system, root, drift="note"):
    stream = {
        "from": "/invoices",
        "key": ["id"],
        "load": "full",
        "columns": NUMBERS,
        "request": {},
        "drift": drift,
    }
    return Puller(http_source(system.url, {"invoice": stream}), root)


@pytest.mark.parametrize("drift", ["note", "quarantine", "freeze"])
@pytest.mark.parametrize(("first", "then"), [(AS_TEXT, AS_NUMBERS), (AS_NUMBERS, AS_TEXT)])
def test_a_promised_number_may_come_as_a_number_or_as_text(system, tmp_path, first, then, drift):
    """No row is in both pulls, so no values can be compared."""
    made = invoices(system, tmp_path, drift)
    for row in (first, then):
        system.on("/api/invoices", lambda asked, row=row: [row])
        outcome = made.pull()["invoice"]
        assert outcome.error is None and outcome.notes == ()
        assert outcome.landed[0].held is None
        (landed,) = made.rows("invoice")
        assert (Decimal(landed["amount"]), Decimal(landed["rate"]), landed["paid"]) == (
            Decimal(str(row["amount"])), Decimal(str(row["rate"])), str(row["paid"]).lower(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"), [("amount", "twelve"), ("rate", "n/a"), ("paid", "perhaps"), ("paid", 7.5)]
)
def test_numbers_that_become_words_are_refused(system, tmp_path, name, words):
    made = invoices(system, tmp_path)
    system.on("/api/invoices", lambda asked: [AS_NUMBERS])
    made.pull()
    system.on("/api/invoices", lambda asked: [{**AS_NUMBERS, name: words}])
    error = made.error("invoice")
    assert f"has the column {name} as" in error and "another type" in error


# --- what is a secret, and what is data -----------------------------------------------------------


@pytest.mark.parametrize("auth", ["basic", "session"])
def test_pages_lose_secrets_and_nothing_else(system, tmp_path, monkeypatch, auth):
    values = {
        "PROJECT": "AS-PROJECT", "USER": "integration", "APP": "app-7731-key", "SECRET": "S3cret+words", "KEPT": "kept-apart",
        "SIGNED": "signs-the-login",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"SHOP_{name}", value)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "OTHER").write_text(values["KEPT"])
    monkeypatch.setenv("TIEOUT_SECRETS", str(tmp_path / "secrets"))
    options = {
        "projects": "env:SHOP_PROJECT", "user": "env:SHOP_USER", "app": "env:SHOP_APP", "app_secret": "env:SHOP_SECRET",
        "other": "secret:OTHER", "salt": "env:SHOP_SIGNED",
    }  # fmt: skip
    said = {
        "basic": {"kind": "basic", "username": "env:SHOP_USER", "password": "env:SHOP_SIGNED"},
        "session": {
            "kind": "session", "path": "/login", "token": "token", "header": "X-Token",
            "body": {"user": "{options.user}", "by": "{options.salt}"},
        },
    }[auth]  # fmt: skip
    system.on("/api/login", lambda asked: {"token": "token-of-today"})
    system.on(
        "/api/notes",
        lambda asked: [{"id": number, "text": text} for number, text in enumerate(values.values())],
    )
    stream = {
        "from": "/notes",
        "key": ["id"],
        "load": "full",
        "columns": {"id": "bigint", "text": "text"},
        "request": {},
    }
    made = Puller(http_source(system.url, {"note": stream}, options=options, http={"auth": said}), tmp_path)
    outcome = made.pull()["note"]
    assert outcome.error is None
    kept = [row["text"] for row in made.rows("note")]
    assert kept == ["AS-PROJECT", "integration", "app-7731-key", "***", "***", "***"]
