"""Types as systems spell them, compared: the same, wider (every old value still has a place), or another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# Bits with the sign: an unsigned integer needs one more.
_INTEGERS = {
    "tinyint": 8, "int1": 8, "smallint": 16, "int2": 16, "smallserial": 16, "year": 16, "mediumint": 32,
    "int": 32, "int4": 32, "integer": 32, "serial": 32, "bigint": 64, "int8": 64, "long": 64, "bigserial": 64,
    "hugeint": 128, "utinyint": 9, "usmallint": 17, "uinteger": 33, "ubigint": 65, "uhugeint": 129,
}  # fmt: skip
_TEXT = {
    "text", "varchar", "char", "bpchar", "string", "character", "character varying", "nvarchar", "nchar", "ntext",
    "clob", "nclob", "varchar2", "nvarchar2", "tinytext", "mediumtext", "longtext", "name", "citext", "enum", "uuid",
    "uniqueidentifier", "json", "jsonb", "xml",
}  # fmt: skip
_FLOATS = {"real": 32, "float4": 32, "float": 64, "double": 64, "double precision": 64, "float8": 64}
_DECIMALS = {"decimal", "numeric", "number", "dec", "money", "smallmoney", "fixed"}
_TIMES = {
    "date": "date", "time": "time", "time without time zone": "time", "time with time zone": "time",
    "timestamp": "timestamp", "datetime": "timestamp", "datetime2": "timestamp", "smalldatetime": "timestamp",
    "timestamp without time zone": "timestamp", "timestamp_ns": "timestamp", "timestamp_ms": "timestamp",
    "timestamp_s": "timestamp", "timestamptz": "timestamptz", "timestamp with time zone": "timestamptz",
    "datetimeoffset": "timestamptz", "timestamp with local time zone": "timestamptz", "interval": "interval",
}  # fmt: skip

Step = Literal["same", "widened", "retyped"]


@dataclass(frozen=True)
class Kind:
    """A declared type without its dialect; `precision` is bits (integer, float) or decimal digits."""

    family: str  # integer | decimal | float | text | boolean | date | time | timestamp | timestamptz | interval | …
    precision: int | None = None
    scale: int | None = None


def kind(declared: str) -> Kind | None:
    """What a type's spelling means; None if the source does not say."""
    text = re.sub(r"\s+", " ", declared.strip().lower())
    text = re.sub(
        r"\s*\b(not null|null|unsigned|zerofill|binary|auto_increment|primary key)\b", "", text
    ).strip()
    unsigned = "unsigned" in declared.lower()
    if not text:
        return None
    head = re.match(r"([a-z][a-z0-9_ ]*?) ?\(([^)]*)\) ?(.*)$", text)
    name, arguments = text, ()
    if head:
        name = f"{head[1]} {head[3]}".strip()
        arguments = tuple(int(part) for part in re.findall(r"-?\d+", head[2]))
    name = re.sub(r"^(timestamp|time)\(\d\)", r"\1", name)
    if name in _INTEGERS:
        bits = _INTEGERS[name]
        return Kind("integer", bits + 1 if unsigned else bits)
    if name in _DECIMALS:
        if name == "money":
            return Kind("decimal", 19, 4)
        if not arguments:
            return Kind("decimal")
        return Kind("decimal", arguments[0], arguments[1] if len(arguments) > 1 else 0)
    if name in _FLOATS:
        return Kind("float", _FLOATS[name])
    if name in ("boolean", "bool", "bit", "logical"):
        return Kind("boolean")
    if name in _TIMES:
        return Kind(_TIMES[name])
    if name in _TEXT:
        return Kind("text")
    return Kind(text)


def step(before: str, now: str) -> Step:
    """How a declared type changed; lengths of text, spelling and `not null` do not matter."""
    old, new = kind(before), kind(now)
    if old is None or new is None or old == new:
        return "same"
    return "widened" if _holds(new, old) else "retyped"


def _holds(new: Kind, old: Kind) -> bool:
    """Whether every value of `old` can be written as `new` without losing anything."""
    if new.family == "text":
        return True
    if new.family == "integer":
        return old.family == "integer" and (old.precision or 0) <= (new.precision or 0)
    if new.family == "decimal":
        if old.family not in ("integer", "decimal"):
            return False
        if new.precision is None:
            return True
        if old.family == "integer":
            whole, scale = len(str(2 ** ((old.precision or 128) - 1) - 1)), 0
        elif old.precision is None:
            return False
        else:
            whole, scale = old.precision - (old.scale or 0), old.scale or 0
        return whole <= new.precision - (new.scale or 0) and scale <= (new.scale or 0)
    if new.family == "float":
        if old.family == "integer":
            return (old.precision or 128) < (new.precision or 0)
        return old.family == "float" and (old.precision or 0) <= (new.precision or 0)
    return new.family == "timestamp" and old.family == "date"


def contract_type(declared: str) -> str:
    """The contract's type that holds every value of a declared one; text where there is no better."""
    meant = kind(declared)
    if meant is None:
        return "text"
    if meant.family == "integer":
        if (meant.precision or 0) > 64:
            return "decimal(38, 0)"
        return "bigint"
    if meant.family == "decimal":
        if (
            meant.precision is None
            or not 1 <= meant.precision <= 38
            or not 0 <= (meant.scale or 0) <= meant.precision
        ):
            return "text"
        return f"decimal({meant.precision}, {meant.scale or 0})"
    plain = {"float": "double"} | {
        name: name for name in ("boolean", "date", "time", "timestamp", "timestamptz", "interval")
    }
    return plain.get(meant.family, "text")
