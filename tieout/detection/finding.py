"""What the platform says is wrong after a refresh, whichever part of it said so, in one shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

# A row of a source: system, stream, record key, as `source_system`, `source_stream`, `source_record` say it.
Place = tuple[str, str, str]
Kind = Literal["quarantine", "control", "hold", "test", "check", "identity", "case", "root"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, as a user reads it.

    `says` is what it names as the cause: a case's kind, a check's id, an identity with the cause or the suspect of the
    amount. `rows` and `documents` are what it points at; `group` tells findings of one rule apart. A `root` is no finding
    of its own but what others have as their cause; `parts` names these.
    """

    kind: Kind
    rule: str
    says: str
    group: str
    title: str
    amount: Decimal | None = None
    rows: frozenset[Place] = frozenset()
    documents: frozenset[str] = frozenset()
    parts: frozenset[tuple[str, str]] = frozenset()  # rule and group

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same finding in another run."""
        return self.kind, self.rule, self.says, self.group


def beyond(found: list[Finding], clean: list[Finding]) -> list[Finding]:
    """What was found beside what the clean company shows.

    A finding that was there already counts only with what is new of it: its new rows and documents, and the amount
    beyond the one that was there.
    """
    known = {item.identity: item for item in clean}
    new = []
    for item in found:
        was = known.get(item.identity)
        if was is None:
            new.append(item)
        elif item.rows - was.rows or item.documents - was.documents or item.amount != was.amount:
            beyond_it = None if item.amount is None else item.amount - (was.amount or Decimal(0))
            new.append(
                replace(
                    item,
                    amount=beyond_it,
                    rows=item.rows - was.rows,
                    documents=item.documents - was.documents,
                )
            )
    return new
