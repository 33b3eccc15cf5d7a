"""飞书 from the emulator to the warehouse: what is loaded is what the system holds, also when things go wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.feishu import Feishu as Emulator
from sandbox.emulators.server import serving
from sandbox.huachen.systems.feishu import CODES, LEDGER, OPTIONS, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.feishu import Feishu
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, PULLED_AT, Pulls, contract, four_months
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.metadata import asker
from tieout.ingest.intake.http.pull import opened
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

APPROVALS = ("discount_approval", "discount_approval_task")


@pytest.fixture(scope="module")
def made():
    world = four_months()
    return tables(world, Spelling(world))


@pytest.fixture
def system(made, tmp_path):
    """Some of everything: two pages of members, approvals over several months, one still open, one text of two pieces."""
    few = {table.name: table for table in made}
    people = list(few["user"].rows)
    extra = [(f"ou_extra{n:03d}", f"extra{n}", *people[n % 20][2:]) for n in range(70)]
    both = list(people[0])
    places = [row[0] for row in few["department"].rows]
    both[8] = json.dumps(places[:2])  # a member of two departments comes twice
    few["user"] = replace(few["user"], rows=[tuple(both), *people[1:], *extra])
    kept = [row for row in few["instance"].rows if row[1] == CODES["discount"]][:12]
    open_ = list(kept[0])
    open_[4], open_[6] = "PENDING", None
    late = list(kept[1])
    late[12] = "90071992547409.1234"
    few["instance"] = replace(few["instance"], rows=[tuple(open_), tuple(late), *kept[2:]])
    ids = {row[0] for row in kept}
    few["task"] = replace(few["task"], rows=[row for row in few["task"].rows if row[0] in ids])
    rows = [list(row) for row in few[LEDGER].rows]
    template = rows[0]
    many = []
    for n in range(7):
        row = list(rows[n % len(rows)] if rows else template)
        row[0] = f"rec{n:05d}"
        many.append(row)
    many[1][13] = "先看 https://huachen.example/1"
    many[2][4] = None  # empty: left out by the vendor
    many[3][7] = "90071992547409.1234"
    few[LEDGER] = replace(few[LEDGER], rows=[tuple(row) for row in many])
    write_store(tmp_path / "feishu.sqlite", few.values())
    emulator = Emulator(Store(tmp_path / "feishu.sqlite"), OPTIONS | {"rate_reset": "0"})
    with serving(emulator):
        yield emulator


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"HC_FEISHU_{name.upper()}", value)


def pulls(system: Emulator, tmp_path, *streams: str, span: str = "900d", **written) -> Pulls:
    """`written`: more of a stream's contract. `span` is wide, for every month asked for costs a call."""
    document = from_yaml((CONTRACTS / "hc_feishu" / "source.yaml").read_text(encoding="utf-8"))
    document["connection"]["url"] = system.address
    wanted = streams or tuple(name for name in document["streams"] if not name.startswith("payment"))
    document["streams"] = {name: document["streams"][name] | written.get(name, {}) for name in wanted}
    for stream in document["streams"].values():
        stream.setdefault("request", {})
        if "parent" not in stream["request"]:
            stream["request"]["beginning"] = "2023-11-01"
        if str(stream.get("object")).startswith("approval/"):
            stream["request"]["for_each"] = {"list": {"span": span}}
    if "spare_part" in document["streams"]:
        document["streams"]["spare_part"]["request"]["paging"] = {"size": 3}
    return Pulls(Source.model_validate(document), tmp_path)


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def held(system: Emulator, stream: str) -> dict[tuple, dict]:
    """What a stream must show, worked out from the store; only what needs no JSON."""
    store = system.store
    if stream == "department":
        return {(r["open_department_id"],): {
            "department_id": r["open_department_id"], "department_code": r["department_id"], "department_name": r["name"],
            "parent_department_id": r["parent_department_id"], "member_count": r["member_count"]} for r in store.rows("department")}  # fmt: skip
    if stream == "user":
        return {(r["open_id"],): {
            "open_id": r["open_id"], "user_id": r["user_id"], "user_name": r["name"], "employee_no": r["employee_no"], "mobile": r["mobile"],
            "email": r["email"], "job_title": r["job_title"], "department_ids": json.loads(r["department_ids"]),
            "joined_at": instant(r["join_time"]), "is_resigned": bool(r["is_resigned"]), "is_activated": bool(r["is_activated"])}
            for r in store.rows("user")}  # fmt: skip
    if stream == "discount_approval":
        return {(r["instance_code"],): {
            "instance_id": r["instance_code"], "approval_name": r["approval_name"], "serial_no": r["serial_number"], "status_code": r["status"],
            "started_at": instant(r["start_time"]), "ended_at": instant(r["end_time"]), "applicant_id": r["user_id"],
            "department_id": r["department_id"], "is_reverted": bool(r["reverted"]),
            "form": (r["title"], r["amount"] and Decimal(r["amount"]), r["reference"])} for r in store.rows("instance")}  # fmt: skip
    if stream == "discount_approval_task":
        began = {r["instance_code"]: r["start_time"] for r in store.rows("instance")}
        return {(r["instance_code"], r["id"]): {
            "instance_id": r["instance_code"], "task_id": r["id"], "node_name": r["node_name"], "approver_id": r["user_id"], "status_code": r["status"],
            "started_at": instant(began[r["instance_code"]]), "assigned_at": instant(r["start_time"]), "decided_at": instant(r["end_time"])}
            for r in store.rows("task")}  # fmt: skip
    words = {"optA": "待寄出", "optB": "已寄出", "optC": "已更换"}
    return {(r["record_id"],): {
        "record_id": r["record_id"], "ticket_no": r["fldTicket1"], "customer_name": r["fldCustom2"], "part_code": r["fldPartCd3"],
        "quantity": Decimal(r["fldQuanti4"]), "amount": Decimal(r["fldAmount5"]), "status": words[r["fldStatus6"]],
        "labels": json.loads(r["fldLabels7"]), "needed_on": datetime.fromisoformat(r["fldNeeded8"]).date(),
        "owner_id": json.loads(r["fldPerson9"])[0]["id"], "is_closed": bool(r["fldClosed0"]), "remark": r["fldRemark1"],
        "created_at": instant(r["created_time"]), "modified_at": instant(r["last_modified_time"])} for r in store.rows(LEDGER)}  # fmt: skip


def loaded(small: Pulls, stream: str) -> dict[tuple, dict]:
    """What was loaded, its JSON texts read."""
    rows = small.loaded(stream)
    for row in rows.values():
        for name in ("department_ids", "labels"):
            if name in row:
                row[name] = json.loads(row[name])
        if "form" in row:
            values = {
                item["id"]: item["value"]
                for item in json.loads(row["form"], parse_float=Decimal, parse_int=Decimal)
            }
            row["form"] = tuple(values[f"widget_{name}"] or None for name in ("title", "amount", "reference"))
        if row.get("remark"):
            row["remark"] = "".join(piece["text"] for piece in json.loads(row["remark"]))
    return rows


def assert_equal(system: Emulator, small: Pulls) -> None:
    for stream in small.source.streams:
        there = held(system, stream)
        assert len(there) > 5 and loaded(small, stream) == there, stream


def test_directory_approvals_and_bitable_are_loaded_as_the_system_holds_them(system, tmp_path):
    small = pulls(system, tmp_path, span="30d")
    small.refresh()
    assert_equal(system, small)
    assert sum("/auth/" in call.path for call in system.calls) == 1
    first, *_ = [call for call in system.calls if call.path.endswith("/records/search")]
    assert first.query["page_size"] == "3" and "page_token" not in first.query
    spans = [call.query for call in system.calls if call.path.endswith("/v4/instances")]
    assert len(spans) > 30 and all(
        int(item["end_time"]) - int(item["start_time"]) <= 30 * 86_400_000 for item in spans
    )


@pytest.mark.parametrize(
    "faults",
    [{"error_at": 3}, {"cut_body_at": 6}, {"throttle_every": 4}, {"expire_session_after": 5}, {"expire_session_every": 9},
     {"slow": 0.005}, {"add_field": "brand_new"}, {"truncate_page": 2, "tables": [LEDGER]}],
    ids=lambda item: next(iter(item)),
)  # fmt: skip
def test_what_passes_is_overcome(system, tmp_path, faults):
    system.faults = Faults(**faults)
    small = pulls(system, tmp_path)
    small.refresh()
    assert_equal(system, small)


def test_an_approval_that_is_decided_later_follows(system, tmp_path):
    small = pulls(system, tmp_path, *APPROVALS)
    small.refresh()
    newest = max(system.store.rows("instance"), key=lambda row: row["start_time"])["instance_code"]
    system.store.change(
        "update instance set status = 'REJECTED', end_time = '2026-10-30T00:00:00Z' where instance_code = ?",
        (newest,),
    )
    before = len(system.calls)
    small.refresh()
    assert_equal(system, small)
    details = [call for call in list(system.calls)[before:] if "/instances/" in call.path]
    assert 0 < len(details) < 13  # those of the last 60 days before the newest


def test_bitable_by_changes_asks_for_days_and_loses_nothing(system, tmp_path):
    columns = from_yaml((CONTRACTS / "hc_feishu" / "source.yaml").read_text(encoding="utf-8"))["streams"][
        "spare_part"
    ]["columns"]
    columns = {**columns, "modified_at": {"from": "fields.最后更新时间", "type": "timestamptz"}}
    more = {
        "load": "incremental",
        "cursor": ["modified_at"],
        "deletes": "keys",
        "columns": columns,
        "control": None,
    }
    small = pulls(system, tmp_path, "spare_part", spare_part=more)
    small.refresh()
    assert_equal(system, small)
    gone, changed = [row["record_id"] for row in system.store.rows(LEDGER)][:2]
    system.store.change(f"delete from {LEDGER} where record_id = ?", (gone,))
    system.store.change(
        f"update {LEDGER} set fldQuanti4 = '9', last_modified_time = '2026-10-31T00:00:00Z', fldModifi2 = '2026-10-31T00:00:00Z'"
        " where record_id = ?", (changed,)
    )  # fmt: skip
    before = len(system.calls)
    small.refresh()
    assert_equal(system, small)
    bodies = [call.json for call in list(system.calls)[before:] if call.path.endswith("search")]
    condition = bodies[0]["filter"]["conditions"][0]
    assert (condition["field_name"], condition["operator"], condition["value"][0]) == (
        "最后更新时间",
        "isGreater",
        "ExactDate",
    )
    assert isinstance(condition["value"][1], str) and condition["value"][1].isdigit()


def test_what_the_system_keeps_itself_is_no_cursor(system, tmp_path):
    with pytest.raises(ValueError, match="最后更新时间"):
        pulls(system, tmp_path, "spare_part", spare_part={"load": "incremental", "cursor": ["modified_at"]})


@pytest.mark.parametrize(
    ("wrong", "faults", "stream", "words"),
    [
        ({"app_secret": "wrong-secret-wrong"}, {}, "department", "app id or secret is not accepted"),
        ({}, {"revoked": ["instance"]}, "discount_approval", "approval:approval:readonly"),
        ({}, {"revoked": ["instance"]}, "discount_approval", "grant the permission"),
        ({}, {"quota": 0}, "department", "used up"),
        ({"app_token": "bascnElsewhere"}, {}, "spare_part", "app_token"),
    ],
    ids=["secret", "scope", "scope-words", "quota", "bitable"],
)
def test_each_refusal_says_what_it_is(system, tmp_path, monkeypatch, wrong, faults, stream, words):
    for name, value in wrong.items():
        monkeypatch.setenv(f"HC_FEISHU_{name.upper()}", value)
    system.faults = Faults(**faults)
    message = pulls(system, tmp_path).refused(stream)
    assert words in message and "hc_feishu" in message and "Nothing" in message
    assert OPTIONS["app_secret"] not in message and "wrong-secret" not in message


def test_rights_that_are_missing_without_a_word_do_not_empty_a_table(system, tmp_path):
    """The vendor answers with nothing at all; what was there stays."""
    small = pulls(system, tmp_path, "department")
    small.refresh()
    system.faults = Faults(revoked=["department"])
    small.outcomes()
    small.load()
    assert len(small.loaded("department")) == len(held(system, "department"))


def test_a_list_cut_short_is_not_noticed_for_approvals(system, tmp_path):
    """Their list names no total: this is what a truncating server can do, said in the connector's limits."""
    system.faults = Faults(truncate_page=1, tables=["instance"])
    small = pulls(system, tmp_path, *APPROVALS)
    small.refresh()
    assert len(small.loaded("discount_approval")) < 12


def test_the_system_describes_its_tables(system, tmp_path):
    source = contract("hc_feishu", system.address, {}, ("department",))
    ask = asker(opened(source, Landing(tmp_path / "asked"), Ask(PULLED_AT), lambda _: None)())
    found = {item.id: item for item in Feishu().discover(ask)}
    ledger = next(item for item in found.values() if item.title == "售后备件台账")
    fields = {field.title: field for field in ledger.fields}
    assert fields["工单号"].path == "fields.工单号.0.text" and fields["数量"].type.startswith("decimal")
    assert fields["负责人"].personal and fields["已结案"].type == "boolean"
    assert [name for name, _ in fields["状态"].options] == ["待寄出", "已寄出", "已更换"]
    assert ledger.key == ("record_id",) and ledger.cursor == ("fldModifi2",)
    assert {"department", "user"} <= set(found)
    assert [item.id for item in Feishu().discover(ask, ["approval/A1"])] == [
        "approval/A1",
        "approval/A1#task_list",
    ]
