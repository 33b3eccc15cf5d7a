"""Which encoding a text is in, where nobody says: strict decoding, then which characters come out."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LIKELY = ("gb18030", "big5", "cp932", "cp1252")
_LOOKED_AT = 256 * 1024


def encoding_of(head: bytes) -> tuple[str, float]:
    """The likeliest encoding of a text's beginning (bytes that may end inside a character), and how likely."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, 1.0
    if b"\0" in head[:1000]:
        return ("utf-16-le" if head[1:2] == b"\0" else "utf-16-be"), 0.9
    head = head[:_LOOKED_AT]
    if _decoded(head, "utf-8") is not None:
        return "utf-8", 1.0
    scores = []
    for name in _LIKELY:
        text = _decoded(head, name)
        if text is not None:
            scores.append((_everyday(text, name), -_LIKELY.index(name), name))
    if not scores:
        return "latin-1", 0.2
    score, _, name = max(scores)
    return name, round(min(score, 0.95), 2)


def _decoded(head: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeError:
        return None


def _everyday(text: str, name: str) -> float:
    """Share of the characters beyond ASCII that people use every day in texts of this encoding."""
    beyond = [char for char in text if not char.isascii()]
    if not beyond:
        return 0.0
    return sum(1 for char in beyond if _is_everyday(char, name)) / len(beyond)


def _is_everyday(char: str, name: str) -> bool:
    if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff5e":
        return True  # punctuation and full-width forms
    if name == "cp932":
        return "\u3040" <= char <= "\u30ff"
    if name == "cp1252":
        return char.isalpha() and char.lower() in "àáâãäåæçèéêëìíîïñòóôõöøùúûüýßœ"
    raw = char.encode(name, "replace")
    if len(raw) != 2:
        return False
    return 0xB0 <= raw[0] <= 0xD7 and raw[1] >= 0xA1 if name == "gb18030" else 0xA4 <= raw[0] <= 0xC6
