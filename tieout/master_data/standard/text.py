"""One script, one width: the same characters for the same writing, before anything is compared.

Full width becomes half width (NFKC), traditional Chinese becomes simplified (script only: 軟體 becomes 软体, never 软件),
the many brackets, dashes and quotes become one of each, blanks become one space. Applying it twice changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SAME = str.maketrans(
    {
        **dict.fromkeys("【〔［｛〖「『[{《〈", "("), **dict.fromkeys("】〕］｝〗」』]}》〉", ")"),
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"), **dict.fromkeys("’‘‛`´′", "'"), **dict.fromkeys("“”„″", '"'),
        **dict.fromkeys("·・•‧∙", "·"), "、": ",", "，": ",", "。": ".", "；": ";", "：": ":",
    }
)  # fmt: skip
_INVISIBLE = re.compile(
    r"[\u0000-\u0008\u000e-\u001f\u007f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
)
_BLANKS = re.compile(r"\s+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_NOTHING_WORDS = (
    "无 没有 暂无 未知 不详 空 待定 待补 待补充 未填 未填写 测试 测试用 测试客户 测试供应商 test testing na n/a n.a. none null nil unknown tbd x xx xxx - -- "
    "--- . .. ... / \\ ? ?? ??? * ** *** 0 00 000 1 11 111 123 1234 12345 123456 同上 见附件 其他 其它 默认"
)
_NOTHING = frozenset(_NOTHING_WORDS.split())


def plain(value: str | None) -> str | None:
    """`value` in one script and one width, or None if nothing is left of it."""
    if value is None:
        return None
    return _plain(value) or None


@lru_cache(maxsize=200_000)
def _plain(value: str) -> str:
    if value.isascii():
        return _BLANKS.sub(" ", _INVISIBLE.sub("", value.translate(_SAME))).strip()
    for _ in range(4):  # a change of script may make room for another one
        before = value
        value = unicodedata.normalize("NFKC", _INVISIBLE.sub("", value).translate(_SAME)).translate(_SAME)
        if _HAN.search(value):
            value = _simplified(value)
        value = _BLANKS.sub(" ", value).strip()
        if value == before:
            break
    return value


def _simplified(value: str) -> str:
    from zhconv_rs import zhconv

    return zhconv(value, "zh-hans")


def folded(value: str | None) -> str | None:
    """As `plain`, in lower case and without accents: Malmö → malmo, STRASSE = Straße."""
    text = plain(value)
    if text is None or text.isascii():
        return text and text.casefold()
    for _ in range(4):  # as in `plain`
        before = text
        bare = unicodedata.normalize("NFKD", text.casefold())
        text = _plain("".join(char for char in bare if not unicodedata.combining(char)))
        if text == before:
            break
    return text or None


def has_han(value: str) -> bool:
    """Does it hold at least one Chinese character?"""
    return _HAN.search(value) is not None


def says_nothing(value: str | None, *, number: bool = False) -> bool:
    """Is it empty or what people type where they know nothing: 无, 测试, N/A, 000, ----?

    `number`: where numbers are meant, 1 and 123 say something.
    """
    text = folded(value)
    if text is None:
        return True
    if number and any(char in "123456789" for char in text):
        return False
    return text.replace(" ", "") in _NOTHING or (len(set(text)) == 1 and not has_han(text) and len(text) > 1)
