"""Checks that follow from what is written elsewhere: never-empty columns and standard lists, per mart.

A column's name and its standard say what must be true of it (a key is never empty, a flag is true or false, a unit is
one of the standard's), so nobody writes it again in every suite. `tieout sync` writes the result beside the suites, as
`suites/<schema>/generated/<table>.yaml`; what a suite already checks by hand is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tieout.strict import from_yaml

FOLDER = "generated"
_HEADER = "# Generated from dbt_project/models/marts by `make sync`; do not edit.\n"
# Column name -> the published list its values are on.
LISTS = {
    "currency_code": ("marts.dim_currency", "currency_code"),
    "uom_code": ("marts.dim_unit", "uom_code"),
    "base_uom_code": ("marts.dim_unit", "uom_code"),
}
_ORIGIN = ("source_system", "source_stream", "source_record")
_SPECIAL = ("unmatched", "not_applicable")  # members of every dimension, on no list
_BY_HAND = {"expect_column_values_to_not_be_null", "expect_column_values_to_be_in_set"}


def generated_suites(models: Path, suites: Path) -> dict[Path, str]:
    """Text of every generated file, by its path, for the marts that have a suite.

    Args:
        models: `dbt_project/models/marts`, whose `_*__models.yml` list the columns.
        suites: `expectations/suites/marts`.
    """
    files = {}
    for table, columns in sorted(_columns(models).items()):
        path = suites / f"{table}.yaml"
        if not path.is_file():
            continue
        written = _read(path)
        checks = _checks(table, columns, _checked_by_hand(written))
        if checks:
            body = yaml.safe_dump({"expectations": checks}, allow_unicode=True, sort_keys=False, width=110)
            files[suites / FOLDER / path.name] = _HEADER + body
    return files


def orphans(suites: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Generated files nothing asks for any more."""
    return sorted(path for path in (suites / FOLDER).glob("*.yaml") if path not in wanted)


def never_empty(columns: list[str]) -> list[str]:
    """Columns that always hold a value, by what they are called: keys, and where the row came from."""
    return [name for name in columns if name.endswith("_key") or name in _ORIGIN]


def flags(columns: list[str]) -> list[str]:
    """Columns that are true or false, by what they are called."""
    return [name for name in columns if name.startswith("is_")]


def _checks(table: str, columns: list[str], by_hand: set[tuple[str, str]]) -> list[dict[str, Any]]:
    shown = [name for name in _ORIGIN if name in columns]
    special = ", ".join(f"'{member}'" for member in _SPECIAL)
    checks = []
    for name, filled, severity, zh, en in (
        (
            "keys_and_origin_are_there",
            never_empty(columns),
            "critical",
            "键与来源都不为空",
            "Keys and where a row came from are never empty",
        ),
        # a filter on a flag that is empty loses the row without a word; where no system knows it, its column says so
        ("flags_are_true_or_false", flags(columns), "warning", "标志非真即假", "Flags are true or false"),
    ):
        filled = [item for item in filled if ("expect_column_values_to_not_be_null", item) not in by_hand]
        if filled:
            empty = " or ".join(f"{item} is null" for item in filled)
            sql = f"select {', '.join(dict.fromkeys([*filled, *shown]))} from {{batch}} as line where {empty}"
            checks.append(_check(name, sql, severity, zh, en))
    for name, (listed, column) in LISTS.items():
        own = listed == f"marts.{table}"
        if name in columns and not own and ("expect_column_values_to_be_in_set", name) not in by_hand:
            checks.append(
                _check(
                    f"{name}_is_standard",
                    f"select {', '.join(dict.fromkeys([f'line.{name}', *(f'line.{item}' for item in shown)]))} from {{batch}} as line"
                    f" left join {listed} as listed on line.{name} = listed.{column}"
                    f" where line.{name} not in ({special}) and listed.{column} is null",
                    "warning",
                    f"{name} 在标准清单内",
                    f"Every {name} is on the standard list",
                )
            )
    return checks


def _check(name: str, sql: str, severity: str, zh: str, en: str) -> dict[str, Any]:
    return {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": sql},
        "severity": severity,
        "description": {"zh": zh, "en": en},
        "meta": {"id": name},
    }


def _checked_by_hand(suite: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (item["type"], item["kwargs"]["column"])
        for item in suite.get("expectations") or []
        if item.get("type") in _BY_HAND and "column" in (item.get("kwargs") or {})
    }


def _columns(models: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(models.glob("*/_*.yml")):
        for model in _read(path).get("models") or []:
            found[model["name"]] = [
                column["name"] for column in model.get("columns") or [] if not _may_be_unknown(column)
            ]
    return found


def _may_be_unknown(column: Mapping[str, Any]) -> bool:
    """Whether a column says that some system does not tell (`config.meta.may_be_unknown`)."""
    return bool(((column.get("config") or {}).get("meta") or {}).get("may_be_unknown"))


def _read(path: Path) -> dict[str, Any]:
    return from_yaml(path.read_text(encoding="utf-8")) or {}
