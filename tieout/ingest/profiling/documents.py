"""JSON, JSON lines and XML as documents; of a large file its beginning, closed where the last whole row ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tieout.ingest.errors import SourceError
from tieout.ingest.profiling.encodings import encoding_of
from tieout.ingest.profiling.gathered import LARGEST, SAMPLE, Call

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_TAIL = 64 * 1024  # what stands behind the rows: totals, the next page
_ENOUGH = 10  # rows that end at one level: below it, the list is taken for a list inside a row
NOTHING = "Nothing of it was profiled."


@dataclass(frozen=True)
class Document:
    """One recorded answer or one file. `kind` is json, jsonl or xml; `whole`: nothing was cut off."""

    file: str
    kind: str
    content: Any
    whole: bool = True
    call: Call | None = None
    encoding: str = "utf-8"


def documents(path: Path) -> Iterator[Document]:
    """Every document of one file.

    Raises: SourceError if it is neither JSON nor XML.
    """
    with path.open("rb") as file:
        body = file.read(LARGEST)
        whole = not file.read(1)
        file.seek(max(path.stat().st_size - _TAIL, len(body)))
        tail = file.read()
    encoding, _ = encoding_of(body)
    if encoding != "utf-8":
        body = body.decode(encoding, "ignore" if not whole else "replace").encode("utf-8", "replace")
    if body.lstrip()[:1] == b"<":
        yield Document(path.name, "xml", _xml(path, body, whole), whole)
        return
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        yield from _lines(path, body, whole, encoding)
        return
    try:
        content = _json(body) if whole else _begun(body, tail)
    except ValueError as error:
        if body.count(b"\n") > 1:
            yield from _lines(path, body, whole, encoding)
            return
        raise SourceError(f"{path.name}: is no JSON ({error}). {NOTHING} Was it saved whole?") from None
    yield Document(path.name, "json", content, whole, encoding=encoding)


def _lines(path: Path, body: bytes, whole: bool, encoding: str) -> Iterator[Document]:
    lines = [line for line in body.splitlines() if line.strip()]
    if not whole:
        lines.pop()
    cut = len(lines) > SAMPLE
    items = []
    for number, line in enumerate(lines[:SAMPLE], start=1):
        try:
            items.append(_json(line))
        except ValueError as error:
            raise SourceError(
                f"{path.name}: line {number} is no JSON ({error}). {NOTHING} Mend the line or take it out."
            ) from None
    yield Document(path.name, "jsonl", items, whole and not cut, encoding=encoding)


def _json(body: bytes) -> Any:
    from tieout.ingest.intake.http.answer import NotThatFormat, read_answer

    try:
        return read_answer(body, "", "json", {}).document
    except NotThatFormat as error:
        raise ValueError(str(error)) from None


def _xml(path: Path, body: bytes, whole: bool) -> Any:
    from tieout.ingest.intake.http.answer import NotThatFormat, read_answer

    if not whole:
        raise SourceError(
            f"{path.name}: XML of more than {LARGEST // 2**20} MB cannot be looked at in part. {NOTHING} "
            f"Give a smaller export of the same kind."
        )
    # The text is UTF-8 by now, whatever the declaration says.
    body = re.sub(rb"^(\s*<\?xml[^>]*?)\s+encoding=[\"'][^\"']*[\"']", rb"\1", body)
    try:
        return read_answer(body, "", "xml", {}).document
    except NotThatFormat as error:
        raise SourceError(f"{path.name}: {error}. {NOTHING} Have it sent again, without a DOCTYPE.") from None


def _begun(body: bytes, tail: bytes) -> Any:
    """What is inside the beginning of a document, with the values behind its rows where they are found."""
    rows, closed = begun(body)
    behind = tail.rpartition(b"]")[2]
    try:
        # If it closes all that is open, it is what follows the list of rows.
        return _json(rows + b"]" + behind)
    except ValueError:
        return _json(rows + closed)


def begun(body: bytes) -> tuple[bytes, bytes]:
    """JSON whose end is missing, up to the last whole item of its outermost long list; and what would close it.

    Raises: ValueError if no item ends in it.
    """
    open_: list[bytes] = []
    ends: dict[int, tuple[int, tuple[bytes, ...], int]] = {}
    for match in _TOKEN.finditer(body):
        token = match[0]
        if token in b"[{":
            open_.append(token)
        elif token in b"]}":
            if not open_:
                raise ValueError("a bracket closes that never opened")
            open_.pop()
            if open_ and open_[-1] == b"[":
                depth = len(open_)
                ends[depth] = (match.end(), tuple(open_), ends.get(depth, (0, (), 0))[2] + 1)
    if not ends:
        raise ValueError("no item of a list ends in the part looked at")
    long = [depth for depth, (_, _, count) in sorted(ends.items()) if count >= _ENOUGH]
    end, still_open, _ = ends[long[0] if long else min(ends)]
    return body[:end], b"".join(b"]" if item == b"[" else b"}" for item in reversed(still_open))
