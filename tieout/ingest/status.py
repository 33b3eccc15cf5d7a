"""What came in, as a person asks for it: rows a module, quarantine that is still open, watermarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import relations
from tieout.ingest.tables import raw_table

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Quarantined:
    """One row set aside, with where it came from and which rule it breaks."""

    source: str
    stream: str
    origin: str
    row_number: int | None
    record_key: str | None
    rule: str
    reason: str
    owner: str

    def __str__(self) -> str:
        place = f"{self.origin}, row {self.row_number}" if self.row_number else self.origin
        return f"{self.source}.{self.stream} ({place}, key {self.record_key}): {self.reason} [{self.rule}]"


@dataclass(frozen=True)
class ModuleRows:
    """Rows one module holds now: `rows` live ones in `streams` tables, `quarantined` set aside."""

    module: str
    source: str
    streams: int
    rows: int
    quarantined: int


_OPEN = """
    select source, stream, origin, row_number, record_key, rule, reason, owner
    from ops.quarantine_open order by all
"""


def open_quarantine(con: duckdb.DuckDBPyConnection) -> list[Quarantined]:
    """Rows that are set aside and wait for a person or for the source."""
    return [Quarantined(*row) for row in con.execute(_OPEN).fetchall()]


def veiled(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], rows: Sequence[Quarantined]
) -> list[str]:
    """The rows as a list or a log may show them: without what is above class L2."""
    from tieout.pages.personal import WITHHELD, key_is_shown, personal, reason_shown

    texts = {text for row in rows for text in (row.origin, row.record_key or "", row.reason)}
    veil = personal(con, sources, relations(con), texts)
    return [
        str(
            replace(
                row,
                origin=veil.hide(row.origin),
                record_key=veil.hide(row.record_key or "")
                if key_is_shown(sources, row.source, row.stream)
                else WITHHELD,
                reason=veil.hide(reason_shown(sources, row.source, row.stream, row.rule, row.reason)),
            )
        )
        for row in rows
    ]


def module_rows(con: duckdb.DuckDBPyConnection, sources: dict[str, Source]) -> list[ModuleRows]:
    """Live rows by module and source, in the order of the contracts."""
    aside: dict[tuple[str, str], int] = {}
    for row in open_quarantine(con):
        aside[row.source, row.stream] = aside.get((row.source, row.stream), 0) + 1
    counted: dict[tuple[str, str], list[int]] = {}
    for source in sources.values():
        for name, stream in source.streams.items():
            found = con.execute(
                f"select count(*) from {raw_table(source, name)} where not _is_deleted"
            ).fetchone()
            cell = counted.setdefault((stream.module or source.module, source.name), [0, 0, 0])
            cell[0] += 1
            cell[1] += found[0] if found else 0
            cell[2] += aside.get((source.name, name), 0)
    return [ModuleRows(module, source, *cell) for (module, source), cell in counted.items()]
