"""ASCII identifiers for any name: the same name always gives the same identifier, two names never one.

Chinese is shortened to the first letters of its pinyin (客户名称 becomes khmc), which is how Chinese systems
abbreviate names themselves; the original stays in the contract's `from`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

# GB 2312 orders its 3,755 everyday characters by pinyin, so the code alone tells the first letter.
_FIRST_CODES = (
    45217, 45253, 45761, 46318, 46826, 47010, 47297, 47614, 48119, 49062, 49324, 49896,
    50371, 50614, 50622, 50906, 51387, 51446, 52218, 52698, 52980, 53689, 54481,
)  # fmt: skip
_LETTERS = "abcdefghjklmnopqrstwxyz"
_LAST_CODE = 55289
_LONGEST = 63  # of a PostgreSQL identifier: raw names reach the SQL door
_TAKEN = frozenset({"rowid", "replaced"})  # a column called so would hide what the loader finds rows by
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Every name with its identifier; names that would share one get a tail made of the name itself.

    A name that is its identifier already keeps it, so adding `客户码` beside `khm` changes only the newcomer.
    """
    every = list(dict.fromkeys(names))
    wanted = {name: identifier(name) for name in every}
    times = Counter(wanted.values())
    found = {
        name: own if times[own] == 1 or name == own else _with_tail(own, name) for name, own in wanted.items()
    }
    if len(set(found.values())) < len(every):  # a tail that collides takes a hash of its own making
        found = {name: _with_tail(wanted[name], name, 16) for name in every}
    return found


def identifier(name: str) -> str:
    """A lower-case ASCII identifier: `sale_line-account_tax` becomes sale_line_account_tax, `OrderID` order_id.

    Characters without a reading (rare Chinese ones, other scripts) are told apart by a tail. Two underscores
    become one: `<stream>__history` is the loader's own table.
    """
    whole = True
    letters = []
    for char in unicodedata.normalize("NFKD", name):
        if char.isascii():
            letters.append(char)
        elif unicodedata.combining(char):
            continue
        elif initial := _initial(char):
            letters.append(initial)
        else:
            letters.append("_")
            whole = whole and not char.isalnum()
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", "".join(letters)).lower()
    text = re.sub(r"[^a-z0-9]+", "_", text).strip("_")
    if not text or text[0].isdigit():
        text = f"x_{text}" if text else "x"
    if not whole or len(text) > _LONGEST or text in _TAKEN:
        text = _with_tail(text, name)
    assert _IDENTIFIER.fullmatch(text)
    return text


def _with_tail(text: str, name: str, digits: int = 6) -> str:
    tail = hashlib.sha256(name.encode()).hexdigest()[:digits]
    return f"{text[: _LONGEST - digits - 1].rstrip('_')}_{tail}"


def _initial(char: str) -> str | None:
    """First letter of a Chinese character's pinyin, if it is an everyday one."""
    try:
        code = int.from_bytes(char.encode("gb2312"), "big")
    except UnicodeEncodeError:
        return None
    if not _FIRST_CODES[0] <= code <= _LAST_CODE:
        return None
    return _LETTERS[bisect_right(_FIRST_CODES, code) - 1]
