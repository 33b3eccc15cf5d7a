"""Door 3, purchasing: CSV files as a Chinese Windows program writes them (GB18030, CRLF, Chinese headers).

Orders and their lines come one file a month; suppliers and the supply catalogue come whole. 控制总数.csv
says for every file how many rows it has and what its columns add up to (a hash total: currencies and
units are added as they stand, which is enough to notice a lost row).
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.huaxin.erp import Table, read

if TYPE_CHECKING:
    import duckdb

CONTROL_FILE = "控制总数.csv"
# File name -> (columns whose totals the control file states, query). A query whose first column is
# `month` makes one file per month, and the month is not written.
_FILES: dict[str, tuple[tuple[str, ...], str]] = {
    "供应商": (
        (),
        """
        select
            party.code as 供应商编码,
            party.name as 名称,
            identifier.code as 统一社会信用代码,
            address.city as 城市,
            address.street_unstructured as 地址,
            phone.value as 电话,
            if(party.active, '是', '否') as 启用
        from party_party as party
        left join party_identifier as identifier on identifier.party = party.id
        left join party_address as address on address.party = party.id
        left join party_contact_mechanism as phone on phone.party = party.id
        where party.code like 'S%'
        order by party.code
        """,
    ),
    "供应商供货目录": (
        ("交期天数",),
        """
        select
            offer.id as 记录号,
            party.code as 供应商编码,
            product.code as 产品编码,
            currency.code as 币种,
            cast(replace(offer.lead_time, ' days', '') as bigint) as 交期天数
        from purchase_product_supplier as offer
        left join party_party as party on party.id = offer.party
        left join product_product as product on product.template = offer.template
        left join currency_currency as currency on currency.id = offer.currency
        order by offer.id
        """,
    ),
    "采购订单": (
        ("未税金额", "税额", "价税合计"),
        """
        select
            strftime(purchase.purchase_date, '%Y-%m') as month,
            purchase.number as 采购订单号,
            party.code as 供应商编码,
            purchase.purchase_date as 订单日期,
            currency.code as 币种,
            warehouse.code as 仓库编码,
            term.name as 付款条件,
            purchase.state as 状态,
            purchase.invoice_method as 开票方式,
            purchase.shipment_state as 收货状态,
            purchase.invoice_state as 开票状态,
            cast(purchase.untaxed_amount_cache as decimal(18, 2)) as 未税金额,
            cast(purchase.tax_amount_cache as decimal(18, 2)) as 税额,
            cast(purchase.total_amount_cache as decimal(18, 2)) as 价税合计
        from purchase_purchase as purchase
        left join party_party as party on party.id = purchase.party
        left join currency_currency as currency on currency.id = purchase.currency
        left join stock_location as warehouse on warehouse.id = purchase.warehouse
        left join account_invoice_payment_term as term on term.id = purchase.payment_term
        order by month, purchase.id
        """,
    ),
    "采购订单明细": (
        ("数量",),
        """
        select
            strftime(purchase.purchase_date, '%Y-%m') as month,
            line.id as 行号,
            purchase.number as 采购订单号,
            product.code as 产品编码,
            template.name as 产品名称,
            line.quantity as 数量,
            unit.name as 单位,
            line.unit_price as 单价,
            cast(tax.rate as decimal(6, 4)) as 税率
        from purchase_line as line
        left join purchase_purchase as purchase on purchase.id = line.purchase
        left join product_product as product on product.id = line.product
        left join product_template as template on template.id = product.template
        left join product_uom as unit on unit.id = line.unit
        left join "purchase_line-account_tax" as line_tax on line_tax.line = line.id
        left join account_tax as tax on tax.id = line_tax.tax
        order by month, line.id
        """,
    ),
}


def write_purchasing_drop(folder: Path, erp: duckdb.DuckDBPyConnection) -> None:
    """Write every CSV file and the control file into `folder`, which is empty."""
    control: list[tuple[Any, ...]] = []
    for name, (totals, query) in _FILES.items():
        for table in _monthly(read(erp, name, query)):
            file = f"{table.name}.csv"
            _write_csv(folder / file, table.columns, table.rows)
            control += [
                (file, len(table.rows), column, sum(row[table.columns.index(column)] for row in table.rows))
                for column in totals
            ] or [(file, len(table.rows), None, None)]
    _write_csv(folder / CONTROL_FILE, ("文件名", "行数", "合计列", "合计"), control)


def _monthly(table: Table) -> list[Table]:
    if table.columns[0] != "month":
        return [table]
    months = sorted({row[0] for row in table.rows})
    return [
        Table(
            f"{table.name}_{month}",
            table.columns[1:],
            table.types[1:],
            [row[1:] for row in table.rows if row[0] == month],
        )
        for month in months
    ]


def _write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows([_text(value) for value in row] for row in rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    # Decimals as they stand, never in exponent form.
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
