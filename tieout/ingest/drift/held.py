"""Batches that have landed but may not be loaded before a person has decided (drift policy `quarantine`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from tieout.ingest.decisions import Decision, decide, decisions
from tieout.ingest.landing import Landing, Manifest

ACCEPTED, DECLINED = "accept-batch", "decline-batch"
# A shape as it is now, `about` {declared, emptied}; a column that had been taken in and is no longer wanted, {column}.
SHAPE, DROPPED = "shape-accept", "evolved-drop"
State = Literal["free", "held", "accepted", "declined"]


class Holds:
    """What was decided on held batches, read once; ask it for each batch."""

    def __init__(self, landing: Landing) -> None:
        self._verdicts = {
            (item.source, item.stream, str(item.about.get("batch"))): item
            for item in decisions(landing.root, kinds={ACCEPTED, DECLINED})
        }

    def decision(self, batch: Manifest) -> Decision | None:
        return self._verdicts.get((batch.source, batch.stream, batch.batch_id))

    def state(self, batch: Manifest) -> State:
        if batch.held is None:
            return "free"
        said = self.decision(batch)
        if said is None:
            return "held"
        return "accepted" if said.kind == ACCEPTED else "declined"

    def may_load(self, batch: Manifest) -> bool:
        return self.state(batch) in ("free", "accepted")


def accept_batch(landing: Landing, batch: Manifest, *, by: str, reason: str, now: datetime) -> Decision:
    """Let a held batch be loaded. Raises: DecisionError without a name or a reason."""
    return _decide(landing, ACCEPTED, batch, by, reason, now)


def decline_batch(landing: Landing, batch: Manifest, *, by: str, reason: str, now: datetime) -> Decision:
    """Never load a held batch; it stays in landing as evidence. Raises: DecisionError as above."""
    return _decide(landing, DECLINED, batch, by, reason, now)


def open_holds(landing: Landing, source: str, stream: str) -> list[Manifest]:
    """Held batches nobody has decided on, and which no later batch of the same scope has overtaken."""
    holds = Holds(landing)
    waiting: dict[str, Manifest] = {}
    for batch in landing.batches(source, stream):
        state = holds.state(batch)
        if state == "held":
            waiting[batch.scope] = batch
        elif state in ("free", "accepted"):
            # A pull begins where the last loaded one ended: whatever it brings holds what was held before it.
            waiting = {} if batch.scope == "*" or not batch.complete else waiting
            waiting.pop(batch.scope, None)
    return list(waiting.values())


def baseline(landing: Landing, source: str, stream: str, scope: str | None = None) -> Manifest | None:
    """The newest batch that may be loaded: what the next pull goes on from, and what drift is measured against.

    Never `landing.latest`: measured against a held batch, the change that held it would be none. Its `declared`
    is the shape a person has accepted since, if one has.
    """
    holds = Holds(landing)
    fitting = [
        batch
        for batch in landing.batches(source, stream)
        if (scope is None or batch.scope == scope) and holds.may_load(batch)
    ]
    if not fitting:
        return None
    last = fitting[-1]
    for item in decisions(landing.root, kinds={SHAPE, DROPPED}, source=source, stream=stream):
        if item.at <= last.extracted_at:
            continue
        if item.kind == DROPPED:
            gone = item.about.get("column")
            last = replace(last, evolved={k: v for k, v in last.evolved.items() if k != gone})
            continue
        emptied = item.about.get("emptied", [])
        last = replace(
            last,
            declared={str(name): str(kind) for name, kind in item.about.get("declared", {}).items()},
            columns={name: kind for name, kind in last.columns.items() if name not in emptied},
        )
    return last


def _decide(landing: Landing, kind: str, batch: Manifest, by: str, reason: str, now: datetime) -> Decision:
    about = {"batch": batch.batch_id, "held": batch.held}
    return decide(landing.root, kind, batch.source, batch.stream, about, by=by, reason=reason, now=now)
