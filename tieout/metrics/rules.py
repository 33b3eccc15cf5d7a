"""Rules a metric definition must keep. Each stands for a wrong number somebody once saw.

`violations` only looks at definitions: no data, no compiler. `tieout sync --check` and `build_layer` both run it, so
a rule that is broken stops the change, and the refresh before anything is computed. What class metrics are published
at is known to the former only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.metrics.definitions import Definitions, Metric
from tieout.metrics.errors import DefinitionError
from tieout.metrics.marts import Marts
from tieout.metrics.types import role_violations, type_violations

if TYPE_CHECKING:
    import duckdb
    from sqlglot import expressions

_NAME = re.compile(r"^[a-z][a-z0-9]*(_[a-z0-9]+)+$")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Violation:
    """One broken rule: which definition, which rule, and what to write instead."""

    rule: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.message} [{self.rule}]"


def violations(
    definitions: Definitions, marts: Marts | None = None, published_at: str | None = None
) -> list[Violation]:
    """Every rule broken by every definition, in a stable order.

    Args:
        marts: What the columns are; without them nothing is said of units, currencies, tax bases and dates.
        published_at: Class, L1 to L4, that schema metrics is published at; without it nothing is said of classes.
    """
    found: list[Violation] = []
    for metric in definitions.metrics.values():
        try:
            _ = metric.meta
        except DefinitionError as error:
            found.append(Violation("meta", metric.name, str(error).partition(": ")[2]))
    if found:  # the other rules read `meta`
        return found
    for metric in definitions.metrics.values():
        for rule, check in _METRIC_RULES.items():
            found += [Violation(rule, metric.name, text) for text in check(definitions, metric)]
        if marts is not None:
            for rule, typed in _TYPE_RULES.items():
                found += [Violation(rule, metric.name, text) for text in typed(definitions, marts, metric)]
    if marts is not None and published_at is not None:
        found += [
            Violation("classes", subject, text)
            for subject, text in _classes(definitions, marts, published_at)
        ]
    for rule, check_all in _RULES.items():
        found += [Violation(rule, subject, text) for subject, text in check_all(definitions)]
    return found


def require(definitions: Definitions, marts: Marts | None = None, published_at: str | None = None) -> None:
    """Raises: DefinitionError listing every violation."""
    found = violations(definitions, marts, published_at)
    if found:
        lines = "\n".join(f"  {item}" for item in found)
        raise DefinitionError(f"{len(found)} metric rules are broken; nothing was compiled:\n{lines}")


# --- one metric -----------------------------------------------------------------------------------


def _named(definitions: Definitions, metric: Metric) -> Iterator[str]:
    if not _NAME.match(metric.name):
        yield "name it <process>_<measure>_<qualifier> in lower-case ASCII"
    if not _CHINESE.search(metric.label):
        yield "give it a Chinese `label`"
    zh, en = metric.descriptions
    if not _CHINESE.search(zh) or not en or _CHINESE.search(en):
        yield "write the description as `中文 / English`"


def _period_agg(definitions: Definitions, metric: Metric) -> Iterator[str]:
    if metric.kind == "cumulative" and metric.period_agg != "last":
        yield (
            f"a cumulative metric must say `period_agg: last`, not {metric.period_agg}: the default shows the "
            "balance of the period's first day"
        )


def _filter(definitions: Definitions, metric: Metric) -> Iterator[str]:
    if metric.filtered or any(item.filtered for item in metric.inputs):
        yield (
            "a `filter` is silently not applied to cumulative and conversion metrics: put the condition into "
            "the measure (`expr: case when … then … end`) or into a mart column"
        )


def _expression(definitions: Definitions, metric: Metric) -> Iterator[str]:
    if metric.kind != "derived" or not metric.expr:
        return
    import sqlglot
    from sqlglot import expressions as sql

    aliases = {item.alias for item in metric.inputs}
    tree = sqlglot.parse_one(str(metric.expr), read="duckdb")
    for node in tree.find_all(sql.Div, sql.IntDiv, sql.Mod):
        divisor = node.expression.unnest()
        if not isinstance(divisor, sql.Nullif) and not (
            isinstance(divisor, sql.Literal) and divisor.is_number and float(divisor.this) != 0
        ):
            yield f"divide by nullif({divisor.sql('duckdb')}, 0): x / 0 is infinite here, not an error"
    for column in tree.find_all(sql.Column):
        if column.name not in aliases:
            yield f"{column.name!r} in `expr` is not an input; inputs are {', '.join(sorted(aliases))}"


def _missing(definitions: Definitions, metric: Metric) -> Iterator[str]:
    """A sum or difference without one of its inputs is as if that were zero; without any of them it is nothing.

    The formula itself is asked, with numbers in place of its inputs, so a coalesce in the wrong place or to
    another value is found like one that is not there.
    """
    import duckdb
    import sqlglot
    from sqlglot import expressions as sql

    if metric.kind != "derived" or not metric.expr:
        return
    aliases = [item.alias for item in metric.inputs]
    tree = sqlglot.parse_one(str(metric.expr), read="duckdb")
    added = [node for node in tree.find_all(sql.Add, sql.Sub) if not node.find_ancestor(sql.Add, sql.Sub)]
    if not added or {column.name for column in tree.find_all(sql.Column)} - set(aliases):
        return  # the latter is said by `expression`
    try:
        with duckdb.connect() as con:
            for node in added:
                yield from _missing_one(con, node)
            if _value(con, tree, dict.fromkeys(aliases)) is not None:
                known = " or ".join(f"{name} is not null" for name in aliases)
                yield f"write case when {known} then … end: rows that count in none of its inputs would make a zero"
    except duckdb.Error as error:
        yield f"{tree.sql('duckdb')} cannot be computed: {error}"


_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31)


def _missing_one(con: duckdb.DuckDBPyConnection, added: expressions.Expr) -> Iterator[str]:
    from sqlglot import expressions as sql

    numbers = dict(zip(sorted({column.name for column in added.find_all(sql.Column)}), _PRIMES, strict=False))
    if len(numbers) < 2:
        return  # one less a number: where it has no value, neither has this
    for name in numbers:
        as_zero, missing = (_value(con, added, numbers | {name: given}) for given in (0, None))
        if missing is None or missing != as_zero:
            wrong = (
                "empty, and what the other inputs hold be lost"
                if missing is None
                else "another number than with 0"
            )
            yield f"write coalesce({name}, 0): where {name} has no row in a period, {added.sql('duckdb')} would be {wrong}"


def _value(
    con: duckdb.DuckDBPyConnection, formula: expressions.Expr, numbers: Mapping[str, int | None]
) -> object:
    given = ", ".join(
        f'cast({"null" if number is None else number} as double) as "{name}"'
        for name, number in numbers.items()
    )
    row = con.execute(f"select {formula.sql('duckdb')} from (select {given})").fetchone()
    return row[0] if row else None


def _additivity(definitions: Definitions, metric: Metric) -> Iterator[str]:
    said = metric.meta.additivity
    if metric.kind == "cumulative" and said != "semi_additive":
        yield f"a balance does not add up over time: additivity must be semi_additive, not {said}"
    if metric.kind == "ratio" and said != "non_additive":
        yield f"a ratio never adds up: additivity must be non_additive, not {said}"
    if metric.kind == "derived":
        inputs = {definitions.metric(item.metric).meta.additivity for item in metric.inputs}
        if "/" in str(metric.expr) and said != "non_additive":
            yield f"a quotient never adds up: additivity must be non_additive, not {said}"
        elif said == "additive" and inputs != {"additive"}:
            yield f"its inputs are {', '.join(sorted(inputs))}: it cannot be additive"
    if metric.kind == "simple":
        measure = definitions.measures[metric.measures[0]]
        if said == "semi_additive" and not measure.non_additive:
            yield f"measure {measure.name} must say `non_additive_dimension`, or days are added up"
        if said == "additive" and measure.non_additive:
            yield f"measure {measure.name} is not additive over time: say `additivity: semi_additive`"
        if measure.non_additive and measure.window_choice != "max":
            yield f"measure {measure.name} must say `window_choice: max`: the last day of the period, not the first"


def _units(definitions: Definitions, metric: Metric) -> Iterator[str]:
    meta = metric.meta
    dimensions = definitions.dimensions(metric.name)
    for name in meta.requires_by:
        if name not in dimensions:
            yield f"requires_by {name!r} is not one of its dimensions ({', '.join(sorted(dimensions))})"
    if meta.unit in dimensions and not meta.requires_by:
        yield f"its unit is the dimension {meta.unit}: say `requires_by`, or unlike units are added"
    if meta.currency == "document" and "currency_code" not in meta.requires_by:
        yield "its currency is that of each document: say `requires_by: [currency_code]`"
    if meta.currency == "document" and metric.name.endswith("_cny"):
        yield "an amount in document currency cannot be named _cny"
    if meta.currency not in {"document", "none"} and meta.unit != meta.currency:
        yield f"its unit is {meta.unit} but its currency {meta.currency}"
    inherited = {name for item in metric.inputs for name in definitions.metric(item.metric).meta.requires_by}
    if inherited and not meta.requires_by:
        yield f"an input requires_by {', '.join(sorted(inherited))}: so must this"
    if metric.kind == "derived" and "/" not in str(metric.expr):
        for key in ("unit", "currency", "tax"):
            basis = {getattr(definitions.metric(item.metric).meta, key) for item in metric.inputs}
            if basis - {getattr(meta, key)}:
                yield f"{key} is {getattr(meta, key)}, but its inputs have {', '.join(sorted(basis))}"


def _time_roles(definitions: Definitions, metric: Metric) -> Iterator[str]:
    said = set(metric.meta.time_role)
    if not metric.inputs and len(said) != 1:
        yield "name the one date it stands on in `time_role`"
    inputs = {role for item in metric.inputs for role in definitions.metric(item.metric).meta.time_role}
    if metric.inputs and said != inputs:
        yield f"its inputs stand on {', '.join(sorted(inputs))}: say so in `time_role`"


def _dimensions(definitions: Definitions, metric: Metric) -> Iterator[str]:
    known = definitions.dimensions(metric.name)
    for names in metric.meta.by:
        for name in names:
            if name not in known:
                yield f"`by` names {name!r}; its dimensions are {', '.join(sorted(known))}"
        if metric.meta.requires_by and not set(names) & set(metric.meta.requires_by):
            yield f"`by` {list(names)} leaves out {' and '.join(metric.meta.requires_by)}: say one of them"


def _supported(definitions: Definitions, metric: Metric) -> Iterator[str]:
    if metric.kind == "conversion":
        yield "conversion metrics cannot be traced to rows: use a ratio of two metrics"
    if any(item.offset for item in metric.inputs):
        yield "offset inputs cannot be traced to rows: ask for two periods instead"
    if metric.window or metric.grain_to_date:
        yield "a window or grain_to_date cannot be traced to rows yet: ask for the periods and add them"
    used = metric.raw["type_params"].get("measure") or {}
    for key in ("join_to_timespine", "fill_nulls_with"):
        if used.get(key) is not None and used[key] is not False:
            yield (
                f"{key} makes a zero of periods in which nothing happened, those to come too, and only in some queries: "
                f"take it out, and write coalesce(…, 0) in the formula that needs it"
            )
    for name in metric.measures:
        measure = definitions.measures[name]
        if measure.agg != "sum":
            yield f"measure {name} is a {measure.agg}; only a sum equals the total of its source rows"


_METRIC_RULES: dict[str, Callable[[Definitions, Metric], Iterator[str]]] = {
    "named": _named,
    "period-agg": _period_agg,
    "filter-in-measure": _filter,
    "expression": _expression,
    "missing-input": _missing,
    "additivity": _additivity,
    "units": _units,
    "time-role": _time_roles,
    "dimensions": _dimensions,
    "supported": _supported,
}

_TYPE_RULES: dict[str, Callable[[Definitions, Marts, Metric], Iterator[str]]] = {
    "types": type_violations,
    "dates": role_violations,
}


# --- classes --------------------------------------------------------------------------------------


def _classes(definitions: Definitions, marts: Marts, published_at: str) -> Iterator[tuple[str, str]]:
    """What schema metrics shows is shown to everybody who may read it: no column above its class may be in there.

    Rows of a confidential mart may be counted. A dimension above the class may be asked for, since every door
    masks its column, but not stored or put into a view.
    """
    for metric in definitions.metrics.values():
        for name in metric.measures:
            measure = definitions.measures[name]
            model = definitions.models[measure.model]
            for column in _columns(f"{measure.expr} + {model.time_expr(measure.time)}"):
                yield from _above(
                    metric.name, marts, model.table, column, published_at,
                    f"use another column in measure {name}",
                )  # fmt: skip
        known = definitions.dimensions(metric.name)
        for dimension in sorted({item for names in metric.meta.by for item in names} & known.keys()):
            for table, column in _reached(definitions, metric.name, known[dimension]):
                fix = f"take {dimension} out of `by`"
                yield from _above(metric.name, marts, table, column, published_at, fix)
    for export in definitions.exports:
        for dimension in export.dimensions:
            for table, column in _reached(definitions, export.metrics[0], dimension):
                fix = f"take {dimension} out of the view"
                yield from _above(export.name, marts, table, column, published_at, fix)


def _above(
    subject: str, marts: Marts, table: str, column: str, published_at: str, fix: str
) -> Iterator[tuple[str, str]]:
    said = marts.get(table, {}).get(column)
    if said is not None and said.sensitivity > published_at:
        yield (
            subject,
            f"{table}.{column} is {said.sensitivity}, and metrics are published at {published_at} (`unclassified` in "
            f"access/roles.yaml): {fix}",
        )


def _columns(expression: str) -> list[str]:
    import sqlglot
    from sqlglot import expressions as sql

    tree = sqlglot.parse_one(expression, read="duckdb")
    return sorted({column.name for column in tree.find_all(sql.Column)})


def _reached(definitions: Definitions, metric: str, dunder: str) -> list[tuple[str, str]]:
    """Table and columns behind a dimension; one table, whichever of the metric's marts it is reached from."""
    base = definitions.base_metrics(metric)[0]
    model = definitions.models[definitions.measures[base.measures[0]].model]
    reach = definitions.reaches(model).get(dunder)
    if reach is None:
        return []  # said by `exports`
    table = (reach.relation or model.relation).rpartition(".")[2]
    return [(table, column) for column in _columns(reach.expr)]


# --- all definitions together ---------------------------------------------------------------------


def _orphans(definitions: Definitions) -> Iterator[tuple[str, str]]:
    used = {name for metric in definitions.metrics.values() for name in metric.measures}
    for name, measure in definitions.measures.items():
        if name not in used:
            yield (
                measure.model,
                f"no metric uses measure {name}; a broken one would not be noticed: remove it",
            )


def _one_simple_metric(definitions: Definitions) -> Iterator[tuple[str, str]]:
    simple = [metric for metric in definitions.metrics.values() if metric.kind == "simple"]
    counts = Counter(name for metric in simple for name in metric.measures)
    for metric in simple:
        for name in metric.measures:
            if counts[name] > 1:
                yield (
                    metric.name,
                    f"measure {name} has {counts[name]} simple metrics: two names, one number",
                )


def _words(definitions: Definitions) -> Iterator[tuple[str, str]]:
    claimed: dict[str, str] = {}
    for metric in definitions.metrics.values():
        for word in (metric.label, *metric.meta.replaces):
            if word in claimed and claimed[word] != metric.name:
                yield metric.name, f"the word {word!r} already means {claimed[word]}"
            claimed.setdefault(word, metric.name)


def _distinct_dimensions(definitions: Definitions) -> Iterator[tuple[str, str]]:
    for model in definitions.models.values():
        if model.measures:
            counts = Counter(name.rpartition("__")[2] for name in definitions.reaches(model))
            for name in sorted(name for name, count in counts.items() if count > 1):
                yield (
                    model.name,
                    f"two of its dimensions are called {name!r}: rename one where it is declared",
                )


def _spine(definitions: Definitions) -> Iterator[tuple[str, str]]:
    cumulative = [metric.name for metric in definitions.metrics.values() if metric.kind == "cumulative"]
    if cumulative and len(definitions.spines) != 1:
        yield (
            "time spine",
            f"{len(definitions.spines)} daily time spines; cumulative metrics need exactly one (`time_spine` "
            "on the date dimension)",
        )


def _exports(definitions: Definitions) -> Iterator[tuple[str, str]]:
    for export in definitions.exports:
        if export.filtered:
            yield (
                export.name,
                "a saved query may not filter or limit: two views would show one name's numbers",
            )
        asked = {name.rpartition("__")[2] for name in export.dimensions}
        for name in export.metrics:
            if name not in definitions.metrics:
                yield export.name, f"unknown metric {name}"
                continue
            reachable = set(definitions.dimensions(name).values())
            for dimension in export.dimensions:
                if dimension not in reachable:
                    yield export.name, f"{name} has no dimension {dimension}"
            requires = definitions.metric(name).meta.requires_by
            if requires and not asked & set(requires):
                yield export.name, f"{name} must be asked by {' or '.join(requires)}"


_RULES: dict[str, Callable[[Definitions], Iterator[tuple[str, str]]]] = {
    "no-orphan-measure": _orphans,
    "one-simple-metric": _one_simple_metric,
    "one-meaning": _words,
    "distinct-dimensions": _distinct_dimensions,
    "time-spine": _spine,
    "exports": _exports,
}
