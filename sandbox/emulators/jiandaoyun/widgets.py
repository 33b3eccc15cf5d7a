"""Which widget of 简道云 a field of the store is."""

from __future__ import annotations

from typing import Any

from sandbox.store import Field

SYSTEM = ("_id", "creator", "updater", "createTime", "updateTime", "flowState")
_TYPES = {
    "text": "text",
    "integer": "number",
    "decimal": "number",
    "date": "datetime",
    "instant": "datetime",
    "flag": "radiogroup",
    "choice": "combo",
    "list": "checkboxgroup",
}


def widget_type(field: Field) -> str:
    if field.name in ("creator", "updater"):
        return "user"
    if field.refers in ("users", "departments"):
        return ("user" if field.refers == "users" else "dept") + ("group" if field.kind == "list" else "")
    return "linkdata" if field.refers else _TYPES[field.kind]


def widget(field: Field, alias: str) -> dict[str, Any]:
    """The record of a widget list: `name` is the alias where the designer set one."""
    return {"name": alias, "widgetName": field.name, "label": field.title, "type": widget_type(field)}
