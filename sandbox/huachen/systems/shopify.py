"""Huachen Europe's web shop on Shopify: what was ordered there, in EUR, taxes on top. Its ERP is SAP, which quotes the name."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Order
from sandbox.store import Field, Row, Table

VENDOR = "shopify"
OPTIONS = {"access_token": "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"}
SYSTEM, ENTITY, WEB = "shopify", "HCE", "web:"
_FIRST_ORDER, _FIRST_LINE = 5_600_000_000_000, 14_200_000_000_000

_PAID = (("PENDING", "待付款"), ("PAID", "已付款"), ("REFUNDED", "已退款"))
_SENT = (("UNFULFILLED", "未发货"), ("PARTIALLY_FULFILLED", "部分发货"), ("FULFILLED", "已发货"))


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Orders with their line items."""
    head = (
        Field("id", "text", "订单 ID", required=True),
        Field("name", "text", "订单号", required=True),
        Field("createdAt", "instant", "创建时间", required=True),
        Field("updatedAt", "instant", "更新时间", required=True),
        Field("cancelledAt", "instant", "取消时间"),
        Field("email", "text", "邮箱", personal=True),
        Field("displayFinancialStatus", "choice", "付款状态", _PAID),
        Field("displayFulfillmentStatus", "choice", "发货状态", _SENT, required=True),
        Field("currencyCode", "text", "币种", required=True),
        Field("taxesIncluded", "flag", "单价含税", required=True),
        Field("subtotalPriceSet.shopMoney.amount", "decimal", "商品金额"),
        Field("subtotalPriceSet.shopMoney.currencyCode", "text", "商品金额币种"),
        Field("totalTaxSet.shopMoney.amount", "decimal", "税额"),
        Field("totalTaxSet.shopMoney.currencyCode", "text", "税额币种"),
        Field("totalPriceSet.shopMoney.amount", "decimal", "订单总额"),
        Field("totalPriceSet.shopMoney.currencyCode", "text", "订单总额币种"),
        Field("shippingAddress.countryCodeV2", "text", "收货国家"),
        Field("shippingAddress.city", "text", "收货城市"),
    )
    line = (
        Field("id", "text", "订单行 ID", required=True),
        Field("__order", "text", "订单 ID", required=True),
        Field("sku", "text", "SKU"),
        Field("title", "text", "商品名称", required=True),
        Field("quantity", "integer", "数量", required=True),
        Field("originalUnitPriceSet.shopMoney.amount", "decimal", "原单价"),
        Field("originalUnitPriceSet.shopMoney.currencyCode", "text", "原单价币种"),
        Field("discountedTotalSet.shopMoney.amount", "decimal", "折后金额"),
        Field("discountedTotalSet.shopMoney.currencyCode", "text", "折后金额币种"),
    )
    parties = {party.number: party for party in world.foreign_customers}
    names = {one.product: one.name for one in spelling.products(SYSTEM)}
    mine = sorted(
        (o for o in world.orders if o.entity == ENTITY and (o.source or "").startswith(WEB)), key=lambda o: (o.created_at, o.number)
    )  # fmt: skip
    heads: list[Row] = []
    lines: list[Row] = []
    for place, order in enumerate(mine):
        gid, party, money = (
            f"gid://shopify/Order/{_FIRST_ORDER + place}",
            parties[order.party],
            order.currency,
        )
        net, tax = (sum((getattr(one, what) for one in order.lines), Decimal(0)) for what in ("net", "tax"))
        email = f"einkauf@{party.short.lower().replace(' ', '-')}.example"
        heads.append(
            (gid, f"#{str(order.source).removeprefix(WEB)}", _instant(order.created_at), _instant(order.modified_at), None, email, "PAID",
             _sent(order), money, 0, str(net), money, str(tax), money, str(net + tax), money, party.country, party.city)
        )  # fmt: skip
        lines += [
            (f"gid://shopify/LineItem/{_FIRST_LINE + len(lines) + shift}", gid, spelling.product_code(SYSTEM, one.product),
             names[one.product], int(one.quantity), str(one.price), money, str(one.net), money)
            for shift, one in enumerate(order.lines)
        ]  # fmt: skip
    return [
        Table("orders", "订单", ("id",), head, heads),
        Table("orders/lineItems", "订单行", ("id",), line, lines, "orders", "__order"),
    ]


def _sent(order: Order) -> str:
    if all(order.open(line) <= 0 for line in order.lines):
        return "FULFILLED"
    return "PARTIALLY_FULFILLED" if any(order.done.values()) else "UNFULFILLED"


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
