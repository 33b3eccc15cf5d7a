"""What the dbt models of schema `master` call: records in, keys, golden values and the steward's work list out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal
from tieout.master_data.golden import golden_query
from tieout.master_data.rules import Rules, read_rules
from tieout.settings import settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ENTITIES = ("customer", "supplier", "product", "employee")
REVIEW, ISSUED = "review.parquet", "issued.parquet"


def rules_of(entity: str) -> Rules:
    """The rules of `dbt_project/master_data/<entity>.yaml`."""
    return read_rules(settings().dbt_project / "master_data" / f"{entity}.yaml")


def crosswalk(records: Mapping[str, duckdb.DuckDBPyRelation], registry: str) -> pa.Table:
    """Give every record of every entity its key; the registry keeps what was found out.

    Args:
        records: Entity → its canonical records.
        registry: Folder of keys and decisions (`Settings.master`).

    Returns: entity, record_id, source_system, source_key, master_key, members, rule, score. One row per record.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tieout.master_data.resolve import resolve

    now, found = datetime.now(UTC), []
    for entity, relation in records.items():
        said = resolve(entity, arrow(relation), Path(registry), rules_of(entity), now)
        keyed = said.crosswalk.rename_columns(
            ["master_key" if name == "key" else name for name in said.crosswalk.column_names]
        )
        found.append(keyed.add_column(0, "entity", pa.array([entity] * len(keyed), pa.string())))
        folder = Path(registry) / entity
        folder.mkdir(parents=True, exist_ok=True)
        # Derived from the run, so it is overwritten: models that come after this one read it.
        pq.write_table(said.review, folder / REVIEW)
        pq.write_table(said.key, folder / ISSUED)
    return pa.concat_tables(found)


def review(entities: Mapping[str, object], registry: str) -> pa.Table:
    """Pairs that a steward should look at: entity, a, b, score, rule, evidence, reason."""
    return _kept(entities, registry, REVIEW)


def issued(entities: Mapping[str, object], registry: str) -> pa.Table:
    """Every key ever given: entity, key, state, current_key, merged_into, founder."""
    return _kept(entities, registry, ISSUED).drop_columns(["founded_at"])


def golden(
    con: duckdb.DuckDBPyConnection,
    records: Mapping[str, duckdb.DuckDBPyRelation],
    crosswalk: duckdb.DuckDBPyRelation,
    registry: str,
) -> pa.Table:
    """The value of every attribute that has one: entity, master_key, attribute, value, record_id, rule."""
    import pyarrow as pa

    from tieout.master_data.decisions import active, decisions
    from tieout.master_data.match import doubtful

    found = []
    every = arrow(crosswalk)
    con.register("golden_crosswalk", every)
    for entity, relation in records.items():
        rules = rules_of(entity)
        rows = arrow(relation)
        con.register("golden_record", rows)
        con.register("golden_doubt", doubtful(rows, rules))
        pinned = {
            (str(item.record_id), str(item.attribute)): str(item.value)
            for item in active(decisions(Path(registry), entity))
            if item.kind == "prefer"
        }
        query = golden_query(
            con,
            "golden_record",
            # one record may stand for two things, as a code that is a supplier's and an employee's
            f"(select record_id, master_key from golden_crosswalk where entity = {literal(entity)})",
            trust=rules.survivorship,
            together=rules.together,
            pinned=pinned,
            doubtful="golden_doubt",
        )
        values = arrow(con.sql(query))
        found.append(values.add_column(0, "entity", pa.array([entity] * len(values), pa.string())))
    for name in ("golden_crosswalk", "golden_record", "golden_doubt"):
        con.unregister(name)
    return pa.concat_tables(found)


def arrow(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """All rows of a relation."""
    return relation.to_arrow_table()


def _kept(entities: Mapping[str, object], registry: str, name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for entity in entities:
        table = pq.read_table(Path(registry) / entity / name)
        tables.append(table.add_column(0, "entity", pa.array([entity] * len(table), pa.string())))
    return pa.concat_tables(tables)
