"""One handed-in file against the published metrics: every figure agrees, is explained, or is left unexplained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tieout.claimed.claims import Claim, Handed, Unread, read_claims
from tieout.claimed.details import match
from tieout.claimed.explain import Cause, Explanation, Reading, explain, rounded, slip
from tieout.claimed.rows import Marts, Rows, amount
from tieout.claimed.values import Span
from tieout.claimed.words import Known, Vocabulary, base_of
from tieout.engine import literal, quoted, relations
from tieout.metrics.answer import answer, dim_set, is_member, parse_period
from tieout.metrics.errors import MetricError, TraceMismatch
from tieout.metrics.trace import Plan
from tieout.pages.words import Both

if TYPE_CHECKING:
    import duckdb

State = Literal["agrees", "explained", "unexplained"]
# Rows so long before and after a period are looked at: the period before and after, and late papers.
_MARGIN = timedelta(days=62)


@dataclass(frozen=True)
class Checked:
    """One figure beside the governed one. `explanations` are alternatives, the likeliest first."""

    claim: Claim
    governed: Decimal | None  # None: the metric has nothing there
    state: State
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> Decimal:
        """Claimed less governed."""
        return self.claim.figure.value - (self.governed or Decimal(0))


@dataclass(frozen=True)
class Compared:
    """A line nobody compared because its word means several metrics, with how each would compare."""

    unread: Unread
    candidates: tuple[tuple[Known, Decimal | None, Decimal], ...]  # metric, governed, difference


@dataclass(frozen=True)
class Report:
    """A whole file."""

    file: str
    publish_id: str
    checked: tuple[Checked, ...]
    unread: tuple[Compared, ...]
    notes: tuple[str, ...] = ()

    @property
    def unexplained(self) -> int:
        return sum(item.state == "unexplained" for item in self.checked)


def check_file(
    con: duckdb.DuckDBPyConnection,
    file: Path,
    *,
    sheet: str | None = None,
    department: str = "",
    metrics: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
) -> Report:
    """Compare every figure of a file with the published metrics and explain what differs.

    Args: as `read_claims`.

    Raises: ClaimedFileError if the file cannot be read; MetricError if nothing is published or a metric does not exist;
        TraceMismatch if a metric and its own rows disagree.
    """
    words = Vocabulary(con)
    handed = read_claims(file, words, sheet=sheet, department=department, metrics=metrics, ignore=ignore)
    return check(con, words, handed)


def check(con: duckdb.DuckDBPyConnection, words: Vocabulary, handed: Handed) -> Report:
    """The claims of a file that was read already."""
    checker = _Checker(con, words, handed.claims)
    checked = tuple(checker.checked(claim) for claim in handed.claims)
    unread = tuple(
        Compared(item, tuple(checker.compared(claim) for claim in item.meant)) for item in handed.unread
    )
    return Report(handed.file, _publish_id(con), checked, unread, handed.notes)


def _publish_id(con: duckdb.DuckDBPyConnection) -> str:
    """Of the snapshot; the working copy has none."""
    if "metrics.publish" not in relations(con):
        return "the working copy"
    (publish,) = con.execute("select max(publish_id) from metrics.publish").fetchone() or ("",)
    return str(publish)


class _Checker:
    def __init__(self, con: duckdb.DuckDBPyConnection, words: Vocabulary, claims: Sequence[Claim]) -> None:
        self.con, self.words = con, words
        self.marts = Marts(con)
        self._readings: dict[tuple, Reading] = {}
        self._cells: dict[tuple, dict[str, tuple[Decimal, int]]] = {}
        spans = [claim.span for claim in claims]
        # All claims of a file are answered from the same rows.
        self.first = min((_first(span) for span in spans), default=None)
        self.last = max((span.end + _MARGIN for span in spans), default=None)
        self.titles = {
            name: words.title(name) for known in words.metrics.values() for name in known.metric.dimensions
        }

    def compared(self, claim: Claim) -> tuple[Known, Decimal | None, Decimal]:
        governed = self._governed(claim.metric, claim.span, claim.by)
        return claim.metric, governed, claim.figure.value - (governed or Decimal(0))

    def checked(self, claim: Claim) -> Checked:
        if claim.metric.plan.kind == "formula":
            return self._of_formula(claim)
        notes = [*claim.notes, *_calendar(claim.span)]
        # The rows are read where there is something to explain.
        governed = self._governed(claim.metric, claim.span, claim.by)
        if governed == claim.figure.value:
            return Checked(claim, governed, "agrees", notes=tuple(notes))
        reading = self._reading(claim.metric, claim.span, claim.by)
        governed = self._agreed(claim, reading)
        if governed is None:
            notes.append("平台在此没有任何行 / the metric has no row there at all")
        base, value, step = governed or Decimal(0), claim.figure.value, claim.figure.step
        if value == base:
            return Checked(claim, governed, "agrees", notes=tuple(notes))
        if claim.details:
            return Checked(claim, governed, "explained", (match(claim.details, reading),), tuple(notes))
        if (one := rounded(base, value, step)) is not None:
            return Checked(claim, governed, "explained", (one,), tuple(notes))
        found = explain(value, step, [reading, *self._others(claim)], tax=claim.tax)
        if (one := slip(base, value)) is not None and base:
            found = tuple(sorted([one, *(item for item in found if item.exact)], key=lambda item: item.bits))
        exact = bool(found) and found[0].exact
        return Checked(claim, governed, "explained" if exact else "unexplained", found, tuple(notes))

    # --- governed figures -------------------------------------------------------------------------

    def _agreed(self, claim: Claim, reading: Reading) -> Decimal | None:
        """The governed figure, from the metric's own SQL where it is stored, and equal to its rows.

        Raises: TraceMismatch if they are not.
        """
        rows = reading.rows
        first = reading.start if rows.kind == "rows" else None
        cell = (
            rows.counted
            & rows.within(first, rows.until(reading.start, reading.end))
            & rows.of(reading.filters)
        )
        from_rows = amount(int(rows.amounts[cell].sum())) if cell.any() else None
        if not self._is_stored(claim.metric, claim.span, claim.by):
            return from_rows
        cell_value = self._answered(claim.metric, claim.span, claim.by)
        if rows.kind == "running" and cell_value is None:
            return None  # a balance does not go on beyond the last day anything moved
        if abs((cell_value or Decimal(0)) - (from_rows or Decimal(0))) > _inexact(cell_value):
            raise TraceMismatch(
                f"{claim.metric.name} {claim.span.text} {claim.by or ''}: the cell is {cell_value}, its rows make "
                f"{from_rows}. Nothing was compared; the marts and the metric disagree."
            )
        return from_rows if _inexact(cell_value) else cell_value

    def _governed(self, known: Known, span: Span, filters: Mapping[str, str]) -> Decimal | None:
        if known.plan.kind == "formula" or self._is_stored(known, span, filters):
            return self._answered(known, span, filters)
        total, count = self._sum(known.plan, span, filters)
        return total if count else None

    def _is_stored(self, known: Known, span: Span, filters: Mapping[str, str]) -> bool:
        """Whether the metric's own SQL is at hand; compiling it now would take a second for each question."""
        if not span.calendar:
            return False
        return bool(
            self.con.execute(
                f"select 1 from metrics.compiled_query where metric_name = {literal(known.name)}"
                f" and time_grain = {literal(parse_period(span.text).grain)} and dim_set = {literal(dim_set(filters))}"
            ).fetchone()
        )

    def _answered(self, known: Known, span: Span, filters: Mapping[str, str]) -> Decimal | None:
        if not span.calendar:
            raise MetricError(
                f"{known.name} is a formula: it has a figure for months, quarters and years, not for {span.text}."
            )
        rows = answer(self.con, known.name, period=span.text, where=dict(filters)).rows
        value = rows[0][-1] if rows else None
        return None if value is None else Decimal(str(value)) if isinstance(value, float) else Decimal(value)

    def _sum(self, plan: Plan, span: Span, filters: Mapping[str, str]) -> tuple[Decimal, int]:
        row = self.con.execute(_cell_sql(plan, span, filters)).fetchone()
        total, count = row if row else (0, 0)
        return Decimal(str(total)), int(count)

    # --- readings ---------------------------------------------------------------------------------

    def _reading(self, known: Known, span: Span, filters: Mapping[str, str], bits: float = 0.0) -> Reading:
        key = (known.name, span.start, span.end, tuple(filters.items()), bits)
        if key not in self._readings:
            rows = self._rows(known.plan, span)
            self._readings[key] = Reading(
                known.name, known.metric.label, rows, span.start, span.end, filters, self.titles, bits
            )
        return self._readings[key]

    def _rows(self, plan: Plan, span: Span) -> Rows:
        """The rows around one claim, taken from those read once for the whole file."""
        import numpy as np

        start = self.first if plan.kind == "rows" else None
        assert self.last is not None
        every = self.marts.rows(plan, start, self.last)
        near = np.zeros(every.count, bool)
        for column in every.days:
            near |= every.within(_first(span) if plan.kind == "rows" else None, span.end + _MARGIN, column)
        return every.taken(near)

    def _others(self, claim: Claim) -> list[Reading]:
        """Metrics the figure may be instead: those with exactly this number, and those that share its word."""
        mine = claim.metric
        bases = {base_of(word) for word in (claim.word, *mine.words)}
        totals = self._totals(claim.span, claim.by)
        others = [
            known for name, known in self.words.metrics.items()
            if name in totals and name != mine.name and known.metric.unit == mine.metric.unit
        ]  # fmt: skip
        found = []
        for known in others:
            total, count = totals[known.name]
            shares = bool(bases & {base_of(word) for word in known.words})
            meets = count and abs(total - claim.figure.value) <= claim.figure.step / 2
            if shares or meets:
                bits = 1.0 if shares else 3.0 + log2(len(others))
                found.append(self._reading(known, claim.span, claim.by, bits))
        return found

    def _totals(self, span: Span, filters: Mapping[str, str]) -> dict[str, tuple[Decimal, int]]:
        """The same cell of every metric that has one: total and rows; asked once for all claims about it."""
        key = (span.start, span.end, tuple(sorted(filters.items())))
        if key not in self._cells:
            names = [
                name for name, known in self.words.metrics.items()
                if known.plan.kind != "formula" and set(filters) <= set(known.metric.dimensions)
                and not known.metric.requires_by
            ]  # fmt: skip
            cells = (
                f"select {literal(name)}, * from ({_cell_sql(self.words.metrics[name].plan, span, filters)})"
                for name in names
            )
            rows = self.con.execute(" union all ".join(cells)).fetchall() if names else []
            self._cells[key] = {str(name): (Decimal(str(total)), int(count)) for name, total, count in rows}
        return self._cells[key]

    # --- formulas ---------------------------------------------------------------------------------

    def _of_formula(self, claim: Claim) -> Checked:
        """A ratio or a difference of balances has no rows of its own: it agrees, or is another known figure."""
        governed = self._answered(claim.metric, claim.span, claim.by)
        base, value, step = governed or Decimal(0), claim.figure.value, claim.figure.step
        notes = (*claim.notes, *_calendar(claim.span))
        # A double: equal as far as it was written.
        if value == base or (claim.metric.metric.unit == "ratio" and abs(value - base) <= step / 2):
            return Checked(claim, governed, "agrees", notes=notes)
        found = []
        if (one := rounded(base, value, step)) is not None:
            found.append(one)
        for title, other in self._formula_otherwise(claim):
            if other is not None and abs(value - other) <= step / 2:
                causes = (Cause(title[0], title[1], other - base),)
                if value != other:
                    causes += (
                        Cause(
                            "rounding",
                            Both(f"四舍五入到 {step.normalize():f}", f"rounded to {step.normalize():f}"),
                            value - other,
                        ),
                    )
                found.append(Explanation(causes, Decimal(0), 2.0))
        if (one := slip(base, value)) is not None and base:
            found.append(one)
        return Checked(claim, governed, "explained" if found else "unexplained", tuple(found), notes)

    def _formula_otherwise(self, claim: Claim):
        for other in self.words.metrics.values():
            if (
                other.name != claim.metric.name
                and other.metric.unit == claim.metric.metric.unit
                and set(claim.by) <= set(other.metric.dimensions)
            ):
                said = Both(f"这是「{other.metric.label}」", f"this is {other.name} ({other.metric.label})")
                yield ("definition", said), self._governed(other, claim.span, claim.by)
        for name in claim.by:
            rest = {key: member for key, member in claim.by.items() if key != name}
            if dim_set(rest) == "all" or self._is_stored(claim.metric, claim.span, rest):
                said = Both(
                    f"未按{self.titles.get(name, name)}筛选", f"not limited to {name} {claim.by[name]}"
                )
                yield ("scope", said), self._answered(claim.metric, claim.span, rest)


def _inexact(value: Decimal | None) -> Decimal:
    """How far a sum of doubles (hours) may be from the sum of its rows; nothing for decimals, which all amounts are."""
    places = 0 if value is None else -int(value.as_tuple().exponent)
    return Decimal("0.001") if places > 8 else Decimal(0)


def _cell_sql(plan: Plan, span: Span, filters: Mapping[str, str]) -> str:
    """The rows of a cell added up, for metrics that are compared and not explained: total, rows."""
    joins, conditions = [], [f"({plan.amount}) is not null"]
    for number, (name, member) in enumerate(filters.items()):
        join = plan.joins[name]
        if join.relation is None:
            conditions.append(is_member(f"({join.expr})", member))
            continue
        joins.append(
            f"left join (select ({join.primary_key}) as _key, ({join.expr}) as _member from {join.relation}) as dim{number}"
            f" on fact.{quoted(str(join.foreign_key))} = dim{number}._key"
        )
        conditions.append(is_member(f"dim{number}._member", member))
    if plan.kind == "rows":
        conditions.append(f"({plan.time}) >= date '{span.start}'")
    end = f"date '{span.end}'"
    if plan.kind == "last":
        day = plan.snapshot_day
        end = f"(select max({day}) + 1 from {plan.snapshot} where {day} >= date '{span.start}' and {day} < {end})"
    conditions.append(f"({plan.time}) < {end}")
    return (
        f"select cast(coalesce(sum({plan.amount}), 0) as decimal(38, 8)), count(*) from {plan.relation} as fact"
        f" {' '.join(joins)} where {' and '.join(conditions)}"
    )


def _first(span: Span) -> date:
    """How far back rows are looked at: the period before, and the beginning of the year."""
    return min(span.start - max(_MARGIN, span.end - span.start), date(span.start.year, 1, 1))


def _calendar(span: Span) -> tuple[str, ...]:
    if (span.start.day == 1 and span.end.day == 1) or span.calendar:
        return ()
    return (
        f"{span.text} 不是自然月、季、年，按这些天核对 / is no calendar month, quarter or year: compared for these days",
    )
