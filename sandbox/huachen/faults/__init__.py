"""Faults as they happen in life, planted into what the systems of 华辰精工 show: never into what truly happened.

Each planted fault has a key in `answers/faults.json`, which the platform never reads: its kind, every row and field it
changed with the true and the shown value, the period and the amount at stake. `mend` is a new build. Times of change
stay as they were: who pulls only what changed since the last time sees a fault with the next full pull.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.huachen.faults import money, others, stock  # noqa: F401  (they enter their kinds into the register)
from sandbox.huachen.faults.desk import Desk, PlantError, as_record, touched_by
from sandbox.huachen.faults.kinds import REGISTER, Kind

__all__ = ["KEY_FILE", "MIX", "Kind", "PlantError", "kinds", "plant", "planted"]

MIX = "mix"
KEY_FILE = "faults.json"


def kinds() -> list[Kind]:
    """Every kind, by name."""
    return [REGISTER[name] for name in sorted(REGISTER)]


def planted(folder: Path) -> list[dict[str, Any]]:
    """The keys of all faults planted so far, oldest first."""
    try:
        return json.loads((folder / "answers" / KEY_FILE).read_text(encoding="utf-8"))["faults"]
    except FileNotFoundError:
        return []


def plant(
    folder: Path, kind: str, count: int = 1, seed: int = 1, *, overlap: bool = False
) -> list[dict[str, Any]]:
    """Plant faults into a built company, all or none of them.

    Args:
        kind: A name of the register, or `mix`: `count` of every kind.
        overlap: Rows that an earlier fault changed may be taken again.

    Returns: their keys, as they were added to `answers/faults.json`.

    Raises: PlantError for an unknown kind, a folder without a company, or when no row is left.
    """
    if kind != MIX and kind not in REGISTER:
        raise PlantError(
            f"there is no fault {kind!r}. Nothing was planted. There are: {', '.join([MIX, *sorted(REGISTER)])}"
        )
    if not (folder / ".built.json").is_file():
        raise PlantError(
            f"there is no company in {folder}. Nothing was planted. Build it first: "
            f"python -m sandbox.huachen build --doors {folder}"
        )
    # In a mix, what wants most rows comes first: one order more or less matters to a customer's, not to an amount's.
    names = sorted(REGISTER, key=lambda name: (name not in _WIDE, name)) if kind == MIX else [kind]
    with _alone(folder):
        before = planted(folder)
        drifts = _drifts(folder)
        touched = touched_by([change for fault in before for change in fault["changes"]])
        desk = Desk(folder, random.Random(), touched, overlap=overlap)
        try:
            made = list(_made(desk, names, count, seed, len(before)))
            _write(folder / "answers" / KEY_FILE, [*before, *made])
            desk.commit()
        except BaseException:
            _restore(drifts)
            if before:
                _write(folder / "answers" / KEY_FILE, before)
            else:
                (folder / "answers" / KEY_FILE).unlink(missing_ok=True)
            raise
        finally:
            desk.close()
    return made


_WIDE = {"customers-merged", "customer-split", "rounding", "wrong-zone", "wrong-clock"}


def _made(desk: Desk, names: Iterable[str], count: int, seed: int, before: int) -> Iterator[dict[str, Any]]:
    for name in names:
        for place in range(count):
            desk.changes.clear()
            desk.dice.seed(f"{seed}:{name}:{place}")
            stake = REGISTER[name].make(desk)
            if not desk.changes:  # only where overlaps were asked for
                raise PlantError(
                    f"{name}: the row taken shows this fault already. Nothing was planted. Take another --seed."
                )
            before += 1
            yield {
                "id": f"F{before:04d}", "kind": name, "zh": REGISTER[name].zh, "en": REGISTER[name].en,
                "system": desk.changes[-1].system, "table": desk.changes[-1].table, "period": stake.period or None,
                "amount": format(stake.amount, "f"), "currency": stake.currency,
                "changes": [as_record(change) for change in desk.changes],
            }  # fmt: skip


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One program at a time plants into a company."""
    with (folder / ".planting").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _drifts(folder: Path) -> dict[Path, bytes | None]:
    """The emulators' fault files as they are, beside the stores that could get one."""
    stores = (folder / "systems").glob("*.sqlite")
    files = [store.with_suffix(".faults.json") for store in stores]
    return {path: path.read_bytes() if path.exists() else None for path in files}


def _restore(drifts: dict[Path, bytes | None]) -> None:
    for path, content in drifts.items():
        if content is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != content:
            path.write_bytes(content)


def _write(path: Path, faults: list[dict[str, Any]]) -> None:
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.write_text(json.dumps({"faults": faults}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
