"""Keeps what is above class L2 off the pages: whoever opens the file has not been asked who they are.

Two nets. Where a text came out of a known column, the column's class in the contract decides. Where it did not
(the group of an identity, a document number), its words are looked up among the values of every column above L2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb

WITHHELD = "•••"
SHOWN = {"L1", "L2"}
SEPARATOR = " | "  # between the parts of an identity's group

# 'E001 张三' and 'E001张三' both hold the name; a run of Chinese characters is one word, one of anything else another.
_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")
_MOST_WORDS = 4  # a personal value of more words than that is looked for only as the whole text


class Personal:
    """The values among some texts that may not be shown, and how those texts read without them."""

    def __init__(self, values: frozenset[str]) -> None:
        self.values = values

    def hide(self, text: str) -> str:
        """The text with its personal pieces, longest first, replaced by dots."""
        for piece in sorted(self.values & pieces(text), key=len, reverse=True):
            text = text.replace(piece, WITHHELD)
        return text

    def group(self, key: str, name: str) -> str:
        """A group's readable name; where nothing of a part may be shown, its key stands in if that may."""
        keys, names = key.split(SEPARATOR), name.split(SEPARATOR)
        if len(keys) != len(names):  # a name holds the separator: its parts cannot be told apart
            return self.hide(name)
        shown = []
        for part, text in zip(keys, names, strict=True):
            hidden = self.hide(text)
            stands_in = hidden == WITHHELD and text != part and self.hide(part) == part
            shown.append(f"{WITHHELD} ({_brief(part)})" if stands_in else hidden)
        return SEPARATOR.join(shown)

    def evidence(self, source_row: str) -> str:
        """`source/stream/record`, without a personal record."""
        *place, record = source_row.split("/", 2)
        return "/".join([*place, self.hide(record)])


def personal(
    con: duckdb.DuckDBPyConnection,
    sources: Mapping[str, Source],
    relations: set[str],
    texts: Iterable[str],
) -> Personal:
    """What may not be shown of `texts`: a semi-join a column, so it stays cheap on big tables.

    Args:
        relations: Tables that exist, as `schema.name`; streams never loaded hold nothing.
        texts: Whatever came out of rows. A Chinese name inside a longer run of Chinese characters is not found.
    """
    asked = sorted(set().union(*map(pieces, set(texts))))
    columns = [
        (f"{quoted(source.raw_schema)}.{quoted(name)}", quoted(column))
        for source in sources.values()
        for name, stream in source.streams.items()
        if f"{source.raw_schema}.{name}" in relations
        for column in stream.columns
        if source.class_of(name, column) not in SHOWN
    ]
    if not asked or not columns:
        return Personal(frozenset())
    held = " union all ".join(f"select cast({column} as text) from {table}" for table, column in columns)
    listed = ", ".join(map(literal, asked))
    rows = con.execute(f"select * from (select unnest([{listed}])) as given(asked) where asked in ({held})")
    return Personal(frozenset(text for (text,) in rows.fetchall()))


def pieces(text: str) -> set[str]:
    """A text and every run of up to four of its words, as written."""
    words = list(_WORD.finditer(text))
    runs = {
        text[first.start() : last.end()]
        for place, first in enumerate(words)
        for last in words[place : place + _MOST_WORDS]
    }
    return {run for run in runs | {text} if len(run) > 1}


def reason_shown(sources: Mapping[str, Source], source: str, stream: str, rule: str, reason: str) -> str:
    """Why a row is in quarantine, without the value it quotes if the stream holds anything above L2.

    The column alone does not decide: where columns have shifted, a telephone number stands under `city`.
    """
    if rule == "duplicate":  # quotes nothing
        return reason
    contract = sources.get(source)
    promised = contract.streams.get(stream) if contract else None
    if contract is not None and promised is not None:
        if all(contract.class_of(stream, column) in SHOWN for column in promised.columns):
            return reason
        column = reason.partition(" = ")[0]
        if column in promised.columns:
            return f"{column} = {WITHHELD}"
    return WITHHELD


def key_is_shown(sources: Mapping[str, Source], source: str, stream: str) -> bool:
    """Whether every key column of a stream is L2 or below."""
    contract = sources.get(source)
    promised = contract.streams.get(stream) if contract else None
    return (
        contract is not None
        and promised is not None
        and all(contract.class_of(stream, column) in SHOWN for column in promised.key)
    )


def _brief(key: str) -> str:
    """Minted keys are 32 hexadecimal digits; eight tell them apart on a page."""
    return key[:8] if len(key) == 32 and key.isalnum() else key
