"""Rows without the erased: a Parquet file of a batch is written again with pseudonyms in place of personal values.

Three cases, each by column of class L3 or L4. A row that is the person's own: every text becomes a pseudonym, every
other value null. Any other row: a cell that is one of the person's values, or has one as a word of its own. And in
such a row also names inside a sentence, which has no spaces in Chinese. Amounts and times of documents stay: totals
are made of them, and without the person's names they are nobody's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import literal, quoted
from tieout.pages.personal import SHOWN
from tieout.privacy.erased import Erased, key_text
from tieout.privacy.tokens import PSEUDONYM

if TYPE_CHECKING:
    import duckdb

# Columns the loader or a door adds; a source may not call its own so.
_TECHNICAL = re.compile(r"_(row|origin|hash|batch_id|loaded_at|is_deleted|is_current|place)")
# A value between quotes, tags or separators: a cell of whatever text format.
_PIECE = re.compile(r"[^\"'<>{}\[\],;=|\t\r\n]+")
_LONG_WORD = re.compile(r"[A-Za-z0-9_.@+:\-]+|[\u3400-\u9fff·]+")
_SHORT_WORD = re.compile(r"[A-Za-z0-9_]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]{2,}")
_LONGEST_NAME = 5  # characters of a Chinese name inside a sentence
_TEXT = "VARCHAR"


@dataclass(frozen=True)
class Rewritten:
    """What one file lost: rows of the person's own, other rows, and by column (source name) how many cells."""

    own: int = 0
    others: int = 0
    cells: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.own or self.others)


@dataclass(frozen=True)
class _Column:
    """One personal column of a file: `text` becomes a pseudonym, anything else null (in the person's own rows)."""

    name: str
    place: int
    text: bool
    fixed: bool  # part of the key or required: never made null


def rewrite(
    con: duckdb.DuckDBPyConnection,
    file: Path,
    source: Source,
    name: str,
    erased: Erased,
    *,
    look: bool = False,
    beside: Callable[[Path, Path], None] = lambda *_: None,
) -> Rewritten:
    """Replace what belongs to erased persons in one Parquet file of a stream; a file without any is not touched.

    The new file takes the place of the old one by one rename; its rows keep their order. Doing it again does nothing.

    Args:
        look: Only count.
        beside: Called with the file as it is and as it will be, before the one takes the place of the other.
    """
    wanted, own = erased.of(source.name), erased.own(source.name, name)
    if not wanted and not own:
        return Rewritten()
    stream = source.streams[name]
    present = {
        row[0]: row[1]
        for row in con.execute(f"describe select * from read_parquet({literal(str(file))})").fetchall()
    }
    columns = personal_columns(source, name, present)
    if not columns:
        return Rewritten()
    read = f"read_parquet({literal(str(file))}, file_row_number = true)"
    replaced = _Replaced(con, read, columns, erased)
    replaced.own_rows(stream, present, own)
    replaced.any_rows(wanted)
    replaced.near_rows(erased.anywhere)
    found = replaced.counted()
    if found:
        found = Rewritten(found.own, found.others, replaced.cells())
        if not look:
            _write(con, replaced.select(present), file, beside)
    replaced.drop()
    return found


def personal_columns(source: Source, name: str, present: dict[str, str]) -> list[_Column]:
    """Columns of a file that may hold what is personal: those above L2, and text nobody has classed."""
    stream = source.streams[name]
    promised: dict[str, str] = {}
    for column in stream.columns:
        # A compacted batch has the contract's own names.
        here = stream.column_in(column, present) or (column if column in present else None)
        if here is not None:
            promised[here] = column
    found: list[_Column] = []
    for place, (here, kind) in enumerate(present.items()):
        column = promised.get(here)
        if column is None:
            if kind == _TEXT and not _TECHNICAL.fullmatch(here):
                found.append(_Column(here, place, True, True))
        elif source.class_of(name, column) not in SHOWN:
            spec = stream.columns[column]
            fixed = column in stream.key or spec.required
            found.append(_Column(here, place, spec.type == "text", fixed))
    return found


class _Replaced:
    """The values of one file that are replaced, in temporary tables."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, read: str, columns: list[_Column], erased: Erased
    ) -> None:
        self.con, self.read, self.columns, self.erased = con, read, columns, erased
        self.texts = [column for column in columns if column.text]
        self._key = "null"
        con.execute("create or replace temp table erased_value (kind text, place int, old text, new text)")
        con.execute("create or replace temp table erased_own (key text)")

    def own_rows(self, stream: Stream, present: dict[str, str], own: frozenset[str]) -> None:
        names = [stream.column_in(c, present) or (c if c in present else None) for c in stream.key]
        if not own or None in names:
            return
        parts = ", ".join(f"coalesce(cast({quoted(str(item))} as text), '')" for item in names)
        self._key = f"concat_ws('|', {parts})"
        keys = self.con.execute(f"select distinct {parts} from {self.read}").fetchall()
        mine = [key_text(row) for row in keys if self.erased.tokens.token(key_text(row)) in own]
        self._insert("erased_own", [(key,) for key in mine])
        if mine:
            where = f"{self._key} in (select key from erased_own)"
            self._map("own", where, self.erased.tokens.pseudonym)

    def any_rows(self, wanted: frozenset[str]) -> None:
        self._map("any", "true", lambda text: in_words(text, wanted, self.erased))

    def near_rows(self, wanted: frozenset[str]) -> None:
        self._map("near", self._touched(), lambda text: in_sentence(text, wanted, self.erased))

    def counted(self) -> Rewritten:
        """Rows that change; those replaced earlier do not."""
        changed = " or ".join(map(self._differs, self.columns))
        row = self.con.execute(
            f"select count(*) filter (where mine), count(*) filter (where not mine) from"
            f" (select {self._mine()} as mine from {self.read} where {changed})"
        ).fetchone()
        assert row is not None
        return Rewritten(*row)

    def cells(self) -> tuple[tuple[str, int], ...]:
        """Cells that change, by column."""
        asked = ", ".join(f"count(*) filter (where {self._differs(column)})" for column in self.columns)
        row = self.con.execute(f"select {asked} from {self.read}").fetchone()
        assert row is not None
        return tuple((column.name, count) for column, count in zip(self.columns, row, strict=True) if count)

    def _differs(self, column: _Column) -> str:
        name = quoted(column.name)
        held = f"cast({name} as text)" if column.text else name  # a text may be kept as a number
        return f"{self._value(column)} is distinct from {held}"

    def select(self, present: dict[str, str]) -> str:
        changed = {column.name: self._value(column) for column in self.columns}
        listed = ", ".join(
            f"{changed[name]} as {quoted(name)}" if name in changed else quoted(name) for name in present
        )
        return f"select {listed} from {self.read} order by file_row_number"

    def _value(self, column: _Column) -> str:
        name = quoted(column.name)
        if not column.text:
            return name if column.fixed else f"case when not {self._mine()} then {name} end"
        text = f"cast({name} as text)"
        own, near = (f"coalesce({self._new(kind, column, text)}, {text})" for kind in ("own", "near"))
        return f"case when {self._mine()} then {own} when {self._touched()} then {near} else {text} end"

    def _new(self, kind: str, column: _Column, text: str) -> str:
        pairs = self.con.execute(
            "select old, new from erased_value where kind = ? and place = ?", [kind, column.place]
        ).fetchall()
        if not pairs:
            return "null"
        olds, news = ([literal(pair[side]) for pair in pairs] for side in (0, 1))
        return f"map([{', '.join(olds)}], [{', '.join(news)}])[{text}]"

    def _mine(self) -> str:
        return f"coalesce({self._key} in (select key from erased_own), false)"

    def _touched(self) -> str:
        """Rows that name the person, or did until they were replaced."""
        tests = [
            f"coalesce(cast({quoted(column.name)} as text) in"
            f" (select old from erased_value where kind = 'any' and place = {column.place})"
            f" or regexp_full_match(cast({quoted(column.name)} as text), {literal(PSEUDONYM.pattern)}), false)"
            for column in self.texts
        ]
        return f"({' or '.join(tests) or 'false'})"

    def _map(self, kind: str, where: str, change: Callable[[str], str]) -> None:
        """Note the new text of every distinct text that changes."""
        for column in self.texts:
            name = f"cast({quoted(column.name)} as text)"
            cursor = self.con.execute(
                f"select distinct {name} from {self.read} where {name} is not null and {where}"
            )
            texts = [row[0] for row in cursor.fetchall()]
            pairs = [(kind, column.place, text, new) for text in texts if (new := change(text)) != text]
            self._insert("erased_value", pairs)

    def _insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        for row in rows:
            self.con.execute(f"insert into {table} values ({', '.join('?' * len(row))})", list(row))

    def drop(self) -> None:
        for table in ("erased_value", "erased_own"):
            self.con.execute(f"drop table if exists {table}")


def in_words(text: str, wanted: frozenset[str], erased: Erased) -> str:
    """A text with what is a value of an erased person replaced: the whole of it, or words in it."""
    known = erased.tokens
    if known.token(text) in wanted:
        return known.pseudonym(text)

    def replaced(match: re.Match[str]) -> str:
        word = match[0]
        return known.pseudonym(word) if known.token(word) in wanted else word

    for kind in (_PIECE, _LONG_WORD, _SHORT_WORD):
        text = kind.sub(replaced, text)
    return text


def in_sentence(text: str, wanted: frozenset[str], erased: Erased) -> str:
    """The same, and Chinese names inside a run of Chinese characters: for rows that name the person elsewhere."""

    def replaced(match: re.Match[str]) -> str:
        run, place, found = match[0], 0, ""
        while place < len(run):
            sizes = range(min(_LONGEST_NAME, len(run) - place), 1, -1)
            name = next((run[place : place + n] for n in sizes if _is(run[place : place + n])), "")
            found += erased.tokens.pseudonym(name) if name else run[place]
            place += len(name) or 1
        return found

    def _is(piece: str) -> bool:
        return erased.tokens.token(piece) in wanted

    text = _CHINESE.sub(replaced, in_words(text, wanted, erased))
    for run in sorted(_word_runs(text, erased.words), key=len, reverse=True):
        if _is(run):
            text = text.replace(run, erased.tokens.pseudonym(run))
    return text


def named_in(text: str, erased: Erased) -> bool:
    """Whether a text has a value of an erased person anywhere: as a word, or inside a run of Chinese characters."""
    words = {word for kind in (_PIECE, _LONG_WORD, _SHORT_WORD) for word in kind.findall(text)}
    words |= _word_runs(text, erased.words)
    for run in set(_CHINESE.findall(text)):
        for size in range(2, _LONGEST_NAME + 1):
            words |= {run[place : place + size] for place in range(len(run) - size + 1)}
    return any(erased.tokens.token(word) in erased.anywhere for word in words)


def _word_runs(text: str, most: int) -> set[str]:
    """Every run of two to `most` words parted by one space, as a name of several words in a sentence."""
    if most < 2 or " " not in text:
        return set()
    words = list(re.finditer(r"\S+", text))
    found = set()
    for place in range(len(words)):
        for size in range(2, min(most, len(words) - place) + 1):
            run = text[words[place].start() : words[place + size - 1].end()]
            found |= {run, run.strip(".,;:!?()\"'")}
    return found


def _write(
    con: duckdb.DuckDBPyConnection, query: str, file: Path, beside: Callable[[Path, Path], None]
) -> None:
    draft = file.with_name(f".erasing-{file.name}-{os.getpid()}")
    try:
        con.execute(f"copy ({query}) to {literal(str(draft))} (format parquet, compression zstd)")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        beside(file, draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
