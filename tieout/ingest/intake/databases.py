"""Databases: every table of one system in one read-only snapshot; all of it, or what is new since the last pull.

What is new is asked for by a cursor, from its last value less the promised lateness, so equal timestamps at
the border, late commits and clocks that run behind lose nothing; rows that were read before are recognised by
their hash and not landed twice. `deletes: keys` lists every key as well: that finds what was deleted, and what
was committed later than the lateness allows.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sources.contract import BY_CURSOR, Source, Stream, duration
from tieout.engine import literal, quoted
from tieout.ingest.controls import ask_controls, keep_answers
from tieout.ingest.drift import baseline, grown, reading
from tieout.ingest.errors import IngestError, SourceError
from tieout.ingest.intake.ask import Ask, Extracted, Report
from tieout.ingest.intake.cursor import Cursor
from tieout.ingest.intake.land import Received, fingerprint, land
from tieout.ingest.intake.reached import WINDOW, Reached, reached
from tieout.ingest.intake.readers import Reader, open_reader
from tieout.ingest.landing import WHOLE_TABLE, Landing
from tieout.ingest.promises import check_not_empty, has_columns

ROWS, KEYS, SEEN = "rows.parquet", "keys.parquet", "seen.parquet"
# Up to so many rows that came later than promised are fetched by their keys; more of them, and the table is read.
MISSED_BY_KEY = 1_000


def pull_database(source: Source, landing: Landing, ask: Ask, done: Report) -> None:
    """Pull every wanted stream of one database; a stream that fails does not stop the others."""
    import duckdb

    with open_reader(source) as reader:
        for name, stream in source.streams.items():
            if not ask.wants(name):
                continue
            try:
                done(_pull(reader, source, name, stream, landing, ask))
            except IngestError as error:
                reader.recover()
                done(Extracted(source.name, name, error=error))
            except (duckdb.Error, OSError) as error:
                unread = SourceError(
                    f"{source.name}.{name}: {stream.origin} could not be read to its end: "
                    f"{reader.without_secret(error)}. Nothing of it was loaded; what was loaded before stays. "
                    f"Repeat when the system is well."
                )
                reader.recover()
                done(Extracted(source.name, name, error=unread))
        # After the streams: a query that fails may end the snapshot.
        if ask.streams is None and ask.window is None:
            keep_answers(landing, source, ask_controls(reader, source), ask.now)


def _pull(reader: Reader, source: Source, name: str, stream: Stream, landing: Landing, ask: Ask) -> Extracted:
    started = time.perf_counter()
    declared = reader.columns(stream.origin)
    goes_on = baseline(landing, source.name, name)
    stream = grown(stream, declared, goes_on)
    extra = list(reading(stream, declared, goes_on))
    wanted = {column: present for column in stream.columns if (present := stream.column_in(column, declared))}
    pull = _Pull(
        reader, source, name, stream, declared, wanted, reached(landing, source.name, name), ask, extra
    )
    with landing.draft(source.name, name) as draft:
        got = pull.increment(draft) if stream.load in BY_CURSOR else pull.whole(draft)
        if isinstance(got, int):
            return Extracted(source.name, name, got)
        fetched, received = got
        timed = replace(received, seconds=time.perf_counter() - started)
        landed, notes = land(reader.con, source, name, landing, draft, timed, ask.now)
    return Extracted(source.name, name, fetched, landed, notes=(*notes, *reader.notes))


class _Pull:
    """One stream of one database while it is read."""

    def __init__(
        self,
        reader: Reader,
        source: Source,
        name: str,
        stream: Stream,
        declared: dict[str, str],
        wanted: dict[str, str],
        before: Reached,
        ask: Ask,
        read: list[str],
    ) -> None:
        self.read = read
        self.reader, self.con = reader, reader.con
        self.source, self.name, self.stream = source, name, stream
        self.declared, self.wanted = declared, wanted
        self.last, self.folder, self.disturbed = before.batch, before.folder, before.disturbed
        self.ask = ask

    @property
    def _same_shape(self) -> bool:
        """A renamed column leaves every value as it was: only names tell."""
        return self.last is None or not self.last.declared or self.last.declared == self.declared

    # --- the whole table ---

    def whole(self, draft: Path) -> int | tuple[int, Received]:
        """Every row; the number of them alone if nothing has changed since the last batch."""
        if self.ask.window:
            return self._window(draft)
        file = draft / ROWS
        self.reader.copy(self.stream.origin, self._types(), None, file)
        rows, content = fingerprint(self.con, file)
        control = self._control()
        last = self.last
        if (
            last
            and last.scope == WHOLE_TABLE
            and last.content_hash == content
            and has_columns(last, self.stream)
            and self._same_shape
            and not self.disturbed
        ):
            return rows
        return rows, self._received(draft, rows, content, control=control)

    # --- what is new ---

    def increment(self, draft: Path) -> int | tuple[int, Received]:
        """Rows at or after the last cursor less lateness, and keys that came or went unseen."""
        if self.ask.window:
            return self._window(draft)
        assert self.stream.cursor
        cursor_names = ",".join(self.stream.cursor)
        last = self.last
        beginning = (
            self.ask.full or last is None or last.cursor != cursor_names or not has_columns(last, self.stream)
        )
        # Keys that were not listed before cannot tell what was missed before.
        listing = self.stream.deletes == "keys"
        beginning = beginning or (listing and self._last_keys() is None)
        low = None if beginning or last is None else self._cursor.lower(last.cursor_to)
        file = draft / "fetched.parquet"
        self.reader.copy(self.stream.origin, self._types(), self._between(low, self._ceiling()), file)
        keys = None
        if listing:
            keys = draft / KEYS
            self.reader.copy(
                self.stream.origin, self._types([*self.stream.key, *self.stream.cursor]), None, keys
            )
            self._fetch_missed(draft, file, keys)
        if keys or beginning:
            # An emptied table is more often an accident than the truth, and would delete everything.
            there = self._one(f"select count(*) from read_parquet({literal(str(keys or file))})")
            check_not_empty(
                self.source,
                self.name,
                self.stream,
                int(str(there)),
                self.stream.origin,
                had_rows=last is not None and last.cursor_to is not None,
            )
        before = last.cursor_to if last and last.cursor == cursor_names else None
        cursor_to = self._cursor.highest(self.con, file, before, self.ask.now)
        fetched = int(str(self._one(f"select count(*) from read_parquet({literal(str(file))})")))
        seen = None
        if last and last.seen and self.folder and not (beginning or self.disturbed):
            seen = self.folder / last.seen
        self._cursor.leave_out_seen(self.con, file, seen, cursor_to, draft / ROWS, draft / SEEN)
        rows, content = fingerprint(self.con, draft / ROWS)
        unchanged = self._same_shape and not self.disturbed and not self._keys_changed(keys)
        # Other totals, though nothing is new: rows came or went unseen. A batch without rows says so.
        control = self._control()
        if rows == 0 and last is not None and unchanged and control == last.control:
            return fetched
        return fetched, self._received(
            draft,
            rows,
            content,
            scope=f"from {low}" if low else "from the beginning",
            complete=False,
            control=control,
            cursor=cursor_names,
            cursor_to=cursor_to,
            keys=KEYS if keys else None,
            seen=SEEN,
        )

    def _window(self, draft: Path) -> tuple[int, Received]:
        """One window read again: its rows replace what is held of them, everything else stays."""
        window = self.ask.window
        assert window is not None
        column = window.on or (",".join(self.stream.cursor) if self.stream.cursor else None)
        if column is None:
            raise SourceError(
                f"{self.source.name}.{self.name}: has no cursor, so a window needs a column (--on <date column>). "
                f"Nothing was read."
            )
        named = column.split(",")
        if unknown := [item for item in named if item not in self.stream.columns]:
            raise SourceError(
                f"{self.source.name}.{self.name}: has no column {unknown[0]}. Nothing was read."
            )
        where, empty = [], []
        for item in named:
            kind, name = self.stream.columns[item].type, self._ordered(item)
            low, high = self.reader.value(window.start, kind), self.reader.value(window.end, kind)
            where.append(" and ".join([*empty, f"{name} >= {low}", f"{name} < {high}"]))
            empty.append(f"{name} is null")
        file = draft / ROWS
        self.reader.copy(self.stream.origin, self._types(), where, file)
        rows, content = fingerprint(self.con, file)
        return rows, self._received(draft, rows, content, scope=f"{WINDOW} {window}", complete=False)

    def _received(self, draft: Path, rows: int, content: str, **more: Any) -> Received:
        """What lies in `draft`, with what every kind of pull says of it."""
        return Received(
            origin=self.stream.origin,
            data=ROWS,
            rows=rows,
            content_hash=content,
            bytes=(draft / ROWS).stat().st_size,
            columns=self._types(),
            declared=self.declared,
            **more,
        )

    def _types(self, columns: list[str] | None = None) -> dict[str, str]:
        """Source column → declared type, of the promised columns or of some of them."""
        names = [self.wanted[name] for name in columns if name in self.wanted] if columns else self.read
        return {name: self.declared[name] for name in dict.fromkeys(names)}

    def _ordered(self, column: str) -> str:
        present = self.wanted[column]
        return self.reader.ordered(present, self.declared[present], self.stream.columns[column].type)

    def _between(self, low: str | None, high: str | None) -> list[str] | None:
        """Conditions, one per cursor column that may be the first one filled, and one for none."""
        assert self.stream.cursor
        if low is None and high is None:
            return None
        alternatives, empty = [], []
        for name in self.stream.cursor:
            column, kind = self._ordered(name), self.stream.columns[name].type
            bounds = [f"{column} >= {self.reader.value(low, kind)}"] if low is not None else []
            bounds += [f"{column} <= {self.reader.value(high, kind)}"] if high is not None else []
            alternatives.append(" and ".join([*empty, *bounds]))
            empty.append(f"{column} is null")
        return [*alternatives, " and ".join(empty)]

    @cached_property
    def _cursor(self) -> Cursor:
        assert self.stream.cursor
        return Cursor(
            tuple(self.wanted[name] for name in self.stream.cursor),
            self.stream.columns[self.stream.cursor[0]].type,
            duration(self.source.lateness_of(self.name)),
            self.source.timezone,
        )

    def _ceiling(self) -> str | None:
        if self.stream.ceiling is None:
            return None
        return str(self.reader.ask(self.stream.ceiling))

    def _fetch_missed(self, draft: Path, file: Path, keys: Path) -> None:
        """Add rows whose key or cursor is new since the last key scan but which were not read: they lie before the
        window. A key whose row does not come even so is left out of the keys, so that the next pull asks for it again.
        """
        key = [self.wanted[name] for name in self.stream.key]
        listed = ", ".join(quoted(item) for item in key)
        before = self._last_keys()
        counts = [f"(select count(*) from read_parquet({literal(str(part))}))" for part in (keys, file)]
        if before is None and self._one(f"select {' = '.join(counts)}"):
            return  # rows and keys of one snapshot: as many are the same ones
        names = ", ".join(map(quoted, self._scanned))
        known = f" except select {names} from read_parquet({literal(str(before))})" if before else ""
        unread = f"""
            select {listed} from (select {names} from read_parquet({literal(str(keys))}){known})
            except select {listed} from read_parquet({literal(str(file))})
            """
        self.con.execute(f"create or replace temp table missed_keys as {unread}")
        many = int(str(self._one("select count(*) from missed_keys")))
        if not many:
            return
        where = None
        if many <= MISSED_BY_KEY:
            missed = self.con.execute("from missed_keys").fetchall()
            kinds = [self.stream.columns[name].type for name in self.stream.key]
            where = [
                " and ".join(
                    f"{quoted(column)} is null"  # broken, but quarantine has to hear of it
                    if value is None
                    else f"{quoted(column)} = {self.reader.value(str(value), kind)}"
                    for column, value, kind in zip(key, row, kinds, strict=True)
                )
                for row in missed
            ]
        more = draft / "missed.parquet"
        self.reader.copy(self.stream.origin, self._types(), where, more)
        both = draft / "both.parquet"
        same_key = " and ".join(f"m.{quoted(item)} is not distinct from r.{quoted(item)}" for item in key)
        self.con.execute(
            f"""
            copy (
                select * from read_parquet({literal(str(file))})
                union all by name
                select r.* from read_parquet({literal(str(more))}) as r semi join missed_keys as m on {same_key}
            ) to {literal(str(both))} (format parquet)
            """
        )
        more.unlink()
        both.replace(file)
        held = draft / "held.parquet"
        same_key = " and ".join(f"m.{quoted(item)} is not distinct from k.{quoted(item)}" for item in key)
        self.con.execute(
            f"copy (select k.* from read_parquet({literal(str(keys))}) as k anti join ({unread}) as m on {same_key})"
            f" to {literal(str(held))} (format parquet)"
        )
        held.replace(keys)

    def _keys_changed(self, keys: Path | None) -> bool:
        """Whether the keys are others than at the last batch, or were not listed then."""
        if keys is None:
            return False
        before = self._last_keys()
        return before is None or fingerprint(self.con, keys) != fingerprint(self.con, before)

    @property
    def _scanned(self) -> list[str]:
        """The columns of a key scan: those of the key and of the cursor, under the source's names."""
        columns = [*self.stream.key, *(self.stream.cursor or ())]
        return [self.wanted[name] for name in dict.fromkeys(columns) if name in self.wanted]

    def _last_keys(self) -> Path | None:
        """The last key scan, if it was of the same columns."""
        if self.folder is None or self.last is None or self.last.keys is None:
            return None
        file = self.folder / self.last.keys
        there = self.con.execute(f"describe select * from read_parquet({literal(str(file))})").fetchall()
        return file if {row[0] for row in there} == set(self._scanned) else None

    # --- what the system says ---

    def _control(self) -> dict[str, str]:
        """Counts and sums from the system itself, in its own SQL and in the same snapshot."""
        control = self.stream.control
        if control is None or control.kind != "query":
            return {}
        sums = {column: self.wanted[column] for column in control.sums if column in self.wanted}
        return self.reader.totals(self.stream.origin, sums, self.wanted[control.by] if control.by else None)

    def _one(self, sql: str) -> object:
        row = self.con.execute(sql).fetchone()
        return row[0] if row else None
