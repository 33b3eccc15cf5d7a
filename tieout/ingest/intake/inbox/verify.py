"""Whether a delivery is genuine, what it calls itself, and which stream it hints at; no files, no sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sources.contract import duration
from sources.contract.inbox import SIGNED_PART, Inbox, Signature

_OPAQUE = re.compile(r"^[A-Za-z0-9._:-]{1,80}$")
_IN_MILLISECONDS = 100_000_000_000  # as seconds this lies in the year 5138


class Unreadable(Exception):
    """A genuine delivery that lacks what the contract says it has."""


@dataclass(frozen=True)
class Delivery:
    """One request as received. Names of `headers` are lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def genuine(inbox: Inbox, secret: str, delivery: Delivery, now: datetime) -> bool:
    """Whether the sender knows the secret and, if a timestamp is signed, sent it just now."""
    rule = inbox.signature
    given = delivery.headers.get(rule.header.lower(), "").strip()
    if not given.startswith(rule.prefix) or not _is_fresh(rule, delivery, now):
        return False
    signed = _signed(rule, secret, delivery)
    if signed is None:
        return False
    algorithm = hashlib.sha1 if rule.algorithm.endswith("sha1") else hashlib.sha256
    if rule.algorithm.startswith("hmac"):
        digest = hmac.new(secret.encode(), signed, algorithm).digest()
    else:
        digest = algorithm(signed).digest()
    said = given.removeprefix(rule.prefix).strip()
    if rule.encoding == "hex":
        expected, said = digest.hex(), said.lower()
    else:
        expected = base64.b64encode(digest).decode()
    return hmac.compare_digest(expected.encode(), said.encode("utf-8", "replace"))


def _is_fresh(rule: Signature, delivery: Delivery, now: datetime) -> bool:
    said = _timestamp(rule, delivery)
    if said is None:
        return rule.timestamp_header is None and rule.timestamp_query is None
    try:
        if re.fullmatch(r"\d{1,16}(\.\d{1,9})?", said):
            seconds = float(said) / (1000 if float(said) >= _IN_MILLISECONDS else 1)
        else:
            moment = datetime.fromisoformat(said)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return False
    return abs(now.timestamp() - seconds) <= duration(rule.tolerance).total_seconds()


def _timestamp(rule: Signature, delivery: Delivery) -> str | None:
    if rule.timestamp_header:
        return delivery.headers.get(rule.timestamp_header.lower())
    return delivery.query.get(rule.timestamp_query) if rule.timestamp_query else None


def _signed(rule: Signature, secret: str, delivery: Delivery) -> bytes | None:
    """The bytes the signature is over; None if the delivery lacks a part of them."""
    parts: list[bytes] = []
    end = 0
    for match in SIGNED_PART.finditer(rule.signed):
        parts.append(rule.signed[end : match.start()].encode())
        end = match.end()
        kind, _, name = match[1].partition(".")
        if kind == "body":
            parts.append(delivery.body)
            continue
        value = {
            "secret": secret,
            "timestamp": _timestamp(rule, delivery),
            "header": delivery.headers.get(name.lower()),
            "query": delivery.query.get(name),
        }[kind]
        if value is None:
            return None
        parts.append(value.encode("utf-8", "surrogateescape"))
    parts.append(rule.signed[end:].encode())
    return b"".join(parts)


def delivery_id(inbox: Inbox, delivery: Delivery) -> str | None:
    """The delivery's own id, its hash where it is long or odd; None if the contract names no place for one.

    Raises: Unreadable if the place is empty.
    """
    if inbox.id is None:
        return None
    if inbox.id.header:
        said = delivery.headers.get(inbox.id.header.lower())
    elif inbox.id.query:
        said = delivery.query.get(inbox.id.query)
    else:
        found = _at(_document(delivery.body), inbox.id.path or "")
        said = None if found is None or isinstance(found, (dict, list)) else str(found)
    if not said:
        raise Unreadable
    return said if _OPAQUE.match(said) else hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def hinted_stream(inbox: Inbox, delivery: Delivery) -> str | None:
    """The stream the content points at; None stands for all of them.

    Raises: Unreadable if it is no JSON although the contract looks inside.
    """
    if not inbox.hints:
        return None
    document = _document(delivery.body)
    for path, values in inbox.hints.items():
        stream = values.get(str(_at(document, path)))
        if stream:
            return stream
    return None


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None


def _at(document: object, path: str) -> object:
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document
