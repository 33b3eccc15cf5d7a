"""Hints of how pages follow each other: values beside the rows, and parameters of the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tieout.ingest.profiling.gathered import Gathered, Guess, Steps

_HINTS = {
    "total": re.compile(
        r"^(total|totals|totalcount|totalrows?|totalrecords?|totalelements|totalnum|totalitems|recordcount|rowcount|count|"
        r"totalsize|datacount|@odata\.count|__count|总数|总条数|总记录数)$"
    ),
    "more": re.compile(r"^(hasmore|hasnext|hasnextpage|havenextpage|ismore|more|nextpage)$"),
    "last": re.compile(r"^(islast|last|islastpage|done|isend|finished)$"),
    "cursor": re.compile(
        r"^(pagetoken|nextpagetoken|nexttoken|nextcursor|newnextcursor|cursor|scrollid|continuation|continuationtoken|"
        r"endcursor|nextkey|lastid|nextid)$"
    ),
    "link": re.compile(r"^(nextlink|@odata\.nextlink|odata\.nextlink|__next|next|nexturl|nextpageurl|nextrecordsurl)$"),
    "page": re.compile(
        r"^(page|pageno|pagenum|pagenumber|pageindex|currentpage|current|curpage|pageid|页码|当前页)$"
    ),
    "size": re.compile(r"^(size|pagesize|perpage|limit|maxresults|rows|top|\$top|pagelimit|rowsperpage|每页条数)$"),
    "pages": re.compile(r"^(pages|totalpages?|pagecount|lastpage|总页数)$"),
    "offset": re.compile(r"^(offset|skip|start|startat|startrow|startindex|\$skip|from)$"),
    "code": re.compile(r"^(code|errcode|errorcode|statuscode|retcode|resultcode|returncode|status|errno)$"),
    "success": re.compile(r"^(success|issuccess|ok|succeed)$"),
    "message": re.compile(r"^(msg|message|errmsg|errormsg|errormessage|info|desc|returnmsg)$"),
    "trace": re.compile(r"^(requestid|traceid|logid|timestamp|servertime|cost|expand|warnings?|self)$"),
}  # fmt: skip
_CONFIDENT = {
    "total": 0.9,
    "more": 0.95,
    "last": 0.9,
    "cursor": 0.9,
    "link": 0.95,
    "pages": 0.85,
    "page": 0.7,
}


def kind_of(name: str, value: Any) -> str | None:
    """What a value beside the rows says by its name, if its type can say that."""
    bare = re.sub(r"[_\-\s]", "", name.lower())
    kind = next((kind for kind, pattern in _HINTS.items() if pattern.match(bare)), None)
    text = str(value)
    whole = not isinstance(value, bool) and re.fullmatch(r"\d{1,15}", text) is not None
    if kind == "more" and whole:
        return "more" if text in {"0", "1"} else "cursor" if bare == "nextpage" else None
    if kind in {"total", "page", "size", "pages", "offset"}:
        return kind if whole or value is None else None
    if kind in {"more", "last", "success"}:
        return kind if value is None or text.lower() in {"true", "false", "0", "1"} else None
    if kind == "link":
        if value is None or re.search(r"^https?://|^/|[?&]|\$skip", text):
            return "link"
        return "cursor" if isinstance(value, str) and bare == "next" else None
    return kind


def is_envelope(values: Mapping[str, Any]) -> bool:
    """Whether some of these values speak of the answer and not of a row."""
    return any(
        kind_of(key, value) is not None for key, value in values.items() if not isinstance(value, list | dict)
    )


def asks_for(name: str) -> str | None:
    """page, size, offset or cursor, if a parameter is called so."""
    tried = {"page": 1, "size": 1, "offset": 1, "cursor": "x"}
    return next((kind for kind, value in tried.items() if kind_of(name, value) == kind), None)


def hints(one: Gathered) -> dict[str, tuple[Steps, Guess]]:
    """What the answers say of paging and of how they went: kind → where, and how sure."""
    found: dict[str, tuple[Steps, Guess]] = {}
    for steps, values in one.envelope.items():
        kinds = {kind_of(steps[-1], value) for value in values}
        kinds.discard(None)
        if len(kinds) != 1 or "trace" in kinds:
            continue
        kind = str(kinds.pop())
        confidence, reason = _CONFIDENT.get(kind, 0.7), f"beside the rows, called {steps[-1]}"
        if kind == "total":
            numbers = [int(value) for value in values if value is not None]
            each = one.seen / max(len(values), 1)
            if not numbers or max(numbers) < each:
                continue  # smaller than what came: a total of something else
            if re.sub(r"\W", "", steps[-1].lower()) == "count":
                confidence, reason = 0.5, reason + ": may be the rows of this page only"
            if len(numbers) > 1 and len(set(numbers)) > 1:
                confidence -= 0.2
        if kind == "code" and any(isinstance(value, str) and not value.isalnum() for value in values):
            continue
        guess = Guess(".".join(steps), round(confidence, 2), reason)
        if kind not in found or found[kind][1].confidence < confidence:
            found[kind] = (steps, guess)
    return found
