"""The verdict on one pull: goes on, is held until somebody decides, or is refused, as the stream's policy says.

policy       added column     widened, values fit    gone, renamed or retyped     emptied
note         noted            noted                  refused                      refused
evolve       taken in         noted                  refused                      refused
quarantine   noted            noted                  held                         held
freeze       refused          refused                refused                      refused

Emptied: the column is there, but rows that had a value have none any more, all of them. Where values can tell,
they do: a renamed column is recognised by what it holds, a retyped one passes if it holds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import literal
from tieout.ingest.drift.changes import ALIKE, Change, candidates, changes, likeness
from tieout.ingest.drift.evidence import Compared
from tieout.ingest.drift.evolved import Evolved, additions
from tieout.ingest.errors import SourceError
from tieout.ingest.landing import Manifest

if TYPE_CHECKING:
    import duckdb

# A table with hundreds of new columns is another table; comparing them all would take longer than reading it.
MOST_CANDIDATES = 24
MOST_NAMED = 8  # columns in a message
MOST_REMEDIES = 3


class DriftError(SourceError):
    """A stream was refused because its shape changed; `declared` is the shape it has now."""

    def __init__(
        self, message: str, source: str, stream: str, found: tuple[Change, ...], declared: dict[str, str]
    ) -> None:
        super().__init__(message)
        self.source, self.stream, self.changes, self.declared = source, stream, found, declared


@dataclass(frozen=True)
class Verdict:
    """What becomes of a pull: `evolved` and `held` go into its manifest, `notes` to the person who reads."""

    evolved: Evolved
    held: str | None = None
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


def reading(stream: Stream, declared: Mapping[str, str], last: Manifest | None) -> dict[str, str]:
    """The columns to read, source name → declared type: the promised ones that are there, under today's names.

    If one of them is gone, the unpromised new ones too: `judge` looks there for its values.
    """
    present = [stream.column_in(column, declared) for column in stream.columns]
    names = [name for name in present if name is not None]
    names += candidates(stream, _shape(last), declared)[:MOST_CANDIDATES]
    return {name: declared[name] for name in names}


def judge(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    declared: Mapping[str, str],
    last: Manifest | None,
    data: Path,
    last_data: Path | None,
    *,
    origin: str | None = None,
    sparse: bool = False,
) -> Verdict:
    """Compare what was read with the last batch and with the contract, and apply the stream's drift policy.

    Args:
        con: Any DuckDB connection; nothing is written, it may be inside a read-only transaction.
        source: The contract (with or without what batches have taken in).
        stream: The stream as it was read, `grown(…)` included.
        declared: Every column the source has now → its type as declared there (files: `text`).
        last: `baseline(…)`, never `landing.latest`; None at the first pull.
        data: Parquet with the columns of `reading(…)`, under the source's names.
        last_data: The same of `last`.
        origin: Table, file or address, as a person would look it up.
        sparse: The source leaves out what is empty (JSON, XML): an optional column that is missing was
            removed only if chance cannot explain it. A promised number may come as a number or as text.

    Raises: DriftError (a SourceError) if the pull is refused; nothing may land then.
    """
    there = {row[0] for row in con.execute(f"describe from read_parquet({literal(str(data))})").fetchall()}
    evolved = _evolved(source, name, stream, declared, last)
    # What a door did not read was not taken in, and a promised column it did not read would be loaded as null.
    unread = {
        k
        for k, said in evolved.items()
        if said["from"] not in there and k not in source.streams[name].columns
    }
    if last is not None:
        unread -= set(last.evolved)
    evolved = {k: said for k, said in evolved.items() if k not in unread}
    stream = stream.model_copy(
        update={"columns": {k: v for k, v in stream.columns.items() if k not in unread}}
    )
    promised = {item for column in stream.columns for item in stream.source_names(column)}
    declared = {item: kind for item, kind in declared.items() if item in there or item not in promised}
    taken = {said["from"] for said in evolved.values()}
    found = _taken_in(taken, declared, last)
    found += _changes(con, stream, declared, last, data, last_data, sparse)
    found = list(dict.fromkeys(found))
    where, here = f"{source.name}.{name}", origin or stream.origin
    grave = [change for change in found if change.column is not None and not change.harmless]
    shape = [change for change in found if change.what != "emptied"]
    if stream.drift == "freeze" and (grave or shape):
        raise _refusal(source, name, stream, here, grave + shape, declared)
    if grave and stream.drift == "quarantine":
        return Verdict(evolved, _listed(here, grave), _notes(where, here, found, taken), tuple(found))
    if grave:
        raise _refusal(source, name, stream, here, grave, declared)
    return Verdict(evolved, None, _notes(where, here, found, taken), tuple(found))


def _changes(
    con: duckdb.DuckDBPyConnection,
    stream: Stream,
    declared: Mapping[str, str],
    last: Manifest | None,
    data: Path,
    last_data: Path | None,
    sparse: bool,
) -> list[Change]:
    """The differences in shape, settled by the values."""
    before = _shape(last)
    first = changes(stream, before, declared)
    if last is not None and not last.declared:
        # A batch from before shapes were kept names only what was read: what it lacks need not be new.
        first = [change for change in first if change.what != "added"]
    if last is None:
        return first
    values = Compared(con, stream, data, last_data)
    lost = [change.column for change in first if change.what in ("removed", "renamed") and change.column]
    if lost:
        evidence = values.heirs(lost, candidates(stream, before, declared)[:MOST_CANDIDATES])
        news = {change.now for change in first if change.what in ("added", "renamed")}
        first = changes(stream, before, declared, evidence)
        first = [change for change in first if change.what != "added" or change.now in news]
    settled: list[Change] = []
    for change in first:
        if change.column and change.what in ("widened", "retyped"):
            if sparse and values.spelled(change):
                continue
            settled.append(values.retyped(change))
        elif change.column and sparse and _only_missing(change):
            settled += values.left_out(replace(change, what="removed", now=None))
        else:
            settled.append(change)
    emptied = values.emptied(declared, {change.column for change in settled})
    # A person who accepted a column as empty has taken it out of the columns that are compared.
    return settled + [change for change in emptied if change.now in last.columns or not last.columns]


def _taken_in(taken: set[str], declared: Mapping[str, str], last: Manifest | None) -> list[Change]:
    """Columns that are taken in by this pull: `grown` has promised them already."""
    if last is None or not last.declared:
        return []
    new = [item for item in declared if item in taken and item not in last.declared]
    return [Change("added", None, None, item, None, declared[item], harmless=True) for item in new]


def _only_missing(change: Change) -> bool:
    """Whether nothing but its absence speaks of a column: no values elsewhere, and no name that is alike."""
    if change.what == "renamed" and change.column:
        told = change.evidence is not None and change.evidence.tells
        alike = max(likeness(str(change.before), str(change.now)), likeness(change.column, str(change.now)))
        return not told and alike < ALIKE
    return change.what == "removed"


def _shape(last: Manifest | None) -> dict[str, str]:
    return {} if last is None else last.declared or last.columns


def _evolved(
    source: Source, name: str, stream: Stream, declared: Mapping[str, str], last: Manifest | None
) -> Evolved:
    """Everything taken in so far, so that the newest batch alone tells; what the contract promises wins."""
    contract = source.streams[name]
    so_far: Evolved = dict(last.evolved) if last else {}
    for column, spec in stream.columns.items():
        if column not in contract.columns:
            so_far[column] = {"from": stream.source_column(column), "type": spec.type}
    so_far |= additions(stream, declared, last)
    return {column: said for column, said in so_far.items() if said["from"] in declared}


def _listed(origin: str, found: list[Change]) -> str:
    return f"{origin} {'; it '.join(str(change) for change in found)}"


def _notes(where: str, origin: str, found: list[Change], taken: set[str]) -> tuple[str, ...]:
    notes = []
    for change in found:
        note = f"{where}: {origin} {change}"
        if change.what == "added" and change.now in taken:
            note += "; it was taken in, nullable, and its meaning is yet to be said"
        elif change.what == "added":
            command = f"tieout drift accept {where} --add {_shell(change.now)}"
            note += f"; it is not loaded. {command} takes it into the contract"
        notes.append(note)
    return tuple(notes)


def _refusal(
    source: Source,
    name: str,
    stream: Stream,
    origin: str,
    found: list[Change],
    declared: Mapping[str, str],
) -> DriftError:
    where = f"{source.name}.{name}"
    found = list(dict.fromkeys(found))
    remedies = list(dict.fromkeys(remedy(where, source.name, stream, change) for change in found))
    if len(remedies) > MOST_REMEDIES:  # another table rather than another shape: nobody reads twelve commands
        remedies = [*remedies[:MOST_REMEDIES], f"… and likewise for {len(remedies) - MOST_REMEDIES} more."]
    promised = {item for column in stream.columns for item in stream.source_names(column)}
    unnamed = sorted(set(declared) - promised - {str(change.now) for change in found})
    hint = ""
    if unnamed and any(change.what == "removed" for change in found):
        more = f" and {len(unnamed) - MOST_NAMED} more" if len(unnamed) > MOST_NAMED else ""
        hint = f" It now has {unnamed[:MOST_NAMED]}{more}, which the contract does not name: renamed?"
    message = (
        f"{where}: {_listed(origin, found)}.{hint} "
        f"Nothing of it was loaded; what was loaded before stays. "
        f"Ask {source.owner_of(name)}. {' '.join(remedies)} `tieout drift` lists what it touches."
    )
    return DriftError(message, source.name, name, tuple(found), dict(declared))


def remedy(where: str, source: str, stream: Stream, change: Change) -> str:
    """The one command, or the one line in the contract, that mends a change."""
    command = f"tieout drift accept {where}"
    who = "--by NAME --reason TEXT"
    if change.what == "renamed" and change.column:
        names = ", ".join([str(change.now), *stream.source_names(change.column)])
        return (
            f"If it was renamed: `{command} --rename {change.column}={_shell(change.now)} {who}`, "
            f"or write `from: [{names}]` at {change.column} in sources/{source}/source.yaml."
        )
    if change.what == "removed" and change.column:
        return (
            f"If it has another name now: `{command} --rename {change.column}=NEW {who}`; "
            f"if it is gone for good: `{command} --drop {change.column} {who}`."
        )
    if change.what in ("retyped", "widened") and change.column:
        return (
            f"If that is right: `{command} --retype {change.column}=TYPE {who}`, "
            f"or `{command} --shape {who}` if the promised type still holds."
        )
    if change.what == "added":
        return f"To take it in: `{command} --add {_shell(change.now)} {who}`; to go on without it: `{command} --shape {who}`."
    return f"If that is right: `{command} --shape {who}`."


def _shell(word: str | None) -> str:
    import shlex

    return shlex.quote(word or "")
