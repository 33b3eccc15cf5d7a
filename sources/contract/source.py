"""One connected system, and the files that describe it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from sources.connectors import expanded
from sources.contract.columns import Sensitivity
from sources.contract.durations import Duration
from sources.contract.http import Http, family_faults
from sources.contract.inbox import Inbox
from sources.contract.references import ContractError, holds_a_secret, resolve
from sources.contract.stream import BY_CURSOR, Stream
from tieout.strict import Identifier, Strict, Title, faults, from_yaml

DATABASES = ("postgres", "mysql", "sqlite", "sqlserver", "oracle")


class Connection(Strict):
    """References to secrets and places; a literal path or address is allowed, a literal password is not.

    `dsn` for databases, `path` for SQLite and files (a folder, `s3://bucket/folder`, `sftp://user@host/folder`),
    `url` for HTTP; `options` for what else the driver needs (endpoint, access_key, secret_key, key_file …).
    """

    dsn: str | None = None
    path: str | None = None
    url: str | None = None
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_secret_is_written_down(self) -> Connection:
        for text in (self.dsn, self.path, self.url, *self.options.values()):
            if text and holds_a_secret(text):
                raise ValueError(
                    "a password or token is written here; use env:NAME, file:PATH or secret:NAME"
                )
        return self

    def __repr__(self) -> str:
        return "Connection(…)"

    __str__ = __repr__


class Schedule(Strict):
    """When the source is pulled, and how late its rows may come."""

    cron: str
    lateness: Duration = "0h"


class Limits(Strict):
    """How hard a system may be asked. `hours` (company time, `20:00-07:00`) is when it may be asked at all."""

    requests_per_second: float | None = Field(default=None, gt=0)
    concurrency: int = Field(default=2, ge=1)
    calls_per_month: int | None = Field(default=None, ge=1)
    hours: str | None = Field(default=None, pattern=r"^\d\d:\d\d-\d\d:\d\d$")
    timeout: Duration = "30s"
    retries: int = Field(default=5, ge=0)
    longest_wait: Duration = "2m"  # of one back-off, also when the server asks for more
    pages: int = Field(default=100_000, ge=1)
    page_megabytes: int = Field(default=64, ge=1)


class SourceControl(Strict):
    """A total of the whole system, such as a trial balance, asked of the system and of what we hold.

    `ask` is the system's own SQL (HTTP: a path and where the value is, `/report/balance#data.total`),
    `hold` is SQL over `raw_<source>`; each returns one number.
    """

    title: Title
    ask: str
    hold: str
    tolerance: float = 0
    unit: str | None = None


class Source(Strict):
    """One connected system. `vendor` is set by the vendor's connector (`connector: kingdee` becomes http)."""

    name: Identifier = Field(alias="source")
    title: Title
    module: Identifier
    owner: str
    connector: Literal["postgres", "mysql", "sqlite", "sqlserver", "oracle", "http", "files"]
    vendor: Identifier | None = None
    connection: Connection
    timezone: str = "Asia/Shanghai"
    sensitivity: Sensitivity = Field(alias="class")
    schedule: Schedule
    limits: Limits = Limits()
    http: Http | None = None
    inbox: Inbox | None = None
    controls: dict[Identifier, SourceControl] = Field(default_factory=dict)
    streams: dict[Identifier, Stream]

    @model_validator(mode="before")
    @classmethod
    def _vendor_is_filled_in(cls, document: Any) -> Any:
        return expanded(document) if isinstance(document, dict) else document

    @model_validator(mode="after")
    def _streams_fit_the_connector(self) -> Source:
        for name, stream in self.streams.items():
            if (self.connector == "files") != (stream.format is not None):
                raise ValueError(f"streams.{name}: `format` is for files, and files need one")
            if (self.connector == "http") != (stream.request is not None):
                raise ValueError(f"streams.{name}: `request` is for http, and http needs one")
            if self.connector != "files" and stream.load == "slice":
                raise ValueError(f"streams.{name}: load `slice` is for files")
            if self.connector == "files" and stream.load in BY_CURSOR:
                raise ValueError(f"streams.{name}: files are loaded `full` or `slice`, not {stream.load!r}")
        if self.inbox and (unknown := self.inbox.streams - set(self.streams)):
            raise ValueError(f"inbox.hints names unknown streams: {sorted(unknown)}")
        if faults := family_faults(self.streams):
            raise ValueError("; ".join(faults))
        wants = {"http": "url", "files": "path", "sqlite": "path"}.get(self.connector, "dsn")
        if getattr(self.connection, wants) is None:
            raise ValueError(f"connection: {self.connector} needs `{wants}`")
        return self

    @property
    def raw_schema(self) -> str:
        return f"raw_{self.name}"

    def class_of(self, stream: str, column: str) -> str:
        """Sensitivity class L1 to L4 of one column: its own, else the source's."""
        return self.streams[stream].columns[column].sensitivity or self.sensitivity

    def owner_of(self, stream: str) -> str:
        return self.streams[stream].owner or self.owner

    def lateness_of(self, stream: str) -> Duration:
        return self.streams[stream].lateness or self.schedule.lateness

    def place(self) -> str:
        """The resolved connection string, path or address. Never log the result.

        Raises: ContractError if the reference points nowhere.
        """
        reference = self.connection.dsn or self.connection.path or self.connection.url or ""
        return resolve(reference, f"{self.name}: connection")

    def options(self) -> dict[str, str]:
        """The resolved connection options. Never log the result."""
        return {
            name: resolve(reference, f"{self.name}: connection.options.{name}")
            for name, reference in self.connection.options.items()
        }


def read_source(path: Path) -> Source:
    """Read one contract.

    Raises: ContractError naming the file and every wrong key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        source = Source.model_validate(from_yaml(text))
    except (OSError, yaml.YAMLError) as error:
        raise ContractError(f"{path}: cannot be read: {error}") from error
    except ValidationError as error:
        lines = "\n  ".join(faults(error))
        raise ContractError(f"{path} does not keep the contract format:\n  {lines}") from None
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
