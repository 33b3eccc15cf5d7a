"""`tieout score`"""

from __future__ import annotations

from typing import Annotated

import typer


def score(
    runs: Annotated[int, typer.Option(min=1, help="How many of the last runs to compare with.")] = 30,
) -> None:
    """How much of what must be true is true, per module and per owner, and whether it gets better.

    A strong rule weighs as much as three weak ones; one that could not be evaluated counts as not held. Every run
    is kept: `tieout query --warehouse "from ops.check_score"`.
    """
    from tieout.cli.open import working_copy
    from tieout.cli.show import heading, table
    from tieout.settings import settings
    from tieout.tie.scores import Kind, modules_of, scores

    modules = modules_of(settings().dbt_project / "models" / "marts")
    with working_copy(settings()) as con:
        row = con.execute(
            "select min(checked_at) from (select max(checked_at) as checked_at from ops.check_score"
            f" group by run_id order by 1 desc limit {int(runs)})"
        ).fetchone()
        since = row[0] if row else None
        kinds: tuple[Kind, ...] = ("module", "owner")
        for kind in kinds:
            found = scores(con, kind, modules, since)
            heading(f"By {kind}")
            table(
                [kind, "rules", "hold", "do not", "errors", "score", "moved", "runs"],
                [
                    (
                        item.name,
                        item.rules,
                        item.held,
                        item.failed,
                        item.errors,
                        f"{item.score:.1%}",
                        f"{item.moved:+.1%}" if item.moved else "",
                        len(item.history),
                    )
                    for item in found
                ],
                right=(5, 6),
            )
