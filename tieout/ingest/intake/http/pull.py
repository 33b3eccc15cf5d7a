"""Pulling the streams of an HTTP system into landing batches.

Pages are landed as received, compressed; their rows are parsed beside them with the contract's columns. One
request serves a stream and the streams inside its rows, so a document's head and its lines agree. A pull that
was killed goes on where it was; one whose answer was refused begins anew.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import ContractError, Http, Source
from sources.contract.http import Request, family_faults
from tieout.engine import INGEST_MEMORY, connect
from tieout.ingest.drift import baseline
from tieout.ingest.errors import IngestError, SourceError
from tieout.ingest.intake.ask import Ask, Extracted, Report
from tieout.ingest.intake.http.auth import Signer
from tieout.ingest.intake.http.batch import KEYS, Batches
from tieout.ingest.intake.http.book import Book
from tieout.ingest.intake.http.client import KEPT, Client, Unreachable
from tieout.ingest.intake.http.fields import reach
from tieout.ingest.intake.http.keys import Held, ReadAll, held_keys
from tieout.ingest.intake.http.metadata import remember_metadata
from tieout.ingest.intake.http.plan import (
    Family,
    Requests,
    families,
    keys_request,
    resume_name,
)
from tieout.ingest.intake.http.read import Reader, Whole
from tieout.ingest.intake.http.values import Secrets
from tieout.ingest.intake.http.walk import READINGS
from tieout.ingest.landing import Landing
from tieout.ingest.manners import Manners, Pause, Refused, state_file

if TYPE_CHECKING:
    import duckdb


def pull_http(source: Source, landing: Landing, ask: Ask, done: Report, *, pause: Pause = time.sleep) -> None:
    """Pull every wanted stream of one HTTP system; a request that fails does not stop the others.

    Args:
        done: Called after each stream, from worker threads (as many as `limits.concurrency`).

    Raises: SourceError or ContractError if nothing at all can be asked.
    """
    client = opened(source, landing, ask, pause)
    done = _with_notes(source, landing, ask, client, done)
    with ThreadPoolExecutor(source.limits.concurrency, thread_name_prefix=f"http-{source.name}") as pool:
        pulls = [
            pool.submit(_pull_family, source, landing, ask, family, client(), done)
            for family in families(source, landing, ask)
        ]
        for pull in pulls:
            pull.result()


def _with_notes(source: Source, landing: Landing, ask: Ask, client: _Clients, done: Report) -> Report:
    """What the system's metadata say since the last whole pull is told with the first stream."""
    if ask.streams is not None or ask.window is not None:
        return done
    left = remember_metadata(source, landing.root, client(), ask.now)

    def told(outcome: Extracted) -> None:
        notes = tuple(left)
        left.clear()
        done(replace(outcome, notes=notes + outcome.notes))

    return told


def opened(source: Source, landing: Landing, ask: Ask, pause: Pause) -> _Clients:
    """What all requests of one pull share: secrets, session, limits.

    Raises: SourceError or ContractError.
    """
    if source.http is None:
        source = source.model_copy(update={"http": Http()})
    if faults := family_faults(source.streams):
        raise SourceError(
            f"{source.name}: {'; '.join(faults)}. Nothing was read. Correct sources/{source.name}/source.yaml."
        )
    return _Clients(source, landing, ask, pause)


class _Clients:
    """Makes a client per worker; they share who we are and how fast we may ask."""

    def __init__(self, source: Source, landing: Landing, ask: Ask, pause: Pause) -> None:
        began = time.monotonic()

        def clock() -> datetime:
            return ask.now + timedelta(seconds=time.monotonic() - began)

        self.source = source
        self.secrets = Secrets(source)
        self.signer = Signer(source, self.secrets)
        self.manners = Manners(source, state_file(landing.root, source.name), clock, pause)

    def __call__(self) -> Client:
        return Client(self.source, self.signer, self.manners, self.secrets)


def _pull_family(
    source: Source, landing: Landing, ask: Ask, family: Family, client: Client, done: Report
) -> None:
    """Pull one request's streams; errors are part of the answer, never raised."""
    import duckdb

    source = client.source
    reported: set[str] = set()

    def report(outcome: Extracted) -> None:
        reported.add(outcome.stream)
        done(outcome)

    try:
        missed: frozenset[str] = frozenset()
        for reading in range(1, READINGS + 1):
            pull = _Pull(source, landing, ask, family, client, missed, last=reading == READINGS)
            try:
                pull.run(report)
                break
            except ReadAll as again:
                missed = again.missed
                wanted = families(source, landing, ask, whole=True)
                family = next(item for item in wanted if item.name == family.name)
    except (IngestError, ContractError, duckdb.Error) as error:
        if isinstance(error, IngestError):
            failure = error
        elif isinstance(error, ContractError):
            failure = SourceError(str(error))
        else:
            words = client.secrets.redacted(str(error).splitlines()[0])
            failure = SourceError(
                f"{source.name}.{family.name}: {family.stream.origin}: the pages cannot be read: {words}. {KEPT} "
                f"Check `request` and the columns' `from` against a page."
            )
        for member in family.members:
            if member.name not in reported:
                report(Extracted(source.name, member.name, error=failure))


class _Pull:
    """One request's streams while they are pulled.

    Args:
        missed: Keys that an earlier reading of this pull did not bring, as text.
        last: There is no further reading.
    """

    def __init__(
        self,
        source: Source,
        landing: Landing,
        ask: Ask,
        family: Family,
        client: Client,
        missed: frozenset[str],
        *,
        last: bool,
    ) -> None:
        self.source, self.landing, self.ask, self.family, self.client = source, landing, ask, family, client
        self.missed, self.last = missed, last
        self.con: duckdb.DuckDBPyConnection

    def run(self, report: Report) -> None:
        with (
            connect(memory=INGEST_MEMORY, ordered=True) as con,
            self.landing.draft(self.source.name, self.family.name) as scratch,
        ):
            self.con = con
            self.batches = Batches(con, self.source, self.landing, self.ask, self.family)
            book = self._book("rows")
            try:
                self._pull(book, scratch, report)
            except (Unreachable, Refused):
                raise  # what was fetched is good: the next pull goes on from there
            except Exception as error:
                # A refused answer must not be refused for ever, so it is not kept; after a kill it is.
                if isinstance(error, IngestError | ReadAll) or type(error).__module__ in {
                    "_duckdb",
                    "duckdb",
                }:
                    book.close()
                raise
            book.close()

    def _book(self, what: str) -> Book:
        name = resume_name(self.source, self.family, self.ask, what)
        folder = self.landing.resumable(self.source.name, self.family.name, name, self.ask.now)
        suffix = ".xml" if self.source.http and self.source.http.format == "xml" else ".json"
        return Book(folder, suffix, self.ask.now)

    def _pull(self, book: Book, scratch: Path, report: Report) -> None:
        family = self.family
        request = family.request
        look = reach(family.stream, family.children)
        requests = Requests(self.source, family, self.ask, self.client, book.began)
        self._check_window(request)
        path = family.stream.origin
        bases = {item.name: baseline(self.landing, self.source.name, item.name) for item in family.members}
        reader = Reader(
            self.con, self.client, requests, request, family.stream, path, look, book, scratch, bases
        )
        whole = reader.whole()
        keys = (
            self._all_keys(requests, scratch, whole)
            if family.stream.deletes == "keys" and not self.ask.window
            else None
        )
        stats = {
            "calls": float(self.client.calls),
            "retries": float(self.client.retries),
            "waited": round(self.client.manners.waited, 3),
            "pages": float(len(book.pages)),
            "resumed": float(book.resumed),
            "readings": float(max((kept.reading for kept in book.pages), default=0)),
        }
        refused: IngestError | None = None
        for member in family.members:
            try:
                own = member.name == family.name
                table, file = (
                    (whole.table, whole.file)
                    if own
                    else reader.inside(member.name, member.stream, whole.pages)
                )
                landed = self.batches.land(
                    member, table, file, whole, keys.file if keys else None, book, stats
                )
                report(replace(landed, notes=landed.notes + keys.notes) if keys and own else landed)
                stats = {}
            except IngestError as error:
                refused = error
                report(Extracted(self.source.name, member.name, error=error))
        if refused:
            raise refused

    def _check_window(self, request: Request) -> None:
        """A column named for the window must be there; otherwise the whole stream is read and cut to the window."""
        window = self.ask.window
        if window is None:
            return
        for member in self.family.members:
            if window.on is None and not member.stream.cursor:
                raise SourceError(
                    f"{self.source.name}.{member.name}: has no cursor, so a window needs a column (--on <date column>). "
                    f"Nothing was read."
                )
            if window.on and window.on not in member.stream.columns:
                raise SourceError(
                    f"{self.source.name}.{member.name}: has no column {window.on}. Nothing was read."
                )

    # --- keys ---

    def _all_keys(self, requests: Requests, scratch: Path, whole: Whole) -> Held:
        """Every key the system has now, asked for by the request that the contract names for it.

        Raises: ReadAll if rows did not come that are listed.
        """
        family = self.family
        assert family.request.keys is not None
        request = keys_request(family.request, family.request.keys)
        keyed = family.stream.model_copy(
            update={"columns": {name: family.stream.columns[name] for name in family.stream.key}}
        )
        book = self._book("keys")
        folder = scratch / "keys"
        folder.mkdir()
        of_keys = Requests(self.source, replace(family, since=None), self.ask, self.client, book.began)
        of_keys.fixed = {**requests.fixed, "since": None, "from": None}
        of_keys.between = (of_keys.between[0], requests.between[1])
        path = family.request.keys.path or family.stream.origin
        reader = Reader(
            self.con, self.client, of_keys, request, keyed, path, reach(keyed, {}), book, folder, {}
        )
        got = reader.whole()
        book.close()
        return held_keys(self.con, family, got, whole, scratch / KEYS, self.missed, last=self.last)
