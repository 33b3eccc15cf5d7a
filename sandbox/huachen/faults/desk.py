"""The desk at which faults are made: rows of the systems' stores, changed in place, each change written down.

Everything happens in one transaction a store; nothing shows before `commit`. A row that a fault has changed is not
taken again, unless overlaps are asked for.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.store import Store, Table

Record = dict[str, Any]
_PATIENCE = 30.0  # seconds that a store may be busy with readers
FILE = "*"  # the table of a change that concerns a system as a whole


class PlantError(Exception):
    """A fault could not be planted; the message says why and what to do."""


@dataclass(frozen=True)
class Change:
    """One field of one row; or, without a field, a whole row that went (`shown` None) or came (`true` None)."""

    system: str
    table: str
    key: tuple[Any, ...]
    field: str | None
    true: Any
    shown: Any


@dataclass(frozen=True)
class Stake:
    """What a fault concerns: the period (yyyy-mm) that truly should have the amount, and the amount."""

    period: str
    amount: Decimal
    currency: str = "CNY"


class Desk:
    """The stores of a built company, open for changes.

    Args:
        touched: (system, table, key) of rows that earlier faults changed.
        overlap: Such rows may be taken again, and are wherever one suits.
    """

    def __init__(
        self, folder: Path, dice: random.Random, touched: set[tuple[str, str, str]], *, overlap: bool = False
    ) -> None:
        self.folder, self.dice = folder, dice
        self.changes: list[Change] = []
        self._touched, self._overlap = touched, overlap
        self._open: dict[str, sqlite3.Connection] = {}
        self._stores: dict[str, Store] = {}

    # --- reading ---

    def table(self, system: str, name: str) -> Table:
        return self.tables(system)[name]

    def tables(self, system: str) -> Mapping[str, Table]:
        self._connection(system)
        return self._stores[system].tables

    def rows(self, system: str, table: str, where: str = "true", *values: Any) -> list[Record]:
        """Rows in the order of their key. `where` is SQL of this package."""
        order = ", ".join(f'"{name}"' for name in self.table(system, table).key)
        asked = self._connection(system).execute(
            f'select * from "{table}" where {where} order by {order}', values
        )
        names = [item[0] for item in asked.description]
        return [dict(zip(names, row, strict=True)) for row in asked]

    def pick(
        self,
        system: str,
        table: str,
        where: str = "true",
        *values: Any,
        whole: str | None = None,
        suits: Callable[[list[Record]], bool] = lambda _: True,
    ) -> list[Record]:
        """A row by chance, or the `whole` document it belongs to, that no fault has touched; where overlaps are asked
        for, rather one that a fault has touched.

        Raises: PlantError if there is none left.
        """
        named = [whole] if whole else list(self.table(system, table).key)
        columns = ", ".join(f'"{name}"' for name in named)
        found = self._connection(system).execute(
            f'select distinct {columns} from "{table}" where {where} order by {columns}', values
        )
        places = found.fetchall()
        same = " and ".join(f'"{name}" = ?' for name in named)
        asked_in = self.dice.sample(places, len(places))
        if self._overlap:
            taken = self._taken(system, table, columns)
            asked_in.sort(key=lambda place: place not in taken)
        for place in asked_in:
            rows = self.rows(system, table, same, *place)
            if self.is_free(system, table, rows) and suits(rows):
                return rows
        raise PlantError(f"{system}.{table}: no row is left for this fault. Nothing was planted.")

    def _taken(self, system: str, table: str, columns: str) -> set[tuple[Any, ...]]:
        """The values of some columns in all rows that a fault has changed."""
        con, where = self._connection(system), self._where(system, table)
        keys = [json.loads(key) for of, name, key in self._touched if (of, name) == (system, table)]
        return {
            tuple(row)
            for key in keys
            for row in con.execute(f'select {columns} from "{table}" where {where}', key)
        }

    def is_free(self, system: str, table: str, rows: Sequence[Record]) -> bool:
        if self._overlap:
            return True
        return all((system, table, _said(self._key(system, table, row))) not in self._touched for row in rows)

    def other(
        self, system: str, table: str, field: str, not_this: Any, where: str = "true", *values: Any
    ) -> Any:
        """Another value of a field, by chance."""
        found = self._connection(system).execute(
            f'select distinct "{field}" from "{table}" where "{field}" <> ? and {where} order by 1', (not_this, *values)
        )  # fmt: skip
        return self.dice.choice([value for (value,) in found])

    def next(self, system: str, table: str, field: str) -> int:
        """The number that comes after the greatest one."""
        [(last,)] = self._connection(system).execute(f'select max("{field}") from "{table}"')
        return int(last) + 1

    # --- changing ---

    def change(self, system: str, table: str, row: Record, shown: Record) -> None:
        """Let fields of a row show something else; `row` follows."""
        key = self._key(system, table, row)
        for field, value in shown.items():
            if row[field] != value:
                self.changes.append(Change(system, table, key, field, row[field], value))
                self._write(
                    system,
                    f'update "{table}" set "{field}" = ? where {self._where(system, table)}',
                    value,
                    *key,
                )
                row[field] = value
        self._touched.add((system, table, _said(key)))

    def remove(self, system: str, table: str, rows: Sequence[Record]) -> None:
        for row in rows:
            key = self._key(system, table, row)
            self.changes.append(Change(system, table, key, None, dict(row), None))
            self._write(system, f'delete from "{table}" where {self._where(system, table)}', *key)
            self._touched.add((system, table, _said(key)))

    def add(self, system: str, table: str, row: Record) -> None:
        key = self._key(system, table, row)
        self.changes.append(Change(system, table, key, None, None, dict(row)))
        self._write(system, f'insert into "{table}" values ({", ".join("?" * len(row))})', *row.values())
        self._touched.add((system, table, _said(key)))

    def drift(self, system: str, old: str, new: str) -> None:
        """Let the emulator call a field otherwise from now on."""
        path = self.folder / "systems" / f"{system}.faults.json"
        said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.changes.append(Change(system, FILE, (old,), "drift", old, new))
        self._touched.add((system, FILE, _said((old,))))
        said["drift"] = {**said.get("drift", {}), old: new}
        beside = path.with_suffix(".json~")
        beside.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)

    def is_touched(self, system: str, table: str, key: tuple[Any, ...]) -> bool:
        return (system, table, _said(key)) in self._touched

    def commit(self) -> None:
        for con in self._open.values():
            con.commit()

    def close(self) -> None:
        """Leave; what was not committed is undone."""
        for con in self._open.values():
            con.close()
        self._open.clear()

    def _connection(self, system: str) -> sqlite3.Connection:
        if system not in self._open:
            path = next(
                (p for part in ("systems", "databases") if (p := self.folder / part / f"{system}.sqlite").is_file()), None
            )  # fmt: skip
            if path is None:
                raise PlantError(
                    f"{system}: {self.folder} has no such system. Nothing was planted. Build the company first: "
                    f"python -m sandbox.huachen build --doors {self.folder}"
                )
            con = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            con.execute("begin immediate")
            self._open[system], self._stores[system] = con, Store(path)
        return self._open[system]

    def _write(self, system: str, sql: str, *values: Any) -> None:
        self._connection(system).execute(sql, values)

    def _key(self, system: str, table: str, row: Record) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.table(system, table).key)

    def _where(self, system: str, table: str) -> str:
        return " and ".join(f'"{name}" = ?' for name in self.table(system, table).key)


def _said(key: Sequence[Any]) -> str:
    return json.dumps(list(key), ensure_ascii=False)


def touched_by(changes: Sequence[Mapping[str, Any]]) -> set[tuple[str, str, str]]:
    """Rows that recorded changes took."""
    return {(item["system"], item["table"], _said(item["key"])) for item in changes}


def as_record(change: Change) -> Record:
    """As JSON will say it."""
    return {**asdict(change), "key": list(change.key)}
