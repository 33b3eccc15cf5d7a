"""Which shapes have changed and wait for a person: refused pulls, held batches, columns noted or taken in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sources.contract import Source
from tieout.ingest.drift.changes import Change, changes
from tieout.ingest.drift.evolved import effective
from tieout.ingest.drift.held import baseline, open_holds
from tieout.ingest.drift.refusals import refusals
from tieout.ingest.landing import Landing, Manifest

State = Literal["refused", "held", "taken in", "noted"]


@dataclass(frozen=True)
class Drift:
    """One stream whose shape changed: `state` says what came of it, `message` the whole story."""

    source: str
    stream: str
    state: State
    at: str
    message: str
    columns: tuple[str, ...] = ()  # the contract's columns it is about
    changes: tuple[Change, ...] = ()
    batch: str | None = None
    name: str | None = None  # the source's column that may be promised

    @property
    def waits(self) -> bool:
        """Whether nothing of the stream goes on before somebody decides."""
        return self.state in ("refused", "held")


def open_drifts(sources: Mapping[str, Source], landing: Landing) -> list[Drift]:
    """Everything open, what waits first; streams in the order of their contracts."""
    found: list[Drift] = []
    for item in refusals(landing.root):
        stream = sources[item.source].streams.get(item.stream) if item.source in sources else None
        if stream is None:
            continue
        columns = tuple(dict.fromkeys(change.column for change in item.changes if change.column))
        found.append(Drift(item.source, item.stream, "refused", item.at, item.message, columns, item.changes))
    for source in sources.values():
        whole = effective(source, landing)
        for name, stream in source.streams.items():
            for batch in open_holds(landing, source.name, name):
                differences = _since(whole, landing, name, batch)
                columns = tuple(dict.fromkeys(item.column for item in differences if item.column))
                found.append(
                    Drift(
                        source.name,
                        name,
                        "held",
                        batch.extracted_at,
                        batch.held or "",
                        columns,
                        tuple(differences),
                        batch.batch_id,
                    )
                )
            last = baseline(landing, source.name, name)
            if last is None:
                continue
            for column, spec in whole.streams[name].columns.items():
                if column not in stream.columns:
                    said = whole.streams[name].source_column(column)
                    message = f"the column {said} was taken in as {column} ({spec.type}); the contract does not name it yet"
                    found.append(
                        Drift(source.name, name, "taken in", last.extracted_at, message, (column,), name=said)
                    )
            found += _noted(whole, landing, name)
    order = {"refused": 0, "held": 1, "taken in": 2, "noted": 3}
    return sorted(found, key=lambda item: order[item.state])


def _noted(source: Source, landing: Landing, name: str) -> list[Drift]:
    """What the newest batch that was loaded had over the one before it, and nobody has promised since."""
    batches = [item for item in landing.batches(source.name, name) if item.held is None]
    if len(batches) < 2 or not batches[-2].declared or not batches[-1].declared:
        return []
    before, last = batches[-2], batches[-1]
    return [
        Drift(
            source.name,
            name,
            "noted",
            last.extracted_at,
            f"{last.origin} {item}",
            (),
            (item,),
            last.batch_id,
            item.now,
        )
        for item in changes(source.streams[name], before.declared, last.declared)
        if item.what == "added"
    ]


def _since(source: Source, landing: Landing, name: str, batch: Manifest) -> list[Change]:
    last = baseline(landing, source.name, name)
    before = {} if last is None else last.declared or last.columns
    found = changes(source.streams[name], before, batch.declared or batch.columns)
    return [item for item in found if item.column and not item.harmless]
