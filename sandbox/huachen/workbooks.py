"""Excel workbooks as offices keep them, whose bytes depend on their cells only."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

_SAVED = "2026-01-04T01:00:00Z"


def fill(sheet: Worksheet, title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A title merged over row 1, an empty row 2, the header in row 3, then the rows."""
    sheet.append([title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(header))
    sheet.append([])
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))


def save(book: Workbook, path: Path) -> None:
    """Write a workbook without the time of saving, which openpyxl puts into its properties and the zip."""
    packed = io.BytesIO()
    book.save(packed)
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(
                    rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + _SAVED.encode(), content
                )
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
