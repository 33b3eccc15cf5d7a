"""Where the dictionary contradicts itself: one name with two meanings, two names with one meaning, words too alike.

Found from the definitions (`same_logic`, `same_name`, `same_column`), from the words (`same_word`, `near_word`) and from
the numbers (`same_values`). A finding is for people to settle: what the rules can decide alone, they refuse.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from tieout.engine import literal
from tieout.metrics.canonical import canonical
from tieout.metrics.definitions import Definitions, Measure, Metric
from tieout.metrics.dictionary import Word, base_of, words
from tieout.metrics.marts import Marts
from tieout.metrics.types import Untypable, column_basis

if TYPE_CHECKING:
    import duckdb

# Fewer equal cells than that may be chance.
LEAST_CELLS = 3
_ALIKE = 0.7  # share of common bigrams from which two words are near
_QUALIFIER = re.compile(r"[（(][^（()）]*[)）]")
_SAME = (("金额", "额"), ("总额", "额"), ("数量", "数"), ("余额", "额"), ("销售", "销"), ("采购", "采"))
# One of these in one word only, and the two say opposite or different things on purpose.
_CONTRAST = re.compile(
    r"累计|期末|期初|差异|未|非|不|无|退|草稿|待|净|平均|率|比|日均|人均|占|完成|取消|逾期|计划|报废|借|贷"
)
_PAIRS = ({"收", "付"}, {"借", "贷"}, {"入", "出"}, {"进", "销"}, {"采", "销"}, {"增", "减"}, {"订", "退"})


@dataclass(frozen=True)
class Contradiction:
    """One finding about two metrics (or two columns), and the words it is about."""

    kind: str  # same_logic | same_values | same_name | same_word | near_word | same_column
    one: str
    other: str
    word_one: str
    word_other: str
    said_zh: str
    said_en: str

    @property
    def row(self) -> tuple[str, ...]:
        return (
            self.kind, self.one, self.other, self.word_one, self.word_other, self.said_zh, self.said_en,
        )  # fmt: skip


def contradictions(definitions: Definitions, marts: Marts) -> list[Contradiction]:
    """What the definitions and words alone show; `same_values` needs the numbers."""
    return [
        *_same_logic(definitions),
        *_same_name(definitions),
        *_words(definitions),
        *_columns(definitions, marts),
    ]


# --- the same logic ---------------------------------------------------------------------------------


def logic(definitions: Definitions, metric: Metric) -> str:
    """What a metric computes, in one form for all ways of writing it; its name, words and unit play no part."""
    if metric.inputs:
        inputs = {
            item.alias.lower(): f"[{logic(definitions, definitions.metric(item.metric))}]"
            for item in metric.inputs
        }
        if metric.kind == "ratio":
            top, bottom = (item.alias for item in metric.inputs)
            return canonical(
                f'"{top}" / nullif("{bottom}", 0)', lambda name: inputs.get(name.lower(), name), summed=False
            )
        return canonical(str(metric.expr), lambda name: inputs.get(name.lower(), name), summed=False)
    measure = definitions.measures[metric.measures[0]]
    how = "to date" if metric.kind == "cumulative" else "in the period"
    return f"{how} {metric.period_agg or ''} {_measured(definitions, measure)}"


def _measured(definitions: Definitions, measure: Measure) -> str:
    model = definitions.models[measure.model]
    last = f" on {measure.window_choice} {measure.non_additive}" if measure.non_additive else ""
    return f"{measure.agg} of {canonical(measure.expr)} from {model.relation} by {model.time_expr(measure.time)}{last}"


def _same_logic(definitions: Definitions) -> Iterator[Contradiction]:
    by_logic: dict[str, list[Metric]] = defaultdict(list)
    for metric in definitions.metrics.values():
        by_logic[logic(definitions, metric)].append(metric)
    for same in by_logic.values():
        for one, other in combinations(sorted(same, key=lambda item: item.name), 2):
            yield Contradiction(
                "same_logic", one.name, other.name, one.label, other.label,
                "两个名字，一个算法：写法不同，算的是同一个数",
                "two names, one logic: written differently, they compute the same number",
            )  # fmt: skip


def _same_name(definitions: Definitions) -> Iterator[Contradiction]:
    """A name that is defined twice; of two definitions only the last one is ever computed."""
    document = json.loads(definitions.text)
    metrics, measures = defaultdict(list), defaultdict(list)
    for item in document["metrics"]:
        metrics[item["name"]].append(item)
    for model in document["semantic_models"]:
        for item in model["measures"]:
            measures[item["name"]].append((model["name"], item))
    for kind, found in (("metric", metrics), ("measure", measures)):
        for name, same in found.items():
            if len(same) > 1:
                yield Contradiction(
                    "same_name", name, name, name, name,
                    f"一个名字定义了 {len(same)} 次，只有最后一次算数",
                    f"one {kind} name is defined {len(same)} times; only the last definition is computed",
                )  # fmt: skip


# --- words ------------------------------------------------------------------------------------------


def _words(definitions: Definitions) -> Iterator[Contradiction]:
    spoken = [word for word in words(definitions) if word.kind != "english"]
    reported: set[tuple[str, str, str]] = set()
    for one, other in _near_pairs(spoken):
        kind = "same_word" if _plain(one.word) == _plain(other.word) else "near_word"
        first, second = definitions.metric(one.metric), definitions.metric(other.metric)
        if kind == "near_word" and first.meta.owner == second.meta.owner:
            continue  # one department knows its own words apart
        if (one.metric, other.metric, kind) in reported:
            continue
        reported.add((one.metric, other.metric, kind))
        if kind == "same_word":
            zh, en = "同一个词，两种意思", "one word, two meanings"
        else:
            zh, en = "两个词相近，意思不同，容易听错", "two words nearly the same that mean different things"
        yield Contradiction(kind, one.metric, other.metric, one.word, other.word, zh, en)


def _near_pairs(spoken: list[Word]) -> Iterator[tuple[Word, Word]]:
    """Pairs of words of different metrics that are the same or nearly so, the same ones first."""
    formed = [(word, _plain(word.word)) for word in spoken]
    found = [
        (a == b, one, other)
        for (one, a), (other, b) in combinations(formed, 2)
        if one.metric != other.metric and (a == b or _near(a, b)) and not _told_apart(one.word, other.word)
    ]
    for _, one, other in sorted(found, key=lambda item: not item[0]):
        yield (one, other) if one.metric < other.metric else (other, one)


def near(one: str, other: str) -> bool:
    """Whether two words are so alike that people take one for the other."""
    a, b = _plain(one), _plain(other)
    return (a == b or _near(a, b)) and not _told_apart(one, other)


def _told_apart(one: str, other: str) -> bool:
    """Whether both say in brackets what they are, and say different things: 开票额（含税）and 开票额（不含税）."""
    a, b = _QUALIFIER.findall(base_of(one)), _QUALIFIER.findall(base_of(other))
    return bool(a and b and a != b)


def _plain(word: str) -> str:
    """The word without department, brackets and the many ways to say amount and quantity."""
    text = _QUALIFIER.sub("", base_of(word)).casefold()
    for long, brief in _SAME:
        text = text.replace(long, brief)
    return re.sub(r"[\s\-_的]+", "", text)


def _near(a: str, b: str) -> bool:
    """Contained at either end, or most bigrams in common; never where what differs says the opposite."""
    short, long = sorted((a, b), key=len)
    if long.startswith(short) or long.endswith(short):
        if len(short) < 2 or len(long) - len(short) > 2:
            return False
    elif len(short) < 4:
        return False
    else:
        pairs_a, pairs_b = _bigrams(a), _bigrams(b)
        if 2 * len(pairs_a & pairs_b) < _ALIKE * (len(pairs_a) + len(pairs_b)):
            return False
    if set(_CONTRAST.findall(a)) != set(_CONTRAST.findall(b)):
        return False
    only_a, only_b = set(a) - set(b), set(b) - set(a)
    return not any(pair & only_a and pair & only_b for pair in _PAIRS)


@cache
def _bigrams(text: str) -> frozenset[str]:
    return frozenset(text[place : place + 2] for place in range(len(text) - 1))


# --- columns ----------------------------------------------------------------------------------------


def _columns(definitions: Definitions, marts: Marts) -> Iterator[Contradiction]:
    """Columns of one name in two measured marts that are in another unit, currency or tax basis."""
    measured = sorted({model.table for model in definitions.models.values() if model.measures})
    meanings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for mart in measured:
        for column in marts.get(mart, {}).values():
            try:
                meanings[column.name][str(column_basis(column, mart))].append(mart)
            except Untypable:
                continue
    for name, bases in meanings.items():
        for (one, first), (other, second) in combinations(sorted(bases.items()), 2):
            yield Contradiction(
                "same_column", f"{first[0]}.{name}", f"{second[0]}.{name}", one, other,
                "同名的列，单位、币种或税不同", "columns of one name in different units, currencies or tax bases",
            )  # fmt: skip


# --- the same values --------------------------------------------------------------------------------


def same_values(con: duckdb.DuckDBPyConnection, definitions: Definitions) -> list[Contradiction]:
    """Metrics of one unit whose numbers are equal in every period and member both are stored for, and not all zero.

    Args:
        con: The warehouse with `metrics.metric_values` filled.
    """
    signatures: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for name, dims, cells, mark in con.execute(
        """
        select metric_name, dim_set, count(*), bit_xor(hash(time_grain, period_start, dims, value))
        from metrics.metric_values where value <> 0 group by metric_name, dim_set
        """
    ).fetchall():
        signatures[name][dims] = (cells, mark)
    found = []
    for one, other in combinations(sorted(signatures), 2):
        first, second = definitions.metric(one), definitions.metric(other)
        shared = _stored(first) & _stored(second)
        a, b = signatures[one], signatures[other]
        cells = sum(a.get(dims, (0, 0))[0] for dims in shared)
        if first.meta.unit != second.meta.unit or cells < LEAST_CELLS:
            continue
        if all(a.get(dims) == b.get(dims) for dims in shared):
            said = f"在现有数据上数值处处相同（{cells} 格）", f"same values on this data ({cells} cells)"
            found.append(Contradiction("same_values", one, other, first.label, second.label, *said))
    return found


def _stored(metric: Metric) -> set[str]:
    declared = {",".join(sorted(names)) or "all" for names in metric.meta.by}
    return declared | (set() if metric.meta.requires_by else {"all"})


def fill(con: duckdb.DuckDBPyConnection, definitions: Definitions, marts: Marts) -> None:
    """Write `metrics.contradiction`: every finding, and how far the two lie apart in the last closed year."""
    found = contradictions(definitions, marts)
    told = {(item.one, item.other) for item in found if item.kind == "same_logic"}
    found += [item for item in same_values(con, definitions) if (item.one, item.other) not in told]
    if not found:
        return
    lines = ",\n".join(f"({', '.join(literal(text) for text in item.row)})" for item in found)
    con.execute(
        f"""
        insert into metrics.contradiction
        with
            found(kind, one, other, word_one, word_other, said_zh, said_en) as (values {lines}),
            days as (select max(period_start) as last_day from metrics.metric_values where time_grain = 'day'),
            years as (
                select
                    coalesce(
                        max(period_start) filter (period_start + interval 1 year <= last_day + interval 1 day),
                        max(period_start)
                    ) as year
                from metrics.metric_values, days
                where time_grain = 'year' and dim_set = 'all'
            ),
            yearly as (
                select metric_name, period_start as year, value, unit
                from metrics.metric_values
                join years on period_start = year
                where time_grain = 'year' and dim_set = 'all'
            )
        select
            found.*, one_year.year, one_year.value, other_year.value,
            case when one_year.unit = other_year.unit then other_year.value - one_year.value end
        from found
        left join yearly as one_year on found.one = one_year.metric_name
        left join yearly as other_year on found.other = other_year.metric_name and other_year.year = one_year.year
        """
    )
