"""明道云 from its emulator to the warehouse, and the emulator's own manners."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.mingdao import Mingdao
from sandbox.emulators.server import serving
from sandbox.huachen.systems import mingdao
from sandbox.huachen.systems.mingdao import AT, CHECKED, MACHINE, NOTE, NUMBER, ODD, PERSON, RESULT, WORKSHEET
from sandbox.huachen.world.records import Employee, Inspection, World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Store, write_store
from sources.connectors import connector_for
from tests.vendor_rows import Pulls, announced

START = datetime(2026, 9, 7, 1, 0, tzinfo=UTC)


def world() -> World:
    made = World(1, 1, date(2026, 9, 1), date(2026, 10, 31))
    made.employees = [
        Employee(
            "HC007",
            "张敏",
            "13800000007",
            "操作工",
            date(2020, 1, 1),
            None,
            ((date(2020, 1, 1), "410"),),
            Decimal(7000),
        )
    ]
    for n in range(10):  # three machines at the same moment, so that the order by time alone is no order
        odd = n % 4 == 3
        made.inspections.append(
            Inspection(f"DJ{n:05d}", ("冲床-01", "数控车床-01", "装配线-A")[n % 3], "HC007", START + timedelta(days=7 * (n // 3)),
                       "异常" if odd else "正常", Decimal(8), Decimal(odd), "异响" if odd else "")
        )  # fmt: skip
    return made


@pytest.fixture
def running(tmp_path, monkeypatch):
    history = world()
    path = tmp_path / "mingdao.sqlite"
    write_store(path, mingdao.tables(history, Spelling(history)))
    emulator = Mingdao(Store(path), mingdao.OPTIONS | {"page_max": "3"})
    with serving(emulator) as url:
        yield emulator, announced("hc_mingdao", url, mingdao.OPTIONS, tmp_path, monkeypatch)


def truth(store: Store) -> list[dict]:
    machines = dict(store.tables[WORKSHEET].field(MACHINE).options)
    return [
        {"row_id": row["rowid"], "check_no": row[NUMBER], "machine": machines[row[MACHINE]], "person": row[PERSON], "person_name": "张敏",
         "checked_at": row[AT], "result": dict(mingdao.RESULTS)[row[RESULT]], "checked": row[CHECKED], "odd": row[ODD], "note": row[NOTE],
         "created_at": row["_createdAt"], "updated_at": row["_updatedAt"]}
        for row in store.rows(WORKSHEET)
    ]  # fmt: skip


def assert_same(emulator: Mingdao, small: Pulls) -> None:
    there = small.truth("machine_check", truth(emulator.store))
    assert there and small.loaded("machine_check") == there


def test_every_row_is_as_the_store_has_it(running):
    emulator, small = running
    assert small.refresh()["pages"] == 4
    assert_same(emulator, small)


def test_a_server_that_calls_the_row_otherwise_is_read_too(running):
    emulator, small = running
    emulator.options |= {"row_key": "rowid"}
    small.refresh()
    assert_same(emulator, small)


def test_an_alias_that_is_renamed_changes_nothing(running):
    emulator, small = running
    small.refresh()
    emulator.options |= {"aliases": json.dumps({WORKSHEET: {NUMBER: "renamed"}})}
    emulator.store.change(
        f'update "{WORKSHEET}" set "{NOTE}" = \'异响\', "_updatedAt" = \'2026-10-30T00:00:00Z\' where "{NUMBER}" = \'DJ00001\''
    )
    small.refresh()
    assert_same(emulator, small)


def test_changes_and_deletions_follow_with_few_rows(running):
    emulator, small = running
    small.refresh()
    emulator.store.change(f'delete from "{WORKSHEET}" where "{NUMBER}" = \'DJ00002\'')
    emulator.store.change(
        f'update "{WORKSHEET}" set "{ODD}" = 5, "_updatedAt" = \'2026-10-30T00:00:00Z\' where "{NUMBER}" = \'DJ00004\''
    )
    emulator.calls.clear()
    small.refresh()
    assert_same(emulator, small)
    asked = [call.json for call in emulator.calls if call.path.endswith("/rows/list")]
    assert sum("filter" in body for body in asked) == 1  # what changed; the rest is the list of keys


@pytest.mark.parametrize(
    ("faults", "repaired"),
    [
        (Faults(truncate_page=2), "readings"),
        (Faults(error_at=2), "retries"),
        (Faults(cut_body_at=3), "retries"),
        (Faults(throttle_every=3), "retries"),
        (Faults(slow=0.01), "pages"),
    ],
    ids=["page lost rows", "500 in the middle", "body cut", "throttled", "slow"],
)
def test_faults_that_can_be_survived_are(running, faults, repaired):
    emulator, small = running
    emulator.faults = faults
    assert small.refresh("machine_check")[repaired] > (1 if repaired == "readings" else 0)
    assert_same(emulator, small)


def test_a_page_that_comes_again_is_noticed(running):
    emulator, small = running
    emulator.faults = Faults(repeat_page=1)
    assert "holds the same rows as a page before" in small.refused("machine_check")
    small.refresh()
    assert_same(emulator, small)


@pytest.mark.parametrize(
    ("faults", "sign", "words"),
    [
        (Faults(), "sandbox-wrong-sign", "the headers are not accepted"),
        (Faults(revoked=[WORKSHEET]), None, "the key may not read this worksheet"),
        (Faults(quota=1), None, "本月API调用次数已用完"),
        (Faults(throttle_every=1), None, "4 times in a row"),
        (Faults(drift={NOTE: "66c1a0089d7b3f2c84e05bff"}), None, None),
    ],
    ids=["secret", "right", "quota", "rate", "drift"],
)
def test_what_cannot_be_survived_says_so(running, monkeypatch, faults, sign, words):
    emulator, small = running
    if sign:
        monkeypatch.setenv("HC_MINGDAO_SIGN", sign)
    emulator.faults = faults
    if words is None:  # a field that is gone comes as nothing at all, and no other field takes its place
        assert small.outcomes()["machine_check"].error is None
        small.load()
        assert {row["note"] for row in small.loaded("machine_check").values()} == {None}
        return
    said = small.refused("machine_check")
    assert words in said and "what was loaded before stays" in said and "sandbox-" not in said


def asked(emulator: Mingdao, path: str, body: dict | None = None) -> dict:
    headers = {"HAP-Appkey": emulator.options["app_key"], "HAP-Sign": emulator.options["sign"]}
    method = "get" if body is None else "post"
    return requests.request(method, emulator.address + path, json=body, headers=headers, timeout=5).json()


def test_discovery_reads_worksheets_and_fields(running):
    emulator, _ = running
    (found,) = connector_for("mingdao").discover(lambda method, path: asked(emulator, path))
    fields = {field.id: field for field in found.fields}
    assert (found.id, found.title, found.key) == (WORKSHEET, "设备点检", ("row_id",))
    assert (fields["machine"].path, fields["machine"].title) == (f"{MACHINE}.0.value", "设备")
    assert {words for _, words in fields["machine"].options} == {"冲床-01", "数控车床-01", "装配线-A"}
    assert (fields["checked_at"].type, fields[CHECKED].type) == ("timestamp", "bigint")
    assert fields[PERSON].personal and not fields["result"].personal


def test_the_emulator_keeps_the_rules_of_the_sheet(running):
    emulator, _ = running
    path = f"/v3/app/worksheets/{WORKSHEET}/rows/list"
    leaf = {"type": "condition", "field": AT, "operator": "gt", "value": ["2026-09-14 09:00:00"]}
    group = {"type": "group", "logic": "AND", "children": [leaf]}
    assert asked(emulator, path, {"filter": leaf})["error_code"] == 10002
    mixed = {"type": "group", "children": [leaf, group]}
    assert asked(emulator, path, {"filter": mixed})["error_code"] == 10002
    found = asked(emulator, path, {"filter": group, "includeTotalCount": True})
    assert (found["success"], found["data"]["total"]) == (True, 4)  # after that very second
    assert (
        asked(emulator, path, {"filter": {**group, "children": [leaf | {"operator": "gte"}]}})["success"]
        is False
    )
    assert (
        asked(
            emulator,
            path,
            {"filter": {**group, "children": [leaf | {"operator": "ge"}]}, "includeTotalCount": True},
        )["data"]["total"]
        == 7
    )
    row = asked(emulator, path, {"pageSize": 1, "sorts": [{"field": "check_no", "isAsc": True}]})["data"][
        "rows"
    ][0]
    assert (
        row["check_no"] == "DJ00000" and row[CHECKED] == "8" and NUMBER not in row
    )  # aliases, and numbers as text
    assert row[NOTE] == "" and row["result"] == [{"key": mingdao.RESULTS[0][0], "value": "正常"}]
    assert asked(emulator, path, {"pageSize": 1})["data"].get("total") is None
