"""How a system's webhooks are known to be its own, and which stream each one is a hint for.

What a webhook carries is never loaded: it only says that a pull is worth while now. The pull stays the truth.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from sources.contract.references import is_reference
from sources.contract.stream import Duration
from tieout.strict import Identifier, Strict

SIGNED_PART = re.compile(r"\{(body|timestamp|secret|(?:header|query)\.[\w-]+)\}")


class Signature(Strict):
    """Where the signature is, and over what it is computed.

    signed     template of the signed bytes: `{body}`, `{timestamp}`, `{header.NAME}`, `{query.NAME}`, and
               `{secret}` for plain hashes (`sha1`, `sha256`), which hold the secret inside
    prefix     what stands before the signature in its header, such as `sha256=`
    tolerance  how far the timestamp may lie from our clock; seconds, milliseconds and ISO 8601 are understood
    """

    header: str
    algorithm: Literal["hmac-sha256", "hmac-sha1", "sha256", "sha1"] = "hmac-sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp_header: str | None = None
    timestamp_query: str | None = None
    tolerance: Duration = "5m"

    @model_validator(mode="after")
    def _signs_what_matters(self) -> Signature:
        parts = {match[1] for match in SIGNED_PART.finditer(self.signed)}
        if unknown := re.findall(r"\{[^}]*\}", SIGNED_PART.sub("", self.signed)):
            raise ValueError(
                f"signed: unknown part {unknown[0]}; use {{body}}, {{timestamp}}, {{header.NAME}} …"
            )
        if "body" not in parts:
            raise ValueError("signed: without {body} anybody could send anything")
        if (self.algorithm in {"sha1", "sha256"}) != ("secret" in parts):
            raise ValueError(
                f"signed: {self.algorithm} " + ("needs" if self.algorithm.startswith("sha") else "has no")
                + " {secret} inside"
            )  # fmt: skip
        if self.timestamp_header and self.timestamp_query:
            raise ValueError("say timestamp_header or timestamp_query, not both")
        if bool(self.timestamp_header or self.timestamp_query) != ("timestamp" in parts):
            raise ValueError(
                "a timestamp that is not signed can be changed by whoever replays a delivery: "
                "`signed` must hold {timestamp} exactly when timestamp_header or timestamp_query is given"
            )
        return self


class DeliveryId(Strict):
    """Where a delivery's own id is: a header, a query parameter, or a path into its JSON (`event.id`)."""

    header: str | None = None
    query: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _is_in_one_place(self) -> DeliveryId:
        if sum(place is not None for place in (self.header, self.query, self.path)) != 1:
            raise ValueError("say one of header, query and path")
        return self


class Inbox(Strict):
    """Webhooks of one source, sent to `/<source>` or `/<source>/<stream>` of `tieout inbox`.

    id          how a repeated delivery is recognised; without it equal bodies only refresh an open hint
    hints       path into the JSON → value there → stream; where nothing matches, the hint is for every stream
    per_minute  deliveries taken; more are told to come back later (429), so none is lost
    """

    secret: str
    signature: Signature
    id: DeliveryId | None = None
    hints: dict[str, dict[str, Identifier]] = Field(default={})
    per_minute: int = Field(default=600, ge=1)

    @field_validator("secret")
    @classmethod
    def _secret_is_a_reference(cls, secret: str) -> str:
        if not is_reference(secret):
            raise ValueError("a secret is written here; use env:NAME, file:PATH or secret:NAME")
        return secret

    @property
    def streams(self) -> frozenset[str]:
        return frozenset(stream for values in self.hints.values() for stream in values.values())
