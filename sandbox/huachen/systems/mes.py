"""MES and WMS of a small supplier, one PostgreSQL database: work orders, what they took and made; what was shipped.

Both write instants with a zone and `updated_at` on every row, have their own product codes and units (SET, PC, KG),
and know work orders by the number that U8 knows too. The WMS counts boxes; customers have its own numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.huachen.boxes import boxes
from sandbox.huachen.world import Spelling, World
from sandbox.huachen.world.records import Move
from sandbox.store import Field, Row, Table

VENDOR = "postgres"
OPTIONS: dict[str, str] = {}
SYSTEM, STORE = "mes", "wms"

_WORK_STATES = (("RUNNING", "生产中"), ("FINISHED", "已完工"))


def tables(world: World, spelling: Spelling) -> list[Table]:
    """Every table of the database; names begin with the system that owns them."""
    moves = [move for move in world.moves if move.entity == "HC"]
    units = {item.product: item.unit for item in spelling.products(SYSTEM)}
    return [
        _work_orders(world, spelling, units),
        _issues(moves, spelling, units),
        _outputs(world, moves, spelling, units),
        *_shipments(world, moves, spelling),
    ]


def _work_orders(world: World, spelling: Spelling, units: dict[str, str]) -> Table:
    fields = (
        Field("wo_no", "text", "工单号", required=True),
        Field("product_code", "text", "产品编码", required=True),
        Field("plan_qty", "decimal", "计划数量", required=True),
        Field("good_qty", "decimal", "合格数量", required=True),
        Field("scrap_qty", "decimal", "报废数量", required=True),
        Field("uom", "text", "单位", required=True),
        Field("status", "choice", "状态", _WORK_STATES, required=True),
        Field("plan_start", "date", "计划开工", required=True),
        Field("plan_end", "date", "计划完工", required=True),
        Field("finished_at", "instant", "完工时刻"),
        Field("operator_id", "text", "负责人", personal=True),
        Field("created_at", "instant", "建立时刻", required=True),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    begun = {move.number: move.at for move in world.moves if move.kind == "issue"}
    rows = []
    for work in world.work_orders:
        touched = work.finished_at or max(work.created_at, begun.get(work.issue or "", work.created_at))
        rows.append(
            (work.number, spelling.product_code(SYSTEM, work.product), _text(work.quantity), _text(work.good), _text(work.scrap),
             units[work.product], "FINISHED" if work.finished_at else "RUNNING", work.start.isoformat(), work.end.isoformat(),
             work.finished_at and _instant(work.finished_at), spelling.employee_id(SYSTEM, work.person),
             _instant(work.created_at), _instant(touched))
        )  # fmt: skip
    return Table("mes_work_order", "生产工单", ("wo_no",), fields, rows)


def _issues(moves: Iterable[Move], spelling: Spelling, units: dict[str, str]) -> Table:
    fields = (
        Field("issue_no", "text", "领料单号", required=True),
        Field("line_no", "integer", "行号", required=True),
        Field("wo_no", "text", "工单号", refers="mes_work_order", required=True),
        Field("material_code", "text", "物料编码", required=True),
        Field("qty", "decimal", "领用数量", required=True),
        Field("uom", "text", "单位", required=True),
        Field("issued_at", "instant", "领用时刻", required=True),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    rows = [
        (move.number, line.number, move.reference, spelling.product_code(SYSTEM, line.product), _text(line.quantity),
         units[line.product], _instant(move.at), _instant(move.at))
        for move in moves if move.kind == "issue" for line in move.lines
    ]  # fmt: skip
    return Table("mes_material_issue", "生产领料", ("issue_no", "line_no"), fields, rows)


def _outputs(world: World, moves: Iterable[Move], spelling: Spelling, units: dict[str, str]) -> Table:
    fields = (
        Field("output_no", "text", "报工单号", required=True),
        Field("line_no", "integer", "行号", required=True),
        Field("wo_no", "text", "工单号", refers="mes_work_order", required=True),
        Field("product_code", "text", "产品编码", required=True),
        Field("good_qty", "decimal", "合格数量", required=True),
        Field("scrap_qty", "decimal", "报废数量", required=True),
        Field("uom", "text", "单位", required=True),
        Field("reported_at", "instant", "报工时刻", required=True),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    scrap = {work.output: work.scrap for work in world.work_orders}
    rows = [
        (move.number, line.number, move.reference, spelling.product_code(SYSTEM, line.product), _text(line.quantity),
         _text(scrap.get(move.number, Decimal(0))), units[line.product], _instant(move.at), _instant(move.at))
        for move in moves if move.kind == "output" for line in move.lines
    ]  # fmt: skip
    return Table("mes_output", "完工报工", ("output_no", "line_no"), fields, rows)


def _shipments(world: World, moves: Iterable[Move], spelling: Spelling) -> tuple[Table, Table, Table]:
    header = (
        Field("outbound_no", "text", "出库单号", required=True),
        Field("sales_order_no", "text", "销售订单号"),
        Field("customer_no", "text", "客户编号"),
        Field("warehouse_code", "text", "仓库编码", required=True),
        Field("carrier", "text", "承运商"),
        Field("waybill_no", "text", "运单号"),
        Field("box_count", "integer", "箱数", required=True),
        Field("picked_at", "instant", "拣货完成时刻", required=True),
        Field("shipped_at", "instant", "发运时刻"),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    lines = (
        Field("outbound_no", "text", "出库单号", refers="wms_shipment", required=True),
        Field("line_no", "integer", "行号", required=True),
        Field("order_line_no", "integer", "订单行号"),
        Field("product_code", "text", "产品编码", required=True),
        Field("qty", "decimal", "数量", required=True),
        Field("uom", "text", "单位", required=True),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    boxed = (
        Field("box_no", "text", "箱号", required=True),
        Field("outbound_no", "text", "出库单号", refers="wms_shipment", required=True),
        Field("line_no", "integer", "行号", required=True),
        Field("product_code", "text", "产品编码", required=True),
        Field("qty", "decimal", "数量", required=True),
        Field("updated_at", "instant", "更新时刻", required=True),
    )
    sent = {item.delivery: item for item in world.shipments}
    units = {item.product: item.unit for item in spelling.products(STORE)}
    products = world.products_by_code
    shipments: list[Row] = []
    contents: list[Row] = []
    labels: list[Row] = []
    for move in moves:
        if move.kind != "delivery":
            continue
        known = sent.get(move.number)
        touched = _instant(known.shipped_at if known else move.at)
        packed = list(boxes(move, products))
        shipments.append(
            (move.number, move.reference, move.party and spelling.customer_code(STORE, move.party, move.number), move.warehouse,
             known and known.carrier, known and known.number, len(packed), _instant(move.at), known and touched, touched)
        )  # fmt: skip
        contents += [
            (move.number, line.number, line.order_line, spelling.product_code(STORE, line.product), _text(line.quantity),
             units[line.product], touched)
            for line in move.lines
        ]  # fmt: skip
        labels += [
            (f"{move.number}-{place:03d}", move.number, line, spelling.product_code(STORE, product), _text(quantity), touched)
            for place, (line, product, quantity) in enumerate(packed, start=1)
        ]  # fmt: skip
    return (
        Table("wms_shipment", "发运单", ("outbound_no",), header, shipments),
        Table(
            "wms_shipment_line",
            "发运明细",
            ("outbound_no", "line_no"),
            lines,
            contents,
            "wms_shipment",
            "outbound_no",
        ),
        Table("wms_box", "装箱", ("box_no",), boxed, labels, "wms_shipment", "outbound_no"),
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: Decimal) -> str:
    return f"{value:f}"
