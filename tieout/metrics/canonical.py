"""One form for all ways of writing the same expression, so that two definitions can be compared by what they do.

An expression becomes a sum of products: `case when a and b then x end`, `case when b and a then 1 * x else 0 end` and
`coalesce(case when b then case when a then x end end, 0)` become one text. What is summed may lose the difference
between null and zero at the very outside only, since a sum of nothing and a sum of zeros say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import expressions

# Sorted factors -> coefficient; a term that cancelled stays, with coefficient 0: where it is null, so is the sum.
Terms = dict[tuple[str, ...], Fraction]

_WHEN = "when "


def canonical(sql: str, named: Callable[[str], str] | None = None, *, summed: bool = True) -> str:
    """The one form of an expression.

    Args:
        sql: In DuckDB's dialect.
        named: What a name stands for; itself, if not given.
        summed: Whether rows of it are added up, so that null and zero are alike at the outside.

    Raises: sqlglot's ParseError.
    """
    import sqlglot

    tree = sqlglot.parse_one(sql, read="duckdb")
    return _Former(named or str.lower).text(tree, summed=summed)


class _Former:
    def __init__(self, named: Callable[[str], str]) -> None:
        self.named = named

    def text(self, node: expressions.Expr, *, summed: bool = False) -> str:
        """A value as text."""
        return _written(self.terms(node, summed=summed))

    def terms(self, node: expressions.Expr, *, summed: bool = False) -> Terms:
        """A value as a sum of products."""
        from sqlglot import expressions as sql

        match node:
            case sql.Paren():
                return self.terms(node.this, summed=summed)
            case sql.Literal() if node.is_number:
                return {(): Fraction(node.this)}
            case sql.Null():
                return {("null",): Fraction(1)}
            case sql.Column():
                return {(self.named(node.name),): Fraction(1)}
            case sql.Neg():
                return _times(self.terms(node.this, summed=summed), {(): Fraction(-1)})
            case sql.Add() | sql.Sub():
                sign = Fraction(1 if isinstance(node, sql.Add) else -1)
                return _plus(self.terms(node.this), _times(self.terms(node.expression), {(): sign}))
            case sql.Mul():
                return _times(self.terms(node.this), self.terms(node.expression))
            case sql.Div():
                return self._quotient(node)
            case sql.Coalesce():
                return self._first_known(node, summed)
            case sql.Case() | sql.If():
                return self._case(node, summed)
        return {(self._other(node),): Fraction(1)}

    def _quotient(self, node: expressions.Expr) -> Terms:
        from sqlglot import expressions as sql

        below = node.expression.unnest()
        if isinstance(below, sql.Literal) and below.is_number and Fraction(below.this) != 0:
            return _times(self.terms(node.this), {(): 1 / Fraction(below.this)})
        return _times(self.terms(node.this), {(f"1 / ({self.text(below)})",): Fraction(1)})

    def _first_known(self, node: expressions.Expr, summed: bool) -> Terms:
        parts = [node.this, *node.expressions]
        flat = []
        for part in parts:
            inner = part.unnest()
            flat += [inner.this, *inner.expressions] if isinstance(inner, type(node)) else [inner]
        texts = [self.text(part) for part in flat]
        while summed and len(texts) > 1 and texts[-1] in {"0", "null"}:
            texts.pop()
            flat.pop()
        if len(flat) == 1:
            return self.terms(flat[0], summed=summed)
        return {(f"coalesce({', '.join(texts)})",): Fraction(1)}

    def _case(self, node: expressions.Expr, summed: bool) -> Terms:
        from sqlglot import expressions as sql

        if isinstance(node, sql.If):
            branches = [(node.this, node.args["true"])]
            default = node.args.get("false")
            asked = None
        else:
            branches = [(item.this, item.args["true"]) for item in node.args["ifs"]]
            default = node.args.get("default")
            asked = node.this
        conditions = [
            self.condition(sql.EQ(this=asked.copy(), expression=one.copy()) if asked is not None else one)
            for one, _ in branches
        ]
        values = [self.terms(value, summed=summed) for _, value in branches]
        last = self.terms(default, summed=summed) if default is not None else {("null",): Fraction(1)}
        nothing = _written(last) == "null" or (summed and _written(last) == "0")
        if nothing and len(branches) == 1:
            alone = self._conjuncts(branches[0][0]) if asked is None else {conditions[0]}
            return _times(values[0], {tuple(sorted(_WHEN + part for part in alone)): Fraction(1)})
        texts = [
            f"{_WHEN}{condition} then {_written(value)}"
            for condition, value in zip(conditions, values, strict=True)
        ]
        return {(f"case {' '.join(texts)} else {'null' if nothing else _written(last)} end",): Fraction(1)}

    def condition(self, node: expressions.Expr, *, denied: bool = False) -> str:
        """A condition; `denied`: its opposite, which is null where it is."""
        from sqlglot import expressions as sql

        node = node.unnest()
        match node:
            case sql.Not():
                return self.condition(node.this, denied=not denied)
            case sql.And() | sql.Or():
                joint = isinstance(node, sql.And) != denied
                return _joined(self._parts(node, denied), " and " if joint else " or ")
            case sql.Between():
                low = sql.GTE(this=node.this.copy(), expression=node.args["low"].copy())
                high = sql.LTE(this=node.this.copy(), expression=node.args["high"].copy())
                return self.condition(sql.And(this=low, expression=high), denied=denied)
            case sql.In() if node.expressions:
                tested = self.text(node.this)
                members = sorted({self.text(item) for item in node.expressions})
                if denied:
                    return _joined({self._unequal(tested, item) for item in members}, " and ")
                return _joined({self._equal(tested, item) for item in members}, " or ")
            case sql.EQ() | sql.NEQ():
                return self._equality(node, isinstance(node, sql.EQ) != denied)
            case sql.GT() | sql.GTE() | sql.LT() | sql.LTE():
                return self._order(node, denied)
            case sql.Boolean():
                return "true" if bool(node.this) != denied else "false"
        text = self.text(node)
        return f"not ({text})" if denied else text

    def _conjuncts(self, node: expressions.Expr, *, denied: bool = False) -> set[str]:
        """The conditions that must all hold."""
        from sqlglot import expressions as sql

        node = node.unnest()
        if isinstance(node, sql.Not):
            return self._conjuncts(node.this, denied=not denied)
        if isinstance(node, sql.Or if denied else sql.And):
            return self._parts(node, denied)
        if isinstance(node, sql.Between) and not denied:
            low = sql.GTE(this=node.this.copy(), expression=node.args["low"].copy())
            high = sql.LTE(this=node.this.copy(), expression=node.args["high"].copy())
            return {self.condition(low), self.condition(high)}
        return {self.condition(node, denied=denied)}

    def _parts(self, node: expressions.Expr, denied: bool) -> set[str]:
        """What a chain of one kind, `and` or `or`, joins; its parts are denied with it."""
        from sqlglot import expressions as sql

        joint = isinstance(node, sql.And) != denied
        parts: set[str] = set()
        for part in (node.this, node.expression):
            inner, turned = part.unnest(), denied
            while isinstance(inner, sql.Not):
                inner, turned = inner.this.unnest(), not turned
            if isinstance(inner, sql.And | sql.Or) and (isinstance(inner, sql.And) != turned) == joint:
                parts |= self._parts(inner, turned)
            elif joint:
                parts |= self._conjuncts(inner, denied=turned)
            else:
                parts.add(self.condition(inner, denied=turned))
        return parts

    def _equality(self, node: expressions.Expr, equal: bool) -> str:
        from sqlglot import expressions as sql

        sides = (node.this.unnest(), node.expression.unnest())
        for side, other in (sides, sides[::-1]):
            if isinstance(side, sql.Boolean):  # a = true is a, a = false is not a
                return self.condition(other, denied=bool(side.this) != equal)
        one, other = self.text(sides[0]), self.text(sides[1])
        return self._equal(one, other) if equal else self._unequal(one, other)

    @staticmethod
    def _equal(one: str, other: str) -> str:
        return " = ".join(sorted((one, other)))

    @staticmethod
    def _unequal(one: str, other: str) -> str:
        return " <> ".join(sorted((one, other)))

    def _order(self, node: expressions.Expr, denied: bool) -> str:
        from sqlglot import expressions as sql

        left, right = self.text(node.this), self.text(node.expression)
        if isinstance(node, sql.GT | sql.GTE):
            left, right = right, left
        strict = isinstance(node, sql.GT | sql.LT)
        if denied:
            left, right, strict = right, left, not strict
        return f"{left} {'<' if strict else '<='} {right}"

    def _other(self, node: expressions.Expr) -> str:
        """Anything else keeps its shape; what is inside is brought into form."""
        from sqlglot import expressions as sql

        if isinstance(node, sql.Literal):
            return node.sql("duckdb")
        if isinstance(node, sql.And | sql.Or | sql.Not | sql.EQ | sql.NEQ | sql.GT | sql.GTE | sql.LT | sql.LTE | sql.In | sql.Between | sql.Boolean):  # fmt: skip
            return self.condition(node)
        parts = []
        for key, value in sorted(node.args.items()):
            for item in value if isinstance(value, list) else [value]:
                parts.append(f"{key}={self.text(item) if isinstance(item, sql.Expr) else item}")
        inside = [part for part in parts if not part.endswith(("=None", "=False"))]
        if isinstance(node, sql.Greatest | sql.Least):
            inside = sorted(part.partition("=")[2] for part in inside if not part.startswith("ignore"))
        return f"{type(node).__name__.lower()}({', '.join(inside)})"


def _joined(parts: set[str], word: str) -> str:
    if len(parts) == 1:
        return next(iter(parts))
    return f"({word.join(sorted(parts))})"


def _plus(one: Terms, other: Terms) -> Terms:
    found = dict(one)
    for factors, coefficient in other.items():
        found[factors] = found.get(factors, Fraction(0)) + coefficient
    if () in found and found[()] == 0 and len(found) > 1:
        del found[()]  # a plain zero is never null
    return found


def _times(one: Terms, other: Terms) -> Terms:
    found: Terms = {}
    for left, a in one.items():
        for right, b in other.items():
            factors = _sorted((*left, *right))
            found[factors] = found.get(factors, Fraction(0)) + a * b
    return found


def _sorted(factors: tuple[str, ...]) -> tuple[str, ...]:
    """Factors in order; a guard that is said twice guards once."""
    rest = [item for item in factors if not item.startswith(_WHEN)]
    return (*sorted(rest), *sorted({item for item in factors if item.startswith(_WHEN)}))


def _written(terms: Terms) -> str:
    if not terms:
        return "0"
    lines = []
    for factors, amount in sorted(terms.items()):
        if not factors:
            lines.append(str(amount))
        else:
            lines.append(" * ".join([*([str(amount)] if amount != 1 else []), *factors]))
    return " + ".join(lines) if len(lines) > 1 else lines[0]
