"""How a value is recognised that is no longer kept: by a keyed hash, and by the pseudonym that stands in its place."""

from __future__ import annotations

import hmac
import os
import re
from functools import lru_cache
from pathlib import Path

from tieout.ingest.errors import IngestError
from tieout.whole import write_whole

FOLDER = "_erasures"
KEY = "key"
PSEUDONYM = re.compile(r"erased-[0-9a-f]{12}")
_PHONE = re.compile(r"\+?[\d\s()\-–.]{7,22}")
# At least twelve letters and digits mixed: a systems' own id, which other systems of its vendor use too.
_OPAQUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_\-]{12,}")
_IDENTITY_CARD = re.compile(r"\d{17}[\dXx]")


class EraseError(IngestError):
    """A person cannot be erased, or rows cannot be looked through for one; nothing was changed or loaded."""


class Tokens:
    """Keyed hashes (HMAC-SHA-256) of values; without the key nobody can try values out."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.token = lru_cache(maxsize=200_000)(self._token)

    def __repr__(self) -> str:
        return "Tokens(…)"

    def _token(self, value: str) -> str:
        """32 hexadecimal digits that stand for a value, however a phone number or an address is spaced."""
        return self._digest("token", canonical(value))[:32]

    def pseudonym(self, value: str) -> str:
        """What stands in the place of a value: equal values stay equal, so joins and counts stay what they were."""
        if PSEUDONYM.fullmatch(value):
            return value
        return f"erased-{self._digest('pseudonym', canonical(value))[:12]}"

    def _digest(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key, f"{purpose}|{text}".encode(), "sha256").hex()


def canonical(value: str) -> str:
    """One writing for what is the same: phone numbers by their digits without +86, addresses of mail in lower case."""
    value = value.strip()
    if "@" in value:
        return value.lower()
    if _PHONE.fullmatch(value):
        digits = "".join(filter(str.isdigit, value))
        return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits
    return value


def is_strong(value: str) -> bool:
    """Whether a value names one person by itself, in whatever system it stands: phone, mail, a long opaque id."""
    known = canonical(value)
    return (
        _OPAQUE.fullmatch(known) is not None
        or re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", known) is not None
        or _IDENTITY_CARD.fullmatch(known) is not None
        or (_PHONE.fullmatch(value.strip()) is not None and 10 <= len(known) <= 13)
    )


def tokens(landing_root: Path, *, make: bool = False) -> Tokens:
    """The installation's tokens; their key lies in the landing, readable by its owner only.

    Raises: EraseError if there is no key and none may be made: persons erased before would come back.
    """
    path = landing_root / FOLDER / KEY
    if not path.is_file():
        if not make:
            raise EraseError(
                f"the key of earlier erasures is missing ({FOLDER}/{KEY} in the landing). Nothing was read: without it, "
                f"persons who were erased would come back. Restore the file from a backup of the landing."
            )
        write_whole(path, os.urandom(32).hex(), private=True)
    return Tokens(bytes.fromhex(path.read_text(encoding="utf-8").strip()))
