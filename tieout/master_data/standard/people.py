"""People: names, employee numbers, addresses of mail."""

from __future__ import annotations

import re

from tieout.master_data.standard.text import folded, has_han, plain, says_nothing

_NOTE = re.compile(r"\([^()]*\)")
_TITLE = re.compile(r"^(.{1,2})(?:先生|女士|小姐|总|经理|老师|工|师傅|老板|主任|会计|主管|厂长|哥|姐)$")
_FAMILIES_OF_TWO = "欧阳 上官 司马 诸葛 夏侯 皇甫 尉迟 公孙 慕容 司徒 令狐 东方 南宫 西门"
_HONORIFIC = re.compile(r"(?:先生|女士|小姐|经理|老师|师傅|主任|会计|主管|厂长)$")
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[a-z]{2,}")


def person_name(text: str | None) -> str | None:
    """A name to compare: 王 磊（采购）→ 王磊, "Weber, Karl" = "karl weber"; None for 王先生, 无 and what is no name."""
    said = plain(text)
    if said is None or says_nothing(said):
        return None
    said = _NOTE.sub("", said).strip()
    if has_han(said):
        name = re.sub(r"[\W_]", "", said)
        titled = _TITLE.match(name)
        if titled and (len(titled[1]) == 1 or titled[1] in _FAMILIES_OF_TWO.split()):
            return None
        name = _HONORIFIC.sub("", name)
        return name.casefold() if len(name) >= 2 and not says_nothing(name) else None
    words = re.findall(r"[^\W_]+", folded(said) or "")
    name = " ".join(sorted(words))
    return name if sum(map(len, words)) >= 3 and not says_nothing(name) else None


def masked_name(name: str) -> str:
    """王磊 → 王*, karl weber → k*** w***: enough to recognise."""
    if has_han(name):
        return name[:1] + "*" * (len(name) - 1)
    return " ".join(f"{word[:1]}***" for word in name.split())


def employee_no(text: str | None) -> str | None:
    """A personnel number: upper case, no blanks or dashes, the zeros in front of a plain number left out."""
    number = re.sub(r"[\W_]", "", (folded(text) or "").upper())
    if says_nothing(number, number=True):
        return None
    return number.lstrip("0") if number.isdigit() else number


def email(text: str | None) -> str | None:
    """The one address in `text`, lower case; None if there is none or several."""
    found = set(_MAIL.findall(folded(text) or ""))
    return found.pop() if len(found) == 1 else None
