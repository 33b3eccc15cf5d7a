"""The draft as YAML a person reads and edits: one line a column, remarks beside it, the same every time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from tieout.ingest.drafting.catalogue import Look, Table
from tieout.ingest.drafting.classes import is_money, sensitivity
from tieout.ingest.drafting.judge import column_type, cursor_of, key_of
from tieout.ingest.drafting.names import identifiers

# Text that YAML reads as text without quotes, in a flow mapping too, and never as a number, date or boolean.
_PLAIN = re.compile(r"^[A-Za-z\u4e00-\u9fff](?:[\w .()/\u3000-\u9fff-]*[\w)\u4e00-\u9fff])?$")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"}
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_TITLE = 80  # characters of a comment that still are a title


def scalar(text: str) -> str:
    """A YAML scalar that reads back as `text`."""
    if _PLAIN.match(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # YAML takes these for line ends or refuses them, JSON does not.
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", quoted
    )


def remark(text: str | None) -> str:
    """A comment at the end of a line; what YAML would not print is left out."""
    if not text:
        return ""
    return "  # " + " ".join("".join(char if char.isprintable() else " " for char in text).split())


def title(name: str, comment: str | None, zh: str | None = None, en: str | None = None) -> str:
    """`{zh: …, en: …}` from the database's comment, else from the name."""
    said = " ".join((comment or "").split())[:_TITLE].strip()
    readable = " ".join(re.split(r"[_\W]+", name)).strip() or name
    readable = readable[0].upper() + readable[1:]
    if said and _CHINESE.search(said):
        zh, en = zh or said, en or (readable if not _CHINESE.search(name) else said)
    return f"{{zh: {scalar(zh or said or readable)}, en: {scalar(en or said or readable)}}}"


def streams(connector: str, tables: Iterable[tuple[Table, Look]]) -> list[str]:
    """The lines below `streams:`."""
    every = list(tables)
    ids = identifiers(table.origin for table, _ in every)
    lines = []
    for table, look in every:
        lines += ["", *_stream(connector, ids[table.origin], table, look)]
    return lines[1:]


def _stream(connector: str, name: str, table: Table, look: Look) -> list[str]:
    ids = identifiers(item.name for item in table.fields)
    kinds = {item.name: column_type(connector, item, look.columns[item.name]) for item in table.fields}
    key, why_key = key_of(table, look)
    cursor = cursor_of(table, look, {column: kind for column, (kind, _) in kinds.items()})
    sums = [
        ids[column]
        for column, (kind, _) in kinds.items()
        if kind.startswith("decimal") and is_money(column) and not look.columns[column].special
    ]
    said = "one row per " + " and ".join(ids[column] for column in key)
    totals = f", sums: [{', '.join(map(scalar, sums))}]" if sums else ""
    control = f"{{kind: query, rows: true{totals}}}"
    lines = [
        f"  {scalar(name)}:",
        f"    title: {title(table.name, table.comment)}",
        f"    grain: {scalar(said if len(key) <= 4 else 'one row per distinct row')}",
        f"    from: {scalar(table.origin)}",
        f"    key: [{', '.join(scalar(ids[column]) for column in key)}]{remark(why_key)}",
        f"    load: full{remark(cursor and f'or incremental: {cursor}, deletes: keys')}",
        *(["    allow_empty: at_first"] if look.rows == 0 else []),
        f"    control: {control}",
        "    columns:",
    ]
    for item in table.fields:
        kind, why_type = kinds[item.name]
        own = ids[item.name]
        level, why_level = sensitivity(table, item, look.texts.get(item.name, ()))
        parts = [f"from: {scalar(item.name)}"] if own != item.name else []
        parts.append(f"type: {json.dumps(kind) if '(' in kind else kind}")
        if not item.nullable or item.name in key:
            parts.append("required: true")
        if level:
            parts.append(f"class: {level}")
        if item.comment or own != item.name:
            parts.append(f"title: {title(item.name, item.comment)}")
        why = "; ".join(part for part in (why_type, why_level) if part)
        lines.append(f"      {scalar(own)}: {{{', '.join(parts)}}}{remark(why)}")
    return lines
