"""What is wrong with the translations themselves: codes no list has, days that overlap. Read from the seeds, not the warehouse."""

from __future__ import annotations

from itertools import pairwise

from tieout.standards.conformance import CODE_MAP, STATUSES, Lists, standard_codes
from tieout.standards.dictionary import Dictionary, Translation

_ALWAYS, _FOR_EVER = "0001-01-01", "9999-12-31"


def mapping_faults(lists: Lists, dictionary: Dictionary) -> list[str]:
    """One sentence a fault; none means every translation leads to a standard code and no day has two.

    `source_statuses` is read against the elements with `statuses`, other translations against those that name them.
    """
    found: list[str] = []
    periods: dict[str, list[tuple[str, str]]] = {}

    def judge(name: str, means: str, known: set[str], what: str, days: tuple[str, str]) -> None:
        periods.setdefault(name, []).append((days[0] or _ALWAYS, days[1] or _FOR_EVER))
        if means not in known:
            found.append(f"{name}: {means!r} is no {what}")

    statuses: set[str] = set()
    standard: dict[str | Translation, set[str]] = {}
    for element in dictionary.elements.values():
        codes = element.codes
        if codes and codes.statuses:
            statuses |= set(codes.statuses)
        if codes and codes.map:
            standard[codes.map] = standard.get(codes.map, set()) | standard_codes(codes, lists)
    if statuses:
        for row in lists.rows(STATUSES):
            name = f"{STATUSES}.csv, {row['source_system']} {row['document_type']} {row['source_status']}"
            judge(name, row["status_code"], statuses, "standard status", (row["valid_from"], row["valid_to"]))
    for to, known in standard.items():
        where = f"{to.seed}.csv," if isinstance(to, Translation) else f"{CODE_MAP}.csv, {to}"
        what = f"code of {to.means if isinstance(to, Translation) else to}"
        for system, prints, means, first, last in lists.translations(to):
            judge(f"{where} {system} {prints}", means, known, what, (first, last))
    named = {to for to in standard if isinstance(to, str)}
    if named:
        found += [
            f"{CODE_MAP}.csv, {code_list}: no element has this list"
            for code_list in sorted({row["code_list"] for row in lists.rows(CODE_MAP)} - named)
        ]
    for name, days in periods.items():
        found += [
            f"{name}: valid_from {first} is after valid_to {last}" for first, last in days if first > last
        ]
        if any(later[0] <= earlier[1] for earlier, later in pairwise(sorted(days))):
            found.append(f"{name}: two translations are valid on the same day")
    return found
