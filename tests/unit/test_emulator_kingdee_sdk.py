"""The vendor's own SDK talks to the 金蝶云星空 emulator: a witness that shares no code and no reading with us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.kingdee import Kingdee
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

sdk = pytest.importorskip("k3cloud_webapi_sdk.main", reason="make witness installs it")

STOCKS = Table(
    "BD_Stock",
    "仓库",
    ("FStockId",),
    (
        Field("FStockId", "integer", "内码"),
        Field("FNumber", "text", "编码", required=True),
        Field("FName", "text", "名称"),
        Field("FModifyDate", "instant", "修改日期"),
    ),
    (
        (1, "CK001", "原料仓", "2026-01-05T02:11:09Z"),
        (2, "CK002", "成品仓", "2026-01-05T02:11:09Z"),
        (3, "CK003", "", "2026-01-06T02:11:09Z"),
    ),
)
OPTIONS = {
    "acct_id": "0123456789abcdef",
    "user": "李雷",
    "app_id": "350000_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u",
    "app_secret": "demoAppSecret",
}
QUERY = {
    "FormId": "BD_Stock",
    "FieldKeys": "FNumber,FName",
    "FilterString": "FStockId >= 2",
    "OrderString": "FStockId",
}


@pytest.fixture
def kingdee(tmp_path: Path):
    write_store(tmp_path / "erp.sqlite", [STOCKS])
    emulator = Kingdee(Store(tmp_path / "erp.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


def client(emulator: Kingdee, secret: str = OPTIONS["app_secret"], account: str = OPTIONS["acct_id"]) -> Any:
    server = f"{emulator.address}/k3cloud/"
    made = sdk.K3CloudApiSdk(server)
    made.InitConfig(account, OPTIONS["user"], OPTIONS["app_id"], secret, server)
    return made


def test_it_signs_and_is_answered(kingdee):
    assert json.loads(client(kingdee).ExecuteBillQuery(QUERY)) == [["CK002", "成品仓"], ["CK003", " "]]
    assert json.loads(client(kingdee).BillQuery(QUERY)) == [
        {"FNumber": "CK002", "FName": "成品仓"},
        {"FNumber": "CK003", "FName": " "},
    ]


def test_it_reads_metadata_and_data_centers(kingdee):
    said = json.loads(client(kingdee).QueryBusinessInfo({"FormId": "BD_Stock"}))["Result"]["NeedReturnData"]
    assert [field["Key"] for field in said["Entrys"][0]["Fields"]] == ["FNumber", "FName", "FModifyDate"]
    assert json.loads(client(kingdee).GetDataCenters())[0]["Id"] == OPTIONS["acct_id"]


def test_a_wrong_secret_clock_or_data_center(kingdee):
    lost = json.loads(client(kingdee, secret="wrong").ExecuteBillQuery(QUERY))[0][0]["Result"][
        "ResponseStatus"
    ]
    assert (lost["MsgCode"], lost["IsSuccess"]) == (1, False)
    with pytest.raises(RuntimeError, match="数据中心"):
        client(kingdee, account="ffff").ExecuteBillQuery(QUERY)
    kingdee.faults = Faults(clock_skew=3600)
    assert json.loads(client(kingdee).BillQuery(QUERY))["Result"]["ResponseStatus"]["MsgCode"] == 1
