"""How the pages of an answer follow each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tieout.strict import Strict


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
    """The answer names the next page at `next`; the end is no name, or `more` saying false (also 0 or "0").

    `first` is `{cursor}` of the first page; without it, what mentions `{cursor}` is left out then.
    """

    kind: Literal["cursor"]
    size: int = Field(default=100, ge=1)
    first: str | int | None = None
    next: str
    more: str | None = None


class ByLink(Strict):
    """The answer holds the next page's address at `next`, or (without it) in its Link header."""

    kind: Literal["next_link"]
    size: int = Field(default=100, ge=1)
    next: str | None = None


class ByKey(Strict):
    """`{cursor}` is field `by` of the last row; rows come in its order. `inclusive`: rows equal to it come again.

    `remaining`: the request's `total` counts the rows beyond `{cursor}`, as where the cursor is one of the conditions.
    """

    kind: Literal["keyset"]
    by: str
    size: int = Field(default=100, ge=1)
    inclusive: bool = False
    remaining: bool = False
    end: Literal["empty", "short", "total", "more"] = "empty"
    more: str | None = None

    @model_validator(mode="after")
    def _end_is_told(self) -> ByKey:
        _check_end(self.end, self.more)
        if self.remaining and (self.inclusive or self.end == "total"):
            raise ValueError("paging: `remaining` goes with neither `inclusive` nor `end: total`")
        return self


Paging = Annotated[
    NoPages | ByPage | ByOffset | ByCursor | ByLink | ByKey,
    Field(discriminator="kind"),
]


def _check_end(end: str | None, more: str | None) -> None:
    if end == "more" and more is None:
        raise ValueError("paging: end `more` needs `more`: where the answer says whether there is more")
