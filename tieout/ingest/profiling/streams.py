"""The streams of a drafted contract as text: one line a column, what is guessed beside it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tieout.ingest.drafting.names import identifiers
from tieout.ingest.drafting.write import remark, scalar, title
from tieout.ingest.profiling import Found, Profile
from tieout.ingest.profiling.fields import Profiled
from tieout.ingest.profiling.gathered import Door, Gathered
from tieout.ingest.profiling.request import request_of

_SURE = 0.6  # a pointer below this is only told in the report


@dataclass(frozen=True)
class Drafted:
    """One stream to be: its columns (path in the contract's words → field) and key."""

    found: Found
    columns: dict[str, Profiled]
    key: tuple[str, ...]
    why_key: str | None


def streams(kept: dict[int, Drafted], profile: Profile, door: Door) -> list[str]:
    # `no` and `on` are names of columns, and of YAML's own for false and true.
    names = identifiers(item.found.one.label for item in kept.values())
    lines: list[str] = []
    for item in kept.values():
        lines += ["", *_stream(item, names, profile, door)]
    return lines[1:]


def _stream(item: Drafted, names: dict[str, str], profile: Profile, door: Door) -> list[str]:
    one, found = item.found.one, item.found
    ids = identifiers(item.columns)
    key = [ids[path] for path in item.key]
    lines = [
        f"  {scalar(names[one.label])}:"
        + remark(f"{one.rows:,} rows looked at" + ("" if one.whole else ", there are more")),
        f"    title: {title(one.label, one.label)}",
        f"    grain: {scalar('one row per ' + ' and '.join(key) if len(key) <= 4 else 'one row per distinct row')}",
        *(_of_files(one) if door == "files" else _of_http(item, names)),
        f"    key: [{', '.join(map(scalar, key))}]{remark(item.why_key)}",
        "    load: slice" if door == "files" and len(one.files) > 1 else "    load: full",
    ]
    if found.cursors and door == "http":
        best = found.cursors[0]
        lines[-1] += remark(f"or incremental by {best.what} ({best.confidence}: {best.reason})")
    lines += ["    allow_empty: true"] if not one.rows or one.parent is not None else []
    lines += [f"    # {note.strip()}" for note in (remark(text).replace("#", "", 1) for text in one.notes)]
    lines.append("    columns:")
    told = {
        pointer.column: f"refers to {names.get(pointer.target.label, pointer.target.label)}.{'.'.join(pointer.key)} "
        f"({pointer.guess.confidence}: {pointer.guess.reason})"
        for pointer in reversed(profile.pointers)
        if pointer.source is one and pointer.guess.confidence >= _SURE
    }
    unit = _unit_column(item)
    numbers = _numbers(item) if door == "http" else None
    for path, column in item.columns.items():
        inherited = path.startswith("parent.") and one.parent is not None
        said = None if inherited else told.get(column.steps)
        lines.append(_column(path, ids[path], column, path in item.key, said, unit, numbers))
    return lines


def _column(
    path: str,
    name: str,
    item: Profiled,
    is_key: bool,
    told: str | None,
    unit: str | None,
    numbers: str | None,
) -> str:
    kind = item.type if not item.numbers or item.numbers == numbers else "bigint"
    parts = [f"from: {scalar(path)}"] if path != name else []
    parts.append(f"type: {json.dumps(kind) if '(' in kind else kind}")
    if item.required or is_key:
        parts.append("required: true")
    for label, value in (
        ("unit", item.unit),
        ("currency", item.currency),
        ("tax", item.tax),
        ("class", item.level),
    ):
        if value:
            parts.append(f"{label}: {scalar(value)}")
    parts.append(f"title: {title(path, path)}")
    remarks = [
        f"guess {guess.confidence}: {guess.what}, {guess.reason}"
        for guess in item.guesses
        if guess.what != "code list"
    ]
    if item.codes:
        shown = ", ".join(f"{code} {times:,}" for code, times in item.codes[:8])
        remarks.append(f"codes: {shown}" + (" …" if len(item.codes) > 8 else ""))
    if unit and unit != path and "unit" not in item.guesses and _counts(item) and not item.unit:
        remarks.append(f"its unit may be in {unit}")
    if told:
        remarks.append(told)
    return f"      {scalar(name)}: {{{', '.join(parts)}}}{remark('; '.join(remarks))}"


def _counts(item: Profiled) -> bool:
    from tieout.ingest.profiling.meanings import is_quantity

    return is_quantity(item.name) and (item.type == "bigint" or item.type.startswith("decimal"))


def _unit_column(item: Drafted) -> str | None:
    from tieout.ingest.drafting.classes import words

    named = [
        path
        for path, column in item.columns.items()
        if column.type == "text"
        and (words(column.steps[-1]) & {"unit", "uom", "meins"} or column.steps[-1] in {"单位", "计量单位"})
    ]
    return named[0] if len(named) == 1 else None


def _numbers(item: Drafted) -> str | None:
    """One stream says once what numbers in time columns count: what most of them do."""
    said = Counter(column.numbers for column in item.columns.values() if column.numbers)
    return said.most_common(1)[0][0] if said else None


def _of_http(item: Drafted, names: dict[str, str]) -> list[str]:
    one = item.found.one
    remarks: list[str] = []
    if one.parent is not None:
        request: dict[str, Any] = {"parent": names[one.parent.label], "records": ".".join(one.records)}
        origin = one.parent
    else:
        request, remarks = request_of(item.found)
        origin = one
    if any(one.present[steps] < one.rows for steps in one.columns):
        request["sparse"] = True
    times = {
        "numbers": _numbers(item),
        "minutes": any(column.minutes for column in item.columns.values()) or None,
    }
    if times := {name: value for name, value in times.items() if value}:
        request["times"] = times
    known = origin.call is not None or one.parent is not None
    path = origin.call.path if origin.call else f"/{identifiers([origin.label])[origin.label]}"
    said = request["records"] if one.parent is not None else path
    return [
        f"    from: {scalar(said)}" + remark(None if known else "unknown: the path below the address"),
        *(f"    # {text}" for text in (remark(said).lstrip(" #") for said in remarks)),
        "    request:" + ("" if request else " {}"),
        *(f"      {name}: {flow(value)}" for name, value in request.items()),
    ]


def _of_files(one: Gathered) -> list[str]:
    form = dict(one.form)
    form["kind"] = one.kind
    if one.kind == "json" and one.records:
        form["records"] = ".".join(one.records)
    if one.kind == "xml":
        form["records"] = one.records[-1] if one.records else "row"
        form.pop("encoding", None)
    files = list(one.files) or [one.origin]
    plain = files[0].replace("[", "[[]")
    if len(files) > 1:
        start = _common(files)
        end = _common([name[len(start) :][::-1] for name in files])[::-1]
        plain = f"{start.replace('[', '[[]')}*{end}"
    return [
        f"    from: {scalar(plain)}"
        + remark(None if len(files) > 1 else "one file seen; with * for what changes"),
        f"    format: {flow(form)}",
    ]


def _common(names: list[str]) -> str:
    """What all names begin with."""
    least, most = min(names), max(names)
    return least[: next((n for n, char in enumerate(least) if most[n : n + 1] != char), len(least))]


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)
