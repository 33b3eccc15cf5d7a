"""How an HTTP system is asked: who we are, how pages follow each other, and where errors hide.

What varies from request to request is written as a placeholder, wherever the system wants it (parameter,
header, body): `{page}`, `{size}`, `{offset}`, `{upto}` (offset and size), `{cursor}` by the paging; `{since}`
(also `{from}`), `{to}`, `{now}` by what is asked for; `{each}` (also in the path) by `for_each`;
`{options.NAME}` (also in the path) from the connection. A text that is one placeholder keeps the value's type
(`Limit: "{size}"` sends a number), and what has no value yet (the first page's `{cursor}`) is left out; of
objects in a list, such as conditions, the whole object is. Only
`{name}` is a placeholder: other braces, of JSON in a text or of GraphQL (`{ id }`, with blanks), stay. Texts
that are references (`secret:NAME`) are resolved while a request is made.

A path such as `data.items` or `0.Result.MsgCode` leads to a value of an answer; a key that holds dots
itself (`@odata.nextLink`) is found too. Of XML, the path begins below the root element.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from sources.contract.durations import Duration
from sources.contract.http_auth import Auth, Fields, check_secrets
from sources.contract.http_errors import Errors
from sources.contract.http_paged import EACH, ForEach, Paged, each_fault
from sources.contract.http_paging import Paging
from tieout.strict import Identifier, Strict

if TYPE_CHECKING:
    from sources.contract.stream import Stream

_BEGINNING = re.compile(r"^(\d{4}-\d\d-\d\d|\d+[smhd]$)")


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


class Times(Strict):
    """How the system writes instants: `iso`, `epoch` (seconds), `epoch_ms` or a strftime pattern, in `timezone`.

    `text`: a count goes into a JSON body as text. `numbers`: what a number (or `/Date(…)/`) in a column of a date
    or time type counts from 1970. `minutes`: instants come without seconds (`2026-01-05T10:00Z`).
    """

    format: str = "iso"
    timezone: str | None = None  # else the source's
    text: bool = False
    numbers: Literal["s", "ms"] | None = None
    minutes: bool = False

    @model_validator(mode="after")
    def _is_a_format(self) -> Times:
        if self.format not in {"iso", "epoch", "epoch_ms"} and "%" not in self.format:
            raise ValueError(
                f"times.format: {self.format!r} is none of iso, epoch, epoch_ms, nor a strftime pattern"
            )
        return self


class Keys(Strict):
    """A cheaper request for all keys, for `deletes: keys`; what is not said is as in the stream's request.

    `for_each: null` and `span: null` ask once where the stream's request is made for each item or piece of time.
    """

    path: str | None = None
    params: Fields | None = None
    body: Fields | list[Any] | None = None
    records: str | None = None
    paging: Paging | None = None
    span: Duration | None = None
    for_each: ForEach | None = None


class Request(Paged):
    """How the rows of one stream are asked for; the path is the stream's `from`, below the connection's address.

    `records` leads to the rows ("" is the answer itself); `fields` names their positions where rows are lists.
    `total` leads to how many rows there are in all: then fewer, or more, are refused (with `span` or
    `for_each`: in this piece of time, of this item). A POST is a query: it may be repeated. `sparse`: the
    system leaves out what is empty, so a column no row has is not missed. `beginning` is what `{since}` says
    when nothing has been read before: a date, or how long before the pull (`364d`); without it, what mentions
    `{since}` is left out then. `parent`: the rows are inside the rows of that stream, at `records`; its
    fields are reached as `parent.<field>`.
    """

    parent: Identifier | None = None
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
        if self.beginning is not None and not _BEGINNING.match(self.beginning):
            raise ValueError(
                f"beginning: {self.beginning!r} is no date; write 2020-01-01, or 364d: so long ago"
            )
        if self.beginning is None and self.spans:
            raise ValueError(
                "`span` needs a `beginning`: where the first piece begins when nothing was read before"
            )
        return self


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
        if not request.parent and (fault := each_fault(request, stream.origin)):
            faults.append(f"streams.{name}: {fault}")
        asked = parent.request if parent else request
        names = {item for column in stream.columns for item in stream.source_names(column)}
        if (
            names & {EACH, f"parent.{EACH}"}
            and asked
            and (asked.for_each is None or asked.for_each.together > 1)
        ):
            faults.append(f"streams.{name}: {EACH} needs `for_each` with one item at a time")
        if request.spans and stream.cursor and stream.columns[stream.cursor[0]].type in {"bigint", "integer"}:
            faults.append(f"streams.{name}: `span` cuts time, but the cursor {stream.cursor[0]} is a number")
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
