"""Pull what every source holds now into landing batches; knows nothing of the warehouse.

Sources are pulled side by side, each through its door. What has not changed since the last batch lands nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from zoneinfo import ZoneInfo

from sources.contract import DATABASES, ContractError, Source
from tieout.ingest.drift import effective
from tieout.ingest.drift.refusals import remember
from tieout.ingest.errors import IngestError, SourceError
from tieout.ingest.intake.ask import Ask, Extracted, Report
from tieout.ingest.landing import Landing
from tieout.ingest.manners import opening


def extract_all(
    sources: dict[str, Source],
    landing: Landing,
    asks: Mapping[str, Ask],
    report: Report,
    *,
    workers: int = 12,
) -> list[Extracted]:
    """Pull every wanted stream of every source; one failing stream does not stop the others.

    Args:
        asks: What to pull, by source; a source that is not named is left alone.
        report: Called from worker threads after each stream.
    """
    landing.sweep()
    if not asks:
        return []
    with ThreadPoolExecutor(max_workers=min(workers, len(asks)), thread_name_prefix="extract") as pool:
        pulls = [
            pool.submit(extract_source, source, landing, asks[name], report)
            for name, source in sources.items()
            if name in asks
        ]
        return [outcome for pull in pulls for outcome in pull.result()]


def extract_source(source: Source, landing: Landing, ask: Ask, report: Report) -> list[Extracted]:
    """Pull every wanted stream of one source; errors are part of the answer, never raised."""
    outcomes: list[Extracted] = []
    source = effective(source, landing)

    def done(outcome: Extracted) -> None:
        outcomes.append(outcome)
        report(outcome)

    try:
        _check_hours(source, ask.now)
        if source.connector in DATABASES:
            from tieout.ingest.intake.databases import pull_database

            pull_database(source, landing, ask, done)
        elif source.connector == "http":
            from tieout.ingest.intake.http import ask_control, pull_http

            pull_http(source, landing, ask, done)
            if source.controls and ask.streams is None and ask.window is None:
                _ask_http_controls(source, landing, ask, ask_control)
        else:
            from tieout.ingest.intake.files import pull_files

            pull_files(source, landing, ask, done)
    except (IngestError, ContractError) as error:
        failure = error if isinstance(error, IngestError) else SourceError(str(error))
        reached = {outcome.stream for outcome in outcomes}
        for stream in source.streams:
            if stream not in reached and ask.wants(stream):
                done(Extracted(source.name, stream, error=failure))
    remember(landing.root, outcomes, ask.now)
    return outcomes


def _check_hours(source: Source, now: datetime) -> None:
    """Raises: SourceError outside the hours in which the system may be asked."""
    zone = ZoneInfo(source.timezone)
    opens = opening(source.limits.hours, now, zone)
    if opens:
        raise SourceError(
            f"{source.name}: may be asked only {source.limits.hours} ({zone}); it opens {opens:%Y-%m-%d %H:%M}. "
            f"Nothing was read; what was loaded before stays."
        )


def _ask_http_controls(source: Source, landing: Landing, ask: Ask, ask_control: Callable[..., str]) -> None:
    """What the system says about itself; an answer that does not come is kept as such and disagrees."""
    from tieout.ingest.controls import NO_ANSWER, figure, keep_answers

    answers = {}
    for name, control in source.controls.items():
        try:
            answers[name] = figure(ask_control(source, landing, ask, control.ask))
        except IngestError as error:
            answers[name] = f"{NO_ANSWER}{error}"
    keep_answers(landing, source, answers, ask.now)
