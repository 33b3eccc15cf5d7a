"""Keys of an object, columns that point at another object's key, and columns that say when a row changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from tieout.ingest.drafting.classes import words
from tieout.ingest.profiling import meanings
from tieout.ingest.profiling.fields import Profiled
from tieout.ingest.profiling.gathered import Gathered, Guess, Steps
from tieout.ingest.profiling.kinds import text_of

Columns = Mapping[Steps, Profiled]
_PAIRED = 12  # columns tried as halves of a key
_CONTAINED, _ENOUGH, _FEWEST = 0.95, 8, 3
_DENSE = 0.2  # of the whole numbers between a key's least and largest: then any small number is contained
_LONGEST_KEY = 80


@dataclass(frozen=True)
class Key:
    columns: tuple[Steps, ...]
    guess: Guess


@dataclass(frozen=True)
class Pointer:
    """`source`.`column` seems to hold values of `target`.`key`."""

    source: Gathered
    column: Steps
    target: Gathered
    key: Steps
    guess: Guess


def keys(one: Gathered, columns: Columns, above: tuple[Steps, ...] = ()) -> list[Key]:
    """Columns that name a row, the likeliest first: single ones, else pairs. `above` is a parent's key, of a child."""
    found = [key for place, item in enumerate(columns.values()) if (key := _single(one, item, place))]
    found.sort(key=lambda key: -key.guess.confidence)
    if found and found[0].guess.confidence >= 0.6:
        return found[:5]
    names = tuple(("parent", *steps) for steps in above)
    every = found + _pairs(one, columns, names)
    return sorted(every, key=lambda key: -key.guess.confidence)[:5]


def _single(one: Gathered, item: Profiled, place: int) -> Key | None:
    if not (item.required and item.unique and one.rows > 1) or item.best in {"JSON", "boolean", "nothing"}:
        return None
    named = meanings.is_key(item.name)
    confidence = (
        0.5 + (0.3 if named else 0.0) + min(one.rows, 100) / 100 * 0.15 + (0.05 if place == 0 else 0.0)
    )
    if not _may_name(item) and not named:
        confidence -= 0.4
    if len(item.steps) > 1:
        confidence -= 0.1  # of an object inside: rather what the row points at
    if max((len(text_of(value) or "") for value in one.columns[item.steps][:100]), default=0) > _LONGEST_KEY:
        confidence -= 0.3
    if confidence < 0.2:
        return None
    reason = f"unique and never null in {one.rows:,} rows" + ("; named like a key" if named else "")
    return Key((item.steps,), Guess(item.name, round(min(confidence, 0.99), 2), reason))


def _may_name(item: Profiled) -> bool:
    """Whether the type is one that keys have: no amount, no time, no number with decimals."""
    number = item.type == "double" or item.type.startswith("decimal") or "number" in item.best
    time = (
        item.type in {"date", "timestamp", "timestamptz", "time"}
        or item.best in {"local date"}
        or "epoch" in item.best
    )
    return not number and not time and not meanings.is_measure(item.name) and item.level != "L4"


def _pairs(one: Gathered, columns: Columns, above: tuple[Steps, ...]) -> list[Key]:
    able = [
        item
        for item in columns.values()
        if item.required and item.distinct > 1 and (_may_name(item) or item.type == "date" or _line(item.name))
        and item.best not in {"JSON", "boolean"}
    ]  # fmt: skip
    able.sort(key=lambda item: (not meanings.is_key(item.name) and not _line(item.name), -item.distinct))
    able = able[:_PAIRED]
    if above:
        sets = [(*above, item.steps) for item in able]
    else:
        sets = [(one_.steps, two.steps) for one_, two in combinations(able, 2)]
    found = []
    for names in sets:
        rows = list(zip(*(one.values(steps) for steps in names), strict=True))
        if len(rows) < 2 or len(set(map(repr, rows))) < len(rows):
            continue
        said = [".".join(steps) for steps in names]
        named = sum(meanings.is_key(name) or _line(name) for name in said)
        confidence = 0.35 + 0.15 * min(named, 2) + min(one.rows, 100) / 100 * 0.15 + (0.1 if above else 0.0)
        reason = f"together unique and never null in {one.rows:,} rows"
        found.append(Key(names, Guess(" + ".join(said), round(confidence, 2), reason)))
    return sorted(found, key=lambda key: -key.guess.confidence)[:3]


def _line(name: str) -> bool:
    return bool(
        words(name.rpartition(".")[2]) & {"line", "row", "seq", "sequence", "index", "item", "posnr", "entry"}
    ) or bool(re.search(r"行号|序号|项次|行次", name))


# --- pointers ---------------------------------------------------------------------------------------


def pointers(objects: list[tuple[Gathered, Columns, list[Key]]]) -> list[Pointer]:
    """Columns whose values are nearly all among the values of another object's key.

    By chance this is true of small numbers and a key that counts 1, 2, 3 …: there the name must say it too.
    """
    targets = []
    for one, columns, found in objects:
        for key in found:
            if len(key.columns) == 1 and key.guess.confidence >= 0.5:
                item = columns[key.columns[0]]
                if _may_name(item):
                    targets.append((one, item, _values(one, item.steps)))
    pointing = []
    for one, columns, found in objects:
        own = {key.columns[0] for key in found[:1] if len(key.columns) == 1}
        for item in columns.values():
            if not _may_name(item) or item.distinct < _FEWEST or item.best in {"boolean", "JSON", "nothing"}:
                continue
            values = _values(one, item.steps)
            best = [
                guess
                for target, key, known in targets
                if not (target is one and key.steps == item.steps)
                and (guess := _points(one, item, values, target, key, known, item.steps in own))
            ]
            pointing += sorted(best, key=lambda pointer: -pointer.guess.confidence)[:2]
    return sorted(pointing, key=lambda pointer: -pointer.guess.confidence)


def _values(one: Gathered, steps: Steps) -> frozenset[str]:
    return frozenset(text for value in one.columns[steps] if (text := text_of(value)) and text.strip())


def _points(
    one: Gathered, item: Profiled, values: frozenset[str], target: Gathered, key: Profiled, known: frozenset[str],
    is_key: bool,
) -> Pointer | None:  # fmt: skip
    share = len(values & known) / len(values)
    alike = _alike(item.name, key.name, target.label) or (target is one and _UP.search(item.name) is not None)
    # 0 and -1 are how many systems write that there is none.
    if share < _CONTAINED and len(values - known - {"0", "-1"}) / len(values) > 1 - _CONTAINED:
        return None
    if (len(values) < _ENOUGH or _is_dense(known) or is_key) and not alike:
        return None
    confidence = 0.6 * share + (0.3 if alike else 0.0) + min(len(values), 50) / 50 * 0.1
    reason = f"{share:.0%} of its {len(values):,} values are there" + ("; the names agree" if alike else "")
    if not target.whole:
        reason += f"; only {target.rows:,} rows of {target.label} were looked at"
    guess = Guess(f"{item.name} → {target.label}.{key.name}", round(min(confidence, 0.99), 2), reason)
    return Pointer(one, item.steps, target, key.steps, guess)


def _is_dense(known: frozenset[str]) -> bool:
    """Whether a key's values are whole numbers that lie close together."""
    if not all(re.fullmatch(r"\d{1,15}", text) for text in known):
        return False
    numbers = [int(text) for text in known]
    return len(numbers) / (max(numbers) - min(numbers) + 1) > _DENSE


# A column of a tree that names the row above it.
_UP = re.compile(r"parent|superior|manager|leader|上级|父", re.IGNORECASE)
_NO_MEANING = {
    "id",
    "no",
    "code",
    "key",
    "number",
    "num",
    "uuid",
    "guid",
    "f",
    "fk",
    "ref",
    "the",
    "x",
    "list",
    "name",
}


def _alike(column: str, key: str, target: str) -> bool:
    """customer_id and customers.id, 客户编号 and 客户.编号, matnr and matnr."""
    own, other = _core(column), _core(f"{target}.{key}") | _core(target) | _core(key)
    if own & other:
        return True
    zh_own = re.sub(
        r"(编号|编码|代码|单号|名称|ID|id|号|码|所属|关联)", "", re.sub(r"[^\u4e00-\u9fff]", "", column)
    )
    zh_other = re.sub(r"[^\u4e00-\u9fff]", "", target + key)
    return len(zh_own) >= 2 and zh_own in zh_other


def _core(name: str) -> frozenset[str]:
    found = set()
    for word in words(name.replace(".", "_")):
        word = re.sub(r"(id|no|code|key)$", "", word) if len(word) > 5 else word
        word = word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
        if len(word) > 1 and not word.isdigit() and word not in _NO_MEANING:
            found.add(word)
    return frozenset(found)


# --- cursors ----------------------------------------------------------------------------------------


def cursors(one: Gathered, columns: Columns) -> list[Guess]:
    """Columns by which changed rows could be asked for, the likeliest first."""
    found = []
    for item in columns.values():
        if item.type not in {"date", "timestamp", "timestamptz"} or not item.filled:
            continue
        said = meanings.changed(item.name)
        if not said:
            continue
        confidence, reason = said, "named as the time of the last change"
        if said < 0.5:
            reason = "the time of creation: finds new rows, not changed ones"
        if not item.required:
            confidence -= 0.2
            reason += f"; null in {item.rows - item.filled:,} of {item.rows:,} rows"
        if item.type == "date":
            confidence -= 0.2
            reason += "; a day only"
        found.append(Guess(item.name, round(confidence, 2), reason))
    return sorted(found, key=lambda guess: -guess.confidence)
