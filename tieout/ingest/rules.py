"""The contract as SQL: how a landed value is cast, and when a row breaks a promise."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sources.contract import Column, DatedCode, SoftDelete, Stream
from tieout.engine import literal, quoted
from tieout.ingest.promises import always_fits

_WIDE = re.compile(r"^decimal\((\d+), (\d+)\)$")


@dataclass(frozen=True)
class Rule:
    """One promise: `condition` is true where a row breaks it, `reason` says how, both over `received` rows."""

    name: str
    condition: str
    reason: str


def received(stream: Stream, parquet: str, columns: Mapping[str, str], places: Collection[str]) -> str:
    """SELECT of a batch's rows: each promised column cast, beside it what was said, and where the row lies.

    `_place` counts rows of the Parquet file from 0; `_row` is the line, row or record a person looks up.
    A batch landed under an older contract may lack a column that was promised later: it reads as missing.
    """
    parts = []
    for column, spec in stream.columns.items():
        present = stream.column_in(column, columns)
        said = quoted(present) if present else "null::text"
        declared = columns[present] if present else "text"
        if stream.missing and declared == "VARCHAR":
            no_value = ", ".join(map(literal, stream.missing))
            said = f"case when {said} not in ({no_value}) then {said} end"
        parts.append(f"{_cast(said, declared, spec.type)} as {quoted(column)}, {said} as {_said(column)}")
    row = "_row" if "_row" in places else "file_row_number + 1"
    listed = ",\n".join(parts)
    # A workbook read over several sheets says of each row which one it comes from.
    origin = ", _origin" if "_origin" in places else ""
    return (
        f"select {listed}, file_row_number as _place, {row} as _row{origin}"
        f" from read_parquet({parquet}, file_row_number = true)"
    )


def content_hash(stream: Stream) -> str:
    """Expression: 64-bit hash of a row's promised columns."""
    return f"hash({', '.join(quoted(column) for column in stream.columns)})"


def record_key(stream: Stream) -> str:
    """Expression over `received`: the key as text, as the source said it."""
    return " || '|' || ".join(f"coalesce(cast({_said(column)} as text), '')" for column in stream.key)


def record(stream: Stream) -> str:
    """Expression over `received`: the whole row as JSON text, every value as the source said it."""
    fields = ", ".join(f"{literal(c)}: cast({_said(c)} as text)" for c in stream.columns)
    return f"cast(to_json({{{fields}}}) as text)"


def identity(stream: Stream) -> str:
    """Expression over `received`: what a decision knows a row by, as JSON text.

    Only what the source said counts, sorted by name: a column promised later, which the batch does not hold,
    leaves the identity of its rows as it was, and a decision on one stands.
    """
    fields = ", ".join(
        f"{{'c': {literal(c)}, 'v': cast({_said(c)} as text)}}" for c in sorted(stream.columns)
    )
    return f"cast(to_json(list_filter([{fields}], lambda field: field.v is not null)) as text)"


def said_again(stream: Stream, row: Mapping[str, str | None]) -> str:
    """SELECT of one row whose values are given as text: what `received` gives for a row of a batch.

    Its columns are declared `text` in the source, so `rules` are asked for with `as_text(stream)`.
    """
    parts = []
    for column, spec in stream.columns.items():
        value = row.get(column)
        said = "null::text" if value is None else f"{literal(str(value))}::text"
        parts.append(f"{_cast(said, 'text', spec.type)} as {quoted(column)}, {said} as {_said(column)}")
    return f"select {', '.join(parts)}"


def as_text(stream: Stream) -> dict[str, str]:
    """The source's columns as if each were declared text: every promise about types is to be tried."""
    return {stream.source_column(column): "text" for column in stream.columns}


def is_deleted(stream: Stream) -> str:
    """Expression: whether the source marks a row as deleted."""
    if not isinstance(stream.deletes, SoftDelete):
        return "false"
    marks = ", ".join(literal(str(value).lower()) for value in stream.deletes.values)
    return f"coalesce(lower(cast({quoted(stream.deletes.column)} as text)) in ({marks}), false)"


def broken(rules: Collection[Rule]) -> str:
    """Expression: whether a row breaks any rule."""
    return " or ".join(f"coalesce({rule.condition}, false)" for rule in rules) or "false"


def fault(rules: Collection[Rule]) -> str:
    """Expression: the first rule a row breaks, as {rule, reason}, else null."""
    cases = [
        f"when {rule.condition} then {{'rule': {literal(rule.name)}, 'reason': {rule.reason}}}"
        for rule in rules
    ]
    return f"case {' '.join(cases)} end" if cases else "null::struct(rule text, reason text)"


def rules(stream: Stream, columns: Mapping[str, str], moment: datetime) -> list[Rule]:
    """Every promise of a stream's columns that a row can break.

    Args:
        moment: When the batch was read: what lies after it lies in the future, today and in every replay.
    """
    found = []
    for column, spec in stream.columns.items():
        present = stream.column_in(column, columns)
        found += _rules(column, spec, columns[present] if present else "text", moment)
    return found


def _rules(column: str, spec: Column, declared: str, moment: datetime) -> list[Rule]:
    value, said = quoted(column), _said(column)
    rules = []

    def rule(name: str, condition: str, reason: str) -> None:
        text = f"coalesce(cast({said} as text), 'missing')"
        rules.append(
            Rule(name, condition, f"{literal(f'{column} = ')} || {text} || {literal(f': {reason}')}")
        )

    if not always_fits(declared, spec.type):
        rule("type", f"{value} is null and {said} is not null", f"is not {spec.type}")
        if spec.type.startswith("decimal") or spec.type in {"bigint", "integer"}:
            rule(
                "precision",
                _loses_digits(value, said, declared, spec.type),
                f"has more digits than {spec.type} holds",
            )
    if spec.required:
        rule("required", f"{value} is null", "is required")
    if spec.min is not None:
        rule("min", f"{value} < {spec.min}", f"is below {spec.min:g}")
    if spec.max is not None:
        rule("max", f"{value} > {spec.max}", f"is above {spec.max:g}")
    if spec.values is not None:
        codes = [item if isinstance(item, DatedCode) else DatedCode(code=item) for item in spec.values]
        listed = ", ".join(dict.fromkeys(str(item.code) for item in codes))
        text = f"cast({value} as text)"
        known = ", ".join(literal(str(item.code)) for item in codes)
        rule("values", f"{text} not in ({known})", f"is not one of {listed}")
        if spec.values_on:
            rule(
                "values",
                f"{value} is not null and not ({_valid_then(text, quoted(spec.values_on), codes)})",
                f"was not valid on {spec.values_on}",
            )
    if spec.pattern is not None:
        matches = f"regexp_full_match({value}, {literal(spec.pattern)})"
        rule("pattern", f"not {matches}", f"does not look like {spec.pattern}")
    if spec.holds is not None:
        # The list itself is long and often personal: the reason names only what is missing in it.
        there = f"json_extract_string({value}, {literal(f'$[*].{spec.holds.by}')})"
        for item in spec.holds.each:
            lacks = f"case when json_valid({value}) then not list_contains({there}, {literal(item)}) else {value} is not null end"
            rules.append(Rule("holds", lacks, literal(f"{column} holds no {spec.holds.by} {item}")))
    if spec.not_future:
        # Instants are compared exactly; a day may be ahead of UTC by the company's zone, never by two.
        limit = f"{literal(moment.isoformat())}::timestamptz"
        late = (
            f"{value} > ({limit})::date + 1" if spec.type == "date" else f"{value} > {limit} + interval 1 day"
        )
        rule("not_future", late, "lies in the future")
    return rules


def _said(column: str) -> str:
    return quoted(f"said {column}")


def _cast(said: str, declared: str, promised: str) -> str:
    """The value in the promised type, or null if it is none."""
    if declared.lower() in {"text", "varchar"} and promised == "text":
        return said
    wide = _WIDE.match(promised)
    if wide and int(wide[1]) > 18 and int(wide[2]) < 18 and not _WIDE.match(declared.lower()):
        # From text DuckDB reads a decimal of up to 18 digits 300 times faster than a longer one (measured,
        # 1.5.5: 0.05 against 16 µs), and most values are short.
        narrow = f"decimal(18, {wide[2]})"
        return f"coalesce(cast(try_cast({said} as {narrow}) as {promised}), try_cast({said} as {promised}))"
    return f"try_cast({said} as {promised})"


def _loses_digits(value: str, said: str, declared: str, promised: str) -> str:
    """A cast to fewer decimals rounds silently: more than the noise of floating point is a lost digit."""
    if declared.lower().startswith(("decimal", "numeric")) and "(" in declared:
        return f"{value} <> {said}"
    there = f"try_cast({said} as double)"
    noise = f"abs(cast({value} as double) - {there}) > greatest(1e-9, abs({there}) * 1e-14)"
    if declared.lower() not in {"text", "varchar"}:
        return noise
    # Text says every digit; only with an exponent it does not say where.
    scale = promised.rstrip(")").split(",")[1].strip() if "," in promised else "0"
    digits = f"length(rtrim(split_part(trim({said}), '.', 2), '0')) > {scale}"
    return f"case when contains(lower({said}), 'e') then {noise} else {digits} end"


def _valid_then(text: str, day: str, codes: list[DatedCode]) -> str:
    """Whether a code of the list was valid on its day; without a day, whether it ever was."""
    parts = []
    for item in codes:
        bounds = [f"{text} = {literal(str(item.code))}"]
        if item.valid_from:
            bounds.append(f"coalesce(cast({day} as date) >= date '{item.valid_from}', true)")
        if item.valid_to:
            bounds.append(f"coalesce(cast({day} as date) <= date '{item.valid_to}', true)")
        parts.append(" and ".join(bounds))
    return " or ".join(f"({part})" for part in parts)
