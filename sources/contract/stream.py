"""One stream of a source: its grain and key, what a batch of it stands for, and what happens on change."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sources.contract.columns import Column, Names
from sources.contract.durations import Duration
from sources.contract.formats import Format
from sources.contract.http import Request
from tieout.strict import Identifier, Strict, Title

Load = Literal["full", "slice", "incremental", "changes", "append"]
BY_CURSOR: tuple[Load, ...] = ("incremental", "changes", "append")


class Control(Strict):
    """What the source itself says about its data, compared with what was landed and with what is held.

    `query`: the database (or, for HTTP, the total its answer names) is asked in the same snapshot.
    `file`: a control file lies in the drop (`file` names it). `footer`: the total row of the sheet.
    `by`: a date column; the sums are asked for and compared month by month too.
    """

    kind: Literal["query", "file", "footer"]
    file: str | None = None
    rows: bool = True
    sums: tuple[Identifier, ...] = ()
    by: Identifier | None = None


class SoftDelete(Strict):
    """The source marks what it deleted: rows whose `column` holds one of `values` are gone."""

    column: Identifier
    values: tuple[str | int | bool, ...] = Field(min_length=1)


class Stream(Strict):
    """One table of a source; `key` names one row, `load` says what a batch stands for.

    full         the whole table: what is missing was deleted
    slice        (files) each file is the complete content of itself
    incremental  rows whose `cursor` (first non-null of its columns) is at or after the last pull's highest,
                 less `lateness`
    changes      the same over a rowversion, a number that only grows; `ceiling` asks the database up to
                 which value every transaction has ended
    append       a log: rows are added and never change; one that does change is quarantined

    `allow_empty: at_first`: the stream may be empty until the first rows came; from then on an empty answer is refused,
    for a right that was taken away looks like that.
    `missing` are texts by which this system says that there is no value (`~`, one blank, `0000-00-00`).
    `object` is what the system itself calls the stream, where a connector of the vendor is used.
    `deletes: keys` lists all keys at every pull: what is gone is marked deleted, and a row that was
    committed later than `lateness` allows is found all the same.
    """

    title: Title
    grain: str
    origin: str = Field(alias="from")
    format: Format | None = None
    request: Request | None = None
    key: tuple[Identifier, ...] = Field(min_length=1)
    load: Load = "full"
    cursor: Annotated[Names, Field(min_length=1)] | None = None
    lateness: Duration | None = None
    ceiling: str | None = None
    deletes: Literal["none", "keys"] | SoftDelete = "none"
    drift: Literal["note", "evolve", "quarantine", "freeze"] = "note"
    missing: tuple[str, ...] = ()
    object: str | None = None
    allow_empty: bool | Literal["at_first"] = False
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
        for column, spec in self.columns.items():
            if spec.values_on and (
                spec.values_on not in self.columns
                or self.columns[spec.values_on].type not in {"date", "timestamp", "timestamptz"}
            ):
                raise ValueError(f"{column}: values_on names no date column: {spec.values_on!r}")
        return self

    @model_validator(mode="after")
    def _control_is_promised(self) -> Stream:
        if self.control:
            wanted = {*self.control.sums, *([self.control.by] if self.control.by else [])}
            if unknown := wanted - set(self.columns):
                raise ValueError(f"control names unknown columns: {sorted(unknown)}")
            if self.control.by and self.columns[self.control.by].type not in {
                "date",
                "timestamp",
                "timestamptz",
            }:
                raise ValueError(f"control.by needs a date column, not {self.control.by!r}")
        return self

    @model_validator(mode="after")
    def _names_are_apart(self) -> Stream:
        names = [item for name in self.columns for item in self.source_names(name)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two columns read the same source column: {sorted(twice)}")
        return self

    @model_validator(mode="after")
    def _cursor_fits_the_load(self) -> Stream:
        if (self.load in BY_CURSOR) != (self.cursor is not None):
            raise ValueError(
                f"load {self.load!r} " + ("needs a `cursor`" if self.cursor is None else "has no cursor")
            )
        if self.ceiling and self.load != "changes":
            raise ValueError("`ceiling` belongs to load `changes`")
        for name in self.cursor or ():
            if name not in self.columns:
                raise ValueError(f"cursor column {name!r} is not among the columns")
            kind = self.columns[name].type
            ordered = (
                {"bigint", "integer"} if self.load == "changes" else {"date", "timestamp", "timestamptz"}
            )
            if self.load == "append":
                ordered |= {"bigint", "integer"}
            if kind not in ordered:
                raise ValueError(f"cursor {name!r} is {kind}; load {self.load!r} needs {sorted(ordered)}")
        if isinstance(self.deletes, SoftDelete):
            if self.deletes.column not in self.columns:
                raise ValueError(f"deletes: column {self.deletes.column!r} is not among the columns")
        elif self.deletes == "keys" and self.load not in BY_CURSOR:
            raise ValueError(f"deletes `keys` is not needed for load {self.load!r}: its batches are complete")
        return self

    def source_names(self, name: str) -> tuple[str, ...]:
        """The column's names inside the source, today's first."""
        return self.columns[name].source_names or (name,)

    def source_column(self, name: str) -> str:
        """The column's name inside the source today."""
        return self.source_names(name)[0]

    def column_in(self, name: str, present: Container[str]) -> str | None:
        """The name under which the source (`present`: its columns) holds the column, if it does."""
        return next((item for item in self.source_names(name) if item in present), None)
