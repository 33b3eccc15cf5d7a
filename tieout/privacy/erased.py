"""Who was erased: decisions beside the stewards' ones, holding tokens of values and of record keys, never values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from tieout.ingest.decisions import Decision, decide, decisions
from tieout.privacy.tokens import Tokens, tokens

KIND = "erase-person"
EVERYWHERE = "*"  # in place of a system: whatever system a value stands in


@dataclass(frozen=True)
class Erased:
    """Every erasure of an installation together, as tokens.

    `values`: system (or EVERYWHERE) → tokens of values; `records`: source.stream → tokens of record keys, whose rows
    are the person's own. `words`: of how many words the longest value is.
    """

    tokens: Tokens
    values: Mapping[str, frozenset[str]]
    records: Mapping[str, frozenset[str]]
    words: int = 1

    def of(self, source: str) -> frozenset[str]:
        """Tokens of values to be replaced in one system."""
        return self.values.get(source, frozenset()) | self.values.get(EVERYWHERE, frozenset())

    @cached_property
    def anywhere(self) -> frozenset[str]:
        """Tokens of values of whatever system: for rows and pages that are known to be about a person, or are dispensable."""
        return frozenset().union(*self.values.values())

    def own(self, source: str, stream: str) -> frozenset[str]:
        return self.records.get(f"{source}.{stream}", frozenset())


def erased(landing_root: Path) -> Erased | None:
    """All erasures so far; None if nobody was ever erased, which costs a look into one folder.

    Raises: EraseError, DecisionError if what is needed to recognise them cannot be read.
    """
    taken = decisions(landing_root, kinds={KIND})
    return together(taken, tokens(landing_root)) if taken else None


def together(taken: Sequence[Decision], known: Tokens) -> Erased:
    values: dict[str, frozenset[str]] = {}
    records: dict[str, frozenset[str]] = {}
    for item in taken:
        for into, name in ((values, "values"), (records, "records")):
            for place, listed in item.about[name].items():
                into[place] = into.get(place, frozenset()) | frozenset(listed)
    return Erased(known, values, records, max((item.about["words"] for item in taken), default=1))


def erase(
    landing_root: Path,
    values: Mapping[str, Iterable[str]],
    records: Mapping[str, Iterable[str]],
    *,
    about: Mapping[str, str],
    by: str,
    reason: str,
    now: datetime,
) -> Decision:
    """Write down that a person is erased: from now on no pull lands these values.

    Args:
        values: System (or EVERYWHERE) → values; only their tokens are kept.
        records: source.stream → keys of the person's own rows, as `key_text` gives them.
        about: What may be said of the person: entity and master key.

    Raises: DecisionError if `by` or `reason` is empty; nothing is written.
    """
    known = tokens(landing_root, make=True)
    said = {
        **about,
        "values": {place: sorted({known.token(item) for item in held}) for place, held in values.items()},
        "words": max((len(item.split()) for held in values.values() for item in held), default=1),
        "records": {place: sorted({known.token(item) for item in held}) for place, held in records.items()},
    }
    return decide(landing_root, KIND, EVERYWHERE, EVERYWHERE, said, by=by, reason=reason, now=now)


def key_text(values: Iterable[object]) -> str:
    """A record's key as one text."""
    return "|".join("" if value is None else str(value) for value in values)
