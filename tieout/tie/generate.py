"""Compile claims into dbt models, so that identities are part of the graph and nobody edits them by hand.

One model per claim (`tie.identity_<claim>`): one row per group with left, right, difference, one amount per
cause, unexplained and status. `tie.identity_break` holds every amount that stands between two sides, long, with
source rows; `tie.identity_result` one summary row per claim. By construction, in decimal and in every group:

    left_value + sum of causes + unexplained = right_value

`make sync` writes what `sync` returns; `tests/contract` fails when a file on disk differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tieout.engine import literal
from tieout.tie.claims import Cause, Claim, ClaimError, Rows, read_claims

CLAIMS = Path("expectations/reconciliation")
MODELS = Path("dbt_project/models/tie")
SAMPLE = 20  # source rows and documents kept per amount; all of them: `tieout.tie.results.contributions`
ITEMS = 200  # documents of one group whose residual is kept apart: cases are made of them
_ITEMS = ("未解释差额逐单据（JSON）", "Unexplained amounts document by document, JSON list")
# Every amount is cast row by row, so rows add up to their group exactly; a measure with more decimals is rounded here.
AMOUNT = "decimal(38, 4)"

_JINJA_REF = re.compile(r"""\{\{\s*ref\(\s*["']([a-z0-9_]+)["']\s*\)\s*\}\}""")


def sync(project: Path) -> dict[Path, str]:
    """The text of every generated file of schema `tie`, by its path; nothing is written.

    Args:
        project: Root of the repository.

    Raises: ClaimError if a claim is invalid.
    """
    claims = read_claims(project / CLAIMS)
    folder = project / MODELS
    files = {folder / f"{claim.model}.sql": _formatted(identity_sql(claim)) for claim in claims}
    files[folder / "identity_break.sql"] = _formatted(break_sql(claims))
    files[folder / "identity_result.sql"] = _formatted(result_sql(claims))
    files[folder / "_tie__identities.yml"] = models_yaml(claims)
    return files


def orphans(project: Path) -> list[Path]:
    """Generated files whose claim is gone: dbt would go on building an identity nobody states any more."""
    wanted = {"identity_break", "identity_result", *(claim.model for claim in read_claims(project / CLAIMS))}
    return sorted(path for path in (project / MODELS).glob("identity_*.sql") if path.stem not in wanted)


def contributions_sql(claim: Claim) -> str:
    """Every row of every part of a claim: the group columns, document, part, amount, evidence (with `ref`s)."""
    parts = [_part_sql(claim, "left", claim.left), _part_sql(claim, "right", claim.right)]
    parts += [_part_sql(claim, cause.key, cause) for cause in claim.causes]
    return "\nunion all\n".join(parts)


def identity_sql(claim: Claim) -> str:
    """The dbt model of one claim."""
    by = list(claim.by)
    causes = [cause.key for cause in claim.causes]
    amounts = [f"{key}_amount" for key in causes]
    explained = " + ".join(amounts) or f"cast(0 as {AMOUNT})"

    per_document = [
        *by,
        "document",
        _amount_of("left", "left_value"),
        _amount_of("right", "right_value"),
        *(_amount_of(key, f"{key}_amount") for key in causes),
        "count(*) filter (where part = 'left') as left_rows",
        "count(*) filter (where part = 'right') as right_rows",
        "list(tax) filter (where tax <> 0) as taxes",
        *(
            f"(list(evidence order by abs(amount) desc, evidence) filter (where part = '{key}'))[1:{SAMPLE}]"
            f" as {key}_evidence"
            for key in causes
        ),
    ]
    per_group = [
        *by,
        *(f"sum({column}) as {column}" for column in ("left_value", "right_value", *amounts)),
        "sum(left_rows) as left_rows",
        "sum(right_rows) as right_rows",
        *(column for key in causes for column in _samples(key, f"{key}_amount", f"{key}_evidence")),
    ]
    per_unexplained = [
        *by,
        *_samples("unexplained", "residual", "evidence"),
        _items(),
        # of two equal residuals always the same one: what is published depends on the rows alone
        "arg_max(suspect, (abs(residual), suspect)) as unexplained_suspect",
    ]
    group_by = f"group by {', '.join(by)}" if by else "having count(*) > 0"
    named = [
        f"left join (select {name.key} as named_key, min({name.name}) as named from {_ref(name.model)}"
        f" group by {name.key}) as {column}_name on grouped.{column} = {column}_name.named_key"
        for column, name in claim.names.items()
    ]
    texts = [f"coalesce(cast(grouped.{column} as text), '-')" for column in by]
    names = [
        f"coalesce({column}_name.named, cast(grouped.{column} as text), '-')"
        if column in claim.names
        else f"coalesce(cast(grouped.{column} as text), '-')"
        for column in by
    ]
    unexplained = ("unexplained_evidence", "unexplained_documents", "unexplained_items")
    tolerance = f"cast({claim.tolerance} as {AMOUNT})"
    return f"""
-- generated by `make sync`; do not edit
-- from {CLAIMS / (claim.claim + ".yaml")}
with

    -- every row of both sides and of every cause, with its amount
    contributions as ({contributions_sql(claim)}),

    -- the document is what people quote; what stays open is looked for per document
    documented as (
        select {", ".join(per_document)}
        from contributions
        group by {", ".join([*by, "document"])}
    ),

    left_over as (
        select *, right_value - left_value - ({explained}) as residual from documented
    ),

    -- what is unexplained is about the two sides, rows of causes are named only where a side has none; a row whose
    -- amount is just what is left over has nothing to stand against
    traced as (
        select {"".join(f"left_over.{column}, " for column in by)} left_over.document,
            coalesce(
                (list(evidence order by abs(amount) desc, evidence) filter (where part in ('left', 'right')))[1:{SAMPLE}],
                (list(evidence order by abs(amount) desc, evidence))[1:{SAMPLE}]
            ) as evidence,
            case when count(*) filter (where {_CULPRIT}) = 1 then min(evidence) filter (where {_CULPRIT}) end
                as culprit,
            arg_min(part, evidence) filter (where {_CULPRIT}) as culprit_part
        from left_over
        inner join contributions on {_same("left_over", "contributions", [*by, "document"])}
        where left_over.residual <> 0
        group by {", ".join(f"left_over.{column}" for column in [*by, "document"])}
    ),

    suspects as (
        select {"".join(f"left_over.{column}, " for column in by)} left_over.document, left_over.residual,
            case when traced.culprit is null then traced.evidence else [traced.culprit] end as evidence,
            {_suspect(claim, explained)} as suspect
        from left_over
        inner join traced on {_same("left_over", "traced", [*by, "document"])}
        where left_over.residual <> 0
        window moved as (partition by left_over.document)
    ),

    -- few documents, if any: their samples are made apart from those of all groups
    unexplained_groups as (select {", ".join(per_unexplained)} from suspects {group_by}),

    grouped as (select {", ".join(per_group)} from left_over {group_by}),

    bridged as (
        select
            {"".join(f"grouped.{column}, " for column in by)}
            {_joined(texts)} as group_key,
            {_joined(names)} as group_name,
            left_value, right_value, right_value - left_value as difference,
            {"".join(f"{column}, " for column in amounts)}
            {explained} as explained,
            right_value - left_value - ({explained}) as unexplained,
            left_rows, right_rows,
            {"".join(f"{key}_evidence, {key}_documents, " for key in causes)}
            {"".join(f"coalesce({column}, '[]') as {column}, " for column in unexplained)}
            unexplained_groups.unexplained_suspect
        from grouped
        left join unexplained_groups on {_same("grouped", "unexplained_groups", by)}
        {" ".join(named)}
    )

-- a cause that offsets an unknown difference does not make it hold: unexplained is asked first
select
    *,
    case
        when abs(unexplained) > {tolerance} then 'broken'
        when abs(difference) > {tolerance} then 'explained'
        else 'holds'
    end as status
from bridged
"""


def break_sql(claims: tuple[Claim, ...]) -> str:
    """The union of all breaks: one row per identity, group and cause whose amount is not zero."""
    selects = []
    for claim in claims:
        for kind, key, title in [
            *((cause.cause, cause.key, cause.title) for cause in claim.causes),
            ("unexplained", "unexplained", None),
        ]:
            amount = "unexplained" if kind == "unexplained" else f"{key}_amount"
            zh, en = (title.zh, title.en) if title else ("未解释", "Unexplained")
            selects.append(
                f"""select {literal(claim.claim)} as identity, group_key, group_name, status,
                left_value, right_value, difference,
                {literal(kind)} as cause, {literal(key)} as cause_name,
                {literal(zh)} as cause_title_zh, {literal(en)} as cause_title_en,
                {amount} as cause_amount, {key}_evidence as evidence, {key}_documents as documents,
                {"unexplained_suspect" if kind == "unexplained" else "cast(null as text)"} as suspect,
                {"unexplained_items" if kind == "unexplained" else "cast(null as text)"} as items,
                {literal(claim.owner)} as owner
                from {_ref(claim.model)} where {amount} <> 0"""
            )
    return _union_model(selects)


def result_sql(claims: tuple[Claim, ...]) -> str:
    """The summary: one row per identity; an identity is as bad as its worst group."""
    selects = [
        f"""select {literal(claim.claim)} as identity,
        {literal(claim.title.zh)} as title_zh, {literal(claim.title.en)} as title_en,
        {literal(claim.owner)} as owner, {literal(claim.with_)} as with_department,
        {literal(claim.process)} as process, {literal(claim.severity)} as severity, {literal(claim.unit)} as unit,
        {literal(claim.left.label.zh)} as left_label_zh, {literal(claim.left.label.en)} as left_label_en,
        {literal(claim.right.label.zh)} as right_label_zh, {literal(claim.right.label.en)} as right_label_en,
        {literal(", ".join(claim.companies))} as companies,
        cast({claim.tolerance} as {AMOUNT}) as tolerance,
        case
            when count(*) = 0 then {_of_nothing(claim)}
            when bool_or(status = 'broken') then 'broken'
            when bool_or(status = 'explained') then 'explained'
            else 'holds'
        end as status,
        {_total(claim, "left_value")} as left_total, {_total(claim, "right_value")} as right_total,
        {_total(claim, "difference")} as difference, {_total(claim, "explained")} as explained,
        {_total(claim, "unexplained")} as unexplained,
        count(*) as group_count,
        count(*) filter (where status <> 'holds') as groups_off,
        count(*) filter (where status = 'broken') as groups_broken
        from {_ref(claim.model)}"""
        for claim in claims
    ]
    return _union_model(selects)


def _of_nothing(claim: Claim) -> str:
    """Status of an identity that compared nothing: broken, unless its companies keep no books here at all."""
    if claim.allow_empty:
        return "'holds'"
    here = _of_companies(claim)
    if here is None:
        return "'broken'"
    return f"case when exists (select 1 from {_ref(_BOOKS)} where {here}) then 'broken' else 'holds' end"


def models_yaml(claims: tuple[Claim, ...]) -> str:
    """Descriptions of the generated models, for the catalogue and the comments BI tools show."""
    lines = ["# generated from expectations/reconciliation/*.yaml by `make sync`; do not edit", "models:"]
    for claim in claims:
        lines += _model_lines(
            claim.model,
            f"{claim.title.zh} / {claim.title.en}. {claim.description.zh} / {claim.description.en} "
            "One row per group.",
            claim.owner,
            [
                *((column, "分组列 / Group column") for column in claim.by),
                ("group_key", "分组 / The group as text"),
                ("group_name", "分组名称 / The group in readable form"),
                ("left_value", f"{claim.left.label.zh} / {claim.left.label.en}"),
                ("right_value", f"{claim.right.label.zh} / {claim.right.label.en}"),
                ("difference", "差额（右减左） / Right minus left"),
                *((f"{c.key}_amount", f"{c.title.zh} / {c.title.en}") for c in claim.causes),
                ("explained", "已解释差额 / Sum of all causes"),
                ("unexplained", "未解释差额 / What no cause accounts for"),
                ("left_rows", "左侧行数 / Rows on the left"),
                ("right_rows", "右侧行数 / Rows on the right"),
                *(pair for c in claim.causes for pair in _sample_columns(c.key, c)),
                *_sample_columns("unexplained", None),
                ("unexplained_items", f"{_ITEMS[0]} / {_ITEMS[1]}"),
                ("unexplained_suspect", "疑似原因 / What the unexplained amount looks like"),
                ("status", "状态：holds 相符，explained 已解释，broken 未对平 / holds, explained or broken"),
            ],
        )
    lines += _model_lines(
        "identity_break",
        "勾稽差异明细 / Every amount that stands between two departments' figures. "
        "One row per identity, group and cause.",
        "platform",
        [
            ("identity", "勾稽关系 / Identity"),
            ("group_key", "分组 / The group as text"),
            ("group_name", "分组名称 / The group in readable form"),
            ("status", "该组状态 / Status of the group"),
            ("left_value", "左侧数值 / Left value of the group"),
            ("right_value", "右侧数值 / Right value of the group"),
            ("difference", "差额（右减左） / Right minus left"),
            ("cause", "原因类别 / Kind of cause"),
            ("cause_name", "原因 / Cause, unique within the identity"),
            ("cause_title_zh", "原因（中文） / Cause in Chinese"),
            ("cause_title_en", "原因（英文） / Cause in English"),
            ("cause_amount", "原因金额 / Amount of this cause"),
            ("evidence", "源记录抽样（JSON） / Sample of source rows, JSON list of source/stream/record"),
            ("documents", "相关单据抽样（JSON） / Sample of documents, JSON list"),
            ("suspect", "疑似原因 / What an unexplained amount looks like"),
            ("items", f"{_ITEMS[0]} / {_ITEMS[1]}"),
            ("owner", "责任部门 / Owner"),
        ],
    )
    lines += _model_lines(
        "identity_result",
        "勾稽结果 / Result of every identity. One row per identity.",
        "platform",
        [
            ("identity", "勾稽关系 / Identity"),
            ("title_zh", "标题（中文） / Title in Chinese"),
            ("title_en", "标题（英文） / Title in English"),
            ("owner", "责任部门 / Owner"),
            ("with_department", "对方部门 / The other department"),
            ("process", "业务流程 / Business process"),
            ("severity", "严重程度：critical 阻断发布，warning 提示 / critical blocks, warning warns"),
            ("unit", "计量单位 / Unit"),
            ("left_label_zh", "左侧（中文） / Left in Chinese"),
            ("left_label_en", "左侧（英文） / Left in English"),
            ("right_label_zh", "右侧（中文） / Right in Chinese"),
            ("right_label_en", "右侧（英文） / Right in English"),
            ("companies", "声明所指的公司，空为全部 / Companies it is claimed for; empty for all"),
            ("tolerance", "容差 / Tolerance"),
            ("status", "状态 / holds, explained or broken"),
            (
                "left_total",
                "左侧合计（单位不同则空） / Left total; null when groups count in different units",
            ),
            ("right_total", "右侧合计 / Right total"),
            ("difference", "差额合计 / Right minus left"),
            ("explained", "已解释合计 / Sum of all causes"),
            ("unexplained", "未解释合计 / What no cause accounts for"),
            ("group_count", "组数 / Groups compared"),
            ("groups_off", "有差异的组数 / Groups that do not simply hold"),
            ("groups_broken", "未对平的组数 / Groups beyond the tolerance"),
        ],
    )
    return "\n".join(lines) + "\n"


def resolved(sql: str, relation: Callable[[str], str]) -> str:
    """A generated text as plain SQL: `ref("name")` becomes `relation("name")`."""
    return _JINJA_REF.sub(lambda match: relation(match[1]), sql)


def _part_sql(claim: Claim, part: str, rows: Rows) -> str:
    """One part of the contributions: its group columns, document, name, amount and source row."""
    if rows.sql is not None:
        columns = "".join(f"{column}, " for column in claim.by)
        return (
            f"select {columns} cast(document as text) as document, {literal(part)} as part, "
            f"cast(amount as {AMOUNT}) as amount, cast({rows.tax or 'null'} as {AMOUNT}) as tax, {_EVIDENCE} as evidence"
            f" from ({rows.sql.strip().rstrip(';')}) as part_rows{_where(_of_companies(claim))}"
        )
    if rows.model is None:  # refused by the reader; said again for the type checker
        raise ClaimError(f"{claim.claim}: {part} names no model")
    columns = "".join(f"{_keyed(rows.keys.get(column, column), column)}, " for column in claim.by)
    where = _where(rows.where and f"({rows.where})" if claim.companies else rows.where, _of_companies(claim))
    return (
        f"select {columns} cast({rows.document or 'null'} as text) as document, {literal(part)} as part, "
        f"cast({rows.measure} as {AMOUNT}) as amount, cast({rows.tax or 'null'} as {AMOUNT}) as tax, "
        f"{_EVIDENCE} as evidence from {_ref(rows.model)}{where}"
    )


def _of_companies(claim: Claim) -> str | None:
    listed = ", ".join(map(literal, claim.companies))
    return f"company_code in ({listed})" if listed else None


def _where(*conditions: str | None) -> str:
    stated = [condition for condition in conditions if condition]
    return f" where {' and '.join(stated)}" if stated else ""


_BOOKS = "fct_ledger_entry_line"  # every company that is used has some
_CENT = "0.01"  # rounding moves a row by no more than that
_CULPRIT = "amount = case part when 'left' then - residual when 'right' then residual end"
_EVIDENCE = "concat_ws('/', source_system, source_stream, source_record)"


def _keyed(expression: str, column: str) -> str:
    return column if expression == column else f"{expression} as {column}"


def _amount_of(part: str, column: str) -> str:
    return f"coalesce(sum(amount) filter (where part = '{part}'), 0) as {column}"


def _samples(key: str, amount: str, evidence: str) -> list[str]:
    """Two JSON lists for one amount: its largest documents' source rows, and those documents."""
    return [
        f"cast(to_json(coalesce(flatten(list({evidence} order by abs({amount}) desc, document)"
        f" filter (where {amount} <> 0))[1:{SAMPLE}], [])) as text) as {key}_evidence",
        f"cast(to_json(coalesce((list(document order by abs({amount}) desc, document)"
        f" filter (where {amount} <> 0 and document is not null))[1:{SAMPLE}], [])) as text) as {key}_documents",
    ]


def _items() -> str:
    """One JSON list: what is left over document by document, the largest first."""
    item = (
        "json_object('document', document, 'amount', cast(residual as text), 'suspect', suspect,"
        f" 'evidence', evidence[1:{SAMPLE}])"
    )
    return (
        f"cast(to_json((list({item} order by abs(residual) desc, document))[1:{ITEMS}]) as text)"
        " as unexplained_items"
    )


def _total(claim: Claim, column: str) -> str:
    return f"cast(null as {AMOUNT})" if claim.mixed_units else f"coalesce(sum({column}), 0)"


def _suspect(claim: Claim, explained: str) -> str:
    """What a document's residual looks like, the most telling sign first."""
    expected = f"(left_value + {explained})"
    dates = [f"left_over.{column}" for column in claim.by if column.endswith("_date")]
    another_day = " or ".join(f"min({day}) over moved <> max({day}) over moved" for day in dates) or "false"
    return f"""case
        -- what one group lacks another has too much of: the document stands under another day or another name
        when left_over.document is not null and sum(residual) over moved = 0
            then case when {another_day} then 'cutoff' else 'mapping' end
        when left_rows = 0 and {explained} = 0 then 'missing_left'
        when right_rows = 0 and {explained} = 0 then 'missing_right'
        when {expected} <> 0 and right_value <> 0 and right_value / {expected} > 0
            and (right_value % {expected} = 0 or {expected} % right_value = 0)
            and case when abs(right_value) > abs({expected}) then right_rows else left_rows end > 1
            then 'duplicate'
        {f"when abs(residual) <= {_CENT} * greatest(left_rows, right_rows) then 'rounding'" if claim.is_money else ""}
        when list_contains(taxes, residual) or list_contains(taxes, - residual) then 'tax'
        when culprit_part = 'left' then 'missing_right'
        when culprit_part = 'right' then 'missing_left'
        else '{"amount" if claim.is_money else "quantity"}'
    end"""


def _same(one: str, other: str, columns: list[str]) -> str:
    return " and ".join(f"{one}.{name} is not distinct from {other}.{name}" for name in columns) or "true"


def _joined(texts: list[str]) -> str:
    return f"concat_ws(' | ', {', '.join(texts)})" if texts else "'all'"


def _ref(model: str) -> str:
    return f'{{{{ ref("{model}") }}}}'


def _union_model(selects: list[str]) -> str:
    return (
        "\n-- generated by `make sync`; do not edit\n-- from expectations/reconciliation/*.yaml\n"
        + "\nunion all\n".join(selects)
        + "\n"
    )


def _sample_columns(key: str, cause: Cause | None) -> list[tuple[str, str]]:
    zh, en = (cause.title.zh, cause.title.en) if cause else ("未解释", "Unexplained")
    return [
        (f"{key}_evidence", f"{zh}：源记录抽样 / {en}: sample of source rows"),
        (f"{key}_documents", f"{zh}：单据抽样 / {en}: sample of documents"),
    ]


def _model_lines(name: str, description: str, owner: str, columns: list[tuple[str, str]]) -> list[str]:
    def text(value: str) -> str:
        return json.dumps(" ".join(value.split()), ensure_ascii=False)  # a JSON string is a YAML string

    lines = [
        f"  - name: {name}",
        f"    description: {text(description)}",
        f"    config: {{meta: {{owner: {owner}, class: L2}}}}",
        "    columns:",
    ]
    for column, meaning in columns:
        lines.append(f"      - {{name: {column}, description: {text(meaning)}}}")
    return lines


@cache
def _formatted(sql: str) -> str:
    """SQL as sqlfmt lays it out, so that `make format` leaves generated files alone; 0.1 CPU seconds a model."""
    from sqlfmt.api import format_string
    from sqlfmt.mode import Mode

    return format_string(sql.lstrip("\n"), Mode(line_length=110, fast=True))
