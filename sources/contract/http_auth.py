"""Who we are to an HTTP system; every secret is a reference."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from sources.contract.references import is_reference
from tieout.strict import Strict

_PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")
SECRET_NAME = re.compile(r"(secret|password|passwd|pwd|token|api_?key|sign)", re.IGNORECASE)
# Vendors sign in their own ways: a class of these modules, called with the connection's options.
CUSTOM_AUTH = re.compile(
    r"^(sources\.connectors\.[a-z0-9_.]+|dlt\.sources\.helpers\.rest_client\.auth):[A-Za-z]\w*$"
)


def _is_secret_reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError("a secret is written here; use env:NAME, file:PATH or secret:NAME")
    return text


Secret = Annotated[str, AfterValidator(_is_secret_reference)]
Scalar = str | int | float | bool
Fields = dict[str, Any]


class Bearer(Strict):
    """`Authorization: Bearer …`."""

    kind: Literal["bearer"]
    token: Secret


class Basic(Strict):
    """User and password with every request."""

    kind: Literal["basic"]
    username: str
    password: Secret


class Key(Strict):
    """A key in a header or in the query."""

    kind: Literal["header", "query"]
    name: str
    value: Secret
    prefix: str = ""


class OAuth2(Strict):
    """Client credentials: a token is fetched (from `url`, below the connection's address) and renewed in time.

    `send`: whether the client says who it is in the form or in a basic header. `data`: more form fields.
    """

    kind: Literal["oauth2"]
    url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None
    data: dict[str, str] = Field(default_factory=dict)
    send: Literal["form", "basic"] = "form"


class Session(Strict):
    """A login whose answer holds a token (at `token`); it is sent in `header`, `query` or `cookie`.

    `expires`: where the answer says how many seconds it lives. A session that ends earlier is noticed by
    `errors.expired` or HTTP 401, and the login is repeated once for it.
    """

    kind: Literal["session"]
    path: str
    method: Literal["get", "post"] = "post"
    params: Fields = Field(default_factory=dict)
    body: Fields | list[Any] | None = None
    form: Fields | None = None
    token: str
    expires: str | None = None
    header: str | None = None
    query: str | None = None
    cookie: str | None = None
    prefix: str = ""

    @model_validator(mode="after")
    def _is_sent_somewhere(self) -> Session:
        if sum(item is not None for item in (self.header, self.query, self.cookie)) != 1:
            raise ValueError("say where the token is sent: one of `header`, `query`, `cookie`")
        check_secrets({**self.params, **(self.form or {})}, "auth")
        check_secrets(self.body, "auth.body")
        return self


class Custom(Strict):
    """A requests `AuthBase` of ours or of dlt, `module:Class`; called with `arguments`, references resolved.

    It is applied to every attempt anew, so a signature's time stamp is never older than the attempt. With a
    method `login(exchange) -> (token, seconds it lives or None)` it has a session: it is called before the first
    request, before the session ends, and once more when the system says that it has ended; `exchange(method,
    path, params=, body=, form=, headers=)` gives an answer's document. It raises ValueError if it is not let in.
    """

    kind: Literal["custom"]
    use: str
    arguments: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_ours(self) -> Custom:
        if not CUSTOM_AUTH.match(self.use):
            raise ValueError(
                f"use: {self.use!r} is no class of sources.connectors or of dlt's rest_client.auth; "
                f"write sources.connectors.<vendor>:<Class>"
            )
        return self


Auth = Annotated[
    Bearer | Basic | Key | OAuth2 | Session | Custom,
    Field(discriminator="kind"),
]


def placeholders(value: Any) -> list[str]:
    """Every placeholder in a tree of lists, mappings and texts."""
    if isinstance(value, str):
        return _PLACEHOLDER.findall(value)
    if isinstance(value, dict):
        return [item for part in value.values() for item in placeholders(part)]
    if isinstance(value, list | tuple):
        return [item for part in value for item in placeholders(part)]
    return []


def check_secrets(value: Any, where: str) -> None:
    """Raises: ValueError if a field named like a secret holds a literal."""
    if isinstance(value, dict):
        for key, part in value.items():
            literal = isinstance(part, str) and not is_reference(part) and not _PLACEHOLDER.search(part)
            if literal and len(part) >= 8 and SECRET_NAME.search(str(key)):
                raise ValueError(
                    f"{where}.{key}: a secret is written here; use env:NAME, file:PATH or secret:NAME"
                )
            check_secrets(part, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            check_secrets(part, f"{where}.{place}")
