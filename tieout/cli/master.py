"""`tieout master …`"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tieout.cli.errors import CommandError

if TYPE_CHECKING:
    import duckdb

    from tieout.master_data.decisions import Decision, Kind
    from tieout.master_data.pairs import Pair

app = typer.Typer(help="Who is who: records of all systems under one key, the doubtful pairs, and decisions.")

Entity = Annotated[str | None, typer.Option("--entity", help="customer, supplier, product or employee.")]
One = Annotated[str, typer.Argument(help="A record, as SYSTEM:CODE: hc_kingdee:CUST0012.")]
Other = Annotated[str, typer.Argument(help="The other record.")]
By = Annotated[str, typer.Option("--by", help="Who decides. Kept with the decision.")]
Reason = Annotated[str, typer.Option("--reason", help="Why. Kept with the decision.")]
Limit = Annotated[int, typer.Option("--limit", help="Rows to print; 0 prints all.")]
NEXT = "It holds from the next `tieout refresh` on."


@app.callback(invoke_without_command=True)
def master(context: typer.Context) -> None:
    """Every system has its own records of the same customers, suppliers, products and people; here they get one key.

    \b
    tieout master                                   records, keys and open pairs of every entity
    tieout master review                            pairs that a person should look at, with the evidence; --page side by side
    tieout master show hc_kingdee:CUST0012          a record, everything that has its key, and where each value is from
    tieout master same A B --by 张伟 --reason "one licence"        these two are one
    tieout master different A B --by 张伟 --reason "two licences"  these two are not, whatever they look like
    tieout master prefer A phone 021-5555 --by 张伟 --reason "phoned"
    tieout master decisions                         everything that was decided, and what holds of it
    tieout master undo ID --by 张伟 --reason "mistaken"            as if it had never been decided
    tieout master moved                             what the last publish moved from one key to another, to the cent

    Rules and thresholds are in dbt_project/master_data/<entity>.yaml. Decisions name records of systems, not keys;
    they are kept with the batches and hold for every later run.
    """
    if context.invoked_subcommand is None:
        _summary()


def _summary() -> None:
    with _built() as con:
        master_table(con)
    print(
        "\nNext: `tieout master review` lists the pairs; `tieout master show SYSTEM:CODE` shows one record."
    )


def master_table(con: duckdb.DuckDBPyConnection) -> None:
    """Records, keys and open pairs of every entity."""
    from tieout.cli.show import heading, table

    rows = con.execute(
        """
        with
            pairs as (select entity, count(*) as pairs from master.review_pair group by entity),
            twice as (
                select entity, sum(records - 1) as twice
                from (
                    select entity, master_key, source_system, count(*) as records
                    from master.crosswalk group by all
                )
                group by entity
            )
        select
            entity, count(*), count(distinct source_system), count(distinct master_key),
            any_value(coalesce(twice, 0)), any_value(coalesce(pairs, 0))
        from master.crosswalk
        left join pairs using (entity)
        left join twice using (entity)
        group by entity
        order by entity
        """
    ).fetchall()
    heading("Who is who: records of all systems, and how many customers, suppliers … they are")
    table(["entity", "records", "systems", "keys", "keyed in twice", "pairs to review"], rows)


@app.command("review")
def review(
    entity: Entity = None,
    limit: Limit = 30,
    page: Annotated[
        bool, typer.Option("--page", help="Write them side by side to pages/review.html instead.")
    ] = False,
) -> None:
    """Pairs that may be the same, or that must not be joined: of each two groups of records, the surest pair."""
    from tieout.cli.show import heading, table
    from tieout.master_data.pairs import pairs_to_review

    with _built() as con:
        names = _names(con)
        found = pairs_to_review(con, entity)
    if page:
        _write_page(found)
        return
    heading(f"To review: {len(found):,} pairs" if len(found) != 1 else "To review: 1 pair")
    shown = found[:limit] if limit else found
    table(
        ["entity", "record", "and", "score", "pairs", "why here", "evidence"],
        [
            (
                pair.entity,
                f"{pair.a} {names.get((pair.entity, pair.a), '')}",
                f"{pair.b} {names.get((pair.entity, pair.b), '')}",
                "–" if pair.score is None else f"{pair.score:.2f}",
                pair.pairs,
                pair.why,
                pair.evidence,
            )
            for pair in shown
        ],
    )
    if len(shown) < len(found):
        print(f"  … and {len(found) - len(shown):,} more: --limit 0")
    if found:
        print("\nNext: `tieout master same A B` or `tieout master different A B`, with --by and --reason;")
        print("      `tieout master review --page` shows them side by side.")


def _write_page(pairs: Sequence[Pair]) -> None:
    from tieout.pages.review import write_review
    from tieout.settings import settings
    from tieout.transform.catalogue import catalogue
    from tieout.transform.dbt import target

    tables = catalogue(target(settings()) / "manifest.json")
    classes = {name: table.classes for name, table in tables.items()}
    file = write_review(pairs, settings().pages, classes, datetime.now(UTC))
    print(f"{len(pairs):,} pairs on {file}")


@app.command("show")
def show(record: Annotated[str, typer.Argument(help="SYSTEM:CODE, a master key, or a code.")]) -> None:
    """One key: its records side by side, the value that won of every attribute, and what was decided."""
    from tieout.cli.show import heading, table

    with _built() as con:
        found = con.execute(
            "select distinct entity, master_key from master.crosswalk"
            " where record_id = ? or master_key = ? or source_key = ?",
            [record] * 3,
        ).fetchall()
        if not found:
            found = con.execute(
                "select entity, current_key from master.issued_key where key = ? and current_key is not null",
                [record],
            ).fetchall()
        if not found:
            raise CommandError(
                f"no record, code or key {record!r} is known. A record is written SYSTEM:CODE, for example hc_kingdee:CUST0012."
            )
        for entity, key in found:
            heading(f"{entity} {key}")
            relation = con.sql(
                f"select r.* exclude (record_id, source_system, source_key), c.record_id, c.rule, c.score"
                f" from master.crosswalk as c join master.{entity}_record as r using (record_id)"
                f" where c.entity = '{entity}' and c.master_key = $key order by c.record_id",
                params={"key": key},
            )
            members = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
            attributes = [
                name for name in relation.columns if name not in {"record_id", "rule", "score", "same_as"}
            ]
            table(
                ["record", *(attributes), "joined by"],
                [
                    (
                        item["record_id"],
                        *("" if item[name] is None else str(item[name])[:40] for name in attributes),
                        item["rule"],
                    )
                    for item in members
                ],
            )
            print("\n  golden record")
            table(
                ["attribute", "value", "from", "because"],
                con.execute(
                    "select attribute, value, record_id, rule from master.golden_attribute"
                    " where entity = ? and master_key = ? order by attribute",
                    [entity, key],
                ).fetchall(),
            )
            mine = {item["record_id"] for item in members}
            for event in _past(entity, key):
                print(f"  {event}")
            about = [item for item in _decisions(entity) if mine & {item.a, item.b, item.record_id}]
            for item in about:
                print(f"  {_said(item)}")


@app.command("same")
def same(a: One, b: Other, by: By, reason: Reason, entity: Entity = None) -> None:
    """Decide that two records are one, whatever rules say; it holds until it is undone."""
    _decide("same", a, b, by=by, reason=reason, entity=entity)


@app.command("different")
def different(a: One, b: Other, by: By, reason: Reason, entity: Entity = None) -> None:
    """Decide that two records are never one; whoever is between them goes with the one that fits better."""
    _decide("different", a, b, by=by, reason=reason, entity=entity)


@app.command("prefer")
def prefer(
    record: One,
    attribute: Annotated[str, typer.Argument(help="For example name, phone, address.")],
    value: Annotated[str, typer.Argument(help="The right value.")],
    by: By,
    reason: Reason,
    entity: Entity = None,
) -> None:
    """Pin a value of whatever this record belongs to; systems are not changed."""
    from tieout.master_data.decisions import decide
    from tieout.settings import settings

    with _built() as con:
        entity = _entity(con, [record], entity)
        known = {row[0] for row in con.execute(f"describe master.{entity}_record").fetchall()}
    if attribute not in known:
        raise CommandError(f"a {entity} has no attribute {attribute!r}. It has: {', '.join(sorted(known))}.")
    done = decide(
        settings().master, entity, "prefer", record_id=record, attribute=attribute, value=value,
        by=by, reason=reason, now=datetime.now(UTC),
    )  # fmt: skip
    print(f"Decided [{done.id}]: {attribute} of {record} is {value!r}. {NEXT}")


@app.command("undo")
def undo(
    decision: Annotated[str, typer.Argument(help="Its id, as `tieout master decisions` prints it.")],
    by: By,
    reason: Reason,
) -> None:
    """Take a decision back: keys, facts and reports come out as if it had never been taken."""
    from tieout.master_data.decisions import decide, decisions
    from tieout.master_data.types import ENTITIES
    from tieout.settings import settings

    root = settings().master
    of = [entity for entity in ENTITIES if decision in {item.id for item in decisions(root, entity)}]
    if not of:
        raise CommandError(
            f"there is no decision {decision}. Nothing was done. `tieout master decisions` lists them."
        )
    done = decide(root, of[0], "revoke", revokes=decision, by=by, reason=reason, now=datetime.now(UTC))
    print(f"Taken back [{done.id}]: {decision}. {NEXT}")


@app.command("decisions")
def list_decisions(entity: Entity = None) -> None:
    """Every decision ever taken, newest last, and whether it holds."""
    from tieout.cli.show import heading, table
    from tieout.master_data.cluster import ruling
    from tieout.master_data.decisions import active
    from tieout.master_data.types import ENTITIES

    rows = []
    for one in [entity] if entity else ENTITIES:
        every = _decisions(one)
        state = {item.id: "holds" for item in active(every)}
        for item, against in ruling(active(every)).overruled:
            state[item.id] = f"overruled by {against[0].id}"
        rows += [
            (item.at[:16], one, item.kind, _about(item), item.by, item.reason, item.id,
             state.get(item.id, "–" if item.kind == "revoke" else "taken back"))
            for item in every
        ]  # fmt: skip
    heading(f"Decisions: {len(rows):,}" if len(rows) != 1 else "Decisions: 1")
    if rows:
        table(["at (UTC)", "entity", "what", "about", "by", "reason", "id", ""], sorted(rows))


@app.command("moved")
def moved(
    since: Annotated[
        str | None,
        typer.Option(
            help="An earlier publish (P2026…) that is still kept, instead of the one before the last; or a day "
            "(2026-05-01): then the records whose key has changed since."
        ),
    ] = None,
    monthly: Annotated[
        bool, typer.Option("--by-month", help="Tell the months apart, by the day of each row.")
    ] = False,
    limit: Limit = 40,
) -> None:
    """What went from one key to another between two publishes: rows and amounts of every fact, and that no cent was lost.

    Exit codes: 0 every total of every fact is as it was · 1 a total changed (new or corrected rows came between).
    """
    import sys

    from tieout.cli.show import heading, table
    from tieout.master_data.moved import compare
    from tieout.settings import settings

    if since and re.fullmatch(r"\d{4}-\d\d-\d\d", since):
        _records_moved(datetime.fromisoformat(since).replace(tzinfo=UTC))
        return
    found = compare(settings().snapshots, since, monthly=monthly)
    heading(f"Moved between {found.before} and {found.after}")
    shown = found.moves[:limit] if limit else found.moves
    if shown:
        table(
            ["fact", "entity", "from", "to", *(["month"] if monthly else []), "rows", "measure", "amount"],
            [
                (
                    m.fact,
                    m.entity,
                    m.left,
                    m.right,
                    *([f"{m.month:%Y-%m}" if m.month else "–"] if monthly else []),
                    m.rows,
                    m.measure or "–",
                    m.amount,
                )
                for m in shown
            ],
        )
    if len(shown) < len(found.moves):
        print(f"  … and {len(found.moves) - len(shown):,} more: --limit 0")
    for line in found.other:
        print(f"  ! {line}")
    print(
        f"{found.rows:,} rows of {found.facts} facts moved; {found.kept} of {found.totals} totals are as they were"
    )
    sys.exit(0 if found.kept == found.totals else 1)


def _records_moved(since: datetime) -> None:
    """From the registry, which forgets nothing: also long after the publishes of that day are gone."""
    from tieout.cli.show import heading, table
    from tieout.master_data.resolve import moved
    from tieout.master_data.types import ENTITIES
    from tieout.settings import settings

    rows = [
        (entity, row["record_id"], row["key_before"] or "–", row["key"] or "gone", row["at"])
        for entity in ENTITIES
        for row in moved(settings().master, entity, since).to_pylist()
        if row["key_before"]
    ]
    heading(f"Records with another key than on {since:%Y-%m-%d}: {len(rows):,}")
    if rows:
        table(["entity", "record", "key then", "key now", "changed at (UTC)"], rows)


# --- shared -----------------------------------------------------------------------------------------


def _built() -> duckdb.DuckDBPyConnection:
    from tieout.cli.open import working_copy
    from tieout.engine import relations
    from tieout.settings import settings

    con = working_copy(settings())
    if "master.crosswalk" not in relations(con):
        con.close()
        raise CommandError(
            "no keys were given yet. Run `tieout demo` (sample company) or `tieout refresh` first."
        )
    return con


def _names(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    from tieout.master_data.types import ENTITIES

    every = " union all ".join(
        f"select '{one}', record_id, name from master.{one}_record" for one in ENTITIES
    )
    return {(entity, record): name or "" for entity, record, name in con.execute(every).fetchall()}


def _entity(con: duckdb.DuckDBPyConnection, records: Sequence[str], said: str | None) -> str:
    """The one entity that knows all the records."""
    found = con.execute(
        "select entity from master.crosswalk where list_contains(?, record_id) and entity = coalesce(?, entity)"
        " group by entity having count(distinct record_id) = ?",
        [list(records), said, len(set(records))],
    ).fetchall()
    if len(found) == 1:
        return found[0][0]
    if found:
        kinds = ", ".join(sorted(row[0] for row in found))
        raise CommandError(
            f"{' and '.join(records)} are known as {kinds}. Nothing was decided; say --entity."
        )
    raise CommandError(
        f"{' and '.join(records)}: not both are records of one kind of thing. Nothing was decided. "
        f"`tieout master review` and `tieout master show` print record ids."
    )


def _decide(kind: Kind, a: str, b: str, *, by: str, reason: str, entity: str | None) -> None:
    from tieout.master_data.decisions import decide
    from tieout.settings import settings

    with _built() as con:
        entity = _entity(con, [a, b], entity)
    done = decide(settings().master, entity, kind, a=a, b=b, by=by, reason=reason, now=datetime.now(UTC))
    words = "are one" if kind == "same" else "are two"
    print(f"Decided [{done.id}]: {a} and {b} {words}. {NEXT} `tieout master undo {done.id}` takes it back.")


def _decisions(entity: str) -> list[Decision]:
    from tieout.master_data.decisions import decisions
    from tieout.settings import settings

    return decisions(settings().master, entity)


_HAPPENED = {
    "move": "{record_id} came from {other_key}",
    "merge": "{key} became {other_key}",
    "split": "a part of {key} became {other_key}",
    "revive": "{key} is used again",
    "retire": "the last record of {key} was gone",
}


def _past(entity: str, key: str) -> list[str]:
    """What happened to a key since it was given."""
    from tieout.master_data.resolve import history
    from tieout.settings import settings

    return [
        f"{event['at']:%Y-%m-%d %H:%M} {_HAPPENED[event['kind']].format(**event)}"
        + (f" ({event['reason']})" if event["reason"] else "")
        for event in history(settings().master, entity).to_pylist()
        if key in (event["key"], event["other_key"]) and event["kind"] in _HAPPENED
    ]


def _about(item: Decision) -> str:
    if item.kind == "revoke":
        return str(item.revokes)
    return f"{item.a} · {item.b}" if item.a else f"{item.record_id} {item.attribute} = {item.value}"


def _said(item: Decision) -> str:
    return f"{item.at[:16]} {item.kind} {_about(item)}, by {item.by}: {item.reason} [{item.id}]"
