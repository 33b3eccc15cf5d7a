"""The comparison as plain values, for JSON and for what is kept of it."""

from __future__ import annotations

from typing import Any

from tieout.claimed.check import Checked, Compared, Report
from tieout.claimed.explain import Explanation


def as_json(report: Report) -> dict[str, Any]:
    """Amounts are texts, so that no reader makes binary fractions of them."""
    return {
        "file": report.file,
        "publish_id": report.publish_id,
        "figures": [_checked(item) for item in report.checked],
        "not_compared": [_compared(item) for item in report.unread],
        "notes": list(report.notes),
    }


def _checked(item: Checked) -> dict[str, object]:
    claim = item.claim
    return {
        "line": claim.place,
        "department": claim.department,
        "word": claim.word,
        "metric": claim.metric.name,
        "definition_version": claim.metric.metric.definition_version,
        "period": {"text": claim.span.text, "start": f"{claim.span.start}", "end": f"{claim.span.end}"},
        "filters": claim.by,
        "claimed": f"{claim.figure.value}",
        "governed": None if item.governed is None else f"{item.governed}",
        "difference": f"{item.difference}",
        "unit": claim.metric.metric.unit,
        "state": item.state,
        "explanations": [_explanation(one) for one in item.explanations],
        "notes": list(item.notes),
    }


def _explanation(one: Explanation) -> dict[str, object]:
    return {
        "residual": f"{one.residual}",
        "chance": round(one.chance, 6),
        "causes": [
            {
                "cause": cause.kind,
                "title_zh": cause.title.zh,
                "title_en": cause.title.en,
                "amount": f"{cause.amount}",
                "documents": [
                    {"document": document.number, "amount": f"{document.amount}"}
                    for document in cause.documents
                ],
                "document_count": cause.count,
            }
            for cause in one.causes
        ],
    }


def _compared(item: Compared) -> dict[str, object]:
    return {
        "line": item.unread.place,
        "department": item.unread.department,
        "word": item.unread.word,
        "reason": item.unread.reason,
        "if_it_means": [
            {
                "metric": known.name,
                "governed": None if governed is None else f"{governed}",
                "difference": f"{difference}",
            }
            for known, governed, difference in item.candidates
        ],
    }
