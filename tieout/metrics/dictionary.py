"""Which word means which metric: the words departments say, the labels and the English names, in both languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tieout.metrics.definitions import Definitions, Metric
from tieout.metrics.errors import MetricError, unknown

if TYPE_CHECKING:
    import duckdb

_CHINESE = re.compile(r"[\u3400-\u9fff]")
# 销售额（财务部）: the word, and who says it.
_SAID_BY = re.compile(r"^(?P<base>.+?)\s*[（(](?P<who>[^（()）]*(?:部|部门|组|中心|仓库|公司|科))[）)]$")


@dataclass(frozen=True)
class Word:
    """One word for one metric; a word that several departments say has a line for each of its meanings."""

    word: str
    language: str  # zh | en
    department: str  # as it stands in brackets behind the word; empty where nobody said
    metric: str
    kind: str  # label | replaces | english

    @property
    def row(self) -> tuple[str, ...]:
        return (self.word, self.language, self.department, self.metric, self.kind)

    @property
    def base(self) -> str:
        """The word without the department in brackets."""
        return base_of(self.word)


def words(definitions: Definitions) -> list[Word]:
    """Every word of every metric, by metric; a word that is said twice of one metric has one line of each kind."""
    found: list[Word] = []
    for metric in sorted(definitions.metrics.values(), key=lambda item: item.name):
        found.append(_word(metric.label, metric, "label"))
        found.append(_word(english_name(metric), metric, "english"))
        found += [_word(text, metric, "replaces") for text in metric.meta.replaces]
    return list(dict.fromkeys(found))


def english_name(metric: Metric) -> str:
    """The English name: what the definition gives, else the identifier in words."""
    return getattr(metric.meta, "label_en", None) or metric.name.replace("_", " ")


def base_of(word: str) -> str:
    match = _SAID_BY.match(word)
    return match["base"] if match else word


def said_by(word: str) -> str:
    match = _SAID_BY.match(word)
    return match["who"] if match else ""


def _word(text: str, metric: Metric, kind: str) -> Word:
    return Word(text, "zh" if _CHINESE.search(text) else "en", said_by(text), metric.name, kind)


# --- looked up --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meaning:
    """One meaning of a word: the metric, in the words of the catalogue."""

    word: str
    department: str
    metric: str
    label: str
    owner: str
    description_zh: str
    description_en: str
    unit: str
    tax: str
    time_role: str
    formula: str


def look_up(con: duckdb.DuckDBPyConnection, word: str) -> list[Meaning]:
    """Every meaning of a word: itself, the same word of each department, or the words that hold it.

    Raises: UnknownName with the nearest words; MetricError if the file holds no dictionary.
    """
    import duckdb

    try:
        rows = con.execute(
            "select word, department, metric_name, label, owner, description_zh, description_en, unit, tax, time_role,"
            " formula from metrics.metric_word join metrics.metric_catalog using (metric_name)"
            " order by metric_name, metric_word.kind, word"
        ).fetchall()
    except duckdb.CatalogException as error:
        raise MetricError("there is no dictionary in this file yet. Run `tieout refresh`.") from error
    known = [Meaning(*(str(item or "") for item in row)) for row in rows]
    if "\0" in word or not word.strip():
        raise unknown("word", word, (item.word for item in known))
    asked = _plain(word)
    for fits in (
        lambda item: asked in {_plain(item.word), _plain(base_of(item.word)), item.metric},
        lambda item: asked in _plain(item.word),
    ):
        found = {item.metric: item for item in reversed([item for item in known if fits(item)])}
        if found:
            return list(found.values())[::-1]
    raise unknown("word", word, {item.word for item in known})


def _plain(word: str) -> str:
    """A word as people type it: case, blanks and the width of brackets do not matter."""
    return re.sub(r"\s+", "", word).casefold().replace("(", "（").replace(")", "）")
