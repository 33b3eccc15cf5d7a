"""What 聚水潭 holds of the shop 华辰旗舰店: orders with lines, refunds, goods, and what the platform pays out.

Buyers are masked, as every platform does. `pay_amount` is goods and freight, tax included, as it was paid.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.huachen.world.records import CENT, World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Field, Table

VENDOR = "jushuitan"
SYSTEM = "shop"
OPTIONS = {
    "app_key": "hc5f21c9a7e84d02",
    "app_secret": "sandbox-3b9e61d07c2f48aa",
    "access_token": "sandbox-token-8d17f0c35e9b42",
}

SHOP, SHOP_NAME, WAREHOUSE = 10, "华辰旗舰店", 1
_STATES = (("WaitPay", "待付款"), ("Delivering", "发货中"), ("Sent", "已发货"), ("Cancelled", "已取消"))

_ORDER = (
    Field("o_id", "integer", "内部订单号", required=True),
    Field("so_id", "text", "线上订单号", required=True),
    Field("shop_id", "integer", "店铺编号", refers="shops", required=True),
    Field("shop_name", "text", "店铺名称"),
    Field("status", "choice", "状态", _STATES, required=True),
    Field("order_date", "instant", "下单时间", required=True),
    Field("pay_date", "instant", "付款时间"),
    Field("send_date", "instant", "发货时间"),
    Field("modified", "instant", "修改时间", required=True, indexed=True),
    Field("pay_amount", "decimal", "应付金额", required=True),
    Field("freight", "decimal", "运费"),
    Field("wms_co_id", "integer", "分仓编号"),
    Field("shop_buyer_id", "text", "买家账号", personal=True),
)
_ITEM = (
    Field("oi_id", "integer", "子订单号", required=True),
    Field("o_id", "integer", "内部订单号", refers="orders", required=True),
    Field("sku_id", "text", "商品编码", refers="sku", required=True),
    Field("qty", "integer", "数量", required=True),
    Field("price", "decimal", "单价"),
    Field("amount", "decimal", "金额", required=True),
    Field("refund_status", "choice", "退款状态", (("none", "未退款"), ("success", "退款成功"))),
)
_REFUND = (
    Field("as_id", "integer", "售后单号", required=True),
    Field("outer_as_id", "text", "平台售后单号"),
    Field("o_id", "integer", "内部订单号", refers="orders", required=True),
    Field("so_id", "text", "线上订单号", required=True),
    Field("shop_id", "integer", "店铺编号", refers="shops", required=True),
    Field("type", "text", "售后类型"),
    Field(
        "status",
        "choice",
        "状态",
        (("WaitConfirm", "待确认"), ("Confirmed", "已确认"), ("Cancelled", "作废")),
    ),
    Field("good_status", "text", "货物状态"),
    Field("refund", "decimal", "退款金额", required=True),
    Field("created", "instant", "创建时间", required=True),
    Field("modified", "instant", "修改时间", required=True, indexed=True),
)
_REFUND_ITEM = (
    Field("asi_id", "integer", "售后子单号", required=True),
    Field("as_id", "integer", "售后单号", refers="refunds", required=True),
    Field("sku_id", "text", "商品编码", refers="sku", required=True),
    Field("qty", "integer", "数量", required=True),
    Field("amount", "decimal", "金额", required=True),
)
_SHOP = (
    Field("shop_id", "integer", "店铺编号", required=True),
    Field("shop_name", "text", "店铺名称", required=True),
    Field("shop_site", "text", "平台"),
    Field("created", "instant", "创建时间"),
)
_SKU = (
    Field("sku_id", "text", "商品编码", required=True),
    Field("i_id", "text", "款式编码"),
    Field("name", "text", "商品名称", required=True),
    Field("properties_value", "text", "规格"),
    Field("sale_price", "decimal", "售价"),
    Field("cost_price", "decimal", "成本价"),
    Field("brand", "text", "品牌"),
    Field("enabled", "integer", "启用"),
    Field("modified", "instant", "修改时间", required=True, indexed=True),
)
_SETTLEMENT = (
    Field("settlement_id", "text", "结算单号", required=True),
    Field("shop_id", "integer", "店铺编号", refers="shops", required=True),
    Field("begin_date", "date", "结算开始日期", required=True),
    Field("end_date", "date", "结算结束日期", required=True),
    Field("order_amount", "decimal", "订单金额", required=True),
    Field("refund_amount", "decimal", "退款金额", required=True),
    Field("fee_amount", "decimal", "平台费用", required=True),
    Field("pay_amount", "decimal", "到账金额", required=True),
    Field("pay_date", "date", "到账日期", required=True),
)


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every table of the tenant."""
    returned = {(item.order, item.line): item for item in world.refunds}
    ids = {order.number: 10_000_001 + place for place, order in enumerate(world.shop_orders)}
    platform = {order.number: order.platform for order in world.shop_orders}
    products = {order.number: [line.product for line in order.lines] for order in world.shop_orders}
    orders, items = [], []
    for order in world.shop_orders:
        back = [returned[key] for line in order.lines if (key := (order.number, line.number)) in returned]
        modified = max([order.modified_at, *(item.finished_at for item in back)])
        orders.append(
            (ids[order.number], order.platform, SHOP, SHOP_NAME, order.status, _utc(order.created_at), _utc(order.paid_at),
             _utc(order.shipped_at), _utc(modified), str((order.amount + order.freight).quantize(CENT)),
             str(order.freight.quantize(CENT)), WAREHOUSE, order.buyer)
        )  # fmt: skip
        items += [
            (ids[order.number] * 100 + line.number, ids[order.number], spelling.product_code(SYSTEM, line.product), int(line.quantity),
             str((line.amount / line.quantity).quantize(CENT)), str(line.amount.quantize(CENT)),
             "success" if (order.number, line.number) in returned else "none")
            for line in order.lines
        ]  # fmt: skip
    refunds, refund_items = [], []
    for place, item in enumerate(world.refunds, start=500_001):
        amount = str(item.amount.quantize(CENT))
        refunds.append(
            (place, item.number, ids[item.order], platform[item.order], SHOP, "普通退货", "Confirmed", "SELLER_RECEIVED", amount,
             _utc(item.created_at), _utc(item.finished_at))
        )  # fmt: skip
        code = spelling.product_code(SYSTEM, products[item.order][item.line - 1])
        refund_items.append((place * 10 + 1, place, code, int(item.quantity), amount))
    goods = {item.code: item for item in world.products if item.shop}
    # prices of the first year were set on its eve, and nobody touched the goods since
    priced = datetime(world.first.year, world.first.month, world.first.day, tzinfo=UTC) - timedelta(hours=14)
    sku = [
        (item.code, item.product, item.name, item.spec, str(goods[item.product].price.quantize(CENT)),
         str(goods[item.product].cost.quantize(CENT)), "华辰", 1, _utc(priced))
        for item in spelling.products(SYSTEM)
        if item.product in goods
    ]  # fmt: skip
    settlements = [
        (item.number, SHOP, item.first.isoformat(), item.last.isoformat(), str(item.gross.quantize(CENT)),
         str(item.refunds.quantize(CENT)), str(item.fees.quantize(CENT)), str(item.net.quantize(CENT)), item.paid_on.isoformat())
        for item in world.settlements
    ]  # fmt: skip
    opened = datetime(world.first.year, world.first.month, world.first.day, tzinfo=UTC) - timedelta(days=200)
    return [
        Table("orders", "订单", ("o_id",), _ORDER, orders),
        Table("order_items", "订单明细", ("oi_id",), _ITEM, items, "orders", "o_id"),
        Table("refunds", "售后单", ("as_id",), _REFUND, refunds),
        Table("refund_items", "售后明细", ("asi_id",), _REFUND_ITEM, refund_items, "refunds", "as_id"),
        Table("shops", "店铺", ("shop_id",), _SHOP, [(SHOP, SHOP_NAME, "天猫", _utc(opened))]),
        Table("sku", "商品", ("sku_id",), _SKU, sku),
        Table("settlements", "平台结算单", ("settlement_id",), _SETTLEMENT, settlements),
    ]


def _utc(when: datetime | None) -> str | None:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None
