"""May this be published? Every rule of one run with its answer, read from the ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import duckdb


# Whatever else a rule says, it has not been evaluated.
_ANSWERS = {"passed", "failed", "holds", "explained", "broken"}


@dataclass(frozen=True)
class Rule:
    """One check or identity and what it said; `strong` rules stop a publish."""

    kind: Literal["check", "identity"]
    name: str
    title: str  # zh / en
    strong: bool
    state: str  # checks: passed | failed | error; identities: holds | explained | broken
    detail: str
    owner: str
    off: bool = False  # about a table that lacks a source which is switched off

    @property
    def table(self) -> str:
        """The table it is about."""
        return self.name.partition(".")[0] if self.kind == "check" else f"identity_{self.name}"

    @property
    def holds(self) -> bool:
        return self.state in {"passed", "holds", "explained"}

    @property
    def blocks(self) -> bool:
        """A strong rule that does not hold, or any rule that could not be evaluated.

        What lacks a source that is switched off proves nothing either way: it stops nobody.
        """
        return self.state not in _ANSWERS or (self.strong and not self.holds and not self.off)

    def __str__(self) -> str:
        return f"{self.name}: {self.title}: {self.state}, {self.detail} (owner {self.owner})"


@dataclass(frozen=True)
class Verdict:
    """All rules of one run."""

    rules: tuple[Rule, ...]

    @property
    def blocking(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.blocks]

    def without(self, tables: Collection[str]) -> Verdict:
        """The same, knowing that these tables lack a source that is switched off."""
        return (
            Verdict(tuple(replace(rule, off=rule.table in tables) for rule in self.rules)) if tables else self
        )

    def expecting(self, identities: Collection[str]) -> Verdict:
        """The same, knowing which identities are stated: one that was not computed has proved nothing."""
        computed = {rule.name for rule in self.of("identity")}
        absent = tuple(
            Rule(
                "identity", name, f"{name} was not computed", True, "error", "its model is not there", "data"
            )
            for name in sorted(set(identities) - computed)
        )
        return Verdict(self.rules + absent) if absent else self

    def of(self, kind: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.kind == kind]


def verdict(con: duckdb.DuckDBPyConnection, run_id: str) -> Verdict:
    """What suites and identities of `run_id` said. A run without both has proved nothing: it blocks."""
    checks = con.execute(
        """
        select 'check', table_name || '.' || check_id, title, severity = 'critical', coalesce(status, 'error'),
            -- which rows, where somebody wrote them down
            coalesce(unexpected_count || ' rows' || coalesce(': ' || observed, ''), observed, ''), owner
        from ops.check_result where run_id = ? order by table_name, check_id
        """,
        [run_id],
    ).fetchall()
    identities = con.execute(
        """
        select 'identity', identity, title, severity = 'critical', coalesce(status, 'error'),
            -- groups in different units have no total
            coalesce(left_total || ' against ' || right_total || ', ' || unexplained || ' unexplained',
                groups_off || ' of ' || groups || ' groups differ'), owner
        from ops.identity_result where run_id = ? order by identity
        """,
        [run_id],
    ).fetchall()
    rules = [Rule(*row) for row in (*checks, *identities)]
    for kind, found in (("check", checks), ("identity", identities)):
        if not found:
            rules.append(
                Rule(kind, f"no {kind}", f"no {kind} was run", True, "error", "nothing was proved", "data")
            )
    return Verdict(tuple(rules))


def last_verified_run(con: duckdb.DuckDBPyConnection) -> str | None:
    """The newest run whose suites and identities were recorded."""
    row = con.execute("select run_id from ops.check_result order by checked_at desc limit 1").fetchone()
    return row[0] if row else None
