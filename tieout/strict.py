"""What every file a person writes has in common: typed, frozen, unknown keys refused, titles in two languages."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class Strict(BaseModel):
    """Base of every model that text is read into."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Title(Strict):
    """A title for people, Chinese and English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


def _ascii_identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{value!r} is not a lower-case ASCII identifier")
    return value


Identifier = Annotated[str, AfterValidator(_ascii_identifier)]


def faults(error: ValidationError) -> list[str]:
    """What is wrong, key by key, without the input: what was given by mistake may hold a password."""
    places = (".".join(map(str, item["loc"])) for item in error.errors())
    return [
        f"{at}: {item['msg']}" if at else item["msg"] for at, item in zip(places, error.errors(), strict=True)
    ]


def explained(error: ValidationError) -> str:
    """The same in one line."""
    return "; ".join(faults(error))


def from_yaml(text: str) -> Any:
    """What a YAML text says, or None if it says nothing: libyaml reads ten times as fast as PyYAML's own parser.

    Raises: yaml.YAMLError naming line and column.
    """
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
