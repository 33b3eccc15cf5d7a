"""From the rows of one pull to a batch: judged against the contract, cut to what is new, with the pages beside it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import BY_CURSOR, Source
from tieout.engine import literal, quoted
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Ask, Extracted
from tieout.ingest.intake.http.book import Book
from tieout.ingest.intake.http.client import KEPT
from tieout.ingest.intake.http.fields import PARENT
from tieout.ingest.intake.http.plan import Family, Member, cursor_of
from tieout.ingest.intake.http.read import Whole
from tieout.ingest.intake.http.rows import Table
from tieout.ingest.intake.land import Received, land
from tieout.ingest.intake.reached import WINDOW
from tieout.ingest.landing import WHOLE_TABLE, Landing
from tieout.ingest.promises import has_columns

if TYPE_CHECKING:
    import duckdb

ROWS, KEYS, SEEN = "rows.parquet", "keys.parquet", "seen.parquet"


class Batches:
    """Makes the batches of one request's streams."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, source: Source, landing: Landing, ask: Ask, family: Family
    ) -> None:
        self.con, self.source, self.landing, self.ask, self.family = con, source, landing, ask, family
        self.started = time.perf_counter()

    def land(
        self,
        member: Member,
        table: Table,
        file: Path,
        whole: Whole,
        keys: Path | None,
        book: Book,
        stats: dict[str, float],
    ) -> Extracted:
        fetched = int(str(value_of(self.con, f"select count(*) from read_parquet({literal(str(file))})")))
        notes = self._check_fields(member, table, fetched)
        if whole.again and member.name == self.family.name:
            notes.append(
                f"{whole.again} rows came again on a later page with other content; the later counts"
            )
        stream = member.stream
        if stream.load in BY_CURSOR and not self.ask.window and member.name != self.family.name:
            keys = self._keys_of_child(member, table, file, whole, keys)
        elif member.name != self.family.name:
            keys = None
        with self.landing.draft(self.source.name, member.name) as draft:
            got = Received(
                origin=self._origin(member),
                data=ROWS,
                rows=0,
                content_hash="",
                bytes=0,
                columns={name: table.known.kind(name) for name in table.all_names},
                declared=self._declared(member, table, fetched),
                sparse=True,
                requests=stats,
            )
            if self.ask.window:
                got = self._window(member, table, file, draft, got)
            elif stream.load in BY_CURSOR:
                got = self._increment(member, table, file, draft, got, keys)
            else:
                (draft / ROWS).hardlink_to(file)
                got = replace(got, control=self._control(member, whole))
            rows, content = self._content(draft / ROWS)
            got = replace(got, rows=rows, content_hash=content)
            if self._nothing_new(member, got, draft):
                return Extracted(self.source.name, member.name, fetched, notes=tuple(notes))
            size = book.evidence(draft)
            got = replace(got, bytes=size, seconds=time.perf_counter() - self.started)
            landed, more = land(self.con, self.source, member.name, self.landing, draft, got, self.ask.now)
        return Extracted(self.source.name, member.name, fetched, landed, notes=(*notes, *more))

    def _nothing_new(self, member: Member, got: Received, draft: Path) -> bool:
        last = member.last
        if self.ask.window or last is None or member.disturbed:
            return False
        if member.stream.load in BY_CURSOR:
            return got.rows == 0 and not self._keys_changed(member, got, draft)
        same = last.scope == WHOLE_TABLE and last.content_hash == got.content_hash
        return same and has_columns(last, member.stream)

    def _keys_changed(self, member: Member, got: Received, draft: Path) -> bool:
        if got.keys is None:
            return False
        before = file_of(member, member.last.keys if member.last else None)
        return before is None or self._content(draft / got.keys) != self._content(before)

    def _origin(self, member: Member) -> str:
        request = member.stream.request
        path = self.family.stream.origin
        return f"{path}#{request.records}" if request and request.parent else path

    def _check_fields(self, member: Member, table: Table, rows: int) -> list[str]:
        """Judge promised fields that no row has at the first pull; later ones are judged by what was there before.

        Raises: SourceError if the field is required, or the system is not one that leaves out what is empty.
        """
        request = member.stream.request
        if not table.absent or not rows or request is None or member.last is not None:
            return []
        missing = ", ".join(table.absent.values())
        required = [name for name in table.absent if member.stream.columns[name].required]
        if request.sparse and not required:
            return [f"no row has {missing}: taken as empty (sparse)"]
        new = sorted(set(table.declared) - set(table.names.values()))
        hint = f" The rows have {new[:20]}, which the contract does not name: renamed?" if new else ""
        sparse = "" if required else " If the system leaves out what is empty, say `sparse: true`."
        raise SourceError(
            f"{self.source.name}.{member.name}: no row of {self._origin(member)} has the column {missing}."
            f"{hint}{sparse} {KEPT} Ask {member.stream.owner or self.source.owner}, then change "
            f"sources/{self.source.name}/source.yaml."
        )

    def _declared(self, member: Member, table: Table, rows: int) -> dict[str, str]:
        """The shape to be judged. No rows have no shape: then it is as before."""
        if rows and member.last is not None:
            return table.declared
        absent = dict.fromkeys(table.absent.values(), "null")
        before = member.last.declared if member.last and not rows else {}
        return {**absent, **before, **table.declared}

    def _increment(
        self, member: Member, table: Table, file: Path, draft: Path, got: Received, keys: Path | None
    ) -> Received:
        """What was not landed before, and where the next pull begins."""
        stream, last = member.stream, member.last
        assert stream.cursor
        names = ",".join(stream.cursor)
        cursor = cursor_of(
            self.source, member.name, stream, tuple(table.names[name] for name in stream.cursor)
        )
        before = last.cursor_to if last and last.cursor == names else None
        top = cursor.highest(self.con, file, before, self.ask.now)
        fetched = draft / "fetched.parquet"
        fetched.hardlink_to(file)
        seen = None if member.beginning or member.disturbed else file_of(member, last.seen if last else None)
        cursor.leave_out_seen(self.con, fetched, seen, top, draft / ROWS, draft / SEEN)
        if keys is not None:
            (draft / KEYS).hardlink_to(keys)
        return replace(
            got,
            scope=f"from {member.since}" if member.since else "from the beginning",
            complete=False,
            cursor=names,
            cursor_to=top,
            keys=KEYS if keys is not None else None,
            seen=SEEN,
        )

    def _window(self, member: Member, table: Table, file: Path, draft: Path, got: Received) -> Received:
        """The rows of one window, whatever else the system gave."""
        window = self.ask.window
        assert window is not None
        stream, last = member.stream, member.last
        on = (window.on,) if window.on else stream.cursor or ()
        cursor = replace(
            cursor_of(
                self.source,
                member.name,
                stream.model_copy(update={"cursor": on}),
                tuple(table.names[name] for name in on),
            )
        )
        start, end = cursor.literal(window.start), cursor.literal(window.end)
        self.con.execute(
            f"copy (select * from read_parquet({literal(str(file))}) where {cursor.value} >= {start}"
            f" and {cursor.value} < {end}) to {literal(str(draft / ROWS))} (format parquet)"
        )
        return replace(
            got,
            scope=f"{WINDOW} {window}",
            complete=False,
            cursor=last.cursor if last else None,
            cursor_to=last.cursor_to if last else None,
        )

    def _control(self, member: Member, whole: Whole) -> dict[str, str]:
        control = member.stream.control
        if control is None or control.kind != "query" or member.name != self.family.name:
            return {}
        if whole.total is None:
            raise SourceError(
                f"{self.source.name}.{member.name}: the answer names no total at {self.family.request.total}, which is "
                f"the stream's control. {KEPT} Check `request.total`."
            )
        return {"rows": str(whole.total)}

    def _content(self, file: Path) -> tuple[int, str]:
        """Row count and a content hash that knows neither the order of rows nor their number `_row`."""
        where = f"read_parquet({literal(str(file))})"
        names = [item[0] for item in self.con.execute(f"describe select * from {where}").fetchall()]
        hashed = f"hash({', '.join(quoted(name) for name in names if name != '_row')})"
        row = self.con.execute(
            f"select count(*), coalesce(sum({hashed}::hugeint), 0), coalesce(bit_xor({hashed}), 0) from {where}"
        ).fetchone()
        assert row is not None
        return row[0], f"{row[0]}-{row[1]:x}-{row[2]:x}"

    def _keys_of_child(
        self, member: Member, table: Table, file: Path, whole: Whole, parents: Path | None
    ) -> Path | None:
        """Keys of the rows inside: those held of parents not read now, and those of the parents read now.

        So a line that vanished from its document is found, though only changed documents are read. None if
        the child's key does not hold its parent's.
        """
        above = {PARENT + name: name for name in whole.table.key()}
        key = table.key()
        if not set(above) <= set(key):
            return None
        listed = ", ".join(quoted(name) for name in key)
        query = f"select {listed} from read_parquet({literal(str(file))})"
        before = file_of(member, member.last.keys if member.last else None)
        if before and not member.beginning:
            same = " and ".join(f"p.{quoted(name)} = k.{quoted(child)}" for child, name in above.items())
            query += (
                f" union select {listed} from read_parquet({literal(str(before))}) as k"
                f" anti join read_parquet({literal(str(whole.file))}) as p on {same}"
            )
        if parents is not None:
            same = " and ".join(f"p.{quoted(name)} = k.{quoted(child)}" for child, name in above.items())
            query = f"select {listed} from ({query}) as k semi join read_parquet({literal(str(parents))}) as p on {same}"
        target = file.with_name(f"keys-{member.name}.parquet")
        self.con.execute(f"copy ({query}) to {literal(str(target))} (format parquet)")
        return target


def file_of(member: Member | None, name: str | None) -> Path | None:
    if member is None or member.folder is None or name is None:
        return None
    file = member.folder / name
    return file if file.is_file() else None


def value_of(con: duckdb.DuckDBPyConnection, sql: str) -> object:
    """The one value of a query."""
    row = con.execute(sql).fetchone()
    return row[0] if row else None
