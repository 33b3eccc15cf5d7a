"""Where the rows of a document are, and what is inside them: fields of objects by path, lists as children."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from tieout.ingest.profiling.documents import Document
from tieout.ingest.profiling.gathered import Gathered, Steps
from tieout.ingest.profiling.paging import is_envelope
from tieout.ingest.profiling.rows import GENERIC, Rows, meaning

_DEEPEST = 12
_ITSELF = 4  # values of its own that make an object a row, though it holds lists
_MIXED = 0.5  # of the fields two samples share: below it, they are two objects
_FEW, _LIKE = 5, 0.8
_STEM_NOISE = re.compile(r"(?i)([-_. ]*\(?(page|part|p|第)?[-_ ]*\d+(页)?\)?)+$|^\d[\d\-_. ]*(?=\D)")
_LOGIN = re.compile(r"token|session_?id|sid$|jwt", re.I)


class Trees:
    """Gathers rows over many documents; documents of one kind add to the same object."""

    def __init__(self) -> None:
        self.found: list[Gathered] = []
        self.notes: list[str] = []
        self._groups: dict[tuple, list[tuple[frozenset[str], Gathered]]] = {}
        self._earlier: dict[int, set[bytes]] = {}

    def take(self, document: Document) -> None:
        """Take in one document; one without rows is noted."""
        if document.kind == "jsonl":
            self._take_lines(document)
            return
        lists = list(_lists(document.content, (), self._noting(document)))
        if not lists and (alone := _alone(document.content)) is not None:
            lists = [alone]
        if not lists:
            self.notes.append(f"{_where(document)}: holds no rows")
        for steps, rows in lists:
            self._take_rows(document, steps, rows, several=len(lists) > 1)

    def _take_lines(self, document: Document) -> None:
        """Lines are rows, unless they are whole answers, recorded one a line."""
        lines = document.content
        if lines and all(
            isinstance(line, dict) and is_envelope(line) and any(_lists(line, (), None)) for line in lines
        ):
            for line in lines:
                self.take(Document(document.file, "json", line, document.whole))
            return
        rows = [line for line in lines if isinstance(line, dict)]
        if len(rows) < len(lines):
            self.notes.append(f"{document.file}: {len(lines) - len(rows)} of its lines are no objects")
        if rows:
            self._take_rows(document, (), rows, several=False)

    def _take_rows(self, document: Document, steps: Steps, rows: list[Any], *, several: bool) -> None:
        rows = [row for row in rows if isinstance(row, dict) and row]
        keys = frozenset(key for row in rows[:200] for key in row)
        if not keys:
            return
        one = self._object(document, steps, keys, several)
        one.files[document.file] = None
        one.whole = one.whole and document.whole
        for path, value in _outside(document.content, steps):
            one.envelope.setdefault(path, []).append(value)
        before = self._earlier.setdefault(id(one), set())
        fresh = [_digest(row) for row in rows]
        again = 0
        look = Rows(document.kind)
        look.learn(rows)
        for row, digest in zip(rows, fresh, strict=True):
            if digest in before:
                again += 1
                continue
            look.into(one, row)
        before.update(fresh)
        if again:
            one.notes["rows that were recorded more than once are counted once"] = None

    def _object(self, document: Document, steps: Steps, keys: frozenset[str], several: bool) -> Gathered:
        call = document.call
        # Without a request, files of one name but for its number are one.
        group = (call.method, call.host, call.path) if call else (label_of_file(document.file),)
        group = (*group, document.kind, steps)
        known = self._groups.setdefault(group, [])
        for place, (said, one) in enumerate(known):
            if len(said & keys) >= _MIXED * min(len(said), len(keys)):
                known[place] = (said | keys, one)
                if call and one.call:
                    one.call = _both(one.call, call)
                return one
        label = _label(document, steps, several)
        form = {"encoding": document.encoding} if document.encoding not in {"utf-8", "utf-8-sig"} else {}
        one = Gathered(label, _where(document), document.kind, steps, call=call, form=form)
        known.append((keys, one))
        self.found.append(one)
        return one

    def _noting(self, document: Document) -> Callable[[str], None]:
        def note(text: str) -> None:
            if (said := f"{_where(document)}: {text}") not in self.notes:
                self.notes.append(said)

        return note


def _where(document: Document) -> str:
    if document.call:
        return f"{document.call.method.upper()} {document.call.path}"
    return document.file


def _digest(row: Any) -> bytes:
    import hashlib

    import orjson

    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    return hashlib.blake2b(orjson.dumps(row, option=options), digest_size=12).digest()


# --- where rows are ---------------------------------------------------------------------------------


def _lists(node: Any, steps: Steps, note: Callable[[str], None] | None) -> Iterable[tuple[Steps, list[Any]]]:
    """Lists of objects that are not inside a row, and objects that are rows themselves."""
    if isinstance(node, list):
        items = [item for item in node if item is not None]
        if items and all(isinstance(item, dict) for item in items):
            yield steps, items
        elif items and note is not None and all(isinstance(item, list) for item in items):
            note(
                f"rows at {'.'.join(steps) or 'the top'} are lists: `request.fields` must name their positions"
            )
        return
    if not isinstance(node, dict) or len(steps) >= _DEEPEST:
        return
    if note is not None and _keyed(node):
        note(
            f"{'.'.join(steps) or 'the top'} is an object whose keys are data ({len(node)} of them): no door reads it as rows"
        )
        return
    if _is_row(node) and any(isinstance(value, list | dict) for value in node.values()):
        yield steps, [node]
        return
    for key, value in node.items():
        if key:  # a path cannot name an empty key
            yield from _lists(value, (*steps, key), note)


def _is_row(node: dict[str, Any]) -> bool:
    own = [key for key, value in node.items() if not isinstance(value, list | dict)]
    return sum(1 for key in own if not is_envelope({key: node[key]}) and key[:1] != "@") >= _ITSELF


def _keyed(node: dict[str, Any]) -> bool:
    if len(node) < _FEW or not all(isinstance(value, dict) and value for value in node.values()):
        return False
    shapes = [frozenset(value) for value in node.values()]
    common = frozenset.intersection(*shapes)
    return len(common) >= _LIKE * max(map(len, shapes))


def _alone(document: Any) -> tuple[Steps, list[Any]] | None:
    """A document that is one row: the object in its envelope, unless it is a login's answer or says nothing."""
    steps: Steps = ()
    node = document
    while isinstance(node, dict):
        inner = [(key, value) for key, value in node.items() if isinstance(value, dict) and value and key]
        own = [
            key
            for key, value in node.items()
            if not isinstance(value, dict) and not is_envelope({key: value})
        ]
        if own or len(inner) != 1 or len(steps) >= _DEEPEST:
            if len(own) < 2 or any(_LOGIN.search(key) for key in own):
                return None
            return steps, [node]
        steps, node = (*steps, inner[0][0]), inner[0][1]
    return None


def _outside(node: Any, rows: Steps, steps: Steps = ()) -> Iterable[tuple[Steps, Any]]:
    """Single values beside the rows."""
    if isinstance(node, dict) and steps != rows and len(steps) < _DEEPEST:
        for key, value in node.items():
            if isinstance(value, dict):
                yield from _outside(value, rows, (*steps, key))
            elif not isinstance(value, list) and key:
                yield (*steps, key), value


# --- names ------------------------------------------------------------------------------------------


def label_of_file(name: str) -> str:
    """A file's name without number, date and ending: `orders-2026-01.json` is orders."""
    stem = name.partition(".")[0] if name.count(".") == 1 else name.rpartition(".")[0]
    return _STEM_NOISE.sub("", stem).strip("-_. ") or stem or name


def _label(document: Document, steps: Steps, several: bool) -> str:
    inside = meaning(steps)
    if document.call:
        path = meaning(part for part in document.call.path.split("/") if part)
        own = re.sub(r"\.\w{1,5}$", "", path) if path else None
        return (f"{own}_{inside}" if several and inside and own else own or inside) or "rows"
    own = label_of_file(document.file)
    if several and inside:
        return inside if own.lower() in GENERIC else f"{own}_{inside}"
    return own if own.lower() not in GENERIC else inside or own


def _both(one: Any, other: Any) -> Any:
    """What two recordings of one request agree in; pages differ, and are known by their names."""
    from dataclasses import replace

    from tieout.ingest.profiling.paging import asks_for

    def same(here: dict | None, there: dict | None) -> dict | None:
        if here is None or there is None:
            return here
        return {k: v for k, v in here.items() if there.get(k) == v or (asks_for(k) and k in there)}

    differ = {k for k in {*one.asked, *other.asked} if one.asked.get(k) != other.asked.get(k)}
    noted = {f"{k}, which differs between recordings" for k in differ if not asks_for(k)}
    return replace(
        one,
        params=same(one.params, other.params) or {},
        body=same(one.body, other.body),
        form=same(one.form, other.form),
        headers=one.headers | other.headers,
        left_out=tuple(sorted({*one.left_out, *other.left_out, *noted})),
    )
