"""What the columns of a mart are: unit, currency, tax basis, class, and the date a process stands on.

Written once, as `config.meta` of the column in dbt's YAML; read from there without dbt, or from dbt's manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tieout.metrics.errors import DefinitionError
from tieout.strict import from_yaml


@dataclass(frozen=True)
class Column:
    """What one column says of itself; empty where it says nothing."""

    name: str
    unit: str = ""
    currency: str = ""
    # excluded | included | none; `only`: it is the tax; `by_row`: rows differ, a measure's condition decides.
    tax: str = ""
    # Of a price: the unit it is the price of.
    per: str = ""
    # `tax`: a tax rate, which turns net into gross.
    rate: str = ""
    # Of a date: which of a process' dates it is (ordered, shipped, invoiced, ...).
    time_role: str = ""
    # L1 to L4: its own class, or that of its table.
    sensitivity: str = ""


# Mart -> column -> what it says. A mart's name is unique in dbt.
Marts = Mapping[str, Mapping[str, Column]]

_KEYS = ("unit", "currency", "tax", "per", "rate", "time_role")


def read_marts(models: Path) -> Marts:
    """Every documented model below dbt's `models` folder; no dbt needed.

    Raises: DefinitionError if a file is not YAML.
    """
    import yaml

    found = {}
    for path in sorted(models.glob("*/**/_*__models.yml")):
        try:
            document = from_yaml(path.read_text("utf-8")) or {}
        except yaml.YAMLError as error:
            raise DefinitionError(f"{path.name}: {error}") from error
        for model in document.get("models") or ():
            found[model["name"]] = dict(_columns(model.get("columns") or (), _meta(model)))
    return found


def marts_in(manifest: Mapping) -> Marts:
    """The same from dbt's `manifest.json`."""
    return {
        node.get("alias") or node["name"]: dict(_columns(node.get("columns", {}).values(), _meta(node)))
        for node in manifest.get("nodes", {}).values()
        if node.get("resource_type") == "model"
    }


def _columns(written: Iterable[Mapping], of_table: Mapping) -> Iterator[tuple[str, Column]]:
    for item in written:
        meta = _meta(item)
        said = {key: str(meta[key]) for key in _KEYS if key in meta}
        yield (
            item["name"],
            Column(item["name"], **said, sensitivity=str(meta.get("class") or of_table.get("class") or "")),
        )


def _meta(described: Mapping) -> Mapping:
    return (described.get("config") or {}).get("meta") or described.get("meta") or {}
