"""The way of the data as Dagster assets: mechanism once, facts from the contracts and from dbt.

Every step calls the same function as `tieout refresh`; nothing is decided here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pipelines.log import StepLog
from pipelines.manifest import Model, metrics, models
from sources.contract import Source, Stream
from tieout import refresh
from tieout.engine import connect
from tieout.ingest.extract import extract_all
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import shared
from tieout.ingest.switches import switched_off
from tieout.settings import settings
from tieout.transform import dbt

WAREHOUSE_POOL = "warehouse"  # DuckDB takes one writer at a time
PUBLISHED = [dg.AssetKey(["publish", name]) for name in ("certificate", "postgres", "snapshot")]


def run_id(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """The platform's run id of a Dagster run."""
    return f"D{context.run.run_id[:8]}"


def landing_key(source: Source, stream: str) -> dg.AssetKey:
    return dg.AssetKey(["landing", source.name, stream])


def raw_key(source: Source, stream: str) -> dg.AssetKey:
    return dg.AssetKey([source.raw_schema, stream])


def _spec(source: Source, name: str, stream: Stream, key: dg.AssetKey, **more) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        group_name=stream.module or source.module,
        owners=[f"team:{stream.owner or source.owner}"],
        description=f"{stream.title.zh} / {stream.title.en} ({stream.origin}). {stream.grain.capitalize()}.",
        metadata={"source": source.name, "origin": stream.origin},
        **more,
    )


def landing_assets(source: Source) -> dg.AssetsDefinition:
    """Pull every stream of one source into landing batches, in one read-only snapshot of it."""
    specs = [
        _spec(source, name, stream, landing_key(source, name), kinds={source.connector})
        for name, stream in source.streams.items()
    ]

    @dg.multi_asset(name=f"extract_{source.name}", specs=specs, pool=f"source_{source.name}")
    def extract(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        if off := switched_off(settings().home).get(source.name):
            # Not asked, and nobody downstream has to wait: its tables stay as they are.
            for name in source.streams:
                yield dg.MaterializeResult(
                    asset_key=landing_key(source, name), metadata={"switched_off": off.reason}
                )
            return
        outcomes = extract_all(
            {source.name: source},
            shared(settings().landing),
            {source.name: Ask(datetime.now(UTC))},
            lambda _: None,
        )
        refused = [str(outcome.error) for outcome in outcomes if outcome.error]
        if refused:
            raise dg.Failure("\n".join(dict.fromkeys(refused)))
        for outcome in outcomes:
            yield dg.MaterializeResult(
                asset_key=landing_key(source, outcome.stream),
                metadata={"dagster/row_count": outcome.rows, "new_batches": len(outcome.landed)},
            )

    return extract


def raw_assets(source: Source) -> dg.AssetsDefinition:
    """Load what has landed of one source into raw history and current state."""
    specs = [
        _spec(
            source,
            name,
            stream,
            raw_key(source, name),
            kinds={"duckdb", "table"},
            deps=[landing_key(source, name)],
        )
        for name, stream in source.streams.items()
    ]

    @dg.multi_asset(name=f"load_{source.name}", specs=specs, pool=WAREHOUSE_POOL)
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        # This step runs only when the pull of the whole source has succeeded.
        off = source.name in switched_off(settings().home)
        seen = [] if off else [(source.name, name) for name in source.streams]
        outcomes = refresh.load(
            settings(), {source.name: source}, StepLog(context.log), datetime.now(UTC), seen
        )
        for name in source.streams:
            mine = [item for item in outcomes if item.stream == name]
            yield dg.MaterializeResult(
                asset_key=raw_key(source, name),
                metadata={
                    "batches": len(mine),
                    "rows_loaded": sum(item.loaded for item in mine),
                    "rows_unchanged": sum(item.unchanged for item in mine),
                    "rows_quarantined": sum(item.quarantined for item in mine),
                    "rows_deleted": sum(item.deleted for item in mine),
                },
            )

    return load


def model_key(model: Model) -> dg.AssetKey:
    return dg.AssetKey([model.schema, model.name])


def model_assets() -> dg.AssetsDefinition:
    """Every dbt model and seed; one `dbt build` in this process, as fast as dbt alone."""
    every = models()
    keys = {model.unique_id: model_key(model) for model in every}

    def upstream(unique_id: str) -> dg.AssetKey | None:
        if unique_id.startswith("source."):
            _, _, source, table = unique_id.split(".", 3)
            return dg.AssetKey([f"raw_{source}", table])
        return keys.get(unique_id)

    specs = [
        dg.AssetSpec(
            keys[model.unique_id],
            group_name=model.group,
            owners=[f"team:{model.owner}"],
            kinds={"dbt", "duckdb"} if model.kind == "model" else {"dbt", "csv"},
            description=model.description,
            deps=[key for item in model.depends_on if (key := upstream(item))],
        )
        for model in every
    ]

    @dg.multi_asset(name="transform", specs=specs, pool=WAREHOUSE_POOL)
    def transform(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        done: list[dbt.Node] = []
        try:
            dbt.build(settings(), done.append)
        except dbt.TransformError as error:
            raise dg.Failure(str(error)) from None
        # dbt finishes a node after everything it stands on, which is the order Dagster asks for.
        for node in done:
            if node.unique_id in keys:
                yield dg.MaterializeResult(asset_key=keys[node.unique_id], metadata={"seconds": node.seconds})

    return transform


def metric_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["metrics", name])


def metric_assets() -> dg.AssetsDefinition:
    """Every metric definition, compiled into schema `metrics`."""
    every = metrics()
    specs = [
        dg.AssetSpec(
            metric_key(metric.name),
            group_name="metrics",
            owners=[f"team:{metric.owner}"],
            kinds={"metricflow"},
            description=f"{metric.label}. {metric.description}",
            deps=[dg.AssetKey(list(model)) for model in metric.models],
        )
        for metric in every
    ]

    @dg.multi_asset(name="metrics", specs=specs, pool=WAREHOUSE_POOL)
    def measure(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        refresh.measure(settings(), StepLog(context.log))
        for metric in every:
            yield dg.MaterializeResult(asset_key=metric_key(metric.name))

    return measure


def publish_assets() -> dg.AssetsDefinition:
    """Certificate, PostgreSQL schema and snapshot file: switched together once no strong rule is broken."""
    served = [model_key(model) for model in models() if model.schema in {"marts", "tie"}]
    titles = {
        "certificate": "证书：截止点、水位线、校验结果 / What the publish holds for, with which reservations.",
        "postgres": "PostgreSQL 发布库，供 BI 工具连接 / The schema BI tools read.",
        "snapshot": "DuckDB 快照文件，供分析师使用 / The file analysts read.",
    }
    specs = [
        dg.AssetSpec(
            key,
            group_name="publish",
            owners=["team:data"],
            kinds={"postgres"} if key.path[-1] == "postgres" else {"duckdb"},
            description=titles[key.path[-1]],
            deps=[*served, *(metric_key(metric.name) for metric in metrics())],
        )
        for key in PUBLISHED
    ]

    @dg.multi_asset(name="publish", specs=specs, pool=WAREHOUSE_POOL)
    def publish(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        with connect(settings().warehouse) as con:
            said = refresh.judged(settings(), con, run_id(context))
        if said.blocking:
            raise dg.Failure("nothing was published:\n" + "\n".join(map(str, said.blocking)))
        certificate = refresh.publish(
            settings(),
            StepLog(context.log),
            said,
            run_id(context),
            refresh.inputs(settings()),
            datetime.now(UTC),
        )
        for key in PUBLISHED:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "publish_id": certificate.publish_id,
                    "certified": certificate.certified,
                    "reasons": list(certificate.reasons),
                    "business_cut_off": str(certificate.business_cut_off),
                },
            )

    return publish
