"""Clusters against a naive implementation, and the cases that a naive implementation gets wrong."""

from __future__ import annotations

import itertools
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data import cluster as clusters
from tieout.master_data.cluster import cluster, ruling
from tieout.master_data.decisions import Decision
from tieout.master_data.types import Edge
from tieout.settings import PROJECT

AUTO = 0.9
START = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = "abcdefg"


def said(kind: str, a: str, b: str, minute: int = 0, by: str = "Li") -> Decision:
    a, b = min(a, b), max(a, b)
    at = (START + timedelta(minutes=minute)).isoformat(timespec="microseconds")
    return Decision.model_validate(
        {"entity": "customer", "kind": kind, "a": a, "b": b, "by": by, "reason": "seen", "at": at}
    )


def edge(a: str, b: str, score: float) -> Edge:
    return Edge(a, b, score, "name", "same core")


def parts(found: clusters.Clustering) -> set[str]:
    return {"".join(sorted(members)) for members in found.clusters}


def reasons(found: clusters.Clustering) -> dict[str, str]:
    return {case.a + case.b: case.reason for case in found.cases}


def run(records, edges, codes=None, decisions=(), distinct=None):
    return cluster(records, edges, auto=AUTO, exclusive=codes or {}, decisions=decisions, distinct=distinct)


# The naive implementation: sets of records, every question asked of every pair.


def closed(pairs, start=()):
    """Sets joined by `pairs`."""
    sets = [{name} for name in start]
    for a, b in pairs:
        touched = [one for one in sets if a in one or b in one]
        sets = [one for one in sets if one not in touched] + [{a, b}.union(*touched)]
    return sets


def consistent(decisions):
    same = closed([item.pair for item in decisions if item.kind == "same"])
    return not any(set(item.pair) <= one for item in decisions if item.kind == "different" for one in same)


def naive(records, edges, codes, decisions, distinct):
    holding: list[Decision] = []
    for item in sorted(decisions, key=lambda item: item.at, reverse=True):
        if consistent([*holding, item]):
            holding.append(item)
    same = closed([item.pair for item in holding if item.kind == "same"])
    alike = closed(
        pair
        for one in same
        for pair in itertools.combinations(sorted({codes[r] for r in one if r in codes and r in records}), 2)
    )

    def circle(record):
        return next((one for one in same if record in one), {record})

    def forbidden(x, y):
        for item in holding:
            if item.kind == "different":
                a, b = item.pair
                if (a in circle(x) and b in circle(y)) or (b in circle(x) and a in circle(y)):
                    return True
        if x in codes and y in codes and codes[x] != codes[y]:
            return not any({codes[x], codes[y]} <= one for one in alike)
        return False

    def twice(left, right, a, b):
        if a in distinct and distinct[a] == distinct.get(b):
            return False
        return any(x in distinct and distinct[x] == distinct.get(y) for x in left for y in right)

    found = closed((pair for one in same for pair in itertools.pairwise(sorted(one & records))), records)
    for item in sorted(edges, key=lambda item: (-item.score, item.a, item.b)):
        if item.score < AUTO or item.a not in records or item.b not in records:
            continue
        left = next(one for one in found if item.a in one)
        right = next(one for one in found if item.b in one)
        if left is right or twice(left, right, item.a, item.b):
            continue
        if not any(forbidden(x, y) for x in left for y in right):
            found = [one for one in found if one is not left and one is not right] + [left | right]
    return {"".join(sorted(one)) for one in found}, holding


@st.composite
def worlds(draw):
    records = draw(st.sets(st.sampled_from(NAMES), min_size=2))
    pairs = list(itertools.combinations(NAMES, 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14))
    scores = st.sampled_from([0.75, 0.9, 0.9, 0.95, 0.99])
    edges = [edge(a, b, draw(scores)) for a, b in chosen]
    codes = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from("XYZ"), max_size=5))
    distinct = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["erp", "crm"]), max_size=5))
    kinds = st.tuples(st.sampled_from(["same", "same", "different"]), st.sampled_from(pairs))
    decisions = [
        said(kind, pair[0], pair[1], n) for n, (kind, pair) in enumerate(draw(st.lists(kinds, max_size=7)))
    ]
    return records, edges, codes, decisions, distinct


@settings(max_examples=150, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_clusters_are_those_of_the_naive_way_in_any_order(world, rnd):
    records, edges, codes, decisions, distinct = world
    expected, holding = naive(records, edges, codes, decisions, distinct)

    found = run(records, edges, codes, decisions, distinct)

    assert parts(found) == expected
    settled = ruling(decisions)
    assert {item.id for item in settled.same + settled.different} == {item.id for item in holding}
    assert len(settled.same) + len(settled.different) + len(settled.overruled) == len(decisions)
    mixed = [rnd.sample(part, len(part)) for part in (edges, decisions, sorted(records))]
    assert run(mixed[2], mixed[0], codes, mixed[1], distinct) == found


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_pair_that_was_not_joined_is_shown_with_its_reason_and_no_other(world):
    records, edges, codes, decisions, distinct = world
    found = run(records, edges, codes, decisions, distinct)
    home = {record: members for members in found.clusters for record in members}
    settled = ruling(decisions)

    shown = {(case.a, case.b): case.reason for case in found.cases if case.score is not None}

    for item in edges:
        if item.a not in home or item.b not in home or home[item.a] == home[item.b]:
            assert (item.a, item.b) not in shown
        elif item.score >= AUTO:
            assert shown.pop((item.a, item.b)) != clusters.UNCERTAIN
        elif settled.parts(item.a, item.b):
            assert (item.a, item.b) not in shown
        else:
            assert shown.pop((item.a, item.b))
    assert not shown


@settings(max_examples=60, deadline=None)
@given(worlds(), worlds())
def test_what_is_not_linked_is_clustered_the_same_alone_and_together(one, other):
    """Increments rest on this: only what a change can reach is clustered anew."""

    def renamed(world, to):
        records, edges, codes, decisions, distinct = world
        return (
            {r + to for r in records},
            [Edge(e.a + to, e.b + to, e.score, e.rule, e.evidence) for e in edges],
            {r + to: code + to for r, code in codes.items()},
            [d.model_copy(update={"a": f"{d.a}{to}", "b": f"{d.b}{to}"}) for d in decisions],
            {r + to: system for r, system in distinct.items()},
        )

    left, right = renamed(one, "1"), renamed(other, "2")
    both = run(
        left[0] | right[0], left[1] + right[1], left[2] | right[2], left[3] + right[3], left[4] | right[4]
    )

    assert parts(both) == parts(run(*left)) | parts(run(*right))


def test_two_valid_codes_bridged_by_a_record_without_one_stay_apart():
    found = run("abc", [edge("a", "b", 0.95), edge("b", "c", 0.97)], {"a": "X", "c": "Y"})

    assert parts(found) == {"a", "bc"}
    assert reasons(found) == {"ab": clusters.WOULD_JOIN_CODES}


def test_two_different_codes_are_never_joined_by_a_score():
    found = run("ab", [edge("a", "b", 1.0)], {"a": "X", "b": "Y"})

    assert parts(found) == {"a", "b"}
    assert reasons(found) == {"ab": clusters.CODES_DIFFER}


def test_a_pair_below_auto_is_for_review_and_joins_nothing():
    found = run("abc", [edge("a", "b", 0.899), edge("b", "c", 0.9)])

    assert parts(found) == {"a", "bc"}
    assert reasons(found) == {"ab": clusters.UNCERTAIN}


def test_an_uncertain_pair_that_something_sure_joined_anyway_is_settled():
    found = run("abc", [edge("a", "b", 0.8), edge("b", "c", 0.95), edge("a", "c", 0.95)])

    assert (parts(found), found.cases) == ({"abc"}, [])


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_chain_whose_ends_are_different_breaks_at_its_weakest_link(order):
    chain = [edge("a", "b", 0.95), edge("b", "c", 0.93)]

    found = run("abc", [chain[place] for place in order], {}, [said("different", "a", "c")])

    assert parts(found) == {"ab", "c"}
    assert reasons(found) == {"bc": clusters.WOULD_JOIN_DECIDED}


def test_what_was_decided_different_is_different_from_all_that_is_decided_the_same():
    decisions = [said("same", "a", "b", 1), said("same", "c", "d", 2), said("different", "a", "c", 3)]

    found = run("abcd", [edge("b", "d", 0.99), edge("a", "d", 0.8)], {}, decisions)

    assert parts(found) == {"ab", "cd"}
    assert reasons(found) == {"bd": clusters.DECIDED_DIFFERENT}  # a and d are settled, nobody needs to look


def test_a_steward_joins_different_codes_and_that_is_reported():
    found = run("ab", [], {"a": "X", "b": "Y"}, [said("same", "a", "b", by="Wang")])

    assert parts(found) == {"ab"}
    (case,) = found.cases
    assert (case.a, case.b, case.score, case.reason) == ("a", "b", None, clusters.CODES_JOINED)
    assert "X and Y" in case.evidence
    assert "Wang" in case.evidence


def test_only_the_decision_that_joined_different_codes_is_reported():
    decisions = [said("same", "a", "b", 1), said("same", "b", "c", 2), said("same", "a", "c", 3)]

    found = run("abc", [], {"a": "X", "b": "X", "c": "Y"}, decisions)

    assert reasons(found) == {"bc": clusters.CODES_JOINED}


def test_correcting_one_mistyped_code_does_not_tear_it_from_the_others_that_carry_it():
    """b carries a wrong code; a and c carry the right one and are the same by their names."""
    edges = [edge("a", "c", 0.99), edge("b", "d", 0.99)]

    found = run("abcd", edges, {"a": "X", "c": "X", "b": "Y", "d": "Y"}, [said("same", "a", "b")])

    assert parts(found) == {"abcd"}


def test_a_code_that_was_not_joined_still_keeps_out():
    edges = [edge("a", "c", 0.99), edge("b", "d", 0.99)]

    found = run("abcd", edges, {"a": "X", "b": "Y", "c": "Z"}, [said("same", "a", "b")])

    assert parts(found) == {"abd", "c"}
    assert reasons(found)["ac"] == clusters.CODES_DIFFER


@pytest.mark.parametrize(("first", "last"), [("same", "different"), ("different", "same")])
def test_of_two_opposite_decisions_the_later_one_holds_and_the_earlier_is_reported(first, last):
    found = run("ab", [], {}, [said(first, "a", "b", 1, by="Li"), said(last, "a", "b", 2, by="Wang")])

    assert parts(found) == ({"ab"} if last == "same" else {"a", "b"})
    (case,) = found.cases
    assert case.reason == clusters.OVERRULED
    assert case.evidence.startswith(f"{first}, decided by Li")
    assert f"{last}, decided by Wang" in case.evidence


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # The parting is the latest: the older of the two joins gives way.
        (["same ab", "same bc", "different ac"], {"a", "bc"}),
        (["same bc", "same ab", "different ac"], {"ab", "c"}),
        # The parting is not the latest: the joins around it win, or the one that is older than it gives way.
        (["different ac", "same ab", "same bc"], {"abc"}),
        (["same ab", "different ac", "same bc"], {"a", "bc"}),
    ],
)
def test_in_a_contradictory_circle_the_oldest_decision_gives_way(order, expected):
    decisions = []
    for minute, text in enumerate(order):
        kind, pair = text.split()
        decisions.append(said(kind, pair[0], pair[1], minute))

    found = run("abc", [], {}, decisions)

    assert parts(found) == expected
    assert [case.reason for case in found.cases] == [clusters.OVERRULED]
    assert all(word in found.cases[0].evidence for word in ("against", "decided by Li"))
    assert all(item.id in found.cases[0].evidence for item in decisions), "the whole circle is named"


def test_decisions_reach_through_a_record_that_is_gone():
    decisions = [said("same", "a", "b", 1), said("same", "b", "c", 2), said("different", "b", "d", 3)]

    found = run("acd", [edge("a", "d", 0.99)], {}, decisions)

    assert parts(found) == {"ac", "d"}


def test_a_system_without_duplicates_gives_one_record_to_a_cluster():
    edges = [edge("a", "c", 0.99), edge("b", "c", 0.98)]

    found = run("abc", edges, distinct={"a": "erp", "b": "erp"})

    assert parts(found) == {"ac", "b"}
    assert reasons(found) == {"bc": clusters.WOULD_JOIN_DISTINCT}


def test_a_system_that_names_its_own_duplicate_is_believed():
    found = run("ab", [edge("a", "b", 1.0)], distinct={"a": "erp", "b": "erp"})

    assert parts(found) == {"ab"}


def test_equal_scores_are_taken_by_id():
    edges = [edge("b", "c", 0.95), edge("a", "c", 0.95)]
    for order in (edges, edges[::-1]):
        assert parts(run("abc", order, {"a": "X", "b": "Y"})) == {"ac", "b"}


def test_a_long_chain_does_not_need_deep_recursion():
    names = [f"{n:05d}" for n in range(5_000)]
    links = [edge(a, b, 0.95) for a, b in itertools.pairwise(names)]
    random.Random(5).shuffle(links)

    assert [len(one) for one in run(names, links).clusters] == [5_000]


def test_the_cases_of_decisions_are_listed_under_the_words_they_have_here():
    model = PROJECT / "dbt_project" / "models" / "marts" / "shared" / "fct_data_case.sql"
    listed = set(re.findall(r"reason = '([^']+)'", model.read_text(encoding="utf-8")))

    assert listed == {clusters.OVERRULED, clusters.UNKNOWN, clusters.CODES_JOINED, clusters.DECIDED_DIFFERENT}
