"""The `request` of a drafted stream: what a browser was seen to ask, and what the answers say of further pages."""

from __future__ import annotations

from typing import Any

from tieout.ingest.profiling import Found
from tieout.ingest.profiling.gathered import Call
from tieout.ingest.profiling.paging import asks_for

_SIZE = 100
_MARK = {"page": "{page}", "size": "{size}", "offset": "{offset}", "cursor": "{cursor}"}


def request_of(found: Found) -> tuple[dict[str, Any], list[str]]:
    """The request, and remarks on what of it is guessed."""
    one, remarks = found.one, []
    call = one.call or Call("get", "", "")
    asked = {name: kind for name in call.asked if (kind := asks_for(name))}
    paging, added = _paging(found, call, asked, remarks)
    request: dict[str, Any] = {"method": "post"} if call.method == "post" else {}
    marked = asked if paging else {}
    for part, sent in (("params", call.params), ("body", call.body), ("form", call.form)):
        here = {
            name: _MARK[marked[name]] if name in marked else value for name, value in (sent or {}).items()
        }
        last = part == ("form" if call.form is not None else "body" if call.method == "post" else "params")
        if last:
            here |= added
        here = {
            name: value
            for name, value in here.items()
            if value != "" and not _is_mark_without_use(name, value, paging)
        }
        if here:
            request[part] = here
    if one.records:
        request["records"] = ".".join(one.records)
    if total := found.paging.get("total"):
        if total[1].confidence >= 0.7 and paging:
            request["total"] = total[1].what
        else:
            remarks.append(f"perhaps `total: {total[1].what}` ({total[1].confidence})")
    if paging:
        request["paging"] = paging
    if call.left_out:
        remarks.append("not kept, give them yourself: " + ", ".join(sorted(set(call.left_out))))
    return request, remarks


def _is_mark_without_use(name: str, value: Any, paging: dict[str, Any]) -> bool:
    """`{offset}` beside `{page}` would be a second way of asking for the same."""
    allowed = {
        "page": {"{page}", "{size}"}, "offset": {"{offset}", "{size}"}, "cursor": {"{cursor}", "{size}"}, "next_link": {"{size}"},
    }.get(paging.get("kind", ""), set())  # fmt: skip
    return value in _MARK.values() and value not in allowed


def _paging(
    found: Found, call: Call, asked: dict[str, str], remarks: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """How pages follow each other, and parameters that the recording does not have but paging needs."""
    said = {kind: guess.what for kind, (_, guess) in found.paging.items()}
    by_kind = {kind: name for name, kind in asked.items()}
    sent = str(call.asked.get(by_kind.get("size", "")))
    size = int(sent) if sent.isdigit() and 0 < int(sent) <= 10_000 else _SIZE
    if "link" in said:
        return {"kind": "next_link", "next": said["link"], "size": size}, {}
    if "cursor" in said and "page" not in by_kind:
        paging = {"kind": "cursor", "next": said["cursor"], "size": size}
        if "more" in said:
            paging["more"] = said["more"]
        if "cursor" in by_kind:
            return paging, {}
        name = said["cursor"].rpartition(".")[2]
        if name[:4].lower() == "next" and name.lower() not in {"nexttoken"} and len(name) > 4:
            name = name[4:].lstrip("_")
            name = name[0].lower() + name[1:]
        remarks.append(f"the next page is asked for with {name}: a guess by the name of {said['cursor']}")
        return paging, {name: "{cursor}"}
    kind = next((kind for kind in ("page", "offset") if kind in by_kind), None)
    added: dict[str, str] = {}
    if kind is None:
        kind = next((kind for kind in ("page", "offset") if kind in said), None)
        if kind is None:
            return {}, {}
        added[said[kind].rpartition(".")[2]] = _MARK[kind]
        if "size" in said:
            added[said["size"].rpartition(".")[2]] = "{size}"
        remarks.append(
            f"pages are asked for with {' and '.join(added)}: guessed, for the answer says them too"
        )
    paging: dict[str, Any] = {"kind": kind, "size": size}
    if kind == "page" and str(call.asked.get(by_kind.get("page", ""), "1")) == "0":
        paging["first"] = 0
    total = found.paging.get("total")
    if total and total[1].confidence >= 0.7:
        paging["end"] = "total"
    elif "more" in said:
        paging |= {"end": "more", "more": said["more"]}
    elif "pages" in said and kind == "page":
        paging |= {"end": "count", "count": said["pages"]}
    return paging, added
