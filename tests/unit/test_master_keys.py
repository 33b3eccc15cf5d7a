"""Names of clusters through time: what stays, what comes back, what is never given away."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data.keys import Key, Naming, by_trust, membership, name, resolved

START = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    """A registry in memory: every run clusters everything. Clusters are written `"ab c"`, records are letters."""

    def __init__(self, trust: tuple[str, ...] = ()) -> None:
        self.keys: dict[str, Key] = {}
        self.memo: dict[str, tuple[str, int]] = {}
        self.key_of: dict[str, str] = {}
        self.run = 0
        self.trust = trust
        self.last = Naming({}, [], {}, [])

    def see(self, clusters: str | list[frozenset[str]], changed: str = "") -> dict[str, str]:
        parts = [frozenset(part) for part in clusters.split()] if isinstance(clusters, str) else clusters
        now = {record for part in parts for record in part}
        self.run += 1
        self.last = name(
            parts,
            set(self.key_of) - now,
            self.key_of,
            self.keys,
            self.memo,
            entity="customer",
            run=self.run,
            at=START + timedelta(days=self.run),
            order=by_trust(self.trust),
            changed=set(changed),
        )
        self.keys |= {key.key: key for key in self.last.keys}
        self.memo |= {digest: (key, self.run) for digest, key in self.last.memo.items()}
        self.key_of = {record: key for part, key in self.last.key_of.items() for record in part}
        return dict(self.key_of)

    def events(self) -> list[tuple[str, str, str | None]]:
        return [(event.kind, event.key, event.other_key or event.record_id) for event in self.last.events]


def test_a_cluster_that_gains_a_record_keeps_its_key_though_the_record_sorts_before_all():
    world = World()
    before = world.see("bc d")

    after = world.see("abc d")

    assert after == {**before, "a": before["b"]}
    assert world.events() == []


def test_a_bridge_that_comes_and_goes_gives_both_keys_back():
    world = World()
    first = world.see("ab cd")

    joined = world.see("abxcd")
    assert len(set(joined.values())) == 1
    assert world.events() == [
        ("merge", first["c"], first["a"]),
        ("move", first["a"], first["c"]),
        ("move", first["a"], first["c"]),
    ]

    assert world.see("ab cd") == first
    assert ("revive", first["c"], None) in world.events()


def test_the_key_goes_with_most_of_the_records():
    world = World()
    key = world.see("abcde")["a"]

    after = world.see("ab cde")

    assert after["c"] == key
    assert after["a"] not in ("", key)
    assert ("split", key, after["a"]) in world.events()


def test_of_two_equal_halves_the_older_key_stays():
    world = World()
    older = world.see("yz")["y"]
    world.see("yz ab")

    assert set(world.see("abyz").values()) == {older}


def test_of_two_keys_of_one_day_the_one_of_the_trusted_system_stays():
    for trust in (("erp", "crm"), ("crm", "erp")):
        world = World(trust)
        first = world.see([frozenset({"erp:1"}), frozenset({"crm:1"})])

        both = world.see([frozenset({"erp:1", "crm:1"})])

        assert both["erp:1"] == first[f"{trust[0]}:1"]


def test_a_number_reused_for_another_company_leaves_the_key_with_the_records_that_did_not_change():
    world = World()
    first = world.see("ab c")

    after = world.see("b ac", changed="a")

    assert (after["b"], after["c"], after["a"]) == (first["b"], first["c"], first["c"])


def test_a_merged_key_is_revived_by_its_last_members_also_if_not_all_are_left():
    world = World()
    first = world.see("ab cd")
    world.see("abcd")

    after = world.see("ab c")

    assert after == {"a": first["a"], "b": first["a"], "c": first["c"]}


def test_a_key_whose_records_are_gone_is_retired_and_comes_back_with_them():
    world = World()
    first = world.see("ab c")

    world.see("ab")
    assert world.events() == [("retire", first["c"], None)]
    assert resolved(first["c"], world.keys) == Key(first["c"], "retired", "c", 1, None, ("c",))

    assert world.see("ab c") == first


def test_an_alias_follows_its_records_when_they_move_on():
    world = World()
    first = world.see("ab cde xyzw")
    world.see("abcde xyzw")
    assert resolved(first["a"], world.keys).key == first["c"]

    world.see("cde abxyzw")

    assert resolved(first["a"], world.keys).key == first["x"]


def test_an_alias_whose_records_are_in_two_places_stays_where_it_was_and_a_new_one_goes_to_the_older_key():
    world = World()
    old = world.see("wxyz")["w"]
    first = world.see("wxyz ab cdef")

    world.see("wxyza bcdef")
    assert resolved(first["a"], world.keys).key == old  # one record each; this key is the older

    world.see("wxyz abcdef")
    assert resolved(first["a"], world.keys).key == first["c"]
    world.see("wxyza bcdef")
    assert resolved(first["a"], world.keys).key == first["c"]


def test_of_two_that_once_had_a_key_the_last_one_takes_it_back():
    world = World()
    key = world.see("ab")["a"]
    world.see("abcde")
    world.see("cde")  # a and b are gone
    world.see("cdex")

    after = world.see("ab cde x")

    assert after["c"] == key
    assert key not in (after["a"], after["x"])


def test_an_alias_of_an_alias_resolves_to_what_lives():
    world = World()
    first = world.see("a bc defg")
    world.see("abc defg")
    world.see("abcdefg")

    assert {resolved(key, world.keys).key for key in first.values()} == {first["d"]}


def test_a_new_key_tells_the_founder_and_comes_out_the_same_in_another_registry():
    one, other = World(("crm",)), World(("crm",))
    members = frozenset({"erp:1", "crm:2", "crm:3"})

    assert one.see([members]) == other.see([members])
    (key,) = one.keys.values()
    assert (key.founder, key.state) == ("crm:2", "live")
    assert key.key.startswith("C-")
    assert len(key.key) == len("C-") + 12


def test_a_record_that_founds_a_second_time_gets_another_key():
    world = World()
    first = world.see("abc")["a"]
    world.see("bc")  # a is gone, and its key stays with b and c

    again = world.see("a bc")["a"]

    assert again != first


def test_the_last_key_of_a_membership_is_the_one_that_comes_back():
    world = World()
    world.see("ab cd")
    world.see("ac bd")
    before = world.see("ab cd")
    world.see("abcd")

    assert world.see("ab cd") == before


def test_a_key_in_use_elsewhere_is_not_taken_back():
    """The region holds a and b only; their old common key names c now, which nothing touched."""
    keys = {key: Key(key, "live", founder, 1) for key, founder in (("K1", "a"), ("K2", "b"), ("K3", "c"))}
    before = {"a": "K2", "b": "K3", "c": "K1"}

    found = name(
        [frozenset("ab")],
        (),
        before,
        keys,
        {membership("ab"): ("K1", 4)},
        entity="customer",
        run=5,
        at=START,
        order=by_trust(()),
    )

    assert found.key_of == {frozenset("ab"): "K2"}
    assert {key.key for key in found.keys} == {"K3"}


@pytest.mark.parametrize("records", [(), ("a", "b\x1f"), ("ab",)])
def test_membership_does_not_depend_on_order(records):
    assert membership(records) == membership(reversed(records))


@st.composite
def partitions(draw):
    """Who is there, and who with whom."""
    homes = draw(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), max_size=8))
    return [frozenset(r for r in homes if homes[r] == home) for home in sorted(set(homes.values()))]


@settings(max_examples=150, deadline=None)
@given(st.lists(partitions(), min_size=2, max_size=7), st.data())
def test_any_history_keeps_what_stays_gives_back_what_was_and_resolves_all(past, data):
    world, shuffled = World(("a",)), World(("a",))
    issued: dict[str, str] = {}
    for number, parts in enumerate(past):
        old_keys, old = dict(world.keys), dict(world.key_of)
        order = data.draw(st.permutations(parts)) if number % 2 else parts[::-1]

        now = world.see(parts)

        assert shuffled.see(list(order)) == now
        assert set(now) == {record for part in parts for record in part}
        # One key a cluster, one cluster a key; what kept its members kept its key.
        by_key = {key: {r for r in now if now[r] == key} for key in now.values()}
        assert sorted(map(sorted, by_key.values())) == sorted(map(sorted, parts))
        for part in parts:
            was = {old.get(record) for record in part}
            if len(was) == 1 and None not in was and {r for r in old if old[r] in was} == part:
                assert {now[record] for record in part} == was
        # Issued once, for ever; each resolves to a live key with records or to a retired one without.
        for key in set(world.keys) - set(old_keys):
            assert key not in issued
            issued[key] = world.keys[key].founder
        assert set(old_keys) <= set(world.keys)
        assert {key for key, found in world.keys.items() if found.state == "live"} == set(by_key)
        for key, found in world.keys.items():
            assert (found.state == "merged") == (found.merged_into is not None)
            assert resolved(key, world.keys).state in ("live", "retired")
        # Every change of a record's key is in the events, and nothing else.
        moved = {(e.record_id, e.other_key, e.key) for e in world.last.events if e.kind == "move"}
        assert moved == {(r, old[r], now[r]) for r in now if r in old and old[r] != now[r]}
        kinds = {"create": set(), "revive": set(), "retire": set()}
        for event in world.last.events:
            kinds.setdefault(event.kind, set()).add(event.key)
        assert kinds["create"] == set(world.keys) - set(old_keys)
        assert kinds["revive"] == {k for k in by_key if k in old_keys and old_keys[k].state != "live"}
        assert kinds["retire"] == {
            k for k, found in world.keys.items() if found.state == "retired" and old_keys[k].state == "live"
        }

    # The same again changes nothing, in any order.
    before = dict(world.key_of)
    assert world.see(past[-1][::-1]) == before
    assert (world.last.keys, world.last.memo, world.last.events) == ([], {}, [])
    # Anything at all, and back: the same keys.
    world.see(data.draw(partitions()))
    assert world.see(past[-1]) == before


def test_splitting_and_joining_again_in_every_way_of_four_records_restores_the_keys():
    def ways(records):
        if not records:
            yield []
            return
        first, *rest = records
        for size in range(len(rest) + 1):
            for others in itertools.combinations(rest, size):
                for more in ways([r for r in rest if r not in others]):
                    yield [frozenset({first, *others}), *more]

    every = list(ways(list("abcd")))
    assert len(every) == 15  # the fourth Bell number
    for one, other in itertools.permutations(every, 2):
        world = World()
        first = world.see(one)
        second = world.see(other)
        assert world.see(one) == first
        assert world.see(other) == second
