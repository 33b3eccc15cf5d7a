"""Webhook hints start a run; what they said is closed once a run that began after them has succeeded."""

from datetime import UTC, datetime

import dagster as dg

from tieout.ingest.intake.inbox import Hint, open_hints, settle
from tieout.settings import settings

JOB = "refresh_all"
EVERY = 30  # seconds between two looks; a vendor's own delay is longer


def answered(hints: list[Hint], began: float | None) -> list[Hint]:
    """Hints received before `began` (seconds since 1970) of a successful run: that run has pulled what they meant."""
    if began is None:
        return []
    return [hint for hint in hints if datetime.fromisoformat(hint.received_at).timestamp() < began]


def _last_success(instance: dg.DagsterInstance) -> float | None:
    """When the newest successful run began; runs that pull only a part carry the tag `tieout/partial`."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=10
    )
    began = [
        item.start_time
        for item in records
        if item.start_time and "tieout/partial" not in item.dagster_run.tags
    ]
    return max(began, default=None)


def _is_running(instance: dg.DagsterInstance) -> bool:
    active = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return bool(instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=active), limit=1))


@dg.sensor(
    name="hinted",
    job_name=JOB,
    minimum_interval_seconds=EVERY,
    description="系统推送提示有变化时立即刷新 / Refreshes when a system's webhook says that something has changed.",
)
def hinted(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run for all open hints; none while a run is going on, since it may have passed what has changed."""
    home = settings().home
    hints = open_hints(home)
    if not hints:
        return dg.SkipReason("no open hints")
    done = answered(hints, _last_success(context.instance))
    settle(home, done)
    left = [hint for hint in hints if hint not in done]
    if not left:
        return dg.SkipReason("the last run has answered every hint")
    if _is_running(context.instance):
        return dg.SkipReason(f"{len(left)} hints wait for the run that is going on")
    newest = max(hint.received_at for hint in left)
    streams = ", ".join(f"{hint.source}.{hint.stream or '*'}" for hint in left)
    tags = {"tieout/hinted": streams[:240], "tieout/hinted_at": datetime.now(UTC).isoformat()}
    # The same hints ask for one run only: a run that fails is for people, not for a loop.
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"hints {newest}", tags=tags)])
