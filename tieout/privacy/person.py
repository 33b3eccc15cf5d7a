"""Who a person is in each system: the records, the rows that are theirs alone, and the values that name them.

Nothing of this is kept longer than an erasure takes: what is kept are tokens (`tieout.privacy.erased`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import literal, quoted, relations
from tieout.ingest.tables import history_table
from tieout.pages.personal import SHOWN
from tieout.privacy.erased import EVERYWHERE
from tieout.privacy.tokens import PSEUDONYM, EraseError, canonical, is_strong

if TYPE_CHECKING:
    import duckdb

_PEOPLE = ("employee", "customer", "supplier")  # entities whose records may be, or name, a natural person
# Attributes of a record that name a person; those of a company (its name, its address) are no one's.
_NAMING = {
    "employee": ("name", "mobile", "email"),
    "customer": ("phone", "contact"),
    "supplier": ("phone", "contact"),
}


@dataclass(frozen=True)
class Person:
    """One person as known now.

    records: `system:source_key`, as the crosswalk names them; `changed` are those whose key is a personal value.
    own: source.stream → keys of rows that are the person's alone.
    values: system or EVERYWHERE → values to be replaced there.
    kept: values that are keys of class L1 or L2 and stay, as the personnel number facts point to.
    shared: values that others bear too, or may bear → where; replaced in the person's own rows only.
    left: values that stand in columns of class L1 or L2 as well, where nothing is replaced → the column.
    """

    entity: str | None
    master_key: str | None
    records: tuple[str, ...]
    changed: tuple[str, ...]
    own: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def sought(self) -> list[str]:
        """Every value that must be nowhere afterwards, in every writing met."""
        every = {value for values in self.values.values() for value in values}
        every |= {canonical(value) for value in every}
        beside = {canonical(value) for value in (*self.kept, *self.shared)}
        return sorted(value for value in every if canonical(value) not in beside and len(value) > 1)

    @property
    def systems(self) -> list[str]:
        return sorted({record.partition(":")[0] for record in self.records})


@dataclass(frozen=True)
class Cells:
    """How many cells of one column hold a value, and the column's class."""

    source: str
    stream: str
    column: str
    sensitivity: str
    value: str
    cells: int

    @property
    def place(self) -> str:
        return f"{self.source}.{self.stream}.{self.column}"


def find(con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], asked: str) -> Person:
    """The person a master key, a personnel number or `system:key` names, with everything that names them.

    Args:
        con: The warehouse, loaded and built.
        sources: The effective contracts.

    Raises: EraseError if nobody or more than one is meant, or a contract would not let the rows load afterwards.
    """
    there = relations(con)
    entity, key, records = _records(con, there, asked)
    if entity is None:
        records = [_as_written(con, sources, there, asked)]
    gathered = _Gathered(con, sources, there, entity, records)
    gathered.look()
    return gathered.person(key)


def _records(
    con: duckdb.DuckDBPyConnection, there: set[str], asked: str
) -> tuple[str | None, str | None, list[str]]:
    if "master.crosswalk" not in there:
        raise EraseError(
            "nothing was built yet, so nobody is known. Nothing was erased. Run `tieout refresh` first."
        )
    found = con.execute(
        """
        select distinct entity, master_key from master.crosswalk
        where master_key = $asked or record_id = $asked or source_key = $asked
        union
        select entity, master_key from master.golden_attribute
        where attribute in ('employee_no', 'code') and value = $asked
        """,
        {"asked": asked},
    ).fetchall()
    if not found:
        return None, None, []
    people = sorted(item for item in found if item[0] in _PEOPLE)
    if not people:
        raise EraseError(f"{asked} is a {found[0][0]}, not a person. Nothing was erased.")
    if len(people) > 1:
        which = ", ".join(f"{entity} {key}" for entity, key in people)
        raise EraseError(
            f"{asked} names {len(people)} ({which}). Nothing was erased. Give the master key of the one that is meant, or "
            f"SYSTEM:KEY as `tieout master show {asked}` prints it; if they are one person: `tieout master same`."
        )
    entity, key = people[0]
    rows = con.execute(
        "select record_id from master.crosswalk where entity = ? and master_key = ? order by 1", [entity, key]
    ).fetchall()
    return entity, key, [row[0] for row in rows]


def _as_written(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], there: set[str], asked: str
) -> str:
    """A person whom no list has, only documents: `system:value`."""
    system, _, value = asked.partition(":")
    if system in sources and value:
        held = occurrences(con, sources, there, {system: [value]})
        if any(item.sensitivity not in SHOWN for item in held):
            return asked
        if held:
            places = ", ".join(sorted({f"{item.place} ({item.sensitivity})" for item in held}))
            raise EraseError(
                f"{system} holds this value only in columns of class L2 or below: {places}. Nothing was erased. If it names "
                f"a person, say `class: L3` there in sources/{system}/source.yaml, then repeat."
            )
    known = ", ".join(sorted(sources))
    raise EraseError(
        f"nobody is known by what you gave. Nothing was erased. Give a master key or a personnel number (`tieout master show` "
        f"finds them), or SYSTEM:KEY as that system writes it. Systems: {known}."
    )


class _Gathered:
    """Everything known of one person, system by system."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        sources: Mapping[str, Source],
        there: set[str],
        entity: str | None,
        records: list[str],
    ) -> None:
        self.con, self.sources, self.there, self.entity, self.records = con, sources, there, entity, records
        self.own: dict[str, list[str]] = defaultdict(list)
        self.values: dict[str, set[str]] = defaultdict(set)
        self._stays: dict[tuple[str, str], str] = {}  # system and value → the column of L1 or L2 that has it
        self.kept: dict[str, str] = {}
        self.shared: dict[str, str] = {}
        self.left: dict[str, str] = {}

    def look(self) -> None:
        said = self._attributes()
        for record in self.records:
            system, _, key = record.partition(":")
            source = self.sources.get(system)
            if source is None:
                continue
            described, naming = said.get(record, ((), ()))
            for name in source.streams:
                self._own_rows(source, name, key, described, naming)
            # A company's own code is no person's.
            self.values[system] |= {*naming} if self.entity in ("customer", "supplier") else {key, *naming}
        self._know_everywhere()
        self._keep_keys()
        for held in self.values.values():
            held -= {value for value in held if PSEUDONYM.fullmatch(value)}
        if all(value in self.kept for held in self.values.values() for value in held):
            raise EraseError(
                "nothing personal is held of this person: erased already, or never named. Nothing was done. "
                "`tieout master show` prints what is held under the key."
            )
        self._leave_shared()
        self._look_elsewhere()
        self._refuse_unloadable()

    def _know_everywhere(self) -> None:
        """What one of the person's systems calls them is known in the others: numbers, names, mail."""
        every = {value for held in self.values.values() for value in held if len(value) > 1}
        for held in self.values.values():
            held |= every

    def person(self, key: str | None) -> Person:
        values = {place: sorted(held) for place, held in self.values.items() if held}
        beside = {canonical(value) for value in (*self.kept, *self.shared)}
        strong = {value for held in self.values.values() for value in held if is_strong(value)}
        if everywhere := sorted(value for value in strong if canonical(value) not in beside):
            values[EVERYWHERE] = everywhere
        changed = [
            record
            for record in self.records
            if record.partition(":")[2] in self.values.get(record.partition(":")[0], set())
        ]
        return Person(
            self.entity,
            key,
            tuple(self.records),
            tuple(changed),
            {place: sorted(set(keys)) for place, keys in self.own.items()}
            if self.entity == "employee"
            else {},
            values,
            self.kept,
            self.shared,
            self.left,
        )

    def _attributes(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Record id → (what describes it, what names the person), from the canonical records."""
        if self.entity is None:
            return {}
        naming = _NAMING[self.entity]
        listed = ", ".join(literal(record) for record in self.records)
        rows = self.con.execute(
            f"select record_id, name, {', '.join(naming)} from master.{self.entity}_record where record_id in ({listed})"
        ).fetchall()
        return {
            row[0]: (
                tuple(str(item) for item in row[1:2] if item),
                tuple(str(item) for item in row[2:] if item and not PSEUDONYM.fullmatch(str(item))),
            )
            for row in rows
        }

    def _own_rows(
        self, source: Source, name: str, key: str, described: tuple[str, ...], naming: tuple[str, ...]
    ) -> None:
        """Rows of a list of people: one row a person, under a key of one column, found by the record's key."""
        stream, table = source.streams[name], history_table(source, name)
        if len(stream.key) != 1 or not _is_there(source, name, self.there):
            return
        personal = [c for c in stream.columns if source.class_of(name, c) not in SHOWN]
        if not personal:
            return
        column = self._listed_by(source, name, key, described)
        if column is None:
            return
        shown = [c for c in stream.columns if c not in personal]
        rows = self._rows(f"select * from {table} where {_text(column)} = {literal(key)}")
        keys = {str(row[stream.key[0]]) for row in rows}
        rows += self._set_aside(source.name, name, keys)
        self.own[f"{source.name}.{name}"] += sorted(keys)
        if self.entity != "employee":  # other personal columns of a company's row are other people's
            personal = [c for c in personal if any(str(row.get(c)) in naming for row in rows)]
        for row in rows:
            texts = {str(row[c]) for c in personal if row.get(c) and stream.columns[c].type == "text"}
            self.values[source.name] |= {text for text in texts if not PSEUDONYM.fullmatch(text)}
            for c in shown:
                # A name or a number in a column of class L2 is no key: it is left, and said to be.
                if row.get(c) is not None and str(row[c]) not in naming:
                    why = f"{source.name}.{name}.{c} is {source.class_of(name, c)}"
                    self._stays.setdefault((source.name, str(row[c])), why)

    def _listed_by(self, source: Source, name: str, key: str, described: tuple[str, ...]) -> str | None:
        """The column that has the record's key, if each row has another value there and the row bears the name."""
        stream = source.streams[name]
        current = f"(select * from {history_table(source, name)} where _is_current)"
        bears = " or ".join(f"{_text(c)} = {literal(text)}" for c in stream.columns for text in described)
        for column in stream.columns:
            row = self.con.execute(
                f"select count({quoted(column)}) = count(distinct {quoted(column)}),"
                f" count(*) filter (where {_text(column)} = {literal(key)} and ({bears or 'false'})) from {current}"
            ).fetchone()
            if row and row[0] and row[1]:
                return column
        return None

    def _set_aside(self, source: str, stream: str, keys: set[str]) -> list[dict[str, object]]:
        """The same rows in quarantine: their values were sent too."""
        if not keys or "ops.quarantine" not in self.there:
            return []
        listed = ", ".join(literal(key) for key in keys)
        rows = self.con.execute(
            f"select record from ops.quarantine where source = ? and stream = ? and record_key in ({listed})",
            [source, stream],
        ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def _keep_keys(self) -> None:
        """A key that a system has in columns of class L2 stays there: facts are joined by it."""
        keys: dict[str, list[str]] = defaultdict(list)
        for record in self.records:
            system, _, key = record.partition(":")
            keys[system].append(key)
        for item in occurrences(self.con, self.sources, self.there, keys):
            if item.sensitivity in SHOWN:
                self._stays.setdefault((item.source, item.value), f"{item.place} is {item.sensitivity}")
        mentioned = {value for held in self.values.values() for value in held}
        self.kept = {value: why for (_, value), why in self._stays.items() if value in mentioned}
        for system, held in self.values.items():
            held -= {value for place, value in self._stays if place == system}

    def _leave_shared(self) -> None:
        """A name or number that others bear too says nothing about this person where it stands alone."""
        others = self._borne_by_others()
        for system, held in self.values.items():
            for value in list(held):
                if value in others.get(system, {}):
                    held.discard(value)
        for system, borne in others.items():
            for value, where in borne.items():
                self.shared.setdefault(value, f"{system}: {where}")

    def _look_elsewhere(self) -> None:
        """Where the same values stand in systems that have no record of the person, or in columns of a lower class."""
        systems = {record.partition(":")[0] for record in self.records}
        every = sorted({value for held in self.values.values() for value in held if value not in self.shared})
        for item in occurrences(self.con, self.sources, self.there, {EVERYWHERE: every}):
            if item.sensitivity in SHOWN and (item.source, item.value) not in self._stays:
                self.left.setdefault(item.value, f"{item.place} is {item.sensitivity} ({item.cells} cells)")
            elif item.source not in systems and not is_strong(item.value):
                self.shared.setdefault(
                    item.value,
                    f"{item.place} ({item.cells} cells), where nobody can say whether it is this person",
                )

    def _borne_by_others(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for place, keys in self.own.items():
            system, _, name = place.partition(".")
            source = self.sources[system]
            stream = source.streams[name]
            listed = ", ".join(map(literal, sorted(self.values[system]))) or "null"
            mine = ", ".join(map(literal, keys))
            for column, spec in stream.columns.items():
                if spec.type != "text" or source.class_of(name, column) in SHOWN:
                    continue
                rows = self.con.execute(
                    f"select {quoted(column)}, count(distinct {quoted(stream.key[0])}) from {history_table(source, name)}"
                    f" where {quoted(column)} in ({listed}) and {_text(stream.key[0])} not in ({mine}) group by 1"
                ).fetchall()
                for value, count in rows:
                    found[system][value] = f"{count} other rows of {name}.{column}"
        if self.entity == "employee":
            every = {value for held in self.values.values() for value in held}
            names = ", ".join(map(literal, sorted(every))) or "null"
            records = ", ".join(map(literal, self.records))
            for system, value, count in self.con.execute(
                "select source_system, name, count(*) from master.employee_record"
                f" where name in ({names}) and record_id not in ({records}) group by all"
            ).fetchall():
                found[system][value] = f"{count} other people of that name"
        return found

    def _refuse_unloadable(self) -> None:
        """Raises: EraseError where a pseudonym would break a promise, so that the row would be set aside."""
        for system in self.values:
            source = self.sources[system]
            for name, stream in source.streams.items():
                for column, spec in stream.columns.items():
                    if source.class_of(name, column) in SHOWN:
                        continue
                    own = f"{system}.{name}" in self.own
                    if spec.type == "text" and (spec.values or spec.pattern):
                        raise EraseError(
                            f"{system}.{name}.{column} allows only certain texts, so a row with a pseudonym would be set aside. "
                            f"Nothing was erased. Take `values` or `pattern` off this column of class "
                            f"{source.class_of(name, column)}, then repeat."
                        )
                    if own and spec.type != "text" and (spec.required or column in stream.key):
                        raise EraseError(
                            f"{system}.{name}.{column} is {spec.type} and must be there, so it can be neither a pseudonym nor "
                            f"empty. Nothing was erased. Take `required` off it, or make it text, then repeat."
                        )

    def _rows(self, sql: str) -> list[dict[str, object]]:
        cursor = self.con.execute(sql)
        names = [item[0] for item in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def occurrences(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    there: set[str],
    values: Mapping[str, Iterable[str]],
) -> list[Cells]:
    """Where values stand as whole cells in the raw tables, past versions included.

    Args:
        values: System, or EVERYWHERE, → values.
    """
    found = []
    for source, name, columns in _tables(sources, there):
        asked = sorted({*values.get(source.name, ()), *values.get(EVERYWHERE, ())})
        if not asked:
            continue
        listed = ", ".join(map(literal, asked))
        parts = [
            f"select {literal(c)} as said, {quoted(c)} as held from {history_table(source, name)} where {quoted(c)} in ({listed})"
            for c in columns
        ]
        for column, value, count in con.execute(
            f"select said, held, count(*) from ({' union all '.join(parts)}) group by all order by all"
        ).fetchall():
            found.append(Cells(source.name, name, column, source.class_of(name, column), value, count))
    return found


def _tables(sources: Mapping[str, Source], there: set[str]) -> Iterator[tuple[Source, str, list[str]]]:
    for source in sources.values():
        for name, stream in source.streams.items():
            columns = [c for c, spec in stream.columns.items() if spec.type == "text"]
            if columns and _is_there(source, name, there):
                yield source, name, columns


def _is_there(source: Source, stream: str, there: set[str]) -> bool:
    return f"{source.raw_schema}.{stream}" in there


def _text(column: str) -> str:
    return f"cast({quoted(column)} as text)"
