"""Columns nobody promised, taken in by the policy `evolve`: their ASCII names, and the contract with them in it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sources.contract import TECHNICAL_COLUMNS, Column, Source, Stream
from tieout.ingest.drift.kinds import contract_type
from tieout.ingest.landing import Landing, Manifest
from tieout.strict import Title

if TYPE_CHECKING:
    import duckdb

Evolved = dict[str, dict[str, str]]  # id → {from, type}, as a manifest keeps it
# What a column means is not known before somebody has said so: it is guarded like the most personal one.
UNKNOWN_CLASS = "L4"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST = 40


def column_id(name: str, taken: Collection[str]) -> str:
    """An ASCII identifier for a source's column name, the same each time; never one that is `taken`.

    A name that is an identifier stays as it is; another becomes `x_<its ASCII part>_<6 hex of the name>`.
    """
    if (
        _IDENTIFIER.fullmatch(name)
        and name not in taken
        and name not in TECHNICAL_COLUMNS
        and len(name) <= 60
    ):
        return name
    ascii_part = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    ascii_part = re.sub(r"[^a-z0-9]+", "_", ascii_part).strip("_")[:_LONGEST].strip("_")
    digest = hashlib.sha256(name.encode()).hexdigest()
    for length in range(6, len(digest) + 1):
        found = "_".join(part for part in ("x", ascii_part, digest[:length]) if part)
        if found not in taken:
            return found
    raise AssertionError(f"no identifier is free for {name!r}")


def additions(stream: Stream, declared: Mapping[str, str], last: Manifest | None) -> Evolved:
    """Columns the source has gained since the last batch, to be taken in (policy `evolve` only)."""
    if stream.drift != "evolve" or last is None or not last.declared:
        return {}
    promised = {item for column in stream.columns for item in stream.source_names(column)}
    # A promised column that is gone may hide under a new name; until that is decided, nothing is taken in.
    if any(stream.column_in(column, declared) is None for column in stream.columns):
        return {}
    found: Evolved = {}
    for name, kind in declared.items():
        if name not in promised and name not in last.declared:
            found[column_id(name, {*stream.columns, *found})] = {"from": name, "type": contract_type(kind)}
    return found


def grown(stream: Stream, declared: Mapping[str, str], last: Manifest | None) -> Stream:
    """The stream with the columns that `evolve` takes in at this pull; the same stream if there are none."""
    return _with(stream, additions(stream, declared, last))


def effective(source: Source, landing: Landing) -> Source:
    """The contract with the columns its batches have taken in, for extract and load.

    What the contract itself promises wins; batches that are held do not count.
    """
    from tieout.ingest.decisions import decisions
    from tieout.ingest.drift.held import DROPPED, Holds

    streams: dict[str, Stream] = {}
    holds: Holds | None = None
    dropped: dict[tuple[str, str], str] | None = None
    for name, stream in source.streams.items():
        taken: Evolved = {}
        for batch in landing.batches(source.name, name):
            if not batch.evolved:
                continue
            if holds is None or dropped is None:
                holds = Holds(landing)
                dropped = {
                    (item.stream, str(item.about.get("column"))): item.at
                    for item in decisions(landing.root, kinds={DROPPED}, source=source.name)
                }
            if not holds.may_load(batch):
                continue
            for column, said in batch.evolved.items():
                if batch.extracted_at > dropped.get((name, column), ""):
                    taken[column] = said
                else:
                    taken.pop(column, None)
        if taken:
            streams[name] = _with(stream, taken)
    return source.model_copy(update={"streams": {**source.streams, **streams}}) if streams else source


def effective_sources(sources: Mapping[str, Source], landing: Landing) -> dict[str, Source]:
    """Every contract with the columns its batches have taken in: what raw tables are made and loaded by."""
    return {name: effective(source, landing) for name, source in sources.items()}


def comment_columns(con: duckdb.DuckDBPyConnection, promised: Source, source: Source) -> None:
    """Say at each column that was taken in what the source calls it, in the raw tables; they exist already.

    Args:
        promised: The contract as written.
        source: The effective one.
    """
    from tieout.engine import literal, quoted

    for name, stream in source.streams.items():
        for column in stream.columns:
            if column in promised.streams[name].columns:
                continue
            for table in (name, f"{name}__history"):
                where = f"{source.raw_schema}.{quoted(table)}.{quoted(column)}"
                con.execute(f"comment on column {where} is {literal(stream.source_column(column))}")


def _with(stream: Stream, more: Evolved) -> Stream:
    if not more:
        return stream
    columns = dict(stream.columns)
    named = {item for column in columns for item in stream.source_names(column)}
    for column, said in more.items():
        if column in columns or said["from"] in named:
            continue
        columns[column] = Column(
            type=said["type"],
            source_names=(said["from"],),
            title=Title(zh=said["from"], en=said["from"]),
            sensitivity=UNKNOWN_CLASS,
        )
        named.add(said["from"])
    return stream.model_copy(update={"columns": columns})
