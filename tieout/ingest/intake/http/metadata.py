"""What a vendor's system says of its own objects, kept with every pull that finds it changed.

A renamed field, a new one, another type, a code list that grew: said in the pull's notes before a report is wrong,
and kept in the landing, so that one can look up what a field was called on the day a row was read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sources.connectors import connector_for
from sources.connectors.connector import Ask, ObjectMeta
from sources.contract import Source
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.client import Call, Client
from tieout.ingest.intake.http.values import filled

FOLDER = "_metadata"
_TOLD = 6  # changes named in one note


def asker(client: Client) -> Ask:
    """Questions about metadata through a client: signed, within the limits, judged; errors in the vendor's words.

    A path may name options of the connection (`{options.NAME}`).
    """

    def ask(method: str, path: str, **parts: Any) -> Any:
        where = f"{client.source.name}: {path}"
        values = client.signer.options
        url = client.url(filled(path, values) or path)
        # what all requests of the contract carry: some systems know us by such a header
        for name, shared in (("headers", client.http.headers), ("params", client.http.params)):
            if shared:
                made = filled(client.secrets.everywhere(shared, f"http.{name}"), values) or {}
                parts[name] = {**made, **(parts.get(name) or {})}
        return client.ask(Call(where, method.lower(), url, **parts)).document

    return ask


def remember_metadata(source: Source, landing_root: Path, client: Client, now: datetime) -> list[str]:
    """Ask for the metadata of the objects the contract reads; keep them if they are new.

    Returns: notes for people: what changed since the last time. A system that does not answer gets a note, never an
    error: rows are read all the same.
    """
    objects = sorted({stream.object for stream in source.streams.values() if stream.object})
    if source.vendor is None or not objects or not connector_for(source.vendor).describes:
        return []
    try:
        found = connector_for(source.vendor).discover(asker(client), objects)
    except SourceError as error:
        return [f"{source.name}: the metadata could not be read: {error}"]
    folder = landing_root / source.name / FOLDER
    before = latest_metadata(folder)
    said = {item.id: _plain(item) for item in found}
    if said == before:
        return []
    _write(folder, said, now)
    if before is None:
        return []
    changes = [
        change
        for name in sorted({*before, *said})
        for change in _changes(name, before.get(name), said.get(name))
    ]
    more = f" … and {len(changes) - _TOLD} more" if len(changes) > _TOLD else ""
    return [f"{source.name}: its metadata changed: {'; '.join(changes[:_TOLD])}{more}"] if changes else []


def latest_metadata(folder: Path) -> dict[str, Any] | None:
    """The newest metadata kept, by object; None if there are none, or they cannot be read."""
    names = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    try:
        return json.loads(names[-1].read_text(encoding="utf-8")) if names else None
    except (OSError, ValueError):
        return None


def _plain(item: ObjectMeta) -> dict[str, Any]:
    """As JSON reads it back; fields by id, for their order may change without a meaning."""
    said = asdict(item)
    said["fields"] = {part["id"]: part for part in said["fields"]}
    return json.loads(json.dumps(said, sort_keys=True, default=str))


def _changes(name: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Iterable[str]:
    if before is None:
        yield f"{name} is read for the first time"
        return
    if after is None:
        yield f"{name} is gone, or may not be read any more"
        return
    old, new = before["fields"], after["fields"]
    for one in sorted(old.keys() - new.keys()):
        yield f"{name}: field {one} ({old[one]['title']}) is gone"
    for one in sorted(new.keys() - old.keys()):
        yield f"{name}: new field {one} ({new[one]['title']})"
    for one in sorted(old.keys() & new.keys()):
        if old[one]["title"] != new[one]["title"]:
            yield f"{name}: {one} was called {old[one]['title']}, now {new[one]['title']}"
        if old[one]["kind"] != new[one]["kind"]:
            yield f"{name}: {one} was {old[one]['kind']}, now {new[one]['kind']}"
        if old[one]["options"] != new[one]["options"]:
            yield f"{name}: the code list of {one} ({new[one]['title']}) changed"


def _write(folder: Path, said: dict[str, Any], now: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}Z.json"
    draft = folder / f".{path.name}-{os.getpid()}"
    draft.write_text(json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)
