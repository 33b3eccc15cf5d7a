"""PostgreSQL's catalogue: pg_catalog, read in the words of PostgreSQL 10 and later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.ingest.drafting.catalogue import LOOK, Asked, Field, Look, Seen, Table, in_order
from tieout.ingest.drafting.judge import is_unbounded

if TYPE_CHECKING:
    from tieout.ingest.intake.readers import Reader

_TEXT = re.compile(r"^(text|character|bpchar|name)\b")


class PostgresCatalogue:
    def __init__(self, reader: Reader) -> None:
        self._asked = Asked(reader, "postgres_query")
        self._left_out: list[str] = []

    def tables(self, schema: str | None) -> list[Table]:
        wanted = schema or "public"
        # Partitions are rows of their parent; foreign tables belong to another system.
        relations = self._asked.rows(
            "select c.oid::text, c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class'),"
            " has_table_privilege(c.oid, 'select')::text"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            f" where n.nspname = {literal(wanted)} and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition"
            ' order by c.relname collate "C"'
        )
        fields = self._fields(wanted)
        primary, unique = self._keys(wanted)
        found = []
        self._left_out = []
        for oid, name, kind, comment, readable in relations:
            if readable != "true":
                self._left_out.append(f"{name}: this login may not read it")
            elif "." in name:
                self._left_out.append(f"{name}: a dot in its name")
            elif oid not in fields:
                self._left_out.append(f"{name}: no columns")
            else:
                found.append(
                    Table(
                        name=name,
                        schema=None if wanted == "public" else wanted,
                        comment=comment,
                        fields=tuple(fields[oid]),
                        primary=primary.get(oid, ()),
                        unique=in_order(unique.get(oid, [])),
                        view=kind in {"v", "m"},
                    )
                )
        return found

    def left_out(self) -> list[str]:
        return self._left_out

    def _fields(self, schema: str) -> dict[str, list[Field]]:
        found: dict[str, list[Field]] = {}
        # A domain is read as what it stands on.
        for oid, name, declared, required, comment in self._asked.rows(
            "select a.attrelid::text, a.attname::text,"
            " case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod)"
            " else format_type(a.atttypid, a.atttypmod) end,"
            " (a.attnotnull or t.typnotnull)::text, col_description(a.attrelid, a.attnum)"
            " from pg_attribute a join pg_class c on c.oid = a.attrelid"
            " join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid"
            f" where n.nspname = {literal(schema)} and a.attnum > 0 and not a.attisdropped"
            " and c.relkind in ('r', 'p', 'v', 'm') order by a.attrelid, a.attnum"
        ):
            found.setdefault(oid, []).append(Field(name, declared, required != "true", comment))
        return found

    def _keys(self, schema: str) -> tuple[dict[str, tuple[str, ...]], dict[str, list[tuple[str, ...]]]]:
        """Primary keys, and unique keys of columns that are never null."""
        listed: dict[tuple[str, str], tuple[bool, list[str], bool]] = {}
        for oid, index, is_primary, name, required in self._asked.rows(
            "select i.indrelid::text, i.indexrelid::text, i.indisprimary::text, a.attname::text, a.attnotnull::text"
            " from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace"
            " cross join lateral unnest(string_to_array(i.indkey::text, ' ')) with ordinality as k(attnum, place)"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum::int"
            f" where n.nspname = {literal(schema)} and i.indisunique and i.indisvalid"
            " and i.indpred is null and i.indexprs is null"
            # INCLUDE columns come after the key's own; PostgreSQL 10 has none.
            " and k.place <= coalesce((to_jsonb(i) ->> 'indnkeyatts')::int, i.indnatts)"
            " order by i.indrelid, i.indexrelid, k.place"
        ):
            _, columns, never_null = listed.setdefault((oid, index), (is_primary == "true", [], True))
            columns.append(name)
            listed[oid, index] = (is_primary == "true", columns, never_null and required == "true")
        primary = {oid: tuple(columns) for (oid, _), (first, columns, _) in listed.items() if first}
        unique: dict[str, list[tuple[str, ...]]] = {}
        for (oid, _), (first, columns, never_null) in listed.items():
            if not first and never_null:
                unique.setdefault(oid, []).append(tuple(columns))
        return primary, unique

    def look(self, table: Table) -> Look:
        name = f"{quoted(table.schema or 'public')}.{quoted(table.name)}"
        answers = ["count(*)::text"]
        for item in table.fields:
            column = quoted(item.name)
            answers.append(f"count({column})::text")
            if is_unbounded(item.declared):
                plain = f"case when {column}::text ~ '^-?[0-9]' then {column}::text end"
                answers += [
                    f"max(length(rtrim(split_part({plain}, '.', 2), '0')))::text",
                    f"max(length(ltrim(split_part({plain}, '.', 1), '-0')))::text",
                    f"count(*) filter (where {column}::text !~ '^-?[0-9]')::text",
                ]
        listed = ", ".join(f"{answer} as a{place}" for place, answer in enumerate(answers))
        ((rows, *said),) = self._asked.rows(f"select {listed} from (select * from {name} limit {LOOK}) as t")
        columns = {}
        values = iter(said)
        for item in table.fields:
            filled = int(next(values))
            if is_unbounded(item.declared):
                scale, digits, special = next(values), next(values), int(next(values))
                columns[item.name] = Seen(
                    filled, int(scale) if scale else None, int(digits) if digits else None, special
                )
            else:
                columns[item.name] = Seen(filled)
        return Look(int(rows), columns, self._texts(table, name))

    def _texts(self, table: Table, name: str) -> dict[str, tuple[str, ...]]:
        names = [item.name for item in table.fields if _TEXT.match(item.declared)]
        texts = {column: f"left({quoted(column)}::text, 80)" for column in names}
        return self._asked.samples(table, name, texts, quoted)
