"""How a file of a drop is to be read."""

from __future__ import annotations

from typing import Literal

from tieout.strict import Strict


class Format(Strict):
    """How a file is to be read. `header_row` counts from 1; rows from `footer` on are not data.

    header_row `find` (xlsx): the first row that holds every promised column. `sheet` may be a pattern
    (`2026-*`): every matching sheet is read. `records` names where the rows are: for JSON a path such as
    `data.items`, for XML the element that is one row.
    """

    kind: Literal["csv", "parquet", "json", "jsonl", "xlsx", "xml"]
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    header_row: int | Literal["find"] = 1
    footer: str | None = None
    records: str | None = None
