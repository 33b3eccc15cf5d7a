"""SQLite's catalogue. Its columns may hold values of any type, so what the values are decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.ingest.drafting.catalogue import LOOK, Asked, Field, Look, Seen, Table, in_order

if TYPE_CHECKING:
    from tieout.ingest.intake.readers import Reader

_DAY = "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]"
_MOMENT = f"{_DAY}[ T][0-2][0-9]:[0-5][0-9]*"


class SqliteCatalogue:
    def __init__(self, reader: Reader) -> None:
        self._asked = Asked(reader, "sqlite_query")
        self._left_out: list[str] = []

    def tables(self, schema: str | None) -> list[Table]:
        found = []
        self._left_out = []
        for name, kind in self._asked.rows(
            "select name, type from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'"
            " order by name"
        ):
            if "." in name:
                self._left_out.append(f"{name}: a dot in its name")
                continue
            columns = [
                (column, declared or "", bool(int(required)), int(place))
                for column, declared, required, place in self._asked.rows(
                    f'select name, type, "notnull", pk from pragma_table_info({literal(name)}) order by cid'
                )
            ]
            primary = tuple(row[0] for row in sorted(columns, key=lambda row: row[3]) if row[3])
            # A text primary key of SQLite may be null unless it says otherwise; a key of ours never is.
            fields = tuple(
                Field(column, declared.lower(), not (required or column in primary))
                for column, declared, required, _ in columns
            )
            never_null = {item.name for item in fields if not item.nullable}
            unique = [key for key in self._unique(name) if set(key) <= never_null and key != primary]
            found.append(Table(name, None, None, fields, primary, in_order(unique), kind == "view"))
        return found

    def left_out(self) -> list[str]:
        return self._left_out

    def _unique(self, table: str) -> list[tuple[str, ...]]:
        keys = []
        for (index,) in self._asked.rows(
            f'select name from pragma_index_list({literal(table)}) where "unique" and not partial order by name'
        ):
            columns = self._asked.rows(f"select name from pragma_index_info({literal(index)}) order by seqno")
            if columns and all(column for (column,) in columns):  # an expression has no name
                keys.append(tuple(column for (column,) in columns))
        return keys

    def look(self, table: Table) -> Look:
        answers = ["count(*)"]
        for item in table.fields:
            c = quoted(item.name)
            # Fifteen digits are what a floating-point number keeps of what was keyed in.
            shown = f"rtrim(rtrim(printf('%.15f', round({c}, 12)), '0'), '.')"
            decimals = f"case when instr({shown}, '.') then length({shown}) - instr({shown}, '.') else 0 end"
            number = f"typeof({c}) in ('integer', 'real')"
            answers += [
                f"count({c})",
                f"total(typeof({c}) = 'integer')",
                f"total({number})",
                f"total(typeof({c}) = 'integer' and {c} in (0, 1))",
                f"total(typeof({c}) = 'text' and {c} glob '{_DAY}')",
                f"total(typeof({c}) = 'text' and ({c} glob '{_DAY}' or {c} glob '{_MOMENT}'))",
                f"max(case when {number} then {decimals} end)",
                f"max(case when {number} then length(cast(cast(abs({c}) as integer) as text)) end)",
            ]
        listed = ", ".join(f"cast({answer} as text) as a{place}" for place, answer in enumerate(answers))
        ((rows, *said),) = self._asked.rows(
            f"select {listed} from (select * from {quoted(table.name)} limit {LOOK})"
        )
        columns = {}
        for place, item in enumerate(table.fields):
            filled, whole, numbers, flags, days, moments, scale, digits = said[place * 8 : place * 8 + 8]
            count = int(filled)
            kinds = {"bigint": whole, "number": numbers, "boolean": flags, "date": days, "timestamp": moments}
            fits = frozenset(kind for kind, fitting in kinds.items() if count and float(fitting) == count)
            columns[item.name] = Seen(
                count, int(scale) if scale else None, int(digits) if digits else None, 0, fits
            )
        return Look(int(rows), columns, self._texts(table))

    def _texts(self, table: Table) -> dict[str, tuple[str, ...]]:
        texts = {item.name: f"substr(cast({quoted(item.name)} as text), 1, 80)" for item in table.fields}
        return self._asked.samples(table, quoted(table.name), texts, quoted)
