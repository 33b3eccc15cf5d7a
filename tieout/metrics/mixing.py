"""Typed measures at run time: the data itself keeps what the definitions promise.

Definitions cannot see that a row carries another unit than its product, or that an amount said to be net is more than
its gross. These checks are made from the same types, asked of the facts in one pass each, and recorded beside the
suites' results: one that does not hold stops the publish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from tieout.engine import constants, quoted, relations
from tieout.metrics.definitions import Definitions, SemanticModel
from tieout.metrics.marts import Column, Marts

if TYPE_CHECKING:
    import duckdb

TABLE = "metrics.fact_check"
_SHOWN = 3
_NET = re.compile(r"(^|_)net(_|$)")


@dataclass(frozen=True)
class FactCheck:
    """One promise about the rows of one fact."""

    fact: str  # table of schema marts
    check_id: str
    title: str  # zh / en
    owner: str
    rows: str  # what follows `from`; the fact is called `fact`
    broken: str  # condition of a row that breaks it


@dataclass(frozen=True)
class Found:
    """What a check said."""

    check: FactCheck
    status: str  # passed | failed | error
    broken: int | None
    # The first rows that break it, as source/stream/record; or why it could not be asked.
    observed: str | None


def fact_checks(definitions: Definitions, marts: Marts) -> list[FactCheck]:
    """The checks of every mart with a measure, by mart."""
    found = []
    for model in sorted(definitions.models.values(), key=lambda item: item.table):
        columns = marts.get(model.table, {})
        if model.measures and columns:
            owner = _owner(definitions, model)
            for check_id, title, rows, broken in (
                *_units(definitions, model, columns),
                *_amounts(model, columns),
            ):
                found.append(FactCheck(model.table, check_id, title, owner, rows, broken))
    return list({(item.fact, item.check_id): item for item in found}.values())


def _owner(definitions: Definitions, model: SemanticModel) -> str:
    names = {measure.name for measure in model.measures}
    return next(
        (item.meta.owner for item in definitions.metrics.values() if names & set(item.measures)), "data"
    )


_Check = tuple[str, str, str, str]


def _units(definitions: Definitions, model: SemanticModel, columns: Mapping[str, Column]) -> Iterator[_Check]:
    """Where a fact carries its own unit and the question is answered in the unit of a dimension."""
    reached = {name.rpartition("__")[2]: reach for name, reach in definitions.reaches(model).items()}
    wanted: dict[str, list[str]] = {}
    for metric in definitions.metrics.values():
        for name in metric.measures:
            measure = definitions.measures[name]
            if measure.model == model.name and metric.meta.unit in reached:
                wanted.setdefault(metric.meta.unit, []).append(f"({measure.expr})")
    for unit, amounts in wanted.items():
        reach = reached[unit]
        counted = " or ".join(f"{amount} <> 0" for amount in dict.fromkeys(amounts))
        if reach.relation is None:
            yield (
                f"typed_{unit}_known",
                f"有数的行都写明 {unit} / Every row that counts says its {unit}",
                f"{model.relation} as fact",
                f"{quoted(reach.expr)} is null and ({counted})",
            )
        elif unit in columns:
            # The measure's own columns must not meet the dimension's of the same name: the fact is read in a subquery.
            rows = (
                f"(select *, ({counted}) as _counts, ({reach.foreign_key}) as _key from {model.relation}) as fact"
                f" left join (select ({reach.primary_key}) as _key, ({reach.expr}) as _unit from {reach.relation})"
                " as member on fact._key = member._key"
            )
            yield (
                f"typed_{unit}",
                f"每行的 {unit} 与其维度成员一致，一组之内不会相加两种单位 / "
                f"Every row has the {unit} of its member, so no group adds two",
                rows,
                f"fact._counts and fact.{quoted(unit)} is distinct from member._unit",
            )


def _amounts(model: SemanticModel, columns: Mapping[str, Column]) -> Iterator[_Check]:
    rows = f"{model.relation} as fact"
    for column in columns.values():
        name = column.name
        if not column.currency or column.currency == "none" or column.per:
            continue
        if column.currency == "document" and column.unit in columns and not column.per:
            yield (
                f"typed_currency_of_{name}",
                f"{name} 有数就写明币种 / Every {name} says its currency",
                rows,
                f"{quoted(name)} <> 0 and {quoted(column.unit)} is null",
            )
        own = columns.get(name.removesuffix("_cny") + "_txn")
        if column.currency == "CNY" and name.endswith("_cny") and own and own.unit in columns:
            yield (
                f"typed_cny_of_{name}",
                f"人民币单据的 {name} 等于 {own.name} / Where the document is in CNY, {name} equals {own.name}",
                rows,
                f"{quoted(own.unit)} = 'CNY' and {quoted(name)} <> {quoted(own.name)}",
            )
        gross = columns.get(_NET.sub(r"\1gross\2", name))
        if column.tax == "excluded" and gross and gross.tax == "included" and gross.name != name:
            yield (
                f"typed_net_of_{name}",
                f"{name} 不大于 {gross.name}，正负相同 / {name} is no more than {gross.name}, of the same sign",
                rows,
                f"abs({quoted(name)}) > abs({quoted(gross.name)}) or {quoted(name)} * {quoted(gross.name)} < 0",
            )
            tax = columns.get(_NET.sub(r"\1tax\2", name))
            if tax and tax.tax == "only":
                yield (
                    f"typed_tax_of_{name}",
                    f"{name} 加 {tax.name} 等于 {gross.name} / {name} plus {tax.name} is {gross.name}",
                    rows,
                    f"{quoted(name)} + {quoted(tax.name)} <> {quoted(gross.name)}",
                )


# --- asked of the data ------------------------------------------------------------------------------


def run_checks(con: duckdb.DuckDBPyConnection) -> list[Found]:
    """Every stored check, one pass over each fact; what cannot be asked is an error, never a pass.

    Args:
        con: The warehouse with a built metrics layer; read-only is enough.
    """
    if TABLE not in relations(con):
        nothing = FactCheck(
            "metrics", "typed", "计量类型未检查 / The types of measures were not checked", "data", "", ""
        )
        return [Found(nothing, "error", None, f"{TABLE} does not exist: run `tieout refresh --force`")]
    asked = con.execute(
        f"select fact, check_id, title, owner, from_rows, broken_if from {TABLE} order by fact, from_rows, check_id"
    ).fetchall()
    found: list[Found] = []
    for _, same in groupby((FactCheck(*row) for row in asked), key=lambda item: (item.fact, item.rows)):
        found += _asked(con, list(same))
    return found


def _asked(con: duckdb.DuckDBPyConnection, checks: list[FactCheck]) -> list[Found]:
    import duckdb

    counts = ", ".join(f"count(*) filter (where {check.broken})" for check in checks)
    try:
        row = con.execute(f"select {counts} from {checks[0].rows}").fetchone()
        assert row is not None
        return [
            Found(check, "failed", count, _first(con, check)) if count else Found(check, "passed", 0, None)
            for check, count in zip(checks, row, strict=True)
        ]
    except duckdb.Error as error:
        if len(checks) > 1:
            return [one for check in checks for one in _asked(con, [check])]
        return [Found(checks[0], "error", None, " ".join(str(error).split())[:500])]


def _first(con: duckdb.DuckDBPyConnection, check: FactCheck) -> str:
    rows = con.execute(
        "select fact.source_system || '/' || fact.source_stream || '/' || cast(fact.source_record as text)\n"
        f"from {check.rows} where {check.broken} order by 1 limit {_SHOWN}"
    ).fetchall()
    return ", ".join(str(text) for (text,) in rows)


def record(con: duckdb.DuckDBPyConnection, run_id: str, checked_at: datetime) -> list[Found]:
    """Append what the checks say to `ops.check_result`, after the suites' results of the same run.

    Args:
        con: Open for writing; the caller owns the transaction.
        checked_at: Aware.
    """
    found = run_checks(con)
    lines = ", ".join(
        f"({constants(run_id, f'marts.{one.check.fact}', one.check.fact, one.check.check_id, one.check.title, 'critical', one.status, one.observed, one.broken, one.check.owner, checked_at)})"
        for one in found
    )
    if found:
        con.execute(
            "insert into ops.check_result (run_id, suite, table_name, check_id, title, severity, status, observed,"
            f" unexpected_count, owner, checked_at) values {lines}"
        )
    return found


def stored(check: FactCheck) -> tuple[str, ...]:
    """The check as a row of `metrics.fact_check`."""
    return (check.fact, check.check_id, check.title, check.owner, check.rows, check.broken)
