"""One edit in a contract's text: comments and layout stay, and the result is read again before it is written.

Each edit finds its place through the YAML parser's own marks, changes only there, and is refused if the file,
read again, is not exactly what was intended.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sources.contract import ContractError, Source, read_source
from tieout.ingest.drift.evolved import column_id
from tieout.strict import explained, from_yaml
from tieout.whole import write_whole


@dataclass(frozen=True)
class Mended:
    """One edit: the changed line before and after (either may be missing)."""

    path: Path
    before: str
    after: str
    column: str


def rename(path: Path, stream: str, column: str, new: str) -> Mended:
    """Let a promised column be read from `new` as well, first; batches under its older names still load.

    Args:
        column: Its name in the contract, or one it has in the source.

    Raises: ContractError; the file is unchanged then.
    """
    contract = read_source(path)
    column = _promised(path, contract, stream, column)
    older = [name for name in contract.streams[stream].source_names(column) if name != new]
    names = [new, *older]

    def edit(text: str, columns: yaml.MappingNode) -> str:
        spec = _value(columns, column)
        said = _flow(names)
        old = _find(spec, "from")
        if old is not None:
            return _spliced(text, old[1].start_mark.index, _end(old[1]), said)
        return _first_entry(text, spec, f"from: {said}")

    return _edited(path, stream, column, edit, lambda spec: spec.update({"from": names}))


def retype(path: Path, stream: str, column: str, kind: str) -> Mended:
    """Promise another type. Raises: ContractError; the file is unchanged then."""
    column = _promised(path, read_source(path), stream, column)

    def edit(text: str, columns: yaml.MappingNode) -> str:
        spec = _value(columns, column)
        old = _find(spec, "type")
        assert old is not None
        return _spliced(text, old[1].start_mark.index, _end(old[1]), _flow([kind])[1:-1])

    return _edited(path, stream, column, edit, lambda spec: spec.update({"type": kind}))


def add(path: Path, stream: str, name: str, kind: str, *, column: str | None = None) -> Mended:
    """Append a promise for a column the source has: nullable, under its own name or an ASCII one.

    Raises: ContractError; the file is unchanged then.
    """
    contract = read_source(path)
    promised = _stream(path, contract, stream)
    for known in promised.columns:
        if name in promised.source_names(known):
            raise ContractError(f"{path}: {stream}.{known} already reads {name}. Nothing was changed.")
    column = column or column_id(name, promised.columns)
    if column in promised.columns:
        raise ContractError(
            f"{path}: {stream} already has a column {column}; choose another name (--as NAME)."
        )
    entry: dict[str, Any] = {} if column == name else {"from": name}
    entry["type"] = kind
    line = f"{column}: {{{', '.join(f'{key}: {_flow([value])[1:-1]}' for key, value in entry.items())}}}"

    def edit(text: str, columns: yaml.MappingNode) -> str:
        key, value = columns.value[-1]
        if columns.flow_style:
            return _spliced(text, _end(value), _end(value), f", {line}")
        indent = " " * key.start_mark.column
        at = _line_end(text, _end(value))
        break_ = "\r\n" if "\r\n" in text else "\n"
        return _spliced(text, at, at, f"{break_}{indent}{line}")

    def intend(columns: dict[str, Any]) -> None:
        columns[column] = entry

    return _edited(path, stream, column, edit, intend, on_columns=True)


def drop(path: Path, stream: str, column: str) -> Mended:
    """Promise a column no longer. Raises: ContractError (also if key, cursor or control need it)."""
    column = _promised(path, read_source(path), stream, column)

    def edit(text: str, columns: yaml.MappingNode) -> str:
        key, value = next(item for item in columns.value if item[0].value == column)
        if columns.flow_style:
            raise ContractError(
                f"{path}: the columns of {stream} are on one line; take {column} out by hand."
            )
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        end = _line_end(text, _end(value))
        if text.startswith("\r\n", end):
            end += 2
        elif text.startswith("\n", end):
            end += 1
        return text[:start] + text[end:]

    def intend(columns: dict[str, Any]) -> None:
        del columns[column]

    return _edited(path, stream, column, edit, intend, on_columns=True)


# --- the edit, checked ----------------------------------------------------------------------------


def _edited(
    path: Path,
    stream: str,
    column: str,
    edit: Callable[[str, yaml.MappingNode], str],
    intend: Callable[[dict[str, Any]], Any],
    *,
    on_columns: bool = False,
) -> Mended:
    """Apply `edit` to the text and `intend` to its meaning; write only if both agree and the contract is valid."""
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    document = yaml.compose(text, Loader=yaml.SafeLoader)
    intended = copy.deepcopy(from_yaml(text))
    columns = intended["streams"][stream]["columns"]
    intend(columns if on_columns else columns[column])
    new = edit(text, _value(_value(_value(document, "streams"), stream), "columns"))
    try:
        meant = from_yaml(new)
    except yaml.YAMLError:
        meant = None
    if meant is None or meant != intended or _order(meant, stream) != _order(intended, stream):
        raise ContractError(
            f"{path}: the edit of {stream}.{column} would not have said exactly what was intended "
            f"(an anchor, or an unusual layout?). Nothing was changed; edit that line by hand."
        )
    try:
        Source.model_validate(meant)
    except ValidationError as error:
        raise ContractError(
            f"{path}: with {stream}.{column} changed the contract would not hold: {explained(error)}. "
            f"Nothing was changed."
        ) from None
    write_whole(path, new)
    before, after = _difference(text, new)
    return Mended(path, before, after, column)


def _order(document: Any, stream: str) -> list[str]:
    """Dictionaries are equal in any order; tables are not."""
    return list(document["streams"][stream]["columns"]) if document else []


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines that differ."""
    old, new = before.splitlines(), after.splitlines()
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    tail = 0
    while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return "\n".join(old[same : len(old) - tail]), "\n".join(new[same : len(new) - tail])


# --- places in the text ---------------------------------------------------------------------------


def _find(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next((item for item in node.value if item[0].value == key), None)


def _value(node: Any, key: str) -> Any:
    found = _find(node, key)
    assert found is not None
    return found[1]


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends; a block's mark lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.index


def _line_end(text: str, index: int) -> int:
    found = re.compile(r"\r?\n|$").search(text, index)
    assert found is not None
    return found.start()


def _spliced(text: str, start: int, end: int, middle: str) -> str:
    return text[:start] + middle + text[end:]


def _first_entry(text: str, spec: Any, entry: str) -> str:
    start = spec.start_mark.index
    if spec.flow_style:
        return _spliced(text, start + 1, start + 1, f"{entry}, ")
    indent = " " * spec.start_mark.column
    break_ = "\r\n" if "\r\n" in text else "\n"
    return _spliced(text, start, start, f"{entry}{break_}{indent}")


def _flow(values: Sequence[str]) -> str:
    """`[a, "b, c"]`: plain where YAML allows it on one line, else in double quotes as the contracts have it."""
    written = []
    for value in values:
        plain = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=1_000_000).strip()[
            1:-1
        ]
        written.append(value if plain == value else json.dumps(value, ensure_ascii=False))
    return f"[{', '.join(written)}]"


def _stream(path: Path, contract: Source, stream: str) -> Any:
    if stream not in contract.streams:
        raise ContractError(f"{path}: has no stream {stream!r}. Nothing was changed.")
    return contract.streams[stream]


def _promised(path: Path, contract: Source, stream: str, column: str) -> str:
    """The contract's column of that name, or the one that reads that name in the source."""
    promised = _stream(path, contract, stream)
    if column in promised.columns:
        return column
    for known in promised.columns:
        if column in promised.source_names(known):
            return known
    raise ContractError(
        f"{path}: {stream} promises no column {column!r}; it has {', '.join(promised.columns)}. Nothing was changed."
    )
