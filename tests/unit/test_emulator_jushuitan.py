"""聚水潭's emulator against the sheet, asked by a client of its own."""

from __future__ import annotations

import hashlib
import json

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.jushuitan import Jushuitan
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

OPTIONS = {"app_key": "demo", "app_secret": "demoSecret", "access_token": "tok"}
NOW = 1767225600  # 2026-01-01 08:00 in Shanghai


@pytest.fixture
def system(tmp_path):
    instant = Field("modified", "instant", "修改时间")
    orders = [(n, f"T{n}", f"2026-01-05T0{n}:00:00Z", "99.00") for n in range(1, 6)]
    fields = (
        Field("o_id", "integer", "订单"),
        Field("so_id", "text", "线上"),
        instant,
        Field("pay_amount", "decimal", "金额"),
    )
    lines = (
        Field("oi_id", "integer", "行"),
        Field("o_id", "integer", "订单"),
        Field("qty", "integer", "数量"),
    )
    write_store(
        tmp_path / "shop.sqlite",
        [
            Table("orders", "订单", ("o_id",), fields, orders),
            Table(
                "order_items",
                "明细",
                ("oi_id",),
                lines,
                [(11, 1, 2), (12, 1, 3), (21, 2, 1)],
                "orders",
                "o_id",
            ),
            Table("shops", "店铺", ("shop_id",), (Field("shop_id", "integer", "店铺"),), [(10,)]),
        ],
    )
    emulator = Jushuitan(Store(tmp_path / "shop.sqlite"), OPTIONS, clock=lambda: NOW)
    with serving(emulator) as url:
        yield emulator, url


def ask(url: str, path: str, biz: dict | None = None, secret: str = "demoSecret", **form: str) -> dict:
    form = {
        "app_key": "demo",
        "access_token": "tok",
        "timestamp": str(NOW),
        "charset": "utf-8",
        "version": "2",
    } | form
    if biz is not None:
        form["biz"] = json.dumps(biz)
    text = secret + "".join(f"{key}{form[key]}" for key in sorted(form))
    return requests.post(
        url + path, data=form | {"sign": hashlib.md5(text.encode()).hexdigest()}, timeout=5
    ).json()


ORDERS = "/open/orders/single/query"
WEEK = {"modified_begin": "2026-01-05 00:00:00", "modified_end": "2026-01-12 00:00:00"}


def test_pages_of_a_week_with_their_lines(system):
    _, url = system
    data = ask(url, ORDERS, WEEK | {"page_index": 1, "page_size": 2})["data"]
    assert (data["has_next"], data["data_count"], data["page_size"]) == (True, 5, 2)
    assert [row["o_id"] for row in data["orders"]] == [1, 2]
    first = data["orders"][0]
    assert (first["modified"], first["pay_amount"]) == ("2026-01-05 09:00:00", "99.00")
    assert first["items"] == [{"oi_id": 11, "qty": 2}, {"oi_id": 12, "qty": 3}]
    last = ask(url, ORDERS, WEEK | {"page_index": 3, "page_size": 2, "is_get_total": False})["data"]
    assert [row["o_id"] for row in last["orders"]] == [5]
    assert last["has_next"] is False and "data_count" not in last
    assert len(ask(url, ORDERS, WEEK)["data"]["orders"]) == 5  # 30 a page unless it is said


def test_borders_belong_to_both_pieces(system):
    _, url = system
    at = {"modified_begin": "2026-01-05 10:00:00", "modified_end": "2026-01-05 10:00:00"}
    assert [row["o_id"] for row in ask(url, ORDERS, at)["data"]["orders"]] == [2]


@pytest.mark.parametrize(
    ("form", "biz", "code"),
    [
        ({"secret": "wrong"}, WEEK, 10),
        ({"app_key": "other"}, WEEK, 10),
        ({"access_token": "old"}, WEEK, 100),
        ({"timestamp": str(NOW - 901)}, WEEK, 140),
        ({}, {"page_index": 1}, 120),
        ({}, {**WEEK, "modified_end": "2026-01-12 00:00:01"}, 120),
    ],
)
def test_refusals_come_with_status_200(system, form, biz, code):
    assert ask(system[1], ORDERS, biz, **form)["code"] == code


def test_rights_rates_and_tokens(system):
    emulator, url = system
    emulator.faults = Faults(revoked=["orders"])
    assert ask(url, ORDERS, WEEK)["code"] == 190 and ask(url, "/open/shops/query", {})["code"] == 0
    emulator.faults = Faults(throttle_every=2)
    assert [ask(url, ORDERS, WEEK)["code"] for _ in range(2)] == [0, 199]
    emulator.faults = Faults(expire_session_after=1)
    assert [ask(url, ORDERS, WEEK)["code"] for _ in range(2)] == [0, 100]
    fresh = ask(url, "/openWeb/auth/getInitToken", grant_type="authorization_code", code="a1b2c3")["data"]
    assert fresh["expires_in"] == 2592000
    assert ask(url, ORDERS, WEEK, access_token=fresh["access_token"])["code"] == 0
    renewed = ask(url, "/openWeb/auth/refreshToken", refresh_token=fresh["refresh_token"], scope="all")[
        "data"
    ]
    assert ask(url, ORDERS, WEEK, access_token=renewed["access_token"])["code"] == 0
