"""`tieout dictionary`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import duckdb


def dictionary(
    word: Annotated[
        str | None, typer.Argument(help="A word as anybody says it; leave it out to list all.")
    ] = None,
    contradictions: Annotated[
        bool, typer.Option("--contradictions", help="Where the dictionary contradicts itself instead.")
    ] = False,
    csv: Annotated[bool, typer.Option(help="Print CSV instead of a table.")] = False,
) -> None:
    """What does a word mean, and to whom? Every meaning of it, with definition, unit, tax and date.

    \b
    tieout dictionary                      every word, and the metric it means
    tieout dictionary 销售额                three departments, three meanings
    tieout dictionary GMV
    tieout dictionary --contradictions     one word with two meanings, two names with one meaning

    Reads the last publish. The same as a page: dictionary.html beside the board; in SQL: metrics.metric_word,
    metrics.contradiction.
    """
    from tieout.cli.errors import CommandError
    from tieout.cli.open import published
    from tieout.cli.show import csv_rows, table
    from tieout.metrics.dictionary import look_up
    from tieout.metrics.errors import MetricError
    from tieout.settings import settings

    show = csv_rows if csv else table
    with published(settings()) as con:
        if word is not None and contradictions:
            raise CommandError("say a word or --contradictions, not both")
        if word is None:
            _listed(con, _CONTRADICTIONS if contradictions else _WORDS, show)
            return
        try:
            found = look_up(con, word)
        except MetricError as error:
            raise CommandError(str(error)) from None
        if csv:
            show(
                ["word", "department", "metric", "label", "owner", "unit", "tax", "time_role", "definition_zh", "definition_en"],
                [
                    (item.word, item.department, item.metric, item.label, item.owner, item.unit, item.tax, item.time_role,
                     item.description_zh, item.description_en)
                    for item in found
                ],
            )  # fmt: skip
            return
    for place, item in enumerate(found):
        if place:
            print()
        said = item.word + ("" if item.word == item.label else f" → {item.label}")
        print(f"{said}  [{item.metric}]")
        print(f"  {item.owner} · {item.unit} · tax {item.tax} · {item.time_role}")
        print(f"  {item.description_zh}")
        print(f"  {item.description_en}")
        print(f"  = {item.formula}")
    if len(found) > 1:
        print(f"\n{len(found)} meanings: say which one you mean.", file=sys.stderr)


def _listed(con: duckdb.DuckDBPyConnection, sql: str, show) -> None:
    import duckdb

    from tieout.cli.errors import CommandError

    try:
        cursor = con.execute(sql)
    except duckdb.CatalogException:
        raise CommandError("the last publish has no dictionary yet. Run `tieout refresh --force`.") from None
    rows = cursor.fetchall()
    if rows:
        show([item[0] for item in cursor.description or []], rows)
    else:
        print("no contradiction: every word has one meaning, every meaning one name")


_WORDS = """
    select word, department, language, metric_name as metric, label as 指标, owner
    from metrics.metric_word join metrics.metric_catalog using (metric_name)
    order by language desc, word, metric_name
"""
_CONTRADICTIONS = """
    select
        kind, word_one, one, word_other, other, said_zh, said_en,
        year(year) as closed_year, value_one, value_other, difference
    from metrics.contradiction order by kind, word_one, one, other
"""
