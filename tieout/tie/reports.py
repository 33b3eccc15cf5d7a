"""Typed reader of `expectations/reports/<report>.yaml`: what a report stands on, and what must hold for it.

A report is what people read: some metrics at one grain, for some systems, with one cut-off. Whether it may be relied
upon is said by its certificate (`tieout.tie.report_certificate`). Unknown keys are errors.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, field_validator

from tieout.strict import Identifier, Strict, Title, from_yaml

Grain = Literal["day", "month", "quarter", "year"]


class ReportError(Exception):
    """A report definition cannot be read or used; the message names file, key and remedy."""


class MustHold(Strict):
    """What has to be true beyond strong checks: for the identities, and whether weak checks count."""

    identities: Literal["holds", "explained"] = "explained"
    weak_checks: bool = False


class Report(Strict):
    """One report."""

    report: Identifier
    title: Title
    description: Title
    owner: Identifier
    readers: tuple[Identifier, ...] = Field(min_length=1)
    metrics: tuple[Identifier, ...] = ()
    identities: tuple[Identifier, ...] = ()
    # tables it stands on beyond those its metrics read -> the column with the business day
    tables: dict[Identifier, Identifier] = Field(default_factory=dict)
    # patterns of systems it is about; all that its tables are made of, if none is named
    systems: tuple[str, ...] = ()
    grain: Grain
    timezone: str
    # so many days after the end of a period every system must have been read
    settles_after_days: int = Field(default=0, ge=0)
    must_hold: MustHold = MustHold()

    @field_validator("timezone")
    @classmethod
    def _exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone, such as Asia/Shanghai") from None
        return value

    def about(self, system: str) -> bool:
        """Whether a system is one the report is about."""
        return not self.systems or any(fnmatchcase(system, pattern) for pattern in self.systems)

    def cut_off(self, newest: date, until: date | None = None) -> date:
        """The last day of the last period that is over.

        Args:
            newest: Last day with documents of the report.
            until: Last day the company has documents of any kind for: a period that ends before it is over, also if
                nothing was written on its last day, a Sunday.
        """
        end = newest
        while not _starts(end + timedelta(days=1), self.grain):
            end += timedelta(days=1)
        if newest == end or (until is not None and until > end):
            return end
        return self.period_start(newest) - timedelta(days=1)

    def period_start(self, day: date) -> date:
        """The first day of the period a day lies in."""
        while not _starts(day, self.grain):
            day -= timedelta(days=1)
        return day


def _starts(day: date, grain: Grain) -> bool:
    match grain:
        case "day":
            return True
        case "month":
            return day.day == 1
        case "quarter":
            return day.day == 1 and day.month % 3 == 1
        case _:
            return (day.month, day.day) == (1, 1)


def read_report(path: Path) -> Report:
    """One report; its name is the file's name.

    Raises: ReportError naming the file, the key and what is wrong with it.
    """
    try:
        report = Report.model_validate(from_yaml(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ReportError(
            f"reports/{path.name} is not a valid report. Nothing was certified.\n{error}"
        ) from error
    if report.report != path.stem:
        raise ReportError(
            f"reports/{path.name} says `report: {report.report}`; name the file {report.report}.yaml."
        )
    if not report.metrics and not report.tables:
        raise ReportError(
            f"reports/{path.name} names neither `metrics` nor `tables`: it would stand on nothing."
        )
    return report


def read_reports(folder: Path) -> tuple[Report, ...]:
    """All reports of a folder, by name; none if the folder is not there.

    Raises: ReportError if one is invalid.
    """
    return tuple(read_report(path) for path in sorted(folder.glob("*.yaml")))


def require_known(
    reports: Collection[Report],
    *,
    metrics: Collection[str],
    identities: Collection[str],
    tables: Collection[str],
    systems: Collection[str],
) -> None:
    """Refuse reports that name what does not exist: an identity nobody computes would never be broken.

    Raises: ReportError naming every unknown name, with the nearest ones that exist.
    """
    faults = []
    for report in reports:
        for kind, names, known in (
            ("metric", report.metrics, metrics),
            ("identity", report.identities, identities),
            ("table", tuple(report.tables), tables),
        ):
            for name in names:
                if name not in known:
                    near = get_close_matches(name, sorted(known), n=3, cutoff=0.5)
                    hint = f" Did you mean {' or '.join(near)}?" if near else ""
                    faults.append(f"reports/{report.report}.yaml: there is no {kind} {name!r}.{hint}")
        faults += [
            f"reports/{report.report}.yaml: `systems` says {pattern!r}, which fits no source."
            for pattern in report.systems
            if not any(fnmatchcase(system, pattern) for system in systems)
        ]
    if faults:
        raise ReportError("Nothing was certified.\n" + "\n".join(faults))
