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

from pydantic import Field, model_validator

from sources.contract.http_auth import Auth, Fields, Scalar, check_secrets, placeholders
from tieout.strict import Identifier, Strict

if TYPE_CHECKING:
    from sources.contract.stream import Stream

_KNOWN = {"page", "size", "offset", "cursor", "since", "from", "to", "now"}


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
    headers: dict[str, str] = Field(default_factory=dict)
    params: Fields = Field(default_factory=dict)
    errors: Errors = Errors()

    @model_validator(mode="after")
    def _no_secret_is_written_down(self) -> Http:
        check_secrets(self.headers, "headers")
        check_secrets(self.params, "params")
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
    params: Fields = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
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
                raise ValueError(
                    f"`{sorted(foreign)[0]}` belongs to the request of {self.parent}, not of its rows"
                )
            if not self.records:
                raise ValueError(
                    "`parent` needs `records`: the field of the parent's rows that holds the rows"
                )
            return self
        if self.method == "get" and (self.body is not None or self.form is not None):
            raise ValueError("`body` and `form` need `method: post`")
        if self.body is not None and self.form is not None:
            raise ValueError("say `body` (JSON) or `form`, not both")
        for text in (self.params, self.headers, self.body, self.form):
            check_secrets(text, "request")
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
                faults.append(
                    f"streams.{name}: control `query` needs `request.total`: where the answer names it"
                )
            if stream.control.sums:
                faults.append(
                    f"streams.{name}: control.sums: HTTP answers name no sums; use the source's `controls`"
                )
        if stream.deletes == "keys" and request.parent is None and request.keys is None:
            faults.append(f"streams.{name}: deletes `keys` needs `request.keys`: how all keys are asked for")
    return faults


def _check_end(end: str | None, more: str | None) -> None:
    if end == "more" and more is None:
        raise ValueError("paging: end `more` needs `more`: where the answer says whether there is more")
