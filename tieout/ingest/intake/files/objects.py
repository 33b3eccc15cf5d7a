"""JSON and JSON lines, one record after another: memory holds one record and a piece of text, never the file.

Numbers keep the digits they were written with; what is nested inside a record becomes JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from tieout.ingest.intake.files.delivery import (
    LARGEST_VALUE,
    PARSED,
    TOO_LARGE,
    Delivery,
    Parsed,
    texts,
)
from tieout.ingest.intake.files.letters import Letters
from tieout.ingest.intake.files.rows import Records

if TYPE_CHECKING:
    import duckdb

# One record, or one value beside the records: it is parsed in one go.
LARGEST_RECORD = 64 * 1024 * 1024
# Business documents nest five deep, generated ones ten. Every version of Python can go this far.
DEEPEST = 100
_BLANK = re.compile(r"[ \t\r\n]*")
_BLANKS = frozenset(" \t\r\n")
_COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _NotJson(ValueError):
    """Something JSON does not allow, or not twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _NotJson(f"an object has the key {next(n for n in names if names.count(n) > 1)!r} twice")
    return found


def _constant(word: str) -> NoReturn:
    raise _NotJson(f"{word} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_constant
)


def parse_json(con: duckdb.DuckDBPyConnection, delivery: Delivery) -> Parsed:
    """Parse an array of objects (or, `jsonl`, objects one after another); `_row` counts them from 1.

    In JSON lines, `_row` is the line instead.

    Raises: SourceError if the file is not what the contract says; it names the line.
    """
    form = delivery.format
    with delivery.file.open("rb") as file, Records(con, delivery) as records:
        text = _Text(delivery, Letters(delivery, file, form.encoding))
        lines = form.kind == "jsonl"
        found = text.sequence() if lines else text.document(form.records.split(".") if form.records else [])
        for count, (line, size, item) in enumerate(found, start=1):
            if not isinstance(item, dict):
                raise delivery.refusal("is not an array of objects", at=f"line {line}")
            record = {name: text.cell(value, line) for name, value in item.items()}
            records.add(line if lines else count, record, size)
        declared = list(records.declared)
        names = delivery.columns(declared, delivery.file.name) if declared else _promised(delivery)
        rows = records.finish(names)
    return Parsed(PARSED, rows, texts(names), texts(declared), delivery.file.name)


def _promised(delivery: Delivery) -> list[str]:
    """Today's names: a file without a record names no columns itself."""
    return [delivery.stream.source_column(column) for column in delivery.stream.columns]


class _Text:
    """JSON read token by token outside the records, and value by value inside."""

    def __init__(self, delivery: Delivery, letters: Letters) -> None:
        self.delivery, self.letters = delivery, letters

    def document(self, path: list[str]) -> Iterator[tuple[int, int, Any]]:
        """(line, size, value) of every item of the array at `path`; the rest must be JSON too."""
        yield from self._inside(path, [])
        if self._peek():
            raise self._wrong("something follows its end")

    def sequence(self) -> Iterator[tuple[int, int, Any]]:
        """(line, size, value) of values that follow one another."""
        while self._peek():
            yield self._value()

    def cell(self, value: Any, line: int) -> str | None:
        """A value of a record as text; empty text is a missing value."""
        if value is None or value == "":
            return None
        text = str(value) if isinstance(value, str) else self._json(value, line, 1)
        if len(text) > LARGEST_VALUE:
            raise self.delivery.refusal(f"a value {TOO_LARGE}", at=f"line {line}")
        return text

    def _json(self, value: Any, line: int, depth: int) -> str:
        if depth > DEEPEST:
            raise self._deep(line)
        if isinstance(value, _Number):
            return str(value)
        if isinstance(value, dict):
            inner = (
                f"{json.dumps(name, ensure_ascii=False)}:{self._json(item, line, depth + 1)}"
                for name, item in value.items()
            )
            return f"{{{','.join(inner)}}}"
        if isinstance(value, list):
            return f"[{','.join(self._json(item, line, depth + 1) for item in value)}]"
        return json.dumps(value, ensure_ascii=False)

    def _inside(self, path: list[str], above: list[str]) -> Iterator[tuple[int, int, Any]]:
        if not path:
            yield from self._items(above)
            return
        self._open("{", above)
        keys: set[str] = set()
        while self._peek() != "}":
            if keys:
                self._expect(",")
            if self._peek() != '"':
                raise self._wrong("a key is expected")
            _, _, key = self._value()
            if key in keys:
                raise self._wrong(f"an object has the key {key!r} twice")
            keys.add(key)
            self._expect(":")
            if key == path[0]:
                yield from self._inside(path[1:], [*above, key])
            else:
                self._value()
        self._expect("}")
        if path[0] not in keys:
            raise self.delivery.refusal(
                f"has no {'.'.join([*above, path[0]])}, only {sorted(keys)[:20]}",
                "Set `format.records` in the contract.",
            )

    def _items(self, above: list[str]) -> Iterator[tuple[int, int, Any]]:
        self._open("[", above)
        if self._peek() != "]":
            yield self._value()
            while self._comma():
                yield self._value()
        self._expect("]")

    def _comma(self) -> bool:
        """Step over the comma before another item; False at the end of the array."""
        letters = self.letters
        match = _COMMA.match(letters.buffer, letters.at)
        if match is None or match.end() == len(letters.buffer):  # nearly never: a piece ends here
            if self._peek() == "]":
                return False
            self._expect(",")
        else:
            letters.line += letters.buffer.count("\n", letters.at, match.end())
            letters.at = match.end()
        if self._peek() == "]":
            raise self._wrong("a value is expected after the last comma")
        return True

    def _open(self, bracket: str, above: list[str]) -> None:
        found = self._peek()
        if found != bracket and found in ("{", "["):
            kind = "an array of objects" if bracket == "[" else "an object"
            raise self.delivery.refusal(
                f"{'.'.join(above) + ' ' if above else ''}is not {kind}",
                "Set `format.records` in the contract to where the rows are.",
            )
        self._expect(bracket)

    def _peek(self) -> str:
        """The next character that is not blank, or nothing at the end."""
        letters = self.letters
        if letters.at < len(letters.buffer) and (found := letters.buffer[letters.at]) not in _BLANKS:
            return found
        while True:
            match = _BLANK.match(letters.buffer, letters.at)
            assert match is not None
            letters.line += letters.buffer.count("\n", letters.at, match.end())
            letters.at = match.end()
            if letters.at < len(letters.buffer):
                return letters.buffer[letters.at]
            if not letters.more() and letters.ended:
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            raise self._wrong(
                f"{character!r} is expected, {found!r} found" if found else "it ends in the middle"
            )
        self.letters.at += 1

    def _value(self) -> tuple[int, int, Any]:
        self._peek()
        letters = self.letters
        while True:
            begin, line = letters.at, letters.line
            try:
                value, end = _DECODER.raw_decode(letters.buffer, begin)
                # A number at the very end of a piece may go on in the next.
                if end < len(letters.buffer) or letters.ended:
                    letters.line += letters.buffer.count("\n", begin, end)
                    letters.at = end
                    return line, end - begin, value
            except _NotJson as error:
                raise self._wrong(str(error)) from None
            except RecursionError:
                raise self._deep(line) from None
            except json.JSONDecodeError as error:
                wrong = error
                if letters.ended:
                    if error.pos >= len(letters.buffer) or "Unterminated" in error.msg:
                        raise self._wrong("it ends in the middle") from None
                    letters.line += letters.buffer.count("\n", begin, error.pos)
                    raise self._wrong(wrong.msg) from None
            if len(letters.buffer) - begin > LARGEST_RECORD:
                raise self._wrong(f"a record is larger than {LARGEST_RECORD // 2**20} MB, or broken")
            letters.more()

    def _wrong(self, what: str) -> Exception:
        return self.delivery.refusal(f"is not JSON ({what})", at=f"line {self.letters.line}")

    def _deep(self, line: int) -> Exception:
        return self.delivery.refusal(f"is nested more than {DEEPEST} deep", at=f"line {line}")
