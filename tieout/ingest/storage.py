"""What costs what: bytes of the landing by stream, of the warehouse by schema, and of everything published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sources.contract import Source
from tieout.engine import connect
from tieout.ingest.landing import Landing
from tieout.ingest.retention import evidence, foldable, folder_bytes
from tieout.settings import Settings


@dataclass(frozen=True)
class Landed:
    """One stream in the landing; all sizes in bytes. `foldable` batches take `frees` now, at most all of it is freed."""

    source: str
    stream: str
    batches: int
    rows: int
    data: int
    evidence: int
    keys: int
    seen: int
    foldable: int
    frees: int

    @property
    def total(self) -> int:
        return self.data + self.evidence + self.keys + self.seen


@dataclass(frozen=True)
class Held:
    """One table of the warehouse: rows, and bytes of the blocks only it uses."""

    schema: str
    table: str
    rows: int
    bytes: int


def landed(settings: Settings, sources: Mapping[str, Source], before: datetime) -> list[Landed]:
    """Every stream with a batch; `before` decides what compaction could fold."""
    landing = Landing(settings.landing)
    found = []
    for source in sources.values():
        for stream in source.streams:
            batches = landing.batches(source.name, stream)
            if not batches:
                continue
            total = sum(folder_bytes(landing.folder(item)) for item in batches)
            received = sum(_size(path) for item in batches for path in evidence(landing, item))
            keys = sum(_size(path) for item in batches if (path := landing.keys_file(item)))
            seen = sum(_size(landing.folder(item) / item.seen) for item in batches if item.seen)
            old = foldable(landing, source.name, stream, before)
            found.append(
                Landed(
                    source.name,
                    stream,
                    len(batches),
                    sum(item.rows for item in batches),
                    total - received - keys - seen,
                    received,
                    keys,
                    seen,
                    len(old.batches) if old else 0,
                    old.bytes if old else 0,
                )
            )
    return found


def held(settings: Settings) -> list[Held]:
    """Every table of the warehouse, read-only; a table smaller than a block shares one and counts as nothing."""
    if not settings.warehouse.is_file():
        return []
    with connect(settings.warehouse, read_only=True) as con:
        block = con.execute("select block_size from pragma_database_size()").fetchone()
        tables = con.execute(
            "select schema_name, table_name, estimated_size from duckdb_tables() where not internal order by all"
        ).fetchall()
        found = []
        for schema, table, rows in tables:
            name = f"{schema}.{table}".replace("'", "''")
            blocks = con.execute(
                f"select count(distinct block_id) from pragma_storage_info('{name}') where persistent"
            ).fetchone()
            found.append(Held(schema, table, rows, (blocks[0] if blocks else 0) * (block[0] if block else 0)))
        return found


def places(settings: Settings) -> list[tuple[str, int, str]]:
    """(what, bytes, what may be done about it) of everything below the installation's folder."""
    home = settings.home
    known = [
        ("landing", settings.landing, "`tieout storage compact`; everything else can be rebuilt from it"),
        (
            "warehouse",
            settings.warehouse,
            "`tieout replay` writes it anew, without the space deleted rows left",
        ),
        ("snapshots", settings.snapshots, "the newest three stay; open readers may still use one"),
        ("postgres", settings.postgres, "holds what is published; replaced at every publish"),
        ("logs", settings.logs, "may be deleted"),
        ("pages", settings.pages, "written anew at every publish"),
        ("dbt", home / "dbt", "may be deleted: the next build parses anew"),
    ]
    found = [(what, _size(path), words) for what, path, words in known if path.exists()]
    named = {path.name for _, path, _ in known}
    rest = sum(_size(path) for path in home.iterdir() if path.name not in named) if home.is_dir() else 0
    return [*found, ("other", rest, "")]


def _size(path: Path) -> int:
    if path.is_symlink() or not path.exists():
        return 0
    return path.stat().st_size if path.is_file() else folder_bytes(path)
