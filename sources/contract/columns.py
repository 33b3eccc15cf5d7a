"""One promised column: its type, where it comes from, and the rules a value must keep."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tieout.strict import Identifier, Strict, Title

_DECIMAL = re.compile(r"^decimal\((\d+), ?(\d+)\)$")
_PLAIN_TYPES = {
    "bigint", "integer", "double", "text", "date", "timestamp", "timestamptz", "time", "boolean", "interval",
}  # fmt: skip


def _known_type(value: str) -> str:
    if value in _PLAIN_TYPES:
        return value
    match = _DECIMAL.match(value)
    if match and 1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
        return f"decimal({match[1]}, {match[2]})"
    raise ValueError(f"unknown type {value!r}; use one of {sorted(_PLAIN_TYPES)} or decimal(p, s)")


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


ColumnType = Annotated[str, AfterValidator(_known_type)]
Sensitivity = Literal["L1", "L2", "L3", "L4"]
# One name, or several of which the first is used today: batches landed under an older name still load.
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class DatedCode(Strict):
    """A code that may be used only from a day on, or up to and with a day."""

    code: str | int
    valid_from: date | None = Field(default=None, alias="from")
    valid_to: date | None = Field(default=None, alias="to")


class ListHolds(Strict):
    """What a JSON list of objects holds in every row: each of these values under the name, as `{id: amount}`.

    Approvals come as a list of the widgets of a form. Somebody who edits the form puts another widget into the place
    of one that a model reads, and the amount would silently be missing from then on.
    """

    by: str = Field(min_length=1, pattern=r"^\w+$")
    each: tuple[str, ...] = Field(min_length=1)


class Column(Strict):
    """One promised column and the rules a value must keep; a row that breaks one is quarantined.

    `values` is a code list; entries `{code, from, to}` hold on the day in the column `values_on`.
    """

    type: ColumnType
    source_names: Names | None = Field(default=None, alias="from", min_length=1)
    title: Title | None = None
    required: bool = False
    min: float | None = None
    max: float | None = None
    values: tuple[str | int | DatedCode, ...] | None = None
    values_on: Identifier | None = None
    pattern: str | None = None
    holds: ListHolds | None = None
    not_future: bool = False
    unit: str | None = None
    currency: str | None = None
    tax: Literal["included", "excluded", "none"] | None = None
    sensitivity: Sensitivity | None = Field(default=None, alias="class")

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Column:
        number = self.type in {"bigint", "integer", "double"} or self.type.startswith("decimal")
        if (self.min is not None or self.max is not None) and not number:
            raise ValueError(f"min and max need a number, not {self.type}")
        if self.not_future and self.type not in {"date", "timestamp", "timestamptz"}:
            raise ValueError(f"not_future needs a date or timestamp, not {self.type}")
        if self.pattern is not None:
            if self.type != "text":
                raise ValueError(f"pattern needs text, not {self.type}")
            re.compile(self.pattern)
        if self.holds is not None and self.type != "text":
            raise ValueError(f"holds needs text with a JSON list, not {self.type}")
        dated = any(
            isinstance(item, DatedCode) and (item.valid_from or item.valid_to) for item in self.values or ()
        )
        if dated and self.values_on is None:
            raise ValueError("codes with `from` or `to` need `values_on`: the date column they hold on")
        return self
