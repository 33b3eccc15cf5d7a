"""The dictionary: one static page that says what every word means, to whom, and where words contradict each other.

Written beside the board at each publish, in the same style and under the same rules: one file, nothing from outside,
no script but its own. Without the script every entry is there; the script only searches.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import relations
from tieout.metrics.definitions import parse
from tieout.metrics.dictionary import english_name
from tieout.pages import words
from tieout.pages.board import asset, digest, environment
from tieout.pages.words import Both, Clock

if TYPE_CHECKING:
    import duckdb

_NEEDED = {
    "metrics.metric_catalog",
    "metrics.metric_word",
    "metrics.contradiction",
    "metrics.semantic_manifest",
}
ADDITIVITY = {
    "additive": Both("可加", "additive"),
    "semi_additive": Both("跨期不可加", "not over time"),
    "non_additive": Both("不可加", "not additive"),
}
# The kinds of contradiction, in the order people should settle them.
KINDS = {
    "same_name": Both("一名两义：同一个名字定义了两次", "one name, two definitions"),
    "same_logic": Both("一义两名：算法相同，名字不同", "one logic, two names"),
    "same_values": Both("数值处处相同", "the same values on this data"),
    "same_word": Both("同一个词，各部门意思不同", "one word, several meanings"),
    "near_word": Both("相近的词，意思不同", "words nearly the same"),
    "same_column": Both("同名的列，单位、币种或税不同", "columns of one name, in different units"),
}


@dataclass(frozen=True)
class Clash:
    """One contradiction, and how far the two lie apart in the last closed year."""

    kind: str
    one: str
    other: str
    word_one: str
    word_other: str
    said: Both
    year: date | None
    value_one: Decimal | None
    value_other: Decimal | None
    difference: Decimal | None


@dataclass(frozen=True)
class Entry:
    """One metric."""

    name: str
    label: str
    english: str
    definition: Both
    owner: str
    agreed_by: str
    agreed_on: str
    unit: str
    currency: str
    tax: str
    time_role: str
    additivity: str
    formula: str
    dimensions: tuple[str, ...]
    requires_by: tuple[str, ...]
    replaces: tuple[str, ...]
    filters: tuple[Both, ...]
    exclusions: tuple[Both, ...]
    examples: tuple[Both, ...]
    mixed: Both | None
    version: str
    clashes: tuple[Clash, ...] = field(default=())

    @property
    def search(self) -> str:
        """What the search looks at, in lower case."""
        return " ".join(
            (self.label, self.english, self.name, *self.replaces, *self.definition, self.owner)
        ).casefold()


@dataclass(frozen=True)
class Dictionary:
    """Everything the page shows."""

    entries: tuple[Entry, ...]
    clashes: tuple[Clash, ...]
    # word -> who says it -> (metric, label)
    spoken: tuple[tuple[str, str, str, str], ...]


def write_dictionary(
    con: duckdb.DuckDBPyConnection, folder: Path, sources: Mapping[str, Source], now: datetime
) -> Path:
    """Write `<folder>/dictionary.html` in one piece.

    Args:
        con: The warehouse; read-only is enough. Before the first refresh the page says that nothing is defined.
        sources: Contracts; their time zone is the page's.
        now: Aware; printed on the page.

    Returns: the file.
    """
    book = read_dictionary(con)
    style, script = asset("board.css") + asset("dictionary.css"), asset("dictionary.js")
    text = (
        environment()
        .get_template("dictionary.html.jinja")
        .render(
            book=book,
            labels={entry.name: entry.label for entry in book.entries},
            units={entry.name: entry.unit for entry in book.entries},
            groups=[
                (kind, same)
                for kind in KINDS
                if (same := [item for item in book.clashes if item.kind == kind])
            ],
            words=words,
            additivity=ADDITIVITY,
            kinds=KINDS,
            style=style,
            script=script,
            policy=f"default-src 'none'; img-src data:; style-src {digest(style)}; script-src {digest(script)}",
            now=now,
            clock=Clock({source.timezone for source in sources.values()}),
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / "dictionary.html", folder / f".dictionary.html.{os.getpid()}"
    try:
        part.write_text(text, "utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def read_dictionary(con: duckdb.DuckDBPyConnection) -> Dictionary:
    """The dictionary of a warehouse; empty if there is no metrics layer yet."""
    if not relations(con) >= _NEEDED:
        return Dictionary((), (), ())
    clashes = tuple(
        Clash(kind, one, other, word_one, word_other, Both(zh, en), *numbers)
        for kind, one, other, word_one, word_other, zh, en, *numbers in con.execute(
            "select kind, one, other, word_one, word_other, said_zh, said_en, year, value_one, value_other, difference"
            " from metrics.contradiction order by word_one, one, other"
        ).fetchall()
    )
    rank = list(KINDS)
    clashes = tuple(sorted(clashes, key=lambda item: rank.index(item.kind)))
    versions = dict(
        con.execute("select metric_name, definition_version from metrics.metric_catalog").fetchall()
    )
    formulas = dict(con.execute("select metric_name, formula from metrics.metric_catalog").fetchall())
    (content,) = con.execute("select content from metrics.semantic_manifest").fetchall()[0]
    definitions = parse(str(content))
    entries = []
    for metric in sorted(definitions.metrics.values(), key=lambda item: (item.meta.owner, item.name)):
        meta = metric.meta
        entries.append(
            Entry(
                metric.name, metric.label, english_name(metric), Both(*metric.descriptions), meta.owner,
                ",".join(meta.agreed_by), meta.agreed_on or "", meta.unit, meta.currency, meta.tax,
                ",".join(meta.time_role), meta.additivity, formulas[metric.name],
                tuple(definitions.dimensions(metric.name)), meta.requires_by, meta.replaces,
                _said(getattr(meta, "filters", ())), _said(getattr(meta, "exclusions", ())),
                _said(getattr(meta, "examples", ())), next(iter(_said(meta.mixed or ())), None),
                versions[metric.name],
                tuple(item for item in clashes if metric.name in (item.one, item.other)),
            )
        )  # fmt: skip
    spoken = con.execute(
        "select word, department, metric_name, label from metrics.metric_word"
        " join metrics.metric_catalog using (metric_name) where metric_word.kind <> 'english'"
        " order by language desc, word, metric_name"
    ).fetchall()
    return Dictionary(
        tuple(entries), clashes, tuple((str(a), str(b or ""), str(c), str(d)) for a, b, c, d in spoken)
    )


def _said(texts: str | tuple[str, ...]) -> tuple[Both, ...]:
    """Texts written as `中文 / English`."""
    return tuple(words.said(text) for text in ((texts,) if isinstance(texts, str) else texts) if text)
