"""Names, specifications and units of products, as one writes Φ30 and another φ３０."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tieout.master_data.standard.text import folded, plain, says_nothing

_DIAMETER = str.maketrans(dict.fromkeys("ΦφØø⌀∅ϕ", "φ"))
_TIMES = re.compile(r"(?<=[\d)a-z])\s*[×*✕xX╳]\s*(?=[\d(])")
_WORDS = (
    ("毫米", "mm"), ("厘米", "cm"), ("公分", "cm"), ("千瓦", "kw"), ("瓦", "w"), ("伏", "v"), ("安培", "a"), ("公斤", "kg"), ("千克", "kg"),
    ("毫升", "ml"), ("立方", "m3"), ("平方", "m2"), ("直径", "φ"),
)  # fmt: skip
_MODEL = re.compile(r"φ?[0-9a-z]+(?:[-./:][0-9a-z]+)*#?", re.ASCII)
_DIMENSIONS = {
    "count": "个 只 件 台 支 块 套 片 根 条 张 把 颗 粒 枚 副 对 双 部 辆 组 本 pc pcs pce st ea each set sets unit units u stk piece pieces nr",
    "mass": "kg 公斤 千克 g 克 吨 t mg 毫克 斤 两 kilogram gram lb lbs",
    "length": "m 米 mm 毫米 cm 厘米 km 公里 千米 dm meter metre ft inch 英寸",
    "area": "m2 平方米 平米 平方 squaremeter",
    "volume": "l 升 ml 毫升 m3 立方米 方 立方 liter litre",
    "pack": "箱 盒 包 卷 桶 袋 瓶 捆 扎 托 罐 打 box ctn pack pk roll bag",
    "time": "小时 h hour 天 d day 工时 分钟 min 月 年",
}
_DIMENSION = {word: name for name, words in _DIMENSIONS.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class Product:
    """`base` is the name without the specification, `item` both without blanks; `models` the model codes, sorted."""

    base: str | None
    specification: str | None
    item: str | None
    models: tuple[str, ...]


@lru_cache(maxsize=200_000)
def product(name: str | None, specification: str | None = None) -> Product:
    """A product by its name and specification; a specification repeated in the name counts once.

    精密滑台 + 行程300, 精密滑台行程300 + 行程３００ and 精密滑台 行程300 alone have the same `item`.
    """
    words, spec = writing(name), writing(specification)
    tight = _tight(words)
    tail = _tight(spec)
    base = tight
    if tight and tail and tight != tail:
        base = tight.removesuffix(tail)
        if base == tight and tail in tight and len(tail) >= 3:
            base = tight.replace(tail, "", 1)
    base = base.strip("-_/,.;:()") if base else None
    item = f"{base or ''}{tail or ''}" or None
    models = sorted(set(model_codes(" ".join(part for part in (words, spec) if part))))
    return Product(base or None, tail, item, tuple(models))


def writing(text: str | None) -> str | None:
    """One way to write names and specifications: ASCII letters in lower case, Φ⌀ → φ, × * → x, 45号 → 45#, 2.0 → 2."""
    said = plain(text) or ""
    for _ in range(6):  # what one rule writes may be for another to read
        before = said
        said = (plain(said.translate(_DIAMETER).casefold()) or "").translate(_DIAMETER)
        for word, sign in _WORDS:
            said = said.replace(word, sign)
        said = _TIMES.sub("x", said)
        said = re.sub(r"(?<=\d)号(?!\w*[路线楼])", "#", said)
        # 2.0mm and 2mm are one size; V3.0 and 1.10.0 are versions.
        said = re.sub(r"(?<![\w.])(\d+)\.0+(?![\d.])", r"\1", said)
        if said == before:
            break
    return None if not said or (says_nothing(said) and not re.search(r"\d", said)) else said


def model_codes(text: str | None) -> list[str]:
    """What in a text is a model: letters and digits together, or figures with a sign between them (6204-2rs, m8x30)."""
    found = []
    for code in _MODEL.findall(writing(text) or ""):
        letters, digits = any(char.isalpha() for char in code), sum(char.isdigit() for char in code)
        if digits and len(code) >= 3 and (letters or re.search(r"\d[-/:]\d|#$", code)):
            found.append(code)
    return found


def code(text: str | None) -> str | None:
    """A code of an item: upper case, letters and digits only; None for what says nothing."""
    said = re.sub(r"[^0-9A-Z\u3400-\u9fff]", "", (folded(text) or "").upper())
    return None if says_nothing(said, number=True) else said


def dimension(unit: str | None) -> str | None:
    """What a unit counts or measures: count, mass, length, area, volume, pack or time; None if it is not known."""
    said = plain(unit)
    if said is None:
        return None
    word = re.sub(r"[\s.]|\(.*\)", "", said).casefold()
    return _DIMENSION.get(word)


def _tight(text: str | None) -> str | None:
    return re.sub(r"\s", "", text) or None if text else None
