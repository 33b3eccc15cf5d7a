"""简道云 from the emulator to the warehouse: what is loaded is what the forms hold, also when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.jiandaoyun import Jiandaoyun as Emulator
from sandbox.emulators.server import serving
from sandbox.huachen.systems.crm import LINES, OPTIONS, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.jiandaoyun import Jiandaoyun
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, PULLED_AT, Pulls, contract, four_months
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.metadata import asker
from tieout.ingest.intake.http.pull import opened
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

TABLES = {
    "customer": "customer", "opportunity": "opportunity", "purchase_request": "purchase_request", "purchase_request_line": LINES,
}  # fmt: skip


@pytest.fixture(scope="module")
def forms():
    world = four_months()
    return tables(world, Spelling(world))


@pytest.fixture
def system(forms, tmp_path):
    """A hundred and a few rows of each form, so that there is a second page, and one row that is hard to read."""
    few = {table.name: replace(table, rows=list(table.rows)[:130]) for table in forms}
    hard = list(few["customer"].rows[-1])
    hard[0], hard[5] = "ffffffff0000000000000001", "“引号”\n换行 \\ 'x'"
    filler = [
        (f"{0x70000000 + n:08x}{n:016x}", *few["customer"].rows[n % 20][1:]) for n in range(120)
    ]  # two pages of customers
    few["customer"] = replace(few["customer"], rows=[*few["customer"].rows, *filler, tuple(hard)])
    opportunity = list(few["opportunity"].rows[0])
    opportunity[8] = "90071992547409.1234"  # more digits than a float holds
    few["opportunity"] = replace(few["opportunity"], rows=[tuple(opportunity), *few["opportunity"].rows[1:]])
    write_store(tmp_path / "crm.sqlite", few.values())
    emulator = Emulator(Store(tmp_path / "crm.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)
    monkeypatch.setenv("HC_CRM_API_KEY", OPTIONS["api_key"])
    monkeypatch.setenv("HC_CRM_APP_ID", OPTIONS["app_id"])


def pulls(system: Emulator, tmp_path, streams: tuple[str, ...] = (), **options: str) -> Pulls:
    return Pulls(contract("hc_crm", system.address, options, streams), tmp_path)


def held(system: Emulator, small: Pulls, stream: str) -> dict[tuple, dict]:
    """What the stream must show, worked out from the store: days are midnight in Shanghai, 16:00 UTC the day before."""
    table = system.store.tables[TABLES[stream]]
    kinds = {field.name: field.kind for field in table.fields}
    rows = {}
    for row in system.store.rows(table.name):
        shown = {}
        for name, column in small.source.streams[stream].columns.items():
            path = (column.source_names or (name,))[0]
            field = "request_id" if path == "parent._id" else path.partition(".")[0]
            value = row[field]
            if value is not None and kinds[field] == "decimal":
                value = Decimal(value)
            elif value is not None and kinds[field] == "instant":
                value = datetime.fromisoformat(value)
            elif value is not None and kinds[field] == "date":
                value = datetime.fromisoformat(value).replace(tzinfo=UTC) - timedelta(hours=8)
            shown[name] = value
        rows[tuple(shown[name] for name in small.source.streams[stream].key)] = shown
    return rows


def assert_equal(system: Emulator, small: Pulls) -> None:
    for stream in small.source.streams:
        there = held(system, small, stream)
        assert len(there) > 5 and small.loaded(stream) == there, stream


def asking(small: Pulls):
    """The `ask` of discovery, over the contract's own credentials."""
    return asker(opened(small.source, Landing(small.drop / "asked"), Ask(PULLED_AT), lambda _: None)())


def test_every_form_and_its_lines_are_loaded_as_the_system_holds_them(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    assert_equal(system, small)
    assert any(
        row["expected_amount"] == Decimal("90071992547409.1234")
        for row in small.loaded("opportunity").values()
    )
    entry = small.source.streams["customer"].object
    asked = [
        call.json
        for call in system.calls
        if call.path.endswith("data/list") and call.json["entry_id"] == entry
    ]
    pages = [body for body in asked if "filter" not in body]
    first, second = pages
    assert "data_id" not in first and len(second["data_id"]) == 24 and first["limit"] == 100


@pytest.mark.parametrize(
    "faults",
    [
        {"error_at": 2},
        {"error_at": 10},
        {"cut_body_at": 10},
        {"throttle_every": 3},
        {"slow": 0.02},
        {"add_field": "_widget_new"},
    ],
    ids=lambda item: f"{next(iter(item))}-{next(iter(item.values()))}",
)
def test_what_passes_is_overcome(system, tmp_path, faults):
    system.faults = Faults(**faults)
    small = pulls(system, tmp_path)
    small.refresh()
    assert_equal(system, small)


def test_a_page_that_comes_again_is_noticed(system, tmp_path):
    system.faults = Faults(repeat_page=2, tables=["customer"])  # page 1 is the probe of updateTime
    message = pulls(system, tmp_path, ("customer",)).refused("customer", whole=True)
    assert "does not move" in message or "same rows as a page before" in message


def test_changes_and_deletions_follow(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    keys = [row["_id"] for row in system.store.rows("customer")]
    system.store.change("delete from customer where _id = ?", (keys[3],))
    system.store.change(
        "update customer set _widget_1690000001006 = '南京', updateTime = '2026-01-01T00:00:00Z' where _id = ?",
        (keys[5],),
    )
    line = next(iter(system.store.rows(LINES)))
    system.store.change(f'delete from "{LINES}" where _id = ?', (line["_id"],))
    small.refresh()
    assert_equal(system, small)
    assert small.rows("select customer_id from raw_hc_crm.customer where _is_deleted") == [(keys[3],)]


@pytest.mark.parametrize("heeded", ["0", "1"])
def test_by_changes_nothing_is_lost_whether_the_filter_is_heeded_or_not(system, tmp_path, heeded):
    system.options["update_time_filter"] = heeded
    document = from_yaml((CONTRACTS / "hc_crm" / "source.yaml").read_text(encoding="utf-8"))
    document["connection"]["url"] = system.address
    document["streams"] = {
        "customer": document["streams"]["customer"]
        | {"load": "incremental", "cursor": ["updated_at"], "deletes": "keys"}
    }
    source = Source.model_validate(document)
    small = Pulls(source, tmp_path)
    small.refresh()
    keys = [row["_id"] for row in system.store.rows("customer")]
    system.store.change(
        "update customer set _widget_1690000001006 = '南京', updateTime = '2026-01-01T00:00:00Z' where _id = ?",
        (keys[5],),
    )
    system.store.change("delete from customer where _id = ?", (keys[3],))
    before = len(system.calls)
    small.refresh()
    assert_equal(system, small)
    asked = [
        call.json
        for call in list(system.calls)[before:]
        if "filter" in call.json and call.json["limit"] == 100
    ]
    newest = max(row["updateTime"] for row in system.store.rows("customer") if row["updateTime"] < "2026")
    begin = (
        datetime.fromisoformat(newest) + timedelta(hours=8) - timedelta(days=1)
    )  # Shanghai, less the lateness
    assert asked[0]["filter"]["cond"] == [
        {"field": "updateTime", "type": "datetime", "method": "range", "value": [f"{begin:%Y-%m-%d}", None]}
    ]


@pytest.mark.parametrize(
    ("wrong", "faults", "words"),
    [
        ({"api_key": "not-the-key-at-all"}, {}, "密钥管理"),
        ({}, {"revoked": [OPTIONS["app_id"]]}, "not granted this app"),
        ({}, {"revoked": ["customer"]}, "no right to this"),
        ({}, {"quota": 0}, "quota is used up"),
        ({"app_id": "65ffffffffffffffffffffff"}, {}, "no such app"),
    ],
    ids=["key", "app", "form", "quota", "unknown"],
)
def test_each_refusal_says_what_it_is(system, tmp_path, monkeypatch, wrong, faults, words):
    for name, value in wrong.items():
        monkeypatch.setenv(f"HC_CRM_{name.upper()}", value)
    system.faults = Faults(**faults)
    message = pulls(system, tmp_path).refused("customer")
    assert words in message and "hc_crm" in message and "Nothing" in message
    assert OPTIONS["api_key"] not in message and "not-the-key" not in message


def test_forms_describe_themselves(system, tmp_path):
    ask = asking(pulls(system, tmp_path))
    forms = {item.title: item for item in Jiandaoyun().discover(ask)}
    assert list(forms) == ["客户档案", "商机", "采购申请", "采购申请 申请明细"]
    fields = {field.title: field for field in forms["商机"].fields}
    assert fields["客户"].path == "_widget_1690000002002.id"
    assert fields["预计金额（元，不含税）"].type.startswith("decimal")
    assert fields["预计成交日期"].type == "timestamptz" and "midnight" in (fields["预计成交日期"].doubt or "")
    assert fields["负责人（账号）"].personal and fields["负责人"].personal
    assert {field.title for field in forms["客户档案"].fields if field.personal} == {
        "提交人",
        "联系人",
        "联系电话",
    }
    lines = forms["采购申请 申请明细"]
    assert lines.key == ("parent_id", "_id") and lines.parent == forms["采购申请"].id
    assert forms["客户档案"].cursor == () and "updateTime" in (forms["客户档案"].doubt or "")
    system.options["update_time_filter"] = "1"
    (form,) = Jiandaoyun().discover(ask, [forms["客户档案"].id])
    assert form.cursor == ("update_time",) and form.stream == {"load": "incremental", "deletes": "keys"}
