"""The profile as a contract: it validates and proposes; whatever is guessed says so in a remark."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

from sources.contract import ContractError
from tieout.ingest.drafting import Draft, read_back
from tieout.ingest.drafting.write import remark, scalar, title
from tieout.ingest.errors import SourceError
from tieout.ingest.profiling import Found, Profile
from tieout.ingest.profiling.fields import Profiled
from tieout.ingest.profiling.gathered import Door, Gathered, Steps
from tieout.ingest.profiling.streams import Drafted, flow, streams

_JSON_TEXT = Profiled((), "text", "JSON", 1.0, 0, 0, 0, required=False, unique=False)


def draft_profile(profile: Profile, name: str, door: Door | None = None, owner: str = "data") -> Draft:
    """Write the contract of what was profiled.

    Args:
        door: How the system will be read; JSON and XML may come either way. Without it `http`, if any came.

    Raises: SourceError if nothing can be drafted; ContractError if the name is no use in a contract.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ContractError(
            f"{name!r} is no name for a source: lower-case ASCII, such as tms. Nothing was drafted."
        )
    notes = list(profile.notes)
    wanted, door = _wanted(profile, door, notes)
    host = Counter(item.one.call.host for item in wanted if item.one.call).most_common(1)
    kept: dict[int, Drafted] = {}
    for item in wanted:
        one = item.one
        if one.call and one.call.host != host[0][0]:
            notes.append(
                f"{one.label}: is asked of {one.call.host}: a source has one address; profile it apart"
            )
        elif one.parent is not None and (door == "files" or one.parent.parent is not None):
            where = "a file's stream" if door == "files" else "rows inside rows"
            notes.append(f"{one.label}: not drafted, for {where} has no rows of its own inside")
        elif one.parent is not None and id(one.parent) not in kept:
            notes.append(f"{one.label}: not drafted, for {one.parent.label} is not")
        elif drafted := _drafted(item, kept, door):
            kept[id(one)] = drafted
        else:
            notes.append(f"{one.label}: has no field that a contract can name")
    if not kept:
        raise SourceError(
            f"{name}: no rows were found that a contract can promise. Nothing was drafted. {' '.join(notes[:3])}"
        )
    text = "\n".join([*_head(name, owner, door, host[0][0] if host else None, list(kept.values())),
                      *streams(kept, profile, door)]) + "\n"  # fmt: skip
    read_back(text)
    return Draft(text, len(kept), sum(len(item.columns) for item in kept.values()), tuple(notes))


def _wanted(profile: Profile, door: Door | None, notes: list[str]) -> tuple[list[Found], Door]:
    objects = [item for item in profile.objects if item.columns]
    door = door or ("http" if any(item.one.door == "http" for item in objects) else "files")
    able = {"http": {"json", "xml"}, "files": {"csv", "xlsx", "parquet", "json", "jsonl", "xml"}}[door]
    if door == "files" and any(item.one.call for item in objects):
        notes.append("recordings of a browser are no files of a drop: not drafted")
    wanted = [item for item in objects if item.one.kind in able and not (door == "files" and item.one.call)]
    left = sorted({item.one.origin for item in objects if item not in wanted and not item.one.call})
    if left:
        notes.append(f"profiled, but not drafted, for a source has one door ({door}): {', '.join(left)}")
    return wanted, door


# --- columns and keys -------------------------------------------------------------------------------


def _drafted(found: Found, kept: dict[int, Drafted], door: Door) -> Drafted | None:
    columns = _columns(found.one, found.columns, door)
    if not columns:
        return None
    above = kept[id(found.one.parent)] if found.one.parent is not None else None
    for key in found.keys:
        names = tuple(_path(found.one, steps, door) for steps in key.columns)
        missing = [name for name in names if name not in columns]
        if all(above and name.removeprefix("parent.") in above.columns for name in missing):
            if above:
                columns = {name: above.columns[name.removeprefix("parent.")] for name in missing} | columns
            sure = key.guess.confidence
            why = f"key guessed, {sure}: {key.guess.reason}"
            return Drafted(found, columns, names, why)
    # As a table without a key: what is never null tells rows apart as well as can be.
    able = [name for name, item in columns.items() if item.required and item.best != "JSON"]
    able = able or [name for name, item in columns.items() if item.required] or list(columns)
    why = "no key found: every column that is never null; rows equal in all of them go to quarantine"
    return Drafted(found, columns, tuple(able), why)


def _columns(one: Gathered, columns: dict[Steps, Profiled], door: Door) -> dict[str, Profiled]:
    if door == "http" or one.kind in {"csv", "xlsx", "parquet"}:
        return {_path(one, steps, door): item for steps, item in columns.items()}
    found: dict[str, Profiled] = {}
    for steps, item in columns.items():
        if one.kind == "xml" or len(steps) == 1:
            found[_path(one, steps, door)] = _of_file(item)
        else:  # objects inside stay JSON text in a file's stream
            found.setdefault(steps[0], replace(_JSON_TEXT, steps=steps[:1]))
    if one.kind != "xml":
        for steps in one.children:
            found.setdefault(steps[0], replace(_JSON_TEXT, steps=steps[:1]))
    return found


def _of_file(item: Profiled) -> Profiled:
    """Without what only the HTTP door can do with numbers and minutes."""
    if item.numbers or item.minutes:
        return replace(item, type="bigint" if "epoch" in item.best else "text", numbers=None, minutes=False)
    return item


def _path(one: Gathered, steps: Steps, door: Door) -> str:
    if door == "http" or one.kind in {"csv", "xlsx", "parquet", "jsonl", "json"}:
        return ".".join(steps)
    return "/".join(step for step in steps if step != "#text") or "."


# --- text -------------------------------------------------------------------------------------------


def _head(name: str, owner: str, door: Door, host: str | None, every: list[Drafted]) -> list[str]:
    objects = [item.found.one for item in every]
    lines = [
        f"# Drafted by `tieout profile` from recorded data: {len(every)} streams. Everything here is guessed from samples;",
        "# a remark says how, and how sure (0 to 1). Ask the owner of the system, correct, then `tieout sync`.",
        f"source: {scalar(name)}",
        f"title: {title(name, None)}",
        "module: general",
        f"owner: {scalar(owner)}",
        f"connector: {door}",
    ]
    if door == "files":
        lines += [
            "connection:",
            f"  path: env:{name.upper()}_DROP" + remark("guess: the folder the files come to"),
        ]
    else:
        lines += ["connection:", f"  url: {scalar(host or 'https://example.com')}"
                  + remark(None if host else "unknown: the address of the system")]  # fmt: skip
        places = sorted({place for one in objects if one.call for place in one.call.places})
        if places:
            lines += ["  options:", *(f"    {place}: env:{name.upper()}_{place.upper()}" for place in places)]
        lines += _http(name, every)
    return [*lines, "class: L2", 'schedule: {cron: "15 2 * * *"}', "streams:"]


def _http(name: str, every: list[Drafted]) -> list[str]:
    """Who we are, by the names of the recorded headers, and where answers say how they went."""
    lines = []
    if any(item.found.one.kind == "xml" for item in every):
        lines.append("  format: xml")
    headers = sorted(
        {header for item in every if item.found.one.call for header in item.found.one.call.headers}
    )
    secret = f"env:{name.upper()}_TOKEN"
    other = [
        item
        for item in headers
        if item not in {"authorization", "cookie"} and not item.startswith("authorization ")
    ]
    if "authorization bearer" in headers:
        lines.append(f"  auth: {{kind: bearer, token: {secret}}}" + remark("recorded: Authorization: Bearer"))
    elif "authorization basic" in headers:
        lines.append(
            f"  auth: {{kind: basic, username: {name}, password: {secret}}}"
            + remark("recorded: Authorization: Basic")
        )
    elif other:
        lines.append(
            f"  auth: {{kind: header, name: {scalar(other[0])}, value: {secret}}}"
            + remark("recorded: this header")
        )
    elif "cookie" in headers:
        lines.append("  # The browser was logged in by a cookie: ask for an account of the interface itself.")
    errors = _errors(every)
    if errors:
        lines.append(f"  errors: {flow(errors)}" + remark("guess: every recorded answer said so"))
    return ["http:", *lines] if any(not line.lstrip().startswith("#") for line in lines) else lines


def _errors(every: list[Drafted]) -> dict[str, Any]:
    """Where answers say how they went, if all that say it say it at the same place."""
    said: dict[str, Any] = {}
    for kind in ("code", "success"):
        places = {found[1].what: item for item in every if (found := item.found.paging.get(kind))}
        if len(places) != 1:
            continue
        path, item = next(iter(places.items()))
        values = {v for v in item.found.one.envelope[item.found.paging[kind][0]] if v is not None}
        if kind == "success" and values == {True}:
            said["success"] = path
        elif kind == "code" and 1 <= len(values) <= 3:
            said |= {"code": path, "ok": sorted(values, key=str)}
        if (message := item.found.paging.get("message")) and said:
            said["message"] = message[1].what
    return said
