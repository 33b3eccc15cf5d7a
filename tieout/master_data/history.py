"""What master data said before: versions of records out of the raw history, versions of golden records out of those.

A record is a view of several raw tables. What it was at an earlier moment is that same view over the raw versions known
at that moment: the views are made again in a database of their own, on raw tables as of then. Nothing is kept that could
not be made again from the raw history; moments that were looked at before are not looked at again.

- A version begins when the platform learned of it (`_loaded_at`): few systems say when a change took place.
- The first version of a record holds for all time before it too: that a record came later, or a system joined later,
  changes nobody, and facts older than their member find it.
- Who is who is what we know now; only values have a history. A decision of a steward restates it like everything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tieout.engine import literal, quoted
from tieout.master_data.golden import attributes_of, golden_query
from tieout.master_data.rules import Rules

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_HISTORY = "__history"  # of a raw table (tieout.ingest.tables)
_THEN = "as_known_then"  # database of the views as of a moment
_MOMENT = "known_at"  # session variable: the moment
_STATE = "ops.record_moment"
_COLUMNS = ("entity", "record_id", "source_system", "is_active", "changed_at", "attributes")
_VERSION = """
    entity text, record_id text, source_system text, is_active boolean, changed_at text, attributes text,
    known_from timestamptz, is_gone boolean
"""
Place = tuple[str, str]  # schema, name


@dataclass(frozen=True)
class Lineage:
    """What the records are made of: `views` in an order in which they can be made, `raw` tables, and other tables,
    which are taken as they are now.
    """

    views: Mapping[Place, str]
    raw: tuple[Place, ...]
    others: tuple[Place, ...]


def lineage(con: duckdb.DuckDBPyConnection, roots: Sequence[Place]) -> Lineage:
    """Everything below some views, down to the raw tables."""
    sql = dict(_rows(con, "select (schema_name, view_name), sql from duckdb_views() where not internal"))
    views: dict[Place, str] = {}
    raw: dict[Place, None] = {}
    others: dict[Place, None] = {}

    def follow(place: Place) -> None:
        if place in views or place in raw or place in others:
            return
        if place not in sql:
            others[place] = None
        elif place[0].startswith("raw_"):
            raw[place] = None
        else:
            body = sql[place].split(" AS ", 1)[1].rstrip("; \n")
            for below in _read_by(con, body):
                follow(below)
            views[place] = body

    for root in roots:
        follow(root)
    return Lineage(views, tuple(raw), tuple(others))


def _read_by(con: duckdb.DuckDBPyConnection, query: str) -> list[Place]:
    """Tables and views that a query itself names with their schema; other names are those of its CTEs."""
    found: dict[Place, None] = {}

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE" and node.get("schema_name"):
                found[node["schema_name"], node["table_name"]] = None
            node = list(node.values())
        if isinstance(node, list):
            for part in node:
                look(part)

    look(json.loads(con.execute("select json_serialize_sql(?)", [query]).fetchall()[0][0]))
    return list(found)


def record_versions(
    con: duckdb.DuckDBPyConnection,
    shapes: Mapping[str, Sequence[Place]],
    records: Mapping[str, str],
    keys: Mapping[Place, Sequence[str]],
    before: str | None,
) -> pa.Table:
    """Every version of every record that the raw history knows.

    Args:
        con: On the warehouse, in no transaction; its state of earlier calls is in `ops.record_moment`.
        shapes: Entity → the views whose union are its records.
        records: Entity → relation of its records as they are now, with the columns of master.<entity>_record.
        keys: Raw table → the columns that name one row.
        before: Relation with what the last call returned, if it is still there.

    Returns: entity, record_id, source_system, is_active, changed_at (text), attributes (JSON of texts), known_from,
        is_gone. One row per record and version, `is_gone` where the record ended.
    """
    found = lineage(con, [place for places in shapes.values() for place in places])
    moments = _moments(con, found, records)
    con.execute(f"create or replace temp table record_version ({_VERSION})")
    done = _taken_over(con, moments, before)
    if moments[done:-1]:
        with _as_known(con, found, shapes, keys) as then:
            for moment, _ in moments[done:-1]:
                con.execute(f"set variable {_MOMENT} = make_timestamptz({moment})")
                _add(con, then, records, moment)
    if moments[done:]:
        _add(con, records, records, moments[-1][0])
    seen, chains = [moment for moment, _ in moments], [chain for _, chain in moments]
    con.execute(
        f"create or replace table {_STATE} as"
        " select unnest($1::bigint[]) as moment, unnest($2::text[]) as chain,"
        " (select count(*) from record_version) as versions",
        [seen, chains],
    )
    return con.sql("from record_version").to_arrow_table()


def golden_versions(
    con: duckdb.DuckDBPyConnection,
    entity: str,
    versions: str,
    crosswalk: str,
    golden: str,
    rules: Rules,
    pinned: Mapping[tuple[str, str], str],
) -> pa.Table:
    """The values of every golden record that has changed, over time.

    Args:
        versions: Relation of `record_versions`.
        crosswalk: Relation with entity, record_id and master_key, as of now.
        golden: Relation with entity, master_key, attribute and value, as of now: the last version.
        pinned: As for `golden_query`.

    Returns: entity, master_key, version (from 1), valid_from and valid_to (null at the ends of time), attributes (JSON).
    """
    of_entity = f"entity = {literal(entity)}"
    con.execute(
        f"""
        create or replace temp table changed_record as
        with
            told as (
                select *, row_number() over (partition by record_id order by known_from) as number
                from {versions} where {of_entity}
            ),
            keyed as (
                select told.*, crosswalk.master_key
                from told inner join {crosswalk} as crosswalk using (entity, record_id)
            )
        select
            * exclude (known_from, number),
            case when number > 1 then known_from else '-infinity'::timestamptz end as valid_from,
            lead(known_from, 1, 'infinity'::timestamptz)
                over (partition by master_key, record_id order by known_from) as valid_to
        from keyed
        where master_key in (select master_key from keyed where number > 1)
        """
    )
    con.execute(
        """
        create or replace temp table changed_key as
        select master_key, valid_from, master_key || '@' || valid_from as moment_key
        from (select distinct master_key, valid_from from changed_record)
        """
    )
    if not _rows(con, "select count(*) from changed_key")[0][0]:
        return _empty()
    names = [
        row[0]
        for row in _rows(
            con, "select distinct unnest(json_keys(attributes)) as name from changed_record order by 1"
        )
    ]
    listed = "".join(f", attributes ->> {literal(name)} as {quoted(name)}" for name in names)
    con.execute(
        f"""
        create or replace temp table record_then as
        select
            moment.moment_key || '|' || record.record_id as record_id, moment.moment_key as master_key,
            record.record_id as of_record, record.source_system, record.is_active,
            try_cast(record.changed_at as timestamptz) as changed_at {listed}
        from changed_key as moment
        inner join changed_record as record
            on moment.master_key = record.master_key
            and record.valid_from <= moment.valid_from and moment.valid_from < record.valid_to
        where not record.is_gone
        """
    )
    then = _rows(con, "select record_id, of_record from record_then")
    con.register(
        "doubtful_then",
        _doubtful(con.sql("select * exclude (master_key, of_record) from record_then"), rules),
    )
    query = golden_query(
        con,
        "(select * exclude (master_key, of_record) from record_then)",
        "(select record_id, master_key from record_then)",
        trust=rules.survivorship,
        together=rules.together,
        pinned={
            (record, attribute): value
            for record, of_record in then
            for (pinned_record, attribute), value in pinned.items()
            if pinned_record == of_record
        },
        doubtful="doubtful_then",
    )
    values = "to_json(map_from_entries(list((attribute, value) order by attribute)))::text"
    versions_then = con.sql(
        f"""
        with
            known as (
                select changed_key.master_key, changed_key.valid_from, {values} as attributes
                from ({query}) as golden
                inner join changed_key on golden.master_key = changed_key.moment_key
                group by all
            ),
            present as (
                select master_key, {values} as attributes from {golden}
                where {of_entity} and master_key in (select master_key from changed_key) group by all
            ),
            -- what holds now is what the dimension says now
            said as (
                select
                    known.master_key, known.valid_from,
                    case
                        when known.valid_from = max(known.valid_from) over (partition by known.master_key)
                        then coalesce(present.attributes, known.attributes)
                        else known.attributes
                    end as attributes
                from known left join present using (master_key)
            ),
            changes as (
                select * from said
                qualify attributes is distinct from lag(attributes) over (partition by master_key order by valid_from)
            )
        select
            {literal(entity)} as entity, master_key,
            row_number() over (partition by master_key order by valid_from) as version,
            nullif(valid_from, '-infinity'::timestamptz) as valid_from,
            lead(valid_from) over (partition by master_key order by valid_from) as valid_to,
            attributes
        from changes
        qualify count(*) over (partition by master_key) > 1
        order by master_key, version
        """
    ).to_arrow_table()
    con.unregister("doubtful_then")
    return versions_then.cast(_empty().schema)


def _empty() -> pa.Table:
    import pyarrow as pa

    moment = pa.timestamp("us", "UTC")
    columns = [("entity", pa.string()), ("master_key", pa.string()), ("version", pa.int64())]
    columns += [("valid_from", moment), ("valid_to", moment), ("attributes", pa.string())]
    return pa.schema(columns).empty_table()


# --- moments --------------------------------------------------------------------------------------


def _moments(
    con: duckdb.DuckDBPyConnection, found: Lineage, records: Mapping[str, str]
) -> list[tuple[int, str]]:
    """When (in µs since 1970) any raw table below the records got a version, with a hash of everything known by then.

    Oldest first. The batches of one pull are microseconds apart and count as one moment.
    """
    con.execute(f"create table if not exists {_STATE} (moment bigint, chain text, versions bigint)")
    columns = [
        _rows(con, f"select column_name, column_type from (describe from {table})")
        for table in records.values()
    ]
    chain = repr((sorted(found.views.items()), columns))
    if not found.raw:
        return []
    counted = " union all ".join(
        f"select {literal('.'.join(place))} as place, max(epoch_us(_loaded_at)) as moment, count(*) as versions,"
        f" bit_xor(hash(_hash, _is_deleted, _batch_id))::text as content"
        f" from {_history(place)} group by epoch_us(_loaded_at) // 1_000_000"
        for place in found.raw
    )
    pulls: dict[int, list[Any]] = {}
    for row in _rows(con, f"{counted} order by 2, 1"):
        pulls.setdefault(row[1] // 1_000_000, []).append(row)
    result = []
    for content in pulls.values():
        moment = content[-1][1]
        chain = hashlib.sha256(f"{chain}{content!r}".encode()).hexdigest()
        result.append((moment, chain))
    return result


def _taken_over(
    con: duckdb.DuckDBPyConnection, moments: Sequence[tuple[int, str]], before: str | None
) -> int:
    """Copy what earlier calls found for the moments that are as they were; returns how many moments that are."""
    state = _rows(con, f"select moment, chain, versions from {_STATE} order by moment")
    if before is None or not state:
        return 0
    held = _rows(con, f"select count(*) from {before}")[0][0]
    done = 0
    for (moment, chain), (known_moment, known_chain, versions) in zip(moments, state, strict=False):
        if (moment, chain, held) != (known_moment, known_chain, versions):
            break
        done += 1
    if done:
        con.execute(
            f"insert into record_version select * from {before}"
            f" where known_from <= make_timestamptz({moments[done - 1][0]})"
        )
    return done


# --- records at a moment --------------------------------------------------------------------------


@contextmanager
def _as_known(
    con: duckdb.DuckDBPyConnection,
    found: Lineage,
    shapes: Mapping[str, Sequence[Place]],
    keys: Mapping[Place, Sequence[str]],
) -> Generator[Mapping[str, str]]:
    """For a block, the records as they were known at the moment that the session variable names; entity → relation."""
    warehouse = _rows(con, "select current_database()")[0][0]
    con.execute(f"attach ':memory:' as {_THEN}")
    try:
        con.execute(f"use {_THEN}")
        for schema in sorted({place[0] for place in (*found.views, *found.raw, *found.others)}):
            con.execute(f"create schema if not exists {quoted(schema)}")
        for place in found.raw:
            con.execute(f"create view {_name(place)} as {_raw_then(warehouse, place, keys[place])}")
        for place in found.others:
            con.execute(f"create view {_name(place)} as from {quoted(warehouse)}.{_name(place)}")
        for place, body in found.views.items():
            con.execute(f"create view {_name(place)} as {body}")
        then = {}
        for entity, places in shapes.items():
            union = " union all by name ".join(f"from {_THEN}.{_name(place)}" for place in places)
            con.execute(
                f"create view {quoted(entity)} as select *, source_system || ':' || source_key as record_id from ({union})"
            )
            then[entity] = f"{_THEN}.main.{quoted(entity)}"
        con.execute(f"use {quoted(warehouse)}")
        yield then
    finally:
        con.execute(f"use {quoted(warehouse)}")
        con.execute(f"detach {_THEN}")


def _raw_then(warehouse: str, place: Place, key: Sequence[str]) -> str:
    listed = ", ".join(quoted(column) for column in key)
    return (
        f"select * exclude (_is_current) from {quoted(warehouse)}.{_history(place)}"
        f" where _loaded_at <= getvariable({literal(_MOMENT)})"
        f" qualify row_number() over (partition by {listed} order by _loaded_at desc, _batch_id desc) = 1"
    )


def _add(
    con: duckdb.DuckDBPyConnection, then: Mapping[str, str], records: Mapping[str, str], moment: int
) -> None:
    """Append what differs from the last version of each record."""
    union = " union all ".join(
        _texts(con, entity, relation, then[entity]) for entity, relation in records.items()
    )
    con.execute(f"create or replace temp table record_now as {union}")
    con.execute(
        f"""
        insert into record_version
        with last as (
            from record_version qualify row_number() over (partition by entity, record_id order by known_from desc) = 1
        )
        select {", ".join(f"now.{column}" for column in _COLUMNS)}, make_timestamptz({moment}), false
        from record_now as now left join last using (entity, record_id)
        where last.record_id is null or last.is_gone
            or (now.is_active, now.changed_at, now.attributes)
                is distinct from (last.is_active, last.changed_at, last.attributes)
        union all
        select {", ".join(f"last.{column}" for column in _COLUMNS)}, make_timestamptz({moment}), true
        from last anti join record_now using (entity, record_id)
        where not last.is_gone
        """
    )


def _texts(con: duckdb.DuckDBPyConnection, entity: str, records: str, then: str) -> str:
    """Records of one entity with their attributes as one JSON text; a column that a shape lacks is null."""
    there = {row[0] for row in _rows(con, f"select column_name from (describe from {then})")}
    said = ", ".join(
        f"{quoted(name)} := nullif(trim(cast({quoted(name) if name in there else 'null'} as text)), '')"
        for name in attributes_of(con, records)
    )
    optional = {name: name if name in there else "null" for name in ("is_active", "changed_at")}
    return (
        f"select {literal(entity)} as entity, record_id, source_system, {optional['is_active']} as is_active,"
        f" cast({optional['changed_at']} as text) as changed_at, to_json(struct_pack({said}))::text as attributes from {then}"
    )


def _doubtful(records: duckdb.DuckDBPyRelation, rules: Rules) -> pa.Table:
    from tieout.master_data.match import doubtful, standardised

    rows = records.to_arrow_table()
    return doubtful(rows, standardised(rows, rules), rules)


def _history(place: Place) -> str:
    return _name((place[0], place[1] + _HISTORY))


def _name(place: Place) -> str:
    return f"{quoted(place[0])}.{quoted(place[1])}"


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return con.execute(sql).fetchall()
