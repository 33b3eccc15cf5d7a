"""What is asked page by page: rows, or a list of items that rows are asked for one by one.

`span` and `for_each` make a sequence of walks over pages ("legs") out of one: every item, in every piece of time.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from sources.contract.durations import Duration
from sources.contract.http_auth import Fields, Scalar, check_secrets, placeholders
from sources.contract.http_paging import NoPages, Paging
from tieout.strict import Strict

EACH = "_each"  # the field of a row that holds the item it was asked for
KNOWN = {"page", "size", "offset", "upto", "cursor", "since", "from", "to", "now", "each"}
_NEEDED = {
    "page": {"page", "offset"},
    "offset": {"offset", "page"},
    "cursor": {"cursor"},
    "keyset": {"cursor"},
}
_GIVEN = {"page": {"page", "offset", "upto"}, "offset": {"page", "offset", "upto"}}


class Paged(Strict):
    """A question whose answer comes in pages.

    `span`: no more than so long may be asked for at once, so [`{from}`, `{to}`) is cut into pieces; a row at a
    border that comes with both pieces counts once. `for_each`: asked again for every item.
    """

    method: Literal["get", "post"] = "get"
    params: Fields = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Fields | list[Any] | None = None
    form: Fields | None = None
    records: str = ""
    fields: tuple[str, ...] | None = None
    total: str | None = None
    paging: Paging = NoPages()
    span: Duration | None = None
    for_each: ForEach | None = None

    @model_validator(mode="after")
    def _can_be_asked(self) -> Paged:
        if self.method == "get" and (self.body is not None or self.form is not None):
            raise ValueError("`body` and `form` need `method: post`")
        if self.body is not None and self.form is not None:
            raise ValueError("say `body` (JSON) or `form`, not both")
        for text in (self.params, self.headers, self.body, self.form):
            check_secrets(text, "request")
        self._check_placeholders(self.placeholders())
        if getattr(self.paging, "end", None) == "total" and self.total is None:
            raise ValueError("paging: end `total` needs `total`: where the answer names it")
        return self

    def placeholders(self) -> set[str]:
        return set(placeholders([self.params, self.headers, self.body, self.form]))

    def _check_placeholders(self, used: set[str]) -> None:
        check_known(used)
        wants = _NEEDED.get(self.paging.kind)
        if wants and not used & wants:
            name = "cursor" if "cursor" in wants else self.paging.kind
            raise ValueError(
                f"paging {self.paging.kind!r} needs {{{name}}} somewhere in params, headers, body or form; "
                f"without it every answer would be the first page"
            )
        given = _GIVEN.get(self.paging.kind, {"cursor"})
        for item in ("page", "offset", "upto", "cursor"):
            if item in used and (self.paging.kind in {"none", "next_link"} or item not in given):
                raise ValueError(f"{{{item}}} has no value with paging {self.paging.kind!r}")
        if self.span and not ("to" in used and used & {"since", "from"}):
            raise ValueError("`span` needs {from} (or {since}) and {to} in params, headers, body or form")
        if self.for_each is None and "each" in used:
            raise ValueError("{each} has no value without `for_each`")

    @property
    def spans(self) -> bool:
        """Whether time is cut into pieces, here or in the list of items."""
        listed = self.for_each.list if self.for_each else None
        return self.span is not None or (listed is not None and listed.spans)


class Listing(Paged):
    """A list of items: what is at `item` of each of its rows ("" when the rows are plain texts or numbers).

    `{since}`, `{from}`, `{to}` and `times` are those of the request the items are for.
    """

    path: str
    item: str

    @model_validator(mode="after")
    def _items_are_asked_for(self) -> Listing:
        if fault := each_fault(self, self.path):
            raise ValueError(f"list: {fault}")
        return self


class Tree(Strict):
    """Items that lead to further ones: the roots, then breadth first what is at `item` of every row that came."""

    item: str
    roots: tuple[Scalar, ...] = Field(min_length=1)


class ForEach(Strict):
    """The items a request is made for, one after the other; each is asked for once.

    They are written here (`values`), in a connection option (`option`: comma separated), come from a `list`
    (then `values` are asked for too, first: a root that no list names), or grow from a `tree`. The item is
    `{each}`, also in the path, and `_each` in the rows, where a column says `from: _each`. `together`: up to
    so many items in one request: a text that is `{each}` alone becomes a list, in another text they are
    joined by commas; rows then have no `_each`. There may be as many items as `limits.pages`.
    """

    values: tuple[Scalar, ...] = ()
    option: str | None = None
    list: Listing | None = None
    tree: Tree | None = None
    together: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _items_come_from_somewhere(self) -> ForEach:
        said = [name for name in ("values", "option", "list", "tree") if getattr(self, name)]
        if not said or (len(said) > 1 and said != ["values", "list"]):
            raise ValueError("for_each: say where items come from: `values`, `option`, `list` or `tree`")
        if self.tree and self.together > 1:
            raise ValueError("for_each: a `tree` is asked one by one, so `together` is not for it")
        return self


Paged.model_rebuild()
Listing.model_rebuild()
ForEach.model_rebuild()


def check_known(used: set[str]) -> None:
    """Raises: ValueError naming a placeholder that nothing fills in."""
    unknown = {item for item in used if item not in KNOWN and not item.startswith("options.")}
    if unknown:
        raise ValueError(f"unknown placeholder {{{sorted(unknown)[0]}}}; known are {sorted(KNOWN)}")


def each_fault(asked: Paged, path: str) -> str | None:
    """What is wrong between `{each}`, `for_each` and the path."""
    in_path = set(placeholders(path))
    if asked.for_each is None and "each" in in_path:
        return "{each} in the path has no value without `for_each`"
    if asked.for_each is not None and "each" not in in_path | asked.placeholders():
        return "`for_each` needs {each} in the path, params, headers, body or form; every answer would be the same"
    return None
