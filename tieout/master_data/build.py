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

    from tieout.master_data.decisions import active, decisions

    found = []
    con.register("golden_crosswalk", crosswalk.to_arrow_table())
    for entity, relation in records.items():
        rules = rules_of(entity)
        con.register("golden_record", relation.to_arrow_table())
        con.register("golden_doubt", pq.read_table(entity_folder(Path(registry), entity) / DOUBTFUL))
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
        found.append(_of(entity, con.sql(query).to_arrow_table()))
    for name in ("golden_crosswalk", "golden_record", "golden_doubt"):
        con.unregister(name)
    return pa.concat_tables(found)


def _left(registry: str, name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa.concat_tables(
        _of(entity, pq.read_table(entity_folder(Path(registry), entity) / name)) for entity in ENTITIES
    )


def _of(entity: str, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return table.add_column(0, "entity", pa.array([entity] * len(table), pa.string()))
