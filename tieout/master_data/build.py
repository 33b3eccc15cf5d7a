"""What the dbt models of schema `master` call: records in, keys, golden values and the steward's work list out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import literal
from tieout.master_data.golden import golden_query
from tieout.master_data.rules import Rules, read_rules
from tieout.master_data.types import ENTITIES, entity_folder
from tieout.settings import settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# What the crosswalk leaves beside the keys for the models after it.
REVIEW, ISSUED, DOUBTFUL = "review.parquet", "issued.parquet", "doubtful.parquet"


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

    from tieout.master_data.match import doubtful
    from tieout.master_data.resolve import resolve

    now, found = datetime.now(UTC), []
    for entity, relation in records.items():
        rows, rules = relation.to_arrow_table(), rules_of(entity)
        said = resolve(entity, rows, Path(registry), rules, now)
        keyed = said.crosswalk.rename_columns(
            ["master_key" if name == "key" else name for name in said.crosswalk.column_names]
        )
        found.append(_of(entity, keyed))
        folder = entity_folder(Path(registry), entity)
        folder.mkdir(parents=True, exist_ok=True)
        for name, left in (
            (REVIEW, said.review),
            (ISSUED, said.key),
            (DOUBTFUL, doubtful(rows, said.standard, rules)),
        ):
            pq.write_table(left, folder / name)
    return pa.concat_tables(found)


def review(registry: str) -> pa.Table:
    """Pairs that a steward should look at: entity, a, b, score, rule, evidence, reason."""
    return _left(registry, REVIEW)


def issued(registry: str) -> pa.Table:
    """Every key ever given: entity, key, state, current_key, merged_into, founder."""
    return _left(registry, ISSUED).drop_columns(["founded_at"])


def golden(
    con: duckdb.DuckDBPyConnection,
    records: Mapping[str, duckdb.DuckDBPyRelation],
    crosswalk: duckdb.DuckDBPyRelation,
    registry: str,
) -> pa.Table:
    """The value of every attribute that has one: entity, master_key, attribute, value, record_id, rule."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    con.register("golden_crosswalk", crosswalk.to_arrow_table())
    for entity, relation in records.items():
        rules = rules_of(entity)
        con.register("golden_record", relation.to_arrow_table())
        con.register("golden_doubt", pq.read_table(entity_folder(Path(registry), entity) / DOUBTFUL))
        query = golden_query(
            con,
            "golden_record",
            # one record may stand for two things, as a code that is a supplier's and an employee's
            f"(select record_id, master_key from golden_crosswalk where entity = {literal(entity)})",
            trust=rules.survivorship,
            together=rules.together,
            pinned=_pinned(registry, entity),
            doubtful="golden_doubt",
        )
        found.append(_of(entity, con.sql(query).to_arrow_table()))
    for name in ("golden_crosswalk", "golden_record", "golden_doubt"):
        con.unregister(name)
    return pa.concat_tables(found)


def record_versions(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Every version of every record (`history.record_versions`), of the warehouse that `con` is on."""
    from sources.contract import read_sources
    from tieout.master_data.history import record_versions

    own = con.cursor()  # not in the caller's transaction, which may write to one database only
    shaped = own.execute(
        "select table_name from information_schema.tables where table_schema = 'intermediate' order by 1"
    ).fetchall()
    shapes = {
        entity: [("intermediate", name) for (name,) in shaped if name.startswith(f"int_{entity}_records__")]
        for entity in ENTITIES
    }
    keys = {
        (source.raw_schema, name): stream.key
        for source in read_sources(settings().sources).values()
        for name, stream in source.streams.items()
    }
    there = own.execute(
        "select 1 from duckdb_tables() where schema_name || '.' || table_name = 'master.record_version'"
    )
    return record_versions(
        own,
        shapes,
        {entity: f"master.{entity}_record" for entity in ENTITIES},
        keys,
        "master.record_version" if there.fetchone() else None,
    )


def golden_versions(con: duckdb.DuckDBPyConnection, registry: str) -> pa.Table:
    """The golden records that have changed, over time (`history.golden_versions`)."""
    import pyarrow as pa

    from tieout.master_data.history import golden_versions

    own = con.cursor()
    return pa.concat_tables(
        golden_versions(
            own,
            entity,
            "master.record_version",
            "master.crosswalk",
            "master.golden_attribute",
            rules_of(entity),
            _pinned(registry, entity),
        )
        for entity in ENTITIES
    )


def _pinned(registry: str, entity: str) -> dict[tuple[str, str], str]:
    """(record_id, attribute) → the value that a steward prefers."""
    from tieout.master_data.decisions import active, decisions

    return {
        (str(item.record_id), str(item.attribute)): str(item.value)
        for item in active(decisions(Path(registry), entity))
        if item.kind == "prefer"
    }


def _left(registry: str, name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa.concat_tables(
        _of(entity, pq.read_table(entity_folder(Path(registry), entity) / name)) for entity in ENTITIES
    )


def _of(entity: str, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return table.add_column(0, "entity", pa.array([entity] * len(table), pa.string()))
