"""Files for tests: one delivery as a door would hold it, and what was read from it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from sources.contract import Source
from tieout.engine import connect
from tieout.ingest.intake.files.delivery import Delivery, Parsed
from tieout.ingest.intake.files.drop import parse


def source_of(place: str, form: dict[str, Any], columns: dict[str, Any], **more: Any) -> Source:
    """A source with one stream `waybill` whose key is its first column, loaded `slice` from every file."""
    options = more.pop("options", {})
    key = more.pop("key", [next(iter(columns))])
    specs = {name: spec if isinstance(spec, dict) else {"from": spec} for name, spec in columns.items()}
    stream = {
        "title": {"zh": "运单", "en": "Waybills"},
        "grain": "one row per waybill",
        "from": "*",
        "format": form,
        "key": key,
        "load": "slice",
        "columns": {
            name: {"type": "text", **({"required": True} if name in key else {}), **spec}
            for name, spec in specs.items()
        },
    }
    return Source.model_validate(
        {
            "source": "tms",
            "title": {"zh": "运输管理", "en": "Transport"},
            "module": "logistics",
            "owner": "logistics",
            "connector": "files",
            "connection": {"path": place, "options": options},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "limits": {"retries": 1, "timeout": "5s"},
            "streams": {"waybill": {**stream, **more}},
        }
    )


def delivered(
    folder: Path, name: str, content: bytes | None, form: dict, columns: dict, **more: Any
) -> Delivery:
    """One file in a folder; `content` None: it is there already."""
    file = folder / name
    if content is not None:
        file.write_bytes(content)
    source = source_of(str(folder), form, columns, **more)
    return Delivery(source, "waybill", source.streams["waybill"], file)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One for all tests: nothing is kept in it, and opening one costs more than most tests."""
    return connect()


def read(delivery: Delivery) -> tuple[Parsed, list[tuple]]:
    """What was parsed, and its rows in file order with `_row` (and `_origin`) first."""
    parsed = parse(_engine(), delivery)
    data = delivery.file.parent / parsed.data
    return parsed, _engine().execute(f"select * from read_parquet('{data}')").fetchall()
