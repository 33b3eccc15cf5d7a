"""The bus matrix: which fact carries which dimension, read from what the models say of their columns.

Every fact carries every dimension its row names. A hole has a reason, written with the model
(`config.meta.without`); a hole without one, or a reason for what is carried, is an error (`make check`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieout.strict import from_yaml

# Dimension → how the columns that carry it end.
DIMENSIONS = {
    "date": "_date",
    "company": "company_key",
    "customer": "customer_key",
    "supplier": "supplier_key",
    "product": "product_key",
    "organisation": "organisation_key",
    "employee": "employee_key",
    "warehouse": "warehouse_key",
    "account": "account_key",
    "currency": "currency_code",
    "unit": "uom_code",
    "status": "status_code",
}
_TITLES = {
    "date": "日期 date", "company": "公司 company", "customer": "客户 customer", "supplier": "供应商 supplier",
    "product": "产品 product", "organisation": "部门 organisation", "employee": "人员 employee",
    "warehouse": "仓库 warehouse", "account": "科目 account", "currency": "币种 currency", "unit": "单位 unit",
    "status": "状态 status",
}  # fmt: skip


class BusMatrixError(Exception):
    """A fact lacks a dimension without a reason; the message names file, fact and dimension."""


@dataclass(frozen=True)
class Fact:
    """One fact: the columns that carry each dimension, and why it lacks the others."""

    name: str
    module: str
    title: str
    carried: dict[str, tuple[str, ...]]
    without: dict[str, str]


def facts(models: Path) -> list[Fact]:
    """Every fact of the marts, in the order of their files.

    Raises: BusMatrixError naming every hole without a reason and every reason without a hole.
    """
    found, wrong = [], []
    for path in sorted(models.rglob("*.yml")):
        for model in from_yaml(path.read_text(encoding="utf-8")).get("models", []):
            if model["name"].startswith("fct_"):
                fact = _fact(path, model)
                found.append(fact)
                wrong += [f"{path.name}: {line}" for line in _wrong(fact)]
    if wrong:
        raise BusMatrixError("\n".join(["The bus matrix has holes:", *wrong]))
    return found


def bus_matrix(models: Path) -> str:
    """The matrix as a page: facts down, dimensions across; below it the reasons for every hole."""
    listed = facts(models)
    heads = [_TITLES[name] for name in DIMENSIONS]
    lines = [
        "<!-- generated from the columns and `without` of dbt_project/models/marts by `make sync`; do not edit -->",
        "# 总线矩阵 / Bus matrix",
        "",
        "Which fact carries which dimension. A dot is a hole; why it is there is said below.",
        "",
        f"| 事实 fact | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    for fact in listed:
        cells = ["✓" if name in fact.carried else "·" for name in DIMENSIONS]
        lines.append(f"| {fact.module} · {fact.name} | {' | '.join(cells)} |")
    lines += ["", "## 空缺的原因 / Why a fact lacks a dimension", ""]
    for fact in listed:
        reasons: dict[str, list[str]] = {}
        for name, reason in fact.without.items():
            reasons.setdefault(reason, []).append(name)
        said = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        lines.append(f"- **{fact.name}** ({fact.title}) {said or 'nothing is missing'}")
    return "\n".join(lines) + "\n"


def _fact(path: Path, model: dict[str, Any]) -> Fact:
    columns = [column["name"] for column in model["columns"]]
    carried = {
        name: tuple(column for column in columns if column.endswith(ending))
        for name, ending in DIMENSIONS.items()
    }
    without = {
        name: entry["reason"]
        for entry in model["config"]["meta"].get("without", [])
        for name in entry["dimensions"]
    }
    title = model["description"].partition(" / ")[0].strip()
    return Fact(model["name"], path.parent.name, title, {k: v for k, v in carried.items() if v}, without)


def _wrong(fact: Fact) -> Iterator[str]:
    for name in DIMENSIONS:
        if name not in fact.carried and name not in fact.without:
            yield f"{fact.name} carries no {name} and `without` does not say why"
        if name in fact.carried and name in fact.without:
            yield f"{fact.name} says why it is without {name}, but has {', '.join(fact.carried[name])}"
    for name in fact.without.keys() - DIMENSIONS.keys():
        yield f"{fact.name}: {name} is no dimension ({', '.join(DIMENSIONS)})"
