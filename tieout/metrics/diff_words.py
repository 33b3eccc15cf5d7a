"""What a definition says, piece by piece, and how two of them differ in words a department understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tieout.metrics.definitions import Definitions

_CASE = re.compile(
    r"^case\s+when\s+(?P<filter>.+?)\s+then\s+(?P<amount>.+?)\s+end$", re.IGNORECASE | re.DOTALL
)
# Which piece makes which kind of change, in the order in which they are told.
_KINDS = {
    "filter": "filter", "amount": "formula", "formula": "formula", "inputs": "formula", "mart": "formula",
    "adds": "formula", "date": "time", "time_role": "time", "balance": "time", "window": "time", "tax": "tax",
    "unit": "unit", "currency": "unit", "additivity": "additivity", "requires_by": "additivity",
}  # fmt: skip
_TAX_WORDS = ("gross", "tax")


@dataclass(frozen=True)
class Change:
    """One difference: its kind (formula, filter, time, tax, unit, additivity) and one line of words."""

    kind: str
    words: str


def said(definitions: Definitions, name: str) -> dict[str, str]:
    """The pieces of a definition that decide the number, without those of its inputs."""
    metric = definitions.metric(name)
    meta = metric.meta
    found = {
        "formula": metric.kind if metric.measures else f"{metric.kind} {metric.expr or ''}".strip(),
        "inputs": ", ".join(f"{item.alias} = {item.metric}" for item in metric.inputs),
        "window": " ".join(filter(None, (metric.window, metric.grain_to_date))),
        "tax": meta.tax,
        "unit": meta.unit,
        "currency": meta.currency,
        "time_role": ", ".join(meta.time_role),
        "additivity": meta.additivity,
        "requires_by": ", ".join(meta.requires_by),
    }
    balance = [f"period_agg {metric.period_agg}"] if metric.period_agg else []
    for item in metric.measures:
        measure = definitions.measures[item]
        model = definitions.models[measure.model]
        match = _CASE.match(" ".join(measure.expr.split()))
        alone = match and not re.search(r"\b(when|else)\b", match["filter"] + match["amount"], re.IGNORECASE)
        found["filter"] = match["filter"] if match and alone else ""
        found["amount"] = match["amount"] if match and alone else " ".join(measure.expr.split())
        found["adds"] = measure.agg
        found["mart"] = model.relation
        found["date"] = model.time_expr(measure.time)
        if measure.non_additive:
            balance.append(
                f"{measure.window_choice} {measure.non_additive} {' '.join(measure.window_groupings)}".strip()
            )
    found["balance"] = ", ".join(balance)
    return {key: value for key, value in found.items() if value}


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    """Every piece that differs, in words; empty if only what a metric is computed from has changed."""
    found = []
    for piece, kind in _KINDS.items():
        was, now = old.get(piece, ""), new.get(piece, "")
        if was == now:
            continue
        if piece == "amount" and any((word in was) != (word in now) for word in _TAX_WORDS):
            kind = "tax"
        label = {"balance": "which day of the period", "adds": "aggregation"}.get(
            piece, piece.replace("_", " ")
        )
        if not now:
            words = f"{label} dropped: {was}"
        elif not was:
            words = f"{label} added: {now}"
        else:
            words = f"{label}: {was} → {now}"
        found.append(Change(kind, words))
    return found


def in_words(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """All changes in one line."""
    return "; ".join(item.words for item in changes(old, new)) or "what it is computed from"
