"""What a file claims: one figure a line, months across the columns, or one document a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from tieout.claimed.errors import ClaimedFileError
from tieout.claimed.grid import Grid, read_grids
from tieout.claimed.values import Figure, Span, between, plain, read_figure, read_span, scale_of
from tieout.claimed.words import EVERYTHING, Filter, Known, Vocabulary

DEEPEST_HEADER = 60

_ROLES = {
    "metric": ("指标", "指标名称", "指标名", "项目", "口径", "metric", "kpi", "measure", "indicator"),
    "period": ("期间", "统计期间", "会计期间", "月份", "年月", "期", "时间", "日期", "period", "month"),
    "first": ("起", "开始", "开始日期", "起始日期", "起始", "from", "start", "first day", "start date"),
    "last": ("止", "结束", "结束日期", "截止日期", "截止", "to", "end", "last day", "end date"),
    "value": ("数值", "值", "金额", "上报值", "上报数", "上报金额", "本部门数", "value", "amount", "figure", "claimed"),
    "department": ("部门", "上报部门", "填报部门", "department", "dept"),
    "currency": ("币种", "货币", "currency"),
    "tax": ("含税", "是否含税", "税", "税口径", "tax", "tax basis"),
    "unit": ("单位", "计量单位", "unit"),
    "document": (
        "单据", "单据号", "单据编号", "单号", "订单号", "发票号", "凭证号", "出库单号", "发货单号", "document",
        "document no", "order no", "invoice no", "voucher no", "shipment no",
    ),
    "ignored": ("备注", "说明", "序号", "填报人", "note", "notes", "remark", "comment", "no", "no.", "#"),
}  # fmt: skip
_ROLE_OF = {word: role for role, words in _ROLES.items() for word in words}
_UNIT_ASIDE = re.compile(r"[(（](.*?)[)）]")
_TOTAL = re.compile(r"(合计|总计|小计|汇总|total|grand total|sum)[:：]?")
_YEAR = re.compile(r"(20\d\d)\s*年?")
_TAXED = {
    **dict.fromkeys(("含税", "是", "yes", "y", "true", "gross", "included", "价税合计"), "included"),
    **dict.fromkeys(("不含税", "未税", "否", "no", "n", "false", "net", "excluded"), "excluded"),
}


@dataclass(frozen=True)
class Line:
    """One document of a claim."""

    document: str
    figure: Figure
    place: str


@dataclass(frozen=True)
class Claim:
    """One figure a department hands in, and which governed number it is compared with.

    `details` are the documents behind it, where the file lists them; then the figure is their sum.
    """

    place: str
    department: str
    word: str
    metric: Known
    span: Span
    figure: Figure
    filters: tuple[Filter, ...] = ()
    tax: str | None = None
    details: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def by(self) -> dict[str, str]:
        return {item.dimension: item.member for item in self.filters}


@dataclass(frozen=True)
class Unread:
    """A line that is not compared, and why; `meant` are the metrics a shared word may stand for."""

    place: str
    word: str
    reason: str
    department: str = ""
    meant: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Handed:
    """What one file says."""

    file: str
    claims: tuple[Claim, ...]
    unread: tuple[Unread, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Columns:
    """What the columns of one sheet are."""

    header: int
    roles: dict[str, int] = field(default_factory=dict)
    dimensions: dict[int, tuple[str, ...]] = field(default_factory=dict)
    periods: dict[int, Span] = field(default_factory=dict)
    metrics: dict[int, str] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    scale: Decimal = Decimal(1)
    year: int | None = None


def read_claims(
    file: Path,
    words: Vocabulary,
    *,
    sheet: str | None = None,
    department: str = "",
    metrics: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
) -> Handed:
    """Everything a file claims, sheet after sheet.

    Args:
        department: Who hands it in, where the file does not say it itself.
        metrics: A word of the file → the governed metric that is meant; under "" the metric of every line.
        ignore: Headers of columns that limit nothing.

    Raises: ClaimedFileError if the file cannot be read or no sheet has a table of figures; a single line that cannot be
        read is in `unread`.
    """
    said = {plain(word): words.metric(name) for word, name in (metrics or {}).items()}
    grids = read_grids(file, sheet)
    claims: list[Claim] = []
    unread: list[Unread] = []
    notes: list[str] = []
    problems: list[str] = []
    for grid in grids:
        where = grid.name if len(grids) == 1 else f"{file.name}#{grid.name}"
        try:
            columns = _columns(grid, words, said, ignore)
        except ClaimedFileError as error:
            problems.append(f"{where}: {error}")
            continue
        reader = _Reader(grid, columns, words, said, department, len(grids) > 1)
        reader.read()
        claims += reader.claims()
        unread += reader.unread
        notes += reader.notes
    if not claims and not unread:
        # Where one sheet has a table, only that it is empty is worth saying.
        said_of_it = [f"{file.name}: no line has a figure."] if len(problems) < len(grids) else problems
        raise ClaimedFileError("\n".join(said_of_it) + " Nothing was compared.")
    # A cover page or a sheet of instructions is no table; a sheet that is one and cannot be read is not passed over.
    notes += problems
    return Handed(file.name, tuple(claims), tuple(unread), tuple(notes))


def _columns(grid: Grid, words: Vocabulary, said: Mapping[str, Known], ignore: Sequence[str]) -> _Columns:
    """The header of a sheet: the first row that says where metric, period and value stand.

    Raises: ClaimedFileError if there is none, or a column of it is not understood.
    """
    year: int | None = None
    likest: _Columns | None = None
    for number, cells in grid.rows[:DEEPEST_HEADER]:
        found = _header(number, cells, words, year)
        if _is_complete(found, "" in said):
            _refuse_unknown(found, cells, words, ignore)
            return found
        if len(found.roles) + len(found.periods) >= 2 and likest is None:
            likest = found
        if match := _YEAR.search(" ".join(cells)):
            year = int(match[1])
    if likest is not None:
        lacking = [
            name for name, there in (
                ("指标/metric", "metric" in likest.roles or "" in said or likest.metrics),
                ("期间/period", "period" in likest.roles or "first" in likest.roles or likest.periods),
                ("数值/value", "value" in likest.roles or likest.periods or likest.metrics),
            ) if not there
        ]  # fmt: skip
        raise ClaimedFileError(
            f"row {likest.header} looks like the header, but has no column {' and no column '.join(lacking)}."
        )
    raise ClaimedFileError(
        "has no header: no row names 指标/metric, 期间/period and 数值/value. `tieout report template` writes one to fill in."
    )


def _header(number: int, cells: Sequence[str], words: Vocabulary, year: int | None) -> _Columns:
    found = _Columns(number, year=year)
    for place, cell in enumerate(cells):
        if not cell:
            continue
        found.titles[place] = cell
        bare = plain(_UNIT_ASIDE.sub("", cell))
        role = _ROLE_OF.get(plain(cell)) or _ROLE_OF.get(bare)
        if role == "value" and (aside := _UNIT_ASIDE.search(cell)):
            scale = scale_of(aside[1])
            if scale is None and plain(aside[1]) in _TAXED:
                scale = Decimal(1)
            if scale is not None:
                found.scale = scale
        if role and role not in found.roles:
            found.roles[role] = place
            continue
        if names := words.dimensions(cell):
            found.dimensions[place] = names
            continue
        try:
            found.periods[place] = read_span(cell, year)
        except ClaimedFileError:
            if words.meant(cell):
                found.metrics[place] = cell
    return found


def _is_complete(found: _Columns, metric_is_given: bool) -> bool:
    has_period = "period" in found.roles or {"first", "last"} <= found.roles.keys()
    has_metric = "metric" in found.roles or metric_is_given
    if has_metric and has_period and "value" in found.roles:
        return True
    if has_metric and found.periods and not has_period:
        return True
    return has_period and bool(found.metrics) and "value" not in found.roles and "metric" not in found.roles


def _refuse_unknown(found: _Columns, cells: Sequence[str], words: Vocabulary, ignore: Sequence[str]) -> None:
    from difflib import get_close_matches

    left_out = {plain(name) for name in ignore}
    used = {*found.roles.values(), *found.dimensions, *found.periods, *found.metrics}
    if "value" in found.roles or found.metrics:
        # Nothing is across the columns: a period or metric there has another meaning.
        used -= set(found.periods)
    if "value" in found.roles or found.periods:
        used -= set(found.metrics)
    for place, cell in enumerate(cells):
        if (
            cell
            and place not in used
            and plain(cell) not in left_out
            and _ROLE_OF.get(plain(cell)) != "ignored"
        ):
            every = [*words.headers, *_ROLE_OF]
            near = get_close_matches(plain(cell), every, n=3, cutoff=0.5)
            hint = f" Near: {' or '.join(near)}." if near else ""
            raise ClaimedFileError(
                f"row {found.header}: nobody knows what the column {cell!r} limits.{hint} "
                f"Rename it, or say --ignore {cell} if it limits nothing."
            )


@dataclass
class _Entry:
    """One figure of the sheet while lines are still coming in."""

    place: str
    department: str
    word: str
    span: Span
    figure: Figure
    document: str
    members: dict[tuple[str, ...], str]
    tax: str | None
    currency: str
    notes: tuple[str, ...]


class _Reader:
    """One sheet while it is read."""

    def __init__(
        self,
        grid: Grid,
        columns: _Columns,
        words: Vocabulary,
        said: Mapping[str, Known],
        department: str,
        several: bool,
    ) -> None:
        self.grid, self.columns, self.words, self.said = grid, columns, words, said
        self.department, self.several = department, several
        self.entries: list[_Entry] = []
        self.unread: list[Unread] = []
        self.notes: list[str] = []

    def read(self) -> None:
        for number, cells in self.grid.rows:
            if number <= self.columns.header:
                continue
            place = f"{self.grid.name} {number}" if self.several else f"{number}"
            if any(_TOTAL.fullmatch(plain(cell)) for cell in self._naming(cells)):
                self.notes.append(
                    f"{place}：文件自己的合计，未核对 / row {place}: a total of the file itself; not compared"
                )
                continue
            if not any(_cell(cells, at) for at in self._valued()):
                self.notes.append(f"{place}：没有数，未核对 / row {place}: has no figure; not compared")
                continue
            for at in self._valued():
                if _cell(cells, at):
                    self._take(place, cells, at)

    def _naming(self, cells: Sequence[str]) -> list[str]:
        """Cells that name what a row is: a total is written in the first of them."""
        roles = self.columns.roles
        return [
            _cell(cells, at)
            for at in (roles.get("metric"), roles.get("period"), roles.get("document"), 0)
            if at is not None
        ]

    def _valued(self) -> list[int]:
        columns = self.columns
        if "value" in columns.roles:
            return [columns.roles["value"]]
        return sorted(columns.metrics if columns.metrics and not columns.periods else columns.periods)

    def _take(self, place: str, cells: Sequence[str], at: int) -> None:
        columns, role = self.columns, lambda name: self._role(cells, name)
        word = columns.metrics.get(at) if "value" not in columns.roles and not columns.periods else None
        word = word or role("metric") or (self.said[""].name if "" in self.said else "")
        department = role("department") or self.department
        if len(self._valued()) > 1:
            place = f"{place} {columns.titles[at]}"
        try:
            if not word:
                raise ClaimedFileError("no metric is named.")
            scale, notes = columns.scale, []
            if unit := role("unit"):
                known = scale_of(unit)
                if known is None and plain(unit).endswith("%"):
                    known = Decimal("0.01")
                if known is None:
                    notes.append(
                        f"单位 {unit} 未采用，指标自有单位 / the unit {unit} was not used: the metric has one"
                    )
                elif columns.scale not in (1, known):
                    raise ClaimedFileError(f"the unit {unit} is not the one of the column's title.")
                else:
                    scale = known
            figure = read_figure(_cell(cells, at), scale)
            span = self._span(cells, at)
            taxed = role("tax")
            if taxed and plain(taxed) not in _TAXED:
                raise ClaimedFileError(f"{taxed!r} says neither 含税 nor 不含税.")
            members = {
                names: value for place_, names in columns.dimensions.items()
                if plain(value := _cell(cells, place_)) not in EVERYTHING
            }  # fmt: skip
            notes += [note for note in (figure.note, span.note) if note]
            self.entries.append(
                _Entry(
                    place, department, word, span, figure, role("document"), members,
                    _TAXED.get(plain(taxed)), role("currency").upper(), tuple(notes),
                )
            )  # fmt: skip
        except ClaimedFileError as error:
            self.unread.append(Unread(place, word or "", str(error), department))

    def _span(self, cells: Sequence[str], at: int) -> Span:
        columns = self.columns
        if at in columns.periods and "value" not in columns.roles:
            return columns.periods[at]
        if first := self._role(cells, "first"):
            last = self._role(cells, "last")
            one, other = read_span(_day(first), columns.year), read_span(_day(last), columns.year)
            return between(one.start, other.end - timedelta(days=1))
        text = self._role(cells, "period")
        if not text:
            raise ClaimedFileError("no period is named.")
        return read_span(text, columns.year)

    def _role(self, cells: Sequence[str], name: str) -> str:
        at = self.columns.roles.get(name)
        return _cell(cells, at) if at is not None else ""

    def claims(self) -> list[Claim]:
        """One claim a line, or one for all documents of the same metric, period, department and members."""
        found: list[Claim] = []
        groups: dict[tuple, list[_Entry]] = {}
        for entry in self.entries:
            key = (
                entry.word, entry.department, entry.span.start, entry.span.end, tuple(entry.members.items()),
                "" if entry.document else entry.place,
            )  # fmt: skip
            groups.setdefault(key, []).append(entry)
        for entries in groups.values():
            try:
                found += self._resolved(entries)
            except ClaimedFileError as error:
                first = entries[0]
                self.unread.append(Unread(first.place, first.word, str(error), first.department))
        return found

    def _resolved(self, entries: Sequence[_Entry]) -> list[Claim]:
        first = entries[0]
        notes = list(dict.fromkeys(note for entry in entries for note in entry.notes))
        known = self.said.get(plain(first.word)) or self.said.get("")
        if known is None:
            meant = self.words.meant(first.word, first.department)
            if not meant:
                raise ClaimedFileError(
                    f"nobody knows the word {first.word!r}. Near: {self.words.near(first.word) or 'nothing'}. "
                    "`tieout metric` lists all metrics with the words they replace."
                )
            if len(meant) > 1:
                self._ambiguous(entries, meant)
                return []
            known = meant[0]
            if plain(first.word) not in map(plain, known.words):
                notes.append(
                    f"{first.department}「{first.word}」即「{known.metric.label}」 / read as {known.name}"
                )
        return [self._claim(entries, known, notes)]

    def _claim(self, entries: Sequence[_Entry], known: Known, notes: Sequence[str]) -> Claim:
        first = entries[0]
        filters = tuple(self.words.filter(known, names, value) for names, value in first.members.items())
        if (
            first.currency
            and known.metric.currency == "document"
            and "currency_code" in known.metric.dimensions
        ):
            filters += (Filter("currency_code", first.currency, first.currency),)
        elif first.currency and known.metric.currency not in ("none", first.currency):
            raise ClaimedFileError(
                f"is in {first.currency}, {known.name} is in {known.metric.currency}: unlike amounts are not compared. "
                f"Hand in {known.metric.currency}."
            )
        if known.metric.requires_by and not {item.dimension for item in filters} & set(
            known.metric.requires_by
        ):
            raise ClaimedFileError(
                f"{known.name} adds nothing without {' or '.join(known.metric.requires_by)}: add such a column."
            )
        notes = [*notes, *(item.note for item in filters if item.note)]
        details: tuple[Line, ...] = ()
        figure = first.figure
        if first.document:
            details = tuple(Line(entry.document, entry.figure, entry.place) for entry in entries)
            figure = Figure(
                sum((line.figure.value for line in details), Decimal(0)),
                min(line.figure.step for line in details),
            )
        place = first.place if len(entries) == 1 else f"{first.place}–{entries[-1].place}"
        return Claim(
            place, first.department, first.word, known, first.span, figure, filters, first.tax, details, tuple(notes)
        )  # fmt: skip

    def _ambiguous(self, entries: Sequence[_Entry], meant: Sequence[Known]) -> None:
        candidates = []
        for known in meant:
            try:
                candidates.append(self._claim(entries, known, ()))
            except ClaimedFileError:
                continue
        names = " or ".join(f"{known.metric.label} {known.name}" for known in meant)
        first = entries[0]
        self.unread.append(
            Unread(
                first.place,
                first.word,
                f"{first.word!r} means {len(meant)} metrics: {names}. Write the one that is meant, "
                "or which department hands it in.",
                first.department,
                tuple(candidates),
            )
        )


def _day(text: str) -> str:
    """A date cell of Excel in a column of days: never a month."""
    return text.removesuffix(" 00:00:00")


def _cell(cells: Sequence[str], at: int) -> str:
    return cells[at] if at < len(cells) else ""
