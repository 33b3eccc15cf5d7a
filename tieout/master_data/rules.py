"""Match rules of one entity, as a steward writes them: `dbt_project/master_data/<entity>.yaml`.

How values are brought into one form (`fields`), which records are looked at together (`blocks`), what is compared
(`comparisons`) and what follows (`rules`, the first that fits decides; `model` for what is left). Nothing here is about
one company; the files are.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from tieout.master_data.standard.columns import STANDARDS, columns
from tieout.master_data.types import MasterDataError
from tieout.strict import Identifier, Strict, explained, from_yaml

# What each way to compare can find, the surest first. `unknown` is always there: a value is missing on one side.
LEVELS: dict[str, tuple[str, ...]] = {
    "equal": ("same", "differs"),
    "any": ("same", "differs"),
    "reference": ("same", "differs"),
    "place": ("same", "within", "differs"),
    "address": ("same", "road", "differs"),
    "company_name": (
        "same", "stem", "formless", "short", "form", "group", "near", "core", "branch", "region", "other"
    ),
    "flag": ("holds", "fails"),
    "said": ("same",),
    "text": (),
    "overlap": (),
    "number": ("same", "close", "differs"),
}  # fmt: skip
UNKNOWN = "unknown"
SAME_AS = "same_as"  # column of a record: ids of records that this one is said to be


class RulesError(MasterDataError):
    """A file of rules cannot be read or contradicts itself; nothing was matched."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class FieldRule(Strict):
    """One field of a record in one form: the columns it comes from, and the standard it is brought to."""

    from_: Names = Field(alias="from", min_length=1)
    as_: Literal[tuple(STANDARDS)] = Field(alias="as")  # ty: ignore[invalid-type-form]


class Reference(Strict):
    """Where a system quotes a code of another list, so that codes of two systems may be compared at all.

    `pattern` finds the code in the column: its first group, or all of it. Letters and digits of it count.
    """

    space: Identifier
    system: Names = Field(min_length=1)
    column: str = Field(min_length=1)
    pattern: str = "(.+)"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


class Block(Strict):
    """Records with the same value in all these columns are looked at together; a larger group says nothing and is left out."""

    of: Names = Field(min_length=1)
    largest: int = Field(default=100, ge=2, le=1000)


class Unique(Strict):
    """A flag `name`: of the records with the same value in the columns `within`, all say the same of each in `one`."""

    name: Identifier
    within: Names = Field(min_length=1)
    one: Names = Field(min_length=1)


class Comparison(Strict):
    """What of two records is compared: `of` a field (or column), `how`. `levels` are thresholds, for text and overlap."""

    how: Literal[tuple(LEVELS)]  # ty: ignore[invalid-type-form]
    of: Identifier
    levels: tuple[float, ...] = ()
    says: str = ""  # what a steward reads before the value: "phone"

    @property
    def found(self) -> tuple[str, ...]:
        """The levels it can find, the surest first, `unknown` last."""
        if self.how in ("text", "overlap"):
            return (*(f"at_least_{round(level * 100)}" for level in self.levels), "differs", UNKNOWN)
        return (*LEVELS[self.how], UNKNOWN)


class MatchRule(Strict):
    """If every comparison named in `when` found one of these levels, the pair has this score, and no later rule counts."""

    name: Identifier
    when: dict[str, Names] = Field(min_length=1)
    score: float = Field(ge=0, le=1)


class Model(Strict):
    """A frozen Fellegi–Sunter table: log2 of the odds of a match among candidates, plus one weight a level.

    `trained` says on what, how and when.
    """

    trained: str = Field(min_length=1)
    prior: float
    weights: dict[str, dict[str, float]]


class Rules(Strict):
    """Everything that decides which records are one. `entity` is the name of the file."""

    entity: Identifier
    kind: Literal["party", "product", "person"]
    auto: float = Field(gt=0, le=1)
    review: float = Field(gt=0, le=1)
    fields: dict[Identifier, FieldRule]
    references: tuple[Reference, ...] = ()
    exclusive: str | None = None
    no_duplicates_within: tuple[str, ...] = ()
    shared_by: dict[str, int] = Field(default_factory=dict)
    unique: tuple[Unique, ...] = ()
    blocks: tuple[Block, ...] = Field(min_length=1)
    comparisons: dict[Identifier, Comparison]
    rules: tuple[MatchRule, ...] = ()
    model: str | None = None
    table: Model | None = None  # read from the file that `model` names
    trust: tuple[str, ...] = ()
    trust_for: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    together: tuple[tuple[str, ...], ...] = ()

    @property
    def survivorship(self) -> dict[str, tuple[str, ...]]:
        """Attribute → systems, best first; `*` for the attributes that `trust_for` does not name."""
        return {"*": self.trust, **self.trust_for}

    @property
    def columns(self) -> list[str]:
        """Columns of a standardised record that blocks and comparisons may name."""
        made = [name for field, rule in self.fields.items() for name in columns(field, rule.as_)]
        return [*made, SAME_AS, *(("reference",) if self.references else ())]

    @model_validator(mode="after")
    def _consistent(self) -> Rules:
        wrong = []
        known, flags = set(self.columns), {item.name for item in self.unique}
        if self.review > self.auto:
            wrong.append(f"review ({self.review}) is above auto ({self.auto})")
        for block in self.blocks:
            wrong += [f"blocks: no column {name}" for name in block.of if name not in known]
        for item in self.unique:
            wrong += [
                f"unique.{item.name}: no column {name}"
                for name in (*item.within, *item.one)
                if name not in known
            ]
        wrong += [f"shared_by: no column {name}" for name in self.shared_by if name not in known]
        if self.exclusive and self.exclusive not in known:
            wrong.append(f"exclusive: no column {self.exclusive}")
        for name, comparison in self.comparisons.items():
            if comparison.of not in (flags if comparison.how == "flag" else known):
                wrong.append(
                    f"comparisons.{name}: no {'flag' if comparison.how == 'flag' else 'column'} {comparison.of}"
                )
            if bool(comparison.levels) != (comparison.how in ("text", "overlap")):
                wrong.append(f"comparisons.{name}: `levels` are for text and overlap, which need them")
        for rule in self.rules:
            for name, levels in rule.when.items():
                if name not in self.comparisons:
                    wrong.append(f"rules.{rule.name}: nothing compares {name}")
                    continue
                can = self.comparisons[name].found
                wrong += [
                    f"rules.{rule.name}: {name} never finds {level}, only {', '.join(can)}"
                    for level in levels
                    if level not in can
                ]
        if len({rule.name for rule in self.rules}) < len(self.rules):
            wrong.append("rules: two have the same name")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def read_rules(path: Path) -> Rules:
    """Read the rules of one entity, with the frozen model beside them.

    Raises: RulesError if the file is missing, is no YAML, or says something that cannot be.
    """
    import yaml

    try:
        document = from_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RulesError(f"{path.name}: the rules cannot be read ({error}). Nothing was matched.") from error
    if not isinstance(document, dict):
        raise RulesError(f"{path.name}: the rules are not a list of keys and values. Nothing was matched.")
    return rules_from(document, path)


def rules_from(document: dict[str, Any], path: Path | None = None) -> Rules:
    """Rules from what a file holds; `path` is where the model is looked for.

    Raises: RulesError as `read_rules`.
    """
    at = path.name if path else "rules"
    table = document.get("table")
    if document.get("model") and path:
        file = path.with_name(str(document["model"]))
        try:
            table = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RulesError(
                f"{at}: its model {file.name} cannot be read ({error}). Nothing was matched. "
                f"Train it again or take out the line `model`."
            ) from error
    try:
        return Rules.model_validate({**document, "table": table})
    except ValidationError as error:
        raise RulesError(f"{at}: {explained(error)}. Nothing was matched.") from error
