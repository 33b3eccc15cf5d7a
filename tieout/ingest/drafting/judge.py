"""What a draft proposes for a column or a table, and the reason a person reads beside it."""

from __future__ import annotations

import re

from tieout.ingest.drafting.catalogue import Field, Look, Seen, Table
from tieout.ingest.drafting.classes import is_fine, words

# --- types ------------------------------------------------------------------------------------------

_WHOLE = re.compile(
    r"^(tinyint|smallint|mediumint|integer|int|bigint|oid|year|serial|bigserial)\b(?!.*unsigned)"
)
_SMALL_UNSIGNED = re.compile(r"^(tinyint|smallint|mediumint|integer|int)\b.*unsigned")
_TEXT = re.compile(
    r"^(text|character|bpchar|name|char|varchar|nchar|nvarchar|tinytext|mediumtext|longtext|clob)\b"
)
_FLOAT = re.compile(r"^(double|real|float)")
_DECIMAL = re.compile(r"^(?:numeric|decimal)\((\d+)(?:, ?(-?\d+))?\)")
# A column of decimals without a declared scale gets one of these: the least that holds what was seen.
_SCALES = (4, 8, 12, 18)
# Numbers of up to 18 digits are summed as one machine word; the rest of the room is kept for growth.
_SHORT, _ROOM = 18, 3
_FINER, _FINE = 2, 8


def column_type(connector: str, field: Field, seen: Seen) -> tuple[str, str | None]:
    """The contract's type and, where a person should know why, a remark."""
    if connector == "sqlite":
        return _sqlite_type(field, seen)
    kind = field.declared
    if kind.endswith("[]"):
        return "text", kind
    if connector == "mysql" and kind.startswith("tinyint(1)") and "unsigned" not in kind:
        if "boolean" in seen.fits:
            return "boolean", None
        if seen.filled:
            return "bigint", "tinyint(1), but holds other numbers than 0 and 1"
        return "bigint", "tinyint(1): a boolean? it holds nothing yet"
    if _WHOLE.match(kind) or _SMALL_UNSIGNED.match(kind):
        return "bigint", None
    if re.match(r"bigint\b.*unsigned", kind):
        return "decimal(20, 0)", None
    if kind in {"boolean", "bit(1)"} and not (connector == "postgres" and kind != "boolean"):
        return "boolean", None
    if _FLOAT.match(kind):
        return "double", None
    if is_unbounded(kind):
        return _seen_decimal(field, seen)
    if match := _DECIMAL.match(kind):
        return f"decimal({match[1]}, {match[2] or 0})", None
    if _TEXT.match(kind):
        return "text", None
    if kind == "date":
        return "date", None
    if connector == "mysql" and re.match(r"time(\(\d\))?$", kind):
        return ("time", None) if "time" in seen.fits else ("text", "time that runs beyond one day")
    if connector == "mysql" and kind.startswith("datetime"):
        return "timestamp", None
    if connector == "mysql" and kind.startswith("timestamp"):
        return "timestamptz", None
    if connector == "postgres":
        if re.match(r"timestamp(\(\d\))? without", kind):
            return "timestamp", None
        if re.match(r"timestamp(\(\d\))? with ", kind):
            return "timestamptz", None
        if re.match(r"time(\(\d\))? without", kind):
            return "time", None
        if kind.startswith("interval"):
            return "interval", None
        if kind == "bytea":
            return "text", "bytea, as hexadecimal digits"
    return "text", kind


def is_unbounded(declared: str) -> bool:
    """Whether only the rows tell how large and how fine these decimals are."""
    if declared.endswith("[]") or not declared.startswith(("numeric", "decimal")):
        return False
    match = _DECIMAL.match(declared)
    return match is None or not (int(match[1]) <= 38 and 0 <= int(match[2] or 0) <= int(match[1]))


def _seen_decimal(field: Field, seen: Seen) -> tuple[str, str]:
    """A type for decimals whose declaration bounds nothing, or more than 38 digits."""
    if seen.scale is None and seen.digits is None:
        return "decimal(38, 12)", f"{field.declared}: it holds nothing yet"
    scale, digits = seen.scale or 0, seen.digits or 0
    # The next row may be finer than those seen, a rate or a factor most of all.
    wished = max(scale + _FINER, _FINE if is_fine(field.name) else 0)
    special = f"; {seen.special} values are NaN or infinite and go to quarantine" if seen.special else ""
    said = f"{field.declared}: at most {scale} decimals and {digits} whole digits seen{special}"
    fitting = next((item for item in _SCALES if wished <= item), None) or max(scale, _SCALES[-1])
    fitting = min(fitting, 38 - digits)
    if fitting < scale:
        return "text", said + ", which no decimal holds: as text"
    if digits + _ROOM + fitting <= _SHORT:
        return f"decimal({_SHORT}, {fitting})", said
    return f"decimal(38, {fitting})", said


def _sqlite_type(field: Field, seen: Seen) -> tuple[str, str | None]:
    declared, fits = field.declared, seen.fits
    if not seen.filled:
        return _sqlite_declared(declared), "it holds nothing yet"
    if "bool" in declared and "boolean" in fits:
        return "boolean", None
    if match := _DECIMAL.match(declared):
        digits, scale = int(match[1]), int(match[2] or 0)
        if "number" in fits and digits <= 38 and (seen.scale or 0) <= scale:
            return f"decimal({digits}, {scale})", None
    if "number" in fits and declared.startswith(("numeric", "decimal")) and (seen.scale or 0) <= 8:
        return _seen_decimal(field, seen)
    if "bigint" in fits and not re.search(r"real|floa|doub|char|text|clob", declared):
        remark = f"declared {declared}, held as whole numbers" if re.search("date|time", declared) else None
        return "bigint", remark
    if "number" in fits and not re.search(r"char|text|clob", declared):
        return "double", None
    if re.search(r"date|time", declared) or _day_like(field.name):
        if "date" in fits:
            return "date", None
        if "timestamp" in fits:
            return "timestamp", None
    if re.search(r"int|real|floa|doub|num|dec|date|time|bool", declared):
        return "text", f"declared {declared}, but holds other values"
    return "text", declared if "blob" in declared else None


def _sqlite_declared(declared: str) -> str:
    """By the declaration alone."""
    if match := _DECIMAL.match(declared):
        digits, scale = int(match[1]), int(match[2] or 0)
        return f"decimal({digits}, {scale})" if digits <= 38 and 0 <= scale <= digits else "decimal(38, 12)"
    kinds = {
        "bool": "boolean",
        "datetime": "timestamp",
        "timestamp": "timestamp",
        "date": "date",
        "int": "bigint",
    }
    more = {
        "real": "double",
        "floa": "double",
        "doub": "double",
        "num": "decimal(38, 12)",
        "dec": "decimal(38, 12)",
    }
    return next((kind for part, kind in (kinds | more).items() if part in declared), "text")


def _day_like(name: str) -> bool:
    return bool(words(name) & {"date", "day", "at", "time", "on"}) or bool(re.search("日期|时间|时刻", name))


# --- keys and cursors -------------------------------------------------------------------------------


def key_of(table: Table, look: Look) -> tuple[tuple[str, ...], str | None]:
    """Columns that name a row, and a remark where the database itself promises none."""
    if table.primary:
        return table.primary, None
    if table.unique:
        return table.unique[0], "no primary key: a unique key whose columns are never null"
    what = "a view has no key" if table.view else "no primary key and no unique one"
    never_null = [
        item.name
        for item in table.fields
        if not item.nullable or look.columns.get(item.name, Seen()).filled == look.rows
    ]
    if never_null and look.rows:
        return tuple(never_null), (
            f"{what}: every column that is never null; rows equal in all of them but not in the others go to quarantine"
        )
    return tuple(
        item.name for item in table.fields
    ), f"{what}: every column; a row with a null goes to quarantine"


_CHANGED = (
    "write_date", "updated_at", "update_time", "updated_on", "updated", "modified_at", "modify_time", "modified_on",
    "modified", "modify_date", "modifydate", "fmodifydate", "gmt_modified", "last_modified", "last_update",
    "last_updated", "changed_at", "changed_on", "更新时间", "修改时间", "最后修改时间", "修改日期", "更新日期",
)  # fmt: skip
_CREATED = (
    "create_date", "created_at", "create_time", "created_on", "created", "fcreatedate", "gmt_create", "创建时间",
    "创建日期", "建立时间",
)  # fmt: skip


def cursor_of(table: Table, look: Look, types: dict[str, str]) -> str | None:
    """A remark that proposes a cursor, if a column says when a row was last changed."""
    moments = {name.lower(): name for name, kind in types.items() if kind in {"timestamp", "timestamptz"}}
    changed = next((moments[name] for name in _CHANGED if name in moments), None)
    if changed is None:
        return None
    filled = look.columns.get(changed, Seen()).filled
    if filled == look.rows:
        return f"cursor [{changed}]"
    created = next((moments[name] for name in _CREATED if name in moments), None)
    empty = f"{changed} null in {look.rows - filled:,} of {look.rows:,} rows"
    if created and look.columns.get(created, Seen()).filled == look.rows:
        return f"cursor [{changed}, {created}] ({empty})"
    return f"cursor [{changed}] ({empty}: these are read at every pull)"
