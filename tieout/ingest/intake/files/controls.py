"""Control totals that come with files: a control file in the drop, or the total row of a sheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from sources.contract import Source, Stream
from tieout.ingest.errors import ControlTotalError
from tieout.ingest.intake.files.delivery import STAYS, Delivery, Parsed


def control_of(source: Source, stream: Stream, file: str, control: Path | None) -> dict[str, str]:
    """What the control file in the drop says of `file`: rows and, where asked, sums.

    Raises: ControlTotalError if it is missing, unreadable or says nothing of the file.
    """
    if stream.control is None or stream.control.kind != "file":
        return {}
    assert stream.control.file is not None
    if control is None or not control.is_file():
        raise ControlTotalError(
            f"{source.name}: the control file {stream.control.file} is missing. Nothing was loaded."
        )
    wanted = {name: column for column in stream.control.sums for name in stream.source_names(column)}
    said = {}
    try:
        for entry in _entries(control):
            if entry["file"] != file:
                continue
            said["rows"] = entry["rows"]
            if entry["column"] in wanted:
                said[f"sum_{wanted[entry['column']]}"] = entry["sum"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise ControlTotalError(
            f"{source.name}: the control file {control.name} cannot be read ({error!r}). {STAYS} "
            f"Ask {source.owner} for another."
        ) from None
    if not said:
        raise ControlTotalError(
            f"{source.name}: {stream.control.file} says nothing of {file}. Nothing of that file was loaded; "
            f"what was loaded before stays. Ask {source.owner} for a complete control file."
        )
    return said


def footer_control(delivery: Delivery, parsed: Parsed) -> dict[str, str]:
    """The sums in the total row of a sheet.

    Raises: ControlTotalError if there is none.
    """
    stream = delivery.stream
    assert stream.control is not None
    if parsed.footer is None:
        raise ControlTotalError(
            f"{delivery.where} has no total row. {STAYS} Set `format.footer` in the contract."
        )
    said = {}
    for column in stream.control.sums:
        name = stream.column_in(column, parsed.footer)
        said[f"sum_{column}"] = str(parsed.footer[name] if name else None)
    return said


def _entries(path: Path) -> Iterator[dict[str, str]]:
    """Entries {file, rows, column, sum} of a control file, CSV (文件名, 行数, 合计列, 合计) or JSON."""
    raw = path.read_bytes()
    if path.suffix == ".json":
        for item in json.loads(raw.decode("utf-8-sig"), parse_float=str):
            sums = item.get("sums") or {}
            for column, total in (sums or {"": ""}).items():
                yield {"file": item["file"], "rows": str(item["rows"]), "column": column, "sum": str(total)}
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield {"file": row["文件名"], "rows": row["行数"], "column": row["合计列"], "sum": row["合计"]}
