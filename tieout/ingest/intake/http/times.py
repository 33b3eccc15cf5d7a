"""Whether rows that were asked for by pieces of time are of their piece.

A page of one week that is sent in place of the next week's (by a cache, or because the system does not heed the
time) has as many rows as it should: only its rows' own time tells.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sources.contract import Stream
from tieout.engine import literal
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.client import KEPT
from tieout.ingest.intake.http.plan import Requests, cursor_of
from tieout.ingest.intake.http.rows import Table
from tieout.ingest.intake.http.walk import Walked

if TYPE_CHECKING:
    import duckdb

# Systems that know only days give the whole last one, and a time without a zone may be in another one than ours.
LEEWAY = timedelta(days=1)


def check_times(
    con: duckdb.DuckDBPyConnection,
    requests: Requests,
    stream: Stream,
    table: Table,
    file: Path,
    legs: list[Walked],
) -> None:
    """Compare every row's cursor with the piece of time it came with; a stream or row without one cannot tell.

    Args:
        file: Its rows are numbered over all pages of the legs, in their order.

    Raises: SourceError if a row is more than a day outside of its piece.
    """
    cursor = stream.cursor or ()
    names = tuple(table.columns[name] for name in cursor if name in table.columns)
    if not names or not any(leg.leg.between for leg in legs):
        return
    own = cursor_of(requests.source, requests.family.name, stream, names)
    zone = UTC if own.kind == "timestamptz" else ZoneInfo(requests.source.timezone)

    def wall(moment: datetime) -> datetime:
        return moment.astimezone(zone).replace(tzinfo=None)

    pieces, last = [], 0
    for number, leg in enumerate(legs):
        came = sum(kept.facts.rows for kept in leg.pages)
        if not came:
            continue
        last += came
        low, high = leg.leg.between or (None, None)
        pieces.append((number, last, low and wall(low) - LEEWAY, high and wall(high) + LEEWAY))
    if not pieces:
        return
    con.execute(
        "create or replace temp table pieces (leg integer, last_row bigint, low timestamp, high timestamp)"
    )
    con.executemany("insert into pieces values (?, ?, ?, ?)", pieces)
    found = con.execute(
        f"""
        select p.leg, count(*), min(r.at)
        from (select _row, {own.value} as at from read_parquet({literal(str(file))})) as r
        asof join pieces as p on r._row <= p.last_row
        where r.at < p.low or r.at > p.high
        group by p.leg order by p.leg limit 1
        """
    ).fetchone()
    con.execute("drop table pieces")
    if found:
        number, rows, example = found
        words = requests.client.secrets.redacted(legs[number].leg.words)
        raise SourceError(
            f"{requests.where}: {stream.origin}{words}: {rows} rows are of another time, for example "
            f"{' or '.join(names)} {example}: the system does not heed {{from}} and {{to}}, or a page of another time "
            f"was sent. {KEPT} Repeat; if it stays, check that the request asks by the time that `cursor` names."
        )
