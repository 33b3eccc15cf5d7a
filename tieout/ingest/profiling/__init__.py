"""Profile an undocumented interface: recorded answers and files are looked at, and a contract is proposed.

Every finding is a guess with a confidence and a reason; a person decides. Only samples are looked at (SAMPLE
rows of an object, LARGEST bytes of a file), and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tieout.ingest.errors import SourceError
from tieout.ingest.profiling.fields import Profiled, profiled
from tieout.ingest.profiling.gathered import Gathered, Guess, Steps
from tieout.ingest.profiling.links import Key, Pointer, cursors, keys, pointers
from tieout.ingest.profiling.paging import hints

DOCUMENTS = frozenset({".json", ".jsonl", ".ndjson", ".xml", ".har"})
TABLES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".parquet"})


@dataclass(frozen=True)
class Found:
    """One object with everything that was found of it."""

    one: Gathered
    columns: dict[Steps, Profiled]
    keys: list[Key]
    cursors: list[Guess]
    paging: dict[str, tuple[Steps, Guess]]


@dataclass(frozen=True)
class Profile:
    """What was found in all files; parents stand before their children."""

    objects: tuple[Found, ...]
    pointers: tuple[Pointer, ...]
    notes: tuple[str, ...]


def profile(paths: Iterable[Path]) -> Profile:
    """Look at files, or at every known file directly inside folders.

    Raises: SourceError for a file that is not there, is of no known kind, or cannot be read.
    """
    gathered, notes = _gathered(_files(paths))
    _tell_apart(gathered)
    found: dict[int, Found] = {}
    for one in gathered:
        one.close()
    for one in _with_children(gathered):
        columns = {steps: profiled(one, steps) for steps in one.columns}
        above: tuple[Steps, ...] = ()
        if one.parent is not None and (parents := found[id(one.parent)].keys):
            above = tuple(steps for steps in parents[0].columns if steps in one.parent.columns)
        paging = hints(one) if one.parent is None else {}
        found[id(one)] = Found(one, columns, keys(one, columns, above), cursors(one, columns), paging)
    objects = tuple(found.values())
    linked = pointers([(item.one, item.columns, item.keys) for item in objects if item.one.rows])
    return Profile(objects, tuple(linked), tuple(notes))


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [one for one in sorted(path.iterdir()) if one.suffix.lower() in DOCUMENTS | TABLES]
            if not inside:
                raise SourceError(f"{path}: holds no file of a known kind. Nothing was profiled. {_known()}")
            files += inside
        elif not path.is_file():
            raise SourceError(f"{path}: there is no such file. Nothing was profiled.")
        elif path.suffix.lower() not in DOCUMENTS | TABLES:
            raise SourceError(
                f"{path}: {path.suffix or 'no ending'} is no known kind. Nothing was profiled. {_known()}"
            )
        else:
            files.append(path)
    return list(dict.fromkeys(files))


def _known() -> str:
    return f"Known are {', '.join(sorted(DOCUMENTS | TABLES))}."


def _gathered(files: list[Path]) -> tuple[list[Gathered], list[str]]:
    from tieout.ingest.profiling.documents import documents
    from tieout.ingest.profiling.har import calls
    from tieout.ingest.profiling.tables import table
    from tieout.ingest.profiling.trees import Trees

    trees = Trees()
    tables: dict[tuple, Gathered] = {}
    for path in files:
        if path.suffix.lower() in TABLES:
            for one in table(path):
                group = (one.label, one.kind, one.form.get("sheet"), frozenset(one.columns))
                known = tables.setdefault(group, one)
                known.files[path.name] = None
                if known is not one:
                    _append(known, one)
            continue
        for document in documents(path):
            if path.suffix.lower() == ".har":
                if not document.whole:
                    trees.notes.append(f"{path.name}: only the requests at its beginning were looked at")
                for answer in calls(path, document.content):
                    trees.take(answer)
            else:
                trees.take(document)
    return [*trees.found, *tables.values()], trees.notes


def _append(known: Gathered, more: Gathered) -> None:
    more.close()
    known.notes.update(more.notes)
    known.whole = known.whole and more.whole
    names = list(more.columns)
    for row in zip(*more.columns.values(), strict=True):
        if not known.add(dict(zip(names, row, strict=True))):
            break


def _tell_apart(gathered: list[Gathered]) -> None:
    """Two objects of one name get numbers."""
    times: dict[str, int] = {}
    for one in _with_children(gathered):
        times[one.label] = times.get(one.label, 0) + 1
        if times[one.label] > 1:
            one.label = f"{one.label} {times[one.label]}"


def _with_children(gathered: Iterable[Gathered]) -> list[Gathered]:
    every: list[Gathered] = []
    for one in gathered:
        every += [one, *_with_children(one.children.values())]
    return every
