"""Reports that are kept: the file as it was handed in, compared again with every publish.

`<landing>/_reports/<id>/` holds the file and who handed it in, written once and never changed; what each publish
made of it is in `ops.claimed_figure`. A figure that agreed and no longer does was changed after it was reported.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from tieout.claimed.check import Report, check_file
from tieout.claimed.errors import ClaimedFileError
from tieout.engine import connect, constants
from tieout.settings import Settings
from tieout.strict import Strict
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

FOLDER = "_reports"
_RECORD = "report.json"


class Kept(Strict):
    """One file that was handed in: by whom, when (ISO 8601, UTC), and how it is to be read."""

    report_id: str = Field(pattern=r"^R\d{8}T\d{6}-[0-9a-f]{8}$")
    file: str = Field(min_length=1)
    by: str = Field(min_length=1, pattern=r"\S")
    at: str
    department: str = ""
    sheet: str | None = None
    metrics: dict[str, str] = Field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    sha256: str = Field(min_length=64, max_length=64)


def keep(
    landing: Path,
    file: Path,
    *,
    by: str,
    now: datetime,
    department: str = "",
    sheet: str | None = None,
    metrics: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
) -> Kept:
    """Keep a file that was read without an error; the same file of the same department is kept once.

    Args:
        by: The person who hands it in.
        now: Aware.

    Raises: ClaimedFileError if nobody is named; nothing is kept.
    """
    if not by.strip():
        raise ClaimedFileError(
            f"{file.name}: nobody is named who hands it in. Nothing was kept. Say --person."
        )
    raw = file.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    for one in kept(landing):
        if (one.sha256, one.department, one.sheet) == (digest, department, sheet):
            return one
    moment = now.astimezone(UTC)
    record = Kept(
        report_id=f"R{moment:%Y%m%dT%H%M%S}-{digest[:8]}",
        file=file.name,
        by=by.strip(),
        at=moment.isoformat(timespec="seconds"),
        department=department,
        sheet=sheet,
        metrics=dict(metrics or {}),
        ignore=tuple(ignore),
        sha256=digest,
    )
    folder = landing / FOLDER / record.report_id
    folder.mkdir(parents=True, mode=0o700)
    copy = os.open(folder / f"handed{file.suffix.lower()}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(copy, "wb") as out:
        out.write(raw)
    # The record comes last: without it there is no report.
    write_whole(folder / _RECORD, json.dumps(record.model_dump(), ensure_ascii=False, indent=1), private=True)
    return record


def kept(landing: Path) -> list[Kept]:
    """Every kept report, the oldest first.

    Raises: ClaimedFileError if one of the records cannot be read.
    """
    found = []
    for path in sorted((landing / FOLDER).glob(f"R*/{_RECORD}")):
        try:
            found.append(Kept.model_validate_json(path.read_text(encoding="utf-8")))
        except (ValidationError, OSError) as error:
            raise ClaimedFileError(f"{path}: is not a record of a report: {error}") from error
    return found


def kept_one(landing: Path, report_id: str) -> Kept:
    """Raises: ClaimedFileError if there is none of that id, naming near ones."""
    from difflib import get_close_matches

    every = {one.report_id: one for one in kept(landing)}
    if report_id in every:
        return every[report_id]
    near = get_close_matches(report_id, every, n=3, cutoff=0.3)
    hint = f" Near: {' or '.join(near)}." if near else " `tieout report list` shows those there are."
    raise ClaimedFileError(f"no report {report_id!r} was kept.{hint}")


def compared(con: duckdb.DuckDBPyConnection, landing: Path, one: Kept) -> Report:
    """A kept report against published metrics, read as it was when it was kept.

    Raises: ClaimedFileError if the file is no longer what was handed in, or can no longer be read (a metric is gone).
    """
    (file,) = (landing / FOLDER / one.report_id).glob("handed.*")
    if hashlib.sha256(file.read_bytes()).hexdigest() != one.sha256:
        # An erasure writes a pseudonym over a person's name wherever it stands, here too.
        raise ClaimedFileError(
            f"{file.name} of {one.report_id} is not the file that was handed in at {one.at}: somebody named in it was "
            "erased, or it was changed. Nothing was compared. Hand it in again."
        )
    return check_file(
        con, file, sheet=one.sheet, department=one.department, metrics=one.metrics, ignore=one.ignore
    )


def compare_kept(settings: Settings, publish_id: str, now: datetime) -> int:
    """Compare every kept report with the publish that was just made, and write down what came of it.

    A report that can no longer be read is one line of state `unread`: it never stops a refresh.

    Returns: how many figures are not explained, or not read.
    """
    from tieout.metrics.errors import MetricError

    reports = kept(settings.landing)
    if not reports:
        return 0
    lines: list[tuple[str | int | datetime | None, ...]] = []
    with connect(settings.snapshots / "current.duckdb", read_only=True) as con:
        for one in reports:
            try:
                lines += _lines(one, compared(con, settings.landing, one), publish_id, now)
            except (ClaimedFileError, MetricError) as error:
                lines.append(_unread(one, publish_id, "", "", str(error), now))
    with connect(settings.warehouse) as con:
        for line in lines:
            con.execute(f"insert or replace into ops.claimed_figure values ({constants(*line)})")
    return sum(line[13] in ("unexplained", "unread") for line in lines)


def _lines(
    one: Kept, report: Report, publish_id: str, now: datetime
) -> list[tuple[str | int | datetime | None, ...]]:
    found: list[tuple[str | int | datetime | None, ...]] = []
    for item in report.checked:
        claim = item.claim
        causes = item.explanations[0].causes if item.explanations else ()
        found.append(
            (
                publish_id,
                one.report_id,
                claim.place,
                claim.department,
                claim.word,
                claim.metric.name,
                f"{claim.span.start}",
                f"{claim.span.end}",
                json.dumps(claim.by, ensure_ascii=False),
                f"{claim.figure.value:f}",
                None if item.governed is None else f"{item.governed:f}",
                f"{item.difference:f}",
                claim.metric.metric.unit,
                item.state,
                json.dumps(
                    [[cause.kind, f"{cause.amount:f}", cause.title.zh] for cause in causes],
                    ensure_ascii=False,
                ),
                now,
            )
        )
    for line in report.unread:
        unread = line.unread
        found.append(_unread(one, publish_id, unread.place, unread.word, unread.reason, now))
    return found


def _unread(
    one: Kept, publish_id: str, place: str, word: str, reason: str, now: datetime
) -> tuple[str | int | datetime | None, ...]:
    return (
        publish_id, one.report_id, place, one.department, word, None, None, None, "{}", None, None, None, None,
        "unread", json.dumps([["unread", "0", reason]], ensure_ascii=False), now,
    )  # fmt: skip
