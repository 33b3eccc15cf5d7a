"""纷享销客 from its emulator to the warehouse, drafted and by hand, and the emulator's own manners."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.fxiaoke import Fxiaoke
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store
from sources.contract import Source
from tests.vendor_rows import Pulls, quick
from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor
from tieout.strict import from_yaml

SECRETS = {"app_id": "FSAID_sandbox", "app_secret": "sandbox-fx-secret", "permanent_code": "sandbox-fx-code"}
TENANT = {**SECRETS, "corp_id": "FSCID_sandbox", "limit_max": "3"}
READER = "FSUID_reader"
LAST = "2026-10-30T00:00:00Z"


def _object(name: str, title: str, fields: tuple[Field, ...], rows: list[tuple]) -> Table:
    always = (
        Field("_id", "text", "记录编号", required=True),
        Field("name", "text", "名称", required=True),
        Field("owner", "text", "负责人", refers="user"),
        Field("create_time", "instant", "创建时间", required=True),
        Field("last_modified_time", "instant", "最后修改时间", required=True, indexed=True),
    )
    return Table(name, title, ("_id",), (*always, *fields), rows)


def tables() -> list[Table]:
    """Ten orders, most of them changed in the same second, ids in another order than times; one has nothing but the least."""
    staff = Table("user", "员工", ("openUserId",), (Field("openUserId", "text", "编号"), Field("name", "text", "姓名"), Field("mobile", "text", "手机")),
                  [(READER, "数据平台", "13800000001"), ("FSUID_1", "张敏", "13800000002"), ("FSUID_2", "李强", "13800000003")])  # fmt: skip
    made = "2026-09-30T16:30:00Z"
    accounts = [(f"5f3a{n:020x}", f"客户{n}", "FSUID_1", made, made, f"1390000000{n}") for n in range(2)]
    orders = []
    for n in range(10):
        changed = "2026-10-05T08:00:00Z" if n % 3 else f"2026-10-0{9 - n // 2}T08:00:00Z"
        sparse = n == 4
        orders.append(
            (f"60{n * 7919 % 10}b{n:021x}", f"20261001-{n:06}", f"FSUID_{n % 2 + 1}", made, changed, accounts[n % 2][0],
             None if sparse else f"{n * 1000}.{n}0", None if sparse else "2026-10-01", None if sparse else "normal",
             bool(n % 2) * 1, None if sparse else json.dumps(["急单", "出口"], ensure_ascii=False))
        )  # fmt: skip
    lines = (
        Field("account_id", "text", "客户", refers="AccountObj"),
        Field("payment_amount", "decimal", "订单金额"),
        Field("order_date", "date", "下单日期"),
        Field("life_status", "choice", "生命状态", options=(("normal", "正常"), ("invalid", "作废"))),
        Field("urgent", "flag", "加急"),
        Field("tags", "list", "标签"),
    )
    visits = [(f"62aa{n:020x}", f"拜访{n}", "FSUID_2", made, made, n) for n in range(4)]
    return [
        staff,
        _object("AccountObj", "客户", (Field("tel", "text", "电话", personal=True),), accounts),
        _object("SalesOrderObj", "销售订单", lines, orders),
        _object("object_Vx1st__c", "拜访", (Field("field_m9TqR__c", "integer", "分钟"),), visits),
    ]


COLUMNS = {
    "id": {"from": "_id", "type": "text", "required": True},
    "order_no": {"from": "name", "type": "text", "required": True},
    "owner": {"from": "owner.0", "type": "text"},
    "account_name": {"from": "account_id__r", "type": "text"},
    "amount": {"from": "payment_amount", "type": "decimal(18, 2)"},
    "order_date": {"type": "date"},
    "life_status": {"type": "text"},
    "urgent": {"type": "boolean"},
    "modified_at": {"from": "last_modified_time", "type": "timestamptz", "required": True},
}


def document(url: str, **options: str) -> dict[str, Any]:
    order = {
        "title": {"zh": "销售订单", "en": "Orders"}, "grain": "one row per order", "object": "SalesOrderObj", "key": ["id"],
        "load": "incremental", "cursor": "modified_at", "deletes": "keys", "columns": COLUMNS,
    }  # fmt: skip
    visit = {
        "title": {"zh": "拜访", "en": "Visits"}, "grain": "one row per visit", "object": "object_Vx1st__c", "key": ["id"],
        "columns": {"id": COLUMNS["id"], "minutes": {"from": "field_m9TqR__c", "type": "integer"}},
    }  # fmt: skip
    said = {"app_id": SECRETS["app_id"], "app_secret": "env:FX_SECRET", "permanent_code": "env:FX_CODE"}
    return {
        "source": "fx", "title": {"zh": "纷享销客", "en": "Fxiaoke"}, "module": "sales", "owner": "sales", "connector": "fxiaoke",
        "connection": {"url": url, "options": {**said, **(options or {"open_user_id": READER})}}, "class": "L2",
        "schedule": {"cron": "0 2 * * *"}, "streams": {"sales_order": order, "visit": visit},
    }  # fmt: skip


def small(source: Source, root: Path) -> Pulls:
    # one at a time, so that the n-th call is the same in every run
    return Pulls(quick(source, concurrency=1), root)


@pytest.fixture
def emulator(tmp_path, monkeypatch):
    monkeypatch.setenv("FX_SECRET", SECRETS["app_secret"])
    monkeypatch.setenv("FX_CODE", SECRETS["permanent_code"])
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.001)
    write_store(tmp_path / "fx.sqlite", tables())
    made = Fxiaoke(Store(tmp_path / "fx.sqlite"), TENANT)
    with serving(made):
        yield made


@pytest.fixture
def fx(emulator, tmp_path) -> Pulls:
    return small(Source.model_validate(document(emulator.address)), tmp_path)


def assert_same(emulator: Fxiaoke, source: Pulls) -> None:
    """Every row as the store has it now."""
    accounts = {row["_id"]: row["name"] for row in emulator.store.rows("AccountObj")}
    orders = [
        {"id": row["_id"], "order_no": row["name"], "owner": row["owner"], "account_name": accounts[row["account_id"]],
         "amount": row["payment_amount"], "order_date": row["order_date"], "life_status": row["life_status"],
         "urgent": row["urgent"], "modified_at": row["last_modified_time"]}
        for row in emulator.store.rows("SalesOrderObj")
    ]  # fmt: skip
    visits = [
        {"id": row["_id"], "minutes": row["field_m9TqR__c"]} for row in emulator.store.rows("object_Vx1st__c")
    ]
    assert len(orders) > 5 and source.loaded("sales_order") == source.truth("sales_order", orders)
    assert len(visits) == 4 and source.loaded("visit") == source.truth("visit", visits)


def test_every_row_is_as_the_store_has_it(emulator, fx):
    took = fx.refresh()
    assert_same(emulator, fx)
    assert took["pages"] == 5 + 3  # 3, 3, 3, 1 and none; 3, 1 and none
    assert sum(call.path.endswith("/V2") for call in emulator.calls) == 1, "one token in a pull"
    landed = b"".join(path.read_bytes() for path in fx.landing.root.rglob("*") if path.is_file())
    assert not any(token.encode() in landed for token in (*emulator.tokens, *SECRETS.values()))


def test_changes_and_deletions_follow_with_few_rows(emulator, fx):
    fx.refresh()
    change = emulator.store.change
    assert change("delete from SalesOrderObj where name = '20261001-000002'") == 1
    assert change("update SalesOrderObj set payment_amount = '0.07', last_modified_time = ? where name = '20261001-000005'", (LAST,)) == 1  # fmt: skip
    emulator.calls.clear()
    fx.refresh()
    assert_same(emulator, fx)
    asked = [call.json["data"]["search_query_info"] for call in emulator.calls if "data/query" in call.path]
    rows = [item for item in asked if any(f["field_name"] == "last_modified_time" for f in item["filters"])]
    assert len(rows) == 2  # rows since the last change (one page and the empty one); the rest are keys
    fx.refresh()
    assert_same(emulator, fx)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(truncate_page=2, tables=["SalesOrderObj"]),  # its rows come with the next page
        Faults(truncate_page=2, tables=["object_Vx1st__c"]),  # nothing is left of it, so only the total tells
        Faults(truncate_page=6, tables=["SalesOrderObj"]),  # of the keys
        Faults(error_at=3),
        Faults(cut_body_at=2),
        Faults(throttle_every=3),
        Faults(expire_session_after=2),
        Faults(expire_session_every=3),
        Faults(slow=0.005),
        Faults(add_field="field_Ab1Cd__c"),
        Faults(clock_skew=86_400),
    ],
    ids=lambda item: "-".join(sorted(item.model_fields_set)),
)
def test_faults_that_can_be_survived_are(emulator, fx, faults):
    emulator.faults = faults
    fx.refresh()
    assert_same(emulator, fx)


def test_a_page_that_comes_again_is_noticed(emulator, fx):
    emulator.faults = Faults(repeat_page=1, tables=["SalesOrderObj"])
    assert "holds the same rows as a page before" in fx.refused("sales_order")
    fx.refresh()
    assert_same(emulator, fx)


@pytest.mark.parametrize(
    ("faults", "secret", "words"),
    [
        (Faults(), "sandbox-wrong-fx", "app_id, app_secret and permanent_code do not belong together"),
        (Faults(revoked=["SalesOrderObj"]), None, "没有对象SalesOrderObj的查看权限"),
        (Faults(quota=1), None, "今日接口调用次数已用完"),
        (Faults(throttle_every=1), None, "4 times in a row"),
        (Faults(error_always=True), None, "HTTP 500"),
        (Faults(expire_session_every=1), None, "even just after a new login"),
        (Faults(drift={"last_modified_time": "changed_time"}), None, "renamed?"),
    ],
    ids=["secret", "right", "quota", "rate", "down", "dead tokens", "drift"],
)
def test_what_cannot_be_survived_says_so(emulator, fx, monkeypatch, faults, secret, words):
    fx.refresh("visit")
    if secret:
        monkeypatch.setenv("FX_SECRET", secret)
    emulator.faults = faults
    if faults.expire_session_every:
        monkeypatch.setattr(emulator, "alive", lambda token: False)
    said = fx.refused("sales_order")
    assert words in said and "what was loaded before stays" in said and "sandbox-" not in said
    assert len(fx.loaded("visit")) == 4


def test_a_wrong_secret_is_sent_once(emulator, fx, monkeypatch):
    monkeypatch.setenv("FX_SECRET", "sandbox-wrong-fx")
    assert all(outcome.error for outcome in fx.outcomes().values())
    assert [call.path for call in emulator.calls] == ["/cgi/corpAccessToken/get/V2"]


def test_a_right_that_is_taken_away_stops_that_stream_alone(emulator, fx):
    emulator.faults = Faults(revoked=["SalesOrderObj"])
    told = fx.outcomes()
    assert told["sales_order"].error and told["visit"].error is None


def test_the_operator_sees_what_he_may(emulator, tmp_path):
    emulator.options |= {"sees": json.dumps({"FSUID_1": ["FSUID_1"]})}
    source = small(Source.model_validate(document(emulator.address, mobile="13800000002")), tmp_path)
    source.refresh("sales_order")
    assert {row["owner"] for row in source.loaded("sales_order").values()} == {"FSUID_1"}
    nobody = small(
        Source.model_validate(document(emulator.address, mobile="13899999999")), tmp_path / "other"
    )
    said = nobody.refused("sales_order")
    assert "no user has the number in connection.options.mobile" in said and "13899999999" not in said


@pytest.mark.parametrize("unsaid", [{}, {"describe_by": "data", "list_at": "top", "projection": "no"}], ids=["as others say", "as newer documents say"])  # fmt: skip
def test_a_draft_loads_every_row(emulator, tmp_path, unsaid):
    emulator.options |= unsaid
    options = {
        "app_id": SECRETS["app_id"],
        "app_secret": "env:FX_SECRET",
        "permanent_code": "env:FX_CODE",
        "open_user_id": READER,
    }
    wanted = VendorWanted("drafted", "fxiaoke", emulator.address, options)
    draft = draft_vendor(wanted, tmp_path / "state")
    source = small(Source.model_validate(from_yaml(draft.text)), tmp_path)
    assert draft.streams == 3
    visits = next(stream for stream in source.source.streams.values() if stream.object == "object_Vx1st__c")
    assert "__c" not in " ".join(visits.columns), "named by its title"
    assert source.source.streams["account_obj"].columns["tel"].sensitivity in {"L3", "L4"}
    source.refresh()
    tables = {stream.object: name for name, stream in source.source.streams.items()}
    for said, name in tables.items():
        columns = source.source.streams[name].columns
        assert said
        rows = []
        for row in emulator.store.rows(said):
            paths = {column: source.source.streams[name].source_column(column) for column in columns}
            rows.append({column: row[path.removesuffix(".0")] for column, path in paths.items()})
            for column, path in paths.items():
                if path == "tags" and row["tags"]:
                    rows[-1][column] = json.dumps(json.loads(row["tags"]), ensure_ascii=False, separators=(",", ":"))  # fmt: skip
        assert rows and source.loaded(name) == source.truth(name, rows)


# --- the emulator ---------------------------------------------------------------------------------


def asked(emulator: Fxiaoke, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(emulator.address + path, json=body, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_emulator_keeps_the_rules_of_the_sheet(emulator):
    login = {name: SECRETS[key] for name, key in (("appId", "app_id"), ("appSecret", "app_secret"), ("permanentCode", "permanent_code"))}  # fmt: skip
    token = asked(emulator, "/cgi/corpAccessToken/get/V2", login)
    assert (token["errorCode"], token["expiresIn"]) == (0, 7200)
    who = {"corpAccessToken": token["corpAccessToken"], "corpId": token["corpId"]}
    found = asked(emulator, "/cgi/user/getByMobile", {**who, "mobile": "13800000001"})
    who["currentOpenUserId"] = found["empList"][0]["openUserId"]

    def query(said: str = "SalesOrderObj", path: str = "", **info: Any) -> dict[str, Any]:
        info = {"offset": 0, "limit": 100, "filters": [], **info}
        data = {"dataObjectApiName": said, "search_query_info": info}
        return asked(emulator, path or "/cgi/crm/v2/data/query", {**who, "data": data})

    page = query(orders=[{"fieldName": "_id", "isAsc": True}])
    ids = [row["_id"] for row in page["data"]["dataList"]]
    assert (page["data"]["total"], len(ids), ids) == (10, 3, sorted(ids))  # `limit_max` is 3 here
    row = next(item for item in page["data"]["dataList"] if item["order_date"])
    assert row["order_date"] == 1790784000000  # 2026-10-01 00:00 in China
    assert row["payment_amount"].endswith("0") and isinstance(row["owner"], list)
    moment = 1000 * int(datetime(2026, 10, 5, 8, tzinfo=UTC).timestamp())
    since = {"field_name": "last_modified_time", "operator": "GTE", "field_values": [moment]}
    assert query(filters=[since])["data"]["total"] == 10
    assert query(filters=[{**since, "operator": "GT", "field_values": [str(moment)]}])["data"]["total"] == 3
    assert query(limit=101)["errorCode"] != 0 and query(offset=1)["errorCode"] != 0
    assert query(offset=10_002)["errorCode"] == 10013
    assert query(filters=[{**since, "field_values": []}])["errorCode"] != 0
    assert query(filters=[{**since, "field_name": "nothing"}])["errorCode"] != 0
    assert query("object_Vx1st__c")["errorCode"] != 0
    assert query("object_Vx1st__c", "/cgi/crm/custom/v2/data/query")["data"]["total"] == 4
    who["corpAccessToken"] = "other"
    assert query()["errorCode"] == 20016
