"""How far the loaded columns are what the dictionary says: rows, conforming, not conforming by reason, three examples.

One query per raw table: DuckDB reads it once, whatever the number of its columns that are tied to an element. A value
has one reason at most, the first that fits in the order of `REASONS`. Empty values are counted apart: whether a value
must be there is the contract's promise, and what is missing against it is in quarantine already.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from sources.contract.columns import Column
from tieout.engine import literal, quoted, relations
from tieout.ingest.tables import raw_table
from tieout.standards.dictionary import Codes, Dictionary, Element, StandardsError, Tied, Translation, kind

if TYPE_CHECKING:
    import duckdb

REASONS = ("type", "length", "range", "pattern", "check digit", "code list", "unit", "currency")
EXAMPLES = 3
UNCONVERTED = "intermediate.int_product_units__unconverted"
_PERSONAL = {"L3", "L4"}
UOMS, UNITS, CURRENCIES, CODE_MAP, STATUSES = "uoms", "units", "currencies", "code_map", "source_statuses"
# Units a contract may name that are no unit of goods.
_PLAIN_UNITS = {"percent", "day", "hour", "minute", "second", "month", "people"}


@dataclass(frozen=True)
class Conformance:
    """One source column against its element. `broken`: reason → rows; `filled` = `conforming` + all broken.

    `faults` are of the column as its contract promises it (a class that is too low, another unit); `notes` explain.
    """

    place: str
    element: str
    owner: str
    rows: int
    filled: int
    broken: Mapping[str, int]
    examples: tuple[str, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    veiled: bool

    @property
    def conforming(self) -> int:
        return self.filled - sum(self.broken.values())

    @property
    def conforms(self) -> bool:
        return not self.broken and not self.faults


class Lists:
    """The code lists of `seeds/standards`, read from the project's own files: what was written, not what was last built."""

    def __init__(self, folder: Path, on: date) -> None:
        self._folder = folder
        self._on = str(on)
        self._rows: dict[str, list[dict[str, str]]] = {}

    def rows(self, seed: str) -> list[dict[str, str]]:
        """A seed's rows, every value as text."""
        if seed not in self._rows:
            file = self._folder / f"{seed}.csv"
            try:
                with file.open(encoding="utf-8", newline="") as opened:
                    self._rows[seed] = list(csv.DictReader(opened))
            except OSError as error:
                raise StandardsError(
                    f"standards: the code list {file.name} cannot be read ({error}). Nothing was checked."
                ) from error
        return self._rows[seed]

    def column(self, name: str) -> set[str]:
        """All values of `<seed>.<column>`."""
        seed, _, column = name.partition(".")
        rows = self.rows(seed)
        if rows and column not in rows[0]:
            raise StandardsError(f"standards: {seed}.csv has no column {column}. Nothing was checked.")
        return {row[column] for row in rows if row[column]}

    def translations(self, to: str | Translation) -> list[tuple[str, str, str, str, str]]:
        """System, what it prints, the standard code, first and last day, of every translation to one list."""
        own = (
            to
            if isinstance(to, Translation)
            else Translation(seed=CODE_MAP, prints="source_code", means="standard_code")
        )
        return [
            (row["source_system"], row[own.prints], row[own.means], row["valid_from"], row["valid_to"])
            for row in self.rows(own.seed)
            if own is to or row["code_list"] == to
        ]

    def translated(self, system: str, to: str | Translation) -> set[str]:
        """What a system may print today for codes of a list."""
        return self.valid_today(
            (prints, first, last)
            for owner, prints, _, first, last in self.translations(to)
            if owner == system
        )

    def statuses(self, system: str, document: str) -> list[tuple[str, str, str]]:
        """What a system prints as status of a document, with the first and last day each is valid."""
        return [
            (row["source_status"], row["valid_from"], row["valid_to"])
            for row in self.rows(STATUSES)
            if row["source_system"] == system and row["document_type"] == document
        ]

    def valid_today(self, rows: Iterable[tuple[str, str, str]]) -> set[str]:
        return {
            code
            for code, first, last in rows
            if (not first or first <= self._on) and (not last or self._on <= last)
        }

    def units(self, system: str) -> set[str]:
        """Texts that this system may print as a unit."""
        return (
            self.column(f"{UOMS}.uom_text")
            | self.column(f"{UNITS}.uom_code")
            | self.translated(system, "uom")
        )

    def currencies(self, system: str) -> set[str]:
        return self.column(f"{CURRENCIES}.currency_code") | self.translated(system, "currency")

    @staticmethod
    def cities() -> set[str]:
        """Names of China's prefecture-level cities and municipalities, in full and without 市."""
        import tieout.master_data.standard as standard

        text = Path(standard.__file__).with_name("divisions.csv").read_text(encoding="utf-8")
        rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
        full = {row["city"] for row in rows}
        return full | {name.removesuffix("市") for name in full}


def conformance(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    dictionary: Dictionary,
    lists: Lists,
    *,
    wanted: Iterable[Tied] | None = None,
) -> list[Conformance]:
    """Every tied column that is loaded, measured. Streams that were never loaded hold nothing and are left out.

    Args:
        wanted: Only these columns; default all that `dictionary.tied` finds.

    Raises: StandardsError if the dictionary names lists or columns that are not there.
    """
    tied = list(dictionary.tied(sources) if wanted is None else wanted)
    existing = relations(con)
    tables: dict[tuple[str, str], list[Tied]] = {}
    for item in tied:
        if f"{sources[item.source].raw_schema}.{item.stream}" in existing:
            tables.setdefault((item.source, item.stream), []).append(item)
    found = [
        line
        for (source, stream), items in tables.items()
        for line in _table(con, sources[source], stream, items, dictionary, lists)
    ]
    return _veiled(con, sources, existing, found)


def unconverted(con: duckdb.DuckDBPyConnection, system: str | None = None) -> list[tuple[str, ...]]:
    """Units of products that do not convert, as the last build found them; none where nothing was built yet."""
    if UNCONVERTED not in relations(con):
        return []
    return con.execute(
        f"select source_system, source_product, source_uom, uom_code, base_uom_code, problem, line_count"
        f" from {UNCONVERTED} where source_system = coalesce(?, source_system) order by line_count desc, 1, 2, 3",
        [system],
    ).fetchall()


def _table(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    stream: str,
    items: Sequence[Tied],
    dictionary: Dictionary,
    lists: Lists,
) -> list[Conformance]:
    """The columns of one table, in one scan of it."""
    elements = [dictionary.elements[item.element] for item in items]
    reasons = [
        reason_sql(source, stream, item, element, lists)
        for item, element in zip(items, elements, strict=True)
    ]
    judged = ", ".join(f"{sql} as r{place}" for place, sql in enumerate(reasons))
    values = ", ".join(
        f"{quoted(item.column)} as v{place}, {_seen_sql(source.streams[stream].columns, item, element)} as s{place}"
        for place, (item, element) in enumerate(zip(items, elements, strict=True))
    )
    # A histogram of reasons and the most frequent bad values: both bounded, whatever the size of the table.
    counted = ", ".join(
        f"count(v{place}), histogram(r{place}) filter (where r{place} is not null),"
        f" approx_top_k(case when r{place} in ('unit', 'currency') then s{place} else cast(v{place} as text) end, {EXAMPLES})"
        f" filter (where r{place} is not null)"
        for place in range(len(items))
    )
    row = con.execute(
        f"select count(*), {counted} from (select {values}, {judged} from {raw_table(source, stream)} where not _is_deleted)"
    ).fetchone()
    assert row is not None  # an aggregate without groups answers with one row
    lines = []
    for place, (item, element) in enumerate(zip(items, elements, strict=True)):
        filled, broken, examples = row[1 + 3 * place : 4 + 3 * place]
        spec = source.streams[stream].columns[item.column]
        lines.append(
            Conformance(
                place=item.place,
                element=item.element,
                owner=source.owner_of(stream),
                rows=row[0],
                filled=filled,
                broken={name: (broken or {})[name] for name in REASONS if name in (broken or {})},
                examples=tuple(text for text in examples or () if text is not None),
                faults=tuple(_faults(source, stream, item.column, element)),
                notes=tuple(_notes(source, stream, spec, element, lists)),
                veiled=bool({source.class_of(stream, item.column), element.sensitivity} & _PERSONAL),
            )
        )
    return lines


def _veiled(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    existing: set[str],
    lines: Sequence[Conformance],
) -> list[Conformance]:
    """Without what is personal: by the column's class, and, where columns shifted, by the value itself."""
    from dataclasses import replace

    from tieout.pages.personal import WITHHELD, personal

    shown = {text for line in lines if not line.veiled for text in line.examples}
    veil = personal(con, sources, existing, shown)
    return [
        replace(
            line,
            examples=tuple(WITHHELD if line.veiled else veil.hide(text) for text in line.examples),
        )
        for line in lines
    ]


def reason_sql(source: Source, stream: str, item: Tied, element: Element, lists: Lists) -> str:
    """SQL that gives why the column's value is not the element's, null if it conforms or is empty."""
    spec = source.streams[stream].columns[item.column]
    value = quoted(item.column)
    words = f"cast({value} as text)"
    cases: list[tuple[str, str]] = []

    number = value
    if element.type in {"integer", "decimal"} and kind(spec) == "text":
        number = f"try_cast({value} as decimal(38, 10))"
        cases.append(("type", f"{number} is null"))
    if element.type == "integer" and kind(spec) in {"decimal", "text"}:
        cases.append(("type", f"{number} <> trunc({number})"))
    if element.type == "date" and kind(spec) == "text":
        cases.append(("type", f"try_cast({value} as date) is null"))
    if element.type == "date" and kind(spec) == "instant":
        cases.append(("type", f"cast({_local(source, stream, item.column)} as time) <> time '00:00'"))

    if element.length:
        cases.append(("length", f"length({words}) not between {element.length.min} and {element.length.max}"))
    if element.digits:
        whole, places = element.digits.whole, element.digits.places
        cases.append(("length", f"abs({number}) >= 1{'0' * whole}"))
        if kind(spec) != "integer":
            cases.append(("length", f"{number} <> round({number}, {places})"))
    if element.min is not None:
        cases.append(("range", f"{number} < {element.min}"))
    if element.max is not None:
        cases.append(("range", f"{number} > {element.max}"))
    if element.pattern:
        cases.append(("pattern", f"not regexp_full_match({words}, {literal(element.pattern)})"))
    if element.check_digit:
        cases.append(("check digit", f"not ({credit_code_sql(words)})"))
    if element.codes:
        cases.append(("code list", _code_sql(source, item, element, element.codes, words, number, lists)))
    if element.unit == "stated":
        cases.append(
            ("unit", _unknown_sql(spec.unit, source, stream, lists.units(source.name) | _PLAIN_UNITS))
        )
    if element.currency == "stated":
        cases.append(("currency", _unknown_sql(spec.currency, source, stream, lists.currencies(source.name))))
    branches = " ".join(
        f"when {condition} then {literal(reason)}" for reason, condition in cases if condition != "false"
    )
    return f"case when {value} is null then null {branches} end" if branches else "cast(null as text)"


def _seen_sql(columns: Mapping[str, Column], item: Tied, element: Element) -> str:
    """What stands in the column that says the unit (or currency) of this one: the example, where that is unknown."""
    spec = columns[item.column]
    said = spec.unit if element.unit else spec.currency if element.currency else None
    return f"cast({quoted(said)} as text)" if said and said in columns else "cast(null as text)"


def _faults(source: Source, stream: str, column: str, element: Element) -> list[str]:
    """What is wrong with the column as its contract promises it, whatever its values."""
    spec, said = source.streams[stream].columns[column], []
    if source.class_of(stream, column) < element.sensitivity:
        said.append(f"class {source.class_of(stream, column)}, the standard is {element.sensitivity}")
    if element.unit not in (None, "stated") and spec.unit != element.unit:
        said.append(f"unit {spec.unit or 'not said'}, the standard is {element.unit}")
    return said


def _notes(source: Source, stream: str, spec: Column, element: Element, lists: Lists) -> list[str]:
    """What a person should know who reads the figures."""
    said = []
    if kind(spec) != element.type and not (element.type == "decimal" and kind(spec) == "integer"):
        said.append(f"kept as {spec.type}, the standard is {element.form}")
    if element.unit == "stated":
        said.append(f"unit: {_resolved(spec.unit, source, stream, lists.units(source.name) | _PLAIN_UNITS)}")
    if element.currency == "stated":
        said.append(f"currency: {_resolved(spec.currency, source, stream, lists.currencies(source.name))}")
    return said


def _resolved(said: str | None, source: Source, stream: str, known: set[str]) -> str:
    if said is None:
        return "the contract says none"
    lost = _unknown_sql(said, source, stream, known) == "true"
    return f"{said}, which is no column of {source.name} and on no list" if lost else said


def _local(source: Source, stream: str, column: str) -> str:
    """An instant (or day) as the clock on the wall of that system showed it."""
    zoned = source.streams[stream].columns[column].type == "timestamptz"
    return f"timezone({literal(source.timezone)}, {quoted(column)})" if zoned else quoted(column)


def _code_sql(
    source: Source, item: Tied, element: Element, codes: Codes, words: str, number: str, lists: Lists
) -> str:
    """True where a value is no code of the list, nor translated to one."""
    if codes.statuses is not None:
        status = element.lists[item.place]
        rows = lists.statuses(source.name, status.document)
        if not status.dated:
            return f"{words} not in {_set(lists.valid_today(rows))}"
        if status.dated not in source.streams[item.stream].columns:
            raise StandardsError(
                f"standards: {item.place} is `dated` by {status.dated}, which is no column. Nothing was checked."
            )
        day = f"cast({_local(source, item.stream, status.dated)} as date)"
        valid = " or ".join(
            f"({words} = {literal(code)}"
            + (f" and {day} >= date {literal(first)}" if first else "")
            + (f" and {day} <= date {literal(last)}" if last else "")
            + ")"
            for code, first, last in rows
        )
        return f"not coalesce({valid or 'false'}, false)"
    if codes.values is not None and element.type in {"integer", "decimal"}:
        return f"{number} not in ({', '.join(str(code) for code in codes.values)})"
    unknown = f"{words} not in {_set(_allowed(source.name, codes, lists))}"
    if codes.leading:
        return f"({unknown} and left({words}, {codes.leading}) not in {_set(standard_codes(codes, lists))})"
    return unknown


def standard_codes(codes: Codes, lists: Lists) -> set[str]:
    """The codes of a list themselves, as text."""
    if codes.seed:
        return lists.column(codes.seed)
    return lists.cities() if codes.divisions else {str(code) for code in codes.values or codes.statuses or ()}


def _allowed(system: str, codes: Codes, lists: Lists) -> set[str]:
    """What a system may print for a code of a list: the code, a spelling of it, what is translated to it."""
    allowed = standard_codes(codes, lists)
    allowed |= lists.column(codes.spelled) if codes.spelled else set()
    return allowed | (lists.translated(system, codes.map) if codes.map else set())


def _unknown_sql(said: str | None, source: Source, stream: str, known: set[str]) -> str:
    """True where the unit (or currency) of a quantity is not known: not said at all, or said in words no list has.

    A column of numbers names a record of the system's own list; `stream.column` is what another table says: such a
    column is an element itself and is checked there.
    """
    if said is None:
        return "true"
    columns = source.streams[stream].columns
    if said in columns and kind(columns[said]) == "integer":
        return f"{quoted(said)} is null"
    if said in columns:
        text = f"cast({quoted(said)} as text)"
        return f"({text} is null or {text} not in {_set(known)})"
    other, _, column = said.partition(".")
    elsewhere = other in source.streams and column in source.streams[other].columns
    return "false" if elsewhere or said in known else "true"


def _set(values: Iterable[str]) -> str:
    listed = ", ".join(literal(value) for value in sorted(set(values)))
    return f"({listed})" if listed else "(select cast(null as text) where false)"


_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def credit_code_sql(words: str) -> str:
    """SQL: whether the last character of a 统一社会信用代码 is the check character of the 17 before it.

    Source: GB 32100-2015, 4.6: weights 3^(i-1) mod 31, check = 31 - sum mod 31, 31 counts as 0.
    """
    weighted = " + ".join(
        f"(instr({literal(_ALPHABET)}, substr({words}, {place + 1}, 1)) - 1) * {pow(3, place, 31)}"
        for place in range(17)
    )
    return f"(31 - ({weighted}) % 31) % 31 = instr({literal(_ALPHABET)}, substr({words}, 18, 1)) - 1"
