"""The part of JQL that a connector needs: `project = X`, `project in (…)`, `key`, times of `created` and `updated`, and, order by."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

_ORDER = re.compile(r"\s*\border\s+by\b(?P<fields>.*)$", re.IGNORECASE | re.DOTALL)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_CLAUSE = re.compile(
    r"^(?P<field>\w+)\s*(?P<operator>=|!=|>=|<=|>|<|\bin\b)\s*(?P<value>.+)$", re.IGNORECASE | re.DOTALL
)
_TIMES = {"created", "updated", "resolutiondate"}


class JqlError(Exception):
    """The words Jira answers with."""


def parsed(
    jql: str, column: Callable[[str], str], projects: list[str], zone: ZoneInfo
) -> tuple[str, list[Any], str, bool]:
    """SQL condition, its values, SQL order, and whether the query restricts anything at all.

    Raises: JqlError.
    """
    found = _ORDER.search(jql)
    order = _ordered(found["fields"] if found else "created DESC", column)
    text = (jql[: found.start()] if found else jql).strip()
    where, values = ["true"], []
    for clause in _AND.split(text) if text else []:
        match = _CLAUSE.match(clause.strip())
        if match is None:
            raise JqlError(f"Error in the JQL Query: Expecting operator but got '{clause.strip()}'.")
        field, operator = match["field"].lower(), match["operator"].lower()
        given = [_bare(item) for item in match["value"].strip().strip("()").split(",")]
        if field == "project":
            for item in given:
                if item not in projects:
                    raise JqlError(f"The value '{item}' does not exist for the field 'project'.")
            where.append(f"{column('project')} in ({', '.join('?' * len(given))})")
            values += given
        elif field in _TIMES and operator != "in":
            where.append(f"{column(field)} {operator} ?")
            values.append(_minute(given[0], field, zone))
        else:
            raise JqlError(f"Field '{field}' does not exist or you do not have permission to view it.")
    return " and ".join(where), values, order, len(where) > 1


def _ordered(text: str, column: Callable[[str], str]) -> str:
    parts = []
    for item in text.split(","):
        name, _, way = item.strip().partition(" ")
        if way.strip().lower() not in {"", "asc", "desc"}:
            raise JqlError(f"Error in the JQL Query: '{way.strip()}' is no direction.")
        try:
            # keys sort by project and number: AS-9 before AS-10
            found = column(name)
        except KeyError:
            raise JqlError(
                f"Field '{name}' does not exist or you do not have permission to view it."
            ) from None
        way = way.strip() or "asc"
        parts += [f"length({found}) {way}", f"{found} {way}"] if name == "key" else [f"{found} {way}"]
    if len(parts) > 8:
        raise JqlError("The ORDER BY clause must have at most 7 fields.")
    return ", ".join(parts)


def _bare(text: str) -> str:
    return text.strip().strip("\"'")


def _minute(text: str, field: str, zone: ZoneInfo) -> str:
    """JQL knows minutes, in the zone of whoever asks."""
    try:
        form = "%Y-%m-%d %H:%M" if " " in text else "%Y-%m-%d"
        at = datetime.strptime(text.replace("/", "-"), form).replace(tzinfo=zone)
    except ValueError:
        raise JqlError(
            f"Date value '{text}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            f"'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        ) from None
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
