"""Schema `metrics` of the warehouse: the same numbers for SQL tools, for the command line and for pages.

- one wide view per saved query export, with native types;
- `metric_values`: one row per metric, grain, dimension set, period and dimension values;
- `metric_catalog`: what each metric means; `metric_word`: which word means which metric;
- `contradiction`: one word with two meanings, two names with one meaning, words too alike;
- `metric('sales_order_amount_net', grain := 'month', dims_by := 'customer_code')`: a table macro that
  answers from `metric_values` and raises an error for a name that does not exist;
- `compiled_query`, `trace_plan`, `semantic_manifest`: what `answer` and `trace` need to work without dbt;
- `fact_check`: what the data must keep for the units, currencies and tax bases of the measures to be true.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.metrics import contradictions
from tieout.metrics.answer import dim_set
from tieout.metrics.definitions import Definitions, Export, Metric, read
from tieout.metrics.dictionary import words
from tieout.metrics.errors import DefinitionError
from tieout.metrics.macro import METRIC_MACRO
from tieout.metrics.marts import Marts, marts_in
from tieout.metrics.mixing import fact_checks, stored
from tieout.metrics.rules import require
from tieout.metrics.trace import plan_of
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.engine import Engine

# SQL by (version, metric, grain, dimension set) and (version, export).
_Known = dict[tuple[str, ...], str]
_ByGrain = tuple[str, dict[str | None, str]]  # version, SQL by grain

_REPORTED = ("month", "quarter", "year")
_ROLLED_UP = ("quarter", "year")
# SQL compiled ahead, beside dbt's semantic_manifest.json.
COMPILED = "compiled_metrics.json"

_TABLES = {
    "metric_catalog": """
        metric_name text primary key, label text, description_zh text, description_en text, kind text,
        owner text, agreed_by text, unit text, currency text, tax text, time_role text, additivity text,
        formula text, replaces text, requires_by text, dimensions text, definition_version text""",
    "compiled_query": """
        metric_name text, time_grain text, dim_set text, sql text, compile_version text, has_values boolean,
        primary key (metric_name, time_grain, dim_set)""",
    "export_query": "export_name text primary key, sql text, compile_version text",
    "trace_plan": "metric_name text primary key, plan text",
    "metric_word": """
        word text, language text, department text, metric_name text, kind text,
        primary key (word, metric_name, kind)""",
    "contradiction": """
        kind text, one text, other text, word_one text, word_other text, said_zh text, said_en text,
        year date, value_one decimal(38, 8), value_other decimal(38, 8), difference decimal(38, 8)""",
    "fact_check": """
        fact text, check_id text, title text, owner text, from_rows text, broken_if text,
        primary key (fact, check_id)""",
    "semantic_manifest": "content_hash text primary key, content text",
    "metric_values": """
        metric_name text, time_grain text, dim_set text, period_start date, dims text,
        value decimal(38, 8), unit text, currency_code text""",
}
_COMMENTS = {
    "metric_values": (
        "指标值：每指标、粒度、维度组合、期间一行 / One row per metric, grain, dimension set, period and members"
    ),
    "metric_catalog": "指标目录：口径、负责人、单位、税 / What each metric means, who owns it, its unit and tax",
    "compiled_query": "已编译的查询 / Compiled SQL by metric, grain and dimension set",
    "export_query": "宽表视图的查询 / SQL of the wide views",
    "trace_plan": "追溯路径 / How a cell leads to its rows",
    "metric_word": "口径词：哪个说法是哪个指标 / Which word means which metric, and in which department",
    "contradiction": "口径矛盾：一词多义、一义多名、近似的词 / Where the dictionary contradicts itself, and by how much",
    "fact_check": "计量类型检查：数据须守住单位、币种、税 / What the rows of a fact must keep for its measures to be true",
    "semantic_manifest": "指标定义原文 / The definitions themselves",
}


@dataclass(frozen=True)
class Layer:
    """What `build_layer` made: counts of metrics, wide views, rows of metric_values, newly compiled queries."""

    metrics: int
    views: int
    values: int
    compiled: int


def build_layer(con: duckdb.DuckDBPyConnection, semantic_manifest: Path, manifest: Path) -> Layer:
    """Create or replace schema `metrics` in one transaction; what does not change is not compiled again.

    Args:
        con: The warehouse, no transaction open; the marts are built.
        semantic_manifest: dbt's `semantic_manifest.json`; SQL that was compiled ahead lies beside it.
        manifest: dbt's `manifest.json`; only what it says of columns is read.

    Raises: DefinitionError if a rule is broken or a definition does not fit the marts; the schema stays
        as it was.
    """
    import duckdb

    definitions = read(semantic_manifest)
    document = json.loads(manifest.read_text(encoding="utf-8"))
    marts = marts_in(document)
    require(definitions, marts)
    con.execute("begin transaction")
    try:
        ahead = _compiled_ahead(semantic_manifest.with_name(COMPILED), definitions)
        layer = _build(con, definitions, ahead, marts, _column_titles(document))
        con.execute("commit")
    except duckdb.Error as error:
        con.execute("rollback")
        raise DefinitionError(
            f"the metrics do not fit the marts: {error}\nSchema metrics was left as it was. "
            "Compare the measure's columns with the mart's."
        ) from error
    except BaseException:
        con.execute("rollback")
        raise
    return layer


def compile_ahead(definitions: Definitions, file: Path) -> None:
    """Compile everything `build_layer` will ask for into `file`; needs no warehouse.

    Raises: DefinitionError if a rule is broken; nothing is written.
    """
    require(definitions)
    queries, exports = _Compiler(definitions, {}).everything()
    sql = [
        *(
            (version, name, grain or "all", dim_set(names), text)
            for (name, names), (version, by_grain) in queries.items()
            for grain, text in by_grain.items()
        ),
        *((version, name, text) for name, (version, text) in exports.items()),
    ]
    write_whole(file, json.dumps({"made_from": _made_from(definitions), "sql": sql}, ensure_ascii=False))


def _compiled_ahead(file: Path, definitions: Definitions) -> _Known:
    """What `compile_ahead` left there, if it was made from these very definitions by this very code."""
    try:
        left = json.loads(file.read_text(encoding="utf-8"))
        if left["made_from"] != _made_from(definitions):
            return {}
        return {tuple(key): sql for *key, sql in left["sql"]}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _made_from(definitions: Definitions) -> str:
    return hashlib.sha256(f"{_compiler_version()} {definitions.text}".encode()).hexdigest()


def _build(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    ahead: _Known,
    marts: Marts,
    titles: dict[str, str],
) -> Layer:
    def has_values(name: str, names: tuple[str, ...], grain: str | None) -> bool:
        """Dimension sets are materialised at the grains people report in; the total also by day and week."""
        metric = definitions.metric(name)
        unit_known = metric.meta.unit in names or metric.meta.unit not in definitions.dimensions(name)
        return unit_known and (grain in (None, *_REPORTED) or not names)

    con.execute("create schema if not exists metrics")
    compiler = _Compiler(definitions, {**ahead, **_compiled_before(con)})
    queries, exports = compiler.everything()
    _drop_stale_views(con, set(exports))
    for table, columns in _TABLES.items():
        con.execute(f"create or replace table metrics.{table} ({columns})")
        con.execute(f"comment on table metrics.{table} is {literal(_COMMENTS[table])}")
    _fill(
        con,
        "metric_catalog",
        [_catalogue_row(definitions, metric) for metric in definitions.metrics.values()],
    )
    _fill(
        con,
        "compiled_query",
        [
            (name, grain or "all", dim_set(names), sql, version, str(has_values(name, names, grain)))
            for (name, names), (version, by_grain) in queries.items()
            for grain, sql in by_grain.items()
        ],
    )
    _fill(con, "export_query", [(name, sql, version) for name, (version, sql) in exports.items()])
    plans = [
        (name, json.dumps(asdict(plan_of(definitions, name)), ensure_ascii=False))
        for name in definitions.metrics
    ]
    _fill(con, "trace_plan", plans)
    _fill(con, "metric_word", [word.row for word in words(definitions)])
    _fill(con, "fact_check", [stored(check) for check in fact_checks(definitions, marts)])
    content_hash = hashlib.sha256(definitions.text.encode()).hexdigest()[:16]
    _fill(con, "semantic_manifest", [(content_hash, definitions.text)])
    for (name, names), (_, by_grain) in queries.items():
        for grain, sql in by_grain.items():
            if has_values(name, names, grain) and not (grain in _ROLLED_UP and _adds_up(definitions, name)):
                con.execute(values_insert(definitions.metric(name), names, grain, sql))
    _roll_up(con, [name for name in definitions.metrics if _adds_up(definitions, name)])
    contradictions.fill(con, definitions, marts)
    for export in definitions.exports:
        _create_view(con, definitions, export, exports[export.name][1], titles)
    con.execute(METRIC_MACRO)
    row = con.execute("select count(*) from metrics.metric_values").fetchone()
    assert row is not None
    return Layer(len(definitions.metrics), len(exports), row[0], compiler.compiled)


def _adds_up(definitions: Definitions, name: str) -> bool:
    metric = definitions.metric(name)
    return metric.kind == "simple" and metric.meta.additivity == "additive"


def _roll_up(con: duckdb.DuckDBPyConnection, metrics: Sequence[str]) -> None:
    """Quarters and years of metrics that add up, from their months: half of all queries less, the same values.

    The total of all time is asked for by itself, since rows without a date are in it and in no month.
    """
    names = ", ".join(literal(name) for name in metrics)
    for grain in _ROLLED_UP if metrics else ():
        con.execute(
            f"""
            insert into metrics.metric_values
            select metric_name, '{grain}', dim_set, cast(date_trunc('{grain}', period_start) as date) as start, dims,
                sum(value), unit, currency_code
            from metrics.metric_values where time_grain = 'month' and metric_name in ({names})
            group by metric_name, dim_set, start, dims, unit, currency_code
            """
        )


def _fill(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Insert text rows in one statement."""
    if rows:
        values = ",\n".join(f"({', '.join(literal(text) for text in row)})" for row in rows)
        con.execute(f"insert into metrics.{table} values {values}")


def dimension_sets(metric: Metric) -> tuple[tuple[str, ...], ...]:
    """Dimension sets compiled ahead: the total, if it may be asked for, and those `by` declares; sorted."""
    total = () if metric.meta.requires_by else ((),)
    declared = (tuple(sorted(names)) for names in metric.meta.by)
    return tuple(dict.fromkeys((*total, *declared)))


class _Compiler:
    """Compiled SQL, from before where the definitions it depends on are the same."""

    def __init__(self, definitions: Definitions, known: _Known) -> None:
        self.definitions = definitions
        self.known = known
        self.compiled = 0
        self._engine: Engine | None = None

    def everything(self) -> tuple[dict[tuple[str, tuple[str, ...]], _ByGrain], dict[str, tuple[str, str]]]:
        """Queries by metric and dimension set, and exports by name, each with its version."""
        queries = {
            (name, names): self.metric(name, names)
            for name, metric in self.definitions.metrics.items()
            for names in dimension_sets(metric)
        }
        return queries, {export.name: self.export(export) for export in self.definitions.exports}

    def metric(self, name: str, names: tuple[str, ...]) -> _ByGrain:
        version = self._version([name])
        grains = (None, "day", "week", "month", "quarter", "year")
        stored = {grain: self.known.get((version, name, grain or "all", dim_set(names))) for grain in grains}
        if all(stored.values()):
            return version, {grain: str(sql) for grain, sql in stored.items()}
        self.compiled += 1
        return version, self.engine.all_grains(name, names)

    def export(self, export: Export) -> tuple[str, str]:
        version = self._version(export.metrics, repr((export.metrics, export.grain, export.dimensions)))
        stored = self.known.get((version, export.name))
        if stored is None:
            self.compiled += 1
            stored = self.engine.wide(export.metrics, export.grain, export.dimensions)
        return version, stored

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            from tieout.metrics.engine import Engine

            self._engine = Engine(self.definitions)
        return self._engine

    def _version(self, names: tuple[str, ...] | list[str], more: str = "") -> str:
        parts = [_compiler_version(), *(self.definitions.compile_version(name) for name in names), more]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


@cache
def _compiler_version() -> str:
    """Content hash of what turns definitions into SQL: both libraries' versions and our own module."""
    from importlib.metadata import version

    ours = Path(__file__).with_name("engine.py").read_bytes()
    return f"{version('metricflow')} {version('sqlglot')} {hashlib.sha256(ours).hexdigest()}"


def _compiled_before(con: duckdb.DuckDBPyConnection) -> _Known:
    """SQL of the last build."""
    there = con.execute(
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'metrics' and table_name in ('compiled_query', 'export_query')"
    ).fetchone()
    if not there or there[0] != 2:
        return {}
    queries = con.execute(
        "select compile_version, metric_name, time_grain, dim_set, sql from metrics.compiled_query"
    ).fetchall()
    exports = con.execute("select compile_version, export_name, sql from metrics.export_query").fetchall()
    return {tuple(row[:-1]): row[-1] for row in (*queries, *exports)}


def _catalogue_row(definitions: Definitions, metric: Metric) -> tuple[str, ...]:
    meta = metric.meta
    zh, en = metric.descriptions
    return (
        metric.name, metric.label, zh, en, metric.kind, meta.owner, ",".join(meta.agreed_by), meta.unit,
        meta.currency, meta.tax, ",".join(meta.time_role), meta.additivity, formula(definitions, metric),
        ",".join(meta.replaces), ",".join(meta.requires_by), ",".join(definitions.dimensions(metric.name)),
        definitions.version(metric.name),
    )  # fmt: skip


def formula(definitions: Definitions, metric: Metric) -> str:
    """How a metric is computed, in one line: 原子指标 (measure) of a mart, or an expression of other metrics."""
    if metric.kind == "ratio":
        top, bottom = metric.inputs
        return f"{top.metric} / nullif({bottom.metric}, 0)"
    if metric.kind == "derived":
        names = ", ".join(f"{item.alias} = {item.metric}" for item in metric.inputs)
        return f"{metric.expr} where {names}"
    measure = definitions.measures[metric.measures[0]]
    model = definitions.models[measure.model]
    over = f" by {model.time_expr(measure.time)}"
    if metric.kind == "cumulative":
        over = f" up to the end of the period of {model.time_expr(measure.time)}"
    if measure.non_additive:
        over = f" on the last {model.time_expr(measure.non_additive)} of the period"
    return f"{measure.agg}({measure.expr}) of {model.relation}{over}"


def values_insert(metric: Metric, names: tuple[str, ...], grain: str | None, sql: str) -> str:
    meta = metric.meta
    pairs = ", ".join(f"{literal(name)}, cast({quoted(name)} as text)" for name in names)
    dims = f"cast(json_object({pairs}) as text)" if names else "'{}'"
    # Where the unit or currency is a dimension, the member says it; otherwise the definition does.
    unit = f"cast({quoted(meta.unit)} as text)" if meta.unit in names else literal(meta.unit)
    currency = {"none": "null", "document": quoted("currency_code")}.get(
        meta.currency, literal(meta.currency)
    )
    period = "period_start" if grain else "null"
    return (
        "insert into metrics.metric_values\n"
        f"select {literal(metric.name)}, {literal(grain or 'all')}, {literal(dim_set(names))}, {period},"
        f" {dims}, cast(value as decimal(38, 8)), {unit}, {currency}\nfrom (\n{sql}\n) as asked"
    )


def _create_view(
    con: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    export: Export,
    sql: str,
    titles: dict[str, str],
) -> None:
    view = f"metrics.{quoted(export.name)}"
    con.execute(f"create or replace view {view} as {sql}")
    title = " ".join(f"{export.label}：{export.description}".split())
    con.execute(f"comment on view {view} is {literal(title)}")
    comments = {"period_start": "期间开始日 / First day of the period"} if export.grain else {}
    for dimension in export.dimensions:
        name = dimension.rpartition("__")[2]
        comments[name] = titles.get(dimension, name)
    for name in export.metrics:
        metric = definitions.metric(name)
        comments[name] = f"{metric.label} / {name}, {metric.meta.unit}"
    for column, comment in comments.items():
        con.execute(f"comment on column {view}.{quoted(column)} is {literal(comment)}")


def _drop_stale_views(con: duckdb.DuckDBPyConnection, exports: set[str]) -> None:
    """Views of exports that are gone; views somebody else made in the schema are left alone."""
    there = con.execute(
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'metrics' and table_name = 'export_query'"
    ).fetchone()
    if there and there[0]:
        for (name,) in con.execute("select export_name from metrics.export_query").fetchall():
            if name not in exports:
                con.execute(f"drop view if exists metrics.{quoted(name)}")


def _column_titles(document: dict) -> dict[str, str]:
    """Comment of each dimension by the compiler's name: its label, and the mart column's description."""
    titles: dict[str, str] = {}
    for model in document.get("semantic_models", {}).values():
        node = document["nodes"].get(next(iter(model["depends_on"]["nodes"]), ""), {})
        columns = node.get("columns", {})
        entities = [item["name"] for item in model["entities"] if item["type"] in {"primary", "unique"}]
        for dimension in model["dimensions"]:
            written = columns.get(dimension.get("expr") or dimension["name"], {}).get("description") or ""
            title = written or dimension.get("label") or dimension["name"]
            for entity in (*entities, model.get("primary_entity")):
                if entity:
                    titles[f"{entity}__{dimension['name']}"] = title
    return titles
