"""Read findings from a refreshed warehouse: quarantine, control totals, held batches, tests, checks, identities, cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.detection.finding import Finding, Place
from tieout.transform.violations import fact_row, name_of, violating

if TYPE_CHECKING:
    import duckdb

    from expectations.suite import CheckResult
    from tieout.tie.roots import Root
    from tieout.transform.dbt import Node

# Columns of a violating row that name a document people quote.
_DOCUMENTS = re.compile(r"(_no|_reference|subject|document)$")
_RECORD = re.compile(r"\b[a-z0-9_]+:([^\s=]+)")
_NUMBER = re.compile(r"^[A-Z]{2,}\d{4,}$")


def findings(con: duckdb.DuckDBPyConnection, checks: Sequence[CheckResult]) -> list[Finding]:
    """Everything that is wrong by what the warehouse holds and by what the suites said.

    Args:
        con: The warehouse of a run whose models are built.
        checks: What the suites said of it, with their rows.
    """
    return [
        *_quarantined(con), *_controls(con), *_checks(con, checks), *_identities(con), *_cases(con)
    ]  # fmt: skip


def roots(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """What is wrong by its causes: each with the rows and documents it is known by, and the findings it stands behind."""
    from tieout.tie import roots as tie

    every = tie.roots([*tie.findings(con), *tie.contradictions(con)], tie.chains(con))
    return [_root(root) for root in every]


def _root(root: Root) -> Finding:
    main = root.main
    rows = (_place(name.removeprefix("row ")) for name in root.anchors if name.startswith("row "))
    documents = {name.removeprefix("document ") for name in root.anchors if name.startswith("document ")}
    parts = {
        (item.suspect, f"{item.document} {' '.join(item.evidence[0].split('/', 2)[1:])}")
        if item.is_contradiction
        else (item.identity, item.group_key)
        for item in root.findings
    }
    return Finding(
        "root", main.identity, main.suspect if main.is_contradiction else f"{main.identity}:{main.suspect}",
        f"{main.group_key} {main.document or ''}".rstrip(), f"{main.document or main.group_key}: {root.amount} {main.unit}",
        root.amount, frozenset(filter(None, rows)), frozenset(documents), frozenset(parts),
    )  # fmt: skip


def held(batches: Iterable[tuple[str, str, str]]) -> list[Finding]:
    """Batches that wait for a person because a stream's shape has changed: (source, stream, why)."""
    return [
        Finding(
            "hold", f"{source}.{stream}", "schema_changed", "", why, rows=frozenset({(source, stream, "*")})
        )
        for source, stream, why in batches
    ]


def tests(con: duckdb.DuckDBPyConnection, nodes: Iterable[Node], compiled: Path) -> list[Finding]:
    """Tests of models that did not hold, with the rows that their own SQL returns.

    Args:
        compiled: Folder below which dbt keeps the SQL of a test as `<name>.sql`.
    """
    found = []
    for node in nodes:
        if node.kind != "test" or node.state not in {"warn", "fail", "error"}:
            continue
        name = name_of(node.unique_id)
        places, documents = _pointed(con, violating(con, compiled, node.unique_id))
        found.append(Finding("test", name, name, "", node.message, None, places, documents))
    return found


def _quarantined(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """One finding for all rows of a stream that one rule set aside: whoever opens it sees them as one."""
    rows = con.execute(
        """select source, stream, rule, any_value(reason), count(*), list(coalesce(record_key, origin || ' ' || row_number))
        from ops.quarantine_open group by source, stream, rule order by source, stream, rule"""
    ).fetchall()
    return [
        Finding(
            "quarantine", rule, rule, f"{source}.{stream}", f"{reason}: {number} rows", None,
            frozenset((source, stream, key) for key in keys),
        )
        for source, stream, rule, reason, number, keys in rows
    ]  # fmt: skip


def _controls(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    rows = con.execute(
        "select source, stream, measure, source_says, coalesce(landed, loaded) from ops.control_now where not agrees"
    ).fetchall()
    return [
        Finding(
            "control", f"{source}.{measure}", "control_total", stream, f"{says} is {holds} here",
            _difference(says, holds),
        )
        for source, stream, measure, says, holds in rows
    ]  # fmt: skip


def _difference(says: str, holds: str | None) -> Decimal | None:
    try:
        return Decimal(holds or 0) - Decimal(says)
    except ArithmeticError:
        return None


def _checks(con: duckdb.DuckDBPyConnection, checks: Sequence[CheckResult]) -> list[Finding]:
    found = []
    for check in checks:
        if check.status == "passed":
            continue
        places, documents = _pointed(con, check.rows)
        found.append(
            Finding(
                "check", f"{check.table_name}.{check.check_id}", check.check_id, "",
                f"{check.title_en}: {check.unexpected_count if check.unexpected_count is not None else check.observed}",
                None, places, documents,
            )
        )  # fmt: skip
    return found


def _identities(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    """What identities leave unexplained. An amount with a cause of its own is an explanation, no alarm."""
    rows = con.execute(
        """select identity, coalesce(suspect, 'unexplained'), group_key, group_name, cause_amount, evidence, documents
        from tie.identity_break where status = 'broken' and cause = 'unexplained'"""
    ).fetchall()
    return [
        Finding(
            "identity", name, f"{name}:{suspect}", group, f"{shown}: {amount} unexplained", amount,
            frozenset(filter(None, map(_place, json.loads(evidence)))),
            frozenset({*json.loads(documents), *filter(_NUMBER.match, group.split(" | "))}),
        )
        for name, suspect, group, shown, amount, evidence, documents in rows
    ]  # fmt: skip


def _cases(con: duckdb.DuckDBPyConnection) -> list[Finding]:
    rows = con.execute(
        """select case_kind, subject, detail, amount_txn, source_system, source_stream, source_record
        from marts.fct_data_case"""
    ).fetchall()
    return [
        Finding(
            "case", kind, kind, f"{subject} {stream} {record}", f"{subject}: {detail}", amount,
            frozenset({(system, stream, record)}), _quoted(subject),
        )
        for kind, subject, detail, amount, system, stream, record in rows
    ]  # fmt: skip


def _quoted(text: str) -> frozenset[str]:
    """A subject as a whole, and the codes of the records it names (`hc_kingdee:CUST0047`)."""
    return frozenset({text, *_RECORD.findall(text)})


def _place(evidence: str) -> Place | None:
    parts = evidence.split("/", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _pointed(
    con: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]
) -> tuple[frozenset[Place], frozenset[str]]:
    """Source rows and documents that violating rows name: themselves, or by the key of a row of a fact."""
    places: set[Place] = set()
    documents: set[str] = set()
    for row in rows:
        if all(row.get(name) for name in ("source_system", "source_stream", "source_record")):
            places.add((row["source_system"], row["source_stream"], row["source_record"]))
            if row["source_stream"].endswith("_record"):  # a master record is known by its code
                documents.add(row["source_record"])
        documents |= {
            str(value) for name, value in row.items() if value is not None and _DOCUMENTS.search(name)
        }
        if known := fact_row(con, row):
            places.add((known["source_system"], known["source_stream"], known["source_record"]))
    return frozenset(places), frozenset(documents)
