"""The examiner's reading of what was planted: `answers/faults.json` and the stores it is about.

Only the examination reads them. The platform never does: it is what is examined.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tieout.detection.finding import Place

Record = Mapping[str, Any]
_SHANGHAI = timedelta(hours=8)


@dataclass(frozen=True)
class Table:
    """Where the rows of a store's table arrive: the stream, the fields of its record key, and of its documents.

    Documents are the row's own number and the one it came from or settles: a row that is gone can only be pointed at
    by what is left of its chain. `head` is the table whose row holds them, with the field that links to it.
    """

    stream: str
    key: tuple[str, ...]
    documents: tuple[str, ...]
    head: tuple[str, str] | None = None


_SAP = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"
TABLES = {
    ("kingdee", "BD_Customer"): Table("customer", ("FCUSTID",), ("FNumber",)),
    ("kingdee", "SAL_SaleOrder"): Table("sales_order_line", ("FSaleOrderEntry_FEntryID",), ("FBillNo",)),
    ("kingdee", "AR_receivable"): Table("receivable_line", ("FEntityDetail_FEntryID",), ("FBillNo", "FSourceBillNo")),
    ("kingdee", "AR_RECEIVEBILL"): Table("receipt_line", ("FRECEIVEBILLSRCENTRY_FEntryID",), ("FBillNo", "FSRCBILLNO")),
    ("kingdee", "AP_Payable"): Table("payable_line", ("FEntityDetail_FEntryID",), ("FBillNo",)),
    ("kingdee", "AP_PAYBILL"): Table("payment_line", ("FPAYBILLSRCENTRY_FEntryID",), ("FBillNo", "FSRCBILLNO")),
    ("kingdee", "GL_VOUCHER"): Table("gl_voucher_line", ("FEntity_FEntryID",), ("F_HC_SourceNo",)),
    ("u8", "RdRecord01"): Table("goods_receipt", ("ID",), ("cCode", "cOrderCode")),
    ("u8", "rdrecords01"): Table("goods_receipt_line", ("AutoID",), (), ("RdRecord01", "ID")),
    ("u8", "RdRecord09"): Table("other_issue", ("ID",), ("cCode",)),
    ("u8", "rdrecords09"): Table("other_issue_line", ("AutoID",), (), ("RdRecord09", "ID")),
    ("u8", "RdRecord10"): Table("product_receipt", ("ID",), ("cCode", "cMPoCode")),
    ("u8", "rdrecords10"): Table("product_receipt_line", ("AutoID",), (), ("RdRecord10", "ID")),
    ("u8", "RdRecord32"): Table("delivery", ("ID",), ("cCode", "cSOCode")),
    ("u8", "rdrecords32"): Table("delivery_line", ("AutoID",), (), ("RdRecord32", "ID")),
    ("shop", "orders"): Table("order", ("o_id",), ("so_id", "o_id")),
    ("shop", "order_items"): Table("order_item", ("o_id", "oi_id"), ("o_id",)),
    ("shop", "refunds"): Table("refund", ("as_id",), ("outer_as_id", "as_id")),
    ("shop", "refund_items"): Table("refund_item", ("as_id", "asi_id"), ("as_id",)),
    ("feishu", "instance"): Table("payment_approval", ("instance_code",), ("reference",)),
    ("feishu", "task"): Table("payment_approval_task", ("instance_code", "id"), ()),
    ("sap", _SAP): Table(
        "journal_item",
        ("CompanyCode", "FiscalYear", "AccountingDocument", "AccountingDocumentItem"),
        ("DocumentReferenceID",),
    ),
}  # fmt: skip
# Fields whose change makes one customer's documents another's: both codes are what the fault is about.
_CUSTOMER_FIELDS = {"FCustId.FNumber", "FCONTACTUNIT.FNumber"}
EVERYTHING = "*"  # the table of a change that concerns a system as a whole


@dataclass(frozen=True)
class Fault:
    """One planted fault: what it is, the rows and documents that still show it, and what is at stake.

    `shows` is false if a later fault took away everything that this one had changed, or set it right again; `whole` if nothing of
    it was: only then is its amount what is at stake.
    """

    name: str
    kind: str
    period: str | None
    amount: Decimal
    currency: str
    rows: frozenset[Place]
    documents: frozenset[str]
    shows: bool = True
    whole: bool = True


def planted(folder: Path) -> list[Fault]:
    """Every fault planted into the company in `folder`."""
    said = json.loads((folder / "answers" / "faults.json").read_text(encoding="utf-8"))["faults"]
    first: dict[str, Any] = {}  # what every field truly holds, whatever was planted on it since
    for change in (change for fault in said for change in fault["changes"]):
        first.setdefault(_field(change), change["true"])
    with _Stores(folder) as stores:
        return [_fault(item, stores, first) for item in said]


def belongs(source: str, system: str) -> bool:
    """Whether a source is pulled from a system: one that has two doors has two sources (`hc_dingtalk`, `hc_dingtalk_flow`)."""
    return source == system or source.startswith(f"{system}_")


def _field(change: Record) -> str:
    return json.dumps([change[part] for part in ("system", "table", "key", "field")])


class _Stores:
    """The stores of a company, as they are now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, sqlite3.Connection] = {}

    def __enter__(self) -> _Stores:
        return self

    def __exit__(self, *exception: object) -> None:
        for con in self._open.values():
            con.close()

    def row(self, system: str, table: str, **key: Any) -> Record | None:
        """The row with these values, if there is one."""
        return self.one(system, table, " and ".join(f'"{name}" = ?' for name in key), *key.values())

    def one(self, system: str, table: str, where: str, *values: Any) -> Record | None:
        """The first row that `where`, SQL of this module, holds for."""
        cursor = self._connection(system).execute(f'select * from "{table}" where {where}', values)
        found = cursor.fetchone()
        return dict(zip([item[0] for item in cursor.description], found, strict=True)) if found else None

    def key(self, system: str, table: str) -> list[str]:
        asked = self._connection(system).execute("select said from _table where name = ?", [table])
        return json.loads(asked.fetchone()[0])["key"]

    def _connection(self, system: str) -> sqlite3.Connection:
        if system not in self._open:
            (path,) = self._folder.glob(f"*/{system}.sqlite")
            self._open[system] = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        return self._open[system]


def _fault(said: Record, stores: _Stores, first: Mapping[str, Any]) -> Fault:
    rows: set[Place] = set()
    documents: set[str] = set()
    shows, whole = False, True
    gone = {
        (c["table"], json.dumps(c["key"])): c["true"]
        for c in said["changes"]
        if c["field"] is None and c["true"]
    }
    for change in said["changes"]:
        system, name = change["system"], change["table"]
        if name == EVERYTHING:
            rows.add((f"hc_{system}", EVERYTHING, EVERYTHING))
            shows = True
            continue
        table = TABLES[system, name]
        there = stores.row(system, name, **dict(zip(stores.key(system, name), change["key"], strict=True)))
        right_again = (
            change["field"] is not None and there and there[change["field"]] == first[_field(change)]
        )
        stands = not right_again and _stands(change, there)
        shows, whole = shows or stands, whole and stands
        row = there or change["true"] or change["shown"]
        if right_again or not isinstance(row, dict):  # or a later fault took the row away
            continue
        rows.add((f"hc_{system}", table.stream, "|".join(str(row[field]) for field in table.key)))
        head: Record | None = row
        if table.head:
            above, link = table.head
            head = stores.row(system, above, **{link: row[link]}) or gone.get(
                (above, json.dumps([row[link]]))
            )
            fields = TABLES[system, above].documents
        else:
            fields = table.documents
        documents |= {str(head[field]) for field in fields if head and head[field] is not None}
        if change["field"] in _CUSTOMER_FIELDS:
            documents |= {change["true"], change["shown"]}
        if (system, name) == ("shop", "refunds"):
            documents |= _around(row, stores)
    return Fault(
        said["id"], said["kind"], said["period"], Decimal(said["amount"]), said["currency"], frozenset(rows),
        frozenset(documents), shows, whole,
    )  # fmt: skip


def _around(refund: Record, stores: _Stores) -> set[str]:
    """What else tells of a refund, whose number no other system knows: the goods taken in, and the settlement."""
    came = datetime.fromisoformat(refund["modified"]) + _SHANGHAI
    taken = stores.row("u8", "RdRecord08", dnmaketime=f"{came:%Y-%m-%d %H:%M:%S}")
    settled = stores.one(
        "shop",
        "settlements",
        "shop_id = ? and ? between begin_date and end_date",
        refund["shop_id"],
        f"{came:%Y-%m-%d}",
    )
    return {row[field] for row, field in ((taken, "cCode"), (settled, "settlement_id")) if row}


def _stands(change: Record, there: Record | None) -> bool:
    """Whether the store still shows what this change made."""
    if change["field"] is not None:
        return there is not None and there[change["field"]] == change["shown"]
    return (there is not None) == (change["shown"] is not None)
