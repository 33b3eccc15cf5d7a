"""What clusters are called: keys that stay, come back after an undo, and are never given to something else.

A cluster gets, in this order: the key that named exactly these records until now; the key that once named exactly these
records; the key most of its records had, the oldest if several; an alias or retired key whose last members are here; a
new key. A key that names nothing any more becomes an alias of where most of its members are, or is retired with them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from tieout.master_data.types import Event

State = Literal["live", "merged", "retired"]
Order = Callable[[str], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Key:
    """One key ever issued. `home` are its last members, kept from when it stopped naming them."""

    key: str
    state: State
    founder: str  # the record it was made from
    founded_run: int
    merged_into: str | None = None
    home: tuple[str, ...] = ()


@dataclass(frozen=True)
class Naming:
    """What one run of naming decided: the key of every cluster, and what changed for the registry to keep."""

    key_of: dict[frozenset[str], str]
    keys: list[Key]  # only those that are new or changed
    memo: dict[str, str]  # membership that is no more → the key it had
    events: list[Event]


def by_trust(trust: Iterable[str]) -> Order:
    """Order of records: first of the systems as trusted (unlisted ones last), then by id (`<system>:<key>`)."""
    rank = {system: place for place, system in enumerate(trust)}
    return lambda record: (rank.get(record.partition(":")[0], len(rank)), record)


def membership(records: Iterable[str]) -> str:
    """One short text for one set of records."""
    return hashlib.sha256("\x1f".join(sorted(records)).encode()).hexdigest()[:32]


def resolved(key: str, keys: Mapping[str, Key]) -> Key:
    """The live or retired key that `key` stands for today, whatever became of it.

    Raises: KeyError if it was never issued.
    """
    found = keys[key]
    while found.merged_into is not None:
        found = keys[found.merged_into]
    return found


def name(
    clusters: Collection[frozenset[str]],
    gone: Collection[str],
    before: Mapping[str, str],
    keys: Mapping[str, Key],
    memo: Mapping[str, tuple[str, int]],
    *,
    entity: str,
    run: int,
    at: datetime,
    order: Order,
    changed: Collection[str] = frozenset(),
) -> Naming:
    """Give every cluster a key.

    Args:
        clusters: Disjoint; together with `gone` they hold every record of each former cluster they touch.
        gone: Records that exist no more.
        before: Record → key, of all records, also outside of the clusters.
        keys: Every key ever issued.
        memo: `membership` → the key it had last, and in which run it lost it.
        run, at: Number and time (UTC) of this run; earlier runs make older keys.
        order: Which record founds a new cluster, and which of two keys of one run is the older (`by_trust`).
        changed: Records whose content changed: where two halves of a cluster are equal, the key stays with what did not.
    """
    made = _Naming(clusters, gone, before, keys, memo, order)
    made.keep_same_members()
    made.take_back_known_members()
    made.follow_members(changed)
    made.revive()
    made.issue(entity, run)
    return made.result(at)


class _Naming:
    """The steps of `name`; each gives keys to clusters that have none yet, and no key twice."""

    def __init__(
        self,
        clusters: Collection[frozenset[str]],
        gone: Collection[str],
        before: Mapping[str, str],
        keys: Mapping[str, Key],
        memo: Mapping[str, tuple[str, int]],
        order: Order,
    ) -> None:
        self.clusters = sorted(clusters, key=min)
        self.before, self.keys, self.memo, self.order = before, keys, memo, order
        self.home = {record: cluster for cluster in self.clusters for record in cluster}
        self.gone = frozenset(gone)
        self.members: dict[str, set[str]] = defaultdict(set)  # key → its members until now
        for record in [*self.home, *self.gone]:
            if record in before:
                self.members[before[record]].add(record)
        self.key_of: dict[frozenset[str], str] = {}
        self.holder: dict[str, frozenset[str]] = {}
        self.kept: set[str] = set()
        self.why: dict[str, str] = {}  # key that names something else than until now → how it came to it
        self.fresh: dict[str, Key] = {}

    def give(self, cluster: frozenset[str], key: str, why: str) -> None:
        self.key_of[cluster] = key
        self.holder[key] = cluster
        self.why[key] = why

    def nameless(self) -> list[frozenset[str]]:
        return [cluster for cluster in self.clusters if cluster not in self.key_of]

    def free(self, key: str) -> bool:
        """Whether a key may be given: not in this run yet, and it names nothing outside of these clusters."""
        return key not in self.holder and (self.keys[key].state != "live" or key in self.members)

    def age(self, key: str) -> tuple[int, tuple[int, str], str]:
        issued = self.fresh.get(key) or self.keys[key]
        return issued.founded_run, self.order(issued.founder), key

    def keep_same_members(self) -> None:
        for cluster in self.clusters:
            key = self.before.get(next(iter(cluster)))
            if key is not None and self.members[key] == cluster:
                self.give(cluster, key, "same members")
                self.kept.add(key)

    def take_back_known_members(self) -> None:
        claims = []
        for cluster in self.nameless() if self.memo else ():
            key, lost = self.memo.get(membership(cluster), (None, 0))
            if key is not None and key in self.keys:
                claims.append((-lost, min(cluster), cluster, key))
        for *_, cluster, key in sorted(claims, key=lambda claim: claim[:2]):
            if self.free(key):
                self.give(cluster, key, "the members it had before")

    def follow_members(self, changed: Collection[str]) -> None:
        changed = frozenset(changed)
        claims = []
        for cluster in self.nameless():
            shared = Counter(self.before[record] for record in cluster if record in self.before)
            for key, count in shared.items():
                if key in self.holder:
                    continue
                stayed = self.members[key] & cluster
                founded = self.keys[key].founder in stayed
                rank = (
                    -count,
                    self.age(key),
                    len(stayed & changed),
                    not founded,
                    min(map(self.order, stayed)),
                )
                claims.append((rank, cluster, key))
        for _, cluster, key in sorted(claims, key=lambda claim: claim[0]):
            if cluster not in self.key_of and self.free(key):
                self.give(cluster, key, "most of its members")

    def revive(self) -> None:
        nameless = set(self.nameless())
        if not nameless:
            return
        claims = []
        for key in self.asleep():
            if not self.free(key.key):
                continue
            for cluster, count in Counter(
                self.home[record] for record in key.home if self.home.get(record) in nameless
            ).items():
                claims.append(((-count, self.age(key.key), min(cluster)), cluster, key.key))
        for _, cluster, key in sorted(claims, key=lambda claim: claim[0]):
            if cluster not in self.key_of and self.free(key):
                self.give(cluster, key, "its last members")

    def issue(self, entity: str, run: int) -> None:
        for cluster in self.nameless():
            founder = min(cluster, key=self.order)
            counter = 0
            while (key := _new_key(entity, founder, counter)) in self.keys or key in self.fresh:
                counter += 1
            self.fresh[key] = Key(key, "live", founder, run)
            self.give(cluster, key, "new")

    def asleep(self) -> list[Key]:
        return [key for key in self.keys.values() if key.state != "live"]

    def now(self, record: str) -> str | None:
        """The key of a record after this run."""
        if record in self.home:
            return self.key_of[self.home[record]]
        return None if record in self.gone else self.before.get(record)

    def result(self, at: datetime) -> Naming:
        keys = list(self.fresh.values())
        lost = {key for key in self.members if key not in self.holder}
        for key in self.holder:
            if key in self.keys and self.keys[key].state != "live":
                keys.append(replace(self.keys[key], state="live", merged_into=None, home=()))
        for key in sorted(lost):
            keys.append(self.settled(replace(self.keys[key], home=tuple(sorted(self.members[key])))))
        for key in self.asleep():
            if key.key not in self.holder and any(r in self.home or r in self.gone for r in key.home):
                settled = self.settled(key)
                if settled != key:
                    keys.append(settled)
        memo = {membership(members): key for key, members in self.members.items() if key not in self.kept}
        events = self.events(at, {key.key: key for key in keys})
        return Naming(self.key_of, keys, memo, events)

    def settled(self, key: Key) -> Key:
        """What becomes of a key that names nothing: it follows most of its last members."""
        where = Counter(self.now(record) for record in key.home)
        where.pop(None, None)
        if not where:
            return key if key.state != "live" else replace(key, state="retired", merged_into=None)
        most = max(where.values())
        best = [other for other, count in where.items() if count == most and other is not None]
        target = key.merged_into if key.merged_into in best else min(best, key=self.age)
        return replace(key, state="merged", merged_into=target)

    def events(self, at: datetime, changed: Mapping[str, Key]) -> list[Event]:
        found = []
        for key, issued in changed.items():
            if key in self.fresh:
                found.append(Event(at, "create", key, None, issued.founder, "no key fits"))
            elif issued.state == "live":
                found.append(Event(at, "revive", key, None, None, self.why[key]))
            elif issued.state == "merged":
                still = sum(self.now(record) == issued.merged_into for record in issued.home)
                text = f"{still} of its {len(issued.home)} members are there"
                found.append(Event(at, "merge", key, issued.merged_into, None, text))
            else:
                found.append(Event(at, "retire", key, None, None, "its last member is gone"))
        for key, members in self.members.items():
            if key in self.kept:
                continue
            into = changed[key].merged_into if key in changed else None
            went = Counter(self.now(record) for record in members - self.gone)
            if len(went) > 1:
                for other, count in went.items():
                    if other not in (key, into):
                        text = f"{count} of its {len(members)} members went there"
                        found.append(Event(at, "split", key, other, None, text))
            for record in members - self.gone:
                now = self.now(record)
                if now is not None and now != key:
                    found.append(Event(at, "move", now, key, record, self.why[now]))
        return sorted(
            found, key=lambda item: (item.kind, item.key, item.other_key or "", item.record_id or "")
        )


def _new_key(entity: str, founder: str, counter: int) -> str:
    """Deterministic, so a registry that is built again from the same history issues the same keys."""
    digest = hashlib.sha256(f"{entity}\x1f{founder}\x1f{counter}".encode()).hexdigest()
    return f"{entity[0].upper()}-{digest[:12]}"
