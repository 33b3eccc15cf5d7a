"""What every connector is: declarations that a contract is expanded with, and questions about the system's metadata."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Option:
    """What `tieout source add` asks for; a secret is stored as a reference, never as itself.

    An option without `default` must be given. Its value is written to `connection.options` of the contract.
    """

    name: str
    zh: str
    en: str
    secret: bool = False
    default: str | None = None
    example: str | None = None


@dataclass(frozen=True)
class FieldMeta:
    """A field as the system describes it. `path` leads to its value in a row; `type` is the proposal for the contract.

    `kind` is the type in the vendor's own words, `doubt` a remark where the proposal is a guess (it becomes a comment).
    """

    id: str
    path: str
    title: str
    kind: str
    type: str
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    refers: str | None = None
    personal: bool = False
    unit: str | None = None
    currency: str | None = None
    doubt: str | None = None


@dataclass(frozen=True)
class ObjectMeta:
    """One object (form, bill, entity set, table) with its fields.

    `stream`: more of the stream's contract, such as `{"parent": …}` or `{"span": "7d"}`; `parent` is the object its rows
    lie in. `key` and `cursor` are field ids; without a cursor the object is read whole.
    """

    id: str
    title: str
    fields: tuple[FieldMeta, ...]
    key: tuple[str, ...]
    cursor: tuple[str, ...] = ()
    parent: str | None = None
    stream: Mapping[str, Any] | None = None
    doubt: str | None = None


class Ask(Protocol):
    """One signed, limited, judged request; returns the answer's document.

    Raises: tieout.ingest.errors.SourceError with the vendor's words.
    """

    def __call__(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: Any = None,
        form: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any: ...


class Connector(ABC):
    """One vendor. Subclasses declare; `request` and `discover` are the two things each must write."""

    vendor: ClassVar[str]
    zh: ClassVar[str]
    en: ClassVar[str]
    url: ClassVar[str | None] = None  # the usual address, if the vendor has one for everybody
    options: ClassVar[tuple[Option, ...]] = ()
    timezone: ClassVar[str] = "Asia/Shanghai"
    module: ClassVar[str] = "general"
    limits: ClassVar[Mapping[str, Any]] = {}
    missing: ClassVar[tuple[str, ...]] = ()  # texts that mean no value
    describes: ClassVar[bool] = True  # has metadata; fields guessed from rows cannot be compared pull by pull

    # --- what a contract is expanded with ---

    def settings(self, document: Mapping[str, Any]) -> dict[str, str]:
        """Every option as written (a reference stays one), or its default; raises ValueError naming those not given."""
        connection = document.get("connection")
        given = (connection.get("options") if isinstance(connection, Mapping) else None) or {}
        said = {item.name: given.get(item.name, item.default) for item in self.options}
        if missing := [name for name, value in said.items() if value is None]:
            raise ValueError(f"connection.options: say {', '.join(missing)}; {self.en} needs it")
        return {name: str(value) for name, value in said.items()}

    @abstractmethod
    def http(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The contract's `http`: auth, errors, headers. `document` is the contract as written."""

    @abstractmethod
    def request(self, name: str, stream: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
        """The stream's `from` and `request` (and what else it needs), from its `object`, columns and cursor."""

    def expanded(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The contract with everything filled in that was not written; raises ValueError naming the stream."""
        streams = {}
        for name, stream in (document.get("streams") or {}).items():
            if not isinstance(stream, dict) or not isinstance(stream.get("columns"), dict):
                streams[name] = stream  # the contract's own check says what is wrong
                continue
            if "object" not in stream and "request" not in stream:
                raise ValueError(f"streams.{name}: say `object`: what {self.en} calls it")
            made = self.request(name, stream, document) if "object" in stream else {}
            if self.missing:
                made = {"missing": list(self.missing), **made}
            streams[name] = merged(made, stream)
        made = {"http": self.http(document), "limits": dict(self.limits), "timezone": self.timezone}
        whole = merged(made, document)
        return {**whole, "connector": "http", "vendor": self.vendor, "streams": streams}

    # --- what the system says of itself ---

    def check(self, ask: Ask) -> None:
        """One cheap call that proves address, account and rights."""
        self.discover(ask, ())

    @abstractmethod
    def discover(self, ask: Ask, objects: Iterable[str] | None = None) -> list[ObjectMeta]:
        """Metadata of these objects; None: of all that this account may read; (): nothing but the list, to test the account.

        One line of work per vendor that has metadata; a vendor without any returns what its sheet says.
        """


def merged(made: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of mappings as one; what was written wins, key by key."""
    whole = dict(made)
    for key, value in written.items():
        before = whole.get(key)
        whole[key] = (
            merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
        )
    return whole


def source_names(stream: Mapping[str, Any]) -> dict[str, str]:
    """Column → the name it has in the system today, as the contract is written."""
    names = {}
    for column, spec in stream["columns"].items():
        said = spec.get("from", column) if isinstance(spec, Mapping) else column
        names[column] = said[0] if isinstance(said, list | tuple) else str(said)
    return names
