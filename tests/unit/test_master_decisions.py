"""What stewards decide is kept whole, in order, and can be taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data.decisions import Decision, DecisionError, active, decide, decisions

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
WHO = {"by": "Li Na", "reason": "seen the licence"}


def files(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_a_decision_reads_back_as_it_was_taken(tmp_path):
    taken = decide(
        tmp_path, "customer", "same", a="hc_kingdee:2", b="hc_crm:1", now=NOON, by=" Li Na ", reason="同一家"
    )

    assert decisions(tmp_path, "customer") == [taken]
    assert (taken.a, taken.b, taken.by, taken.reason) == ("hc_crm:1", "hc_kingdee:2", "Li Na", "同一家")
    assert taken.at == "2026-11-01T12:00:00.000000+00:00"
    assert taken.id.startswith("20261101T120000000000Z-")
    assert files(tmp_path) == [f"{taken.id}.json"]
    assert decisions(tmp_path, "supplier") == []


@pytest.mark.parametrize(
    ("kind", "about", "complaint"),
    [
        ("same", {"a": "x:1"}, "lacks b"),
        ("same", {"a": "x:1", "b": "  "}, "lacks b"),
        ("same", {"a": "x:1", "b": "x:1"}, "two different records"),
        ("different", {"a": "x:1", "b": "x:2", "value": "v"}, "does not take value"),
        ("prefer", {"record_id": "x:1", "value": "v"}, "lacks attribute"),
        ("prefer", {"record_id": "x:1", "attribute": "short name", "value": "v"}, "identifier"),
        (
            "prefer",
            {"a": "x:1", "b": "x:2", "record_id": "x:1", "attribute": "name", "value": "v"},
            "does not take a, b",
        ),
        ("forget", {"a": "x:1", "b": "x:2"}, "kind"),
        ("same", {"a": "x:1", "b": "x:2", "by": " "}, "by"),
        ("same", {"a": "x:1", "b": "x:2", "reason": ""}, "reason"),
        ("same", {"a": "x:1", "b": "x:2", "now": datetime(2026, 11, 1, 12)}, "zone"),  # noqa: DTZ001
        ("revoke", {"revokes": "20261101T120000000000Z-00000000"}, "no decision"),
        ("revoke", {}, "no decision"),
    ],
)
def test_an_incomplete_decision_is_refused_and_nothing_written(tmp_path, kind, about, complaint):
    with pytest.raises(DecisionError, match=complaint) as refused:
        given: dict[str, Any] = {**WHO, "now": NOON, **about}
        decide(tmp_path, "customer", kind, **given)

    assert "Nothing was" in str(refused.value)
    assert files(tmp_path) == []


def test_an_entity_is_a_name_and_not_a_path(tmp_path):
    with pytest.raises(DecisionError, match="identifier"):
        decide(tmp_path, "../customer", "same", a="x:1", b="x:2", now=NOON, **WHO)

    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_goes_back_does_not_change_the_order(tmp_path):
    first = decide(tmp_path, "customer", "same", a="x:1", b="x:2", now=NOON, **WHO)
    second = decide(tmp_path, "customer", "different", a="x:1", b="x:2", now=NOON - timedelta(days=1), **WHO)

    assert decisions(tmp_path, "customer") == [first, second]
    assert second.at == "2026-11-01T12:00:00.000001+00:00"


def test_a_revoked_decision_does_not_count_and_a_revoked_revocation_brings_it_back(tmp_path):
    def revoke(what: Decision) -> Decision:
        return decide(tmp_path, "customer", "revoke", revokes=what.id, now=NOON, **WHO)

    same = decide(tmp_path, "customer", "same", a="x:1", b="x:2", now=NOON, **WHO)
    taken_back = revoke(same)
    assert active(decisions(tmp_path, "customer")) == []
    with pytest.raises(DecisionError, match="revoked already"):
        revoke(same)

    revoke(taken_back)
    assert active(decisions(tmp_path, "customer")) == [same]

    revoke(same)
    assert active(decisions(tmp_path, "customer")) == []
    assert len(decisions(tmp_path, "customer")) == 4


def test_of_two_values_for_one_attribute_the_later_counts_and_revoking_it_gives_the_earlier_back(tmp_path):
    def prefer(record: str, attribute: str, value: str) -> Decision:
        return decide(
            tmp_path,
            "customer",
            "prefer",
            record_id=record,
            attribute=attribute,
            value=value,
            now=NOON,
            **WHO,
        )

    old, new = prefer("x:1", "name", "旧"), prefer("x:1", "name", "新")
    beside = [prefer("x:1", "city", "上海"), prefer("x:2", "name", "别的")]
    assert active(decisions(tmp_path, "customer")) == [new, *beside]

    decide(tmp_path, "customer", "revoke", revokes=new.id, now=NOON, **WHO)

    assert active(decisions(tmp_path, "customer")) == [old, *beside]


@pytest.mark.parametrize("damage", ["edited", "cut", "unknown key"])
def test_a_decision_that_cannot_be_trusted_stops_everything_and_names_the_file(tmp_path, damage):
    taken = decide(tmp_path, "customer", "same", a="x:1", b="x:2", now=NOON, **WHO)
    path = tmp_path / "customer" / "decisions" / f"{taken.id}.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    new = {"edited": {**said, "b": "x:3"}, "unknown key": {**said, "who": "me"}}.get(damage)
    path.write_text(
        path.read_text(encoding="utf-8")[:40] if new is None else json.dumps(new), encoding="utf-8"
    )

    with pytest.raises(DecisionError, match="Nothing was resolved") as refused:
        decisions(tmp_path, "customer")

    assert path.name in str(refused.value)


def test_a_kill_while_writing_leaves_no_decision(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tieout.whole.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        decide(tmp_path, "customer", "same", a="x:1", b="x:2", now=NOON, **WHO)
    (tmp_path / "customer" / "decisions" / ".half.json-1-ab").write_text("{", encoding="utf-8")

    assert decisions(tmp_path, "customer") == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.just("same"), st.integers(0, 9)), max_size=10), st.randoms(use_true_random=False)
)
def test_what_counts_is_what_no_counting_revocation_names(steps, rnd):
    """A number revokes the decision of that place, if there is one."""
    every: list[Decision] = []
    for minute, step in enumerate(steps):
        if step != "same" and step >= len(every):
            continue
        about = {"a": "x:1", "b": "x:2"} if step == "same" else {"revokes": every[step].id}
        at = (NOON + timedelta(minutes=minute)).isoformat(timespec="microseconds")
        kind = "same" if step == "same" else "revoke"
        every.append(Decision.model_validate({"entity": "customer", "kind": kind, "at": at, **WHO, **about}))

    counts: dict[str, bool] = {}

    def holds(item: Decision) -> bool:
        if item.id not in counts:
            later = [other for other in every if other.revokes == item.id]
            counts[item.id] = not any(holds(other) for other in later)
        return counts[item.id]

    expected = [item for item in every if item.kind == "same" and holds(item)]

    assert active(every) == expected
    assert active(rnd.sample(every, len(every))) == expected
