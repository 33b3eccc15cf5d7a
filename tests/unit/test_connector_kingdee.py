"""金蝶云星空: the vectors of the sheet, how a form becomes a query, what its metadata becomes, and what errors mean."""

from __future__ import annotations

import pytest
import requests

from sources.connectors import expanded
from sources.connectors.kingdee import Login, Signature, sign
from sources.connectors.kingdee_metadata import form_of
from tests.vendor_rows import contract

WHO = {
    "acct_id": "0123456789abcdef",
    "user": "demo",
    "app_id": "350000_demoAppId",
    "app_secret": "demoAppSecret",
}
SIGNED_APP = "350000_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
NOW = 1767225600.5
ADDRESS = "http://erp.example/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc"


def document(**options: str) -> dict:
    """The question that the sheet writes down."""
    return {
        "connector": "kingdee",
        "connection": {"url": "http://erp.example", "options": WHO | options},
        "streams": {
            "purchase_order_line": {
                "object": "PUR_PurchaseOrder",
                "key": ["line_id"],
                "load": "incremental",
                "cursor": "modified_at",
                "deletes": "keys",
                "columns": {
                    "order_id": {"from": "FID", "type": "bigint"},
                    "line_id": {"from": "FPOOrderEntry_FEntryID", "type": "bigint", "required": True},
                    "supplier": {"from": "FSupplierId.FNumber", "type": "text"},
                    "modified_at": {"from": ["FModifyDate", "FMODIFYDATE"], "type": "timestamp"},
                },
            }
        },
    }


# --- who we are ---


def test_the_login_is_signed_as_in_the_sheet(monkeypatch):
    monkeypatch.setattr("sources.connectors.kingdee.time.time", lambda: NOW)
    expected = "defe81f2f51930ea756b9a54d5a24a98df276251e3dd349ed7b5d23704f21ffd"
    assert sign(*WHO.values(), "1767225600") == expected
    sent = []

    def exchange(method, path, body):
        sent.append((method, path, body))
        return {"LoginResultType": 1, "KDSVCSessionId": "s-1"}

    login = Login(**WHO, language="2052", hash="sha256")
    assert login.login(exchange) == ("s-1", None)
    path = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.LoginBySign.common.kdsvc"
    parameters = ["0123456789abcdef", "demo", "350000_demoAppId", "1767225600", expected, 2052]
    assert sent == [("post", path, {"parameters": parameters})]
    request = login(requests.Request("POST", ADDRESS).prepare())
    assert request.headers["kdservice-sessionid"] == "s-1"
    assert request.headers["Cookie"] == "kdservice-sessionid=s-1"
    assert "demoAppSecret" not in repr(login)


def test_old_servers_take_a_shorter_hash():
    assert len(sign(*WHO.values(), "1767225600", "sha1")) == 40


def test_a_login_that_is_refused_says_why_and_what_to_check():
    login = Login(**WHO, language="2052", hash="sha256")
    with pytest.raises(
        ValueError, match=r"签名验证失败.*LoginResultType 0.*Check acct_id, user, app_id and app_secret"
    ):
        login.login(
            lambda *_, **__: {"LoginResultType": 0, "Message": "签名验证失败", "KDSVCSessionId": None}
        )


def test_a_request_is_signed_as_the_vendors_sdk_signs_it(monkeypatch):
    monkeypatch.setattr("sources.connectors.kingdee.time.time", lambda: NOW)
    signature = Signature(**WHO | {"app_id": SIGNED_APP}, language="2052", organisation="0")
    headers = signature(requests.Request("POST", ADDRESS).prepare()).headers
    assert headers["X-Api-Signature"] == (
        "YWUzZTEwMzQyYWRhYWY1OTc0MDI5ZWViYTIxMzM3NDVlZjg3MDY4NDZlYWNlYzQ0ZWY1MjM2YzBlZmZhMmVhOQ=="
    )
    assert headers["X-Kd-Appdata"] == "MDEyMzQ1Njc4OWFiY2RlZixkZW1vLDIwNTIsMA=="
    assert headers["X-Kd-Signature"] == (
        "Yzg4MjhiMmNmZDJkMmNkY2VmOTJmYzVmN2Y1ODg5YWYyMjI1NGYxZWFjNTk2ZDAyNDU4MGNmMWQ5OTY2N2UzNA=="
    )
    assert (headers["X-Api-ClientID"], headers["x-api-nonce"]) == ("350000", "1767225600")


@pytest.mark.parametrize("app_id", ["350000", "350000_short", "350000_not*base64"])
def test_an_app_id_that_cannot_sign_is_refused(app_id):
    with pytest.raises(ValueError, match="32 characters"):
        Signature(**WHO | {"app_id": app_id}, language="2052", organisation="0")


# --- a form becomes a query ---


def test_a_form_becomes_the_query_of_the_sheet():
    stream = expanded(document())["streams"]["purchase_order_line"]
    assert stream["from"].endswith(".DynamicFormService.BillQuery.common.kdsvc")
    assert stream["missing"] == [" ", ""]
    assert stream["request"]["body"] == {
        "data": {
            "FormId": "PUR_PurchaseOrder",
            "FieldKeys": "FID,FPOOrderEntry_FEntryID,FSupplierId.FNumber,FModifyDate",
            "FilterString": "FModifyDate >= '{since}'",
            "OrderString": "FPOOrderEntry_FEntryID",
            "TopRowCount": 0,
            "StartRow": "{offset}",
            "Limit": "{size}",
        }
    }
    assert stream["request"]["paging"] == {"kind": "offset", "size": 2000, "overlap": 1}
    keys = stream["request"]["keys"]["body"]["data"]
    assert keys["FieldKeys"] == "FPOOrderEntry_FEntryID" and "FilterString" not in keys


def test_old_servers_answer_lists_whose_fields_are_named_by_place():
    made = expanded(document(query="ExecuteBillQuery"))
    request = made["streams"]["purchase_order_line"]["request"]
    assert request["fields"] == ["FID", "FPOOrderEntry_FEntryID", "FSupplierId.FNumber", "FModifyDate"]
    assert made["http"]["errors"]["code"] == "0.0.Result.ResponseStatus.MsgCode"


def test_what_a_person_wrote_wins():
    written = document()
    written["limits"] = {"requests_per_second": 3}
    written["streams"]["purchase_order_line"]["request"] = {"paging": {"size": 500}}
    made = expanded(written)
    assert made["streams"]["purchase_order_line"]["request"]["paging"] == {
        "kind": "offset",
        "size": 500,
        "overlap": 1,
    }
    assert made["limits"]["requests_per_second"] == 3 and made["limits"]["timeout"] == "60s"


def test_an_ended_session_is_renewed_but_a_refused_signature_is_not():
    session = expanded(document())["http"]
    signed = expanded(document(auth="signature", app_id=SIGNED_APP))["http"]
    assert session["auth"]["use"].endswith(":Login") and signed["auth"]["use"].endswith(":Signature")
    assert session["errors"]["expired"] == [1]
    assert "expired" not in signed["errors"] and 1 in signed["errors"]["denied"]
    assert "hash" in session["auth"]["arguments"] and "organisation" in signed["auth"]["arguments"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": "oauth"}, "auth: 'oauth' is none of session, signature"),
        ({"query": "View"}, "query: 'View' is none of BillQuery, ExecuteBillQuery"),
        ({"hash": "md5"}, "hash: 'md5' is none of sha256, sha1"),
    ],
)
def test_an_option_nobody_knows_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        expanded(document(**options))


def test_an_option_that_is_not_given_is_asked_for():
    written = document()
    del written["connection"]["options"]["app_secret"]
    with pytest.raises(ValueError, match="say app_secret"):
        expanded(written)


def test_the_contract_of_the_sandbox_company_is_whole():
    source = contract("hc_kingdee", "http://erp.example", WHO)
    assert len(source.streams) == 11 and source.vendor == "kingdee"
    personal = {
        (s, c) for s in source.streams for c in source.streams[s].columns if source.class_of(s, c) == "L3"
    }
    assert ("customer", "phone") in personal and ("sales_order_line", "salesperson_code") in personal


# --- what the system says of itself ---


def test_metadata_becomes_fields_with_titles_types_and_doubts():
    name = lambda text: [{"Key": 1033, "Value": "x"}, {"Key": 2052, "Value": text}]  # noqa: E731
    info = {
        "Name": name("采购订单"),
        "PkFieldName": "FID",
        "Entrys": [
            {
                "Key": "FBillHead",
                "Fields": [
                    {"Key": "FBillNo", "Name": name("单据编号"), "ElementType": "TextField", "MustInput": 1},
                    {"Key": "FDate", "Name": name("采购日期"), "FieldType": 61},
                    {"Key": "FModifyDate", "Name": name("最后修改日期"), "FieldType": 61},
                    {"Key": "FSupplierId", "Name": name("供应商"), "LookUpObject": {"FormId": "BD_Supplier"}},
                    {"Key": "FLinkPhone", "Name": name("联系电话"), "FieldType": 231},
                    {"Key": "FThing", "Name": name("某物"), "FieldType": 9999},
                    {"Key": "FDetailID", "Name": name("核算维度"), "ElementType": "FlexField"},
                ],
            },
            {
                "Key": "FPOOrderEntry",
                "EntryPkFieldName": "FEntryID",
                "Name": name("明细信息"),
                "Fields": [
                    {"Key": "FQty", "Name": name("采购数量"), "FieldType": 106},
                    {
                        "Key": "FGive",
                        "Name": name("赠品"),
                        "ElementType": "ComboField",
                        "EnumItems": [{"Value": "A", "Caption": name("否")}],
                    },
                ],
            },
            {
                "Key": "FPlan",
                "EntryPkFieldName": "FEntryID",
                "Fields": [{"Key": "FX", "Name": "x", "FieldType": 56}],
            },
        ],
    }
    form = form_of("PUR_PurchaseOrder", info, "?")
    fields = {item.path: item for item in form.fields}
    assert form.title == "采购订单" and form.key == ("fpoorderentry_fentryid",)
    assert form.cursor == ("fmodifydate",) and form.stream == {"deletes": "keys"}
    assert "FPlan" in str(form.doubt)
    assert fields["FSupplierId.FNumber"].refers == "BD_Supplier"
    assert {path: item.type for path, item in fields.items()} == {
        "FID": "text", "FPOOrderEntry_FEntryID": "text", "FBillNo": "text", "FDate": "date", "FModifyDate": "timestamp",
        "FSupplierId.FNumber": "text", "FLinkPhone": "text", "FThing": "text", "FQty": "decimal(28, 10)", "FGive": "text",
        "FDetailID.FFLEX4.FNumber": "text", "FDetailID.FFLEX5.FNumber": "text", "FDetailID.FFLEX6.FNumber": "text",
    }  # fmt: skip
    assert fields["FLinkPhone"].personal and "9999" in str(fields["FThing"].doubt)
    assert fields["FGive"].options == (("A", "否"),)
    assert len({item.id for item in form.fields}) == len(form.fields)
