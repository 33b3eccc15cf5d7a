"""The certificate of one report at one publish: certified or not, and why, in two languages.

`certify` decides from what is known (`tieout.tie.report_known`) and touches nothing, so an old certificate can be
computed again and compared with the one that was issued.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tieout.engine import literal
from tieout.tie.lineage import Lineage, Stream
from tieout.tie.report_known import WHOLE_SOURCE, Known
from tieout.tie.reports import Report, ReportError, read_reports

if TYPE_CHECKING:
    import duckdb


_HOLDS = {"holds": ("holds",), "explained": ("holds", "explained")}
_NAMED = 6  # names listed in one reason


@dataclass(frozen=True)
class Said:
    """One reason or note, for people."""

    kind: str
    zh: str
    en: str


@dataclass(frozen=True)
class ReportCertificate:
    """`reasons` speak against it, `notes` are worth knowing; `figures` are what both rest on, as JSON may hold it."""

    publish_id: str
    report: str
    title: str
    owner: str
    certified: bool
    reasons: tuple[Said, ...]
    notes: tuple[Said, ...]
    business_cut_off: date | None
    loaded_to: datetime | None
    definition_version: str
    figures: dict[str, object]
    issued_at: datetime


# --- deciding -------------------------------------------------------------------------------------


def certify(report: Report, lineage: Lineage, known: Known) -> ReportCertificate:
    """The certificate of one report; touches nothing."""
    tables = days_of(report, lineage)
    models = [*tables, *(f"identity_{name}" for name in report.identities)]
    streams = sorted(item for item in lineage.of(models) if report.about(item[0]))
    newest = _newest(report, tables, known)
    last = max(newest.values(), default=None)
    cut_off = report.cut_off(last, known.business_cut_off) if last else None
    reasons: list[Said] = []
    notes: list[Said] = []
    _judge_checks(report, tables, known, reasons, notes)
    _judge_identities(report, known, reasons)
    _judge_rows(streams, known, reasons)
    _judge_presence(report, lineage, streams, known, reasons, notes)
    read_to = _judge_alignment(report, streams, newest, cut_off, known, reasons)
    aligned = report.cut_off(min(newest.values()), known.business_cut_off) if newest else None
    controls = [item for item in known.controls if _about(item[0], streams)]
    figures = {
        "metrics": list(report.metrics),
        "identities": {
            name: {
                "status": found.status,
                "unexplained": None if found.unexplained is None else str(found.unexplained),
                "groups_off": found.groups_off,
            }
            for name in report.identities
            if (found := known.identities.get(name))
        },
        "tables": tables,
        "checks": {
            state: sum(check.status == state for check in known.checks if check.table in tables)
            for state in ("passed", "failed", "error")
        },
        "control_totals": {"agree": sum(item[2] for item in controls), "of": len(controls)},
        "quarantined_rows": sum(known.quarantine.get(item, 0) for item in streams),
        "quarantined": [known.amounts[item] for item in streams if item in known.amounts],
        "watermarks": {
            f"{source}.{stream}": moment.astimezone(UTC).isoformat()
            for source, stream in streams
            if (moment := known.watermarks.get((source, stream)))
        },
        "newest_document": {system: day.isoformat() for system, day in sorted(newest.items())},
        "aligned_to": aligned.isoformat() if aligned else None,
    }
    return ReportCertificate(
        known.publish_id,
        report.report,
        f"{report.title.zh} / {report.title.en}",
        report.owner,
        not reasons,
        tuple(reasons),
        tuple(notes),
        cut_off,
        read_to,
        known.definition_version,
        figures,
        known.issued_at,
    )


def days_of(report: Report, lineage: Lineage) -> dict[str, str]:
    """The marts a report stands on, each with the column of its business day."""
    tables = dict(report.tables)
    for metric in report.metrics:
        tables |= lineage.tables.get(metric, {})
    return dict(sorted(tables.items()))


def _newest(report: Report, tables: Mapping[str, str], known: Known) -> dict[str, date]:
    found: dict[str, date] = {}
    for table, column in tables.items():
        for system, day in known.newest.get((table, column), {}).items():
            if report.about(system):
                found[system] = max(day, found.get(system, day))
    return found


def _judge_checks(
    report: Report, tables: Collection[str], known: Known, reasons: list[Said], notes: list[Said]
) -> None:
    checks = [check for check in known.checks if check.table in tables]
    for check in checks:
        if check.status == "passed":
            continue
        counts = check.strong or check.status == "error" or report.must_hold.weak_checks
        words = {"failed": ("不成立", "does not hold"), "error": ("无法执行", "could not be run")}
        zh, en = words.get(check.status, words["error"])
        title_zh, _, title_en = check.title.partition(" / ")
        (reasons if counts else notes).append(
            Said(
                "check",
                f"检查“{title_zh}”（{check.table}）{zh}",
                f"the check “{title_en or title_zh}” on {check.table} {en} (owner {check.owner})",
            )
        )
    checked = {check.table for check in checks}
    bare = [table for table in tables if table not in checked]
    if bare:
        listed = ", ".join(bare)
        reasons.append(
            Said(
                "unchecked",
                f"{listed} 没有任何检查，未经证明",
                f"nothing was checked on {listed}: it is unproved",
            )
        )


def _judge_identities(report: Report, known: Known, reasons: list[Said]) -> None:
    good = _HOLDS[report.must_hold.identities]
    for name in report.identities:
        found = known.identities.get(name)
        if found is None:
            reasons.append(
                Said(
                    "identity",
                    f"恒等式 {name} 本次没有计算",
                    f"the identity {name} was not computed in this run: that is no proof",
                )
            )
        elif found.status not in good:
            left = f"{found.groups_off}" if found.unexplained is None else f"{found.unexplained:,.2f}"
            unit_zh, unit_en = (
                ("组有差异", "groups differ") if found.unexplained is None else ("无法解释", "unexplained")
            )
            title_zh, _, title_en = found.title.partition(" / ")
            state_zh = {"broken": "不平", "explained": "有已解释的差异"}.get(found.status, "无法判定")
            reasons.append(
                Said(
                    "identity",
                    f"“{title_zh}”{state_zh}：{left} {unit_zh}",
                    f"“{title_en or title_zh}” ({name}) is {found.status}: {left} {unit_en} (owner {found.owner})",
                )
            )


def _judge_rows(streams: Collection[Stream], known: Known, reasons: list[Said]) -> None:
    aside = {item: known.quarantine[item] for item in streams if known.quarantine.get(item)}
    if aside:
        lines = "; ".join(
            known.amounts.get(item, f"{'.'.join(item)}: {count} rows") for item, count in aside.items()
        )
        total = sum(aside.values())
        reasons.append(
            Said("quarantine", f"{total} 行在隔离区，合计不含它们（{lines}）", f"{total} rows are in quarantine, the totals are without them ({lines})")
        )  # fmt: skip
    for (source, stream), measure, agrees in known.controls:
        if not agrees and _about((source, stream), streams):
            place = f"{source}.{stream}" if stream else source
            reasons.append(
                Said("control", f"{place} 的控制总数 {measure} 不一致", f"the control total {measure} of {place} does not agree")
            )  # fmt: skip


def _about(item: Stream, streams: Collection[Stream]) -> bool:
    source, stream = item
    return item in streams or (stream == WHOLE_SOURCE and any(source == other for other, _ in streams))


def _judge_presence(
    report: Report,
    lineage: Lineage,
    streams: Collection[Stream],
    known: Known,
    reasons: list[Said],
    notes: list[Said],
) -> None:
    """What is not there at all. Absence is not zero: the figures that lack it are named."""

    def lacking(missing: Collection[Stream]) -> str:
        made_of = {
            **{name: lineage.of(lineage.tables.get(name, {})) for name in report.metrics},
            **{name: lineage.of([f"identity_{name}"]) for name in report.identities},
            **{name: lineage.of([name]) for name in report.tables},
        }
        return ", ".join(name for name, parts in made_of.items() if parts & set(missing))

    for source, why in known.off.items():
        missing = [item for item in streams if item[0] == source]
        if missing:
            figures = lacking(missing)
            reasons.append(
                Said("off", f"系统 {source} 已停用（{why}），缺少它的数字：{figures}", f"{source} is switched off ({why}); without it: {figures}")
            )  # fmt: skip
    for item in streams:
        source, stream = item
        if source in known.off:
            continue
        if item in known.refused:
            figures = lacking([item])
            reasons.append(
                Said("refused", f"{source}.{stream} 没有授权或被拒绝，缺少它的数字：{figures}", f"{source}.{stream} was refused ({known.refused[item]}); without its newest rows: {figures}")
            )  # fmt: skip
        elif item not in known.watermarks:
            figures = lacking([item])
            reasons.append(
                Said("unread", f"{source}.{stream} 从未读到，缺少它的数字：{figures}；缺失不等于零", f"{source}.{stream} was never read; without it: {figures}. Absence is not zero")
            )  # fmt: skip
        if item in known.held:
            reasons.append(
                Said("held", f"{source}.{stream} 的新数据等待结构变更的决定（{known.held[item]}）", f"new data of {source}.{stream} waits for a decision on its changed shape ({known.held[item]})")
            )  # fmt: skip
        if fields := known.unsent.get(item):
            listed = ", ".join(fields[:_NAMED])
            notes.append(
                Said("unsent", f"{source}.{stream} 没有任何一行带有约定字段 {listed}", f"no row of {source}.{stream} has the promised {listed}: empty or not granted")
            )  # fmt: skip


def _judge_alignment(
    report: Report,
    streams: Collection[Stream],
    newest: Mapping[str, date],
    cut_off: date | None,
    known: Known,
    reasons: list[Said],
) -> datetime | None:
    """Whether every system reaches the cut-off, in load time and in business time; returns up to when all were read."""
    moments = [known.watermarks[item] for item in streams if item in known.watermarks]
    if cut_off is None:
        reasons.append(
            Said("empty", "没有任何业务单据，无法确定截止日", "no document at all: there is no cut-off")
        )
        return min(moments, default=None)
    settled = datetime.combine(
        cut_off + timedelta(days=1 + report.settles_after_days), time(), ZoneInfo(report.timezone)
    )
    late: dict[str, datetime] = {}
    for source, stream in streams:
        moment = known.watermarks.get((source, stream))
        if moment is not None and moment < settled and source not in known.off:
            late[f"{source}.{stream}"] = moment
    if late:
        names = _some(f"{name} ({moment:%Y-%m-%d %H:%M})" for name, moment in sorted(late.items()))
        reasons.append(
            Said("watermark", f"截止 {cut_off}（加 {report.settles_after_days} 天）之后还没有读过：{names}", f"not read since the cut-off {cut_off} plus {report.settles_after_days} days: {names}")
        )  # fmt: skip
    start = report.period_start(cut_off)
    behind = {system: day for system, day in newest.items() if day < start}
    if behind:
        names = _some(f"{system} {day}" for system, day in sorted(behind.items()))
        aligned = report.cut_off(min(newest.values()), known.business_cut_off)
        reasons.append(
            Said("unaligned", f"截止 {cut_off}，但这些系统最后的单据更早：{names}；各系统对齐到 {aligned}", f"the cut-off is {cut_off}, but the last documents of these are earlier: {names}. All are aligned up to {aligned}")
        )  # fmt: skip
    return min(moments, default=None)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" +{len(listed) - _NAMED}" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


# --- writing and reading --------------------------------------------------------------------------


def record_reports(con: duckdb.DuckDBPyConnection, certificates: Collection[ReportCertificate]) -> None:
    """Write certificates to `ops.report_certificate`; those of the same publish and report are replaced."""
    for item in certificates:
        con.execute(
            "insert or replace into ops.report_certificate values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                item.publish_id, item.report, item.title, item.owner, item.certified,
                _text(item.reasons), _text(item.notes), item.business_cut_off, item.loaded_to,
                item.definition_version, json.dumps(item.figures, ensure_ascii=False, sort_keys=True), item.issued_at,
            ],
        )  # fmt: skip


def report_certificates(
    con: duckdb.DuckDBPyConnection, publish_id: str | None = None, report: str | None = None
) -> list[ReportCertificate]:
    """Certificates as they were issued, of one publish (the last, if none is named), by report.

    Raises: ReportError if there is no such publish or report.
    """
    if publish_id is None:
        row = con.execute("select publish_id from ops.publish order by published_at desc limit 1").fetchone()
        publish_id = row[0] if row else ""
    only = f" and report = {literal(report)}" if report else ""
    rows = con.execute(
        "select * from ops.report_certificate"
        f" where publish_id = {literal(publish_id or '')}{only} order by report"
    ).fetchall()
    if not rows:
        known = [
            item[0]
            for item in con.execute(
                f"select {'distinct report' if report else 'distinct publish_id'} from ops.report_certificate order by 1"
            ).fetchall()
        ]
        raise ReportError(
            f"no certificate of {report or 'any report'} at publish {publish_id or '(none yet)'}."
            f" Known: {', '.join(known[-10:]) or 'none; `tieout refresh` issues them'}."
        )
    return [_certificate(row) for row in rows]


def _certificate(row: tuple) -> ReportCertificate:
    (
        publish,
        report,
        title,
        owner,
        certified,
        reasons,
        notes,
        cut_off,
        loaded_to,
        version,
        figures,
        issued_at,
    ) = row
    said = (_said(reasons), _said(notes))
    return ReportCertificate(
        publish, report, title, owner, certified, *said, cut_off, loaded_to, version, json.loads(figures), issued_at
    )  # fmt: skip


def differences(issued: ReportCertificate, again: ReportCertificate) -> list[str]:
    """What another computation of the same certificate says otherwise, one line each."""
    lines = []
    if issued.certified != again.certified:
        lines.append(f"certified: issued {_word(issued.certified)}, now {_word(again.certified)}")
    before, after = {item.en for item in issued.reasons}, {item.en for item in again.reasons}
    lines += [f"reason then, not now: {text}" for text in sorted(before - after)]
    lines += [f"reason now, not then: {text}" for text in sorted(after - before)]
    if issued.business_cut_off != again.business_cut_off:
        lines.append(f"cut-off: issued {issued.business_cut_off}, now {again.business_cut_off}")
    for key, value in issued.figures.items():
        if again.figures.get(key) != value:
            lines.append(f"{key}: issued {_brief(value)}, now {_brief(again.figures.get(key))}")
    return lines


def _word(certified: bool) -> str:
    return "yes" if certified else "no"


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _text(said: Iterable[Said]) -> str:
    return json.dumps([asdict(item) for item in said], ensure_ascii=False)


def _said(text: str) -> tuple[Said, ...]:
    return tuple(Said(**item) for item in json.loads(text))


def identities_of(report: str, folder: Path) -> tuple[str, ...]:
    """The identities a report stands on.

    Args:
        folder: `expectations/reports`.

    Raises: ReportError if there is no such report.
    """
    found = {item.report: item for item in read_reports(folder)}
    if report not in found:
        from difflib import get_close_matches

        near = get_close_matches(report, sorted(found), n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ReportError(
            f"there is no report {report!r}.{hint} Known: {', '.join(sorted(found)) or 'none'}."
        )
    return found[report].identities


def again(issued: ReportCertificate, report: Report, lineage: Lineage, known: Known) -> ReportCertificate:
    """The certificate computed again; what only the issued one knows (off, held, refused) is taken from it."""
    computed = certify(report, lineage, known)
    kept = tuple(item for item in issued.reasons if item.kind in {"off", "held", "refused"})
    return replace(
        computed,
        reasons=(*computed.reasons, *kept),
        certified=not computed.reasons and not kept,
        notes=issued.notes,
    )
