"""Certificates of reports: each reason that speaks against one, planted one at a time on hand-made control tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sources.contract import Source
from tests.conftest import WAYBILLS
from tieout.engine import connect
from tieout.ingest.ledger import ensure_ledger
from tieout.strict import from_yaml
from tieout.tie.lineage import Lineage
from tieout.tie.report_certificate import (
    ReportCertificate,
    again,
    certify,
    differences,
    identities_of,
    record_reports,
    report_certificates,
)
from tieout.tie.report_known import Known, known_now, known_then
from tieout.tie.reports import Report, ReportError, read_report, read_reports, require_known

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
TITLE = {"zh": "报表", "en": "Report"}
REVENUE = {
    "report": "revenue",
    "title": {"zh": "收入", "en": "Revenue"},
    "description": TITLE,
    "owner": "finance",
    "readers": ["finance"],
    "metrics": ["revenue_amount"],
    "identities": ["shipped_to_revenue"],
    "grain": "month",
    "timezone": "Asia/Shanghai",
    "settles_after_days": 5,
}
# revenue is made of invoices (crm, tms); the identity also reads what was shipped
LINEAGE = Lineage(
    {"revenue_amount": {"fct_invoice": "invoice_date"}},
    {
        "fct_invoice": frozenset({("crm", "invoice"), ("tms", "waybill")}),
        "identity_shipped_to_revenue": frozenset({("tms", "waybill"), ("wms", "move")}),
        "fct_other": frozenset({("hr", "person")}),
    },
)
BOOKS = """
create schema marts;
create table marts.fct_invoice as
select cast(day as date) as invoice_date, system as source_system from (values
    ('2026-01-15', 'crm'), ('2026-02-27', 'crm'), ('2026-02-03', 'tms'), ('2031-01-01', 'crm'), (null, 'crm')
) as rows (day, system);
insert into ops.run (run_id, started_at, state) values ('R1', '2026-03-10 06:00:00+00', 'running');
insert into ops.watermark values
    ('crm', 'invoice', '2026-03-10 05:00:00+00', 'b1', null),
    ('tms', 'waybill', '2026-03-09 05:00:00+00', 'b2', null),
    ('wms', 'move', '2026-03-10 05:30:00+00', 'b3', null);
insert into ops.batch values
    ('tms', 'waybill', 'b2', '*', true, 'o', '2026-03-09 05:00:00+00', '2026-03-10 06:00:00+00', 3, 3, 0, 0, 0, 9, 'h', 'v');
insert into ops.control_total values ('tms', 'waybill', 'b2', 'o', 'rows', '3', '3', '3', '0', true),
    ('crm', '', 'b1', 'crm', 'ledger', '10', '10', '10', '0', true);
insert into ops.check_result values
    ('R1', 'marts.fct_invoice', 'fct_invoice', 'key', '主键 / The key', 'critical', 'passed', null, 0, 'finance', '2026-03-10 06:00:00+00'),
    ('R1', 'marts.fct_invoice', 'fct_invoice', 'dated', '日期 / The date', 'warning', 'passed', null, 0, 'finance', '2026-03-10 06:00:00+00'),
    ('R1', 'marts.fct_other', 'fct_other', 'key', '别处 / Elsewhere', 'critical', 'failed', null, 4, 'hr', '2026-03-10 06:00:00+00');
insert into ops.identity_result values
    ('R1', 'shipped_to_revenue', '发货到收入 / Shipped to revenue', 'finance', 'warning', 'explained',
     100, 90, -10, -10, 0, 3, 1, '2026-03-10 06:00:00+00');
insert into ops.certificate (publish_id, run_id, certified, reasons, business_cut_off, watermarks, definition_version, issued_at)
values ('P1', 'R1', true, '[]', '2026-03-02', '{"crm.invoice": "2026-03-10T05:00:00+00:00", "tms.waybill":
    "2026-03-09T05:00:00+00:00", "wms.move": "2026-03-10T05:30:00+00:00"}', 'd1', '2026-03-10 06:00:00+00');
insert into ops.publish values ('P1', 'R1', 'f', 'h', 1, 5, 'tieout-P1.duckdb', 'door', '2026-03-10 06:00:00+00');
"""
WAITS = (
    "insert into ops.quarantine (source, stream, batch_id, origin, row_number, record_key, rule, reason, record, owner,"
    " quarantined_at, record_hash) values ('{0}', '{1}', 'b2', 'o', 1, 'k', 'min', 'r', '{{\"quantity\": \"12.50\"}}',"
    " 'logistics', '2026-03-10 06:00:00+00', 'x')"
)


@pytest.fixture
def con(tmp_path):
    with connect(tmp_path / "warehouse.duckdb") as con:
        ensure_ledger(con)
        con.execute(BOOKS)
        yield con


@pytest.fixture
def sources() -> dict[str, Source]:
    return {"tms": Source.model_validate(from_yaml(WAYBILLS))}


def report(**changes) -> Report:
    return Report.model_validate(REVENUE | changes)


def known(con, sources, **more) -> Known:
    facts = {"off": {}, "held": {}, "unsent": {}} | more
    wanted = {("fct_invoice", "invoice_date"), ("fct_gone", "day")}
    return known_now(con, "P1", "R1", NOW, "d1", date(2026, 3, 2), wanted, sources=sources, **facts)


def judged(con, sources, changes: dict | None = None, **more) -> ReportCertificate:
    return certify(report(**(changes or {})), LINEAGE, known(con, sources, **more))


# --- certified ---------------------------------------------------------------------------------------


def test_a_report_against_which_nothing_speaks_is_certified(con, sources):
    said = judged(con, sources)

    assert (said.certified, said.reasons, said.notes) == (True, (), ())
    # the last invoice that is not in the future is of 27 February; the company had documents in March
    assert said.business_cut_off == date(2026, 2, 28)
    assert said.loaded_to == datetime(2026, 3, 9, 5, tzinfo=UTC), "the stream that was read least recently"
    assert said.figures["newest_document"] == {"crm": "2026-02-27", "tms": "2026-02-03"}
    assert said.figures["checks"] == {"passed": 2, "failed": 0, "error": 0}
    assert said.figures["control_totals"] == {"agree": 2, "of": 2}
    assert set(said.figures["watermarks"]) == {"crm.invoice", "tms.waybill", "wms.move"}


def test_it_is_read_back_as_it_was_issued(con, sources):
    said = judged(con, sources)

    record_reports(con, [said])
    record_reports(con, [said])

    assert report_certificates(con) == [said]
    with pytest.raises(ReportError, match="Known: revenue"):
        report_certificates(con, None, "revenu")
    with pytest.raises(ReportError, match="Known: P1"):
        report_certificates(con, "P9")


# --- each reason, planted -----------------------------------------------------------------------------

STRONG = "update ops.check_result set status = 'failed' where check_id = 'key' and table_name = 'fct_invoice'"
WEAK = "update ops.check_result set status = '{}' where check_id = 'dated'"


@pytest.mark.parametrize(
    ("planted", "kind", "words"),
    [
        (STRONG, "check", "“The key” on fct_invoice does not hold"),
        (WEAK.format("error"), "check", "“The date” on fct_invoice could not be run"),
        ("delete from ops.check_result where table_name = 'fct_invoice'", "unchecked", "nothing was checked on fct_invoice"),
        ("update ops.identity_result set status = 'broken', unexplained = -3.5", "identity", "is broken: -3.50 unexplained"),
        ("update ops.identity_result set status = 'broken', unexplained = null, groups_off = 4", "identity", "4 groups differ"),
        ("delete from ops.identity_result", "identity", "was not computed in this run"),
        (WAITS.format("tms", "waybill"), "quarantine", "1 rows are in quarantine, the totals are without them (tms.waybill: 1 row"),
        ("update ops.control_total set agrees = false where stream = 'waybill'", "control", "rows of tms.waybill does not agree"),
        ("update ops.control_total set agrees = false where stream = ''", "control", "ledger of crm does not agree"),
        ("delete from ops.watermark where source = 'wms'", "unread", "wms.move was never read; without it: shipped_to_revenue"),
        ("delete from ops.watermark where source = 'crm'", "unread", "crm.invoice was never read; without it: revenue_amount. Absence"),
        # 28 February is over at 16:00 UTC; five days later is 5 March, 16:00 UTC
        ("update ops.watermark set complete_to = '2026-03-05 15:59:59+00' where source = 'wms'", "watermark", "wms.move (2026-03-05 15:59)"),
        ("update marts.fct_invoice set invoice_date = '2026-01-31' where source_system = 'tms'", "unaligned",
         "tms 2026-01-31. All are aligned up to 2026-01-31"),
        ("delete from marts.fct_invoice", "empty", "no document at all"),
        ("insert into ops.run values ('R0', '2026-03-10 05:00:00+00', '2026-03-10 05:01:00+00', 'refused', null,"
         " '1 refused on the way in' || chr(10) || 'tms.waybill: this object is not granted to us')",
         "refused", "tms.waybill was refused (tms.waybill: this object is not granted to us); without its newest rows: revenue_amount, shipped_to_revenue"),
    ],
)  # fmt: skip
def test_what_speaks_against_a_report_is_the_one_reason_given(con, sources, planted, kind, words):
    con.execute(planted)

    said = judged(con, sources)

    assert not said.certified
    assert [reason.kind for reason in said.reasons] == [kind]
    assert words in said.reasons[0].en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said.reasons[0].zh)


def test_a_watermark_at_the_very_end_of_the_settling_time_is_enough(con, sources):
    con.execute("update ops.watermark set complete_to = '2026-03-05 16:00:00+00'")

    assert judged(con, sources).certified


def test_a_system_that_is_off_names_the_figures_that_lack_it(con, sources):
    con.execute("delete from ops.watermark where source = 'wms'")

    said = judged(con, sources, off={"wms": "2026-03-01, Li: moving house", "hr": "2026-01-01, Li: unused"})

    assert [(reason.kind, reason.en) for reason in said.reasons] == [
        ("off", "wms is switched off (2026-03-01, Li: moving house); without it: shipped_to_revenue")
    ]


def test_held_data_is_a_reason_and_a_field_never_sent_a_note(con, sources):
    said = judged(
        con,
        sources,
        held={("crm", "invoice"): "amount became text", ("hr", "person"): "elsewhere"},
        unsent={("tms", "waybill"): ("signed_on",)},
    )

    assert [reason.kind for reason in said.reasons] == ["held"]
    assert [note.kind for note in said.notes] == ["unsent"]
    assert "signed_on" in said.notes[0].en


def test_weak_checks_are_notes_unless_the_report_demands_them(con, sources):
    con.execute(WEAK.format("failed"))

    lenient = judged(con, sources)
    strict = judged(con, sources, {"must_hold": {"weak_checks": True}})

    assert (lenient.certified, [note.kind for note in lenient.notes]) == (True, ["check"])
    assert (strict.certified, [reason.kind for reason in strict.reasons]) == (False, ["check"])


def test_a_report_may_demand_identities_without_any_difference(con, sources):
    said = judged(con, sources, {"must_hold": {"identities": "holds"}})

    assert "is explained: 0.00 unexplained" in said.reasons[0].en


def test_what_concerns_other_tables_and_systems_speaks_against_nothing(con, sources):
    con.execute(WAITS.format("hr", "person"))
    con.execute("insert into ops.watermark values ('hr', 'person', '2020-01-01 00:00:00+00', 'b', null)")
    con.execute(
        "insert into ops.control_total values ('hr', '', 'b', 'hr', 'heads', '3', '2', '2', '0', false)"
    )

    assert judged(con, sources).certified


def test_a_report_about_some_systems_is_not_held_up_by_others(con, sources):
    con.execute("delete from ops.watermark where source = 'tms'")
    con.execute("update marts.fct_invoice set invoice_date = '2025-06-30' where source_system = 'tms'")

    assert not judged(con, sources).certified
    assert judged(con, sources, {"systems": ["crm", "w*"]}).certified


# --- computed again ------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(con, tmp_path):
    path = tmp_path / "snapshot.duckdb"
    con.execute(f"attach '{path}' as kept")
    con.execute("create schema kept.marts")
    con.execute("create table kept.marts.fct_invoice as from marts.fct_invoice")
    con.execute("detach kept")
    return path


def recomputed(con, sources, snapshot: Path | None):
    issued = judged(con, sources)
    record_reports(con, [issued])

    def compute() -> tuple[list[str], tuple[str, ...]]:
        then, gaps = known_then(con, "P1", {("fct_invoice", "invoice_date")}, snapshot, sources)
        return differences(issued, again(issued, report(), LINEAGE, then)), gaps

    return compute


def test_an_old_certificate_comes_out_the_same_whatever_came_later(con, sources, snapshot):
    compute = recomputed(con, sources, snapshot)
    # the next day: more batches, a row set aside, a control total off, another run that finds everything broken
    con.execute("update ops.watermark set complete_to = '2026-03-11 06:00:00+00'")
    con.execute(
        "insert into ops.batch values ('tms', 'waybill', 'b4', '*', true, 'o', '2026-03-11 05:00:00+00',"
        " '2026-03-11 06:00:00+00', 3, 3, 0, 0, 0, 9, 'h', 'v')"
    )
    con.execute(
        "insert into ops.control_total values ('tms', 'waybill', 'b4', 'o', 'rows', '4', '3', '3', '0', false)"
    )
    con.execute(WAITS.format("tms", "waybill").replace("2026-03-10", "2026-03-11"))
    con.execute(
        "insert into ops.identity_result select * replace ('R2' as run_id, 'broken' as status) from ops.identity_result"
    )
    con.execute("delete from marts.fct_invoice")

    lines, _ = compute()

    assert lines == []


def test_a_row_that_waited_then_and_was_replaced_since_is_known_again(con, sources, snapshot):
    con.execute(WAITS.format("tms", "waybill"))
    compute = recomputed(con, sources, snapshot)
    con.execute(
        "insert into ops.batch values ('tms', 'waybill', 'b4', '*', true, 'o', '2026-03-11 05:00:00+00',"
        " '2026-03-11 06:00:00+00', 3, 3, 0, 0, 0, 9, 'h', 'v')"
    )
    con.execute("update ops.quarantine set closed_by = 'b4'")

    lines, _ = compute()

    # the row counts again; what it amounted to is only known of rows that wait today
    assert not [line for line in lines if line.startswith(("certified", "quarantined_rows", "cut-off"))]


def test_a_check_that_was_altered_in_the_history_is_found(con, sources, snapshot):
    compute = recomputed(con, sources, snapshot)
    con.execute(STRONG)

    lines, _ = compute()

    assert lines[0] == "certified: issued yes, now no"
    assert "reason now, not then: the check “The key” on fct_invoice does not hold" in lines[1]


def test_without_the_snapshot_it_says_what_is_not_known(con, sources):
    _, gaps = recomputed(con, sources, None)()

    assert any("snapshot of that publish is gone" in gap for gap in gaps)
    with pytest.raises(ReportError, match="no publish 'P7'"):
        known_then(con, "P7", set(), None, sources)


# --- periods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grain", "newest", "until", "cut_off"),
    [
        ("day", "2026-02-27", None, "2026-02-27"),
        ("month", "2026-02-27", None, "2026-01-31"),
        ("month", "2026-02-28", None, "2026-02-28"),
        ("month", "2026-02-27", "2026-02-28", "2026-01-31"),
        ("month", "2026-02-27", "2026-03-01", "2026-02-28"),
        ("month", "2026-01-01", "2026-01-01", "2025-12-31"),
        ("quarter", "2026-02-27", "2026-03-15", "2025-12-31"),
        ("quarter", "2026-03-31", None, "2026-03-31"),
        ("year", "2024-12-31", None, "2024-12-31"),
        ("year", "2024-06-30", "2025-01-01", "2024-12-31"),
    ],
)
def test_the_cut_off_is_the_end_of_the_last_period_that_is_over(grain, newest, until, cut_off):
    limit = date.fromisoformat(until) if until else None

    assert report(grain=grain).cut_off(date.fromisoformat(newest), limit) == date.fromisoformat(cut_off)


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.sampled_from(["day", "month", "quarter", "year"]))
def test_a_cut_off_ends_a_period_and_is_never_after_the_last_document(newest, grain):
    said = report(grain=grain)
    cut_off = said.cut_off(newest)

    assert cut_off <= newest
    after = cut_off + timedelta(days=1)
    assert said.period_start(after) == after, "the day after begins a period"
    assert said.cut_off(cut_off) == cut_off
    assert said.period_start(cut_off) <= cut_off


# --- definitions ------------------------------------------------------------------------------------------


def write(folder: Path, document: object, name: str = "revenue") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": ["x"]}, "metric"),
        ({"readers": []}, "readers"),
        ({"grain": "week"}, "grain"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"settles_after_days": -1}, "settles_after_days"),
        ({"metrics": []}, "stand on nothing"),
        ({"report": "other"}, "name the file other.yaml"),
        ({"title": {"zh": "收入"}}, "title.en"),
        ({"must_hold": {"identities": "maybe"}}, "must_hold.identities"),
    ],
)
def test_a_definition_that_is_not_quite_right_is_refused_by_name(tmp_path, change, says):
    with pytest.raises(ReportError, match=r"revenue\.yaml") as error:
        read_report(write(tmp_path, REVENUE | change))

    assert says in str(error.value)


def test_names_that_do_not_exist_are_refused_all_at_once(tmp_path):
    write(
        tmp_path,
        REVENUE | {"metrics": ["revenue_amont"], "identities": ["shipped"], "tables": {"fct_invoce": "d"}},
    )
    write(tmp_path, REVENUE | {"report": "other", "systems": ["sap*"]}, "other")

    with pytest.raises(ReportError) as error:
        require_known(
            read_reports(tmp_path),
            metrics={"revenue_amount"},
            identities={"shipped_to_revenue"},
            tables={"fct_invoice"},
            systems={"crm"},
        )

    assert "no metric 'revenue_amont'. Did you mean revenue_amount" in str(error.value)
    assert "no identity 'shipped'" in str(error.value)
    assert "no table 'fct_invoce'. Did you mean fct_invoice" in str(error.value)
    assert "'sap*', which fits no source" in str(error.value)


def test_the_identities_of_a_report_are_found_by_its_name(tmp_path):
    write(tmp_path, REVENUE)

    assert identities_of("revenue", tmp_path) == ("shipped_to_revenue",)
    with pytest.raises(ReportError, match="Did you mean revenue"):
        identities_of("revenu", tmp_path)


def test_amounts_in_quarantine_are_those_of_its_own_streams(con, sources):
    con.execute(WAITS.format("tms", "waybill"))
    con.execute(WAITS.format("hr", "person"))

    said = judged(con, sources)

    assert said.figures["quarantined_rows"] == 1
    assert known(con, sources).identities["shipped_to_revenue"].unexplained == Decimal(0)
