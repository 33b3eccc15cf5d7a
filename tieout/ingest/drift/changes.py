"""What changed in a stream's shape since its last batch: columns added, removed, renamed, retyped.

Pure: two shapes go in (source column → declared type), the differences come out. Whether a column that is
gone was renamed is a guess from names and types here; `evidence` (values compared by key) makes it a finding.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from sources.contract import Stream
from tieout.ingest.drift.kinds import step

What = Literal["added", "removed", "renamed", "widened", "retyped", "emptied"]
# Above it, values that agree say "renamed"; below the lower one, they say "another column". Between, names decide.
AGREE, DISAGREE = 0.7, 0.3
# Values can only speak if columns unlike each other would rarely agree by chance.
TELLING = 0.9
ALIKE = 0.75


@dataclass(frozen=True)
class Evidence:
    """Values of two columns in rows of the same key: `equal` of `compared`; `chance` would be equal anyway."""

    compared: int
    equal: int
    chance: float = 0.0
    by: Literal["key", "set"] = "key"  # set: the key itself is gone, so the sets of values were compared

    @property
    def share(self) -> float:
        return self.equal / self.compared if self.compared else 0.0

    @property
    def agreement(self) -> float:
        """Agreement beyond chance (Cohen's kappa): 1 always the same, 0 as unrelated columns."""
        return 0.0 if self.chance >= 1 else max(0.0, (self.share - self.chance) / (1 - self.chance))

    @property
    def tells(self) -> bool:
        """Whether there was anything to compare, and constants or flags do not agree with everything."""
        return self.compared > 0 and self.chance < TELLING

    def __str__(self) -> str:
        rows = "different values" if self.by == "set" else "rows with the same key"
        same = "are found there" if self.by == "set" else "hold the same value"
        chance = f" ({self.chance:.0%} would by chance)" if self.by == "key" and self.chance >= 0.005 else ""
        return f"{_percent(self.share)} of {self.compared:,} {rows} {same}{chance}"


@dataclass(frozen=True)
class Change:
    """One difference. `column` is the contract's name, or none if nothing was promised of it.

    `harmless`: every value still has its place, so the stream may go on.
    """

    what: What
    column: str | None
    before: str | None = None
    now: str | None = None
    type_before: str | None = None
    type_now: str | None = None
    evidence: Evidence | None = None
    harmless: bool = False
    detail: str = ""

    def __str__(self) -> str:
        """What is to be said of the table or file."""
        detail = f" ({self.detail})" if self.detail else ""
        if self.what == "added":
            return f"has a new column {self.now} ({self.type_now}){detail}"
        if self.what == "removed":
            return f"no longer has the column {self.before}{detail}"
        if self.what == "emptied":
            return f"has the column {self.now} without a single value{detail}"
        if self.what == "renamed":
            sure = self.evidence is not None and self.evidence.tells
            why = (
                f"it is {self.now} now: {self.evidence}" if sure else f"renamed? {self.now} is new, and alike"
            )
            return f"no longer has the column {self.before}; {why}{detail}"
        wider = "wider" if self.what == "widened" else "another type"
        return f"has the column {self.now} as {self.type_now}, which was {self.type_before}: {wider}{detail}"


def changes(
    stream: Stream,
    before: Mapping[str, str],
    now: Mapping[str, str],
    evidence: Mapping[tuple[str, str], Evidence] | None = None,
) -> list[Change]:
    """What differs between two shapes of a stream; the order of columns does not.

    Args:
        before: Source column → declared type at the last batch; empty if there was none.
        now: The same today.
        evidence: By (contract column, new source column): how its old values compare with the new ones.
    """
    lost = [column for column in stream.columns if stream.column_in(column, now) is None]
    promised = {item for column in stream.columns for item in stream.source_names(column)}
    new = [column for column in now if column not in promised and column not in before]
    pairs = _pairs(stream, before, now, lost, _candidates(promised, before, now, lost), evidence or {})
    found: list[Change] = []
    for column in stream.columns:
        was = stream.column_in(column, before)
        if column in pairs:
            heir = pairs[column]
            found.append(
                Change(
                    "renamed",
                    column,
                    was or stream.source_column(column),
                    heir,
                    before.get(was or ""),
                    now[heir],
                    (evidence or {}).get((column, heir)),
                )
            )
        elif column in lost:
            found.append(
                Change("removed", column, was or stream.source_column(column), None, before.get(was or ""))
            )
        elif was is not None:
            present = stream.column_in(column, now) or ""
            moved = step(before[was], now[present])
            if moved != "same":
                found.append(
                    Change(
                        moved, column, was, present, before[was], now[present], harmless=moved == "widened"
                    )
                )
    taken = set(pairs.values())
    if before:
        found += [
            Change("added", None, None, item, None, now[item], harmless=True)
            for item in new
            if item not in taken
        ]
        found += [
            Change("removed", None, item, None, before[item], harmless=True)
            for item in before
            if item not in now and item not in promised
        ]
    return found


def candidates(stream: Stream, before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Unpromised columns of today under which a promised one that is gone may hide: the new ones, if any are."""
    lost = [column for column in stream.columns if stream.column_in(column, now) is None]
    promised = {item for column in stream.columns for item in stream.source_names(column)}
    return _candidates(promised, before, now, lost)


def _candidates(
    promised: set[str], before: Mapping[str, str], now: Mapping[str, str], lost: list[str]
) -> list[str]:
    if not lost:
        return []
    return [column for column in now if column not in promised and column not in before]


def _pairs(
    stream: Stream,
    before: Mapping[str, str],
    now: Mapping[str, str],
    lost: list[str],
    heirs: list[str],
    evidence: Mapping[tuple[str, str], Evidence],
) -> dict[str, str]:
    """The most credible heir of each lost column, best pair first; no column inherits twice."""
    scored = []
    for column in lost:
        was = stream.column_in(column, before) or stream.source_column(column)
        for heir in heirs:
            same_type = was not in before or step(before[was], now[heir]) != "retyped"
            alike = max(likeness(was, heir), likeness(column, heir))
            only = len(lost) == 1 and len(heirs) == 1 and same_type
            seen = evidence.get((column, heir))
            if seen and seen.tells and (seen.agreement >= AGREE or seen.agreement < DISAGREE):
                credible, score = seen.agreement >= AGREE, 10 * seen.agreement
            else:
                credible = (alike >= ALIKE and same_type) or only
                score = 3 * (seen.agreement if seen else 0)
            if credible:
                scored.append((score + alike + 0.5 * same_type, column, heir))
    pairs: dict[str, str] = {}
    for _, column, heir in sorted(scored, key=lambda item: (-item[0], item[1], item[2])):
        if column not in pairs and heir not in pairs.values():
            pairs[column] = heir
    return pairs


def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1; case, width, spaces and underscores do not count."""
    a, b = _plain(one), _plain(other)
    if not a or not b:
        return 0.0
    short, long = sorted((a, b), key=len)
    if a == b:
        return 1.0
    # qty in quantity, cust in customer: the short name's letters in their order, from the same first letter.
    letters = iter(long)
    if len(short) >= 3 and short[0] == long[0] and all(letter in letters for letter in short):
        return max(0.8, SequenceMatcher(None, a, b).ratio())
    return SequenceMatcher(None, a, b).ratio()


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _percent(share: float) -> str:
    """Never 100 % of what is not all."""
    if 0.995 <= share < 1:
        return f"{int(share * 1000) / 10:.1f} %"
    return f"{share:.0%}".replace("%", " %")
