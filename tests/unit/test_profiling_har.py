"""A browser's network log: requests become streams, and no secret of the log is printed or written."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from sources.contract import Source
from tests.http_server import Puller, running
from tieout.ingest.profiling import profile
from tieout.ingest.profiling.contract import draft_profile
from tieout.ingest.profiling.har import is_opaque, may_be_written
from tieout.ingest.profiling.report import report
from tieout.strict import from_yaml

HEADERS = [
    ("Authorization", "Bearer SECRET-bearer-0123456789"), ("Cookie", "sid=SECRET-cookie"), ("X-Access-Token", "SECRET-header")
]  # fmt: skip


def entry(method, url, answer, query=(), body=None, form=None, mime="application/json", plain=True):
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    content = {"mimeType": mime, "text": text}
    if not plain:
        content |= {"text": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    pairs = [{"name": name, "value": value} for name, value in query]
    request = {
        "method": method,
        "url": url,
        "queryString": pairs,
        "headers": [{"name": n, "value": v} for n, v in HEADERS],
    }
    if body is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(body)}
    if form is not None:
        request["postData"] = {
            "mimeType": "application/x-www-form-urlencoded",
            "params": [{"name": n, "value": v} for n, v in form],
        }
    return {"request": request, "response": {"status": 200, "content": content}}


def page(number):
    rows = [{"waybillNo": f"YD{number}{i}", "weight": 1.5 * i, "phone": f"1390000000{i}"} for i in range(3)]
    return {"success": True, "result": {"totalCount": 6, "pageNo": number, "list": rows}}


def log(tmp_path, host="https://tms.example.cn"):
    entries = [
        entry("POST", f"{host}/login", {"code": 0, "access_token": "SECRET-token", "expires_in": 7200}, body={"password": "SECRET-pass"}),
        entry("OPTIONS", f"{host}/api/waybill/page", {"a": 1}),
        *(
            entry(
                "POST", f"{host}/api/waybill/page?sign=SECRET-sign{n}&org=001", page(n), [("sign", f"SECRET-sign{n}"), ("org", "001")],
                {"pageNo": n, "pageSize": 3, "phone": "13800001111", "day": f"2026-01-0{n}", "filter": {"type": "OUT", "token": "SECRET-deep"}},
            )
            for n in (1, 2, 1)
        ),
        entry("GET", f"{host}/hook/9fK2sLq0PzX81mNvSECRET/carriers?page=0&size=50", {"rows": [{"id": i, "name": f"c{i}"} for i in range(4)], "total": 4},
              [("page", "0"), ("size", "50")], plain=False),
        entry("POST", f"{host}/stock", {"data": [{"sku": f"M{i}", "qty": i} for i in range(4)], "next_cursor": "SECRET-next"},
              form=[("cursor", "SECRET-cursor"), ("warehouse", "WH1")]),
        entry("GET", "https://cdn.example.cn/other", {"list": [{"k": 1}]}),
        entry("GET", f"{host}/index.html", "<html></html>", mime="text/html"),
        {"request": {}, "response": {}},
    ]  # fmt: skip
    path = tmp_path / "tms.har"
    path.write_text(json.dumps({"log": {"entries": entries}}), encoding="utf-8")
    return path


def test_requests_become_streams_without_their_secrets(tmp_path):
    said = profile([log(tmp_path)])
    made = draft_profile(said, "tms")
    everything = made.text + report(said) + " ".join(made.notes)
    assert "SECRET" not in everything and "13800001111" not in everything and "13900000000" not in everything
    source = Source.model_validate(from_yaml(made.text))
    assert source.connection.url == "https://tms.example.cn"
    assert source.http.auth.kind == "bearer" and source.http.auth.token == "env:TMS_TOKEN"
    assert source.http.errors.success == "success"
    waybill = source.streams["waybill"]
    assert (waybill.origin, waybill.request.method) == ("/api/waybill/page", "post")
    assert waybill.request.params == {"org": "001"}
    assert waybill.request.body == {"pageNo": "{page}", "pageSize": "{size}", "filter": {"type": "OUT"}}
    assert (waybill.request.paging.size, waybill.request.paging.end) == (3, "total")
    assert "day, which differs between recordings" in made.text and "parameter sign" in made.text
    carriers = source.streams["carriers"]
    assert carriers.origin == "/hook/{options.segment_1}/carriers"
    assert source.connection.options == {"segment_1": "env:TMS_SEGMENT_1"}
    assert carriers.request.paging.first == 0
    stock = source.streams["stock"]
    assert stock.request.form == {"cursor": "{cursor}", "warehouse": "WH1"}
    assert "cdn.example.cn" in " ".join(made.notes)
    # A page that was opened twice counts once.
    (found,) = [item for item in said.objects if item.one.label == "waybill"]
    assert found.one.rows == 6 and found.keys[0].columns == (("waybillNo",),)


def test_the_draft_of_a_recording_pulls_every_page(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "a-token-of-this-test")
    monkeypatch.setenv("SHOP_SEGMENT_1", "hook")
    with running() as system:
        system.on("/api/waybill/page", lambda asked: page(asked.body["pageNo"]))
        path = log(tmp_path, system.url.removesuffix("/api"))
        text = draft_profile(profile([path]), "shop").text
        source = Source.model_validate(from_yaml(text))
        puller = Puller(source, tmp_path)
        outcome = puller.pull()
        assert outcome["waybill"].error is None, outcome["waybill"].error
        assert [row["waybillNo"] for row in puller.rows("waybill")] == [
            "YD10",
            "YD11",
            "YD12",
            "YD20",
            "YD21",
            "YD22",
        ]
        sent = [asked.headers for asked in system.asked("/api/waybill/page")]
        assert all("a-token-of-this-test" in headers.get("Authorization", "") for headers in sent)


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=40, max_size=80))
def test_long_random_texts_are_never_written(text):
    assert is_opaque(text) and not may_be_written("id", text)


def test_ids_of_objects_are_no_secrets_and_names_of_secrets_are():
    assert may_be_written("app", "65a0000000000000000000a1") and may_be_written("form", "SAL_SaleOrder")
    assert (
        not may_be_written("access_token", "abc")
        and not may_be_written("Sign", "1")
        and not may_be_written("mail", "a@b.cn")
    )
