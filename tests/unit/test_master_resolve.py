"""Whole histories on disk: increments against runs from nothing, undo, crashes, and what the registry remembers."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.master_data import registry as store
from tieout.master_data.cluster import CODES_DIFFER, CODES_JOINED, OVERRULED, UNCERTAIN, UNKNOWN
from tieout.master_data.decisions import Decision, active, decide, decisions
from tieout.master_data.registry import RegistryError
from tieout.master_data.resolve import Resolution, crosswalk_history, history, moved, resolve
from tieout.master_data.types import Edge, MasterDataError, Matcher

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rules:
    auto: float = 0.9
    review: float = 0.7
    trust: tuple[str, ...] = ("erp",)
    no_duplicates_within: tuple[str, ...] = ()
    exclusive: str | None = "credit_code"


@dataclass(frozen=True)
class Content:
    """What two invented records are compared by."""

    name: str
    phone: str = ""
    code: str = ""


def score(one: Content, other: Content) -> float:
    """Same name and phone, same name, same phone and code missing; anything else is no pair."""
    if one.name == other.name:
        return 0.99 if one.phone and one.phone == other.phone else 0.92
    if one.phone and one.phone == other.phone:
        return 0.95 if one.code or other.code else 0.8
    return 0.0


def standardised(records: pa.Table, _rules: Rules) -> pa.Table:
    rows = records.to_pylist()
    said = [f"{row['name']}|{row['phone']}" for row in rows]  # the engine does not rely on codes being in it
    return pa.table(
        {
            "record_id": pa.array([row["record_id"] for row in rows], pa.string()),
            "record_hash": pa.array(
                [hashlib.sha256(text.encode()).hexdigest()[:12] for text in said], pa.string()
            ),
            "exclusive": pa.array([row["code"] or None for row in rows], pa.string()),
            **{
                part: pa.array([row[part] for row in rows], pa.string()) for part in ("name", "phone", "code")
            },
        }
    )


@dataclass
class Matching:
    """A matcher that remembers what it was asked."""

    asked: list[set[str] | None] = field(default_factory=list)

    def edges(self, std: pa.Table, rules: Rules, changed: Collection[str] | None = None) -> list[Edge]:
        self.asked.append(None if changed is None else set(changed))
        rows = [(r["record_id"], Content(r["name"], r["phone"], r["code"])) for r in std.to_pylist()]
        apart, found = rules.no_duplicates_within, []
        for (a, one), (b, other) in itertools.combinations(sorted(rows, key=lambda row: row[0]), 2):
            near = score(one, other)
            if a.partition(":")[0] == b.partition(":")[0] in apart:
                continue
            if near >= rules.review and (changed is None or a in changed or b in changed):
                found.append(Edge(a, b, near, "name", f"{one.name}, {other.name}"))
        return found


@dataclass
class Company:
    """Records, decisions and runs of one invented company."""

    home: Path
    records: dict[str, Content] = field(default_factory=dict)
    hour: int = 0
    rules: Rules = field(default_factory=Rules)
    matching: Matching = field(default_factory=Matching)
    version: str = "1"

    def now(self) -> datetime:
        return START + timedelta(hours=self.hour)

    def run(self, home: Path | None = None, order: int = 1) -> Resolution:
        self.hour += 1
        matcher = Matcher(standardised, self.matching.edges, self.version)
        table = tabled(self.records, order)
        return resolve("customer", table, home or self.home, self.rules, self.now(), match=matcher)

    def decide(self, kind, a: str = "", b: str = "", revokes: str | None = None, by: str = "Li") -> Decision:
        about = {"revokes": revokes} if revokes else {"a": a, "b": b}
        return decide(self.home, "customer", kind, by=by, reason="seen", now=self.now(), **about)

    def afresh(self, order: int = -1) -> Resolution:
        """The same records and decisions in an empty registry."""
        with tempfile.TemporaryDirectory() as folder:
            book = self.home / "customer" / "decisions"
            if book.is_dir():
                shutil.copytree(book, Path(folder) / "customer" / "decisions")
            return self.run(Path(folder), order)


def tabled(records: dict[str, Content], order: int = 1) -> pa.Table:
    rows = sorted(records.items())[::order]
    columns = {
        "record_id": [record for record, _ in rows],
        "source_system": [record.partition(":")[0] for record, _ in rows],
        "source_key": [record.partition(":")[2] for record, _ in rows],
        "name": [content.name for _, content in rows],
        "phone": [content.phone for _, content in rows],
        "code": [content.code for _, content in rows],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def keys(found: Resolution) -> dict[str, str]:
    return dict(
        zip(found.crosswalk["record_id"].to_pylist(), found.crosswalk["key"].to_pylist(), strict=True)
    )


def parts(found: Resolution) -> set[frozenset[str]]:
    by_key: dict[str, set[str]] = {}
    for record, key in keys(found).items():
        by_key.setdefault(key, set()).add(record)
    return {frozenset(members) for members in by_key.values()}


def on_disk(home: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its content and when it was written."""
    files = (path for path in home.rglob("*") if path.is_file())
    return {str(path.relative_to(home)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def company(tmp_path) -> Company:
    return Company(tmp_path)


# Records and contents are few, so that histories meet the same thing again.
RECORDS = ["crm:1", "crm:2", "erp:1", "erp:2", "oms:1", "oms:2"]
ROW = st.builds(
    Content,
    st.sampled_from(["华辰", "力诺", "恒通"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "", "X", "Y"]),
)
STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(RECORDS), ROW),
    st.tuples(st.just("put"), st.sampled_from(RECORDS), ROW),
    st.tuples(st.just("drop"), st.sampled_from(RECORDS)),
    st.tuples(st.sampled_from(["same", "different"]), st.lists(st.sampled_from(RECORDS), min_size=2, max_size=2, unique=True)),
    st.tuples(st.just("revoke"), st.integers(0, 5)),
)  # fmt: skip
HISTORY = st.lists(st.lists(STEP, min_size=1, max_size=4), min_size=1, max_size=6)
BEGINNING = st.dictionaries(st.sampled_from(RECORDS), ROW, min_size=2)
ON_DISK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def happen(company: Company, step) -> None:
    if step[0] == "put":
        company.records[step[1]] = step[2]
    elif step[0] == "drop":
        company.records.pop(step[1], None)
    elif step[0] == "revoke":
        counting = active(decisions(company.home, "customer"))
        if counting:
            company.decide("revoke", revokes=counting[step[1] % len(counting)].id)
    else:
        company.decide(step[0], *step[1])


def forced(company: Company) -> tuple[set[frozenset[str]], list[tuple[str, str]]]:
    """What stewards joined and parted, by asking the latest first; naive."""
    holding: list[Decision] = []

    def circles(items: list[Decision]) -> list[set[str]]:
        found: list[set[str]] = []
        for item in items:
            if item.kind == "same":
                touched = [one for one in found if one & set(item.pair)]
                found = [one for one in found if one not in touched] + [set(item.pair).union(*touched)]
        return found

    for item in reversed(active(decisions(company.home, "customer"))):
        tried = [*holding, item]
        if not any(set(d.pair) <= one for d in tried if d.kind == "different" for one in circles(tried)):
            holding = tried
    return {frozenset(one) for one in circles(holding)}, [d.pair for d in holding if d.kind == "different"]


@settings(ON_DISK, max_examples=40)
@given(BEGINNING, HISTORY, st.sampled_from([(), ("erp",)]))
def test_any_history_comes_to_what_a_run_from_nothing_comes_to(beginning, past, distinct):
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder), dict(beginning), rules=Rules(no_duplicates_within=distinct))
        before: Resolution | None = None
        issued: set[str] = set()
        seen_at: dict[datetime, dict[str, str]] = {}
        for steps in [[], *past]:
            for step in steps:
                happen(company, step)
            took = len(decisions(company.home, "customer"))

            now = company.run()
            at = company.now()

            # One row for every record, and the clusters and cases of a run from nothing over shuffled records.
            assert now.crosswalk["record_id"].to_pylist() == sorted(company.records)
            afresh = company.afresh()
            assert parts(now) == parts(afresh)
            assert now.crosswalk.drop_columns(["key"]) == afresh.crosswalk.drop_columns(["key"])
            with_unknown = [r for r in afresh.review.to_pylist() if r["reason"] != UNKNOWN]
            assert [r for r in now.review.to_pylist() if r["reason"] != UNKNOWN] == with_unknown
            # What stewards decided holds.
            joined, parted = forced(company)
            now_keys = keys(now)
            for circle in joined:
                assert len({now_keys[record] for record in circle if record in now_keys}) <= 1
            for a, b in parted:
                assert a not in now_keys or b not in now_keys or now_keys[a] != now_keys[b]
            assert len(decisions(company.home, "customer")) == took
            # A cluster that kept its members kept its key.
            if before is not None:
                was = keys(before)
                for part in parts(before) & parts(now):
                    assert {was[record] for record in part} == {now_keys[record] for record in part}
            # Every key ever issued stands for a live one or a retired one.
            stands = {row["key"]: row for row in now.key.to_pylist()}
            issued |= set(now_keys.values())
            assert issued == set(stands)
            for row in stands.values():
                target = stands[row["current_key"]]
                assert target["state"] in ("live", "retired")
                assert (row["state"] == "live") == (row["key"] in now_keys.values())
            # Again, with the rows the other way round: nothing changes and nothing is written.
            disk = on_disk(company.home)
            again = company.run(order=-1)
            assert (again.crosswalk, again.review, again.key) == (now.crosswalk, now.review, now.key)
            assert (again.event.num_rows, again.changed, again.reached) == (0, 0, 0)
            assert on_disk(company.home) == disk
            seen_at[at] = now_keys
            before = now

        # The history tells what was true at every run.
        rows = crosswalk_history(company.home, "customer").to_pylist()
        for at, was in seen_at.items():
            open_then = [
                r for r in rows if r["valid_from"] <= at and (r["valid_to"] is None or at < r["valid_to"])
            ]
            assert {r["record_id"]: r["key"] for r in open_then} == was
            assert len(open_then) == len(was)
            changed = {
                r["record_id"]: (r["key_before"], r["key"])
                for r in moved(company.home, "customer", at).to_pylist()
            }
            last = seen_at[max(seen_at)]
            every = {record: (was.get(record), last.get(record)) for record in {*was, *last}}
            assert changed == {record: pair for record, pair in every.items() if pair[0] != pair[1]}


@settings(ON_DISK, max_examples=30)
@given(BEGINNING, HISTORY, st.sampled_from(["same", "different"]), st.permutations(RECORDS))
def test_deciding_and_revoking_gives_the_same_keys_back(beginning, past, kind, order):
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder), dict(beginning))
        for steps in [[], *past[:3]]:
            for step in steps:
                happen(company, step)
            company.run()
        before = company.run()

        taken = company.decide(kind, order[0], order[1])
        for _ in range(3):
            held = company.run()
        joined, _ = forced(company)
        assert kind == "different" or frozenset(order[:2]) <= max(
            joined, key=lambda one: len(one & set(order[:2]))
        )
        company.decide("revoke", revokes=taken.id)
        after = company.run()

        assert after.crosswalk == before.crosswalk
        scored = [
            [row for row in found.review.to_pylist() if row["score"] is not None] for found in (before, after)
        ]
        assert scored[0] == scored[1]
        assert {r["key"] for r in held.key.to_pylist()} <= {r["key"] for r in after.key.to_pylist()}


@settings(ON_DISK, max_examples=12)
@given(BEGINNING, HISTORY)
def test_one_record_at_a_time_comes_to_the_clusters_of_one_large_batch(beginning, past):
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        for record, content in beginning.items():
            company.records[record] = content
            company.run()
        for steps in past[:2]:
            for step in steps:
                happen(company, step)
                found = company.run()

                assert parts(found) == parts(company.afresh())


@settings(ON_DISK, max_examples=20)
@given(BEGINNING, HISTORY, st.sampled_from(["segment", "rename", "edges", "edges lost", "fold"]))
def test_a_kill_at_any_place_leaves_what_a_clean_run_then_finishes(beginning, past, place):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        company = Company(Path(folder) / "killed", dict(beginning))
        clean = Company(Path(folder) / "clean", company.records)
        company.run()
        shutil.copytree(company.home, clean.home)
        for steps in past[:3]:
            for step in steps:
                happen(company, step)
            shutil.rmtree(clean.home / "customer" / "decisions", ignore_errors=True)
            if (book := company.home / "customer" / "decisions").is_dir():
                shutil.copytree(book, clean.home / "customer" / "decisions")
            with patch.context() as here:
                killed_at(here, place, company.home)
                try:
                    company.run()
                except KeyboardInterrupt:
                    pass
                else:
                    assert place == "edges lost" or clean.run().event.num_rows == 0
            clean.hour = company.hour

            found, expected = company.run(), clean.run()

            assert found.crosswalk == expected.crosswalk
            assert found.review == expected.review
            drop = ["founded_at"]  # the clean run was an hour earlier
            assert found.key.drop_columns(drop) == expected.key.drop_columns(drop)


def killed_at(patch: pytest.MonkeyPatch, place: str, home: Path) -> None:
    def killed(*_, **__):
        raise KeyboardInterrupt

    folder = home / "customer"
    if place == "segment":  # the edges are written, the segment is not
        patch.setattr(store.Registry, "append", killed)
    elif place == "rename":  # the segment is written, but not in place; what a real kill leaves stays
        (folder / "segments" / ".000099-1-ab").mkdir(exist_ok=True)
        (folder / "segments" / ".000099-1-ab" / "key.parquet").write_bytes(b"PAR1")
        patch.setattr(Path, "rename", killed)
    elif place == "edges":
        patch.setattr(store, "write_edges", killed)
    elif place == "edges lost":
        (folder / "edges.parquet").write_bytes(b"PAR1 half")
    else:
        patch.setattr(store, "fold", killed)


# Cases that a naive implementation gets wrong, one by one.


def test_a_late_record_with_a_smaller_id_does_not_change_the_key(company):
    company.records = {"erp:5": Content("华辰"), "erp:6": Content("华辰")}
    before = keys(company.run())

    company.records["crm:0"] = Content("华辰")
    found = company.run()

    assert keys(found) == {**before, "crm:0": before["erp:5"]}
    assert found.event.num_rows == 0


def test_a_bridge_comes_and_goes_and_both_keys_are_back(company):
    company.records = {"crm:1": Content("华辰", "1"), "crm:2": Content("力诺", "2", "X")}
    before = keys(company.run())

    company.records["erp:1"] = Content("华辰", "2")
    joined = company.run()
    assert len(set(keys(joined).values())) == 1
    del company.records["erp:1"]

    assert keys(company.run()) == before


def test_two_credit_codes_bridged_by_a_record_without_one_stay_apart(company):
    company.records = {
        "crm:1": Content("华辰", "1", "X"),
        "crm:2": Content("华辰", "2", "Y"),
        "erp:1": Content("华辰", "1"),
    }

    found = company.run()

    assert parts(found) == {frozenset({"crm:1", "erp:1"}), frozenset({"crm:2"})}
    assert {row["reason"] for row in found.review.to_pylist()} == {
        CODES_DIFFER,
        "would join different credit codes",
    }


def test_what_may_not_differ_is_called_by_its_name(company):
    company.rules = Rules(exclusive="reference")
    company.records = {"crm:1": Content("华辰", "", "X"), "erp:1": Content("华辰", "", "Y")}

    assert company.run().review["reason"].to_pylist() == ["references differ"]


def test_a_forced_merge_stays_over_runs_and_is_gone_without_trace_when_revoked(company):
    company.records = {"crm:1": Content("华辰", "", "X"), "erp:1": Content("恒通", "", "Y")}
    before = keys(company.run())
    taken = company.decide("same", "crm:1", "erp:1")
    for _ in range(3):
        found = company.run()
        assert len(parts(found)) == 1
        assert [row["rule"] for row in found.crosswalk.to_pylist()] == ["decided", "decided"]
        assert [row["reason"] for row in found.review.to_pylist()] == [CODES_JOINED]

    company.decide("revoke", revokes=taken.id)

    after = company.run()
    assert keys(after) == before
    assert after.review.num_rows == 0


def test_joining_two_codes_reaches_others_that_carry_them_and_parting_lets_go_of_them(company):
    """The rows that a ruling on codes reaches are not linked to it by any pair."""
    company.records = {
        "crm:1": Content("华辰", "", "X"),
        "erp:1": Content("力诺", "", "Y"),
        "crm:2": Content("恒通", "", "X"),
        "erp:2": Content("恒通", "", "Y"),
    }
    assert len(parts(company.run())) == 4
    taken = company.decide("same", "crm:1", "erp:1")
    assert parts(company.run()) == {frozenset({"crm:1", "erp:1"}), frozenset({"crm:2", "erp:2"})}

    company.decide("revoke", revokes=taken.id)

    assert len(parts(company.run())) == 4


def test_a_decision_waits_for_its_record(company):
    company.records = {"crm:1": Content("华辰"), "erp:1": Content("华辰")}
    company.decide("same", "crm:1", "oms:1")
    company.run()

    company.records["oms:1"] = Content("恒通")

    assert parts(company.run()) == {frozenset({"crm:1", "erp:1", "oms:1"})}


def test_a_reused_number_moves_to_its_new_company_and_the_history_keeps_both(company):
    company.records = {"crm:1": Content("华辰"), "erp:1": Content("华辰"), "crm:2": Content("力诺")}
    before = keys(company.run())
    first = company.now()

    company.records["erp:1"] = Content("力诺")
    found = company.run()

    assert keys(found) == {**before, "erp:1": before["crm:2"]}
    past = [
        row for row in crosswalk_history(company.home, "customer").to_pylist() if row["record_id"] == "erp:1"
    ]
    assert [(row["key"], row["valid_from"], row["valid_to"]) for row in past] == [
        (before["crm:1"], first, company.now()),
        (before["crm:2"], company.now(), None),
    ]
    (event,) = [row for row in history(company.home, "customer").to_pylist() if row["kind"] == "move"]
    assert (event["record_id"], event["other_key"], event["key"]) == (
        "erp:1",
        before["crm:1"],
        before["crm:2"],
    )
    assert event["reason"] == "name 0.920 with crm:2"
    assert event["at"] == company.now()


def test_of_two_that_once_had_a_key_the_last_one_takes_it_back(company):
    def see(**groups: str) -> dict[str, str]:
        company.records = {
            f"crm:{record}": Content(name) for name, records in groups.items() for record in records
        }
        return keys(company.run())

    key = see(甲="ab")["crm:a"]
    see(甲="abcde")
    see(甲="cde")
    see(甲="cdex")

    after = see(乙="ab", 甲="cde", 丙="x")

    assert [record for record in after if after[record] == key] == ["crm:c", "crm:d", "crm:e"]


def test_totals_by_the_current_key_of_an_old_fact_are_those_by_its_record(company):
    company.records = {"crm:1": Content("华辰", "1"), "crm:2": Content("力诺", "2", "X")}
    loaded = keys(company.run())
    amounts = {"crm:1": 30, "crm:2": 12}

    company.records["erp:1"] = Content("华辰", "2")
    found = company.run()

    current = {row["key"]: row["current_key"] for row in found.key.to_pylist()}
    by_alias: dict[str, int] = {}
    by_record: dict[str, int] = {}
    for record, amount in amounts.items():
        by_alias[current[loaded[record]]] = by_alias.get(current[loaded[record]], 0) + amount
        by_record[keys(found)[record]] = by_record.get(keys(found)[record], 0) + amount
    assert by_alias == by_record == {keys(found)["erp:1"]: 42}


def test_only_what_changed_is_compared_and_only_what_it_reaches_is_clustered(company):
    company.records = {f"erp:{n}": Content(f"甲{n // 2}") for n in range(40)}
    company.run()
    company.records["erp:7"] = Content("别的")

    found = company.run()

    assert company.matching.asked == [None, {"erp:7"}]
    assert (found.changed, found.reached) == (1, 2)
    company.rules = Rules(auto=0.93)
    company.run()
    company.version = "2"
    company.run()
    assert company.matching.asked[2:] == [None, None]


def test_other_rules_cluster_everything_anew_and_the_former_rules_give_the_former_keys_back(company):
    company.records = {"crm:1": Content("华辰", "1"), "erp:1": Content("华辰", "1"), "oms:1": Content("华辰")}
    before = company.run()

    company.rules = Rules(auto=0.93)
    assert parts(company.run()) == {frozenset({"crm:1", "erp:1"}), frozenset({"oms:1"})}
    company.rules = Rules()

    assert company.run().crosswalk == before.crosswalk


def test_a_record_says_what_ties_it_to_its_cluster(company):
    company.records = {
        "a:1": Content("华辰", "1"),
        "a:2": Content("华辰"),
        "a:3": Content("华辰", "1"),
        "a:4": Content("恒通"),
    }

    rows = company.run().crosswalk.to_pylist()

    assert [(r["record_id"], r["members"], r["rule"], r["score"]) for r in rows] == [
        ("a:1", 3, "name", 0.99),
        ("a:2", 3, "name", 0.92),
        ("a:3", 3, "name", 0.99),
        ("a:4", 1, "alone", None),
    ]


def test_a_system_without_duplicates_gives_one_record_to_a_customer(company):
    company.rules = Rules(no_duplicates_within=("erp",))
    company.records = {
        "erp:1": Content("华辰", "1"),
        "erp:2": Content("力诺", "2", "X"),
        "crm:1": Content("华辰", "2"),
    }

    assert parts(company.run()) == {frozenset({"crm:1", "erp:2"}), frozenset({"erp:1"})}


def test_what_a_steward_must_know_is_in_the_review(company):
    company.records = {"crm:1": Content("华辰", "1"), "crm:2": Content("力诺", "1"), "erp:1": Content("恒通")}
    company.decide("same", "crm:1", "crm:9")
    company.decide("same", "crm:1", "erp:1", by="Wang")
    company.decide("different", "crm:1", "erp:1")

    rows = company.run().review.to_pylist()

    assert [(row["a"], row["b"], row["score"], row["reason"]) for row in rows] == [
        ("crm:1", "crm:9", None, UNKNOWN),
        ("crm:1", "erp:1", None, OVERRULED),
        ("crm:1", "crm:2", 0.8, UNCERTAIN),
    ]
    assert "Wang" in rows[1]["evidence"]


def test_a_pinned_value_is_given_on(company):
    company.records = {"crm:1": Content("华辰")}
    decide(
        company.home, "customer", "prefer", record_id="crm:1", attribute="name", value="华辰电子", by="Li",
        reason="licence", now=START,
    )  # fmt: skip

    (row,) = company.run().preferred.to_pylist()

    assert row == {
        "record_id": "crm:1", "attribute": "name", "value": "华辰电子", "by": "Li", "reason": "licence", "at": START,
    }  # fmt: skip


def test_every_record_may_vanish_and_come_back(company):
    company.records = {"crm:1": Content("华辰"), "erp:1": Content("华辰"), "erp:2": Content("力诺")}
    before, all_records = keys(company.run()), dict(company.records)

    company.records = {}
    empty = company.run()
    assert (empty.crosswalk.num_rows, set(empty.key["state"].to_pylist())) == (0, {"retired"})
    company.records = all_records

    assert keys(company.run()) == before


def test_an_empty_company_has_an_empty_crosswalk(company):
    assert company.run().crosswalk.num_rows == 0
    assert company.run().crosswalk.num_rows == 0
    assert history(company.home, "customer").num_rows == 0
    assert moved(company.home, "customer", START).num_rows == 0


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (tabled({"crm:1": Content("华辰")}).drop_columns(["source_key"]), "without source_key"),
        (pa.concat_tables([tabled({"crm:1": Content("华辰")})] * 2), "crm:1 for one"),
        (
            tabled({"crm:1": Content("华辰")}).set_column(0, "record_id", pa.array([None], pa.string())),
            "1 records have no record_id",
        ),
    ],
)
def test_records_that_are_no_records_are_refused_and_nothing_kept(company, table, complaint):
    matcher = Matcher(standardised, company.matching.edges)
    with pytest.raises(MasterDataError, match=complaint):
        resolve("customer", table, company.home, Rules(), START, match=matcher)

    assert on_disk(company.home) == {}


def test_a_matcher_that_loses_a_record_or_invents_one_is_refused(company):
    table = tabled({"crm:1": Content("华辰"), "erp:1": Content("华辰")})
    loses = Matcher(lambda records, rules: standardised(records.slice(1), rules), company.matching.edges)
    invents = Matcher(standardised, lambda std, rules, changed: [Edge("crm:1", "crm:7", 0.95, "name", "")])
    for matcher in (loses, invents):
        with pytest.raises(MasterDataError):
            resolve("customer", table, company.home, Rules(), START, match=matcher)

    assert on_disk(company.home) == {}


def test_a_run_needs_a_zone(company):
    with pytest.raises(MasterDataError, match="zone"):
        resolve("customer", tabled({}), company.home, Rules(), datetime(2026, 11, 1))  # noqa: DTZ001
    with pytest.raises(MasterDataError, match="zone"):
        moved(company.home, "customer", datetime(2026, 11, 1))  # noqa: DTZ001


# The registry.


def test_a_clock_that_went_back_keeps_the_order_of_runs(company):
    company.records = {"crm:1": Content("华辰")}
    first = keys(company.run())
    company.hour = -100
    company.records = {"erp:1": Content("恒通")}
    company.run()

    rows = crosswalk_history(company.home, "customer").to_pylist()

    instant = START + timedelta(hours=1)
    assert [(r["key"], r["valid_from"], r["valid_to"]) for r in rows if r["record_id"] == "crm:1"] == [
        (first["crm:1"], instant, instant + timedelta(microseconds=1))
    ]


def test_folded_segments_say_what_the_many_said(company):
    for number in range(6):
        company.records[f"crm:{number % 4}"] = Content(f"甲{number}")
        company.run()
    whole = [crosswalk_history(company.home, "customer"), history(company.home, "customer")]
    state = store.read(company.home, "customer")
    segments = company.home / "customer" / "segments"
    many = {path.name for path in segments.iterdir()}

    assert store.fold(company.home, "customer", at_least=2)

    assert len(many) == 6
    assert [path.name for path in segments.iterdir()] == ["000001-000006"]
    assert store.read(company.home, "customer") == state
    assert [crosswalk_history(company.home, "customer"), history(company.home, "customer")] == whole
    disk = on_disk(company.home)
    assert company.run().event.num_rows == 0
    assert on_disk(company.home) == disk
    company.records["crm:9"] = Content("力诺")
    company.run()
    assert sorted(path.name for path in segments.iterdir()) == ["000001-000006", "000007"]
    assert company.matching.asked.count(None) == 1  # the edges still belong to the last segment


def test_a_kill_between_folding_and_deleting_what_was_folded_changes_nothing(company, tmp_path):
    for name in ("华辰", "力诺", "恒通"):
        company.records["crm:1"] = Content(name)
        company.run()
    segments = company.home / "customer" / "segments"
    shutil.copytree(segments, tmp_path / "aside")
    state = store.read(company.home, "customer")
    store.fold(company.home, "customer", at_least=2)
    for path in (tmp_path / "aside").iterdir():
        shutil.copytree(path, segments / path.name)
    (segments / "000002" / "segment.json").unlink()

    assert store.read(company.home, "customer") == state
    company.records["crm:1"] = Content("华辰")
    company.run()
    assert sorted(path.name for path in segments.iterdir()) == ["000001-000003", "000004"]


def test_many_runs_are_folded_without_being_asked(company, monkeypatch):
    monkeypatch.setattr(store.fold, "__kwdefaults__", {"at_least": 3})
    for number in range(7):
        company.records["crm:1"] = Content(f"甲{number}")
        company.run()

    names = sorted(path.name for path in (company.home / "customer" / "segments").iterdir())
    assert names == ["000001-000007"]
    assert len(crosswalk_history(company.home, "customer")) == 1


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize("moment", ["before its edges", "after its edges"])
def test_a_second_writer_is_noticed_and_keeps_nothing(company, others, moment):
    company.records = {"crm:1": Content("华辰")}
    company.run()
    owner, name = (store, "write_edges") if moment == "before its edges" else (store.Registry, "append")
    done, raced = getattr(owner, name), []

    def late(*given):
        """While this run was computing, others wrote, and even folded what they had written."""
        if not raced:
            raced.append(True)
            for number in range(others):
                Company(company.home, {"erp:1": Content(f"力诺{number}")}, hour=50 + number).run()
            store.fold(company.home, "customer", at_least=2)
        return done(*given)

    company.records["crm:2"] = Content("恒通")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, late)
        with pytest.raises(RegistryError, match="another run has written"):
            company.run()

    assert set(store.read(company.home, "customer").records) == {"erp:1"}
    # Edges of the one that lost may lie there: they belong to no segment, and the next run does not believe them.
    assert parts(company.run()) == {frozenset({"crm:1"}), frozenset({"crm:2"})}
    assert company.matching.asked[-1] == (None if moment == "before its edges" else {"crm:1", "crm:2"})


def test_what_a_killed_run_left_half_written_is_not_read_and_the_next_that_writes_deletes_it(company):
    company.records = {"crm:1": Content("华辰")}
    before = keys(company.run())
    half = company.home / "customer" / "segments" / ".000002-1-ab"
    shutil.copytree(half.with_name("000001"), half)

    assert keys(company.run()) == before
    company.records["crm:2"] = Content("恒通")
    company.run()

    assert sorted(path.name for path in half.parent.iterdir()) == ["000001", "000002"]


@pytest.mark.parametrize("damage", ["missing", "cut", "rows", "manifest"])
def test_a_damaged_registry_stops_the_run_and_gives_no_key(company, damage):
    for name in ("华辰", "力诺", "恒通"):
        company.records["crm:1"] = Content(name)
        company.records[f"erp:{name}"] = Content(name)
        company.run()
    segment = company.home / "customer" / "segments" / "000002"
    if damage == "missing":
        shutil.rmtree(segment)
    elif damage == "cut":
        path = segment / "record.parquet"
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "rows":
        shutil.copy(segment.with_name("000001") / "record.parquet", segment / "record.parquet")
        manifest = segment / "segment.json"
        manifest.write_text(manifest.read_text().replace('"record": 2', '"record": 9'))
    else:
        (segment / "segment.json").write_text("{}")
    disk = on_disk(company.home)

    with pytest.raises(RegistryError, match="backup"):
        company.run()

    assert on_disk(company.home) == disk


def test_keys_come_out_the_same_when_the_registry_is_built_again_from_the_same_history(company, tmp_path):
    other = Company(tmp_path / "other")
    for one in (company, other):
        one.records = {"crm:1": Content("华辰"), "erp:1": Content("力诺")}
        one.run()
        one.records["oms:1"] = Content("恒通")

    assert company.run().crosswalk == other.run().crosswalk
