"""The register of kinds: each a small function that makes one fault at a desk and says what is at stake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.huachen.faults.desk import Desk, Stake

Maker = Callable[[Desk], Stake]


@dataclass(frozen=True)
class Kind:
    """`zh` and `en` say in one line what is wrong; `make` plants one."""

    name: str
    zh: str
    en: str
    make: Maker


REGISTER: dict[str, Kind] = {}


def kind(name: str, zh: str, en: str) -> Callable[[Maker], Maker]:
    """Enter a function into the register."""

    def enter(make: Maker) -> Maker:
        REGISTER[name] = Kind(name, zh, en, make)
        return make

    return enter
