"""Adventure Works joins the group: the product's definitions with the files of this folder laid over them.

    python examples/adventureworks/join.py FOLDER

FOLDER then is a project of its own, with what `tieout sync` generates; nothing is changed where the product
lies. Files are only added, but for the lines in `EDITS`: what the design still keeps in lists of all companies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRODUCT = HERE.parent.parent
DEFINITIONS = ("sources", "dbt_project", "expectations")
CODE = ("tieout", "pipelines", "sandbox")  # unchanged; the project is where the code lies
OVERLAY = ("sources", "dbt_project", "expectations")
COMPANY = "adventureworks"

SHAPES = (
    "sales_order_lines", "delivery_lines", "purchase_order_lines", "goods_receipt_lines", "stock_moves",
    "stock_balance_days", "customer_records", "supplier_records", "product_records", "employee_records",
    "stated_same", "warehouses", "product_classes", "organisation_units",
)  # fmt: skip


class NotThere(Exception):
    """A line that is to be changed is not in the file, or not once."""


def edits() -> list[tuple[str, str, str]]:
    """Every line of the product that changes: file, pattern of the line, what comes instead."""
    rules = "dbt_project/master_data/"
    seeds = "dbt_project/seeds/standards/"
    return [
        *(("dbt_project/dbt_project.yml", rf"^    {shape}: \[(.+)\]$", rf"    {shape}: [\1, {COMPANY}]") for shape in SHAPES),
        # its first purchase order is of 2022-04-15
        ("dbt_project/dbt_project.yml", r'^  calendar_first_day: ".+"$', '  calendar_first_day: "2022-01-01"'),
        # whom to believe; accounts of one system are never one customer, however alike two people are called
        (f"{rules}customer.yaml", r"^trust: \[(.+)\]$", r"trust: [\1, aw_sales_dw, aw_oltp]"),
        (f"{rules}customer.yaml", r"^no_duplicates_within: \[(.*)\]$", r"no_duplicates_within: [\1, aw_oltp, aw_sales_dw]"),
        (f"{rules}supplier.yaml", r"^trust: \[(.+)\]$", r"trust: [\1, aw_oltp]"),
        (f"{rules}employee.yaml", r"^trust: \[(.+)\]$", r"trust: [\1, aw_oltp]"),
        (f"{rules}employee.yaml", r"^references:$", "references:\n  - {space: aw_staff, system: aw_oltp, column: employee_no}"),
        (f"{rules}product.yaml", r"^trust: \[(.+)\]$", r"trust: [\1, aw_oltp, aw_sales_dw]"),
        (f"{rules}product.yaml", r"^references:$", "references:\n  - {space: aw, system: [aw_oltp, aw_sales_dw], column: code}"),
        # a month of orders is explained to a month of deliveries for it too
        ("expectations/reconciliation/booked_to_shipped.yaml", r"^companies: \[(.+)\]$", r"companies: [\1, AW]"),
        # two code lists
        (f"{seeds}companies.csv", r"\Z", "AW,Adventure Works Cycles,,USD,aw_oltp,AW,系统不含公司档案 / its systems keep no record of the company\n"),
        (
            f"{seeds}source_statuses.csv",
            r"\Z",
            "aw_oltp,purchase_order,1,submitted,,,Pending / 待批\n"
            "aw_oltp,purchase_order,2,confirmed,,,Approved / 已批准\n"
            "aw_oltp,purchase_order,3,cancelled,,,Rejected / 已拒绝\n"
            "aw_oltp,purchase_order,4,done,,,Complete / 已完成\n",
        ),
    ]  # fmt: skip


def added() -> list[Path]:
    """The files of the overlay, relative to the project."""
    return sorted(
        path.relative_to(HERE) for folder in OVERLAY for path in (HERE / folder).rglob("*") if path.is_file()
    )


def join(into: Path) -> None:
    """Write the project of the group with Adventure Works in it.

    Raises: NotThere if a line to be changed is not there once, or a file to be added is there already.
    """
    for folder in (*DEFINITIONS, *CODE):
        shutil.copytree(
            PRODUCT / folder, into / folder, ignore=shutil.ignore_patterns("__pycache__", "target", "logs")
        )
    for path in added():
        if (into / path).exists():
            raise NotThere(f"{path}: the product has a file of this name already")
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / path, into / path)
    for name, pattern, line in edits():
        file = into / name
        text, times = re.subn(pattern, line, file.read_text(encoding="utf-8"), flags=re.M)
        if times != 1:
            raise NotThere(f"{name}: {pattern} is there {times} times")
        file.write_text(text.replace(": [, ", ": ["), encoding="utf-8")
    (into / "docs").mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "tieout.cli", "sync"], cwd=into, env={**os.environ, "PYTHONPATH": str(into)}, check=True
    )  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1]).resolve()
    join(target)
    print(
        f"{len(added())} files added, {len(edits())} lines of {len({name for name, *_ in edits()})} files changed"
    )
    print(f"now: cd {target}; PYTHONPATH=. TIEOUT_HOME=… TIEOUT_DATA=… python -m tieout.cli refresh")
