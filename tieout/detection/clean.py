"""Alarms on the clean companies, each held against what their generators wrote down: an alarm that the key contradicts, or
ought to hold and does not, is false.

Keys: 华辰's `answers/identities.csv` (record of a system -> who it truly is) and 华信's `sandbox/huaxin/truth/`. The platform
reads neither.
"""

from __future__ import annotations

import csv
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tieout.detection.finding import Finding

ENTERED_ONCE = "dim_customer.customer_is_entered_once"
WITHIN_OPERATIONS = "fct_ledger_entry_line.entry_is_dated_within_operations"
TWO_ENTITIES = "would_join_two_legal_entities"
# Rule -> what the keys show of each of its alarms that is true.
PROVED_BY = {
    ENTERED_ONCE: "each customer named is in the keys twice within one system",
    WITHIN_OPERATIONS: "华信's key has as many lines, dated by the day a program ran",
    TWO_ENTITIES: "the two records are two customers in 华辰's key",
}
_WRONG_DAY = re.compile(r"(\d+) ledger lines .{0,40}?are dated \d{4}-\d\d-\d\d", re.S)
_PAIR = re.compile(r"customer (\S+?):(\S+) = (\S+?):(\S+): ")


class Keys:
    """The answer keys of a freshly built group.

    Args:
        huachen: Folder of 华辰, with its answers and stores.
        truth: Folder of 华信's truth.
    """

    def __init__(self, huachen: Path, truth: Path) -> None:
        with (huachen / "answers" / "identities.csv").open(encoding="utf-8", newline="") as file:
            self._who = {
                (f"hc_{row['system']}", row["code"]): row["true_number"]
                for row in csv.DictReader(file)
                if row["kind"] == "customer"
            }
        with (truth / "duplicate_parties_truth.csv").open(encoding="utf-8", newline="") as file:
            self._copies = {
                code for row in csv.DictReader(file) for code in (row["copy_code"], row["original_code"])
            }
        said = _WRONG_DAY.search((truth / "README.md").read_text("utf-8"))
        self._wrong_days = int(said[1]) if said else 0
        times = Counter((system, number) for (system, _), number in self._who.items())
        self._twice = {number for (_, number), count in times.items() if count > 1}
        con = sqlite3.connect(f"file:{huachen / 'systems' / 'kingdee.sqlite'}?mode=ro", uri=True)
        self._names = {
            name: self._who["hc_kingdee", code]
            for code, name in con.execute('select "FNumber", "FName" from "BD_Customer"')
        }
        con.close()

    def holds(self, finding: Finding) -> bool | None:
        """Whether the keys hold what a finding says; None if no key speaks of such things."""
        if finding.rule == ENTERED_ONCE:
            return bool(finding.rows) and all(
                self._is_twice(system, code) for system, _, code in finding.rows
            )
        if finding.rule == WITHIN_OPERATIONS:
            return self._wrong_days > 0 and len(finding.rows) == self._wrong_days
        if finding.rule == TWO_ENTITIES:
            pair = _PAIR.match(finding.title)
            if not pair:
                return False
            one, other = self._number(pair[1], pair[2]), self._number(pair[3], pair[4])
            return one is not None and other is not None and one != other
        return None

    def _is_twice(self, system: str, code: str) -> bool:
        return (
            code in self._copies if system.startswith("hx_") else self._who.get((system, code)) in self._twice
        )

    def _number(self, system: str, code: str) -> str | None:
        """Who a record truly is. A system without customers of its own has their names, often without the city."""
        if (system, code) in self._who:
            return self._who[system, code]
        found = {number for name, number in self._names.items() if name.endswith(code)}
        return found.pop() if len(found) == 1 else None


Proof = Callable[[Finding], bool | None]
