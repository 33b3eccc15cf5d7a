"""What was found out so far: which record has which key since when, what keys exist, what was ruled, which pairs match.

`<home>/<entity>/segments/<number>/` holds what one run changed, as Parquet tables, and never changes again;
the state is all of them replayed. A segment is written beside the others under a dotted name and renamed into place, so
a crash leaves a whole run or none. Many segments are folded into one, `<first>-<last>`, that says the same.
`edges.parquet` can be made again from the records: it only saves scoring them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tieout.master_data.keys import Key
from tieout.master_data.types import Edge, Event, MasterDataError, entity_folder

if TYPE_CHECKING:
    import pyarrow as pa

SEGMENTS = "segments"
MANIFEST = "segment.json"
EDGES = "edges.parquet"
# From here on, many small files cost more to read than one fold costs to write.
FOLD_AT = 64

T = TypeVar("T")

_NAME = re.compile(r"(\d{6,})(?:-(\d{6,}))?")
_TABLES: dict[str, dict[str, str]] = {
    "record": {
        "record_id": "text",
        "source_system": "text",
        "source_key": "text",
        "key": "text",
        "fingerprint": "text",
    },
    "key": {
        "key": "text",
        "state": "text",
        "founder": "text",
        "founded_run": "count",
        "merged_into": "text",
        "home": "texts",
    },
    "memo": {"members": "text", "key": "text"},
    "event": {"kind": "text", "key": "text", "other_key": "text", "record_id": "text", "reason": "text"},
    "ruled": {"kind": "text", "a": "text", "b": "text", "holds": "truth"},
}


class RegistryError(MasterDataError):
    """The registry cannot be read or written; no key was given, and nothing of it was changed."""


class Held(NamedTuple):
    """What is known of a record that exists: its key, and the hash of the content that it was compared by."""

    source_system: str
    source_key: str
    key: str
    fingerprint: str


class Ruled(NamedTuple):
    """A ruling that was applied: two records `same` or `different`, or a code `a` that counts as `code` b."""

    kind: str
    a: str
    b: str


@dataclass(frozen=True)
class Change:
    """What one run found out, to be added to the registry."""

    records: Mapping[str, Held] = field(default_factory=dict)  # new, or other than before
    gone: tuple[str, ...] = ()
    keys: list[Key] = field(default_factory=list)
    memo: Mapping[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    ruled: frozenset[Ruled] = frozenset()  # applied from now on
    lifted: frozenset[Ruled] = frozenset()  # no longer applied

    def __bool__(self) -> bool:
        return any((self.records, self.gone, self.keys, self.memo, self.events, self.ruled, self.lifted))


@dataclass(frozen=True)
class Scored:
    """The edges as last scored, by which model, and the segment whose records they belong to."""

    edges: list[Edge]
    model: str
    segment: str


@dataclass
class Registry:
    """The state after the last run; `run` 0 is before the first."""

    entity: str
    folder: Path
    run: int = 0
    segment: str = ""  # a name no other segment has, also if somebody restores an older one
    times: dict[int, datetime] = field(default_factory=dict)  # of each run, UTC
    records: dict[str, Held] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)  # every record that was ever sent
    keys: dict[str, Key] = field(default_factory=dict)
    memo: dict[str, tuple[str, int]] = field(default_factory=dict)
    ruled: set[Ruled] = field(default_factory=set)

    def instant(self, now: datetime) -> datetime:
        """`now`, or just after the last run if this machine's clock has gone back since."""
        now = now.astimezone(UTC)
        return max(now, self.times[self.run] + timedelta(microseconds=1)) if self.run else now

    def append(self, change: Change, at: datetime, segment: str) -> None:
        """Add the segment of one run, whole or not at all; this object stays as it was.

        Raises: RegistryError if another run has added one since this registry was read.
        """
        folder = self.folder / SEGMENTS
        folder.mkdir(parents=True, exist_ok=True)
        number = self.run + 1
        tables = {name: rows for name, rows in _rows(change).items() if rows}
        with _draft(folder, f"{number:06d}") as draft:
            for name, rows in tables.items():
                _write(draft / f"{name}.parquet", _table(name, [(number, at, *row) for row in rows]))
            manifest = {
                "entity": self.entity,
                "first": number,
                "last": number,
                "segment": segment,
                "times": {number: at.isoformat(timespec="microseconds")},
                "rows": {name: len(rows) for name, rows in tables.items()},
            }
            _write_manifest(draft, manifest)
            newest = _segments(folder)[-1:]
            if [item.segment for item in newest] != ([self.segment] if self.run else []):
                raise self._second_writer()
            try:
                draft.rename(folder / f"{number:06d}")
            except OSError as error:
                raise self._second_writer() from error
            _flush(folder)
        _clear(folder)

    def _second_writer(self) -> RegistryError:
        return RegistryError(
            f"{self.entity}: another run has written to {self.folder} since this one read it. This run kept nothing. "
            f"Let only one refresh run at a time, then run again."
        )


@dataclass(frozen=True)
class _Segment:
    folder: Path
    first: int
    last: int
    segment: str
    times: Mapping[int, datetime]  # of each run in it
    rows: Mapping[str, int]


def read(home: Path, entity: str) -> Registry:
    """The registry of one entity, empty if there is none yet.

    Raises: RegistryError if a segment is missing or damaged: without it, keys would be given a second time.
    """
    return _steadily(lambda: _read(Registry(entity, entity_folder(home, entity))))


def _read(registry: Registry) -> Registry:
    segments = _segments(registry.folder / SEGMENTS)
    for item in segments:
        for _, record, system, source_key, key, fingerprint in _lists(item, "record"):
            registry.ever.add(record)
            if key is None:
                registry.records.pop(record, None)
            else:
                registry.records[record] = Held(system, source_key, key, fingerprint)
        for _, key, state, founder, run, merged_into, home_of in _lists(item, "key"):
            registry.keys[key] = Key(key, state, founder, run, merged_into, tuple(home_of))
        for run, members, key in _lists(item, "memo"):
            registry.memo[members] = key, run
        for _, kind, a, b, holds in _lists(item, "ruled"):
            (registry.ruled.add if holds else registry.ruled.discard)(Ruled(kind, a, b))
    if segments:
        registry.run, registry.segment = segments[-1].last, segments[-1].segment
    registry.times = {run: at for item in segments for run, at in item.times.items()}
    return registry


def table(home: Path, entity: str, name: str) -> pa.Table:
    """All rows ever written of `record`, `key`, `memo`, `event` or `ruled`, with `run` and `at`, oldest run first."""
    import pyarrow as pa

    kept = entity_folder(home, entity) / SEGMENTS
    return _steadily(
        lambda: pa.concat_tables([_table(name, []), *(_read_table(item, name) for item in _segments(kept))])
    )


def times(home: Path, entity: str) -> dict[int, datetime]:
    """When each run was (UTC)."""
    segments = _steadily(lambda: _segments(entity_folder(home, entity) / SEGMENTS))
    return {run: at for item in segments for run, at in item.times.items()}


def fold(home: Path, entity: str, *, at_least: int = FOLD_AT) -> bool:
    """Write many segments as one that says the same; returns whether there were `at_least` so many."""
    kept = entity_folder(home, entity) / SEGMENTS
    segments = _segments(kept)
    if len(segments) < max(at_least, 2):
        return False
    import pyarrow as pa

    first, last = segments[0], segments[-1]
    with _draft(kept, f"{first.first:06d}-{last.last:06d}") as draft:
        rows = {}
        for name in _TABLES:
            parts = [_read_table(item, name) for item in segments if item.rows.get(name)]
            if parts:
                whole = pa.concat_tables(parts)
                _write(draft / f"{name}.parquet", whole)
                rows[name] = whole.num_rows
        manifest = {
            "entity": entity,
            "first": first.first,
            "last": last.last,
            "segment": last.segment,
            "times": {
                run: at.isoformat(timespec="microseconds")
                for item in segments
                for run, at in item.times.items()
            },
            "rows": rows,
        }
        _write_manifest(draft, manifest)
        draft.rename(kept / f"{first.first:06d}-{last.last:06d}")
        _flush(kept)
    _clear(kept)
    return True


def read_edges(folder: Path) -> Scored | None:
    """The edges as last scored; None if there are none or they cannot be read: then all are scored again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(folder / EDGES) as file:
            found = file.read()
        said = found.schema.metadata or {}
        columns = [found.column(name).to_pylist() for name in ("a", "b", "score", "rule", "evidence")]
        return Scored(
            [Edge(*row) for row in zip(*columns, strict=True)],
            said[b"model"].decode(),
            said[b"segment"].decode(),
        )
    except (OSError, KeyError, pa.ArrowException):
        return None


def write_edges(folder: Path, scored: Scored) -> None:
    """Keep the edges for the next run, whole or not at all."""
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        name: pa.array(
            [getattr(edge, name) for edge in scored.edges], pa.float64() if name == "score" else pa.string()
        )
        for name in ("a", "b", "score", "rule", "evidence")
    }
    whole = pa.table(columns).replace_schema_metadata({"model": scored.model, "segment": scored.segment})
    draft = folder / f".{EDGES}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        _write(draft, whole)
        draft.replace(folder / EDGES)
    finally:
        draft.unlink(missing_ok=True)


def _rows(change: Change) -> dict[str, list[tuple[Any, ...]]]:
    """The change in the columns of `_TABLES`, without run and time."""
    return {
        "record": [(record, *held) for record, held in sorted(change.records.items())]
        + [(record, None, None, None, None) for record in sorted(change.gone)],
        "key": [(k.key, k.state, k.founder, k.founded_run, k.merged_into, list(k.home)) for k in change.keys],
        "memo": sorted(change.memo.items()),
        "event": [(e.kind, e.key, e.other_key, e.record_id, e.reason) for e in change.events],
        "ruled": [(*item, True) for item in sorted(change.ruled)]
        + [(*item, False) for item in sorted(change.lifted)],
    }


def _table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "count": pa.int64(),
        "instant": pa.timestamp("us", tz="UTC"),
        "truth": pa.bool_(),
    }
    columns = {"run": "count", "at": "instant", **_TABLES[name]}
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table(
        {
            column: pa.array(part, types[kind])
            for (column, kind), part in zip(columns.items(), values, strict=True)
        }
    )


def _read_table(item: _Segment, name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    promised = item.rows.get(name, 0)
    if not promised:
        return _table(name, [])
    path = item.folder / f"{name}.parquet"
    try:
        # Five times as fast for small files as `read_table`, and most are small.
        with pq.ParquetFile(path) as file:
            found = file.read(use_threads=promised > 100_000).cast(_table(name, []).schema)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, str(error).splitlines()[0]) from None
    if found.num_rows != promised:
        raise _damaged(path, f"{found.num_rows} rows instead of {promised}")
    return found


def _lists(item: _Segment, name: str) -> list[tuple[Any, ...]]:
    """Rows of one table of a segment, by run; without the time, a million of which take long to read."""
    found = _read_table(item, name).drop_columns(["at"])
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def _steadily(work: Callable[[], T]) -> T:
    """Read twice before calling something damaged: a running refresh may just have folded what was listed."""
    try:
        return work()
    except RegistryError:
        return work()


def _segments(folder: Path) -> list[_Segment]:
    """What makes the state up, oldest first; segments that were folded into another are left out.

    Raises: RegistryError if one is missing or damaged.
    """
    if not folder.is_dir():
        return []
    found: list[_Segment] = []
    for first, last, path in sorted(_named(folder), key=lambda item: (item[0], -item[1])):
        if found and last <= found[-1].last:
            continue
        expected = found[-1].last + 1 if found else 1
        if first != expected:
            raise _damaged(folder, f"segment {expected:06d} is missing")
        try:
            said = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            times = {int(run): datetime.fromisoformat(at) for run, at in said["times"].items()}
            found.append(_Segment(path, first, last, said["segment"], times, said["rows"]))
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from None
    return found


def _named(folder: Path) -> list[tuple[int, int, Path]]:
    """First run, last run and folder of everything that bears the name of a segment."""
    found = []
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            found.append((int(match[1]), int(match[2] or match[1]), path))
    return found


def _damaged(path: Path, why: str) -> RegistryError:
    return RegistryError(
        f"{path}: this part of the registry of keys cannot be read ({why}). Nothing was resolved: without it, keys would "
        f"be given again to other records. Restore it from a backup."
    )


def _clear(folder: Path) -> None:
    """Delete what killed runs left half-written, and segments that were folded into another."""
    kept = {item.folder for item in _segments(folder)}
    for *_, path in _named(folder):
        if path not in kept:
            # Renamed first: a reader must not meet half of it under its own name.
            aside = folder / f".{path.name}-{os.urandom(4).hex()}"
            path.rename(aside)
    for path in folder.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _draft(folder: Path, name: str) -> Generator[Path]:
    """A private folder beside the segments; whatever was not renamed into place disappears."""
    draft = folder / f".{name}-{os.getpid()}-{os.urandom(4).hex()}"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, rows: pa.Table) -> None:
    import pyarrow.parquet as pq

    with path.open("wb") as file:
        pq.write_table(rows, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _write_manifest(draft: Path, manifest: dict[str, Any]) -> None:
    with (draft / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(json.dumps(manifest, ensure_ascii=False, indent=2))
        file.flush()
        os.fsync(file.fileno())
    _flush(draft)


def _flush(folder: Path) -> None:
    """Make names in a folder survive a power cut, where the system lets folders be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
