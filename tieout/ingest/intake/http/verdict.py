"""What an answer says of how it went: by its code, its status, and the vendor's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sources.contract.http_errors import Errors, code_text
from tieout.ingest.intake.http.values import Secrets, at

BUSY = {408, 425, 429, 500, 502, 503, 504, 507, 508, 509, 520, 521, 522, 523, 524, 529}
WORDS = 200  # characters of the server's own words that a message repeats
Kind = Literal["denied", "quota", "scope", "retry", "expired", "refused"]
_LISTED: tuple[Kind, ...] = ("denied", "quota", "scope", "retry", "expired")


@dataclass(frozen=True)
class Verdict:
    """An answer that is no answer: `told` in a message, and `advice` what to do, if the contract says it."""

    kind: Kind
    told: str
    advice: str | None


def verdict(errors: Errors, status: int, document: Any, secrets: Secrets) -> Verdict | None:
    """None if all is well. `document` is None where the answer cannot be read, so only its status counts."""
    found = at(document, errors.code)
    code = None if found is None or isinstance(found, dict | list) else code_text(found)
    well = code is None or code in map(code_text, errors.ok)
    if status < 300 and well and at(document, errors.success) is not False:
        return None
    words = _words(errors, document, secrets)
    said = f': "{words[:WORDS]}"' if words else ""
    wrong = code is not None and code not in map(code_text, errors.ok)
    both = f"HTTP {status} with code {code}{said}" if wrong else f"HTTP {status}{said}"
    by_status = f"http {status}"
    means = {code_text(key): text for key, text in errors.means.items()}
    advice = means.get(code or "") or means.get(by_status)
    for key in (code, by_status):
        for kind in _LISTED:
            if key is not None and key in map(code_text, getattr(errors, kind)):
                return Verdict(kind, f"the server answers {both}", advice)
    if any(word.casefold() in words.casefold() for word in errors.retry_words):
        return Verdict("retry", f"the server answers {both}", advice)
    if status in BUSY:
        return Verdict("retry", f"the server answers HTTP {status}{said}", advice)
    if status == 401:
        return Verdict("expired", f"the server answers HTTP 401{said}", advice)
    if wrong:
        unknown = "Look the code up in the vendor's list; if it may pass, add it to http.errors.retry."
        return Verdict("refused", f"the server answers {both}", advice or unknown)
    return Verdict("refused", f"the server answers HTTP {status}{said}", advice or _hint(status))


def _words(errors: Errors, document: Any, secrets: Secrets) -> str:
    """The server's own words, in one line and without secrets."""
    for path in (errors.message, "message", "msg", "errmsg", "error.message", "errorMessages.0"):
        words = at(document, path)
        if isinstance(words, str) and words.strip():
            return " ".join(secrets.redacted(words).split())
    return ""


def _hint(status: int) -> str:
    return {
        401: "Check http.auth and its secrets.",
        403: "The account may not read this; ask the owner of the system to grant it.",
        404: "Check `from` of the stream and connection.url.",
        400: "Check `request` of the stream against the vendor's documentation.",
    }.get(status, "Check `request` of the stream.")
