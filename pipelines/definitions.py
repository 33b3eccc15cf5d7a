"""One code location: every stream, model, metric, check and publish in one graph, one job, one schedule."""

from __future__ import annotations

import dagster as dg

from pipelines.assets import landing_assets, metric_assets, model_assets, publish_assets, raw_assets
from pipelines.checks import suite_and_identity_checks
from pipelines.sensors import hinted
from sources.contract import read_sources
from tieout.settings import settings

_sources = read_sources(settings().sources)

# One process: the warehouse has one writer, and a process a step would cost three CPU seconds each.
refresh_all = dg.define_asset_job(
    "refresh_all",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="刷新全部：抽取、装载、转换、校验、发布 / Pull, load, build, verify and publish everything.",
)

nightly = dg.ScheduleDefinition(
    name="nightly",
    job=refresh_all,
    cron_schedule="30 2 * * *",
    execution_timezone="Asia/Shanghai",
    description="每天凌晨两点半 / Every night at half past two, Shanghai time.",
)

defs = dg.Definitions(
    assets=[
        *(landing_assets(source) for source in _sources.values()),
        *(raw_assets(source) for source in _sources.values()),
        model_assets(),
        metric_assets(),
        publish_assets(),
    ],
    asset_checks=[suite_and_identity_checks()],
    jobs=[refresh_all],
    schedules=[nightly],
    sensors=[hinted],
    executor=dg.in_process_executor,
)
