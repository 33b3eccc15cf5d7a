"""The data standard as a steward writes it: `dbt_project/standards/*.yaml`, one entry per data element.

An element says what a field is wherever it occurs: its names, type, length, pattern, code list, unit, class, owner.
Columns of contracts are tied to it by name (`names`), one by one (`columns`), or, where every system has codes of its
own, with the list they belong to (`lists`). Nothing here is about one company; the files are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from sources.contract import Source
from sources.contract.columns import Column, Sensitivity
from tieout.strict import Identifier, Strict, Title, explained, from_yaml

Kind = Literal["text", "integer", "decimal", "date", "instant", "boolean"]
_KINDS: dict[str, Kind] = {
    "text": "text", "bigint": "integer", "integer": "integer", "double": "decimal", "date": "date",
    "timestamp": "instant", "timestamptz": "instant", "boolean": "boolean",
}  # fmt: skip


class StandardsError(Exception):
    """The dictionary cannot be read or contradicts itself or the contracts; nothing was checked."""


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _column(value: str) -> str:
    if len(value.split(".")) != 3:
        raise ValueError(f"{value!r} is not written source.stream.column")
    return value


Expression = Annotated[str, AfterValidator(_expression)]
Expressions = Annotated[tuple[Expression, ...], BeforeValidator(_listed)]
ColumnName = Annotated[str, AfterValidator(_column)]


class Length(Strict):
    """Characters of a text."""

    min: int = Field(default=1, ge=0)
    max: int = Field(ge=1)


class Digits(Strict):
    """Digits of a number: `whole` before the point, `places` behind it."""

    whole: int = Field(ge=1, le=38)
    places: int = Field(default=0, ge=0, le=20)


class Translation(Strict):
    """A seed of its own that translates one list: what a system prints, and the standard code it means."""

    seed: Identifier
    prints: Identifier
    means: Identifier


class Codes(Strict):
    """What the values may be, one of

    values    the codes themselves
    seed      `<seed>.<column>` in seeds/standards
    divisions the cities of China (master_data/standard/divisions.csv), in full or without 市
    statuses  the standard codes of a status; what a system prints is translated by `source_statuses.csv`

    `map` names the list in `code_map.csv`, or the seed, that translates what a system prints instead of a standard
    code; `spelled` is a `<seed>.<column>` of spellings that mean one of the codes in every system; `leading`: only so
    many characters are the code, what follows divides it further.
    """

    values: tuple[str | int | float, ...] | None = None
    seed: Annotated[str, Field(pattern=r"^[a-z_0-9]+\.[a-z_0-9]+$")] | None = None
    divisions: Literal["city"] | None = None
    spelled: Annotated[str, Field(pattern=r"^[a-z_0-9]+\.[a-z_0-9]+$")] | None = None
    map: Identifier | Translation | None = None
    leading: int | None = Field(default=None, ge=1)
    statuses: tuple[Identifier, ...] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Codes:
        if sum(item is not None for item in (self.values, self.seed, self.divisions, self.statuses)) != 1:
            raise ValueError("say one of values, seed, divisions, statuses")
        if self.map and self.statuses is not None:
            raise ValueError("`map` is for values and seeds; statuses are translated by source_statuses.csv")
        return self


class StatusList(Strict):
    """Which document's statuses a column holds, and the date column on which a status must be valid (else: today)."""

    document: Identifier
    dated: Identifier | None = None


class Element(Strict):
    """One data element of the dictionary."""

    title: Title
    meaning: Title
    type: Kind
    length: Length | None = None
    digits: Digits | None = None
    min: float | None = None
    max: float | None = None
    pattern: Expression | None = None
    check_digit: Literal["credit_code"] | None = None
    codes: Codes | None = None
    unit: Literal["stated"] | Identifier | None = None  # `stated`: every column must say its unit
    currency: Literal["stated"] | None = None
    sensitivity: Sensitivity = Field(alias="class")
    owner: str = Field(min_length=1)
    names: Expressions = ()
    columns: tuple[ColumnName, ...] = ()
    lists: dict[ColumnName, StatusList] = Field(default_factory=dict)
    without: tuple[ColumnName, ...] = Field(default=(), alias="except")

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Element:
        number = self.type in {"integer", "decimal"}
        for rule in ("digits", "min", "max", "unit", "currency"):
            if getattr(self, rule) is not None and not number:
                raise ValueError(f"{rule} needs a number, not {self.type}")
        for rule in ("length", "pattern", "check_digit"):
            if getattr(self, rule) is not None and self.type != "text":
                raise ValueError(f"{rule} needs text, not {self.type}")
        if (
            self.codes
            and self.codes.values
            and any(isinstance(code, str) == number for code in self.codes.values)
        ):
            raise ValueError("codes of a number are numbers, codes of text are text (put them in quotes)")
        if bool(self.lists) != bool(self.codes and self.codes.statuses):
            raise ValueError(
                "`lists` says for each column which document's `statuses` it holds: both or none"
            )
        if not (self.names or self.columns or self.lists):
            raise ValueError("no column is tied to it: say names, columns or lists")
        return self

    @property
    def form(self) -> str:
        """Type and size in one word, as people write it: text(18), decimal(14, 4)."""
        if self.length:
            same = self.length.min == self.length.max
            return f"text({self.length.max if same else f'{self.length.min}–{self.length.max}'})"
        if self.digits:
            return (
                f"{self.type}({self.digits.whole + self.digits.places}, {self.digits.places})"
                if self.digits.places
                else f"{self.type}({self.digits.whole})"
            )
        return self.type


class _File(Strict):
    elements: dict[Identifier, Element]


@dataclass(frozen=True)
class Tied:
    """A column of a contract and the element it is one of. `how`: name, column, list."""

    source: str
    stream: str
    column: str
    element: str
    how: str

    @property
    def place(self) -> str:
        return f"{self.source}.{self.stream}.{self.column}"


@dataclass(frozen=True)
class Dictionary:
    """Every element by its id."""

    elements: Mapping[str, Element]

    def tied(self, sources: Mapping[str, Source]) -> list[Tied]:
        """Every column that is one of the elements, in the order of the contracts.

        Raises: StandardsError if a column is tied to two elements, or a file names a column no contract has.
        """
        by_column, rules = self._by_column, self._rules
        found: list[Tied] = []
        seen: set[str] = set()
        for source, stream, column, spec in promised(sources):
            place = f"{source.name}.{stream}.{column}"
            seen.add(place)
            if place in by_column:
                element, how = by_column[place]
                found.append(Tied(source.name, stream, column, element, how))
                continue
            fitting = [
                name
                for name, rule in rules.items()
                if rule.fullmatch(column)
                and kind(spec) in _READS_AS[self.elements[name].type]
                and place not in self.elements[name].without
            ]
            if len(fitting) > 1:
                raise StandardsError(
                    f"standards: {place} fits the names of {' and '.join(fitting)}. Nothing was checked. "
                    f"Narrow one of the names, or list the column under `except` of one of them."
                )
            found += [Tied(source.name, stream, column, name, "name") for name in fitting]
        stale = sorted((set(by_column) | self._excepted) - seen)
        # A folder without some contract (a company that has not connected all) is no fault; a wrong stream or column is.
        if stale := [place for place in stale if place.split(".")[0] in sources]:
            raise StandardsError(
                f"standards: no contract has {', '.join(stale)}. Nothing was checked. Correct the files in dbt_project/standards."
            )
        return found

    @cached_property
    def _by_column(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for name, element in self.elements.items():
            for place in (*element.columns, *element.lists):
                if place in found:
                    raise StandardsError(
                        f"standards: {place} is listed under {found[place][0]} and {name}. Nothing was checked. "
                        f"A column is one element."
                    )
                found[place] = name, "list" if place in element.lists else "column"
        return found

    @cached_property
    def _rules(self) -> dict[str, re.Pattern[str]]:
        return {
            name: re.compile("|".join(f"(?:{rule})" for rule in element.names))
            for name, element in self.elements.items()
            if element.names
        }

    @property
    def _excepted(self) -> set[str]:
        return {place for element in self.elements.values() for place in element.without}


# By name alone a column of these types is tied; its values are then read as the element's type. One listed under
# `columns` may have any.
_READS_AS: dict[str, set[str]] = {
    "text": {"text"},
    "integer": {"integer", "decimal", "text"},
    "decimal": {"decimal", "integer", "text"},
    "date": {"date", "text"},
    "instant": {"instant"},
    "boolean": {"boolean"},
}


def kind(spec: Column) -> Kind | None:
    """What a contract's column type is called in the dictionary; None for times of day and durations."""
    return "decimal" if spec.type.startswith("decimal") else _KINDS.get(spec.type)


def promised(sources: Mapping[str, Source]) -> Iterator[tuple[Source, str, str, Column]]:
    """Every column of every contract."""
    for source in sources.values():
        for name, stream in source.streams.items():
            for column, spec in stream.columns.items():
                yield source, name, column, spec


def read_dictionary(folder: Path) -> Dictionary:
    """Every element of the files in a folder.

    Raises: StandardsError naming file and key if one cannot be read, says something unknown, or repeats an id.
    """
    import yaml

    elements: dict[str, Element] = {}
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise StandardsError(f"{folder} holds no dictionary of elements (*.yaml). Nothing was checked.")
    for path in files:
        try:
            document = from_yaml(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise StandardsError(f"standards/{path.name} cannot be read ({error}).") from error
        try:
            read = _File.model_validate(document)
        except ValidationError as error:
            raise StandardsError(
                f"standards/{path.name}: {explained(error)}. Nothing was checked."
            ) from error
        if twice := sorted(set(elements) & set(read.elements)):
            raise StandardsError(f"standards/{path.name}: another file has {', '.join(twice)} too.")
        elements |= read.elements
    return Dictionary(elements)
