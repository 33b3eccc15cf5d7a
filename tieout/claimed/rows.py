"""The rows behind a metric, with everything a department may have read otherwise: dates, conditions, columns, members.

Amounts are whole numbers of 1/10,000: sums are exact, and fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from tieout.engine import quoted
from tieout.metrics.trace import Plan
from tieout.pages.words import Both

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

UNITS = 10_000  # of an amount in one
NEVER = 10**7  # a day that does not come: rows without a date are in no period
EPOCH = date(1970, 1, 1).toordinal()

_OF_THE_SOURCE = frozenset({"source_system", "source_stream", "source_record"})
# Statutory rates of value added tax, beside those the documents themselves carry.
_TAX_RATES = (Decimal("0.13"), Decimal("0.09"), Decimal("0.06"), Decimal("0.03"))
# A text with more different values than this is no kind or status but a name or a number.
_MOST_KINDS = 12


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    title: Both

    @property
    def is_date(self) -> bool:
        return self.type == "DATE" or self.type.startswith("TIMESTAMP")

    @property
    def is_amount(self) -> bool:
        return self.type.startswith("DECIMAL")


@dataclass(frozen=True)
class Measured:
    """The amounts of all rows read from another column, or computed otherwise."""

    cause: str
    title: Both
    amounts: np.ndarray


@dataclass(frozen=True)
class Coded:
    """A column of texts: each row has the place of its text in `names`."""

    names: list[str]
    codes: np.ndarray

    def taken(self, mask: np.ndarray) -> Coded:
        return Coded(self.names, self.codes[mask])

    def rows_of(self, name: str) -> np.ndarray:
        return self.codes == (self.names.index(name) if name in self.names else -1)


@dataclass
class Rows:
    """Rows of one mart around the periods asked for; every array has one entry a row."""

    relation: str
    kind: str  # rows | running | last
    amounts: np.ndarray
    documents: np.ndarray  # code of the document, into `names`
    names: Sequence[str]
    days: dict[str, np.ndarray]  # "" is the metric's own time; days since 1970
    holds: list[
        tuple[str, Both, np.ndarray]
    ]  # conditions of the measure: name, title, whether a row fulfils it
    flags: dict[str, tuple[Both, np.ndarray]]
    kinds: dict[str, tuple[Both, Coded]]
    members: dict[str, Coded]
    measured: list[Measured]
    titles: dict[str, Both] = field(default_factory=dict)
    rates: tuple[Decimal, ...] = ()
    snapshots: tuple[int, ...] = ()  # days of the snapshot, where the metric is one

    @property
    def count(self) -> int:
        return len(self.amounts)

    @cached_property
    def counted(self) -> np.ndarray:
        """Rows that fulfil every condition of the measure."""
        import numpy as np

        whole = np.ones(self.count, bool)
        for _, _, mask in self.holds:
            whole &= mask
        return whole

    def within(self, start: date | None, end: date, column: str = "") -> np.ndarray:
        days = self.days[column]
        upper = days < end.toordinal() - EPOCH
        return upper if start is None else upper & (days >= start.toordinal() - EPOCH)

    def of(self, filters: Mapping[str, str]) -> np.ndarray:
        import numpy as np

        whole = np.ones(self.count, bool)
        for dimension, member in filters.items():
            whole &= self.members[dimension].rows_of(member)
        return whole

    def taken(self, mask: np.ndarray) -> Rows:
        """Only these rows."""
        import numpy as np

        kept, documents = np.unique(self.documents[mask], return_inverse=True)
        return replace(
            self,
            amounts=self.amounts[mask],
            documents=documents,
            names=[self.names[code] for code in kept],
            days={name: days[mask] for name, days in self.days.items()},
            holds=[(name, title, array[mask]) for name, title, array in self.holds],
            flags={name: (title, array[mask]) for name, (title, array) in self.flags.items()},
            kinds={name: (title, texts.taken(mask)) for name, (title, texts) in self.kinds.items()},
            members={name: texts.taken(mask) for name, texts in self.members.items()},
            measured=[replace(one, amounts=one.amounts[mask]) for one in self.measured],
        )

    def until(self, start: date, end: date) -> date:
        """The end that counts: of a snapshot, its last day inside the period."""
        if self.kind != "last":
            return end
        first, last = start.toordinal() - EPOCH, end.toordinal() - EPOCH
        inside = [day for day in self.snapshots if first <= day < last]
        return date.fromordinal(max(inside) + EPOCH + 1) if inside else start


def units(value: Decimal) -> int:
    """An amount in 1/10,000, to the nearest."""
    return int((value * UNITS).to_integral_value())


def amount(value: int) -> Decimal:
    """Back again, with the digits that are there and at least two."""
    exact = Decimal(int(value)) / UNITS
    return exact.quantize(Decimal("0.01")) if exact == exact.quantize(Decimal("0.01")) else exact


class Marts:
    """Reads rows of marts; what was read once for a file is not read again."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self._read: dict[tuple, Rows] = {}

    @cached_property
    def columns(self) -> dict[str, dict[str, Column]]:
        """`schema.table` → its columns."""
        found: dict[str, dict[str, Column]] = {}
        for schema, table, name, kind, comment in self.con.execute(
            "select schema_name, table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns()"
            " where not internal order by schema_name, table_name, column_index"
        ).fetchall():
            zh, _, en = str(comment).partition(" / ")
            title = Both(_first_words(zh) or name, _first_words(en) or name)
            found.setdefault(f"{schema}.{table}", {})[name] = Column(name, kind, title)
        return found

    def rows(self, plan: Plan, start: date | None, end: date) -> Rows:
        """The rows a metric could be made of between two days, a month of margin included by the caller."""
        key = (plan.metric, start, end)
        if key not in self._read:
            self._read[key] = _read(self.con, self.columns, plan, start, end)
        return self._read[key]


def _first_words(text: str) -> str:
    """A title without its explanation: 订单日期，未定为空 is 订单日期."""
    return re.split(r"[，；：:;,（(]", text.strip(), maxsplit=1)[0].strip()


@dataclass(frozen=True)
class _Shape:
    """The measure taken apart: `value` of a row that fulfils all `conditions`."""

    value: str
    conditions: tuple[str, ...]
    column: str | None  # the one column of `value`


def taken_apart(expr: str) -> _Shape:
    """`case when a and b then x end` is x under a and b; anything else is itself without conditions."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(expr, dialect="duckdb")
    conditions: tuple[str, ...] = ()
    value: exp.Expr = tree
    if isinstance(tree, exp.Case) and tree.this is None and len(tree.args["ifs"]) == 1:
        default = tree.args.get("default")
        if default is None or default.sql() in {"0", "NULL"}:
            branch = tree.args["ifs"][0]
            inner = branch.this.unnest()
            parts = inner.flatten() if isinstance(inner, exp.And) else [inner]
            conditions = tuple(part.sql(dialect="duckdb") for part in parts)
            value = branch.args["true"]
    names = {column.name for column in value.find_all(exp.Column)}
    return _Shape(value.sql(dialect="duckdb"), conditions, names.pop() if len(names) == 1 else None)


def _read(
    con: duckdb.DuckDBPyConnection,
    columns: Mapping[str, Mapping[str, Column]],
    plan: Plan,
    start: date | None,
    end: date,
) -> Rows:
    here = columns[plan.relation]
    shape = taken_apart(plan.amount)
    select: dict[str, str] = {"_x": _whole(shape.value)}
    for number, condition in enumerate(shape.conditions):
        select[f"_c{number}"] = f"coalesce({condition}, false)"
    select["_doc"] = _document(here)
    dates = {"": plan.time}
    dates |= {
        name: quoted(name)
        for name, column in here.items()
        if column.is_date and quoted(name) != quoted(plan.time)
    }
    joins: list[str] = []
    titles = {name: column.title for name, column in here.items()}
    titles[""] = here[plan.time].title if plan.time in here else Both(plan.time, plan.time)
    for name, expr, join, title in _linked_dates(columns, plan.relation):
        dates[name] = expr
        titles[name] = title
        joins.append(join)
    for number, expr in enumerate(dates.values()):
        select[f"_d{number}"] = f"coalesce(cast({expr} as date) - date '1970-01-01', {NEVER})"
    flags = {
        name: column.title for name, column in here.items()
        if column.type == "BOOLEAN" and name not in {part.strip('"') for part in shape.conditions}
    }  # fmt: skip
    for number, name in enumerate(flags):
        select[f"_f{number}"] = f"coalesce({quoted(name)}, false)"
    kinds = _kinds(con, here, plan, shape)
    for number, name in enumerate(kinds):
        select[f"_k{number}"] = f"coalesce({quoted(name)}, '')"
    variants = _variants(here, shape)
    for number, (_, _, expr) in enumerate(variants):
        select[f"_m{number}"] = _whole(expr)
    for number, join in enumerate(plan.joins.values()):
        if join.relation is None:
            select[f"_g{number}"] = f"cast(({join.expr}) as text)"
        else:
            joins.append(
                f"left join (select ({join.primary_key}) as _key, cast(({join.expr}) as text) as _member"
                f" from {join.relation}) as dim{number} on fact.{quoted(str(join.foreign_key))} = dim{number}._key"
            )
            select[f"_g{number}"] = f"dim{number}._member"
    listed = ", ".join(f"{expr} as {name}" for name, expr in select.items())
    window = [f"_d{number} < {end.toordinal() - EPOCH}" for number in range(len(dates))]
    if start is not None:
        first = start.toordinal() - EPOCH
        window = [f"(_d{number} >= {first} and {upper})" for number, upper in enumerate(window)]
    failing = " + ".join(f"cast(not _c{number} as integer)" for number in range(len(shape.conditions))) or "0"
    amounts = " or ".join(f"coalesce({name}, 0) <> 0" for name in select if name[:2] in {"_x", "_m"})
    found = con.execute(
        f"select * from (select {listed} from {plan.relation} as fact {' '.join(joins)}) as read\n"
        f"where ({' or '.join(window)}) and {failing} <= 1 and ({amounts})\norder by _doc"
    ).to_arrow_table()
    return _rows(con, plan, found, list(dates), titles, shape, flags, kinds, variants)


def _rows(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    found: pa.Table,
    dates: Sequence[str],
    titles: Mapping[str, Both],
    shape: _Shape,
    flags: Mapping[str, Both],
    kinds: Mapping[str, Both],
    variants: Sequence[tuple[str, Both, str]],
) -> Rows:
    documents = _coded(found["_doc"])
    snapshots: tuple[int, ...] = ()
    if plan.kind == "last":
        snapshots = tuple(
            int(day) for (day,) in con.execute(
                f"select distinct cast({plan.snapshot_day} as date) - date '1970-01-01' from {plan.snapshot}"
            ).fetchall()
        )  # fmt: skip
    return Rows(
        plan.relation,
        plan.kind,
        _numbers(found["_x"]),
        documents.codes,
        [name.partition("\t")[2] for name in documents.names],
        {name: _numbers(found[f"_d{number}"]) for number, name in enumerate(dates)},
        [
            (part, titles.get(part.strip('"'), Both(part, part)), _truths(found[f"_c{number}"]))
            for number, part in enumerate(shape.conditions)
        ],
        {name: (title, _truths(found[f"_f{number}"])) for number, (name, title) in enumerate(flags.items())},
        {name: (title, _coded(found[f"_k{number}"])) for number, (name, title) in enumerate(kinds.items())},
        {name: _coded(found[f"_g{number}"]) for number, name in enumerate(plan.joins)},
        [
            Measured(cause, title, _numbers(found[f"_m{number}"]))
            for number, (cause, title, _) in enumerate(variants)
        ],
        dict(titles),
        _rates(con, plan.relation, titles),
        snapshots,
    )


def _whole(expr: str) -> str:
    return f"cast(round(cast(({expr}) as decimal(38, 8)) * {UNITS}, 0) as bigint)"


def _numbers(values: pa.ChunkedArray) -> np.ndarray:
    return values.fill_null(0).to_numpy().astype("int64")


def _truths(values: pa.ChunkedArray) -> np.ndarray:
    return values.to_numpy().astype(bool)


def _coded(values: pa.ChunkedArray) -> Coded:
    """Texts by their places in a list; nothing is an empty text."""
    import pyarrow as pa

    coded = values.cast(pa.string()).fill_null("").combine_chunks().dictionary_encode()
    return Coded(coded.dictionary.to_pylist(), coded.indices.to_numpy().astype("int64"))


def _document(here: Mapping[str, Column]) -> str:
    """What people call the document of a row: its first number, else its first id; of which system, before a tab."""
    numbers = [name for name in here if name.endswith("_no")][:1]
    numbers += [name for name in here if name.endswith("_id")][:1]
    if "source_record" in here:
        numbers.append("source_record")
    said = ", ".join(f"cast({quoted(name)} as text)" for name in numbers) or "''"
    system = quoted("source_system") if "source_system" in here else "''"
    return f"{system} || chr(9) || coalesce({said}, '')"


def _linked_dates(
    columns: Mapping[str, Mapping[str, Column]], relation: str
) -> list[tuple[str, str, str, Both]]:
    """Dates of other marts that a row leads to by a key: name, expression, join, title.

    Where several rows stand on the other side (an order line shipped twice), the first day counts.
    """
    here = columns[relation]
    own = next(iter(here))
    schema = relation.partition(".")[0]
    found = []
    for other, there in columns.items():
        if other == relation or not other.startswith(f"{schema}.fct_"):
            continue
        key = next(iter(there))
        linked = (
            own
            if own.endswith("_key") and own in there
            else key
            if key.endswith("_key") and key in here
            else None
        )
        if linked is None:
            continue
        days = [name for name, column in there.items() if column.is_date and name not in here]
        if not days:
            continue
        alias = f"link{len(found)}_{other.rpartition('.')[2]}"
        picked = ", ".join(f"min({quoted(name)}) as {quoted(name)}" for name in days)
        join = (
            f"left join (select {quoted(linked)} as _key, {picked} from {other} group by 1) as {alias}"
            f" on fact.{quoted(linked)} = {alias}._key"
        )
        for place, name in enumerate(days):
            label = f"{other.rpartition('.')[2]}.{name}"
            found.append((label, f"{alias}.{quoted(name)}", join if place == 0 else "", there[name].title))
    return found


def _kinds(
    con: duckdb.DuckDBPyConnection, here: Mapping[str, Column], plan: Plan, shape: _Shape
) -> dict[str, Both]:
    """Text columns with few different values: kinds, states, currencies."""
    texts = [
        name for name, column in here.items()
        if column.type == "VARCHAR" and name not in _OF_THE_SOURCE
        and not name.endswith(("_key", "_no", "_id", "_nos", "_name", "_document", "_reference"))
        and name != shape.column and name not in plan.joins
    ]  # fmt: skip
    if not texts:
        return {}
    counts = (
        con.execute(
            "select "
            + ", ".join(f"approx_count_distinct({quoted(name)})" for name in texts)
            + f" from {plan.relation}"
        ).fetchone()
        or ()
    )
    return {
        name: here[name].title for name, count in zip(texts, counts, strict=True) if 2 <= count <= _MOST_KINDS
    }


def _variants(here: Mapping[str, Column], shape: _Shape) -> list[tuple[str, Both, str]]:
    """Other amounts of the same rows: cause, title, expression."""
    name, found = shape.column, []

    def instead(other: str) -> str:
        return re.sub(rf'"?\b{re.escape(str(name))}\b"?', quoted(other).replace("\\", "\\\\"), shape.value)

    if name is None or name not in here:
        return found
    taxed = _other_tax(here, name)
    if taxed:
        found.append(("tax", _in_place(here, taxed, name), instead(taxed)))
    elif derived := _derived_tax(here, name):
        title, factor = derived
        found.append(("tax", title, f"round(({shape.value}) * {factor}, 2)"))
    if name.endswith("_cny") and (txn := name.removesuffix("_cny") + "_txn") in here:
        title = Both("外币按面值相加", "foreign documents added at face value")
        found.append(("currency", title, instead(txn)))
    if name.endswith("_qty_base") and (stated := name.removesuffix("_base")) in here:
        found.append(
            (
                "unit",
                Both("按单据单位而非基本单位", "in the unit of the document, not the base unit"),
                instead(stated),
            )
        )
    ending = name.rpartition("_")[2]
    skipped = {taxed, name}
    for other, column in here.items():
        if (
            other in skipped
            or not column.is_amount
            or other.rpartition("_")[2] != ending
            or "price" in other
            or "tax" in other
        ):
            continue
        found.append(("definition", _in_place(here, other, name), instead(other)))
        found.append(("status", Both(f"另加 {column.title.zh}", f"with {column.title.en} added"),
                      f"coalesce({shape.value}, 0) + coalesce({instead(other)}, 0)"))  # fmt: skip
    found.append(
        ("returns", Both("退货未减而加", "returns added instead of deducted"), f"abs({shape.value})")
    )
    if ending in {"cny", "txn"}:
        title = Both("逐行四舍五入到元", "each line rounded to whole units")
        found.append(("rounding", title, f"round({shape.value}, 0)"))
    return found


def _in_place(here: Mapping[str, Column], other: str, name: str) -> Both:
    return Both(f"用 {here[other].title.zh}（{other}）", f"{other} in place of {name}")


def _other_tax(here: Mapping[str, Column], name: str) -> str | None:
    """The column of the same amount with the other tax basis."""
    for mine, other in (("_net_", "_gross_"), ("_gross_", "_net_")):
        if mine in name and name.replace(mine, other) in here:
            return name.replace(mine, other)
    return None


def _derived_tax(here: Mapping[str, Column], name: str) -> tuple[Both, str] | None:
    """With tax, where the mart has that amount in the document's currency only, or just the rate."""
    if "_net_" not in name:
        return None
    net = re.sub(r"_cny$", "_txn", name)
    gross = net.replace("_net_", "_gross_")
    title = Both("含税而非不含税", "tax included instead of excluded")
    if net in here and gross in here:
        return title, f"(cast({quoted(gross)} as decimal(38, 8)) / nullif({quoted(net)}, 0))"
    if "tax_rate" in here:
        return title, "(1 + coalesce(tax_rate, 0))"
    return None


def _rates(con: duckdb.DuckDBPyConnection, relation: str, titles: Mapping[str, Both]) -> tuple[Decimal, ...]:
    """Tax rates a whole total may have been multiplied by: those of the documents, and the statutory ones."""
    seen: list[Decimal] = []
    if "tax_rate" in titles:
        rows = con.execute(
            f"select distinct cast(tax_rate as decimal(9, 4)) from {relation} where tax_rate > 0"
        ).fetchall()
        seen = [rate.normalize() for (rate,) in rows]
    return tuple(dict.fromkeys([*(rate.normalize() for rate in _TAX_RATES), *sorted(seen)]))
