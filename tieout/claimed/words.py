"""The words of a report: which metric, which dimension, which member is meant; never the likeliest of several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tieout.claimed.errors import ClaimedFileError
from tieout.claimed.values import plain
from tieout.engine import literal
from tieout.metrics.answer import Catalogued, catalogued
from tieout.metrics.trace import Join, Plan, plan_from
from tieout.pages.words import DEPARTMENT

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.definitions import Definitions

_ASIDE = re.compile(r"\s*[(（].*?[)）]\s*")
_DEPARTMENT_ENDING = re.compile(r"(部门|部|科|处|中心|组|dept\.?|department|team)$")
# Written in a cell of a dimension, it leaves nothing out.
EVERYTHING = frozenset({"", "全部", "所有", "合计", "总计", "all", "total", "*", "-", "–"})


@dataclass(frozen=True)
class Known:
    """One metric of the catalogue with the words for it and how its cells lead to rows."""

    metric: Catalogued
    replaces: tuple[str, ...]
    plan: Plan

    @property
    def name(self) -> str:
        return self.metric.name

    @property
    def words(self) -> tuple[str, ...]:
        return (self.metric.name, self.metric.label, *self.replaces)


@dataclass(frozen=True)
class Filter:
    """One member of one dimension; `said` is how the file writes it."""

    dimension: str
    member: str
    said: str
    note: str = ""


class Vocabulary:
    """Words of one published file."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Raises: MetricError if the file holds no metrics."""
        self.con = con
        self.metrics = _metrics(con)
        self._members: dict[tuple[str, str], tuple[str, ...]] = {}

    @cached_property
    def _definitions(self) -> Definitions:
        from tieout.metrics.definitions import parse

        (text,) = self.con.execute("select content from metrics.semantic_manifest").fetchone() or ("",)
        return parse(str(text))

    # --- metrics ----------------------------------------------------------------------------------

    def meant(self, word: str, department: str = "") -> list[Known]:
        """The metrics a word may mean: one by its name, its label or a word it replaces; several if they share it.

        A word several departments use (销售额) means that department's metric where the file says which one.
        """
        said = plain(word)
        exact = [known for known in self.metrics.values() if said in map(plain, known.words)]
        if exact:
            return exact
        base = base_of(word)
        shared = [known for known in self.metrics.values() if base in map(base_of, known.words)]
        if len(shared) > 1 and department:
            own = [known for known in shared if _is_of(known, base, department)]
            if len(own) == 1:
                return own
        return shared

    def metric(self, name: str) -> Known:
        """Raises: UnknownName for what is no metric's name or word; ClaimedFileError if it is several metrics' word."""
        found = self.meant(name)
        if len(found) == 1:
            return found[0]
        if found:
            raise ClaimedFileError(f"{name!r} may mean {_or(known.name for known in found)}. Say which one.")
        catalogued(self.con, name)  # says which names are near
        return self.metrics[name]

    def near(self, word: str) -> str:
        """The words nearest to one that nobody knows, for an error."""
        from difflib import get_close_matches

        every = {plain(item): item for known in self.metrics.values() for item in known.words}
        every |= {base_of(item): item for item in list(every.values())}
        close = get_close_matches(base_of(word), list(every), n=3, cutoff=0.4)
        inside = [item for text, item in every.items() if base_of(word) in text and len(base_of(word)) > 1]
        return _or(dict.fromkeys([*(every[item] for item in close), *inside][:4]))

    # --- dimensions -------------------------------------------------------------------------------

    @cached_property
    def _headers(self) -> dict[str, tuple[str, ...]]:
        """A header → the dimensions it may stand for, in the order they are tried."""
        found: dict[str, list[str]] = {}

        def add(word: str | None, name: str) -> None:
            if word:
                found.setdefault(plain(word), []).append(name)

        for model in self._definitions.models.values():
            raw = self._labels.get(model.name)
            for item in model.dimensions:
                if item.kind != "categorical":
                    continue
                add(item.name, item.name)
                add(item.name.replace("_", " "), item.name)
                add(item.label, item.name)
                if model.relation.rpartition(".")[2].startswith("dim_"):
                    add(raw, item.name)
                    add(model.primary_entity or _entity(model.entities), item.name)
        return {word: tuple(dict.fromkeys(names)) for word, names in found.items()}

    @cached_property
    def _labels(self) -> dict[str, str]:
        import json

        document = json.loads(self._definitions.text)
        return {item["name"]: str(item.get("label") or "") for item in document["semantic_models"]}

    def dimensions(self, header: str) -> tuple[str, ...]:
        """The dimensions a column's header may stand for (客户: its code, its name, its city); none if it is no dimension."""
        return self._headers.get(plain(header), ())

    @property
    def headers(self) -> list[str]:
        return sorted(self._headers)

    def title(self, dimension: str) -> str:
        """The Chinese label of a dimension."""
        for model in self._definitions.models.values():
            for item in model.dimensions:
                if item.name == dimension and item.label:
                    return item.label
        return dimension

    def members(self, join: Join, relation: str) -> tuple[str, ...]:
        """Every value of a dimension."""
        where = join.relation or relation
        key = (where, join.expr)
        if key not in self._members:
            rows = self.con.execute(
                f"select distinct cast(({join.expr}) as text) from {where} where ({join.expr}) is not null order by 1"
            ).fetchall()
            self._members[key] = tuple(str(value) for (value,) in rows)
        return self._members[key]

    def filter(self, known: Known, dimensions: Sequence[str], value: str) -> Filter:
        """The member of one of `dimensions` that a cell names, for one metric.

        Raises: ClaimedFileError if the metric has none of the dimensions, or no member or several fit.
        """
        usable = [name for name in dimensions if name in known.metric.dimensions]
        if not usable:
            raise ClaimedFileError(
                f"{known.name} is not known by {_or(dimensions)}; it can be asked for by "
                f"{', '.join(known.metric.dimensions)}."
            )
        plans = self._base_plan(known)
        said = plain(value)
        every = {name: self.members(plans.joins[name], plans.relation) for name in usable}
        for name, members in every.items():
            for member in members:
                if plain(member) == said:
                    return self._by_code(known, Filter(name, member, value))
        inside = [
            (name, member) for name, members in every.items() for member in members if said in plain(member)
        ]
        if len(inside) == 1:
            name, member = inside[0]
            return self._by_code(
                known, Filter(name, member, value, f"{value} 读作 {member} / was read as {member}")
            )
        if inside:
            raise ClaimedFileError(
                f"{value!r} may mean {_or(member for _, member in inside[:6])}. Write it in full."
            )
        from difflib import get_close_matches

        close = get_close_matches(value, [m for members in every.values() for m in members], n=3, cutoff=0.4)
        raise ClaimedFileError(
            f"nothing is called {value!r} among {_or(usable)}.{f' Near: {_or(close)}.' if close else ''}"
        )

    def _by_code(self, known: Known, found: Filter) -> Filter:
        """A name says less than a code: the code it has, where only one has that name."""
        joins = self._base_plan(known).joins
        join = joins[found.dimension]
        stem, _, ending = found.dimension.rpartition("_")
        code = next((name for name in (f"{stem}_code", f"{stem}_no") if name in joins), None)
        if ending != "name" or code is None or join.relation is None or joins[code].relation != join.relation:
            return found
        rows = self.con.execute(
            f"select distinct cast(({joins[code].expr}) as text) from {join.relation}"
            f" where cast(({join.expr}) as text) = {literal(found.member)}"
        ).fetchall()
        if len(rows) == 1 and rows[0][0] is not None:
            return replace(found, dimension=code, member=str(rows[0][0]))
        return replace(found, note=f"{len(rows)} of {stem} are called {found.member}: all of them")

    def _base_plan(self, known: Known) -> Plan:
        """The plan that holds the joins: a formula has those of its first input."""
        plan = known.plan
        while plan.kind == "formula":
            plan = self.metrics[plan.inputs[0].metric].plan
        return plan


def _metrics(con: duckdb.DuckDBPyConnection) -> dict[str, Known]:
    import duckdb

    from tieout.metrics.errors import MetricError

    try:
        rows = con.execute(
            "select metric_name, replaces, plan from metrics.metric_catalog join metrics.trace_plan using (metric_name)"
            " order by metric_name"
        ).fetchall()
    except duckdb.CatalogException as error:
        raise MetricError("there are no metrics in this file yet. Run `tieout refresh`.") from error
    return {
        name: Known(
            catalogued(con, name), tuple(part.strip() for part in str(replaces).split(",") if part.strip()),
            plan_from(str(plan)),
        )
        for name, replaces, plan in rows
    }  # fmt: skip


def _entity(entities: Iterable) -> str | None:
    return next((item.name for item in entities if item.kind == "primary"), None)


def base_of(word: str) -> str:
    """A word without what stands in brackets: 销售额（销售部） is 销售额."""
    return plain(_ASIDE.sub("", word))


def _is_of(known: Known, base: str, department: str) -> bool:
    """Whether this metric is what the department means by the word: 销售额（销售部） of 销售部."""
    said = _department(department)
    for word in known.words:
        if (
            base_of(word) == base
            and (aside := _ASIDE.search(word))
            and _department(aside[0].strip(" ()（）")) == said
        ):
            return True
    titles = DEPARTMENT.get(known.metric.owner)
    return said in {known.metric.owner, *(map(_department, titles) if titles else ())}


def _department(text: str) -> str:
    return _DEPARTMENT_ENDING.sub("", plain(text)).strip()


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)
