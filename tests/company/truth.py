"""The company's known totals: computed by SQL inside the ERP that kept the books, not by this platform.

`sandbox/huaxin/truth/truth_output.txt` is the output of those queries; README figures that stand only in
prose there are repeated in `PROSE`, each with the words it comes from.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "sandbox" / "huaxin" / "truth" / "truth_output.txt"

# sandbox/huaxin/truth/README.md, "Known totals"
PROSE = {
    "wrong_day_lines": 16,  # "16 GL lines (889.25 debit) dated 2026-11-21"
    "wrong_day_debit": Decimal("889.25"),
    "draft_customer_invoices": 73,  # "73 draft customer invoices, 144 lines, 1,356,663.62 in document currency"
    "draft_customer_invoice_lines": 144,
    "draft_customer_invoice_amount": Decimal("1356663.62"),
    "received_goods": Decimal("2144191.47"),  # "received goods 2,144,191.47"
    "invoiced_by_suppliers": Decimal("1720421.47"),  # "posted supplier invoices 1,720,421.47"
    "draft_supplier_invoices": 15,
    "stock_value_difference": Decimal("147.56"),
    "planned_pieces": Decimal(4615),  # "planned 4,615: 18 scrapped"
    "scrapped_pieces": Decimal(18),
    "revenue_2025": Decimal("1134955.24"),
    "revenue_2026": Decimal("704643.05"),
}


def section(number: int) -> list[list[str]]:
    """Rows of one numbered section, cells split at the bar."""
    text = FILE.read_text(encoding="utf-8")
    match = re.search(rf"^## {number} .*?\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
    assert match, f"section {number}"
    return [line.split("|") for line in match[1].splitlines() if line]


def monthly(number: int, place: int = 1) -> dict[str, Decimal]:
    """`YYYY-MM` → amount of a section whose first cell is the month."""
    return {row[0]: Decimal(row[place]) for row in section(number)}
