"""Golden records: of every attribute the value that is trusted most, with the record it came from.

A value stays with its record, so a record that moves to another key takes its values along and gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb

# Of every record; not attributes of the thing it stands for.
_OF_THE_RECORD = {
    "record_id", "source_system", "source_key", "company_code", "is_active", "changed_at", "same_as"
}  # fmt: skip
EVERY = "*"


def golden_query(
    con: duckdb.DuckDBPyConnection,
    records: str,
    crosswalk: str,
    *,
    trust: Mapping[str, Sequence[str]],
    together: Sequence[Sequence[str]] = (),
    pinned: Mapping[tuple[str, str], str] | None = None,
    doubtful: str | None = None,
) -> str:
    """SQL that gives (master_key, attribute, value, record_id, rule), one row per key and attribute that has a value.

    The order in which a value wins: pinned by a steward; not doubtful; of an active record; of a system trusted more;
    changed later; of the smaller record id. An attribute that belongs to a group comes from the record that won the
    group's first attribute, also if it is empty there: a street of one record in the city of another is nobody's address.

    Args:
        records: Relation of canonical records. Attributes are its columns, less those of every record.
        crosswalk: Relation with record_id and master_key.
        trust: Attribute → systems, best first; `*` for the attributes not named. A system not named comes last.
        together: Groups of attributes that come from one record, the leading one first.
        pinned: (record_id, attribute) → value that a steward prefers; it holds for whatever key the record has.
        doubtful: Relation (record_id, attribute) of values known to be wrong; they win over nothing else.
    """
    attributes = attributes_of(con, records)
    lead = {name: group[0] for group in together for name in group if group[0] in attributes}
    listed = ", ".join(
        f"nullif(trim(cast({quoted(name)} as text)), '') as {quoted(name)}" for name in attributes
    )
    ranks = [
        f"({literal(name)}, {literal(system)}, {place})"
        for name in attributes
        for place, system in enumerate(trust.get(name) or trust.get(EVERY) or ())
    ] or ["('', '', 0)"]
    pins = [
        f"({literal(record)}, {literal(name)}, {literal(value)})"
        for (record, name), value in sorted((pinned or {}).items())
    ] or ["('', '', '')"]
    doubts = f"select record_id, attribute from {doubtful}" if doubtful else "select '', '' where false"
    leaders = ", ".join(
        f"({literal(name)}, {literal(first)})" for name, first in lead.items() if name != first
    )
    return f"""
    with
        trust (attribute, source_system, place) as (values {", ".join(ranks)}),
        pins (record_id, attribute, value) as (values {", ".join(pins)}),
        doubts (record_id, attribute) as ({doubts}),
        leaders (attribute, leader) as ({f"values {leaders}" if leaders else "select '', '' where false"}),
        texts as (select record_id, source_system, is_active, changed_at, {listed} from {records}),
        told as (
            unpivot texts on {", ".join(quoted(name) for name in attributes)} into name attribute value value
        ),
        -- a pinned value counts even where the record itself says nothing
        said as (
            select
                told.record_id, told.source_system, told.is_active, told.changed_at, told.attribute,
                coalesce(pins.value, told.value) as value, pins.value is not null as is_pinned
            from told
            left join pins on told.record_id = pins.record_id and told.attribute = pins.attribute
            union all
            select texts.record_id, texts.source_system, texts.is_active, texts.changed_at, pins.attribute, pins.value, true
            from pins
            inner join texts on pins.record_id = texts.record_id
            where (pins.record_id, pins.attribute) not in (select (record_id, attribute) from told)
        ),
        ranked as (
            select
                crosswalk.master_key, said.attribute, said.value, said.record_id, said.is_pinned,
                doubts.record_id is not null as is_doubtful,
                row_number() over (
                    partition by crosswalk.master_key, said.attribute
                    order by
                        said.is_pinned desc, doubts.record_id is not null, said.is_active desc,
                        coalesce(trust.place, 1000), said.changed_at desc nulls last, said.record_id
                ) as place
            from said
            inner join {crosswalk} as crosswalk on said.record_id = crosswalk.record_id
            left join trust on said.attribute = trust.attribute and said.source_system = trust.source_system
            left join doubts on said.record_id = doubts.record_id and said.attribute = doubts.attribute
        ),
        won as (select * from ranked where place = 1)
    select
        mine.master_key,
        mine.attribute,
        mine.value,
        mine.record_id,
        case
            when mine.is_pinned then 'pinned by a steward'
            when mine.is_doubtful then 'doubtful, but nothing else is known'
            when leaders.leader is not null then 'with ' || leaders.leader
            else 'most trusted'
        end as rule
    from ranked as mine
    left join leaders on mine.attribute = leaders.attribute
    left join won as led on mine.master_key = led.master_key and led.attribute = leaders.leader
    inner join won as own on mine.master_key = own.master_key and mine.attribute = own.attribute
    where
        case
            when led.record_id is null or own.is_pinned then mine.place = 1
            else mine.record_id = led.record_id
        end
    """


def attributes_of(con: duckdb.DuckDBPyConnection, records: str) -> list[str]:
    """Columns of canonical records that say something of the thing itself."""
    columns = [row[0] for row in con.execute(f"describe from {records}").fetchall()]
    return [name for name in columns if name not in _OF_THE_RECORD]
