"""Typed measures: what an expression comes out as, found by walking its tree.

Every number has a basis: money of one currency and tax basis, a quantity in one unit, a duration, a count, a ratio.
Unlike things are never added, and a product or quotient is lawful only where it is known what comes out. Nothing here
looks at data; `mixing` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tieout.metrics.definitions import Definitions, Measure, Meta, Metric
from tieout.metrics.marts import Column, Marts

if TYPE_CHECKING:
    from sqlglot import expressions

_HOURS = {"h", "hour", "hours"}
_TIME = _HOURS | {"day", "days", "minute", "minutes", "second", "seconds"}
_TAX = {
    "excluded": "tax excluded", "included": "tax included", "only": "the tax itself", "none": "without tax",
    "by_row": "tax as the row has it",
}  # fmt: skip
# Left to right: tax added to net is gross, tax taken from gross is net.
_TAXED = {("excluded", "+", "only"): "included", ("only", "+", "excluded"): "included", ("included", "-", "only"): "excluded"}  # fmt: skip
_BASIS_WORD = re.compile(r"(?<![a-z])(net|gross|tax)(?![a-z])")


@dataclass(frozen=True)
class Basis:
    """What a number is. `nothing` is null or zero, which goes with everything."""

    kind: str  # money | price | quantity | duration | count | number | ratio | tax_rate | nothing
    unit: str = ""
    currency: str = "none"
    tax: str = "none"
    per: str = ""  # of a price

    def __str__(self) -> str:
        match self.kind:
            case "money" | "price":
                per = f" per {self.per}" if self.per else ""
                currency = "document currency" if self.currency == "document" else self.currency
                return f"{currency}{per}, {_TAX.get(self.tax, self.tax)}"
            case "tax_rate":
                return "tax rate"
            case "quantity" | "duration" | "count" if self.unit:
                return f"{self.kind} in {self.unit}"
            case _:
                return self.kind


NOTHING, NUMBER, RATIO = Basis("nothing"), Basis("number"), Basis("ratio")


@dataclass(frozen=True)
class Typed:
    """An expression's basis, and the columns (or inputs) that made it so."""

    basis: Basis
    columns: tuple[str, ...] = ()
    conditional: bool = False

    def __str__(self) -> str:
        return f"{' and '.join(self.columns) or 'a plain number'} ({self.basis})"


class Untypable(Exception):
    """An expression mixes what must not be mixed, or holds something without a basis; the message says the fix.

    Attributes:
        sides: The two unlike sides, if there are two.
    """

    def __init__(self, message: str, *sides: Typed) -> None:
        super().__init__(message)
        self.sides = sides


Known = Callable[[str], Typed]


def same_unit(one: str, other: str) -> bool:
    """Whether two words name one unit; `h`, `hour` and `hours` do."""
    return one == other or {one, other} <= _HOURS


def column_basis(column: Column, mart: str) -> Basis:
    """What a mart column is.

    Raises: Untypable if it does not say, or says half of it.
    """
    unit, currency = column.unit, column.currency
    where = f"{mart}.{column.name}"
    if not unit and not currency:
        raise Untypable(
            f"{where} does not say what it is: write `unit` (and `currency`, `tax` if it is money) under its "
            "config.meta in the mart's YAML"
        )
    if currency and currency != "none":
        if not column.tax:
            raise Untypable(
                f"{where} is money and says no tax basis: write `tax: excluded`, `included`, `none`, `only` or "
                "`by_row` under its config.meta in the mart's YAML"
            )
        return Basis("price" if column.per else "money", unit, currency, column.tax, column.per)
    if unit == "ratio":
        return Basis("tax_rate") if column.rate == "tax" else RATIO
    if unit in _TIME:
        return Basis("duration", unit)
    return Basis("quantity" if unit.endswith("uom_code") else "count", unit)


# --- one expression ---------------------------------------------------------------------------------


def infer(sql: str, known: Known, reason: str | None = None) -> Typed:
    """The basis of an expression.

    Args:
        sql: A measure's or a formula's expression, in DuckDB's dialect.
        known: The basis of a name in it; raises Untypable for a name without one.
        reason: Why unlike bases may be divided here, if somebody wrote that down.

    Raises: Untypable naming both sides and their bases.
    """
    import sqlglot
    from sqlglot.errors import ParseError

    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except ParseError as error:
        raise Untypable(f"{sql!r} is not an expression: {error}") from error
    return _Walk(known, reason).value(tree)


@dataclass(frozen=True)
class _Walk:
    known: Known
    reason: str | None

    def value(self, node: expressions.Expr) -> Typed:
        from sqlglot import expressions as sql

        match node:
            case sql.Column():
                return self.known(node.name)
            case sql.Literal() if node.is_number:
                return Typed(NOTHING if float(node.this) == 0 else NUMBER)
            case sql.Null():
                return Typed(NOTHING)
            case sql.Paren() | sql.Abs() | sql.Sum():
                return self.value(node.this)
            case sql.Neg():
                return self.value(node.this)
            case sql.Cast() | sql.Round():
                return self._cast(node)
            case sql.Case():
                branches = [item.args["true"] for item in node.args["ifs"]]
                for item in node.args["ifs"]:
                    self._condition(item.this)
                return self._branches([*branches, node.args.get("default")])
            case sql.If():
                self._condition(node.this)
                return self._branches([node.args["true"], node.args.get("false")])
            case sql.Coalesce() | sql.Greatest() | sql.Least():
                return self._together([self.value(item) for item in (node.this, *node.expressions)], "beside")
            case sql.Nullif():
                first, second = self.value(node.this), self.value(node.expression)
                _agreed(first, second, "compared with")
                return first
            case sql.Add() | sql.Sub():
                sign = "+" if isinstance(node, sql.Add) else "-"
                return _added(self.value(node.this), self.value(node.expression), sign)
            case sql.Mul():
                return _multiplied(self.value(node.this), self.value(node.expression))
            case sql.Div():
                return self.divided(self.value(node.this), self.value(node.expression))
            case sql.DateDiff():
                unit = (node.text("unit") or node.args["unit"].name).lower()
                return Typed(Basis("duration", unit))
        raise Untypable(
            f"`{node.sql('duckdb')}`: it is not known what comes out of this: compute it in a mart column that says its unit"
        )

    def _cast(self, node: expressions.Expr) -> Typed:
        from sqlglot import expressions as sql

        if isinstance(node, sql.Cast) and isinstance(node.this, sql.Column):
            truth = node.this.name.startswith(("is_", "has_"))
            if truth and node.to.is_type("int", "bigint", "smallint", "tinyint"):
                return Typed(NUMBER, conditional=True)  # true counts as one
        return self.value(node.this)

    def _branches(self, nodes: list[expressions.Expr | None]) -> Typed:
        typed = self._together([self.value(item) for item in nodes if item is not None], "beside")
        return replace(typed, conditional=True)

    def _together(self, sides: list[Typed], how: str) -> Typed:
        found = sides[0]
        for side in sides[1:]:
            found = _agreed(found, side, how)
        return found

    def _condition(self, node: expressions.Expr) -> None:
        """What is compared must be alike too; flags, codes and dates have no basis and need none."""
        from sqlglot import expressions as sql

        for comparison in node.find_all(sql.EQ, sql.NEQ, sql.GT, sql.GTE, sql.LT, sql.LTE):
            sides = []
            for side in (comparison.this, comparison.expression):
                try:
                    sides.append(self.value(side))
                except Untypable as error:
                    if error.sides:
                        raise
            if len(sides) == 2 and all(side.basis.kind != "number" for side in sides):
                _agreed(sides[0], sides[1], "compared with")

    def divided(self, top: Typed, bottom: Typed) -> Typed:
        """The basis of a quotient."""
        a, b = top.basis, bottom.basis
        if "nothing" in (a.kind, b.kind) or b.kind in {"number", "ratio"}:
            return _both(top, bottom, a)
        if a.kind == b.kind == "money":
            if self.reason is None:
                _agreed(top, bottom, "divided by")
            return _both(top, bottom, RATIO)
        if a.kind == "money" and b.kind == "quantity":
            return _both(top, bottom, Basis("price", a.unit, a.currency, a.tax, b.unit))
        if a.kind == "money" and b.kind == "price" and (a.currency, a.tax) == (b.currency, b.tax):
            return _both(top, bottom, Basis("quantity", b.per))
        if a.kind == b.kind and a.kind in {"quantity", "duration", "price"}:
            if self.reason is None:
                _agreed(top, bottom, "divided by")
            return _both(top, bottom, RATIO)
        if a.kind in {"count", "number"} and b.kind == "count":
            return _both(top, bottom, RATIO)
        if b.kind in {"count", "duration"} and a.kind in {"money", "quantity", "duration", "count"}:
            return _both(top, bottom, a)  # an average, or so much in so much time
        raise _unlike(top, bottom, "divided by", "no rule says what comes out: compute it in a mart column")


def _both(one: Typed, other: Typed, basis: Basis) -> Typed:
    return Typed(
        basis,
        tuple(dict.fromkeys((*one.columns, *other.columns))),
        one.conditional or other.conditional,
    )


def _agreed(one: Typed, other: Typed, how: str) -> Typed:
    """One basis for two sides that must be alike."""
    a, b = one.basis, other.basis
    if a.kind == "nothing":
        return _both(one, other, b)
    if b.kind == "nothing":
        return _both(one, other, a)
    if a.kind == b.kind and a.currency == b.currency and a.per == b.per and same_unit(a.unit, b.unit):
        if a.tax == b.tax or b.tax == "by_row":
            return _both(one, other, a)
        if a.tax == "by_row":
            return _both(one, other, b)
    raise _unlike(one, other, how)


def _added(one: Typed, other: Typed, sign: str) -> Typed:
    a, b = one.basis, other.basis
    taxed = _TAXED.get((a.tax, sign, b.tax))
    if taxed and a.kind == b.kind == "money" and a.currency == b.currency and _of_one_amount(one, other):
        return _both(one, other, replace(a, tax=taxed))
    if {a.kind, b.kind} == {"tax_rate", "number"}:
        return _both(one, other, Basis("tax_rate"))
    if {a.kind, b.kind} == {"ratio", "number"}:
        return _both(one, other, RATIO)
    return _agreed(one, other, "added to" if sign == "+" else "less")


def _of_one_amount(one: Typed, other: Typed) -> bool:
    """Whether the names differ only in `net`, `gross`, `tax`: the tax of another amount makes no gross."""
    stems = {
        _BASIS_WORD.sub("", name.replace("_", " ")).replace(" ", "")
        for name in (*one.columns, *other.columns)
    }
    return len(stems) == 1


def _multiplied(one: Typed, other: Typed) -> Typed:
    for a, b in ((one, other), (other, one)):
        if b.basis.kind in {"number", "ratio"} or a.basis.kind == "nothing":
            if a.basis.kind == "number" and b.basis.kind == "ratio":
                return _both(one, other, RATIO)
            return _both(one, other, a.basis)
        if a.basis.kind == "price" and b.basis.kind == "quantity" and same_unit(a.basis.per, b.basis.unit):
            basis = replace(a.basis, kind="money", per="")
            return _both(one, other, basis)
    if "tax_rate" in {one.basis.kind, other.basis.kind}:
        raise _unlike(
            one,
            other,
            "times",
            "a tax rate would change the tax basis unseen: take the mart column that holds it",
        )
    raise _unlike(
        one,
        other,
        "times",
        "no rule says what comes out: multiply a price by the quantity it is the price of",
    )


def _unlike(one: Typed, other: Typed, how: str, fix: str = "") -> Untypable:
    return Untypable(f"{one} {how} {other}" + (f": {fix}" if fix else ""), one, other)


# --- measures and metrics ---------------------------------------------------------------------------


def measure_type(definitions: Definitions, marts: Marts, measure: Measure, meta: Meta | None = None) -> Typed:
    """What a measure is, from the columns it reads.

    Args:
        meta: Of the metric it is for; decides which of two unlike columns is said to be the wrong one.

    Raises: Untypable.
    """
    mart = definitions.models[measure.model].table
    columns = marts.get(mart, {})

    def known(name: str) -> Typed:
        if name not in columns:
            raise Untypable(f"{mart} has no documented column {name!r}: add it to the mart's YAML")
        return Typed(column_basis(columns[name], mart), (name,))

    try:
        return infer(measure.expr, known)
    except Untypable as error:
        if len(error.sides) == 2 and ": " not in str(error):
            keep, change = error.sides
            if meta and (change.basis.currency, change.basis.tax) == (meta.currency, meta.tax):
                keep, change = change, keep
            raise Untypable(f"{error}: {_instead(columns, mart, keep, change)}", *error.sides) from error
        raise


def _instead(columns: Mapping[str, Column], mart: str, keep: Typed, change: Typed) -> str:
    """Which column of the mart has the wanted basis and the nearest name."""
    if change.columns and keep.columns:
        better = _with_basis(columns, mart, change.columns[-1], keep.basis)
        if better:
            return f"use {better} instead of {change.columns[-1]}"
    return "make two measures of them, or add a mart column in one basis"


def _with_basis(columns: Mapping[str, Column], mart: str, like: str, wanted: Basis) -> str | None:
    from difflib import get_close_matches

    fitting = []
    for column in columns.values():
        try:
            if column.name != like and column_basis(column, mart) == wanted:
                fitting.append(column.name)
        except Untypable:
            continue
    return next(iter(get_close_matches(like, fitting, n=1, cutoff=0.6)), None)


def metric_type(definitions: Definitions, marts: Marts, metric: Metric) -> Typed:
    """What a metric is: its measure's basis, or what its formula makes of its inputs as they say they are.

    Raises: Untypable.
    """
    if not metric.inputs:
        return measure_type(definitions, marts, definitions.measures[metric.measures[0]], metric.meta)
    typed = {}
    for item in metric.inputs:
        inner = definitions.metric(item.metric)
        basis = _declared(inner, metric_type(definitions, marts, inner).basis)
        typed[item.alias] = Typed(basis, (item.metric,))

    def known(name: str) -> Typed:
        if name not in typed:
            raise Untypable(f"{name!r} in `expr` is not an input")
        return typed[name]

    if metric.kind == "ratio":
        top, bottom = (typed[item.alias] for item in metric.inputs)
        return _Walk(known, metric.meta.mixed).divided(top, bottom)
    return infer(str(metric.expr), known, metric.meta.mixed)


def _declared(metric: Metric, basis: Basis) -> Basis:
    """The basis in the words of the metric's meta; whether those are true is judged where they are written."""
    meta = metric.meta
    if basis.kind in {"money", "price"}:
        return Basis(basis.kind, meta.unit, meta.currency, meta.tax, basis.per)
    if basis.kind in {"quantity", "duration", "count", "number"}:
        return Basis("count" if basis.kind == "number" else basis.kind, meta.unit)
    return basis


def type_violations(definitions: Definitions, marts: Marts, metric: Metric) -> Iterator[str]:
    """What is wrong with the basis of one metric, and what to write instead."""
    try:
        found = metric_type(definitions, marts, metric)
    except Untypable as error:
        if any(_broken(definitions, marts, item.metric) for item in metric.inputs):
            return  # said once, where it is broken
        yield _said(metric, error)
        return
    yield from _against_meta(definitions, marts, metric, found)
    yield from _requires(definitions, metric)


def _broken(definitions: Definitions, marts: Marts, name: str) -> bool:
    try:
        metric_type(definitions, marts, definitions.metric(name))
    except Untypable:
        return True
    return False


def _said(metric: Metric, error: Untypable) -> str:
    if not metric.inputs or len(error.sides) != 2:
        return str(error)
    one, other = error.sides
    if " divided by " in str(error):
        return f"{error}. Divide like by like, or say in `mixed` why these may be divided"
    names = ", ".join((*one.columns, *other.columns))
    return f"{error}. Use inputs of one currency, tax basis and unit instead of {names}"


def _against_meta(definitions: Definitions, marts: Marts, metric: Metric, found: Typed) -> Iterator[str]:
    meta, basis = metric.meta, found.basis
    by = f"`{found}`" if found.columns else "its expression"
    if basis.kind in {"money", "price"}:
        if basis.kind == "price" and not metric.inputs:
            yield f"{by}: prices do not add up: sum the amount, and divide by the quantity in a derived metric"
            return
        tax = "none" if basis.tax == "only" else basis.tax
        if tax == "by_row" and (found.conditional or meta.tax == "none"):
            tax = meta.tax
        wanted = Basis("money", meta.unit, meta.currency, meta.tax)
        if (basis.currency, tax) != (meta.currency, meta.tax):
            said = f"currency {meta.currency}, tax {meta.tax}"
            yield f"it says {said}, but is {by}: {_repair(definitions, marts, metric, found, wanted)}"
        elif not same_unit(basis.unit, meta.unit):
            yield f"it says unit {meta.unit}, but is {by}: say `unit: {basis.unit}`"
        return
    if meta.currency != "none" or meta.tax != "none":
        said = f"currency {meta.currency}, tax {meta.tax}"
        yield f"it says {said}, but is {by}, which is no money: say `currency: none`, `tax: none`"
    if basis.kind in {"quantity", "duration"} or (basis.kind == "count" and basis.unit and not metric.inputs):
        if not same_unit(basis.unit, meta.unit) and not (metric.inputs and "/" in str(metric.expr)):
            wanted = Basis(basis.kind, meta.unit)
            fix = _repair(definitions, marts, metric, found, wanted)
            yield f"it says unit {meta.unit}, but is {by}: {fix if 'instead' in fix else f'say `unit: {basis.unit}`'}"
    elif basis.kind in {"ratio", "tax_rate"} and not metric.inputs:
        yield f"{by}: a ratio does not add up: sum its two parts and make a ratio metric of them"
    elif basis.kind == "number" and (meta.unit in _measured(marts)):
        yield f"it counts rows, but says unit {meta.unit}: say what is counted, e.g. `unit: order`"


def _measured(marts: Marts) -> set[str]:
    """Units that things are measured in, and not counted in."""
    units = {"ratio", *_TIME}
    for columns in marts.values():
        units |= {item.unit for item in columns.values() if item.currency or item.unit.endswith("uom_code")}
    return units


def _repair(definitions: Definitions, marts: Marts, metric: Metric, found: Typed, wanted: Basis) -> str:
    basis = found.basis
    say = (
        f"say `unit: {basis.unit}`, `currency: {basis.currency}`, `tax: {basis.tax if basis.tax != 'only' else 'none'}`"
        if basis.tax != "by_row"
        else "put the condition that decides the tax into the measure, or say `tax: none`"
    )
    if not metric.inputs and found.columns:
        mart = definitions.models[definitions.measures[metric.measures[0]].model].table
        better = _with_basis(marts.get(mart, {}), mart, found.columns[-1], wanted)
        if better:
            return f"use {better} instead of {found.columns[-1]}, or {say}"
    return say


def _requires(definitions: Definitions, metric: Metric) -> Iterator[str]:
    """A dimension that is asked for in place of the unit must fix the unit: both are columns of one table."""
    meta = metric.meta
    dimensions = definitions.dimensions(metric.name)
    if metric.inputs or meta.unit not in dimensions:
        return
    reached = definitions.reaches(definitions.models[definitions.measures[metric.measures[0]].model])
    relation = reached[dimensions[meta.unit]].relation
    for name in meta.requires_by:
        if name != meta.unit and name in dimensions and reached[dimensions[name]].relation != relation:
            yield f"requires_by {name!r} does not fix the unit: a group of it holds several {meta.unit}: take it out"


def role_violations(definitions: Definitions, marts: Marts, metric: Metric) -> Iterator[str]:
    """A measure stands on the date it says; dates are not mixed by adding, unless everything is a balance."""
    meta = metric.meta
    for name in metric.measures:
        measure = definitions.measures[name]
        model = definitions.models[measure.model]
        date = model.time_expr(measure.time)
        role = marts.get(model.table, {}).get(date, Column(date)).time_role
        if not role:
            yield f"{model.table}.{date} does not say which date it is: write `time_role` under its config.meta in the mart's YAML"
        elif meta.time_role != (role,):
            fitting = [
                column.name for column in marts[model.table].values() if (column.time_role,) == meta.time_role
            ]
            instead = f"aggregate over {' or '.join(fitting)} instead, or " if fitting else ""
            yield (
                f"it says time_role {', '.join(meta.time_role)}, but measure {name} is added up by "
                f"{date} ({role}): {instead}say `time_role: {role}`"
            )
    if metric.kind != "derived" or meta.mixed:
        return
    for one, other in _added_inputs(definitions, metric):
        roles = {role for item in (*one, *other) for role in item.meta.time_role}
        balances = all(item.meta.additivity == "semi_additive" for item in (*one, *other))
        if len(roles) > 1 and not balances:
            listed = ", ".join(f"{item.name} ({', '.join(item.meta.time_role)})" for item in (*one, *other))
            yield (
                f"it adds numbers of different dates in one period: {listed}: use their balances to date, or "
                "say in `mixed` why a period of one may be added to a period of the other"
            )
            return


def _added_inputs(
    definitions: Definitions, metric: Metric
) -> Iterator[tuple[tuple[Metric, ...], tuple[Metric, ...]]]:
    """The inputs on either side of every plus and minus."""
    import sqlglot
    from sqlglot import expressions as sql
    from sqlglot.errors import ParseError

    inputs = {item.alias: definitions.metric(item.metric) for item in metric.inputs}
    try:
        tree = sqlglot.parse_one(str(metric.expr), read="duckdb")
    except ParseError:
        return  # the types say so

    def named(node: sql.Expr) -> tuple[Metric, ...]:
        return tuple(inputs[item.name] for item in node.find_all(sql.Column) if item.name in inputs)

    for node in tree.find_all(sql.Add, sql.Sub):
        yield named(node.this), named(node.expression)
