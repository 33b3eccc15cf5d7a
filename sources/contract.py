"""Typed reader of `sources/<source>/source.yaml`: what one connected system has promised.

A contract is the only file needed to land a table. Unknown keys are errors, so a typo never silently
changes what is loaded. Connections are references (`env:NAME`, `file:PATH`); they are resolved while a
run needs them and never stored, printed or logged.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from tieout.strict import Identifier, Strict, Title

_DECIMAL = re.compile(r"^decimal\((\d+), ?(\d+)\)$")
_PLAIN_TYPES = {
    "bigint", "integer", "double", "text", "date", "timestamp", "timestamptz", "time", "boolean", "interval",
}  # fmt: skip
# BI tools fail on columns named like a type; the loader's own columns begin with an underscore.
TECHNICAL_COLUMNS = ("_batch_id", "_loaded_at", "_hash", "_origin", "_row", "_is_deleted")


class ContractError(Exception):
    """A contract cannot be read or used; the message names file, key and remedy."""


def _known_type(value: str) -> str:
    if value in _PLAIN_TYPES:
        return value
    match = _DECIMAL.match(value)
    if match and 1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
        return f"decimal({match[1]}, {match[2]})"
    raise ValueError(f"unknown type {value!r}; use one of {sorted(_PLAIN_TYPES)} or decimal(p, s)")


ColumnType = Annotated[str, AfterValidator(_known_type)]
Sensitivity = Literal["L1", "L2", "L3", "L4"]


class Column(Strict):
    """One promised column and the rules a value must keep; a row that breaks one is quarantined."""

    type: ColumnType
    source_name: str | None = Field(default=None, alias="from")
    title: Title | None = None
    required: bool = False
    min: float | None = None
    max: float | None = None
    values: tuple[str | int, ...] | None = None
    pattern: str | None = None
    not_future: bool = False
    unit: str | None = None
    currency: str | None = None
    tax: Literal["included", "excluded", "none"] | None = None
    sensitivity: Sensitivity | None = Field(default=None, alias="class")

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Column:
        number = self.type in {"bigint", "integer", "double"} or self.type.startswith("decimal")
        if (self.min is not None or self.max is not None) and not number:
            raise ValueError(f"min and max need a number, not {self.type}")
        if self.not_future and self.type not in {"date", "timestamp", "timestamptz"}:
            raise ValueError(f"not_future needs a date or timestamp, not {self.type}")
        if self.pattern is not None:
            if self.type != "text":
                raise ValueError(f"pattern needs text, not {self.type}")
            re.compile(self.pattern)
        return self


class Format(Strict):
    """How a file is to be read. `header_row` counts from 1; rows from `footer` on are not data."""

    kind: Literal["csv", "parquet", "json", "xlsx"]
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1
    footer: str | None = None


class Control(Strict):
    """What the source itself says about its data, compared with what was landed.

    `query`: the database is asked for its count and sums in the same snapshot. `file`: a control file
    lies in the drop (`file` names it). `footer`: the total row of the sheet.
    """

    kind: Literal["query", "file", "footer"]
    file: str | None = None
    rows: bool = True
    sums: tuple[Identifier, ...] = ()


class Stream(Strict):
    """One table of a source; `key` names one row, `load` says what a batch stands for."""

    title: Title
    grain: str
    origin: str = Field(alias="from")
    format: Format | None = None
    key: tuple[Identifier, ...]
    load: Literal["full", "slice"] = "full"
    allow_empty: bool = False
    module: Identifier | None = None
    owner: str | None = None
    columns: dict[Identifier, Column]
    control: Control | None = None

    @model_validator(mode="after")
    def _key_is_promised(self) -> Stream:
        for name in self.key:
            if name not in self.columns:
                raise ValueError(f"key column {name!r} is not among the columns")
            if not self.columns[name].required:
                raise ValueError(f"key column {name!r} must say `required: true`")
        if self.control:
            unknown = set(self.control.sums) - set(self.columns)
            if unknown:
                raise ValueError(f"control sums name unknown columns: {sorted(unknown)}")
        names = [self.source_column(name) for name in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two columns read the same source column: {sorted(twice)}")
        return self

    def source_column(self, name: str) -> str:
        """The column's name inside the source."""
        return self.columns[name].source_name or name


class Connection(Strict):
    """References to secrets and places: `env:NAME` or `file:PATH`; a literal path is allowed for files."""

    dsn: str | None = None
    path: str | None = None

    def __repr__(self) -> str:
        return "Connection(…)"


class Schedule(Strict):
    """When the source is pulled, and how late its rows may come."""

    cron: str
    lateness: str = "0h"


class Source(Strict):
    """One connected system."""

    name: Identifier = Field(alias="source")
    title: Title
    module: Identifier
    owner: str
    connector: Literal["postgres", "sqlite", "files"]
    connection: Connection
    timezone: str = "Asia/Shanghai"
    sensitivity: Sensitivity = Field(alias="class")
    schedule: Schedule
    streams: dict[Identifier, Stream]

    @model_validator(mode="after")
    def _streams_fit_the_connector(self) -> Source:
        for name, stream in self.streams.items():
            if (self.connector == "files") != (stream.format is not None):
                raise ValueError(f"streams.{name}: `format` is for files, and files need one")
            if self.connector != "files" and stream.load == "slice":
                raise ValueError(f"streams.{name}: load `slice` is for files")
        wants = "dsn" if self.connector == "postgres" else "path"
        if getattr(self.connection, wants) is None:
            raise ValueError(f"connection: {self.connector} needs `{wants}`")
        return self

    @property
    def raw_schema(self) -> str:
        return f"raw_{self.name}"

    def class_of(self, stream: str, column: str) -> str:
        """Sensitivity class L1 to L4 of one column: its own, else the source's."""
        return self.streams[stream].columns[column].sensitivity or self.sensitivity

    def place(self) -> str:
        """The resolved connection string or path. Never log the result.

        Raises: ContractError if the reference points nowhere.
        """
        reference = self.connection.dsn or self.connection.path or ""
        return resolve(reference, f"{self.name}: connection")


def resolve(reference: str, what: str) -> str:
    """Look up `env:NAME` or `file:PATH`; anything else is taken literally.

    Raises: ContractError naming the missing variable or file (never its value).
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            raise ContractError(
                f"{what}: the environment variable {name} is not set. Nothing was read. "
                f"Set it (the sample company writes its own to company/doors.env; `tieout demo` reads that)."
            )
        return value
    if kind == "file":
        path = Path(name).expanduser()
        if not path.is_file():
            raise ContractError(f"{what}: the file {name} does not exist. Nothing was read.")
        return path.read_text(encoding="utf-8").strip()
    return reference


def read_source(path: Path) -> Source:
    """Read one contract.

    Raises: ContractError naming the file and every wrong key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        source = Source.model_validate(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, yaml.YAMLError) as error:
        raise ContractError(f"{path}: cannot be read: {error}") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise ContractError(f"{path} does not keep the contract format:\n" + "\n".join(lines)) from None
    if source.name != path.parent.name:
        raise ContractError(f"{path}: says source {source.name!r}, but lies in {path.parent.name!r}")
    return source


def read_sources(folder: Path) -> dict[str, Source]:
    """Every contract below `folder`, by name, in alphabetical order.

    Raises: ContractError if one cannot be read, or none is there.
    """
    sources = {path.parent.name: read_source(path) for path in sorted(folder.glob("*/source.yaml"))}
    if not sources:
        raise ContractError(f"{folder}: no source.yaml found. Nothing can be loaded.")
    return sources


def contract_version(source: Source) -> str:
    """Content hash of a contract: two equal promises have the same version."""
    return hashlib.sha256(source.model_dump_json(by_alias=True).encode()).hexdigest()[:16]
