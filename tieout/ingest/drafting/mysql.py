"""The catalogue of MySQL and MariaDB: information_schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tieout.engine import literal
from tieout.ingest.drafting.catalogue import LOOK, Asked, Field, Look, Seen, Table, in_order
from tieout.ingest.drafting.judge import is_unbounded
from tieout.ingest.intake.mysql import backticked

if TYPE_CHECKING:
    from tieout.ingest.intake.readers import Reader

_TEXT = re.compile(r"^(char|varchar|tinytext|text|mediumtext|longtext)\b")


class MysqlCatalogue:
    def __init__(self, reader: Reader) -> None:
        self._asked = Asked(reader, "mysql_query")
        self._left_out: list[str] = []

    def tables(self, schema: str | None) -> list[Table]:
        here = f"table_schema = {literal(schema)}" if schema else "table_schema = database()"
        fields: dict[str, list[Field]] = {}
        for table, name, declared, nullable, comment in self._asked.rows(
            "select table_name, column_name, column_type, is_nullable, column_comment"
            f" from information_schema.columns where {here} order by table_name, ordinal_position"
        ):
            fields.setdefault(table, []).append(
                Field(name, declared.lower(), nullable == "YES", comment or None)
            )
        keys: dict[tuple[str, str], list[tuple[str | None, bool]]] = {}
        for table, index, column, nullable in self._asked.rows(
            "select table_name, index_name, column_name, nullable from information_schema.statistics"
            f" where {here} and non_unique = 0 order by table_name, index_name, seq_in_index"
        ):
            keys.setdefault((table, index), []).append((column, nullable == "YES"))
        found = []
        self._left_out = []
        for name, kind, comment in self._asked.rows(
            f"select table_name, table_type, table_comment from information_schema.tables where {here}"
            " and table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')"
        ):
            if "." in name or name not in fields:
                self._left_out.append(f"{name}: a dot in its name or no columns")
                continue
            named = {
                index: tuple(str(column) for column, _ in columns)
                for (table, index), columns in keys.items()
                if table == name and all(column and not nullable for column, nullable in columns)
            }
            primary = named.pop("PRIMARY", ())
            view = kind == "VIEW"  # whose comment is the word VIEW
            found.append(
                Table(
                    name,
                    schema,
                    None if view else comment or None,
                    tuple(fields[name]),
                    primary,
                    in_order(list(named.values())),
                    view,
                )
            )
        return sorted(found, key=lambda table: table.name)

    def left_out(self) -> list[str]:
        return self._left_out

    def look(self, table: Table) -> Look:
        name = ".".join(backticked(part) for part in (table.schema, table.name) if part)
        answers = ["count(*)"]
        for item in table.fields:
            column = backticked(item.name)
            answers.append(f"count({column})")
            if is_unbounded(item.declared):
                said = f"cast({column} as char)"
                decimals = f"if(locate('.', {said}), substring_index({said}, '.', -1), '')"
                answers += [
                    f"max(length(trim(trailing '0' from {decimals})))",
                    f"max(length(trim(leading '0' from replace(substring_index({said}, '.', 1), '-', ''))))",
                ]
            elif item.declared.startswith("tinyint(1)"):
                answers.append(f"sum({column} not in (0, 1))")
            elif re.match(r"time\b", item.declared):
                answers.append(f"sum({column} not between '00:00:00' and '23:59:59.999999')")
        listed = ", ".join(f"cast({answer} as char) as a{place}" for place, answer in enumerate(answers))
        ((rows, *rest),) = self._asked.rows(f"select {listed} from (select * from {name} limit {LOOK}) as t")
        columns = {}
        values = iter(rest)
        for item in table.fields:
            filled = int(next(values))
            if is_unbounded(item.declared):
                scale, digits = next(values), next(values)
                columns[item.name] = Seen(
                    filled, int(scale) if scale else None, int(digits) if digits else None
                )
            elif item.declared.startswith("tinyint(1)"):
                outside = next(values)
                fits = {"boolean"} if outside is not None and float(outside) == 0 else set()
                columns[item.name] = Seen(filled, fits=frozenset(fits))
            elif re.match(r"time\b", item.declared):
                outside = next(values)
                fits = {"time"} if outside is None or float(outside) == 0 else set()
                columns[item.name] = Seen(filled, fits=frozenset(fits))
            else:
                columns[item.name] = Seen(filled)
        return Look(int(rows), columns, self._texts(table, name))

    def _texts(self, table: Table, name: str) -> dict[str, tuple[str, ...]]:
        names = [item.name for item in table.fields if _TEXT.match(item.declared)]
        texts = {column: f"left({backticked(column)}, 80)" for column in names}
        return self._asked.samples(table, name, texts, backticked)
