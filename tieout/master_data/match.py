"""Which records look like the same: standardise, block, compare, judge.

`standardised` looks at all records, because whether a value says anything depends on how many share it; everything it
finds out about a record is in the record's row and in its hash. `edges` then looks at two rows at a time and at nothing
else. So a record whose hash has not changed keeps its edges, and comparing only what changed gives what comparing
everything would give, also when a telephone number becomes so common that it stops to count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from tieout.engine import connect, literal, quoted
from tieout.master_data.rules import SAME_AS, UNKNOWN, Comparison, Model, Rules, RulesError, Unique
from tieout.master_data.standard import people, phones
from tieout.master_data.standard.columns import STANDARDS, city_of, columns
from tieout.master_data.standard.names import CONVERTED_FORMS, LOOSE_FORMS
from tieout.master_data.standard.products import code
from tieout.master_data.standard.text import plain, says_nothing
from tieout.master_data.types import Edge

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MODEL = "model"
_FEW = 10_000
_SEPARATOR = "\x1f"
# Standards whose value is wrong, not only unknown, if nothing is left of it.
_MAY_BE_WRONG = frozenset({"company_name", "credit_code", "phones", "person_name", "employee_no", "email"})


def standardised(records: pa.Table, rules: Rules) -> pa.Table:
    """Bring every record into the form that is compared.

    Args:
        records: One row per record: `record_id`, `source_system` and the columns that `rules.fields` name (text; one that
            is missing counts as empty). `same_as`, if there, holds the ids of records that this is said to be (text or list).
        rules: Of the entity.

    Returns: one row per record by `record_id`: `record_hash`, `source_system`, the columns of `rules.columns`, one flag per
        `rules.unique`, `keys` (what it shares with the records it is compared with), `exclusive`. Values shared by more
        records than `rules.shared_by` allows are null; groups larger than a block allows have no key.
    """
    import pyarrow as pa

    made: dict[str, Any] = {
        "record_id": pa.array(records.column("record_id").to_pylist(), pa.string()),
        "source_system": pa.array(records.column("source_system").to_pylist(), pa.string()),
        SAME_AS: pa.array(_named(records), pa.list_(pa.string())),
    }
    for name, rule in rules.fields.items():
        standard = STANDARDS[rule.as_]
        given = list(zip(*(_texts(records, source) for source in rule.from_), strict=True))
        known = {values: standard.make(*values) for values in set(given)}
        for place, (part, column) in enumerate(zip(standard.parts, columns(name, rule.as_), strict=True)):
            kind = (
                pa.list_(pa.string())
                if part in standard.lists
                else pa.float64()
                if standard.numeric
                else pa.string()
            )
            made[column] = pa.array([known[values][place] for values in given], kind)
    if rules.references:
        made["reference"] = pa.array(_references(records, rules), pa.list_(pa.string()))
    table = pa.table(made)
    lists = frozenset(field.name for field in table.schema if pa.types.is_list(field.type))
    with _connection(len(table)) as con:
        con.register("given", table.append_column("n", pa.array(range(len(table)), pa.int32())))
        con.execute(f"create temp table std as {_without_shared(rules, lists)}")
        for place, item in enumerate(rules.unique):
            con.execute(f"create temp table flag_{place} as {_flag(item, rules, lists)}")
        con.execute(f"create temp table keyed as {_keys(rules, lists)}")
        return con.execute(_hashed(rules, table.column_names, lists)).to_arrow_table()


def edges(std: pa.Table, rules: Rules, changed: Collection[str] | None = None) -> list[Edge]:
    """Pairs of records that may be the same, at or above `rules.review`.

    Args:
        std: What `standardised` gave for all records.
        rules: Of the entity.
        changed: Ids; only pairs with at least one of them. None means all pairs.

    Returns: by ids; each pair once, with the first rule that fits (or `model`) and the evidence in words, personal values
        masked.
    """
    with _connection(len(std)) as con:
        found = _judged(con, std, rules, changed)
    if not found["a"]:
        return []
    words = _Words(std, rules)
    names = list(rules.comparisons)
    return [
        Edge(a, b, score, rule, words.evidence(i, j, rule, dict(zip(names, levels, strict=True))))
        for a, b, i, j, score, rule, *levels in zip(*found.values(), strict=True)
    ]


def trained(std: pa.Table, rules: Rules, says: str, rounds: int = 200) -> Model:
    """Estimate a Fellegi–Sunter table from the pairs that the blocks bring together, without labels (EM).

    Levels are taken to be independent among matches and among others; a missing value says nothing. Candidates are counted by
    the levels they show, so the cost does not grow with their number. The outcome depends on `std` and `rules` alone.

    Args:
        std: What `standardised` gave; a sample will do.
        rules: Their `rules` are not looked at.
        says: What it was trained on and when, for the file.
        rounds: At most so many steps; it stops when nothing moves by a millionth.

    Returns: the model to be kept beside the rules as JSON (`model_dump`).
    Raises: RulesError if there is no candidate.
    """
    names = list(rules.comparisons)
    with _connection(len(std)) as con:
        _compare(con, std, rules, None)
        listed = ", ".join(map(quoted, names))
        rows = con.execute(f"select {listed}, count(*) from compared group by all order by all").fetchall()
    if not rows:
        raise RulesError(f"{rules.entity}: the blocks bring no two records together. Nothing was trained.")
    found = {name: [level for level in rules.comparisons[name].found if level != UNKNOWN] for name in names}
    # Where to begin: the surer a level, the rarer among others and the more frequent among matches.
    match = {name: _falling(levels) for name, levels in found.items()}
    other = {
        name: dict(zip(levels, reversed(_falling(levels).values()), strict=True))
        for name, levels in found.items()
    }
    share = 0.1
    for _ in range(rounds):
        posterior = []
        for *levels, _count in rows:
            yes, no = share, 1 - share
            for name, level in zip(names, levels, strict=True):
                if level != UNKNOWN:
                    yes, no = yes * match[name][level], no * other[name][level]
            posterior.append(yes / (yes + no))
        before = share
        every = sum(row[-1] for row in rows)
        share = sum(chance * row[-1] for chance, row in zip(posterior, rows, strict=True)) / every
        for place, name in enumerate(names):
            for table, sign in ((match, 1), (other, 0)):
                sums = dict.fromkeys(found[name], 0.01)
                for chance, row in zip(posterior, rows, strict=True):
                    if row[place] != UNKNOWN:
                        sums[row[place]] += row[-1] * (chance if sign else 1 - chance)
                table[name] = {level: part / sum(sums.values()) for level, part in sums.items()}
        if abs(share - before) < 1e-6:
            break
    weights = {
        name: {level: round(math.log2(match[name][level] / other[name][level]), 4) for level in levels}
        for name, levels in found.items()
    }
    return Model(trained=says, prior=round(math.log2(share / (1 - share)), 4), weights=weights)


def _falling(levels: list[str]) -> dict[str, float]:
    parts = [2.0**-place for place in range(len(levels))]
    return {level: part / sum(parts) for level, part in zip(levels, parts, strict=True)}


def doubtful(records: pa.Table, std: pa.Table, rules: Rules) -> pa.Table:
    """Values that are there and cannot be right: a code that fails its check, a number nobody can dial, a placeholder, a
    value shared by too many records.

    Args:
        records: As they were given to `standardised`.
        std: What it made of them.

    Returns: record_id, attribute (a column of `records`).
    """
    import pyarrow as pa

    place = {record: row for row, record in enumerate(std.column("record_id").to_pylist())}
    ids = records.column("record_id").to_pylist()
    found: dict[tuple[str, str], None] = {}
    for name, rule in rules.fields.items():
        if rule.as_ not in _MAY_BE_WRONG:
            continue
        left = [std.column(column).to_pylist() for column in columns(name, rule.as_)]
        for record, value in zip(ids, _texts(records, rule.from_[0]), strict=True):
            if value is not None and value.strip() and not any(part[place[record]] for part in left):
                found[record, rule.from_[0]] = None
    return pa.table(
        {
            "record_id": pa.array([record for record, _ in found], pa.string()),
            "attribute": pa.array([attribute for _, attribute in found], pa.string()),
        }
    )


def _connection(rows: int) -> duckdb.DuckDBPyConnection:
    con = connect()
    if rows < _FEW:
        # Handing so little to several threads costs more than they save: 0.25 s instead of 0.14 s of CPU for two records.
        con.execute("set threads = 1")
    return con


def _texts(records: pa.Table, name: str) -> list[str | None]:
    if name not in records.column_names:
        return [None] * len(records)
    return [None if value is None else str(value) for value in records.column(name).to_pylist()]


def _named(records: pa.Table) -> list[list[str] | None]:
    if SAME_AS not in records.column_names:
        return [None] * len(records)
    said = ([value] if isinstance(value, str) else value for value in records.column(SAME_AS).to_pylist())
    return [sorted(set(value)) if value else None for value in said]


def _references(records: pa.Table, rules: Rules) -> Iterator[list[str] | None]:
    systems = records.column("source_system").to_pylist()
    found: list[list[str]] = [[] for _ in systems]
    for rule in rules.references:
        pattern, meant = re.compile(rule.pattern), set(rule.system)
        for place, (system, value) in enumerate(zip(systems, _texts(records, rule.column), strict=True)):
            said = plain(value) if system in meant else None
            if said is None or says_nothing(said, number=True) or not (match := pattern.fullmatch(said)):
                continue
            quoted_code = code(
                "".join(part for part in match.groups() if part) if match.groups() else match[0]
            )
            if quoted_code:
                found[place].append(f"{rule.space}:{quoted_code}")
    return (sorted(set(item)) or None for item in found)


# --- what a record is compared by ---


def _without_shared(rules: Rules, lists: frozenset[str]) -> str:
    """SQL of `given` with values that too many records share taken out."""
    common, kept, joins = [], [], []
    for place, (name, most) in enumerate(rules.shared_by.items()):
        column, value = quoted(name), f"unnest({quoted(name)})" if name in lists else quoted(name)
        common.append(f"""
            common_{place} as (
                select coalesce(list(value), []) as shared
                from (select value from (select {value} as value from given) group by value having count(*) > {most})
            )
        """)
        joins.append(f"cross join common_{place}")
        if name in lists:
            left = f"list_filter({column}, x -> not list_contains(common_{place}.shared, x))"
            kept.append(f"case when len({left}) > 0 then {left} end as {column}")
        else:
            kept.append(
                f"case when not list_contains(common_{place}.shared, {column}) then {column} end as {column}"
            )
    if not common:
        return "select * from given"
    return f"with {', '.join(common)} select given.* replace ({', '.join(kept)}) from given {' '.join(joins)}"


def _flag(item: Unique, rules: Rules, lists: frozenset[str]) -> str:
    """SQL of the `n` of the records of which the flag holds; of a list it has to hold for every value."""
    source = ", ".join(
        f"unnest({quoted(name)}) as {quoted(name)}" if name in lists else quoted(name) for name in item.within
    )
    group = ", ".join(map(quoted, item.within))
    given = " and ".join(f"{quoted(name)} is not null" for name in item.within)
    values = ", ".join(f"cast({quoted(name)} as text) as one_{place}" for place, name in enumerate(item.one))
    alike = " and ".join(f"count(distinct one_{place}) <= 1" for place in range(len(item.one)))
    systems = ", ".join(map(literal, rules.no_duplicates_within)) or "''"
    return f"""
        with
            told as (select n, source_system, {values}, {source} from std),
            known as (select * from told where {given}),
            twice as (
                select distinct {group}, true as is_twice from known where source_system in ({systems})
                group by {group}, source_system having count(distinct n) > 1
            ),
            alike as (select {group}, {alike} as is_one from known group by {group})
        select known.n from known join alike using ({group}) left join twice using ({group})
        group by known.n having bool_and(alike.is_one and twice.is_twice is null)
    """


def _keys(rules: Rules, lists: frozenset[str]) -> str:
    """SQL of (n, keys): what a record is blocked by, groups that are too large left out."""
    parts = []
    for place, block in enumerate(rules.blocks):
        source = "std"
        for name in block.of:
            if name in lists:
                source = f"(select * replace (unnest({quoted(name)}) as {quoted(name)}) from {source})"
        value = f" || {literal(_SEPARATOR)} || ".join(f"cast({quoted(name)} as text)" for name in block.of)
        parts.append(f"""
            select n, key from (select distinct n, {literal(f"{place}{_SEPARATOR}")} || {value} as key from {source})
            where key is not null qualify count(*) over (partition by key) <= {block.largest}
        """)
    said = literal(f"={_SEPARATOR}")
    named = f"(select distinct n, unnest({SAME_AS}) as record_id from std)"
    parts.append(f"select n, {said} || record_id as key from {named}")
    parts.append(
        f"select n, {said} || record_id as key from std where record_id in (select record_id from {named})"
    )
    return f"""
        select n, list(key order by key) as keys from ({" union all ".join(parts)}) group by n
    """


def _hashed(rules: Rules, names: list[str], lists: frozenset[str]) -> str:
    names = [name for name in names if name != "record_id"]
    flags = [
        f"std.n in (select n from flag_{place}) as {quoted(item.name)}"
        for place, item in enumerate(rules.unique)
    ]
    every = [*map(quoted, [*names, *(item.name for item in rules.unique)]), "keys"]
    told = f" || {literal(_SEPARATOR)} || ".join(f"coalesce(cast({name} as text), chr(30))" for name in every)
    exclusive = "cast(null as text)"
    if rules.exclusive:
        exclusive = f"{quoted(rules.exclusive)}[1]" if rules.exclusive in lists else quoted(rules.exclusive)
    return f"""
        with every as (
            select {", ".join(["std.*", *flags, "keyed.keys"])} from std left join keyed using (n)
        )
        select record_id, md5({told}) as record_hash, {", ".join(every)}, {exclusive} as exclusive
        from every order by record_id
    """


# --- two records ---


def _compare(
    con: duckdb.DuckDBPyConnection, std: pa.Table, rules: Rules, changed: Collection[str] | None
) -> None:
    """Make the table `compared`: l_id, r_id, i, j (rows of `std`) and the level of each comparison."""
    import pyarrow as pa

    con.register("given", std.append_column("n", pa.array(range(len(std)), pa.int32())))
    con.execute("create temp table std as select * from given")
    con.execute("create temp table keyed as select n, unnest(keys) as key from std where keys is not null")
    other = "keyed"
    if changed is not None:
        con.register("named", pa.table({"record_id": pa.array(sorted(changed), pa.string())}))
        con.execute(
            "create temp table dirty as select keyed.* from keyed join std using (n) semi join named using (record_id)"
        )
        other = "dirty"
    apart = ", ".join(map(literal, rules.no_duplicates_within)) or "''"
    levels = [f"{_level(item)} as {quoted(name)}" for name, item in rules.comparisons.items()]
    con.execute(f"""
        create temp table compared as
        with pairs as (
            select distinct least(one.n, other.n) as i, greatest(one.n, other.n) as j
            from keyed as one join {other} as other on one.key = other.key and one.n {"<" if changed is None else "<>"} other.n
        )
        select {", ".join(["l.record_id as l_id", "r.record_id as r_id", "pairs.i", "pairs.j", *levels])}
        from pairs
        join std as l on pairs.i = l.n
        join std as r on pairs.j = r.n
        where not (l.source_system = r.source_system and l.source_system in ({apart}))
    """)


def _judged(
    con: duckdb.DuckDBPyConnection, std: pa.Table, rules: Rules, changed: Collection[str] | None
) -> dict[str, list]:
    """Columns a, b, i, j (their rows in `std`), score, rule and the level of each comparison; in order of a, b."""
    _compare(con, std, rules, changed)
    result = con.execute(f"""
        with
            judged as materialized (select *, {_verdict(rules)} as verdict from compared),
            scored as (select *, verdict.score as score, verdict.rule as rule from judged)
        select
            {
        ", ".join(
            [
                "least(l_id, r_id) as a",
                "greatest(l_id, r_id) as b",
                "if(l_id < r_id, i, j) as i",
                "if(l_id < r_id, j, i) as j",
                "round(score, 12) as score",
                "rule",
                *map(quoted, rules.comparisons),
            ]
        )
    }
        from scored
        where score >= {rules.review}
        order by a, b
    """).to_arrow_table()
    return result.to_pydict()


def _verdict(rules: Rules) -> str:
    """SQL of a struct (score, rule): the first rule that fits, else the model, else nothing."""
    cases = []
    for rule in rules.rules:
        fits = " and ".join(
            f"{quoted(name)} in ({', '.join(map(literal, levels))})" for name, levels in rule.when.items()
        )
        cases.append(f"when {fits} then {{'score': {rule.score}::double, 'rule': {literal(rule.name)}}}")
    rest = "{'score': 0.0::double, 'rule': ''}"
    if rules.table:
        weights = [str(rules.table.prior)]
        for name, weight in sorted(rules.table.weights.items()):
            if name in rules.comparisons:
                steps = " ".join(
                    f"when {literal(level)} then {value}" for level, value in sorted(weight.items())
                )
                weights.append(f"case {quoted(name)} {steps} else 0.0 end")
        rest = f"{{'score': 1.0 / (1.0 + pow(2.0, -({' + '.join(weights)}))), 'rule': {literal(MODEL)}}}"
    return f"case {' '.join(cases)} else {rest} end" if cases else rest


def _level(item: Comparison) -> str:
    """SQL of the level that a comparison finds between rows `l` and `r`."""
    left, right = f"l.{quoted(item.of)}", f"r.{quoted(item.of)}"
    either = f"when {left} is null or {right} is null then {literal(UNKNOWN)}"
    if item.how == "flag":
        return f"case when {left} and {right} then 'holds' else 'fails' end"
    if item.how == "company_name":
        return _name_level(item.of)
    if item.how == "said":
        said = f"list_contains({left}, r.record_id) or list_contains({right}, l.record_id)"
        return f"case when coalesce({said}, false) then 'same' else {literal(UNKNOWN)} end"
    if item.how == "any":
        return f"case {either} when list_has_any({left}, {right}) then 'same' else 'differs' end"
    if item.how == "reference":
        # Codes of two lists say nothing of each other.
        space = "list_transform({0}, x -> split_part(x, ':', 1))"
        return f"""case {either} when list_has_any({left}, {right}) then 'same'
            when list_has_any({space.format(left)}, {space.format(right)}) then 'differs' else {literal(UNKNOWN)} end"""
    if item.how == "place":
        return f"""case {either} when {left} = {right} then 'same'
            when starts_with({left}, {right} || '/') or starts_with({right}, {left} || '/') then 'within' else 'differs' end"""
    if item.how == "address":
        road = quoted(f"{item.of}_road")
        return f"""case when l.{road} is null or r.{road} is null then {literal(UNKNOWN)} when {left} = {right} then 'same'
            when l.{road} = r.{road} and ({left} is null or {right} is null) then 'road' else 'differs' end"""
    if item.how == "number":
        return f"""case {either} when {left} = {right} then 'same'
            when abs({left} - {right}) <= 0.1 * greatest(abs({left}), abs({right})) then 'close' else 'differs' end"""
    if item.how in ("text", "overlap"):
        if item.how == "text":
            alike = f"jaro_winkler_similarity({left}, {right})"
        else:
            alike = f"len(list_intersect({left}, {right})) / greatest(1.0, least(len({left}), len({right})))"
        steps = " ".join(
            f"when {alike} >= {level} then {literal(found)}"
            for level, found in zip(item.levels, item.found, strict=False)
        )
        return f"case {either} {steps} else 'differs' end"
    return f"case {either} when {left} = {right} then 'same' else 'differs' end"


def _name_level(field: str) -> str:
    def side(alias: str, part: str) -> str:
        return f"{alias}.{quoted(f'{field}_{part}')}"

    def both(part: str) -> tuple[str, str]:
        return side("l", part), side("r", part)

    (l_stem, r_stem), (l_short, r_short), (l_core, r_core) = both("stem"), both("short"), both("core")
    (l_form, r_form), (l_region, r_region), (l_alias, r_alias) = both("form"), both("region"), both("alias")
    l_branch, r_branch = both("branch")
    said = f"least({l_form}, {r_form}) || '+' || greatest({l_form}, {r_form})"
    loose, converted = (
        ", ".join(literal("+".join(pair)) for pair in sorted(pairs))
        for pairs in (LOOSE_FORMS, CONVERTED_FORMS)
    )
    conflict = f"({l_form} <> '' and {r_form} <> '' and {l_form} <> {r_form} and {said} not in ({loose}))"
    elsewhere = f"""({l_region} is not null and {r_region} is not null
        and not starts_with({l_region} || '/', {r_region} || '/') and not starts_with({r_region} || '/', {l_region} || '/'))"""
    short = f"""coalesce(
        ({l_form} = '' and ({l_stem} = {r_short} or (length({l_stem}) >= 3 and {l_stem} = {r_core})))
        or ({r_form} = '' and ({r_stem} = {l_short} or (length({r_stem}) >= 3 and {r_stem} = {l_core})))
        or {l_alias} in ({r_stem}, {r_short}) or {r_alias} in ({l_stem}, {l_short}), false)"""
    # DuckDB's distance counts bytes, of which a Chinese character has three: it only finds candidates.
    one_character = f"""list_sum(list_transform(range(1, length({l_stem}) + 1),
        i -> (substr({l_stem}, i, 1) <> substr({r_stem}, i, 1))::int)) <= 1"""
    near = f"""(greatest(length({l_stem}), length({r_stem})) >= 4 and abs(length({l_stem}) - length({r_stem})) <= 1
        and levenshtein({l_stem}, {r_stem}) <= if(strlen({l_stem}) = length({l_stem}), 1, 3)
        and (length({l_stem}) <> length({r_stem}) or {one_character}))"""
    return f"""case
        when {l_stem} is null or {r_stem} is null then {literal(UNKNOWN)}
        when {l_branch} <> {r_branch} then if({l_stem} = {r_stem} or {short}, 'branch', 'other')
        when {elsewhere} then if({l_stem} = {r_stem} or {short}, 'region', 'other')
        when {l_stem} = {r_stem} and {conflict} then if({said} in ({converted}), 'form', 'group')
        when {l_stem} = {r_stem} and ({l_form} = '' or {r_form} = '') then 'formless'
        when {l_stem} = {r_stem} and {l_region} = {r_region} then 'same'
        when {l_stem} = {r_stem} then 'stem'
        when {short} then 'short'
        when {near} then 'near'
        when {l_core} = {r_core} then 'core'
        else 'other' end"""


# --- what a steward reads ---


class _Words:
    """Evidence in short words, from the rows of `std`."""

    def __init__(self, std: pa.Table, rules: Rules) -> None:
        self._rules = rules
        self._columns: dict[str, list] = {}
        self._std = std
        self._asked = {rule.name: rule.when for rule in rules.rules}
        self._personal = {
            column: rule.as_
            for name, rule in rules.fields.items()
            for column in columns(name, rule.as_)
            if STANDARDS[rule.as_].personal
        }

    def evidence(self, i: int, j: int, rule: str, levels: dict[str, str]) -> str:
        """Why rows `i` and `j` got an edge."""
        said = []
        asked = self._asked.get(rule, {})
        for name, level in levels.items():
            if self._rules.comparisons[name].how == "flag" and name not in asked:
                continue
            if text := self._said(name, self._rules.comparisons[name], level, i, j):
                said.append(text)
        return "; ".join(said)

    def _said(self, name: str, item: Comparison, level: str, i: int, j: int) -> str | None:
        what = item.says or name.replace("_", " ")
        if level == UNKNOWN:
            if item.of != self._rules.exclusive:
                return None
            both = self._value(item.of, i) is None and self._value(item.of, j) is None
            return f"{what} missing on {'both sides' if both else 'one side'}"
        if item.how == "company_name":
            return self._name(item.of, level, i, j)
        if item.how in ("flag", "said"):
            return what
        if item.how == "any":
            return f"same {what} {self._shared(item.of, i, j)}" if level == "same" else f"other {what}"
        if item.how == "address":
            return {"same": f"same {what}", "road": "same road"}.get(level, f"other {what}")
        one, other = self._shown(item.of, i), self._shown(item.of, j)
        if item.how == "place":
            here, there = city_of(one), city_of(other)
            return f"{what} {here}" if level == "same" else f"{what} {here} and {there}"
        if level == "same":
            return f"same {what} {self._shared(item.of, i, j) if item.how == 'reference' else one}"
        if level in ("differs", "close"):
            return f"{what} {one} and {other}"
        return f"{what} {level.replace('_', ' ')} % alike"

    def _name(self, field: str, level: str, i: int, j: int) -> str:
        (one, other), (here, there) = self._both(f"{field}_stem", i, j), self._both(f"{field}_region", i, j)
        if level == "same":
            return f"same name {self._value(field, i)}"
        if level in ("stem", "formless"):
            return f"core {one}"
        if level in ("form", "group"):
            forms = self._both(f"{field}_form", i, j)
            return f"core {one}, legal forms {forms[0]} and {forms[1]}"
        if level == "region":
            return f"core {one}, names of {city_of(here)} and {city_of(there)}"
        if level == "branch":
            branches = self._both(f"{field}_branch", i, j)
            return f"core {one}, {branches[0] or 'head office'} and {branches[1] or 'head office'}"
        words = {
            "short": "short name",
            "near": "almost the same name",
            "core": "same core",
            "other": "names",
        }[level]
        return f"{words} {one} and {other}"

    def _shared(self, column: str, i: int, j: int) -> str:
        mine, yours = self._value(column, i) or [], self._value(column, j) or []
        return ", ".join(self._masked(column, value) for value in mine if value in yours)

    def _both(self, column: str, i: int, j: int) -> tuple[Any, Any]:
        return self._value(column, i), self._value(column, j)

    def _shown(self, column: str, row: int) -> str | None:
        value = self._value(column, row)
        if value is None:
            return None
        return ", ".join(
            self._masked(column, str(item)) for item in (value if isinstance(value, list) else [value])
        )

    def _masked(self, column: str, value: str) -> str:
        kind = self._personal.get(column)
        if kind == "phones":
            return phones.masked(value)
        if kind == "person_name":
            return people.masked_name(value)
        if kind == "email":
            return f"{value[:1]}***@{value.partition('@')[2]}"
        return value

    def _value(self, column: str, row: int) -> Any:
        if column not in self._columns:
            self._columns[column] = self._std.column(column).to_pylist()
        return self._columns[column][row]


__all__ = ["RulesError", "doubtful", "edges", "standardised"]
