"""The profile as people read it, Chinese and English side by side; no value of a person or a secret is in it."""

from __future__ import annotations

from collections.abc import Iterable
from unicodedata import east_asian_width

from tieout.ingest.profiling import Found, Profile
from tieout.ingest.profiling.fields import Profiled
from tieout.ingest.profiling.gathered import LARGEST, SAMPLE, Guess

_PAGING = {
    "total": "总数 total", "more": "还有 has more", "last": "末页 last page", "cursor": "游标 next token", "link": "下页 next link",
    "page": "页码 page", "size": "页长 size", "pages": "页数 pages", "offset": "偏移 offset", "code": "状态码 code",
    "success": "成否 success", "message": "信息 message",
}  # fmt: skip
_WIDEST = 44


def report(profile: Profile) -> str:
    """The whole report; every guess with its confidence (0 to 1) and reason."""
    lines = [
        "数据剖析 Profile: 均为推测，括号内为置信度 0–1 / everything is guessed, with its confidence 0 to 1.",
        f"每个对象最多看 {SAMPLE:,} 行、每个文件 {LARGEST // 2**20} MB / "
        f"at most {SAMPLE:,} rows of an object and {LARGEST // 2**20} MB of a file are looked at.",
    ]
    for item in profile.objects:
        lines += ["", *_object(item, profile)]
    if profile.notes:
        lines += ["", "说明 notes", *(f"  · {_printable(note)}" for note in profile.notes)]
    return "\n".join(lines) + "\n"


def _object(item: Found, profile: Profile) -> list[str]:
    one = item.one
    where = f" · {'.'.join(one.records)}" if one.records else ""
    inside = f" · 属于 inside {one.parent.label}" if one.parent else ""
    files = f" · 文件 files {len(one.files)}" if len(one.files) > 1 else ""
    part = "" if one.whole else " (样本 sample)"
    form = "".join(f" · {name} {value}" for name, value in one.form.items() if name != "kind")
    lines = [
        _printable(
            f"■ {one.label}: 行 rows {one.rows:,}{part} · {one.origin}{where}{inside}{files} · {one.kind}{form}"
        )
    ]
    lines += _listed("主键 key", (key.guess for key in item.keys[:3]), none="未找到 none found")
    pointing = [pointer.guess for pointer in profile.pointers if pointer.source is one]
    lines += _listed("外键 points at", pointing)
    lines += _listed("增量 cursor", item.cursors[:2])
    lines += [
        _printable(f"  {_wide(_PAGING[kind], 16)} {guess.what} ({guess.confidence}) {guess.reason}")
        for kind, (_, guess) in sorted(item.paging.items())
    ]
    lines += [_printable(f"  · {note}") for note in one.notes]
    names = [column.name for column in item.columns.values()]
    width = min(max((_width(name) for name in names), default=0), _WIDEST)
    lines.append(
        f"  {_wide('字段 field', width)}  {_wide('类型 type', 16)} {_wide('符合 fits', 10)}必填 required"
    )
    return lines + [_field(column, width) for column in item.columns.values()]


def _field(item: Profiled, width: int) -> str:
    kind = (
        item.type
        if item.best in {item.type, "JSON", "nothing"} or item.type != "text"
        else f"text ({item.best})"
    )
    filled = "✓" if item.required else f"{item.filled / item.rows:.0%}" if item.rows else "–"
    told = []
    if item.codes:
        shown = ", ".join(f"{value} {times:,}" for value, times in item.codes[:6])
        told.append(f"代码 codes {shown}{' …' if len(item.codes) > 6 else ''}")
    told += [
        f"{guess.what} ({guess.confidence}) {guess.reason}"
        for guess in item.guesses
        if guess.what != "code list"
    ]
    head = f"  {_wide(item.name, width)}  {_wide(kind, 16)} {_wide(f'{item.fits:.1%}', 10)}{_wide(filled, 6)}"
    return _printable(f"{head} {'; '.join(told)}").rstrip()


def _listed(words: str, guesses: Iterable[Guess], none: str | None = None) -> list[str]:
    lines = [
        _printable(f"  {_wide(words, 16)} {guess.what} ({guess.confidence}) {guess.reason}")
        for guess in guesses
    ]
    return lines or ([f"  {_wide(words, 16)} {none}"] if none else [])


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _wide(text: str, width: int) -> str:
    return text + " " * max(width - _width(text), 0)


def _printable(text: str) -> str:
    """Without what would steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
