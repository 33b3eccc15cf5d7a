"""Which columns of one query carry the value of some columns of its tables; nothing but the SQL is needed.

Only names that are reached are followed, so `select *` passes on what is reached without knowing the rest, and
no schema has to be looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import expressions as sql


@dataclass(frozen=True)
class Reach:
    """What of a table or query is reached: `values` by name, or all (`wild`); `rows`: which rows there are."""

    values: frozenset[str] = frozenset()
    rows: bool = False
    wild: bool = False
    certain: bool = True

    @property
    def anything(self) -> bool:
        return bool(self.values) or self.rows or self.wild

    def reads(self, name: str) -> bool:
        return self.wild or name.lower() in self.values


NOTHING = Reach()


class _Unclear(Exception):
    """A construct whose columns cannot be followed."""


def reach(code: str, tables: Mapping[str, Reach]) -> tuple[Reach | None, str]:
    """What a DuckDB query makes of what is reached in its tables (`schema.name`, lower case).

    Returns: (answer, "") or (None, why the query could not be followed).
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(code, read="duckdb")
        return _query(tree, {}, tables, {}), ""
    except _Unclear as unclear:
        return None, str(unclear)
    except (SqlglotError, RecursionError) as error:
        return None, (str(error).splitlines() or [type(error).__name__])[0]


Sources = dict[str, Reach]


def _query(node: sql.Expr, ctes: Sources, tables: Mapping[str, Reach], outer: Sources) -> Reach:
    from sqlglot import expressions as sql

    ctes = dict(ctes)
    with_ = node.args.get("with_") or node.args.get("with")
    recursive = bool(with_ and with_.args.get("recursive"))
    for cte in with_.expressions if with_ else []:
        name = cte.alias.lower()
        if recursive:
            # Its own name inside it: a second round sees what the first one reached.
            ctes[name] = NOTHING
            ctes[name] = _query(cte.this, ctes, tables, outer)
        ctes[name] = _renamed(_query(cte.this, ctes, tables, outer), cte, cte.this)
    if isinstance(node, sql.Subquery):
        return _query(node.this, ctes, tables, outer)
    if isinstance(node, sql.SetOperation):
        return _union(node, ctes, tables, outer)
    if isinstance(node, sql.Select):
        return _select(node, ctes, tables, outer)
    if isinstance(node, sql.Values):
        return NOTHING
    raise _Unclear(f"it is a {node.key}")


def _union(node: sql.SetOperation, ctes: Sources, tables: Mapping[str, Reach], outer: Sources) -> Reach:
    left, right = _query(node.left, ctes, tables, outer), _query(node.right, ctes, tables, outer)
    values = right.values
    if not node.args.get("by_name"):
        # By position: the right side's columns take the left side's names, where both are listed.
        names, others = _names(node.left), _names(node.right)
        if names and others and len(names) == len(others):
            values = frozenset(
                name for name, other in zip(names, others, strict=True) if other in right.values
            )
    return Reach(left.values | values, left.rows or right.rows, left.wild or right.wild)


def _select(node: sql.Select, ctes: Sources, tables: Mapping[str, Reach], outer: Sources) -> Reach:
    from sqlglot import expressions as sql

    sources: Sources = {}
    rows = False
    from_ = node.args.get("from_") or node.args.get("from")
    items = [from_.this] if from_ else []
    for join in node.args.get("joins") or []:
        items.append(join.this)
    items += node.args.get("laterals") or []
    for place, item in enumerate(items):
        found = _source(item, ctes, tables, {**outer, **sources})
        sources[(item.alias_or_name or f"#{place}").lower()] = found
        rows = rows or found.rows
        for inner in item.args.get("joins") or []:
            more = _source(inner.this, ctes, tables, {**outer, **sources})
            sources[(inner.this.alias_or_name or f"#{place}i").lower()] = more
            rows = rows or more.rows or _hit(inner.args.get("on"), sources, outer, ctes, tables, set())
    made: set[str] = set()
    values: set[str] = set()
    wild = False
    for projection in node.expressions:
        inner = projection.this if isinstance(projection, sql.Alias) else projection
        if isinstance(inner, sql.Star) or (
            isinstance(inner, sql.Column) and isinstance(inner.this, sql.Star)
        ):
            star = inner if isinstance(inner, sql.Star) else inner.this
            table = inner.table.lower() if isinstance(inner, sql.Column) else ""
            passed, all_ = _star(star, table, sources, outer, ctes, tables, made)
            values |= passed
            wild = wild or all_
        elif _hit(projection, sources, outer, ctes, tables, made):
            name = projection.alias_or_name.lower()
            if isinstance(projection, sql.Aliases) or isinstance(inner, sql.Columns) or not name:
                wild = wild or not name
            values |= {name} if name else set()
            made |= {name} if name else set()
    conditions = [node.args.get(key) for key in ("where", "having", "qualify", "group", "distinct")]
    if node.args.get("limit"):
        conditions.append(node.args.get("order"))
    for join in node.args.get("joins") or []:
        conditions.append(join.args.get("on"))
        for column in join.args.get("using") or []:
            name = column.name.lower()
            rows = rows or any(source.reads(name) for source in sources.values())
    rows = rows or any(_hit(item, sources, outer, ctes, tables, made) for item in conditions)
    if node.args.get("group") and node.args["group"].args.get("all"):
        rows = rows or any(
            _hit(item, sources, outer, ctes, tables, made)
            for item in node.expressions
            if not list(item.find_all(sql.AggFunc))
        )
    for item in (node.args.get("distinct") and node.expressions) or []:
        rows = rows or _hit(item, sources, outer, ctes, tables, made)
    if node.args.get("pivots") or any(item.args.get("pivots") for item in items):
        raise _Unclear("it pivots")
    return Reach(frozenset(values), rows, wild)


def _star(
    star: sql.Star,
    table: str,
    sources: Sources,
    outer: Sources,
    ctes: Sources,
    tables: Mapping[str, Reach],
    made: set[str],
) -> tuple[set[str], bool]:
    """What `*` or `t.*` passes on, less what it leaves out, with what it replaces or renames."""
    picked = [sources[table]] if table in sources else list(sources.values())
    values = {name for source in picked for name in source.values}
    left_out = {item.name.lower() for item in star.args.get("except_") or star.args.get("except") or []}
    for item in star.args.get("replace") or []:
        left_out.add(item.alias.lower())
    for item in star.args.get("rename") or []:
        old = item.this.name.lower()
        if old in values:
            values.add(item.alias.lower())
        left_out.add(old)
    values -= left_out
    for item in star.args.get("replace") or []:
        if _hit(item.this, sources, outer, ctes, tables, made):
            values.add(item.alias.lower())
    return values, any(source.wild for source in picked)


def _source(item: sql.Expr, ctes: Sources, tables: Mapping[str, Reach], outer: Sources) -> Reach:
    from sqlglot import expressions as sql

    if isinstance(item, sql.Table):
        if isinstance(item.this, sql.Func):
            return Reach(rows=True, wild=True) if _hit(item.this, {}, outer, ctes, tables, set()) else NOTHING
        name = item.name.lower()
        found = (
            ctes.get(name, NOTHING) if not item.db else tables.get(f"{item.db}.{item.name}".lower(), NOTHING)
        )
        return _renamed(found, item, None)
    if isinstance(item, sql.Subquery):
        found = _query(item.this, ctes, tables, outer)
        return _renamed(found, item, item.this)
    if isinstance(item, (sql.Lateral, sql.Unnest, sql.Values)):
        inner = item.this if isinstance(item, sql.Lateral) else item
        if isinstance(inner, (sql.Subquery, sql.Select)):
            return _query(inner, ctes, tables, outer)
        return Reach(rows=True, wild=True) if _hit(inner, {}, outer, ctes, tables, set()) else NOTHING
    raise _Unclear(f"it reads from a {item.key}")


def _renamed(found: Reach, item: sql.Expr, query: sql.Expr | None) -> Reach:
    """`as t(a, b)`: columns get new names by position."""
    alias = item.args.get("alias")
    new = [column.name.lower() for column in (alias.args.get("columns") or [])] if alias else []
    if not new or not found.values:
        return found
    names = _names(query) if query is not None else []
    if len(names) != len(new):
        return Reach(found.values, found.rows, wild=True)
    values = frozenset(to for old, to in zip(names, new, strict=True) if old in found.values)
    return Reach(values, found.rows, found.wild)


def _names(node: sql.Expr) -> list[str]:
    """The names of a query's columns if all are listed, else nothing."""
    from sqlglot import expressions as sql

    while isinstance(node, (sql.SetOperation, sql.Subquery)):
        node = node.left if isinstance(node, sql.SetOperation) else node.this
    if not isinstance(node, sql.Select):
        return []
    names = [item.alias_or_name.lower() for item in node.expressions]
    return names if all(name and name != "*" for name in names) else []


def _hit(
    expression: sql.Expr | None,
    sources: Sources,
    outer: Sources,
    ctes: Sources,
    tables: Mapping[str, Reach],
    made: set[str],
) -> bool:
    """Whether an expression reads something reached: a column, a name made beside it, or a subquery."""
    from sqlglot import expressions as sql

    if not isinstance(expression, sql.Expr):
        return False
    queries = (sql.Select, sql.SetOperation)
    for node in expression.walk(prune=lambda item: isinstance(item, queries)):
        if isinstance(node, queries):
            if _query(node, ctes, tables, {**outer, **sources}).anything:
                return True
        elif isinstance(node, sql.Column) and not isinstance(node.this, sql.Star):
            name, table = node.name.lower(), node.table.lower()
            if table and table in sources:
                found = sources[table].reads(name)
            elif table and table in outer:
                found = outer[table].reads(name)
            elif table:
                # `column.field` of a struct reads like `table.column`.
                found = any(source.reads(table) for source in sources.values())
            else:
                found = name in made or any(
                    source.reads(name) for source in (*sources.values(), *outer.values())
                )
            if found:
                return True
        elif (
            isinstance(node, (sql.Star, sql.Columns))
            and not isinstance(node.parent, sql.Count)
            and any(source.values or source.wild for source in sources.values())
        ):
            return True
    return False
