"""A browser's network log (HAR): which requests gave data, and how they were asked, without their secrets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tieout.ingest.errors import SourceError
from tieout.ingest.profiling.documents import NOTHING, Document
from tieout.ingest.profiling.gathered import Call
from tieout.ingest.profiling.paging import asks_for

_SECRET = re.compile(
    r"token|secret|passw|pwd|api_?key|app_?key|sign|auth|session|sid$|cookie|csrf|nonce|ticket|jwt|credential|^code$",
    re.I,
)
_PLAIN = re.compile(r"^[\w.,:/@ +-]{0,40}$")
_SECRET_HEADERS = re.compile(r"^(authorization|cookie|x-.*(token|key|sign|session).*|.*-token|token)$", re.I)


def calls(path: Path, log: Any) -> Iterator[Document]:
    """The answers of a log that are JSON or XML.

    Raises: SourceError if the log is none.
    """
    from tieout.ingest.intake.http.answer import NotThatFormat, read_answer

    entries = log.get("log", {}).get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise SourceError(f"{path.name}: is no HAR file: no log.entries. {NOTHING} Export it once more.")
    for entry in entries:
        try:
            content, request = entry["response"]["content"], entry["request"]
            text = content.get("text") or ""
            body = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
            kind = "xml" if body.lstrip()[:1] == b"<" else "json"
            if (kind == "xml" and "xml" not in (content.get("mimeType") or "")) or request[
                "method"
            ] == "OPTIONS":
                continue
            answer = read_answer(body, "", kind, {}).document
            yield Document(path.name, kind, answer, True, _call(request))
        except (KeyError, TypeError, AttributeError, ValueError, binascii.Error, NotThatFormat):
            continue  # pages, scripts, pictures and answers the browser did not keep


def _call(request: dict[str, Any]) -> Call:
    import orjson

    address = urlsplit(request["url"])
    segments, places = [], []
    for segment in address.path.split("/"):
        if is_opaque(segment):
            places.append(f"segment_{len(places) + 1}")
            segments.append(f"{{options.{places[-1]}}}")
        else:
            segments.append(quote(segment, safe="%:@!$&'()*+,;=-._~"))
    left_out: list[str] = []
    params = _kept(_pairs(request.get("queryString")), "parameter", left_out)
    post = request.get("postData") or {}
    body = form = None
    if request["method"] == "POST":
        if "json" in (post.get("mimeType") or ""):
            sent = orjson.loads(post.get("text") or "{}")
            body = _kept(sent if isinstance(sent, dict) else {}, "body field", left_out)
        elif post.get("params"):
            form = _kept(_pairs(post["params"]), "form field", left_out)
    names = frozenset(str(item.get("name", "")) for item in request.get("headers") or ())
    secret = frozenset(name.lower() for name in names if _SECRET_HEADERS.match(name))
    schemes = {
        f"authorization {str(item.get('value', '')).split(' ')[0].lower()}"
        for item in request.get("headers") or ()
        if str(item.get("name", "")).lower() == "authorization"
        and str(item.get("value", "")).lower().startswith(("bearer ", "basic "))
    }
    host = f"{address.scheme}://{address.hostname}" + (f":{address.port}" if address.port else "")
    return Call(
        "post" if request["method"] == "POST" else "get", host, "/".join(segments) or "/", params, body, form,
        secret | schemes, tuple(left_out), tuple(places),
    )  # fmt: skip


def _pairs(listed: Any) -> dict[str, Any]:
    return {str(item["name"]): item.get("value") for item in listed or ()}


def _kept(sent: dict[str, Any], what: str, left_out: list[str]) -> dict[str, Any]:
    """What may be written into a contract: short plain values under names that are not those of secrets."""
    kept: dict[str, Any] = {}
    for name, value in sent.items():
        if asks_for(name) == "cursor":
            kept[name] = ""  # the name tells how pages are asked for; the value is of one page of one day
        elif isinstance(value, dict) and value and not _SECRET.search(name):
            kept[name] = _kept(value, what, left_out)
        elif may_be_written(name, value):
            kept[name] = value
        elif value not in (None, "", [], {}):
            left_out.append(f"{what} {safe_name(name)}")
    return kept


def may_be_written(name: str, value: Any) -> bool:
    """Whether a parameter speaks of what is asked for: not of who asks, of a person, or of one moment."""
    from tieout.ingest.drafting.catalogue import Field, Table
    from tieout.ingest.drafting.classes import sensitivity

    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return isinstance(value, bool)
    text = str(value)
    if not text or _SECRET.search(name):
        return False
    person = sensitivity(Table("", None, None, ()), Field(name, "text", nullable=True), [text])[0]
    return person is None and bool(_PLAIN.match(text)) and not is_opaque(text)


def is_opaque(text: str) -> bool:
    """Whether a text is long and random enough to be a key. Object ids (hex, UUID) are not taken for keys."""
    if re.fullmatch(r"[0-9a-f]{24}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text, re.I):
        return False
    if text.startswith("eyJ") or len(text) >= 40:
        return True
    mixed = sum(bool(re.search(kind, text)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    run = max((len(item) for item in re.findall(r"[A-Za-z0-9]+", text)), default=0)
    return run >= 16 and mixed >= 2 and bool(re.search("[0-9]", text))


def safe_name(name: str) -> str:
    """A parameter's name, unless it looks like a value itself."""
    return name if len(name) <= 40 and not is_opaque(name) else "(a long name)"
