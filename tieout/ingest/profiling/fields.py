"""One field judged: its type and how many values fit, whether it is required, and what it may mean."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tieout.ingest.drafting.catalogue import Field, Table
from tieout.ingest.drafting.classes import sensitivity
from tieout.ingest.profiling import meanings
from tieout.ingest.profiling.gathered import Gathered, Guess, Steps
from tieout.ingest.profiling.kinds import NEARLY, Kind, fen, kind_of, text_of

_MOST_CODES, _ENOUGH_FOR_CODES = 30, 20
_LOOKED_AT = 500  # texts looked at for personal data

_IDENTITY = re.compile(r"(^|_)id$|Id$|ID$")  # few of them are few things, not a list of codes


@dataclass(frozen=True)
class Profiled:
    """What was found of one field. `type` is what the draft says; `best` the type most values fit, with its share.

    `codes` are values with how often they come, most frequent first; none of personal or secret fields.
    """

    steps: Steps
    type: str
    best: str
    fits: float
    filled: int
    rows: int
    distinct: int
    required: bool
    unique: bool
    codes: tuple[tuple[str, int], ...] = ()
    unit: str | None = None
    currency: str | None = None
    tax: str | None = None
    level: str | None = None
    numbers: str | None = None
    minutes: bool = False
    guesses: tuple[Guess, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.steps)


def profiled(one: Gathered, steps: Steps) -> Profiled:
    """Judge one field by its name and its sample."""
    name = ".".join(steps)
    raw = one.columns[steps]
    said = [text_of(value) for value in raw]
    texts = [item.strip() for item in said if item is not None and item.strip()]
    counts = Counter(texts)
    natives = set(map(type, raw)) - {type(None)}
    owner = "user" if len(steps) > 1 and meanings.is_person(steps[-2]) else one.label
    level, why_level = sensitivity(
        Table(owner, None, owner, ()), Field(steps[-1], "text", nullable=True), texts[:_LOOKED_AT]
    )
    kind = kind_of(one, steps, counts, natives, show=level is None)
    guesses = []
    if kind.remark:
        guesses.append(Guess(f"type {kind.best}", round(kind.confidence * kind.fits, 2), kind.remark))
    found = _meaning(one, name, kind, counts, guesses)
    if level:
        confidence = 0.7 if why_level is None else 0.85
        what = "a secret" if level == "L4" else "personal"
        guesses.append(Guess(f"class {level}", confidence, f"{what}: {why_level or 'by its name'}"))
    codes: tuple[tuple[str, int], ...] = ()
    if level is None and not _IDENTITY.search(steps[-1]) and _is_list(kind, counts, len(texts)):
        codes = tuple(counts.most_common(_MOST_CODES))
        words = (
            "always the same value"
            if len(counts) == 1
            else f"{len(counts)} different values in {len(texts):,}"
        )
        guesses.append(Guess("code list", 0.6 if len(counts) == 1 else 0.8, words))
    return Profiled(
        steps, kind.type, kind.best, kind.fits, len(texts), one.rows, len(counts),
        required=len(texts) == one.rows > 0, unique=len(counts) == len(texts) > 0, codes=codes, level=level,
        numbers=kind.numbers, minutes=kind.minutes, guesses=tuple(guesses), **found,
    )  # fmt: skip


# --- meanings ---------------------------------------------------------------------------------------


def _meaning(
    one: Gathered, name: str, kind: Kind, counts: Counter[str], guesses: list[Guess]
) -> dict[str, str | None]:
    """Unit, currency and tax for the contract; what else may be meant goes to the guesses."""
    found: dict[str, str | None] = {"unit": None, "currency": None, "tax": None}
    number = kind.type in {"bigint", "double"} or kind.type.startswith("decimal") or "number" in kind.best
    if not number or kind.numbers:
        if counts.keys() and counts.keys() <= meanings.ISO_CURRENCIES:
            guesses.append(Guess("currency codes", 0.9, "the values are ISO currencies"))
        return found
    amount = meanings.is_amount(name)
    for what, ask, when in (
        ("unit", meanings.unit_of, True),
        ("currency", meanings.currency_of, amount or "金" in name),
        ("tax", meanings.tax_of, amount),
    ):
        if when and (answer := ask(name)):
            found[what] = answer[0]
            guesses.append(Guess(f"{what} {answer[0]}", answer[1], "by its name"))
    for what, ask in (("unit", meanings.unit_in), ("currency", meanings.currency_in)):
        inside = Counter[str]()
        for text, times in counts.items():
            if answer := ask(text):
                inside[answer] += times
        if inside and inside.total() >= NEARLY * sum(counts.values()):
            listed = ", ".join(f"{item} {times:,}" for item, times in inside.most_common(5))
            guesses.append(Guess(f"{what} in the values", 0.9 if len(inside) == 1 else 0.6, listed))
            if len(inside) == 1 and found[what] is None:
                found[what] = inside.most_common(1)[0][0]
    if amount and kind.type != "text" and found["unit"] is None:
        confidence, reason = fen(name, counts)
        if confidence:
            guesses.append(Guess("amount in fen", confidence, reason))
            if confidence >= 0.7:
                found["unit"] = "fen"
    return found


def _is_list(kind: Kind, counts: Counter[str], filled: int) -> bool:
    if kind.type not in {"text", "bigint", "boolean"} or kind.numbers or kind.best in {"JSON", "local date"}:
        return False
    if "epoch" in kind.best or "number with" in kind.best or max(map(len, counts), default=0) > 60:
        return False
    return filled >= _ENOUGH_FOR_CODES and 1 <= len(counts) <= min(_MOST_CODES, filled // 5)
