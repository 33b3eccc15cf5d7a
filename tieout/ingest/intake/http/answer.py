"""An answer's body as a document: JSON with exact numbers, or XML without entities."""

from __future__ import annotations

import gc
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding=[\"']([\w.:-]+)[\"'][^>]*\?>")
DEEPEST = 250  # levels of nesting; what is deeper is no data but an attack or an accident
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)

# Which numbers a 64-bit float cannot hold is looked for in bulk: digits and dots become `0`, what may stand
# before a number becomes `:`, all else `x`; a run of 16 zeros after `:` is a number that must be read exactly.
_SHAPE = bytes(
    0x30 if chr(i) in "0123456789." else 0x3A if chr(i) in ":,[ \t\r\n-" else 0x78 for i in range(256)
)
_LONG = re.compile(rb":0{16,}")


@dataclass(frozen=True)
class Answer:
    """`body` is what was received, as UTF-8 text unpacked; `links` the Link header by relation."""

    document: Any
    body: bytes
    links: dict[str, Any] = field(default_factory=dict)


class NotThatFormat(Exception):
    """The body is not what the contract says; `cut_short`: it begins well and ends too early."""

    def __init__(self, why: str, *, cut_short: bool = False) -> None:
        super().__init__(why)
        self.cut_short = cut_short


def read_answer(body: bytes, content_type: str, kind: str, links: dict[str, Any]) -> Answer:
    """Raises: NotThatFormat."""
    if kind == "xml":
        return Answer(_xml(body), body, links)
    body = _utf8(body, content_type)
    return Answer(_json(body), body, links)


def _utf8(body: bytes, content_type: str) -> bytes:
    named = _CHARSET.search(content_type)
    charset = named[1].lower() if named else "utf-8"
    if charset in {"gb2312", "gbk", "gb18030"}:
        charset = "gb18030"  # what calls itself gb2312 seldom is
    if charset not in {"utf-8", "utf8"}:
        try:
            body = body.decode(charset).encode()
        except (UnicodeDecodeError, LookupError):
            raise NotThatFormat(f"the answer is not text in {charset}, as its header says") from None
    return body.removeprefix(b"\xef\xbb\xbf")


def _json(body: bytes) -> Any:
    import orjson

    if not body.strip():
        raise NotThatFormat("the answer is empty", cut_short=True)
    if body.lstrip()[:1] == b"<":
        raise NotThatFormat("the answer is a page (HTML or XML), not JSON")
    # Reading makes many objects and no rubbish; the collector would look through them again and again.
    enabled = gc.isenabled()
    gc.disable()
    try:
        document = orjson.loads(body)
        return _exactly(body) if _holds_long_numbers(body) else document
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg:
            raise NotThatFormat(f"the answer is nested more than {DEEPEST} levels deep") from None
        cut_short = error.pos >= len(body.decode(errors="replace").rstrip()) - 8 or "unexpected end" in str(
            error
        )
        raise NotThatFormat(
            f"the answer is no JSON (position {error.pos} of {len(body)}: {error.msg})", cut_short=cut_short
        ) from None
    except RecursionError:
        raise NotThatFormat(f"the answer is nested more than {DEEPEST} levels deep") from None
    finally:
        if enabled:
            gc.enable()


def _holds_long_numbers(body: bytes) -> bool:
    """Whether some number needs more than a float (or a 64-bit integer) holds."""
    shape = body.translate(_SHAPE)
    if b"0" * 16 not in shape:
        return False
    for match in _LONG.finditer(shape):
        start, end = match.start() + 1, match.end()
        if b"." in body[start:end] or end - start > 18 or body[end : end + 1] in (b"e", b"E"):
            return True
    return False


def _exactly(body: bytes) -> Any:
    """The document with numbers that a float or 64-bit integer cannot hold as text."""
    return json.loads(body, parse_float=_fraction, parse_int=_whole)


def _fraction(text: str) -> float | str:
    value = float(text)
    same = abs(value) != float("inf") and Decimal(text) == Decimal(repr(value))
    return value if same else _plain(text)


def _plain(text: str) -> str:
    return format(Decimal(text), "f") if "e" in text.lower() and abs(Decimal(text).adjusted()) < 40 else text


def _whole(text: str) -> int | str:
    value = int(text) if len(text) <= 20 else None
    return value if value is not None and -(2**63) <= value < 2**64 else text


def _xml(body: bytes) -> Any:
    """An XML document as mappings: elements below the root by name, attributes as `@name`, text as `#text`.

    Repeated elements are a list. Declarations of types or entities are refused, and nothing is fetched.
    """
    import io
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    if not body.strip():
        raise NotThatFormat("the answer is empty", cut_short=True)
    if body.lstrip()[:1] != b"<":
        raise NotThatFormat("the answer is no XML")
    body = _readable(body)
    open_: list[dict[str, Any]] = [{}]
    try:
        for event, element in iterparse(io.BytesIO(body), ("start", "end"), forbid_dtd=True):
            if event == "start":
                if len(open_) > DEEPEST:
                    raise NotThatFormat(f"the answer is nested more than {DEEPEST} levels deep")
                open_.append({f"@{_local(key)}": value for key, value in element.attrib.items()})
                continue
            content: Any = open_.pop()
            text = (element.text or "").strip()
            if text or not content:
                content = {**content, "#text": text} if content else (text or None)
            _add(open_[-1], _local(element.tag), content)
            element.clear()
    except DefusedXmlException:
        raise NotThatFormat("the answer declares types or entities, which are never read") from None
    except ParseError as error:
        cut_short = "no element found" in str(error) or "unclosed" in str(error)
        raise NotThatFormat(f"the answer is no XML ({error})", cut_short=cut_short) from None
    (root,) = open_[0].values()
    return root


def _readable(body: bytes) -> bytes:
    """An XML document in an encoding that the parser knows: it knows no Chinese ones."""
    declared = _DECLARED.match(body)
    if declared is None or declared[1].lower() in {b"utf-8", b"utf-16", b"us-ascii", b"iso-8859-1"}:
        return body
    charset = declared[1].decode("ascii", "replace").lower()
    charset = "gb18030" if charset in {"gb2312", "gbk"} else charset
    try:
        return body[declared.end() :].decode(charset).encode()
    except (UnicodeDecodeError, LookupError):
        raise NotThatFormat(f"the answer is not text in {charset}, as it declares") from None


def _add(parent: dict[str, Any], name: str, content: Any) -> None:
    if name not in parent:
        parent[name] = content
    elif isinstance(before := parent[name], list):
        before.append(content)
    else:
        parent[name] = [before, content]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
