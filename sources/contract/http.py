"""How an HTTP system is asked: who we are, how pages follow each other, and where errors hide.

What varies from request to request is written as a placeholder, wherever the system wants it (parameter,
header, body): `{page}`, `{size}`, `{offset}`, `{cursor}` by the paging; `{since}` (also `{from}`), `{to}`,
`{now}` by what is asked for; `{options.NAME}` from the connection. A text that is one placeholder keeps the
value's type (`Limit: "{size}"` sends a number), and what has no value yet (the first page's `{cursor}`) is
left out. Texts that are references (`secret:NAME`) are resolved while a request is made.

A path such as `data.items` or `0.Result.MsgCode` leads to a value of an answer; a key that holds dots
itself (`@odata.nextLink`) is found too. Of XML, the path begins below the root element.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from sources.contract.references import is_reference
from tieout.strict import Identifier, Strict

if TYPE_CHECKING:
    from sources.contract.stream import Stream

_PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)\}")
_KNOWN = {"page", "size", "offset", "cursor", "since", "from", "to", "now"}
_SECRET_KEY = re.compile(r"(secret|password|passwd|pwd|token|api_?key|sign)", re.IGNORECASE)
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
    data: dict[str, str] = {}
    send: Literal["form", "basic"] = "form"


class Session(Strict):
    """A login whose answer holds a token (at `token`); it is sent in `header`, `query` or `cookie`.

    `expires`: where the answer says how many seconds it lives. A session that ends earlier is noticed by
    `errors.expired` or HTTP 401, and the login is repeated once for it.
    """

    kind: Literal["session"]
    path: str
    method: Literal["get", "post"] = "post"
    params: Fields = {}
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
        _check_secrets({**self.params, **(self.form or {})}, "auth")
        _check_secrets(self.body, "auth.body")
        return self


class Custom(Strict):
    """A requests `AuthBase` of ours or of dlt, `module:Class`; called with `arguments`, references resolved.

    It is applied to every attempt anew, so a signature's time stamp is never older than the attempt.
    """

    kind: Literal["custom"]
    use: str
    arguments: dict[str, str] = {}

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


class Errors(Strict):
    """Where an answer says how it went, whatever its HTTP status. An answer without `code` is judged by the rest.

    `ok`, `retry`, `expired` list codes, compared as text; any other code refuses the pull.
    `wait`: a header with seconds to wait, beside Retry-After.
    """

    code: str | None = None
    ok: tuple[Scalar, ...] = (0,)
    retry: tuple[Scalar, ...] = ()
    expired: tuple[Scalar, ...] = ()
    message: str | None = None
    wait: str | None = None

    @model_validator(mode="after")
    def _codes_are_apart(self) -> Errors:
        lists = {"ok": self.ok, "retry": self.retry, "expired": self.expired}
        said = [(str(code), name) for name, codes in lists.items() for code in codes]
        codes = [code for code, _ in said]
        if twice := {code for code in codes if codes.count(code) > 1}:
            raise ValueError(f"errors: code {sorted(twice)[0]} cannot be two things; leave it in one list")
        if self.code is None and (self.retry or self.expired):
            raise ValueError("errors: `retry` and `expired` need `code`: where an answer holds it")
        return self


class Http(Strict):
    """What all requests to one system have in common."""

    format: Literal["json", "xml"] = "json"
    auth: Auth | None = None
    headers: dict[str, str] = {}
    params: Fields = {}
    errors: Errors = Errors()

    @model_validator(mode="after")
    def _no_secret_is_written_down(self) -> Http:
        _check_secrets(self.headers, "headers")
        _check_secrets(self.params, "params")
        return self


class NoPages(Strict):
    """One answer holds everything."""

    kind: Literal["none"] = "none"


class ByPage(Strict):
    """Page numbers from `first`. The end is where the protocol says: see `Ending`."""

    kind: Literal["page"]
    size: int = Field(default=100, ge=1)
    first: int = Field(default=1, ge=0)
    end: Literal["empty", "short", "total", "more", "count"] | None = None
    more: str | None = None
    count: str | None = None  # where the answer says how many pages there are

    @model_validator(mode="after")
    def _end_is_told(self) -> ByPage:
        _check_end(self.end, self.more)
        if self.end == "count" and self.count is None:
            raise ValueError("paging: end `count` needs `count`: where the answer names the number of pages")
        return self


class ByOffset(Strict):
    """Rows skipped. `overlap: 1` asks for the last row of a page again and checks that it is still there."""

    kind: Literal["offset"]
    size: int = Field(default=100, ge=1)
    first: int = Field(default=0, ge=0)
    overlap: Literal[0, 1] = 0
    end: Literal["empty", "short", "total", "more"] | None = None
    more: str | None = None

    @model_validator(mode="after")
    def _end_is_told(self) -> ByOffset:
        _check_end(self.end, self.more)
        if self.overlap >= self.size:
            raise ValueError("paging: `overlap` must be smaller than `size`")
        return self


class ByCursor(Strict):
    """The answer names the next page at `next`; the end is no name, or `more` saying false."""

    kind: Literal["cursor"]
    size: int = Field(default=100, ge=1)
    next: str
    more: str | None = None


class ByLink(Strict):
    """The answer holds the next page's address at `next`, or (without it) in its Link header."""

    kind: Literal["next_link"]
    size: int = Field(default=100, ge=1)
    next: str | None = None


class ByKey(Strict):
    """`{cursor}` is field `by` of the last row; rows come in its order. `inclusive`: rows equal to it come again."""

    kind: Literal["keyset"]
    by: str
    size: int = Field(default=100, ge=1)
    inclusive: bool = False
    end: Literal["empty", "short", "total", "more"] = "empty"
    more: str | None = None

    @model_validator(mode="after")
    def _end_is_told(self) -> ByKey:
        _check_end(self.end, self.more)
        return self


Paging = Annotated[
    NoPages | ByPage | ByOffset | ByCursor | ByLink | ByKey,
    Field(discriminator="kind"),
]


class Times(Strict):
    """How the system writes instants: `iso`, `epoch` (seconds), `epoch_ms` or a strftime pattern, in `timezone`.

    `numbers`: what a number (or `/Date(…)/`) in a column of a date or time type counts from 1970.
    """

    format: str = "iso"
    timezone: str | None = None  # else the source's
    numbers: Literal["s", "ms"] | None = None

    @model_validator(mode="after")
    def _is_a_format(self) -> Times:
        if self.format not in {"iso", "epoch", "epoch_ms"} and "%" not in self.format:
            raise ValueError(
                f"times.format: {self.format!r} is none of iso, epoch, epoch_ms, nor a strftime pattern"
            )
        return self


class Keys(Strict):
    """A cheaper request for all keys, for `deletes: keys`; what is not said is as in the stream's request."""

    path: str | None = None
    params: Fields | None = None
    body: Fields | list[Any] | None = None
    records: str | None = None
    paging: Paging | None = None


class Request(Strict):
    """How the rows of one stream are asked for; the path is the stream's `from`, below the connection's address.

    `records` leads to the rows ("" is the answer itself); `fields` names their positions where rows are lists.
    `total` leads to how many rows there are in all: then fewer, or more, are refused. A POST is a query: it
    may be repeated. `sparse`: the system leaves out what is empty, so a column no row has is not missed.
    `beginning` (a date) is what `{since}` says when nothing has been read before; without it, what mentions
    `{since}` is left out then. `parent`: the rows are inside the rows of that stream, at `records`; its
    fields are reached as `parent.<field>`.
    """

    method: Literal["get", "post"] = "get"
    params: Fields = {}
    headers: dict[str, str] = {}
    body: Fields | list[Any] | None = None
    form: Fields | None = None
    records: str = ""
    fields: tuple[str, ...] | None = None
    total: str | None = None
    parent: Identifier | None = None
    paging: Paging = NoPages()
    times: Times = Times()
    beginning: str | None = None
    sparse: bool = False
    keys: Keys | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Request:
        if self.parent:
            foreign = self.model_fields_set - {"parent", "records", "sparse", "times"}
            if foreign:
                raise ValueError(f"`{sorted(foreign)[0]}` belongs to the request of {self.parent}, not of its rows")
            if not self.records:
                raise ValueError("`parent` needs `records`: the field of the parent's rows that holds the rows")
            return self
        if self.method == "get" and (self.body is not None or self.form is not None):
            raise ValueError("`body` and `form` need `method: post`")
        if self.body is not None and self.form is not None:
            raise ValueError("say `body` (JSON) or `form`, not both")
        for text in (self.params, self.headers, self.body, self.form):
            _check_secrets(text, "request")
        used = set(placeholders([self.params, self.headers, self.body, self.form]))
        self._check_placeholders(used)
        if self.beginning is not None and not re.match(r"^\d{4}-\d\d-\d\d", self.beginning):
            raise ValueError(f"beginning: {self.beginning!r} is no date; write 2020-01-01")
        if getattr(self.paging, "end", None) == "total" and self.total is None:
            raise ValueError("paging: end `total` needs `total`: where the answer names it")
        return self

    def _check_placeholders(self, used: set[str]) -> None:
        unknown = {item for item in used if item not in _KNOWN and not item.startswith("options.")}
        if unknown:
            raise ValueError(f"unknown placeholder {{{sorted(unknown)[0]}}}; known are {sorted(_KNOWN)}")
        needed = {"page": "page", "offset": "offset", "cursor": "cursor", "keyset": "cursor"}
        wants = needed.get(self.paging.kind)
        if wants and wants not in used:
            raise ValueError(
                f"paging {self.paging.kind!r} needs {{{wants}}} somewhere in params, headers, body or form; "
                f"without it every answer would be the first page"
            )
        given = {"page": {"page", "offset"}, "offset": {"offset", "page"}}.get(self.paging.kind, {"cursor"})
        for item in ("page", "offset", "cursor"):
            if item in used and (self.paging.kind in {"none", "next_link"} or item not in given):
                raise ValueError(f"{{{item}}} has no value with paging {self.paging.kind!r}")


def placeholders(value: Any) -> list[str]:
    """Every placeholder in a tree of lists, mappings and texts."""
    if isinstance(value, str):
        return _PLACEHOLDER.findall(value)
    if isinstance(value, dict):
        return [item for part in value.values() for item in placeholders(part)]
    if isinstance(value, list | tuple):
        return [item for part in value for item in placeholders(part)]
    return []


def family_faults(streams: dict[str, Stream]) -> list[str]:
    """What is wrong between streams: parents that are not there, children of children, controls nobody answers."""
    faults = []
    for name, stream in streams.items():
        request = stream.request
        if request is None:
            continue
        parent = streams.get(request.parent) if request.parent else None
        if request.parent and (parent is None or parent.request is None):
            faults.append(f"streams.{name}: parent {request.parent!r} is no stream of this source")
        elif parent is not None and parent.request is not None:
            if parent.request.parent:
                faults.append(f"streams.{name}: parent {request.parent!r} is itself inside another stream")
            if stream.load != parent.load and stream.load != "full":
                faults.append(f"streams.{name}: load {stream.load!r}; its parent is loaded {parent.load!r}")
        if stream.control and stream.control.kind == "query":
            if request.total is None:
                faults.append(f"streams.{name}: control `query` needs `request.total`: where the answer names it")
            if stream.control.sums:
                faults.append(f"streams.{name}: control.sums: HTTP answers name no sums; use the source's `controls`")
        if stream.deletes == "keys" and request.parent is None and request.keys is None:
            faults.append(f"streams.{name}: deletes `keys` needs `request.keys`: how all keys are asked for")
    return faults


def _check_end(end: str | None, more: str | None) -> None:
    if end == "more" and more is None:
        raise ValueError("paging: end `more` needs `more`: where the answer says whether there is more")


def _check_secrets(value: Any, where: str) -> None:
    """Raises: ValueError if a field named like a secret holds a literal."""
    if isinstance(value, dict):
        for key, part in value.items():
            literal = isinstance(part, str) and not is_reference(part) and not _PLACEHOLDER.search(part)
            if literal and len(part) >= 8 and _SECRET_KEY.search(str(key)):
                raise ValueError(f"{where}.{key}: a secret is written here; use env:NAME, file:PATH or secret:NAME")
            _check_secrets(part, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            _check_secrets(part, f"{where}.{place}")
