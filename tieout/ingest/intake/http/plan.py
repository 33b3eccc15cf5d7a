"""What one pull asks for: from where on, which streams out of one request, and the requests themselves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from sources.contract import BY_CURSOR, Source, Stream, duration
from sources.contract.http import Keys, Request
from sources.contract.http_paged import Paged
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.cursor import Cursor
from tieout.ingest.intake.http.client import Call, Client
from tieout.ingest.intake.http.legs import Leg
from tieout.ingest.intake.http.values import filled, joined, moment, written
from tieout.ingest.intake.reached import reached
from tieout.ingest.landing import Landing, Manifest
from tieout.ingest.promises import has_columns


@dataclass(frozen=True)
class Member:
    """One stream that a request serves, with its newest batch that is no window."""

    name: str
    stream: Stream
    last: Manifest | None  # that may be loaded
    folder: Path | None  # of that batch
    since: str | None  # the cursor to begin at, as the column's type writes it; None: the beginning
    disturbed: bool = False  # whether a window was read since

    @property
    def beginning(self) -> bool:
        return self.since is None


@dataclass(frozen=True)
class Family:
    """A stream that is asked for, and the streams inside its rows: one request serves them all."""

    name: str
    stream: Stream
    request: Request
    members: tuple[Member, ...]  # those wanted
    since: str | None

    @property
    def children(self) -> dict[str, Stream]:
        return {item.name: item.stream for item in self.members if item.name != self.name}

    @property
    def own(self) -> Member | None:
        return next((item for item in self.members if item.name == self.name), None)


def families(source: Source, landing: Landing, ask: Ask, *, whole: bool = False) -> list[Family]:
    """The requests that serve what is asked for. `whole`: cursors from the beginning."""
    found = []
    for name, stream in source.streams.items():
        request = stream.request
        if request is None or request.parent:
            continue
        related = {
            key: item
            for key, item in source.streams.items()
            if ask.wants(key) and (key == name or (item.request and item.request.parent == name))
        }
        if related:
            members = tuple(_member(source, key, item, landing, ask, whole) for key, item in related.items())
            starts = [item.since for item in members]
            since = None if None in starts else min((item for item in starts if item), key=_order)
            found.append(Family(name, stream, request, members, since))
    return found


def _order(since: str) -> Any:
    return int(since) if since.lstrip("-").isdigit() else datetime.fromisoformat(since)


def _member(source: Source, name: str, stream: Stream, landing: Landing, ask: Ask, whole: bool) -> Member:
    before = reached(landing, source.name, name)
    last = before.batch
    since = None
    if stream.load in BY_CURSOR and last and not (whole or ask.full or ask.window):
        cursor = cursor_of(source, name, stream, ())
        if last.cursor == ",".join(stream.cursor or ()) and has_columns(last, stream):
            since = cursor.lower(last.cursor_to)
    return Member(name, stream, last, before.folder, since, before.disturbed)


def cursor_of(source: Source, name: str, stream: Stream, columns: tuple[str, ...]) -> Cursor:
    """The cursor of a stream whose columns are called so in the rows."""
    assert stream.cursor
    late = duration(source.lateness_of(name))
    return Cursor(columns, stream.columns[stream.cursor[0]].type, late, source.timezone)


class Requests:
    """Writes the requests of one family."""

    def __init__(self, source: Source, family: Family, ask: Ask, client: Client, began: datetime) -> None:
        assert source.http is not None
        self.source, self.family, self.client = source, family, client
        self.where = f"{source.name}.{family.name}"
        since, to = self._bounds(ask, began)
        start = self.write(since)
        self.fixed = {
            **client.signer.options,
            "since": start,
            "from": start,
            "to": self.write(to),
            "now": self.write(began),
        }
        self.between = (
            since if isinstance(since, datetime) else None,
            to if isinstance(to, datetime) else began,
        )

    def write(self, value: datetime | int | None) -> str | int | None:
        """An instant as the system writes it."""
        return written(value, self.family.request.times, self.source.timezone)

    def option(self, name: str) -> str:
        """The value of a connection option; empty if there is none."""
        return str(self.client.signer.options.get(f"options.{name}") or "")

    def _bounds(self, ask: Ask, began: datetime) -> tuple[datetime | int | None, datetime | int | None]:
        """From when to when is asked for; None is no bound."""
        stream = self.family.stream
        kind = stream.columns[stream.cursor[0]].type if stream.cursor else "timestamptz"
        zone = self.source.timezone
        start, end, beginning = self.family.since, None, self.family.request.beginning
        # The request filters by the cursor; a window on another column is cut out of everything there is.
        if ask.window and not (ask.window.on and stream.cursor and ask.window.on not in stream.cursor):
            start, end, beginning = ask.window.start, ask.window.end, None
            if ask.window.on:
                kind = stream.columns[ask.window.on].type if ask.window.on in stream.columns else kind
        by_number = kind in {"bigint", "integer"}
        try:
            since = moment(start, kind, zone) if start else None
            if start is None and not by_number and beginning:
                since = (
                    began - duration(beginning)
                    if beginning[-1] in "smhd"
                    else moment(beginning, "date", zone)
                )
            to = moment(end, kind, zone) if end else None if by_number else began
        except ValueError as error:
            raise SourceError(
                f"{self.where}: a window cannot begin or end there: {error}. Nothing was read."
            ) from None
        return since, to

    def page(self, request: Paged, path: str, leg: Leg, values: dict[str, Any], link: str | None) -> Call:
        """The request for one page of a leg; `link`: its address, where the page before named it."""
        http, secrets = self.source.http, self.client.secrets
        assert http is not None
        every = {**self.fixed, **leg.values, **values}

        def part(template: Any, what: str) -> Any:
            return filled(secrets.everywhere(template, what), every) if template else None

        headers = {**http.headers, **request.headers}
        each = leg.values.get("each")
        in_path = None if each is None else quote(joined(each), safe="")
        filled_path = filled(path, {**self.fixed, **leg.values, "each": in_path})
        if filled_path is None:
            raise SourceError(
                f"{self.where}: {path} names an option that connection.options does not have. Nothing was read."
            )
        url = self.client.url(filled_path)
        if link:
            url = self.client.url(urljoin(url, link))
        return Call(
            where=f"{self.where}: {path}{secrets.redacted(leg.words)}",
            method=request.method,
            url=url,
            params=None if link else part({**http.params, **request.params}, "params"),
            headers={key: str(item) for key, item in (part(headers, "headers") or {}).items()},
            body=part(request.body, "body"),
            form=part(request.form, "form"),
        )


def keys_request(request: Request, keys: Keys) -> Request:
    """The request for all keys: as the stream's own, but for what `keys` says otherwise."""
    said = {name: getattr(keys, name) for name in keys.model_fields_set if name != "path"}
    return request.model_copy(update=said)


def resume_name(source: Source, family: Family, ask: Ask, what: str) -> str:
    """The same for the same question only: pages of another one must never be taken for its own."""
    said = {
        "what": what,
        "http": source.http.model_dump(mode="json") if source.http else None,
        "connection": [
            source.connection.url,
            source.connection.options,
        ],  # as written: references, no secrets
        "path": family.stream.origin,
        "request": family.request.model_dump(mode="json"),
        "columns": {
            name: sorted(part for column in stream.columns for part in stream.source_names(column))
            for name, stream in [(family.name, family.stream), *family.children.items()]
        },
        "since": family.since,
        "window": str(ask.window),
        "after": sorted(item.last.batch_id for item in family.members if item.last),
        "members": sorted(item.name for item in family.members),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
