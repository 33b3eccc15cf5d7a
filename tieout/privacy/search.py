"""The proof: every file of an installation is looked through for values that must be nowhere any more.

Bytes are searched as UTF-8, GB18030, UTF-16 and JSON escapes; what is compressed is opened first: DuckDB files table by
table, Parquet files by column, pages and archives unpacked. PostgreSQL keeps short text as it is, so its files are bytes.
"""

from __future__ import annotations

import gzip
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import connect, literal, quoted

if TYPE_CHECKING:
    import duckdb

_CHUNK = 64 * 2**20
# A shorter number stands by chance in any file; it is looked for in tables only, as a word.
_SHORTEST = 6
Hits = Counter  # (value, place) → count


class Search:
    """Looks for values. `values` are as they were written; a hit is one as a word, or a Chinese name anywhere."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = sorted({value for value in values if value})
        self._patterns = {value: _patterns(value) for value in self.values}
        self.files = self.tables = 0

    def folder(self, home: Path, *, leave_out: Callable[[Path], bool]) -> Hits:
        """Hits in every file below `home` by (value, place); files and tables looked through are counted."""
        hits: Hits = Counter()
        for path in files(home, leave_out):
            hits += self.file(path, str(path.relative_to(home)))
        return hits

    def file(self, path: Path, place: str) -> Hits:
        """Hits in one file, opened by what it is."""
        self.files += 1
        hits: Hits = Counter()
        if path.suffix == ".duckdb":  # its blocks as bytes too: freed ones may hold what no table has
            hits += self._database(path, place)
        if path.suffix == ".parquet":
            with connect() as con:
                return self._relation(con, f"read_parquet({literal(str(path))})", place)
        for content in contents(path):
            for value, count in self.found(content).items():
                hits[value, place] += count
        return hits

    def found(self, content: bytes) -> Counter[str]:
        """How often each value is in some bytes."""
        hits: Counter[str] = Counter()
        for value, (fast, patterns) in self._patterns.items():
            for part, pattern in zip(fast, patterns, strict=True):
                if part in content:
                    hits[value] += len(pattern.findall(content))
        return Counter({value: count for value, count in hits.items() if count})

    def database(self, con: duckdb.DuckDBPyConnection, place: str) -> Hits:
        """Hits in every text, list and struct of every table of an open database."""
        hits: Hits = Counter()
        for database, schema, table in con.execute(
            "select database_name, schema_name, table_name from duckdb_tables() where not internal order by all"
        ).fetchall():
            name = f"{quoted(database)}.{quoted(schema)}.{quoted(table)}"
            hits += self._relation(con, name, f"{place}: {schema}.{table}")
        return hits

    def _database(self, path: Path, place: str) -> Hits:
        with connect(path, read_only=True) as con:
            return self.database(con, place)

    def _relation(self, con: duckdb.DuckDBPyConnection, relation: str, place: str) -> Hits:
        self.tables += 1
        hits: Hits = Counter()
        columns = [
            row[0]
            for row in con.execute(f"describe select * from {relation}").fetchall()
            if "VARCHAR" in row[1] or row[1] in ("JSON", "BLOB") or "BIGINT" in row[1] or "DECIMAL" in row[1]
        ]
        if not columns or not self.values:
            return hits
        listed = ", ".join(f"cast({quoted(column)} as text)" for column in columns)
        asked = ", ".join(f"count(*) filter (where {_in_text(value)})" for value in self.values)
        row = con.execute(
            f"select {asked} from (select concat_ws(chr(10), {listed}) as said from {relation})"
        ).fetchone()
        assert row is not None
        for value, count in zip(self.values, row, strict=True):
            if count:
                hits[value, place] += count
        return hits


def files(home: Path, leave_out: Callable[[Path], bool]) -> Iterator[Path]:
    """Every file below a folder, hidden ones too; links are not followed."""
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and not leave_out(path):
            yield path


def scrub(path: Path, pseudonyms: Mapping[str, str]) -> bool:
    """Replace values in a text file by pseudonyms of their own; returns whether it had any. Whole or not at all."""
    content = path.read_bytes()
    search, new = Search(pseudonyms), content
    if not search.found(content):
        return False
    for value in sorted(pseudonyms, key=len, reverse=True):
        for pattern in _patterns(value)[1]:
            new = pattern.sub(pseudonyms[value].encode(), new)
    draft = path.with_name(f".{path.name}-erasing")
    draft.write_bytes(new)
    draft.chmod(path.stat().st_mode & 0o7777)
    draft.replace(path)
    return True


def _patterns(value: str) -> tuple[list[bytes], list[re.Pattern[bytes]]]:
    """The bytes of a value in each encoding, and the same not as a part of a longer word of letters or digits."""
    escaped = json.dumps(value)[1:-1]
    forms = dict.fromkeys(
        [value.encode(), value.encode("gb18030"), escaped.encode(), value.encode("utf-16-le")]
    )
    if value.isascii() and len(value) < _SHORTEST:
        return [], []
    found = []
    for form in forms:
        before = rb"(?<![A-Za-z0-9_])" if value[0].isascii() and value[0].isalnum() else b""
        after = rb"(?![A-Za-z0-9_])" if value[-1].isascii() and value[-1].isalnum() else b""
        found.append(re.compile(before + re.escape(form) + after))
    return list(forms), found


def _in_text(value: str) -> str:
    """Condition over `said`: it has the value as a word, or anywhere if it is not of letters and digits."""
    has = f"contains(said, {literal(value)})"
    if not value.isascii():
        return has
    bounded = rf"(^|[^A-Za-z0-9_])\Q{value}\E($|[^A-Za-z0-9_])"
    return f"{has} and regexp_matches(said, {literal(bounded)})"


def contents(path: Path) -> Iterator[bytes]:
    """What a file holds: unpacked if it is a page or an archive, in pieces that overlap if it is large."""
    if path.suffix == ".zst":
        import pyarrow as pa

        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as stream:
            yield stream.read()
        return
    if path.suffix == ".gz":
        try:
            yield gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error):
            yield path.read_bytes()
        return
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name)
        return
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(_CHUNK):
            yield tail + piece
            tail = piece[-256:]
