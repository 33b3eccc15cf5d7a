"""What one page holds: its rows as JSON lines, the fields they have, and the facts that paging decides by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sources.contract.http_paged import Paged
from tieout.ingest.intake.http.answer import DEEPEST, Answer, NotThatFormat
from tieout.ingest.intake.http.values import at, has


@dataclass(frozen=True)
class Facts:
    """What paging decides by; small enough to be kept beside every page, so that a pull can be resumed."""

    rows: int
    signature: str  # of the rows; the same signature twice is the same page again
    total: int | None = None
    more: bool | None = None
    pages: int | None = None
    next: str | int | None = None
    first_key: str | None = None
    last_key: str | None = None
    last_value: Any = None  # of the field that a keyset goes by
    types: dict[str, str] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)  # rows inside the rows, by child's field
    widest: int = 0  # bytes of the longest row

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def rows_of(answer: Answer, request: Paged, *, plain: bool = False) -> list[Any]:
    """The rows of a page, each a mapping; `plain`: or a text or number.

    Raises: NotThatFormat if they are not where the contract says, or are no rows.
    """
    found = at(answer.document, request.records)
    if found is None:
        if has(answer.document, request.records):
            return []
        known = (
            sorted(answer.document)[:20]
            if isinstance(answer.document, dict)
            else type(answer.document).__name__
        )
        if at(answer.document, request.total) in (0, "0"):
            return []
        raise NotThatFormat(f"the answer has nothing at `records: {request.records}`; it has {known}")
    rows = found if isinstance(found, list) else [found]
    if request.fields is not None:
        if any(not isinstance(row, list) or len(row) != len(request.fields) for row in rows):
            raise NotThatFormat(f"the rows are not lists of the {len(request.fields)} `fields`")
        rows = [dict(zip(request.fields, row, strict=True)) for row in rows]
    kinds = set(map(type, rows)) - {dict}
    if kinds and not plain:
        place = next(place for place, row in enumerate(rows) if type(row) is not dict)
        raise NotThatFormat(
            f"row {place + 1} at `records: {request.records}` is no object but {type(rows[place]).__name__}"
        )
    return rows


def inner_lists(rows: list[Any], paths: Iterable[str]) -> dict[str, int]:
    """How many rows are inside the rows, by path; a single one that is no list (XML cannot tell) becomes one."""
    counts = {}
    for path in paths:
        inner = [row.get(path) for row in rows]
        if set(map(type, inner)) <= {list, type(None)} and list in map(type, inner):
            counts[path] = sum(len(item) for item in inner if item)
            continue
        count = 0
        for row in rows:
            found = at(row, path)
            if found is not None and type(found) is not list:
                above, _, last = path.rpartition(".")
                found = (at(row, above) if above else row)[last] = [found]
            count += len(found or ())
        counts[path] = count
    return counts


@dataclass(frozen=True)
class Lines:
    """Rows as JSON, one a line; `widest` is the longest line's bytes."""

    text: bytes
    widest: int


def lines_of(rows: list[Any]) -> Lines:
    """Raises: NotThatFormat if a row is nested too deep."""
    import orjson

    option = orjson.OPT_APPEND_NEWLINE
    try:
        lines = [orjson.dumps(row, option=option) for row in rows]
    except TypeError:
        raise NotThatFormat(f"a row is nested more than {DEEPEST} levels deep") from None
    return Lines(b"".join(lines), max(map(len, lines), default=0))


def facts_of(
    answer: Answer,
    rows: list[Any],
    lines: Lines,
    inside: dict[str, int],
    request: Paged,
    key: tuple[str, ...],
    types: dict[str, str],
) -> Facts:
    """What paging decides by, beside the fields the rows have."""
    paging = request.paging
    document = answer.document
    ends = [key_of(rows[place], key) for place in (0, -1)] if rows else [None, None]
    by = getattr(paging, "by", None)
    return Facts(
        rows=len(rows),
        signature=hashlib.sha256(lines.text).hexdigest()[:32],
        total=_number(at(document, request.total)),
        more=_truth(at(document, getattr(paging, "more", None))),
        pages=_number(at(document, getattr(paging, "count", None))),
        next=_next(answer, paging),
        first_key=ends[0],
        last_key=ends[1],
        last_value=at(rows[-1], by) if rows and by else None,
        types=types,
        inside=inside,
        widest=lines.widest,
    )


def key_of(row: Any, key: tuple[str, ...]) -> str:
    import orjson

    return orjson.dumps([at(row, name) for name in key]).decode()


def _number(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(str(value))
    except ValueError:
        return None


def _truth(value: object) -> bool | None:
    """Whether there is more. A name of the next page, a number above 0 or `true` as text say yes."""
    if isinstance(value, str):
        return value.strip().lower() not in {"", "false", "0", "no", "n"}
    return None if value is None else bool(value)


def _next(answer: Answer, paging: Any) -> str | int | None:
    if paging.kind == "next_link" and paging.next is None:
        return answer.links.get("next", {}).get("url")
    value = at(answer.document, paging.next) if paging.kind in {"next_link", "cursor"} else None
    if isinstance(value, int):
        return value  # it is asked for as the number it is
    return None if value is None or value == "" else str(value)
