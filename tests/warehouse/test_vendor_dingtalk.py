"""钉钉, both generations, from the emulator to the warehouse: what is loaded is what the system holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.emulators.dingtalk import DingTalk as Emulator
from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.huachen.systems.dingtalk import OPTIONS, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.dingtalk import DingTalk, DingTalkFlow
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, PULLED_AT, Pulls, drafted, four_months
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.metadata import asker
from tieout.ingest.intake.http.pull import opened
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

DAYS = ("2026-09-21", "2026-09-27", "2026-09-28", "2026-10-03", "2026-10-31", "2026-11-01")


@pytest.fixture(scope="module")
def made():
    world = four_months()
    return {table.name: table for table in tables(world, Spelling(world))}


@pytest.fixture
def system(made, tmp_path):
    """Members of one department on two pages, attendance of some, approvals of this year, one still open."""
    few = dict(made)
    people = list(few["user"].rows)
    many = [(f"extra{n:04d}", f"x{n}", *people[0][2:]) for n in range(101)]
    both = list(people[1])
    both[6] = json.dumps([*json.loads(people[0][6]), *json.loads(both[6])])
    few["user"] = replace(few["user"], rows=[people[0], tuple(both), *people[2:], *many])
    clock, number = [], 930_000_000
    for day in DAYS:
        midnight = datetime.fromisoformat(f"{day}T00:00:00+08:00")
        for row in few["user"].rows[::9]:
            for kind, hour in (("OnDuty", 9), ("OffDuty", 17)):
                number += 1
                planned = (midnight + timedelta(hours=hour)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                real = None if number % 7 == 0 else planned
                clock.append(
                    (
                        number,
                        row[0],
                        day,
                        planned,
                        real,
                        kind,
                        "NotSigned" if real is None else "Normal",
                        "Normal",
                    )
                )
    few["attendance"] = replace(few["attendance"], rows=clock)
    instances = [list(row) for row in few["instance"].rows[:25]]
    for n, row in enumerate(instances):  # from the limit of 365 days on, some where two pieces of time meet
        row[6] = (datetime(2025, 11, 3, 12, 5, tzinfo=UTC) + timedelta(days=14 * n)).strftime(
            "%Y-%m-%dT%H:%M:00Z"
        )
    instances[24][4], instances[24][5], instances[24][7] = "RUNNING", "", None
    few["instance"] = replace(few["instance"], rows=[tuple(row) for row in instances])
    ids = {row[0] for row in instances}
    few["task"] = replace(few["task"], rows=[row for row in few["task"].rows if row[0] in ids])
    write_store(tmp_path / "dingtalk.sqlite", few.values())
    options = OPTIONS | {"history_days": "365", "calls_per_month": "5000"}
    emulator = Emulator(Store(tmp_path / "dingtalk.sqlite"), options, clock=PULLED_AT.timestamp)
    with serving(emulator):
        yield emulator


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"HC_DINGTALK_{name.upper()}", value)


def pulls(system: Emulator, tmp_path, name: str = "hc_dingtalk", size: int = 50, **columns) -> Pulls:
    """`size`: of a page of attendance. `columns`: other types for those of approvals."""
    document = from_yaml((CONTRACTS / name / "source.yaml").read_text(encoding="utf-8"))
    document["connection"]["url"] = system.address
    document["limits"]["retries"] = 3
    streams = document["streams"]
    if "attendance" in streams:
        streams["attendance"]["request"] = {"beginning": "2026-09-20", "paging": {"size": size}}
    else:
        del streams["leave"]["request"]  # as at a real one: 364 days
    for stream in streams.values():
        for column, kind in columns.items():
            if column in stream["columns"]:
                stream["columns"][column]["type"] = kind
    return Pulls(Source.model_validate(document), tmp_path)


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def assert_directory(system: Emulator, small: Pulls) -> None:
    store = system.store
    assert small.loaded("department") == {
        (r["dept_id"],): {"department_id": r["dept_id"], "department_name": r["name"], "parent_department_id": r["parent_id"]}
        for r in store.rows("department")
    }  # fmt: skip
    users = small.loaded("user")
    for row in users.values():
        row["department_ids"] = json.loads(row["department_ids"])
    assert users == {
        (r["userid"],): {
            "user_id": r["userid"], "union_id": r["unionid"], "user_name": r["name"], "employee_no": r["job_number"], "job_title": r["title"],
            "mobile": r["mobile"], "department_ids": json.loads(r["dept_id_list"]), "hired_at": instant(r["hired_date"]),
            "is_active": bool(r["active"])}
        for r in store.rows("user")
    }  # fmt: skip
    assert small.loaded("attendance") == {
        (r["userId"], r["checkType"], instant(r["baseCheckTime"])): {
            "user_id": r["userId"], "check_type": r["checkType"], "planned_at": instant(r["baseCheckTime"]), "checked_at": instant(r["userCheckTime"]),
            "work_date": date.fromisoformat(r["workDate"]), "time_result": r["timeResult"], "location_result": r["locationResult"]}
        for r in store.rows("attendance")
    }  # fmt: skip


def assert_approvals(system: Emulator, small: Pulls) -> None:
    store = system.store
    found = small.loaded("leave")
    for row in found.values():
        row["operations"] = [
            (one["userId"], instant(one["date"]), one["result"]) for one in json.loads(row["operations"])
        ]
    began = {r["id"]: instant(r["createTime"]) for r in store.rows("instance")}
    steps: dict[str, list] = {}
    for r in store.rows("task"):
        if r["finishTime"]:
            steps.setdefault(r["instance"], []).append((r["userId"], instant(r["finishTime"]), r["result"]))
    assert found == {
        (r["id"],): {
            "instance_id": r["id"], "business_no": r["businessId"], "subject": r["title"], "status_code": r["status"], "result_code": r["result"] or None,
            "created_at": began[r["id"]], "finished_at": instant(r["finishTime"]), "applicant_id": r["originatorUserId"],
            "department_id": int(r["originatorDeptId"]), "department_name": r["originatorDeptName"], "operations": steps[r["id"]]}
        for r in store.rows("instance")
    }  # fmt: skip
    assert small.loaded("leave_task") == {
        (r["instance"], r["taskId"]): {
            "instance_id": r["instance"], "task_id": r["taskId"], "approver_id": r["userId"], "status_code": r["status"], "result_code": r["result"],
            "activity_id": r["activityId"], "assigned_at": instant(r["createTime"]), "decided_at": instant(r["finishTime"]),
            "created_at": began[r["instance"]]}
        for r in store.rows("task")
    }  # fmt: skip
    values = {key: row["value"] for key, row in small.loaded("leave_value").items()}
    assert len(values) == 3 * len(began)
    for r in store.rows("instance"):
        assert values[r["id"], "DDDateRange-B"] == r["leave_begin"]
        assert Decimal(values[r["id"], "NumberField-C"]) == Decimal(r["leave_days"])


def test_directory_and_attendance_are_loaded_as_the_system_holds_them(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    assert_directory(system, small)
    clock = [call.json for call in system.calls if call.path == "/attendance/list"]
    assert max(len(body["userIdList"]) for body in clock) == 50
    assert (clock[0]["workDateFrom"], clock[0]["workDateTo"]) == (
        "2026-09-20 00:00:00",
        "2026-09-26 00:00:00",
    )
    pages = [
        call.json
        for call in system.calls
        if call.path == "/topapi/v2/user/list" and call.json["cursor"] == 100
    ]
    assert pages, "no department had a second page"


@pytest.mark.parametrize("last", ["absent", "null", "zero"])
def test_approvals_are_loaded_however_their_list_ends(system, tmp_path, last):
    system.options["last_token"] = last
    small = pulls(system, tmp_path, "hc_dingtalk_flow")
    small.refresh()
    assert_approvals(system, small)
    lists = [call.json for call in system.calls if call.path.endswith("instanceIds/query")]
    assert lists[0]["nextToken"] == 0 and lists[0]["maxResults"] == 20
    assert max(body["endTime"] - body["startTime"] for body in lists) == 120 * 86_400_000


def test_a_tenant_whose_times_are_local_is_read_with_another_type(system, tmp_path):
    """The Z does not always mean UTC: the contract says which it is."""
    system.options["zone"] = "local"
    small = pulls(system, tmp_path, "hc_dingtalk_flow", created_at="timestamp", finished_at="timestamp")
    small.refresh()
    there = {
        r["id"]: (datetime.fromisoformat(r["createTime"]) + timedelta(hours=8)).replace(tzinfo=None)
        for r in system.store.rows("instance")
    }
    assert {key[0]: row["created_at"] for key, row in small.loaded("leave").items()} == there


FAULTS = [{"error_at": 4}, {"cut_body_at": 7}, {"throttle_every": 5}, {"expire_session_after": 6}, {"expire_session_every": 9}, {"add_field": "new"}]  # fmt: skip


@pytest.mark.parametrize("faults", FAULTS, ids=lambda item: next(iter(item)))
def test_what_passes_is_overcome_in_the_directory(system, tmp_path, faults):
    system.faults = Faults(**faults)
    small = pulls(system, tmp_path)
    small.refresh()
    assert_directory(system, small)


@pytest.mark.parametrize("faults", FAULTS, ids=lambda item: next(iter(item)))
def test_what_passes_is_overcome_in_approvals(system, tmp_path, faults):
    system.faults = Faults(**faults)
    small = pulls(system, tmp_path, "hc_dingtalk_flow")
    small.refresh()
    assert_approvals(system, small)


def test_a_page_of_attendance_that_comes_again_is_refused(system, tmp_path):
    system.faults = Faults(repeat_page=1, tables=["attendance"])
    message = pulls(system, tmp_path, size=5).refused("attendance")
    assert "same rows as a page before" in message


def test_a_page_of_attendance_that_is_short_loses_nothing(system, tmp_path):
    """The next page begins where the rows that came ended, not where the page should have ended."""
    system.faults = Faults(truncate_page=1, tables=["attendance"])
    small = pulls(system, tmp_path, size=5)
    small.refresh()
    assert_directory(system, small)


def test_attendance_that_is_mended_and_an_approval_that_is_decided_follow(system, tmp_path):
    small, flow = pulls(system, tmp_path / "a"), pulls(system, tmp_path / "b", "hc_dingtalk_flow")
    small.refresh()
    flow.refresh()
    mended = next(system.store.rows("attendance", "workDate = '2026-10-31' and userCheckTime is null"))
    system.store.change(
        "update attendance set userCheckTime = baseCheckTime, timeResult = 'Normal' where id = ?",
        (mended["id"],),
    )
    running = next(system.store.rows("instance", "status = 'RUNNING'"))["id"]
    system.store.change(
        "update instance set status = 'COMPLETED', result = 'agree', finishTime = '2026-10-30T01:02:00Z' where id = ?",
        (running,),
    )
    before = len(system.calls)
    small.refresh()
    flow.refresh()
    assert_directory(system, small)
    assert_approvals(system, flow)
    days = {
        call.json["workDateFrom"][:10]
        for call in list(system.calls)[before:]
        if call.path == "/attendance/list"
    }
    assert min(days) == "2026-10-18"  # 14 days before the newest, the day of the pull


@pytest.mark.parametrize(
    ("name", "stream", "wrong", "option", "faults", "words"),
    [
        (
            "hc_dingtalk",
            "department",
            {"app_secret": "wrong-secret-wrong"},
            {},
            {},
            "AppSecret is not accepted",
        ),
        (
            "hc_dingtalk_flow",
            "leave",
            {"app_secret": "wrong-secret-wrong"},
            {},
            {},
            "AppSecret is not accepted",
        ),
        ("hc_dingtalk", "user", {}, {}, {"revoked": ["user"]}, "权限管理"),
        ("hc_dingtalk", "attendance", {}, {}, {"revoked": ["attendance"]}, "权限管理"),
        ("hc_dingtalk_flow", "leave", {}, {}, {"revoked": ["instance"]}, "Workflow.Instance.Read"),
        ("hc_dingtalk", "attendance", {}, {"calls_per_month": "2"}, {}, "calls of this month are used up"),
        ("hc_dingtalk_flow", "leave", {}, {"calls_per_month": "9"}, {}, "calls of this month are used up"),
        ("hc_dingtalk_flow", "leave", {}, {"history_days": "90"}, {}, "exported by hand"),
        ("hc_dingtalk", "department", {}, {"banned": "1"}, {}, "a page (HTML or XML), not JSON"),
    ],
    ids=[
        "secret-old",
        "secret-new",
        "right-user",
        "right-clock",
        "right-new",
        "quota-old",
        "quota-new",
        "too-old",
        "banned",
    ],
)
def test_each_refusal_says_what_it_is(
    system, tmp_path, monkeypatch, name, stream, wrong, option, faults, words
):
    for key, value in wrong.items():
        monkeypatch.setenv(f"HC_DINGTALK_{key.upper()}", value)
    system.options.update(option)
    system.faults = Faults(**faults)
    message = pulls(system, tmp_path, name).refused(stream)
    assert words in message and name in message and "Nothing" in message
    assert OPTIONS["app_secret"] not in message and "wrong-secret" not in message


def test_other_streams_go_on_when_one_has_no_right(system, tmp_path):
    system.faults = Faults(revoked=["attendance"])
    outcomes = pulls(system, tmp_path).outcomes()
    assert outcomes["attendance"].error is not None
    assert outcomes["user"].error is None and outcomes["department"].error is None


def test_it_says_what_its_objects_hold(system, tmp_path):
    small = pulls(system, tmp_path)
    ask = asker(opened(small.source, Landing(tmp_path / "asked"), Ask(PULLED_AT), lambda _: None)())
    assert [item.id for item in DingTalk().discover(ask)] == ["department", "user", "attendance"]
    head, values, tasks = DingTalkFlow().discover(ask, ["approval/PROC-1", "approval/PROC-1#tasks"])
    assert head.key == ("instance_id",) and values.parent == tasks.parent == "approval/PROC-1"
    assert "unverified" in next(field.doubt or "" for field in head.fields if field.id == "created_at")


def test_a_drafted_contract_loads_as_it_is(system, tmp_path):
    options = {name: f"env:HC_DINGTALK_{name.upper()}" for name in ("app_key", "app_secret")}
    source = drafted("dingtalk", system.address, options, tmp_path)
    quick = source.limits.model_copy(update={"requests_per_second": 500.0})
    small = Pulls(source.model_copy(update={"limits": quick}), tmp_path / "warehouse")
    small.refresh()

    def keys(stream: str, *columns: str) -> set[tuple]:
        listed = ", ".join(columns)
        return set(small.rows(f'select {listed} from raw_drafted."{stream}" where not _is_deleted'))

    store = system.store
    assert keys("department", "dept_id") == {(row["dept_id"],) for row in store.rows("department")}
    assert {key[0] for key in keys("user", "user_id")} == {row["userid"] for row in store.rows("user")}
    assert keys("attendance", "user_id", "check_type", "planned_at") == {
        (row["userId"], row["checkType"], instant(row["baseCheckTime"])) for row in store.rows("attendance")
    }
