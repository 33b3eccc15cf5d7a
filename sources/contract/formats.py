"""How a file of a drop is to be read."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, model_validator

from tieout.strict import Strict


class Format(Strict):
    """How a file is to be read. `header_row` counts from 1; rows from `footer` on are not data.

    encoding: any that Python knows (CSV, JSON; XML names its own, and this is used where it is not utf-8).
    header_row `find` (CSV, Excel): the first row that holds every promised column.
    sheet: one sheet, or a pattern (`2026-*`): every sheet that matches is read.
    merged: what a number merged over several cells means: `repeat`, each row has it (a price), or `first`, it
        is one amount for all of them. Left out, such a range is refused; texts and dates always repeat.
    records: where the rows are. JSON: a path such as `data.items`; XML: the element that is one row.
    """

    kind: Literal["csv", "parquet", "json", "jsonl", "xlsx", "xml"]
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    sheet: str | None = None
    header_row: int | Literal["find"] = 1
    footer: str | None = None
    merged: Literal["repeat", "first"] | None = None
    records: str | None = None

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Format:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"encoding: Python knows no {self.encoding!r}") from None
        if isinstance(self.header_row, int) and self.header_row < 1:
            raise ValueError("header_row counts from 1")
        belongs = {
            "sheet": ("xlsx",),
            "merged": ("xlsx",),
            "footer": ("xlsx", "csv"),
            "records": ("json", "xml"),
        }
        for name, kinds in belongs.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise ValueError(f"`{name}` is for {' and '.join(kinds)}, not for {self.kind}")
        if self.kind == "xml" and self.records is None:
            raise ValueError("xml needs `records`: the element that is one row")
        return self
