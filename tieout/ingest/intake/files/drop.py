"""Files as sources: each is copied, hashed, parsed once, judged and landed; what has not changed lands nothing."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import connect
from tieout.ingest.drift import baseline
from tieout.ingest.errors import IngestError, SourceError
from tieout.ingest.intake.ask import Ask, Extracted, Report
from tieout.ingest.intake.files.controls import control_of, footer_control
from tieout.ingest.intake.files.delivery import STAYS, Delivery, Parsed
from tieout.ingest.intake.files.folders import UNFINISHED, Entry, Folder, UnsettledError, open_folder
from tieout.ingest.intake.land import Received, land
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest, file_hash
from tieout.ingest.promises import has_columns

if TYPE_CHECKING:
    import duckdb


def pull_files(source: Source, landing: Landing, ask: Ask, done: Report) -> None:
    """Pull every wanted stream of one drop folder; a stream that fails does not stop the others.

    Raises: SourceError if the folder cannot be reached.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tieout-files-") as scratch,
        open_folder(source, Path(scratch)) as folder,
        connect() as con,
    ):
        for name in source.streams:
            if ask.wants(name):
                done(_Pull(con, source, name, landing, folder, ask).run())


class _Pull:
    """One stream of one drop folder, file after file."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        source: Source,
        name: str,
        landing: Landing,
        folder: Folder,
        ask: Ask,
    ) -> None:
        self.con, self.source, self.name, self.stream = con, source, name, source.streams[name]
        self.landing, self.folder, self.ask = landing, folder, ask
        self.landed: list[Manifest] = []
        self.notes: list[str] = []
        self.rows = 0

    def run(self) -> Extracted:
        error: IngestError | None = None
        try:
            self._files()
        except IngestError as failure:
            error = failure
        return Extracted(
            self.source.name, self.name, self.rows, tuple(self.landed), error, notes=tuple(self.notes)
        )

    def _files(self) -> None:
        entries = self._complete()
        lasts = {
            entry: self.landing.latest(self.source.name, self.name, scope_of(self.stream, entry.name))
            for entry in entries
        }
        known = {entry for entry, last in lasts.items() if last and self._same_there(entry, last)}
        self.folder.prepare([entry for entry in entries if entry not in known])
        for entry, last in lasts.items():
            try:
                got = None if entry in known else self._pull(entry, last)
            except UnsettledError:
                self._leave(entry.name)
                continue
            if got is None:
                assert last is not None
                self.rows += last.rows
            else:
                self.rows += got.rows
                self.landed.append(got)
        if self.notes and not self.landed and self.landing.latest(self.source.name, self.name) is None:
            raise SourceError(
                f"{self.source.name}.{self.name}: no file {self.stream.origin} is complete yet. "
                f"Nothing of it was loaded. Repeat when it has been written."
            )

    def _complete(self) -> list[Entry]:
        """The files to read, in name order.

        Raises: SourceError if none is there, or if several claim to be the whole table.
        """
        where, origin = f"{self.source.name}.{self.name}", self.stream.origin
        entries = []
        for entry in self.folder.matching(origin):
            if entry.name.endswith(UNFINISHED):
                self._leave(entry.name)
            else:
                entries.append(entry)
        if not entries and not self.notes:
            raise SourceError(
                f"{where}: no file {origin} in the drop folder. {STAYS} "
                f"Ask {self.stream.owner or self.source.owner} for it."
            )
        if self.stream.load == "full" and len(entries) > 1:
            raise SourceError(
                f"{where}: {len(entries)} files match {origin}, and each would be the whole table. "
                f"Nothing of it was loaded. Leave one, or say `load: slice` in the contract."
            )
        names = [entry.name for entry in entries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SourceError(
                f"{where}: {', '.join(twice)} lies in more than one folder, and each would replace the other. "
                f"{STAYS} Leave one, or give them different names."
            )
        return entries

    def _leave(self, file: str) -> None:
        self.notes.append(f"{file} is still being written: left for the next pull")

    def _same_there(self, entry: Entry, last: Manifest) -> bool:
        """Whether a file elsewhere is known to be what `last` was made from, so that it need not be fetched."""
        if not self.folder.remembers(entry, self.landing.folder(last)) or not has_columns(last, self.stream):
            return False
        try:
            return not self._has_control_file() or last.control == self._control(entry)
        except UnsettledError:
            return False

    def _has_control_file(self) -> bool:
        return self.stream.control is not None and self.stream.control.kind == "file"

    def _control(self, entry: Entry) -> dict[str, str]:
        control = self.stream.control
        if control is None or control.kind != "file":
            return {}
        assert control.file is not None
        return control_of(self.source, self.stream, entry.name, self.folder.beside(entry, control.file))

    def _pull(self, entry: Entry, last: Manifest | None) -> Manifest | None:
        """Fetch, parse and land one file; None if the last batch holds the same bytes and totals.

        Raises: SourceError or ControlTotalError if it is not what was promised; UnsettledError if it is being
            written.
        """
        started = time.perf_counter()
        with self.landing.draft(self.source.name, self.name) as draft:
            copy = draft / entry.name
            try:
                self.folder.fetch(entry, copy)
            except OSError as error:
                raise SourceError(
                    f"{self.source.name}.{self.name}: {entry.name} cannot be read ({error.strerror}). {STAYS} "
                    f"Check the file's permissions."
                ) from None
            content = file_hash(copy)
            control = self._control(entry)
            same_control = not self._has_control_file() or (last is not None and last.control == control)
            if last and last.content_hash == content and has_columns(last, self.stream) and same_control:
                return None
            shape = baseline(self.landing, self.source.name, self.name)
            delivery = Delivery(self.source, self.name, self.stream, copy, shape)
            parsed = parse(self.con, delivery)
            if self.stream.control and self.stream.control.kind == "footer":
                control = footer_control(delivery, parsed)
            self.folder.remember(entry, draft)
            received = Received(
                origin=parsed.origin,
                data=parsed.data,
                rows=parsed.rows,
                content_hash=content,
                bytes=copy.stat().st_size,
                columns=parsed.columns,
                declared=parsed.declared,
                scope=scope_of(self.stream, entry.name),
                control=control,
                sparse=self.stream.format is not None and self.stream.format.kind in {"json", "jsonl", "xml"},
                seconds=time.perf_counter() - started,
            )
            landed, notes = land(
                self.con, self.source, self.name, self.landing, draft, received, self.ask.now
            )
            self.notes += notes
            return next(iter(landed), None)


def parse(con: duckdb.DuckDBPyConnection, delivery: Delivery) -> Parsed:
    """Parse one file as its contract says; the modules are loaded when a file of their kind is met.

    Raises: SourceError if it cannot be read or is not what the contract says.
    """
    kind = delivery.format.kind
    if kind == "csv":
        from tieout.ingest.intake.files.delimited import parse_csv

        return parse_csv(delivery)
    if kind == "xlsx":
        from tieout.ingest.intake.files.workbook import parse_xlsx

        return parse_xlsx(delivery)
    if kind == "xml":
        from tieout.ingest.intake.files.markup import parse_xml

        return parse_xml(con, delivery)
    if kind == "parquet":
        from tieout.ingest.intake.files.columnar import parse_parquet

        return parse_parquet(con, delivery)
    from tieout.ingest.intake.files.objects import parse_json

    return parse_json(con, delivery)


def scope_of(stream: Stream, file: str) -> str:
    """A file stands for the whole table, or (load `slice`) for itself."""
    return file if stream.load == "slice" else WHOLE_TABLE
