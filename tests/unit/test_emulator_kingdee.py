"""The 金蝶云星空 emulator against its sheet: the vectors, the ways in, the query language, errors with HTTP 200."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.kingdee import AUTH, DATA_CENTERS, DYNAMIC_FORM, Kingdee
from sandbox.emulators.kingdee.logins import client_secret, signature, signed
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

ORDERS = Table(
    "SAL_SaleOrder",
    "销售订单",
    ("FSaleOrderEntry_FEntryID",),
    (
        Field("FID", "integer", "内码"),
        Field("FBillNo", "text", "单据编号", required=True),
        Field("FDate", "date", "日期"),
        Field("FModifyDate", "instant", "修改日期"),
        Field("FDocumentStatus", "choice", "单据状态", (("A", "创建"), ("C", "已审核"))),
        Field("FCustId.FNumber", "text", "客户", refers="BD_Customer"),
        Field("FNote", "text", "备注"),
        Field("FSaleOrderEntry_FEntryID", "integer", "分录内码"),
        Field("FSaleOrderEntry_FSEQ", "integer", "行号"),
        Field("FQty", "decimal", "数量"),
        Field("FIsFree", "flag", "是否赠品"),
    ),
    (
        (1, "XS-1", "2026-01-05", "2026-01-05T02:11:09Z", "C", "KH-1", "", 11, 1, "10.500", 0),
        (1, "XS-1", "2026-01-05", "2026-01-05T02:11:09Z", "C", "KH-1", "", 12, 2, "9.25", 1),
        (2, "XS-2", "2026-02-01", "2026-01-31T16:00:00Z", "A", None, "O'Neil 的单", 21, 1, "100", 0),
        (
            3,
            "XS-3",
            "2026-02-03",
            "2026-02-03T09:00:00Z",
            "C",
            "KH-2",
            None,
            31,
            1,
            "12345678901234567.89",
            None,
        ),
        (3, "XS-3", "2026-02-03", "2026-02-03T09:00:00Z", "C", "KH-2", None, 32, 2, "-1", 0),
    ),
)
OPTIONS = {
    "acct_id": "0123456789abcdef",
    "user": "demo",
    "password": "demoPassword",
    "app_id": "350000_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u",
    "app_secret": "demoAppSecret",
    "name": "华辰",
}
NOW = 1767225600
# what SDK 8.2.0 of the vendor sends for ExecuteBillQuery at this moment (sheet, section 2)
SDK_HEADERS = {
    "X-Api-ClientID": "350000",
    "X-Api-Auth-Version": "2.0",
    "x-api-timestamp": "1767225600",
    "x-api-nonce": "1767225600",
    "x-api-signheaders": "x-api-timestamp,x-api-nonce",
    "X-Api-Signature": "YWUzZTEwMzQyYWRhYWY1OTc0MDI5ZWViYTIxMzM3NDVlZjg3MDY4NDZlYWNlYzQ0ZWY1MjM2YzBlZmZhMmVhOQ==",
    "X-Kd-Appkey": OPTIONS["app_id"],
    "X-Kd-Appdata": "MDEyMzQ1Njc4OWFiY2RlZixkZW1vLDIwNTIsMA==",
    "X-Kd-Signature": "Yzg4MjhiMmNmZDJkMmNkY2VmOTJmYzVmN2Y1ODg5YWYyMjI1NGYxZWFjNTk2ZDAyNDU4MGNmMWQ5OTY2N2UzNA==",
}
QUERY = {
    "FormId": "SAL_SaleOrder",
    "FieldKeys": "FSaleOrderEntry_FEntryID",
    "OrderString": "FSaleOrderEntry_FEntryID",
}


@pytest.fixture
def kingdee(tmp_path: Path):
    write_store(tmp_path / "erp.sqlite", [ORDERS])
    emulator = Kingdee(Store(tmp_path / "erp.sqlite"), OPTIONS, clock=lambda: NOW)
    with serving(emulator):
        yield emulator


def post(
    emulator: Kingdee, service: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, str, Any]:
    """Status, text and headers of an answer."""
    line = http.client.HTTPConnection(emulator.address.removeprefix("http://"), timeout=5)
    try:
        said = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        line.request("POST", f"/k3cloud/{service}.common.kdsvc", said, headers or {})
        answer = line.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        line.close()


def log_in(emulator: Kingdee, method: str, *given: Any) -> Any:
    status, text, _ = post(emulator, AUTH + method, {"parameters": [*given, 2052]})
    return json.loads(text) if status == 200 else status


def asked(emulator: Kingdee, service: str = "BillQuery", **data: Any) -> Any:
    """A query with a session of its own."""
    token = emulator.issue(60)
    status, text, _ = post(
        emulator, DYNAMIC_FORM + service, {"data": QUERY | data}, {"kdservice-sessionid": token}
    )
    assert status == 200
    return json.loads(text)


def entries(emulator: Kingdee, filter_string: str) -> list[int]:
    return [row["FSaleOrderEntry_FEntryID"] for row in asked(emulator, FilterString=filter_string)]


def failure(answer: Any) -> tuple[int, str]:
    status = answer["Result"]["ResponseStatus"]
    assert status["IsSuccess"] is False
    return status["MsgCode"], status["Errors"][0]["Message"]


# --- ways in -----------------------------------------------------------------------------------------


def test_the_sign_of_the_sheet():
    assert (
        signed(["0123456789abcdef", "demo", "350000_demoAppId", "demoAppSecret", "1767225600"])
        == "defe81f2f51930ea756b9a54d5a24a98df276251e3dd349ed7b5d23704f21ffd"
    )


def test_a_signed_login(kingdee):
    account, user, app, secret = (OPTIONS[name] for name in ("acct_id", "user", "app_id", "app_secret"))
    sign = signed([account, user, app, secret, str(NOW)])
    answer = log_in(kingdee, "LoginBySign", account, user, app, NOW, sign)
    assert (answer["LoginResultType"], answer["IsSuccessByAPI"], answer["Context"]["DataCenterName"]) == (
        1,
        True,
        "华辰",
    )
    assert answer["KDSVCSessionId"] in kingdee.tokens
    assert log_in(kingdee, "LoginBySign", account, user, app, NOW, "0" * 64)["LoginResultType"] == 0
    assert log_in(kingdee, "LoginBySign", account, user, app, NOW + 1, sign)["LoginResultType"] == 0
    kingdee.faults = Faults(clock_skew=301)
    assert "时间戳" in log_in(kingdee, "LoginBySign", account, user, app, NOW, sign)["Message"]


def test_the_two_old_logins(kingdee):
    account, user, app, secret = (OPTIONS[name] for name in ("acct_id", "user", "app_id", "app_secret"))
    assert log_in(kingdee, "LoginByAppSecret", account, user, app, secret)["LoginResultType"] == 1
    assert log_in(kingdee, "LoginByAppSecret", account, user, app, "wrong")["LoginResultType"] == 0
    assert log_in(kingdee, "ValidateUser", account, user, "demoPassword")["LoginResultType"] == 1
    assert log_in(kingdee, "ValidateUser", account, user, "wrong")["LoginResultType"] == 0


def test_another_data_center_is_not_answered_with_200(kingdee):
    assert log_in(kingdee, "ValidateUser", "ffff", "demo", "demoPassword") == 500
    other = SDK_HEADERS | {"X-Kd-Appdata": base64.b64encode(b"ffff,demo,2052,0").decode()}
    assert post(kingdee, DYNAMIC_FORM + "ExecuteBillQuery", {"data": QUERY}, other)[0] == 500


def test_a_session_comes_back_as_cookie_or_header_and_ends_at_logout(kingdee):
    body = {"parameters": [OPTIONS["acct_id"], "demo", "demoPassword", 2052]}
    _, text, headers = post(kingdee, AUTH + "ValidateUser", body)
    session = json.loads(text)["KDSVCSessionId"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert cookie == f"kdservice-sessionid={session}"

    def rows(how: dict[str, str]) -> Any:
        return json.loads(post(kingdee, DYNAMIC_FORM + "BillQuery", {"data": QUERY}, how)[1])

    assert (
        len(rows({"Cookie": f"Theme=standard;{cookie}"})) == len(rows({"kdservice-sessionid": session})) == 5
    )
    assert failure(rows({}))[0] == 1
    post(kingdee, AUTH + "Logout", {}, {"kdservice-sessionid": session})
    assert failure(rows({"kdservice-sessionid": session})) == (1, "会话信息已丢失,请重新登录")


def test_a_session_expires_in_the_middle(kingdee):
    session = kingdee.issue(1200)
    kingdee.faults = Faults(expire_session_after=2)
    seen = [
        json.loads(
            post(
                kingdee, DYNAMIC_FORM + "ExecuteBillQuery", {"data": QUERY}, {"kdservice-sessionid": session}
            )[1]
        )
        for _ in range(3)
    ]
    assert len(seen[0]) == len(seen[1]) == 5
    assert failure(seen[2][0][0])[0] == 1


def test_the_headers_of_the_vendors_sdk_are_let_in(kingdee):
    def code(headers: dict[str, str], service: str = "ExecuteBillQuery") -> int:
        answer = json.loads(post(kingdee, DYNAMIC_FORM + service, {"data": QUERY}, headers)[1])
        if isinstance(answer, list) and len(answer) == 5:
            return 0
        return failure(answer[0][0] if isinstance(answer, list) else answer)[0]

    assert code(SDK_HEADERS) == 0
    for name in ("X-Api-Signature", "X-Kd-Signature", "X-Api-ClientID", "X-Kd-Appkey", "X-Api-Auth-Version"):
        assert code(SDK_HEADERS | {name: "A" + SDK_HEADERS[name][1:]}) == 1, name
    other_user = base64.b64encode(f"{OPTIONS['acct_id']},other,2052,0".encode()).decode()
    assert code(SDK_HEADERS | {"X-Kd-Appdata": other_user}) == 1
    # another user, or another app, signed with this tenant's secret: the names count, not only the signature
    for app, user in ((OPTIONS["app_id"], "other"), ("350000_other", "demo")):
        account = f"{OPTIONS['acct_id']},{user},2052,0"
        named = {"X-Kd-Appkey": app, "X-Kd-Appdata": base64.b64encode(account.encode()).decode()}
        named["X-Kd-Signature"] = signature(app + account, OPTIONS["app_secret"].encode())
        assert code(SDK_HEADERS | named) == 1
    # signed for another path, at another time
    assert code(SDK_HEADERS, "BillQuery") == 1
    kingdee.faults = Faults(clock_skew=3600)
    assert code(SDK_HEADERS) == 1


def test_the_signatures_of_the_sheet():
    service = "%2Fk3cloud%2FKingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc"
    text = f"POST\n{service}\n\nx-api-nonce:1767225600\nx-api-timestamp:1767225600\n"
    assert (
        signature(text, client_secret("MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u")) == SDK_HEADERS["X-Api-Signature"]
    )


# --- queries -----------------------------------------------------------------------------------------


def test_values_are_written_as_this_system_writes_them(kingdee):
    keys = "FBillNo,FDate,FModifyDate,FDocumentStatus,FCustId.FNumber,FNote,FQty,FIsFree"
    _, text, _ = post(
        kingdee,
        DYNAMIC_FORM + "ExecuteBillQuery",
        {"data": QUERY | {"FieldKeys": keys}},
        {"kdservice-sessionid": kingdee.issue(60)},
    )
    assert json.loads(text, parse_float=str, parse_int=str) == [
        ["XS-1", "2026-01-05T00:00:00", "2026-01-05T10:11:09", "C", "KH-1", " ", "10.500", False],
        ["XS-1", "2026-01-05T00:00:00", "2026-01-05T10:11:09", "C", "KH-1", " ", "9.25", True],
        ["XS-2", "2026-02-01T00:00:00", "2026-02-01T00:00:00", "A", None, "O'Neil 的单", "100", False],
        [
            "XS-3",
            "2026-02-03T00:00:00",
            "2026-02-03T17:00:00",
            "C",
            "KH-2",
            " ",
            "12345678901234567.89",
            None,
        ],
        ["XS-3", "2026-02-03T00:00:00", "2026-02-03T17:00:00", "C", "KH-2", " ", "-1", False],
    ]
    assert list(asked(kingdee, FieldKeys=" FQty , FBillNo ")[0]) == ["FQty", "FBillNo"]


def test_a_reference_without_its_number_is_an_internal_id(kingdee):
    ids = [row["FCustId"] for row in asked(kingdee, FieldKeys="FCustId")]
    assert ids[0] == ids[1] != ids[3] and ids[2] == 0 and all(isinstance(number, int) for number in ids)


def test_the_body_may_come_in_four_shapes(kingdee):
    def rows(body: Any, **headers: str) -> int:
        said = {"kdservice-sessionid": kingdee.issue(60)} | headers
        return len(json.loads(post(kingdee, DYNAMIC_FORM + "ExecuteBillQuery", body, said)[1]))

    form = urlencode({"data": json.dumps(QUERY)})
    assert rows({"data": QUERY}) == rows({"data": json.dumps(QUERY)}) == 5
    assert rows({"parameters": [QUERY]}) == rows({"parameters": [json.dumps(QUERY)]}) == 5
    assert rows(form, **{"Content-Type": "application/x-www-form-urlencoded"}) == 5


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", [11, 12, 21, 31, 32]),
        ("FDocumentStatus = 'C' and FQty < 10", [12, 32]),
        ("FBillNo = 'XS-1' or FBillNo='XS-2' and FQty > 1000", [11, 12]),
        ("(FBillNo = 'XS-1' OR FBillNo='XS-2') AND FQty >= 10.5", [11, 21]),
        ("FNote = 'O''Neil 的单'", [21]),
        ("FNote = ' '", [11, 12, 31, 32]),
        ("FNote like 'o''%'", [21]),
        ("FBillNo not like '%1'", [21, 31, 32]),
        ("FBillNo in ('XS-1','XS-3') and FSaleOrderEntry_FSEQ in (2)", [12, 32]),
        ("FSaleOrderEntry_FEntryID not in (11, 12, 21)", [31, 32]),
        ("FCustId.FNumber is null", [21]),
        ("FCustId.FNumber is not null and FDate<>'2026-01-05'", [31, 32]),
        ("FIsFree = 1", [12]),
        ("FDate >= '2026-02-01' and FDate < '2026-02-03'", [21]),
        # midnight of 1 February in China is still January in UTC
        ("FModifyDate >= '2026-02-01 00:00:00'", [21, 31, 32]),
        ("FModifyDate > '2026-02-01 00:00:00'", [31, 32]),
        ("FModifyDate <= '2026-01-05T10:11:09'", [11, 12]),
        ("FQty = -1", [32]),
    ],
)
def test_the_filter_language(kingdee, text, want):
    assert entries(kingdee, text) == want


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FNobody = 1", 9),
        ("FQty = ", 6),
        ("FQty = 1 FQty", 6),
        ("FQty like", 6),
        ("(FQty = 1", 6),
        ("1 = 1", 6),
        ("FQty = FQty", 6),
        ("FDate > 'soon'", 6),
        ("FBillNo = 'x'; drop table SAL_SaleOrder", 6),
    ],
)
def test_a_filter_that_cannot_be_read_is_an_error(kingdee, text, code):
    assert failure(asked(kingdee, FilterString=text))[0] == code


def test_pages(kingdee):
    def numbers(**window: Any) -> list[int]:
        return [row["FSaleOrderEntry_FEntryID"] for row in asked(kingdee, **window)]

    assert numbers(StartRow=0, Limit=2) + numbers(StartRow=2, Limit=2) + numbers(StartRow=4, Limit=2) == [
        11,
        12,
        21,
        31,
        32,
    ]
    assert numbers(OrderString="FQty desc,FSaleOrderEntry_FEntryID") == [31, 21, 11, 12, 32]
    # TopRowCount is the absolute last row
    assert numbers(StartRow=2, Limit=2, TopRowCount=3) == [21]
    # an order that does not tell rows apart lets pages overlap
    assert numbers(OrderString="FBillNo", StartRow=0, Limit=1) + numbers(
        OrderString="FBillNo", StartRow=1, Limit=1
    ) == [11, 11]


def test_the_most_a_page_may_hold(kingdee):
    kingdee.options["limit_max"] = "3"
    assert len(asked(kingdee, Limit=5)) == len(asked(kingdee)) == len(asked(kingdee, Limit=3)) == 3
    kingdee.options["over_limit"] = "refuse"
    assert failure(asked(kingdee, Limit=5))[0] == 8


def test_field_keys_in_another_case(kingdee):
    assert failure(asked(kingdee, FieldKeys="fbillno")) == (9, "字段fbillno不存在")
    kingdee.options["any_case"] = "1"
    row = asked(kingdee, FieldKeys="fbillno,FQTY", FilterString="fqty = 100", OrderString="fqty")[0]
    assert row == {"fbillno": "XS-2", "FQTY": 100}


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        ({"FormId": ""}, 5),
        ({"FormId": "SAL_Nothing"}, 4),
        ({"FieldKeys": ""}, 8),
        ({"FieldKeys": "FBillNo,FNobody"}, 9),
        ({"OrderString": "FNobody"}, 6),
    ],
)
def test_errors_come_with_200_and_in_the_shape_of_the_call(kingdee, ask, code):
    assert failure(asked(kingdee, **ask))[0] == code
    assert failure(asked(kingdee, "ExecuteBillQuery", **ask)[0][0])[0] == code


def test_rights_rates_and_licences(kingdee):
    kingdee.faults = Faults(revoked=["SAL_SaleOrder"])
    assert failure(asked(kingdee)) == (2, "没有“销售订单”的“查看”权限")
    kingdee.faults = Faults(throttle_every=2)
    assert len(asked(kingdee)) == 5
    assert failure(asked(kingdee))[0] == 14
    kingdee.faults = Faults(quota=0)
    assert failure(asked(kingdee, "ExecuteBillQuery")[0][0])[0] == 7


def test_page_faults_reach_both_shapes(kingdee):
    kingdee.faults = Faults(truncate_page=1)
    assert len(asked(kingdee)) == 4
    kingdee.faults = Faults(truncate_page=1)
    assert asked(kingdee, "ExecuteBillQuery") == [[11], [12], [21], [31]]
    kingdee.faults = Faults(drift={"FQty": "FBaseQty"})
    assert failure(asked(kingdee, FieldKeys="FQty"))[0] == 9
    assert asked(kingdee, FieldKeys="FBaseQty", FilterString="FBaseQty > 10", OrderString="FBaseQty")[0] == {
        "FBaseQty": 10.5
    }


# --- metadata ----------------------------------------------------------------------------------------


def test_what_a_form_consists_of(kingdee):
    said = asked(kingdee, "QueryBusinessInfo")["Result"]["NeedReturnData"]
    head, lines = said["Entrys"]
    assert (said["Id"], said["Name"][0]["Value"], said["PkFieldName"]) == ("SAL_SaleOrder", "销售订单", "FID")
    assert [head["Key"], lines["Key"], lines["EntryPkFieldName"], lines["SeqFieldKey"]] == [
        "FBillHead",
        "FSaleOrderEntry",
        "FEntryID",
        "FSEQ",
    ]
    assert {field["Key"]: field["ElementType"] for field in head["Fields"]} == {
        "FBillNo": "TextField",
        "FDate": "DateField",
        "FModifyDate": "DateTimeField",
        "FDocumentStatus": "ComboField",
        "FCustId": "BaseDataField",
        "FNote": "TextField",
    }
    assert {field["Key"]: field["Name"][0]["Value"] for field in lines["Fields"]} == {
        "FQty": "数量",
        "FIsFree": "是否赠品",
    }
    by_key = {field["Key"]: field for field in head["Fields"]}
    assert by_key["FCustId"]["LookUpObject"] == {"FormId": "BD_Customer"}
    assert [item["Value"] for item in by_key["FDocumentStatus"]["EnumItems"]] == ["A", "C"]
    assert (by_key["FBillNo"]["MustInput"], by_key["FNote"]["MustInput"]) == (1, 0)
    kingdee.faults = Faults(drift={"FQty": "FBaseQty"})
    lines = asked(kingdee, "QueryBusinessInfo")["Result"]["NeedReturnData"]["Entrys"][1]
    assert [field["Key"] for field in lines["Fields"]] == ["FBaseQty", "FIsFree"]


def test_the_data_centers(kingdee):
    assert json.loads(post(kingdee, DATA_CENTERS, {})[1]) == [
        {"Id": "0123456789abcdef", "Number": "001", "Name": "华辰"}
    ]
