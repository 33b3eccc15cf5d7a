"""What an HTTP system's errors mean, and what is done about each."""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from sources.contract.http_auth import Scalar
from tieout.strict import Strict

_BY_STATUS = re.compile(r"^http [1-5]\d\d$")
_LISTS = ("ok", "retry", "expired", "denied", "scope", "quota")


class Errors(Strict):
    """Where an answer says how it went, whatever its HTTP status. An answer without `code` is judged by the rest.

    The lists hold codes, compared as text, or a status written `http 403`; an answer's code goes before its
    status. Any other code refuses the stream.

    ok       all is well (codes only)
    retry    may pass: asked again after a while; so is an error whose message holds one of `retry_words`
    expired  the session has ended: one new login
    denied   the secret or the account is not accepted: refused at once, and nothing more is asked in this
             pull, for a wrong secret that is sent again and again locks an account
    scope    this object is not granted: its stream is refused, the others go on
    quota    the calls of a day or month are used up: refused at once, and nothing more is asked in this pull

    `success`: where an answer says true or false; false is an error whatever its code.
    `means`: a code or status in plain words, what happened and what to do; told in place of our own advice.
    `wait`: a header with seconds to wait, beside Retry-After.
    """

    code: str | None = None
    ok: tuple[Scalar, ...] = (0,)
    retry: tuple[Scalar, ...] = ()
    retry_words: tuple[str, ...] = ()
    expired: tuple[Scalar, ...] = ()
    denied: tuple[Scalar, ...] = ()
    scope: tuple[Scalar, ...] = ()
    quota: tuple[Scalar, ...] = ()
    means: dict[Scalar, str] = Field(default_factory=dict)
    success: str | None = None
    message: str | None = None
    wait: str | None = None

    @model_validator(mode="after")
    def _codes_are_apart(self) -> Errors:
        codes = [code_text(code) for name in _LISTS for code in getattr(self, name)]
        if twice := {code for code in codes if codes.count(code) > 1}:
            raise ValueError(f"errors: code {sorted(twice)[0]} cannot be two things; leave it in one list")
        if status := [code for code in map(code_text, self.ok) if _BY_STATUS.match(code)]:
            raise ValueError(
                f"errors.ok: {status[0]!r} is no code: what an answer of that status holds is no data"
            )
        needy = [
            name
            for name in ("retry", "expired", "denied", "scope", "quota", "means")
            if any(not _BY_STATUS.match(code_text(code)) for code in getattr(self, name))
        ]
        if self.code is None and needy:
            raise ValueError(
                f"errors: `{needy[0]}` needs `code`: where an answer holds it (or say `http 403`)"
            )
        if any(not words.strip() for words in self.retry_words):
            raise ValueError("errors.retry_words: an empty text is in every message")
        return self


def code_text(code: object) -> str:
    """A code as it is compared: JSON's true is `true`, a number its digits."""
    return str(code).lower() if isinstance(code, bool) else str(code)
