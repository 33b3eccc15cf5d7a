"""XML: the element `records` names is a row. No tree is built, no entity is expanded, nothing is fetched.

An attribute is `@name`, a child is `name`, what is inside it `name/inner` or `name/@attribute`, the row's own
text `.`; name spaces are left out of names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from tieout.ingest.intake.files.delivery import (
    LARGEST_VALUE,
    MOST_COLUMNS,
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

DEEPEST = 100
_SLICE = 64 * 1024  # characters given to the parser at once
_ENCODING = re.compile(rb"^\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


def parse_xml(con: duckdb.DuckDBPyConnection, delivery: Delivery) -> Parsed:
    """Parse one XML file into `rows.parquet`; `_row` counts its records from 1.

    Raises: SourceError if the file is not what the contract says, or declares entities.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    with delivery.file.open("rb") as file, Records(con, delivery) as records:
        letters = Letters(delivery, file, _encoding(delivery))
        target = _Target(delivery, records)
        parser = DefusedXMLParser(target=target, forbid_dtd=True)
        try:
            while letters.more():
                for begin in range(0, len(letters.buffer), _SLICE):
                    parser.feed(letters.buffer[begin : begin + _SLICE])
                    target.fed(_SLICE)
                letters.at = len(letters.buffer)
            parser.close()
        except ParseError as error:
            raise delivery.refusal(f"is not XML ({error})") from None
        except DefusedXmlException:
            raise delivery.refusal(
                "declares a document type or entities; they are never expanded or fetched",
                "Have it sent without a DOCTYPE.",
            ) from None
        declared = list(records.declared)
        if target.count:
            names = delivery.columns(declared, delivery.file.name)
        else:
            names = [delivery.stream.source_column(column) for column in delivery.stream.columns]
        rows = records.finish(names)
    return Parsed(PARSED, rows, texts(names), texts(declared), delivery.file.name)


def _encoding(delivery: Delivery) -> str:
    """What the contract says, else what the file says of itself, else utf-8."""
    said = delivery.format.encoding
    if said != "utf-8":
        return said
    with delivery.file.open("rb") as file:
        start = file.read(1024)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    match = _ENCODING.match(start.removeprefix(b"\xef\xbb\xbf"))
    return match[1].decode() if match else said


class _Target:
    """Takes what the parser finds and makes records of it."""

    def __init__(self, delivery: Delivery, records: Records) -> None:
        self.delivery, self.records, self.count = delivery, records, 0
        self._wanted = (delivery.format.records or "").split("/")
        stream = delivery.stream
        self._promised = {name for column in stream.columns for name in stream.source_names(column)}
        self._open: list[str] = []
        self._path: list[str] = []
        self._record: dict[str, str | None] | None = None
        self._text: list[str] = []
        self._size = self._characters = self._silent = 0
        self._leaf = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._silent = 0
        name = _local(tag)
        self._open.append(name)
        if len(self._open) > DEEPEST:
            self._refuse(f"is nested more than {DEEPEST} deep")
        if self._record is not None:
            self._path.append(name)
        elif self._open[-len(self._wanted) :] == self._wanted:
            self._record, self._path, self._characters = {}, [], 0
            self.count += 1
        else:
            return
        self._leaf, self._text, self._size = True, [], 0
        for key, value in attributes.items():
            self._put([*self._path, f"@{_local(key)}"], value)

    def data(self, text: str) -> None:
        self._silent = 0
        if self._record is None:
            return
        self._text.append(text)
        self._size += len(text)
        if self._size > LARGEST_VALUE:
            self._refuse(f"a value {TOO_LARGE}")

    def end(self, tag: str) -> None:
        self._silent = 0
        self._open.pop()
        if self._record is None:
            return
        if self._leaf:
            self._put(self._path or ["."], "".join(self._text))
        self._leaf, self._text = False, []
        if self._path:
            self._path.pop()
            return
        if self._record.get(".", "") is None and len(self._record) > 1:
            del self._record["."]
        self.records.add(self.count, self._record, self._characters)
        self._record = None

    def close(self) -> None:
        pass

    def fed(self, characters: int) -> None:
        """So much was given to the parser; a tag that never ends calls nothing and would be kept whole."""
        self._silent += characters
        if self._silent > LARGEST_VALUE:
            self._refuse(f"a tag {TOO_LARGE}")

    def _put(self, path: list[str], value: str) -> None:
        assert self._record is not None
        name = "/".join(path)
        if name in self._record:
            if name in self._promised:
                self._refuse(f"holds {name} more than once: which one is meant?")
            return
        if len(value) > LARGEST_VALUE:
            self._refuse(f"a value {TOO_LARGE}")
        self._record[name] = value or None
        self._characters += len(value)
        if len(self._record) > MOST_COLUMNS:
            self._refuse(f"has more than {MOST_COLUMNS:,} values")

    def _refuse(self, what: str) -> NoReturn:
        raise self.delivery.refusal(
            what,
            "Is `format.records` the element that is one row? If it is, have the file sent again.",
            at=f"record {self.count}",
        )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
