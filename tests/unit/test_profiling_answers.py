"""Recorded answers of several vendors, by hand from their documentation: what was planted is found."""

from __future__ import annotations

import json
import random

import pytest

from sources.contract import ContractError, Source
from tieout.ingest.errors import SourceError
from tieout.ingest.profiling import Found, Profile, documents, profile
from tieout.ingest.profiling.contract import draft_profile
from tieout.ingest.profiling.report import report
from tieout.strict import from_yaml


def written(folder, **files):
    paths = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        paths.append(path)
    return paths


def found(said: Profile, label: str) -> Found:
    return next(item for item in said.objects if item.one.label == label)


def drafted(said: Profile, name: str = "shop", door=None) -> Source:
    return Source.model_validate(from_yaml(draft_profile(said, name, door).text))


def fields(item: Found) -> dict:
    return {column.name: column for column in item.columns.values()}


def guesses(item: Found, name: str) -> dict[str, float]:
    return {guess.what: guess.confidence for guess in fields(item)[name].guesses}


def test_jiandaoyun_rows_subform_and_persons(tmp_path):
    rows = [
        {
            "_id": f"65b{i:021x}", "creator": {"_id": f"u{i % 3}", "name": "王芳", "departments": [3]}, "deleter": None,
            "createTime": "2026-01-05T02:11:09.000Z", "updateTime": f"2026-01-06T08:{i % 60:02}:00.000Z",
            "po_no": f"CG-2026-{i:04}", "amount": 12800.5 + i, "flowState": i % 2,
            "items": [{"_id": f"r{i}-{n}", "sku": f"M-{n:02}", "qty": 10 + n} for n in range(i % 3)],
        }
        for i in range(60)
    ]  # fmt: skip
    said = profile(written(tmp_path, purchase={"data": rows}))
    head, lines = found(said, "purchase"), found(said, "purchase_items")
    assert (head.one.records, head.one.rows, head.keys[0].columns) == (("data",), 60, (("_id",),))
    assert (lines.one.records, lines.one.rows) == (("items",), sum(i % 3 for i in range(60)))
    types = {name: column.type for name, column in fields(head).items()}
    assert types["createTime"] == "timestamptz" and types["creator.departments"] == "text"
    assert types["amount"].startswith("decimal")
    assert fields(head)["creator.name"].level == "L3" and fields(head)["creator.name"].codes == ()
    assert dict(fields(head)["flowState"].codes) == {"0": 30, "1": 30}
    assert head.cursors[0].what == "updateTime" and head.cursors[0].confidence > 0.9
    assert not fields(head)["deleter"].required and fields(head)["po_no"].required
    source = drafted(said)
    stream = source.streams["purchase_items"]
    assert stream.request.parent == "purchase" and stream.request.records == "items"
    assert set(stream.key) == {"id"}
    assert source.streams["purchase"].columns["creator_name"].sensitivity == "L3"
    assert "王芳" not in report(said)


def test_feishu_epochs_and_next_token(tmp_path):
    rows = [
        {"record_id": f"rec{i:05}", "fields": {"采购单号": [{"text": f"CG{i}", "type": "text"}], "金额(元)": 12800.5, "交期": 1767571200000},
         "created_time": 1767230000000 + i, "last_modified_time": 1767233600000 + i}
        for i in range(40)
    ]  # fmt: skip
    answer = {
        "code": 0,
        "msg": "success",
        "data": {"has_more": True, "page_token": "eVQr", "total": 812, "items": rows},
    }
    said = profile(written(tmp_path, bitable=answer))
    source = drafted(said)
    stream = source.streams["bitable"]
    assert stream.request.records == "data.items" and stream.request.total == "data.total"
    assert stream.request.paging.model_dump() | {} == {
        "kind": "cursor", "size": 100, "first": None, "next": "data.page_token", "more": "data.has_more"
    }  # fmt: skip
    assert stream.request.times.numbers == "ms"
    by_source = {stream.source_column(name): column for name, column in stream.columns.items()}
    assert by_source["fields.交期"].type == by_source["last_modified_time"].type == "timestamptz"
    assert by_source["fields.金额(元)"].currency == "CNY"
    assert source.http.errors.code == "code" and source.http.errors.ok == (0,)
    assert source.streams["bitable_cgdh"].request.parent == "bitable"


def test_sap_dates_links_and_rows_inside(tmp_path):
    rows = [
        {
            "__metadata": {"uri": f"https://h/A_PurchaseOrder('{4500000000 + i}')"}, "PurchaseOrder": str(4500000000 + i),
            "PurchaseOrderDate": "/Date(1767571200000)/", "LastChangeDateTime": "/Date(1767684600000+0000)/",
            "DocumentCurrency": "CNY" if i % 2 else "USD",
            "to_Item": {"results": [
                {"PurchaseOrder": str(4500000000 + i), "PurchaseOrderItem": str(10 * (n + 1)), "NetPriceAmount": "56.50"} for n in range(2)
            ]},
        }
        for i in range(30)
    ]  # fmt: skip
    answer = {"d": {"__count": "123", "results": rows, "__next": "https://h/A_PurchaseOrder?$skiptoken=1000"}}
    said = profile(written(tmp_path, A_PurchaseOrder=answer))
    head, lines = said.objects[0], said.objects[1]
    assert head.one.records == ("d", "results") and lines.one.records == ("to_Item", "results")
    assert head.keys[0].columns == (("PurchaseOrder",),)
    assert (
        fields(head)["PurchaseOrder"].type == "text"
    )  # digits, too many things would be lost by counting them
    assert fields(lines)["NetPriceAmount"].type.startswith("decimal")
    assert guesses(head, "DocumentCurrency")["currency codes"] >= 0.9
    source = drafted(said)
    request = source.streams["a_purchase_order"].request
    assert request.paging.kind == "next_link" and request.paging.next == "d.__next"
    assert request.total == "d.__count" and request.times.numbers == "ms"
    inner = next(stream for stream in source.streams.values() if stream.request.parent)
    assert inner.request.records == "to_Item.results"
    assert {inner.source_column(name) for name in inner.key} == {"parent.PurchaseOrder", "PurchaseOrderItem"}


def test_yonyou_pages_are_asked_as_the_answer_says_them(tmp_path):
    rows = [
        {"id": f"179000000000000{i:04}", "code": f"CG-2026-{i:04}", "vouchdate": "2026-01-10 00:00:00", "vendor_name": f"供应商{i}",
         "subQty": 10 + i, "unit_name": "件", "oriTaxUnitPrice": 56.5, "pubts": "2026-01-10 10:20:30"}
        for i in range(25)
    ]  # fmt: skip
    pages = [
        {"code": "200", "message": "操作成功", "data": {"pageIndex": n + 1, "pageSize": 100, "recordCount": 25, "pageCount": 2,
                                                     "recordList": rows[n * 15 : n * 15 + 15]}}
        for n in range(2)
    ]  # fmt: skip
    said = profile(written(tmp_path, po_1=pages[0], po_2=pages[1]))
    (item,) = said.objects
    assert (item.one.label, item.one.rows) == ("po", 25)
    assert fields(item)["id"].type == "text"  # 19 digits
    assert item.cursors[0].what == "pubts"
    stream = drafted(said).streams["po"]
    assert stream.request.params == {"pageIndex": "{page}", "pageSize": "{size}"}
    assert stream.request.paging.end == "total" and stream.request.total == "data.recordCount"


def test_jira_and_dingtalk_shapes(tmp_path):
    issues = [
        {"id": str(10001 + i), "key": f"SUPPLY-{i}", "fields": {
            "summary": "延误", "status": {"id": "3", "name": "In Progress"}, "created": "2026-01-05T10:00:00.000+0800",
            "duedate": "2026-01-31" if i % 2 else None, "customfield_10016": 3.0}}
        for i in range(20)
    ]  # fmt: skip
    tasks = {"success": True, "result": {
        "title": "采购申请", "businessId": "202601051000000001", "status": "COMPLETED", "createTime": "2026-01-05T10:00Z",
        "originatorUserId": "u1", "tasks": [{"taskId": i, "userId": "u2", "createTime": "2026-01-05T10:00Z"} for i in range(3)]}}  # fmt: skip
    said = profile(
        written(tmp_path, issues={"isLast": False, "nextPageToken": "CAEa", "issues": issues}, approval=tasks)
    )
    jira, flow, inner = found(said, "issues"), found(said, "approval"), found(said, "approval_tasks")
    assert {"id", "key"} <= {key.columns[0][0] for key in jira.keys if len(key.columns) == 1}
    assert (
        fields(jira)["fields.created"].type == "timestamptz" and fields(jira)["fields.duedate"].type == "date"
    )
    assert jira.paging["last"][1].what == "isLast"
    # An object with values of its own is the row, and the list in it belongs to it.
    assert (flow.one.records, flow.one.rows, inner.one.rows) == (("result",), 1, 3)
    source = drafted(said)
    assert source.streams["approval"].request.times.minutes
    assert source.streams["issues"].request.params == {"pageToken": "{cursor}"}


def test_pointers_need_more_than_small_numbers(tmp_path):
    chance = random.Random(4)
    customers = [{"id": i, "customer_no": f"C{i * 37:05}", "level": i % 3} for i in range(1, 201)]
    orders = [
        {"order_no": f"SO{i:06}", "buyer": f"C{chance.randint(1, 200) * 37:05}", "customer_id": chance.randint(1, 200),
         "qty": chance.randint(1, 150), "score": chance.randint(1, 200), "seconds": chance.randint(1, 200)}
        for i in range(400)
    ]  # fmt: skip
    orders[0]["buyer"] = "C99999"  # one that is gone: 0.95 is enough
    said = profile(written(tmp_path, customers={"rows": customers}, orders={"rows": orders}))
    pointing = {(p.column, p.target.label, p.key): p.guess for p in said.pointers}
    assert set(pointing) == {
        (("buyer",), "customers", ("customer_no",)),
        (("customer_id",), "customers", ("id",)),
    }
    assert "the names agree" in pointing[(("customer_id",), "customers", ("id",))].reason


def test_a_tree_points_at_itself(tmp_path):
    rows = [{"dept_id": 1000 + i * 7, "parent_id": 1000 + i // 3 * 7 if i else 0} for i in range(60)]
    said = profile(written(tmp_path, dept={"result": rows}))
    assert [(p.column, p.key) for p in said.pointers] == [(("parent_id",), ("dept_id",))]


def test_units_currency_tax_and_fen(tmp_path):
    rows = [
        {"no": f"P{i}", "重量(kg)": 1.5 + i, "length_mm": 20 + i, "含税金额": 113.0 + i, "不含税金额（万元）": 100.25, "amount_usd": 9.5,
         "total_fee": 12345 + i, "装箱": f"{i + 1}件", "占比": f"{i}.5%", "报价": f"¥{i + 1},000.00", "price": 1000 * (i + 1)}
        for i in range(30)
    ]  # fmt: skip
    (item,) = profile(written(tmp_path, parts=rows)).objects
    columns = fields(item)
    assert columns["重量(kg)"].unit == "kg" and columns["length_mm"].unit == "mm"
    assert (columns["含税金额"].tax, columns["不含税金额（万元）"].tax) == ("included", "excluded")
    assert (
        columns["不含税金额（万元）"].unit == "10k yuan" and columns["不含税金额（万元）"].currency == "CNY"
    )
    assert columns["amount_usd"].currency == "USD"
    assert (columns["total_fee"].unit, columns["total_fee"].type) == ("fen", "bigint")
    assert guesses(item, "price")["amount in fen"] < 0.5 and columns["price"].unit is None
    assert (
        guesses(item, "装箱")["unit in the values"] == 0.9
        and guesses(item, "占比")["unit in the values"] == 0.9
    )
    assert guesses(item, "报价")["currency in the values"] == 0.9


def test_times_in_other_guises(tmp_path):
    rows = [
        {"id": f"a{i}", "start_time": 1767571200 + i, "ref_no": 1767571200 + i, "交货日期": f"2026年1月{i + 1}日", "bill_date": 20260101 + i,
         "due": f"{i + 1:02}/02/2026", "odd_day": f"{i + 1:02}/01/2026" if i < 12 else "05/01/2026", "mostly": "2026-01-05" if i else "待定"}
        for i in range(20)
    ]  # fmt: skip
    (item,) = profile(written(tmp_path, plan=rows)).objects
    columns = fields(item)
    assert (columns["start_time"].type, columns["start_time"].numbers) == ("timestamptz", "s")
    assert columns["ref_no"].type == "bigint"  # a number of ours, though it could be a time
    assert columns["交货日期"].best == columns["bill_date"].best == columns["due"].best == "local date"
    reasons = {name: column.guesses[0].reason for name, column in columns.items() if column.guesses}
    assert (
        "%d/%m/%Y" in reasons["due"]
        and "%m" in reasons["due"]
        and "or" not in reasons["due"].split("as")[1].split(";")[0]
    )
    assert "%d/%m/%Y or %m/%d/%Y" in reasons["odd_day"]
    assert (columns["mostly"].type, columns["mostly"].best, columns["mostly"].fits) == ("text", "date", 0.95)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-01-05", "date"), ("2026/1/5", "date"), ("2026-01-05 10:00", "timestamp"), ("2026/1/5 9:05:00", "timestamp"),
        ("2026-01-05T10:00:00.123", "timestamp"), ("2026-01-05T10:00:00Z", "timestamptz"), ("2026-01-05 10:00:00+08:00", "timestamptz"),
        ("2026-01-05T10:00:00.5+0800", "timestamptz"), ("9:05", "time"), ("23:59:59", "time"),
        ("2026年1月5日", None), ("05.01.2026", None), ("2026.01.05", None), ("5-Jan-26", None), ("20260105", None),
        ("٢٠٢٦-01-05", None), ("1,234.5", None), ("12 kg", None),
    ],
)  # fmt: skip
def test_a_type_is_proposed_if_the_loader_casts_it(tmp_path, text, kind):
    """DuckDB is the witness: what gets a type casts to it, and what would not cast stays text."""
    import duckdb

    (item,) = profile(written(tmp_path, x=[{"id": i, "bill_date": text} for i in range(3)])).objects
    assert fields(item)["bill_date"].type == (kind or "text")
    for tried in [kind] if kind else ["date", "timestamp", "decimal(18, 4)"]:
        value = duckdb.execute(f"select try_cast(?::varchar as {tried})", [text]).fetchone()[0]
        assert (value is not None) == (kind is not None) or (text == "20260105" and tried.startswith("dec"))


def test_a_key_of_two_columns(tmp_path):
    rows = [{"order_no": f"SO{i // 4}", "line_no": i % 4, "amount": i + 0.5, "note": "x"} for i in range(80)]
    (item,) = profile(written(tmp_path, lines={"list": rows})).objects
    assert item.keys[0].columns == (("order_no",), ("line_no",))
    assert item.keys[0].guess.confidence >= 0.6


def test_what_is_seen_of_a_large_file_is_its_beginning_and_its_end(tmp_path, monkeypatch):
    rows = [{"id": i, "name": f'n{i} ]}} "', "lines": [{"n": k} for k in range(3)]} for i in range(500)]
    (path,) = written(tmp_path, much={"code": 0, "data": {"items": rows}, "total": 500})
    monkeypatch.setattr(documents, "LARGEST", path.stat().st_size // 2)
    (item, inner) = profile([path]).objects
    assert 200 < item.one.rows < 260 and not item.one.whole
    assert inner.one.rows == 3 * item.one.rows  # no row was cut in the middle
    assert item.paging["total"][1].what == "total"
    assert "样本 sample" in report(profile([path]))


def test_rows_beyond_the_sample_are_counted_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tieout.ingest.profiling.gathered.SAMPLE", 50)
    (item,) = profile(written(tmp_path, much=[{"id": i} for i in range(200)])).objects
    assert (item.one.rows, item.one.seen, item.one.whole) == (50, 200, False)


def test_an_object_in_some_rows_and_a_value_in_others_stays_text(tmp_path):
    rows = [{"id": i, "a": {"b": 1} if i % 2 else "x", "php": {"c": 1} if i % 2 else []} for i in range(6)]
    (item,) = profile(written(tmp_path, odd=rows)).objects
    assert set(fields(item)) == {"id", "a", "php.c"}
    assert any("an object in some rows" in note for note in item.one.notes)


def test_lists_of_lists_keys_that_are_data_and_logins_are_told(tmp_path):
    keyed = {str(i): {"name": "x", "qty": i} for i in range(10)}
    said = profile(
        written(tmp_path, table=[["a", 1], ["b", 2]], keyed={"data": keyed}, login={"code": 0, "access_token": "SECRET", "expire": 7200})
    )  # fmt: skip
    assert said.objects == ()
    told = " ".join(said.notes)
    assert "are lists" in told and "keys are data" in told and "SECRET" not in told
    with pytest.raises(SourceError, match="Nothing was drafted"):
        draft_profile(said, "shop")


def test_json_may_come_as_a_file_of_a_drop(tmp_path):
    rows = [{"id": i, "who": {"name": "x"}, "lines": [{"n": 1}], "made_at": 1767571200 + i} for i in range(5)]
    said = profile(written(tmp_path, orders={"data": {"list": rows}}))
    source = drafted(said, door="files")
    stream = source.streams["orders"]
    assert (stream.format.kind, stream.format.records) == ("json", "data.list")
    assert {name: column.type for name, column in stream.columns.items()} == {
        "id": "bigint", "who": "text", "lines": "text", "made_at": "bigint"
    }  # fmt: skip


def test_names_that_are_none_are_refused(tmp_path):
    said = profile(written(tmp_path, orders=[{"id": 1}, {"id": 2}]))
    with pytest.raises(ContractError, match="lower-case ASCII"):
        draft_profile(said, "My Shop: x")
