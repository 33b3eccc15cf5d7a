"""From records of systems to keys: what changed is compared, what that can reach is clustered anew and named.

The result is the one that comparing and clustering everything would give. Nothing but a change of a record, of a
decision or of the rules moves a record to another key.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tieout.master_data import registry as store
from tieout.master_data.cluster import (
    DECIDED,
    UNKNOWN,
    Case,
    Ruling,
    in_order,
    joined_codes,
    open_cases,
    overruled_cases,
    partition,
    ruling,
)
from tieout.master_data.decisions import Decision, active, decisions
from tieout.master_data.keys import Naming, by_trust, name, resolved
from tieout.master_data.registry import Change, Held, Registry, Ruled, Scored
from tieout.master_data.types import Edge, Event, MasterDataError, Matcher

if TYPE_CHECKING:
    import pyarrow as pa

ALONE = "alone"  # the rule of a record that is like no other
_SAME, _DIFFERENT, _CODE = "same", "different", "code"


class Rules(Protocol):
    """What of `tieout.master_data.rules.Rules` the engine asks for."""

    @property
    def auto(self) -> float: ...
    @property
    def trust(self) -> Sequence[str]: ...
    @property
    def exclusive(self) -> str | None: ...
    @property
    def no_duplicates_within(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Resolution:
    """The keys of one entity after a run; tables are sorted, times are UTC.

    crosswalk: record_id, source_system, source_key, key, members (of the cluster), rule, score. One row per record;
        `rule` is the surest link to another member, `alone` or `decided`, and then `score` is null.
    review: a, b, score, rule, evidence, reason. Pairs for a steward; `reason` is one of those in `cluster`, in the
        words of `rules.exclusive`.
    event: at, kind, key, other_key, record_id, reason. What this run did to keys (`types.Event`).
    key: key, state, current_key, merged_into, founder, founded_at. Every key ever issued and what it stands for now.
    preferred: record_id, attribute, value, by, reason, at. Values that stewards pinned.
    standard: what the matcher made of the records.
    """

    crosswalk: pa.Table
    review: pa.Table
    event: pa.Table
    key: pa.Table
    preferred: pa.Table
    standard: pa.Table
    changed: int  # records that are new, gone or other than in the last run
    reached: int  # records that were clustered anew


class _Seen(NamedTuple):
    """One record as it comes in."""

    source_system: str
    source_key: str
    fingerprint: str
    exclusive: str | None


def resolve(
    entity: str,
    records: pa.Table,
    home: Path,
    rules: Rules,
    now: datetime,
    *,
    match: Matcher | None = None,
) -> Resolution:
    """Give every record its key, and keep in the registry what changed; a second run over the same changes nothing.

    Args:
        records: One row per record with `record_id`, `source_system`, `source_key` and what the matcher compares. A
            record that is missing now is gone.
        home: Folder of the registry (`Settings.master`); this entity is below it. The caller lets only one run at a time.
        now: Time of this run, with a zone.
        match: Other than the matcher of the platform.

    Raises: MasterDataError if records lack an id, or one comes twice, or `now` has no zone; RegistryError, DecisionError
        if what was kept cannot be read. Nothing is kept then.
    """
    if now.tzinfo is None:
        raise MasterDataError(f"{entity}: a run needs an instant with a zone. Nothing was resolved.")
    _check(entity, records)
    kept = store.read(home, entity)
    at = kept.instant(now)
    counting = active(decisions(home, entity))
    matcher = match or _platform_matcher()
    model = _model(rules, matcher)

    std = matcher.standardised(records, rules)
    seen = _seen(entity, records, std)
    changed = _changed(kept, seen)
    scored = store.read_edges(kept.folder)
    if scored is not None and (scored.model, scored.segment) != (model, kept.segment):
        scored = None
    if scored is None:
        # Other rules, or killed between edges and segment: what the former clusters came from is not known.
        edges = _fresh(entity, matcher.edges(std, rules, None), seen)
    else:
        edges = _rescored(entity, matcher, std, rules, scored.edges, changed, seen)

    settled = ruling(counting)
    run = _advance(kept, seen, changed, edges, settled, rules, at, everything=scored is None)
    segment = os.urandom(8).hex() if run.change else kept.segment
    if run.change or scored is None:
        store.write_edges(kept.folder, Scored(edges, model, segment))
    if run.change:
        kept.append(run.change, at, segment)
        store.fold(home, entity)
    return _resolution(kept, seen, run, settled, counting, rules, at, std)


def history(home: Path, entity: str) -> pa.Table:
    """Everything that ever happened to keys: at, kind, key, other_key, record_id, reason, oldest first."""
    return store.table(home, entity, "event").drop_columns(["run"])


def crosswalk_history(home: Path, entity: str) -> pa.Table:
    """Which record had which key when: record_id, source_system, source_key, key, valid_from, valid_to (null: still).

    Sorted by record and time; a record that is gone has no open row.
    """
    import pyarrow as pa

    rows: list[list[object]] = []
    for record, past in _past(home, entity):
        former: tuple[str, str, str] | None = None
        for at, *now in past:
            if now[2] is not None and (*now,) == former:
                continue
            if former is not None:
                rows[-1][-1] = at
            former = (now[0], now[1], now[2]) if now[2] is not None else None
            if former is not None:
                rows.append([record, *former, at, None])
    instant = pa.timestamp("us", tz="UTC")
    fields = {name: pa.string() for name in ("record_id", "source_system", "source_key", "key")}
    return _arrow(rows, fields | {"valid_from": instant, "valid_to": instant})


def moved(home: Path, entity: str, since: datetime) -> pa.Table:
    """Records whose key is not the one they had at `since`: record_id, key_before, key, at (of the last change).

    `key_before` is null for a record that came since, `key` for one that is gone. Raises: MasterDataError if `since` has
    no zone.
    """
    import pyarrow as pa

    if since.tzinfo is None:
        raise MasterDataError(f"{entity}: give the instant with a zone.")
    rows = []
    for record, past in _past(home, entity):
        before, key, last = None, None, since
        for at, *_, now in past:
            if at <= since:
                before = now
            elif now != key:
                last = at
            key = now
        if before != key:
            rows.append((record, before, key, last))
    text = pa.string()
    return _arrow(
        rows, {"record_id": text, "key_before": text, "key": text, "at": pa.timestamp("us", tz="UTC")}
    )


class _Link(NamedTuple):
    """What ties a record to its cluster most surely; no score, no other: a decision."""

    rule: str
    score: float | None = None
    other: str | None = None


@dataclass(frozen=True)
class _Run:
    """What a run comes to, before anything is written."""

    change: Change
    key_of: Mapping[str, str]  # record → key
    links: Mapping[str, _Link]  # of every record that is not alone
    edges: list[Edge]
    exclusive: Mapping[str, str]  # codes that a steward joined are one
    joined: list[Case]  # the decisions that joined them
    changed: int
    reached: int


def _advance(
    kept: Registry,
    seen: Mapping[str, _Seen],
    changed: Collection[str],
    edges: list[Edge],
    settled: Ruling,
    rules: Rules,
    at: datetime,
    *,
    everything: bool,
) -> _Run:
    """Cluster and name what the changes reach, or `everything`."""
    given = {record: item.exclusive for record, item in seen.items() if item.exclusive is not None}
    codes, joined = joined_codes(settled, given)
    exclusive = {record: codes.get(code, code) for record, code in given.items()} if codes else given
    ruled = _ruled(settled, codes)
    applied, lifted = ruled - kept.ruled, frozenset(kept.ruled) - ruled
    if everything:
        reached = {*seen, *kept.records}
    else:
        other_codes = {code for item in applied | lifted if item.kind == _CODE for code in (item.a, item.b)}
        start = {
            *changed,
            *(record for item in applied | lifted if item.kind != _CODE for record in (item.a, item.b)),
            *(record for record, code in given.items() if other_codes and code in other_codes),
        }
        sure = [(edge.a, edge.b) for edge in edges if edge.score >= rules.auto] if start else []
        decided = [(item.a, item.b) for item in ruled if item.kind != _CODE]
        reached = _reach(start, [*sure, *decided], kept.records)
    inside = [record for record in reached if record in seen]
    gone = [record for record in reached if record in kept.records and record not in seen]
    clusters = partition(
        inside, edges, auto=rules.auto, exclusive=exclusive, rules=settled, distinct=_distinct(seen, rules)
    )
    naming = name(
        clusters,
        gone,
        {record: held.key for record, held in kept.records.items()},
        kept.keys,
        kept.memo,
        entity=kept.entity,
        run=kept.run + 1,
        at=at,
        order=by_trust(rules.trust),
        changed=changed,
    )
    key_of = {record: key for cluster, key in naming.key_of.items() for record in cluster}
    key_of |= {record: held.key for record, held in kept.records.items() if record not in reached}
    held = {
        record: Held(item.source_system, item.source_key, key_of[record], item.fingerprint)
        for record, item in seen.items()
    }
    links = _links(edges, settled, key_of, rules.auto)
    change = Change(
        {record: now for record, now in held.items() if kept.records.get(record) != now},
        tuple(gone),
        naming.keys,
        naming.memo,
        _explained(naming, links),
        applied,
        lifted,
    )
    return _Run(change, key_of, links, edges, exclusive, joined, len(changed), len(reached))


def _check(entity: str, records: pa.Table) -> None:
    lacking = {"record_id", "source_system", "source_key"} - set(records.column_names)
    if lacking:
        raise MasterDataError(
            f"{entity}: records come without {', '.join(sorted(lacking))}. Nothing was resolved."
        )
    ids = records.column("record_id").to_pylist()
    if None in ids:
        raise MasterDataError(
            f"{entity}: {ids.count(None)} records have no record_id. Nothing was resolved. "
            f"Look for a null key in the staging models that feed them."
        )
    if len(set(ids)) < len(ids):
        twice = sorted(record for record, count in Counter(ids).items() if count > 1)
        raise MasterDataError(
            f"{entity}: {len(twice)} records come more than once, {twice[0]} for one. Nothing was resolved. "
            f"A record_id is <source system>:<key in it>; make the staging model give one row for each."
        )


def _seen(entity: str, records: pa.Table, std: pa.Table) -> dict[str, _Seen]:
    prepared = dict(
        zip(
            std.column("record_id").to_pylist(),
            zip(std.column("record_hash").to_pylist(), std.column("exclusive").to_pylist(), strict=True),
            strict=True,
        )
    )
    columns = (records.column(part).to_pylist() for part in ("record_id", "source_system", "source_key"))
    rows = list(zip(*columns, strict=True))
    if std.num_rows != len(rows) or any(row[0] not in prepared for row in rows):
        raise MasterDataError(
            f"{entity}: standardising lost or doubled records, {len(rows)} became {std.num_rows}."
        )
    seen = {}
    for record, system, source_key in rows:
        content, code = prepared[record]
        seen[record] = _Seen(system, source_key, f"{content}|{code or ''}", code or None)
    return seen


def _changed(kept: Registry, seen: Mapping[str, _Seen]) -> set[str]:
    """Records that are new, gone or not what they were."""
    changed = {record for record in kept.records if record not in seen}
    for record, item in seen.items():
        held = kept.records.get(record)
        if held is None or held.fingerprint != item.fingerprint:
            changed.add(record)
    return changed


def _rescored(
    entity: str,
    matcher: Matcher,
    std: pa.Table,
    rules: Rules,
    former: list[Edge],
    changed: Collection[str],
    seen: Mapping[str, _Seen],
) -> list[Edge]:
    """All edges, those of changed records scored anew."""
    if not changed:
        return former
    edges = [edge for edge in former if edge.a not in changed and edge.b not in changed]
    asked = {record for record in changed if record in seen}
    if asked:
        fresh = _fresh(entity, matcher.edges(std, rules, asked), seen)
        # A pair of two unchanged records is kept as it was, also if the matcher gives it once more.
        edges += [edge for edge in fresh if edge.a in asked or edge.b in asked]
    return edges


def _fresh(entity: str, edges: Iterable[Edge], seen: Mapping[str, _Seen]) -> list[Edge]:
    """One edge a pair, the surest, smaller id first."""
    best: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        if edge.a not in seen or edge.b not in seen or edge.a == edge.b:
            raise MasterDataError(
                f"{entity}: matching gave the pair {edge.a}, {edge.b}, which is no pair of records."
            )
        if edge.a > edge.b:
            edge = replace(edge, a=edge.b, b=edge.a)
        other = best.get((edge.a, edge.b))
        if other is None or (-edge.score, edge.rule, edge.evidence) < (
            -other.score,
            other.rule,
            other.evidence,
        ):
            best[edge.a, edge.b] = edge
    return [best[pair] for pair in sorted(best)]


def _ruled(settled: Ruling, codes: Mapping[str, str]) -> frozenset[Ruled]:
    """What is applied of decisions, in a form that can be compared with the last run."""
    pairs = {Ruled(_SAME, *item.pair) for item in settled.same}
    pairs |= {Ruled(_DIFFERENT, *item.pair) for item in settled.different}
    return frozenset(pairs | {Ruled(_CODE, code, least) for code, least in codes.items()})


def _distinct(seen: Mapping[str, _Seen], rules: Rules) -> dict[str, str]:
    """The system of each record of those that hold nobody twice."""
    systems = set(rules.no_duplicates_within)
    return (
        {record: item.source_system for record, item in seen.items() if item.source_system in systems}
        if systems
        else {}
    )


def _reach(start: Collection[str], ties: Iterable[tuple[str, str]], before: Mapping[str, Held]) -> set[str]:
    """Everything tied to `start` over edges, decisions and former clusters; holds also records that are gone.

    Edges that changed records had before are not needed. A cluster that held none of these records was made of edges
    among its own records alone, which are all still there, and whatever was refused to it lies outside of it.
    """
    reached = set(start)
    if not reached:
        return reached
    tied: dict[str, list[str]] = defaultdict(list)
    for a, b in ties:
        tied[a].append(b)
        tied[b].append(a)
    members: dict[str, list[str]] = defaultdict(list)
    for record, held in before.items():
        members[held.key].append(record)
    ahead = deque(reached)
    while ahead:
        record = ahead.popleft()
        # A former cluster is handed out once, however many of its members are reached.
        fellows = members.pop(before[record].key, ()) if record in before else ()
        for other in (*tied.get(record, ()), *fellows):
            if other not in reached:
                reached.add(other)
                ahead.append(other)
    return reached


def _links(
    edges: Iterable[Edge], settled: Ruling, key_of: Mapping[str, str], auto: float
) -> dict[str, _Link]:
    links: dict[str, _Link] = {}
    for edge in edges:
        if edge.score < auto or key_of[edge.a] != key_of[edge.b]:
            continue
        for record, other in ((edge.a, edge.b), (edge.b, edge.a)):
            best = links.get(record)
            if best is None or (-edge.score, edge.rule, other) < (
                -(best.score or 0),
                best.rule,
                best.other or "",
            ):
                links[record] = _Link(edge.rule, edge.score, other)
    for group in settled.groups.values():
        here = [record for record in group if record in key_of]
        if len(here) > 1:
            links |= dict.fromkeys(here, _Link(DECIDED))
    return links


def _explained(naming: Naming, links: Mapping[str, _Link]) -> list[Event]:
    """Moves with what ties the record to where it is now."""

    def why(event: Event) -> Event:
        link = links.get(event.record_id or "")
        if event.kind != "move" or link is None:
            return event
        text = DECIDED if link.other is None else f"{link.rule} {link.score:.3f} with {link.other}"
        return replace(event, reason=text)

    return [why(event) for event in naming.events]


def _resolution(
    kept: Registry,
    seen: Mapping[str, _Seen],
    run: _Run,
    settled: Ruling,
    counting: list[Decision],
    rules: Rules,
    at: datetime,
    std: pa.Table,
) -> Resolution:
    import pyarrow as pa

    text, instant = pa.string(), pa.timestamp("us", tz="UTC")
    members = Counter(run.key_of[record] for record in seen)
    crosswalk = []
    for record, item in sorted(seen.items()):
        key, link = run.key_of[record], run.links.get(record, _Link(ALONE))
        crosswalk.append(
            (record, item.source_system, item.source_key, key, members[key], link.rule, link.score)
        )
    cases = [*overruled_cases(settled), *run.joined, *_unknown(kept, seen, counting)]
    cases += open_cases(
        run.edges,
        run.key_of,
        auto=rules.auto,
        exclusive=run.exclusive,
        rules=settled,
        distinct=_distinct(seen, rules),
    )
    times = {**kept.times, kept.run + 1: at}
    # `cluster` speaks of credit codes; what may not differ of a product or a person is another thing.
    word = f"{(rules.exclusive or 'credit_code').replace('_', ' ')}s"
    found = [replace(case, reason=case.reason.replace("credit codes", word)) for case in in_order(cases)]
    keys = kept.keys | {key.key: key for key in run.change.keys}
    issued = [
        (
            key.key,
            key.state,
            resolved(key.key, keys).key,
            key.merged_into,
            key.founder,
            times[key.founded_run],
        )
        for _, key in sorted(keys.items())
    ]
    pins = [
        (p.record_id, p.attribute, p.value, p.by, p.reason, datetime.fromisoformat(p.at))
        for p in counting
        if p.kind == "prefer"
    ]
    return Resolution(
        crosswalk=_arrow(
            crosswalk,
            {
                "record_id": text,
                "source_system": text,
                "source_key": text,
                "key": text,
                "members": pa.int64(),
                "rule": text,
                "score": pa.float64(),
            },
        ),
        review=_arrow(
            [(case.a, case.b, case.score, case.rule, case.evidence, case.reason) for case in found],
            {"a": text, "b": text, "score": pa.float64(), "rule": text, "evidence": text, "reason": text},
        ),
        event=_arrow(
            [(e.at, e.kind, e.key, e.other_key, e.record_id, e.reason) for e in run.change.events],
            {"at": instant, "kind": text, "key": text, "other_key": text, "record_id": text, "reason": text},
        ),
        key=_arrow(
            issued,
            {
                "key": text,
                "state": text,
                "current_key": text,
                "merged_into": text,
                "founder": text,
                "founded_at": instant,
            },
        ),
        preferred=_arrow(
            pins,
            {"record_id": text, "attribute": text, "value": text, "by": text, "reason": text, "at": instant},
        ),
        standard=std,
        changed=run.changed,
        reached=run.reached,
    )


def _unknown(kept: Registry, seen: Mapping[str, _Seen], counting: list[Decision]) -> list[Case]:
    """Decisions on records that never came: mistyped, most likely, and otherwise without any effect to be seen."""
    cases = []
    for item in counting:
        named = [record for record in (item.a, item.b, item.record_id) if record is not None]
        lacking = [record for record in named if record not in seen and record not in kept.ever]
        if lacking:
            text = f"{', '.join(lacking)}; {item}"
            cases.append(Case(named[0], named[-1], None, DECIDED, text, UNKNOWN))
    return cases


def _past(home: Path, entity: str) -> Iterator[tuple[str, list[tuple[datetime, str, str, str]]]]:
    """Every record with what was written of it: when, system, key in it, key here (None: gone), oldest first."""
    every = store.table(home, entity, "record")
    times = store.times(home, entity)
    columns = ("record_id", "run", "source_system", "source_key", "key")
    past: dict[str, list[tuple[datetime, str, str, str]]] = defaultdict(list)
    for record, *said in zip(*(every.column(part).to_pylist() for part in columns), strict=True):
        past[record].append((times[said[0]], said[1], said[2], said[3]))
    yield from sorted(past.items())


def _arrow(rows: Sequence[Sequence[object]], fields: Mapping[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    return pa.table(
        {part: pa.array(values, kind) for (part, kind), values in zip(fields.items(), columns, strict=True)}
    )


def _platform_matcher() -> Matcher:
    from tieout.master_data.match import edges, standardised

    return Matcher(standardised, edges, _code_version())


@cache
def _code_version() -> str:
    """Hash of this package: edges and clusters of other code are not mixed with those of this one."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _model(rules: Rules, matcher: Matcher) -> str:
    """What edges and clusters depend on beside records and decisions."""
    dump = getattr(rules, "model_dump_json", None)
    said = dump() if callable(dump) else repr(rules)
    return hashlib.sha256(f"{matcher.version}\x1f{said}".encode()).hexdigest()[:16]
