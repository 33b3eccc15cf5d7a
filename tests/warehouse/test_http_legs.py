"""Item by item and piece of time by piece of time, everything arrives once; an interrupted walk goes on where it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import unquote

import pytest

from tests.http_server import Puller, Reply, http_source, running
from tieout.ingest.intake.ask import Window

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)  # 20:00 in Shanghai
BEGIN = datetime(2026, 1, 31, 16, tzinfo=UTC)  # midnight of 1 February there
WEEK = 7 * 24 * 3600
PEOPLE = [f"u{number:02d}" for number in range(1, 24)]


@pytest.fixture
def system():
    with running() as made:
        yield made


class Office:
    """Approvals by id, departments by parent, people by department, attendance: an own store, and its own limits.

    `documents`: id → seconds since 1970 and lines. What is asked beyond a limit is refused.
    """

    def __init__(self, system, *, inclusive=True, size=4):
        self.documents, self.inclusive, self.size = {}, inclusive, size
        self.parents, self.staff = {}, {}
        system.on("/api/ids", self.ids)
        system.on("/api/docs/", self.document)
        system.on("/api/changes", self.changes)
        system.on("/api/departments", self.departments)
        system.on("/api/staff", self.people)
        system.on("/api/attendance", self.attendance)

    def fill(self, count):
        """Documents over the whole time, some of them exactly at the borders of weeks."""
        for number in range(count):
            at = int(BEGIN.timestamp()) + number * 37 * 3600 % (37 * 24 * 3600)
            if number % 3 == 0:
                at = int(BEGIN.timestamp()) + number // 3 % 6 * WEEK
            self.documents[f"单/{number} %"] = {"at": at, "lines": [{"no": 1}, {"no": 2}][: number % 3]}
        return self.documents

    def between(self, asked):
        start, end = int(asked.params["from"]), int(asked.params["to"])
        if end - start > WEEK:
            return None
        return sorted(
            (document["at"], no)
            for no, document in self.documents.items()
            if start <= document["at"] < end or (self.inclusive and document["at"] == end)
        )

    def ids(self, asked):
        found = self.between(asked)
        if found is None:
            return {"code": 400002, "msg": "time range too long"}
        start = int(asked.params.get("token", 0))
        page = {"list": [no for _, no in found[start : start + self.size]]}
        if start + self.size < len(found):
            page["next"] = str(start + self.size)
        return {"code": 0, "data": page}

    def document(self, asked):
        """Without its id, as such answers are."""
        document = self.documents.get(unquote(asked.path.rpartition("/")[2]))
        return {"code": 0, "data": document} if document else {"code": 404, "msg": "no such document"}

    def changes(self, asked):
        found = self.between(asked)
        if found is None:
            return {"code": 400002, "msg": "time range too long"}
        start = (int(asked.params["page"]) - 1) * self.size
        rows = [{"no": no, "at": at} for at, no in found[start : start + self.size]]
        return {"code": 0, "data": {"list": rows, "total": len(found)}}

    def departments(self, asked):
        above = asked.body["dept_id"]
        return {
            "code": 0,
            "data": [{"id": own, "above": up} for own, up in self.parents.items() if up == above],
        }

    def people(self, asked):
        staff = self.staff.get(asked.body["dept_id"], [])
        start = asked.body["cursor"]
        rows = [{"user": user, "name": f"名 {user}"} for user in staff[start : start + self.size]]
        return {"code": 0, "data": {"list": rows, "total": len(staff)}}

    def attendance(self, asked):
        users, start, end = asked.body["users"], asked.body["from"], asked.body["to"]
        if len(users) > 5 or end - start > WEEK or asked.body["text"] != "all:" + ",".join(users):
            return {"code": 400, "msg": "too many"}
        days = range(-(-start // 86400), end // 86400 + 1)
        return {"code": 0, "data": [{"user": user, "day": day} for user in users for day in days]}


HTTP = {"errors": {"code": "code", "message": "msg"}}
EPOCH = {"times": {"format": "epoch", "numbers": "s"}, "beginning": "2026-02-01"}
BETWEEN = {"from": "{from}", "to": "{to}"}
IDS = {
    "path": "/ids", "params": {**BETWEEN, "token": "{cursor}"}, "records": "data.list", "item": "", "span": "7d",
    "paging": {"kind": "cursor", "next": "data.next"},
}  # fmt: skip
CHILDREN = {"method": "post", "body": {"dept_id": "{each}"}, "records": "data"}
STAFF = {
    "method": "post", "body": {"dept_id": "{each}", "cursor": "{offset}", "size": "{size}"},
    "records": "data.list", "total": "data.total", "paging": {"kind": "offset", "size": 4, "end": "total"},
}  # fmt: skip


def stream(path, key, columns, request, **more):
    return {"from": path, "key": key, "columns": columns, "request": request, "allow_empty": True, **more}


def documents(**more):
    columns = {"no": {"type": "text", "from": "_each"}, "at": "timestamptz"}
    request = {"records": "data", "for_each": {"list": IDS}, **EPOCH}
    lines = {"no": {"type": "text", "from": "parent._each"}, "line": {"type": "integer", "from": "no"}}
    return {
        "document": stream("/docs/{each}", ["no"], columns, request, **more),
        "line": stream(
            "/docs/{each}", ["no", "line"], lines, {"parent": "document", "records": "lines"}, **more
        ),
    }


def changes(**more):
    request = {
        "params": {**BETWEEN, "page": "{page}"}, "paging": {"kind": "page", "size": 4, "end": "short"},
        "records": "data.list", "total": "data.total", "span": "7d", **EPOCH,
    }  # fmt: skip
    return {"change": stream("/changes", ["no"], {"no": "text", "at": "timestamptz"}, request, **more)}


def staff(for_each, key=("user",)):
    columns = {"user": "text", "name": "text"} | (
        {"dept": {"type": "bigint", "from": "_each"}} if "dept" in key else {}
    )
    return {"person": stream("/staff", list(key), columns, {**STAFF, "for_each": for_each})}


def puller(system, tmp_path, streams, **more):
    return Puller(http_source(system.url, streams, http=HTTP, **more), tmp_path)


def fine(outcomes):
    return {name: str(item.error) for name, item in outcomes.items() if item.error} == {}


def seconds(text):
    return int(datetime.fromisoformat(text).timestamp())


# --- items from a list ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count", [0, 1, 7, 130]
)  # above 100 pages, their lines are joined before they are parsed
def test_every_listed_item_is_asked_for_once_and_its_rows_know_it(system, tmp_path, count):
    held = Office(system).fill(count)
    made = puller(system, tmp_path, documents())

    assert fine(made.pull(NOW))
    assert {(row["_each"], seconds(row["at"])) for row in made.rows("document")} == {
        (no, document["at"]) for no, document in held.items()
    }
    assert len(made.rows("document")) == count
    assert {(row["parent._each"], int(row["no"])) for row in made.rows("line")} == {
        (no, line["no"]) for no, document in held.items() for line in document["lines"]
    }
    details = [item.path for item in system.log if item.path.startswith("/api/docs/")]
    assert len(details) == len(set(details)) == count  # though those at a border are in two lists
    assert len(system.asked("/api/ids")) >= 6


def test_pages_of_the_list_are_evidence_too(system, tmp_path):
    Office(system).fill(9)
    made = puller(system, tmp_path, documents())
    (manifest,) = made.pull(NOW)["document"].landed
    pages = list(made.landing.folder(manifest).glob("page-*.json.zst"))
    assert len(pages) == len(system.log) == manifest.requests["calls"] == manifest.requests["pages"]


def test_items_are_written_in_the_contract_or_in_an_option(system, tmp_path):
    office = Office(system)
    office.staff = {1: PEOPLE[:6], 2: [], 3: PEOPLE[6:8]}
    made = puller(system, tmp_path, staff({"values": [1, 3]}))
    assert fine(made.pull(NOW))
    assert [row["user"] for row in made.rows("person")] == PEOPLE[:8]

    system.on("/api/texts", lambda asked: {"code": 0, "data": [{"of": asked.params["org"]}]})
    request = {"params": {"org": "{each}"}, "records": "data", "for_each": {"option": "orgs"}}
    by_option = {"text": stream("/texts", ["of"], {"of": "text"}, request)}
    made = puller(system, tmp_path / "b", by_option, options={"orgs": "甲, 乙 ,丙"})
    assert fine(made.pull(NOW))
    assert [row["of"] for row in made.rows("text")] == ["甲", "乙", "丙"]

    assert "connection.options.orgs names nothing" in puller(system, tmp_path / "c", by_option).error(
        "text", NOW
    )


def test_several_items_are_asked_for_together_in_every_piece_of_time(system, tmp_path):
    Office(system)
    system.on("/api/people", lambda asked: {"code": 0, "data": [{"id": user} for user in PEOPLE]})
    request = {
        "method": "post", "records": "data", "span": "7d", **EPOCH,
        "body": {"users": "{each}", "text": "all:{each}", "from": "{from}", "to": "{to}"},
        "for_each": {"together": 5, "list": {"path": "/people", "records": "data", "item": "id"}},
    }  # fmt: skip
    made = puller(
        system,
        tmp_path,
        {"day": stream("/attendance", ["user", "day"], {"user": "text", "day": "integer"}, request)},
    )
    assert fine(made.pull(NOW))
    days = range(-(-int(BEGIN.timestamp()) // 86400), int(NOW.timestamp()) // 86400 + 1)
    found = [(row["user"], int(row["day"])) for row in made.rows("day")]
    assert sorted(found) == [(user, day) for user in PEOPLE for day in days]
    assert len(system.asked("/api/attendance")) == 5 * 6  # 23 people by 5, 38 days by 7


# --- trees ----------------------------------------------------------------------------------------


def tree_of(office):
    office.parents = {
        2: 1,
        3: 1,
        4: 2,
        5: 4,
        6: 9,
        1: 5,
    }  # 6 is below nothing of ours; 5 names the root again
    return {"department": stream("/departments", ["id"], {"id": "bigint", "above": "bigint"}, {
        **CHILDREN, "for_each": {"tree": {"item": "id", "roots": [1]}},
    })}  # fmt: skip


def test_a_tree_is_walked_breadth_first_and_every_node_is_asked_once(system, tmp_path):
    made = puller(system, tmp_path, tree_of(Office(system)))
    assert fine(made.pull(NOW))
    assert [item.body["dept_id"] for item in system.log] == [1, 2, 3, 4, 5]
    assert {int(row["id"]) for row in made.rows("department")} == {1, 2, 3, 4, 5}


def test_people_of_every_department_of_a_tree_though_two_have_the_same(system, tmp_path):
    office = Office(system)
    tree_of(office)
    office.staff = {1: PEOPLE[:6], 2: PEOPLE[4:10], 3: PEOPLE[4:10], 4: [], 5: []}
    listed = {
        **CHILDREN,
        "path": "/departments",
        "item": "id",
        "for_each": {"tree": {"item": "id", "roots": [1]}},
    }
    for_each = {"values": [1], "list": listed}

    made = puller(system, tmp_path, {"person": {**staff(for_each)["person"], "control": {"kind": "query"}}})
    (manifest,) = made.pull(NOW)["person"].landed
    assert sorted(row["user"] for row in made.rows("person")) == PEOPLE[:10]
    assert manifest.control == {"rows": "10"}

    both = puller(system, tmp_path / "b", staff(for_each, key=("dept", "user")))
    assert fine(both.pull(NOW))
    assert sorted((int(row["_each"]), row["user"]) for row in both.rows("person")) == [
        (dept, user) for dept, users in office.staff.items() for user in users
    ]


def test_a_page_that_comes_twice_in_one_department_is_refused_still(system, tmp_path):
    system.on(
        "/api/staff", lambda asked: {"code": 0, "data": {"list": [{"user": "a", "name": "n"}], "total": 9}}
    )
    error = puller(system, tmp_path, staff({"values": [7]})).error("person", NOW)
    assert "(for 7): page 2 holds the same rows as a page before" in error


def test_only_the_item_whose_total_disagrees_is_read_again(system, tmp_path):
    office = Office(system)
    office.staff = {1: PEOPLE[:3], 2: PEOPLE[3:13], 3: PEOPLE[13:]}
    slips = iter([True])

    def answer(asked):
        reply = office.people(asked)
        if asked.body["dept_id"] == 2 and asked.body["cursor"] == 4 and next(slips, False):
            reply["data"]["list"][0] = {
                "user": PEOPLE[3],
                "name": "x",
            }  # seen on page 1; PEOPLE[7] slipped by
        return reply

    system.on("/api/staff", answer)
    made = puller(system, tmp_path, staff({"values": [1, 2, 3]}))
    assert fine(made.pull(NOW))
    assert sorted(row["user"] for row in made.rows("person")) == PEOPLE
    assert [item.body["dept_id"] for item in system.log] == [1, *[2] * 6, *[3] * 3]

    office.staff[2] = [*PEOPLE[3:12], PEOPLE[3]]
    error = made.error("person", NOW)
    assert "(for 2): the server names 10 rows in all, but gave 9 different ones, in 3 readings" in error


# --- pieces of time -------------------------------------------------------------------------------


def pieces(asked):
    seen = dict.fromkeys((int(item.params["from"]), int(item.params["to"])) for item in asked)
    return list(seen)


@pytest.mark.parametrize("inclusive", [True, False])
def test_pieces_of_time_meet_and_rows_at_their_borders_come_once(system, tmp_path, inclusive):
    held = Office(system, inclusive=inclusive).fill(60)
    made = puller(system, tmp_path, changes())

    assert fine(made.pull(NOW))
    found = [(row["no"], seconds(row["at"])) for row in made.rows("change")]
    assert sorted(found) == sorted((no, item["at"]) for no, item in held.items())
    cut = pieces(system.log)
    assert cut[0][0] == BEGIN.timestamp() and cut[-1][1] == NOW.timestamp()
    assert all(end == start for (_, end), (start, _) in pairwise(cut))
    assert all(end - start == WEEK for start, end in cut[:-1]) and len(cut) == 6


def test_a_later_pull_and_a_window_are_cut_too(system, tmp_path):
    office = Office(system)
    office.fill(30)
    made = puller(system, tmp_path, changes(load="incremental", cursor="at", lateness="10d"))
    assert fine(made.pull(NOW))
    top = max(item["at"] for item in office.documents.values())

    system.log.clear()
    later = NOW + timedelta(days=3)
    office.documents["new"] = {"at": int(NOW.timestamp()) + 5, "lines": []}
    (manifest,) = made.pull(later)["change"].landed
    assert manifest.rows == 1
    assert pieces(system.log)[0] == (top - 10 * 86400, top - 3 * 86400)
    assert pieces(system.log)[-1][1] == later.timestamp()

    system.log.clear()
    window = Window("2026-02-03 00:00:00+08:00", "2026-02-12 00:00:00+08:00")
    (manifest,) = made.pull(later, window=window)["change"].landed
    start = int(BEGIN.timestamp()) + 2 * 86400
    assert pieces(system.log) == [(start, start + WEEK), (start + WEEK, start + 9 * 86400)]
    assert manifest.rows == sum(start <= item["at"] < start + 9 * 86400 for item in office.documents.values())


def test_a_beginning_may_be_so_long_before_the_pull(system, tmp_path):
    Office(system).fill(30)
    streams = changes()
    streams["change"]["request"]["beginning"] = "9d"
    made = puller(system, tmp_path, streams)
    assert fine(made.pull(NOW))
    end = int(NOW.timestamp())
    assert pieces(system.log) == [(end - 9 * 86400, end - 2 * 86400), (end - 2 * 86400, end)]


def test_days_of_23_hours_are_no_gap(system, tmp_path):
    """In New York the clock goes on at 2:00 on 8 March 2026; pieces of a day are 24 hours of real time."""
    asked = []
    system.on("/api/changes", lambda item: asked.append(item.params) or {"code": 0, "data": []})
    request = {
        "params": BETWEEN, "records": "data", "span": "1d", "beginning": "2026-03-07", "times": {"format": "iso"},
    }  # fmt: skip
    streams = {"change": stream("/changes", ["no"], {"no": "text"}, request)}
    made = puller(system, tmp_path, streams, timezone="America/New_York")
    assert fine(made.pull(NOW))
    assert [item["from"] for item in asked] == [
        "2026-03-07T00:00:00-05:00", "2026-03-08T00:00:00-05:00", "2026-03-09T01:00:00-04:00", "2026-03-10T01:00:00-04:00",
    ]  # fmt: skip
    assert [item["to"] for item in asked[:-1]] == [item["from"] for item in asked[1:]]


def test_totals_of_all_pieces_are_the_control(system, tmp_path):
    held = Office(system).fill(45)
    made = puller(system, tmp_path, changes(control={"kind": "query"}))
    (manifest,) = made.pull(NOW)["change"].landed
    assert manifest.control == {"rows": str(len(held))}


def test_all_keys_are_asked_for_piece_by_piece(system, tmp_path):
    office = Office(system)
    office.fill(20)
    streams = changes(load="incremental", cursor="at", deletes="keys")
    request = streams["change"]["request"]
    request["keys"] = {"params": request["params"]}
    made = puller(system, tmp_path, streams)
    assert fine(made.pull(NOW))
    gone = sorted(office.documents)[3]
    del office.documents[gone]
    (manifest,) = made.pull(NOW)["change"].landed
    import duckdb

    keys = duckdb.sql(f"select no from read_parquet('{made.landing.keys_file(manifest)}')").fetchall()
    assert {no for (no,) in keys} == set(office.documents)


# --- pulls that were killed -----------------------------------------------------------------------


class Killed(BaseException):
    """What a kill looks like from inside: no handler of ours may catch it."""


@pytest.mark.parametrize("after", [1, 5, 9, 10, 14, 20])
def test_a_pull_killed_in_any_leg_goes_on_there(system, tmp_path, monkeypatch, after):
    """The list, too, is not asked for again, and time is cut as the killed pull cut it, though it is later now."""
    from tieout.ingest.intake.http import book

    held = Office(system).fill(16)
    made = puller(system, tmp_path, documents())
    whole = puller(system, tmp_path / "whole", documents())
    whole.pull(NOW)
    every = [(item.path, item.params) for item in system.log]
    assert len(every) > 20

    system.log.clear()
    add = book.Book.add

    def added(self, *args):
        kept = add(self, *args)
        if len(self.pages) == after:
            raise Killed
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(book.Book, "add", added)
        with pytest.raises(Killed):
            made.pull(NOW)
    assert made.landing.batches("shop", "document") == []
    assert fine(made.pull(NOW + timedelta(minutes=40)))
    assert [(item.path, item.params) for item in system.log] == every
    assert {row["_each"] for row in made.rows("document")} == set(held)
    assert made.rows("line") == whole.rows("line")
    assert not list(made.landing.root.rglob(".resume-*"))


def test_pages_of_items_that_an_option_names_no_longer_are_not_used(system, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_ORGS", "a,b,c")
    system.on("/api/texts", lambda asked: {"code": 0, "data": [{"of": asked.params["org"]}]})
    request = {"params": {"org": "{each}"}, "records": "data", "for_each": {"option": "orgs"}}
    streams = {"text": stream("/texts", ["of"], {"of": "text"}, request)}
    system.faults = [None, None, *[Reply(status=503)] * 9]
    made = puller(system, tmp_path, streams, options={"orgs": "env:SHOP_ORGS"})
    assert "HTTP 503" in made.error("text", NOW)
    system.faults.clear()
    monkeypatch.setenv("SHOP_ORGS", "b,c,d")
    assert fine(made.pull(NOW))
    assert [row["of"] for row in made.rows("text")] == ["b", "c", "d"]


# --- what is refused ------------------------------------------------------------------------------


def test_a_list_whose_rows_have_no_item_is_refused(system, tmp_path):
    system.on("/api/ids", lambda asked: {"code": 0, "data": {"list": [{"id": "a"}, {"no": "b"}]}})
    streams = documents()
    streams["document"]["request"]["for_each"] = {"list": {**IDS, "item": "id"}}
    error = puller(system, tmp_path, streams).error("document", NOW)
    assert "shop.document: /ids: row 2 of page 1 has no item at 'id'" in error


def test_items_and_pieces_without_end_are_bounded(system, tmp_path):
    system.on(
        "/api/departments", lambda asked: {"code": 0, "data": [{"id": asked.body["dept_id"] * 2, "above": 1}]}
    )
    streams = {"department": stream("/departments", ["id"], {"id": "text", "above": "bigint"}, {
        **CHILDREN, "for_each": {"tree": {"item": "id", "roots": [1]}},
    })}  # fmt: skip
    made = puller(system, tmp_path, streams, limits={"pages": 12})
    assert "there are more than 12 items to ask for (limits.pages)" in made.error("department", NOW)
    assert len(system.log) == 12

    streams = changes()
    streams["change"]["request"]["span"] = "1h"
    made = puller(system, tmp_path / "b", streams, limits={"pages": 12})
    assert "more than 12 pieces of 1h from 2026-02-01 on" in made.error("change", NOW)


def test_row_ranges_inside_json_inside_a_body(system, tmp_path):
    rows = [{"id": number} for number in range(11)]

    def answer(asked):
        wanted = json.loads(asked.body["Filter"])
        return {"code": 0, "data": rows[wanted["FromRowNum"] : wanted["ToRowNum"]]}

    system.on("/api/invoke", answer)
    said = '{"FromRowNum":{offset},"ToRowNum":{upto},"Matcher":{"Type":"And","Matchers":[]}}'
    for place, paging in enumerate(({"kind": "offset", "size": 4}, {"kind": "page", "size": 4})):
        request = {
            "method": "post",
            "body": {"Filter": said},
            "records": "data",
            "paging": {**paging, "end": "short"},
        }
        made = puller(
            system, tmp_path / str(place), {"row": stream("/invoke", ["id"], {"id": "bigint"}, request)}
        )
        assert fine(made.pull(NOW))
        assert [int(row["id"]) for row in made.rows("row")] == list(range(11))
    assert len(system.log) == 6


# --- what errors mean -----------------------------------------------------------------------------

ERRORS = {
    "code": "code", "message": "msg", "retry": ["busy"], "retry_words": ["Too Frequent", "频率"],
    "expired": ["over"], "denied": ["bad secret"], "scope": [99991672, "http 451"], "quota": [90020],
    "means": {"90020": "The month's 5000 calls are spent. Wait for the first of the next.", "http 403": "Ask 张三."},
}  # fmt: skip


def three(system, tmp_path, errors=ERRORS):
    """Streams a, b, c, asked one after the other; each answers its own page."""
    made = {}
    for name in "abc":
        system.on(f"/api/{name}", lambda asked: {"code": 0, "data": [{"id": 1}]})
        made[name] = stream(f"/{name}", ["id"], {"id": "bigint"}, {"records": "data"})
    limits = {"concurrency": 1, "retries": 2}
    return Puller(http_source(system.url, made, http={"errors": errors}, limits=limits), tmp_path)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (90020, "the calls that the vendor allows are used up: the server answers HTTP 403 with code 90020"),
        ("bad secret", "our account is not accepted: the server answers HTTP 403 with code bad secret"),
    ],
)
def test_a_used_up_quota_or_a_wrong_secret_is_asked_once_for_all_streams(system, tmp_path, code, words):
    made = three(system, tmp_path)
    system.on("/api/a", lambda asked: Reply({"code": code, "msg": "no"}, status=403))
    outcomes = made.pull(NOW)
    assert [item.path for item in system.log] == ["/api/a"] and made.waits == []
    said = {str(item.error) for item in outcomes.values()}
    assert len(outcomes) == 3 and len(said) == 1 and words in next(iter(said))
    assert ("The month's 5000 calls are spent." in next(iter(said))) == (code == 90020)

    system.on("/api/a", lambda asked: {"code": 0, "data": [{"id": 1}]})
    assert fine(made.pull(NOW))  # the next pull asks again


def test_a_quota_used_up_midway_keeps_what_is_here(system, tmp_path):
    office = Office(system)
    office.fill(16)
    made = Puller(http_source(system.url, documents(), http={"errors": ERRORS}), tmp_path)
    system.faults = [*[None] * 15, Reply({"code": 90020, "msg": "no"}, status=403)]
    assert "pages already here are kept" in made.error("document", NOW)
    assert len(system.log) == 16
    assert fine(made.pull(NOW))
    asked = [(item.path, str(item.params)) for item in system.log]
    assert len(set(asked)) == len(asked) - 1  # but for the one that was refused
    assert {row["_each"] for row in made.rows("document")} == set(office.documents)


@pytest.mark.parametrize(
    "reply", [Reply({"code": 99991672, "msg": "needs contact:user"}), Reply({}, status=451)]
)
def test_an_object_that_is_not_granted_does_not_stop_the_others(system, tmp_path, reply):
    made = three(system, tmp_path)
    system.on("/api/a", lambda asked: reply)
    outcomes = made.pull(NOW)
    assert [name for name, item in outcomes.items() if item.error] == ["a"]
    said = str(outcomes["a"].error)
    assert "shop.a: /a: this object is not granted to us" in said and "Other streams go on." in said
    assert ("needs contact:user" in said) == (reply.status == 200)


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"code": "busy"}, status=451),  # the code goes before the status
        Reply({"code": 500, "msg": "请求频率过高"}),
        Reply({"code": 7, "msg": "TOO FREQUENT, slow down"}, status=400),
    ],
)
def test_what_may_pass_is_told_by_code_or_by_words(system, tmp_path, reply):
    made = three(system, tmp_path)
    system.faults = [reply, reply]
    assert fine(made.pull(NOW))
    assert len(system.log) == 5 and len(made.waits) == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": 8, "msg": "no"}, status=403), 'HTTP 403 with code 8: "no". Nothing of it was loaded'),
        (Reply({"code": 8, "msg": "no"}, status=403), "Ask 张三."),
        (
            Reply(body=b"<html>", status=403),
            "HTTP 403. Nothing of it was loaded; what was loaded before stays. Ask 张三.",
        ),
        (Reply({"code": 8, "msg": "no"}), "Look the code up in the vendor's list"),
        (Reply({"code": "over"}), "the session has ended"),
    ],
)
def test_a_refusal_says_what_it_means(system, tmp_path, reply, words):
    made = three(system, tmp_path)
    system.on("/api/a", lambda asked: reply)
    assert words in made.error("a", NOW)


def test_codes_are_found_in_lists_and_may_be_words_or_truths(system, tmp_path):
    graph = {
        "code": "errors.0.extensions.code",
        "ok": [],
        "retry": ["THROTTLED"],
        "message": "errors.0.message",
    }
    made = three(system, tmp_path, graph)
    system.faults = [
        Reply({"data": None, "errors": [{"message": "slow", "extensions": {"code": "THROTTLED"}}]})
    ]
    assert fine(made.pull(NOW)) and len(made.waits) == 1

    for place, good in enumerate(("00000", True)):
        made = three(system, tmp_path / str(place), {"code": "code", "ok": [good], "retry": [False]})
        for name in "abc":
            system.on(f"/api/{name}", lambda asked, good=good: {"code": good, "data": [{"id": 1}]})
        system.faults = [Reply({"code": False})] if good is True else []
        assert fine(made.pull(NOW))
        system.on("/api/a", lambda asked: {"code": "B0001", "msg": "wrong"})
        assert 'with code B0001: "wrong"' in made.error("a", NOW)


def test_a_first_cursor_is_sent_and_a_next_one_of_0_is_the_end(system, tmp_path):
    rows = [{"id": number} for number in range(7)]

    def answer(asked):
        start = asked.body["nextToken"]
        more = int(start) + 3 < len(rows)
        return {
            "code": 0,
            "list": rows[int(start) : int(start) + 3],
            "nextToken": str(int(start) + 3) if more else 0,
        }

    system.on("/api/rows", answer)
    request = {
        "method": "post", "body": {"nextToken": "{cursor}"}, "records": "list",
        "paging": {"kind": "cursor", "first": 0, "next": "nextToken", "more": "nextToken"},
    }  # fmt: skip
    made = puller(system, tmp_path, {"row": stream("/rows", ["id"], {"id": "bigint"}, request)})
    assert fine(made.pull(NOW))
    assert [item.body["nextToken"] for item in system.log] == [0, "3", "6"]
    assert [int(row["id"]) for row in made.rows("row")] == list(range(7))
