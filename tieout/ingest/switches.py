"""Sources that are switched off in this installation: not asked, their tables stay as they are.

A company connects one module after the other. A source whose turn has not come is off: its raw tables are there and
empty, so every model that reads them is built, and empty where it has nothing else. Who switched what, when and why is
kept below the installation's home; contracts stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from sources.contract import ContractError
from tieout.whole import write_whole

FILE = "switched_off.json"


@dataclass(frozen=True)
class Off:
    """One source that is off; `at` is ISO text. One that is `unused` is no part of this installation: nobody waits for it."""

    source: str
    by: str
    reason: str
    at: str
    unused: bool = False


def switched_off(home: Path) -> dict[str, Off]:
    """What is off, by source.

    Raises: ContractError if the file was damaged.
    """
    path = home / FILE
    if not path.is_file():
        return {}
    try:
        return {item["source"]: Off(**item) for item in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, KeyError):
        raise ContractError(
            f"{path} cannot be read. Nothing was done. Delete it to switch every source on, or mend it."
        ) from None


def missing(home: Path) -> dict[str, Off]:
    """What is off although it belongs here: what is published is without it, and says so.

    Raises: ContractError if the file was damaged.
    """
    return {name: item for name, item in switched_off(home).items() if not item.unused}


def switch_off(
    home: Path,
    sources: Mapping[str, object],
    patterns: Iterable[str],
    by: str,
    reason: str,
    now: datetime,
    *,
    unused: bool = False,
) -> list[str]:
    """Switch sources off; returns those that were on, or off for another purpose.

    Args:
        patterns: Names; `*` stands for any characters.
        unused: They are no part of this installation.

    Raises: ContractError if a pattern names no source.
    """
    known = switched_off(home)
    named = matching(sources, patterns)
    chosen = [name for name in named if name not in known or known[name].unused != unused]
    known |= {name: Off(name, by, reason, now.isoformat(timespec="seconds"), unused) for name in chosen}
    _write(home, known)
    return chosen


def switch_on(home: Path, sources: Mapping[str, object], patterns: Iterable[str]) -> list[str]:
    """Switch sources on again; returns those that were off.

    Raises: ContractError if a pattern names no source.
    """
    known = switched_off(home)
    chosen = [name for name in matching(sources, patterns) if name in known]
    _write(home, {name: item for name, item in known.items() if name not in chosen})
    return chosen


def matching(sources: Mapping[str, object], patterns: Iterable[str]) -> list[str]:
    """The sources that any pattern names.

    Raises: ContractError if a pattern names none.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = [name for name in sources if fnmatchcase(name, pattern)]
        if not named:
            raise ContractError(
                f"there is no source {pattern!r}. Nothing was done. There are: {', '.join(sources)}."
            )
        found |= dict.fromkeys(named)
    return list(found)


def _write(home: Path, known: Mapping[str, Off]) -> None:
    text = json.dumps([asdict(item) for item in known.values()], ensure_ascii=False, indent=1)
    write_whole(home / FILE, text + "\n")
