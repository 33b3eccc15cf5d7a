"""`tieout status`"""

from __future__ import annotations


def status() -> None:
    """What is loaded, what is in quarantine, what was published last and whether it is certified."""
    from sources.contract import read_sources
    from tieout.cli.open import working_copy
    from tieout.cli.show import heading, table, text
    from tieout.ingest.quarantine import disclosed
    from tieout.ingest.status import module_rows, open_quarantine, veiled
    from tieout.settings import settings
    from tieout.tie.verdict import last_verified_run, verdict

    with working_copy(settings()) as con:
        heading("Last runs")
        runs = con.execute(
            "select run_id, started_at, finished_at, state, split_part(message, chr(10), 1)"
            " from ops.run order by started_at desc limit 5"
        ).fetchall()
        table(["run", "started (UTC)", "ended", "state", "message"], runs)
        heading("Last publish")
        row = con.execute(
            """
            select p.publish_id, p.published_at, p.tables, p.rows, c.certified, c.reasons, c.business_cut_off, c.loaded_to
            from ops.publish as p left join ops.certificate as c using (publish_id)
            order by p.published_at desc limit 1
            """
        ).fetchone()
        if row is None:
            print("nothing was published yet")
        else:
            names = [
                "publish",
                "at (UTC)",
                "tables",
                "rows",
                "certified",
                "reservations",
                "business cut-off",
                "loaded to (UTC)",
            ]
            for name, value in zip(names, row, strict=True):
                print(f"  {name:<17} {'none' if value == '[]' else text(value)}")
        heading("Rows by module")
        sources = read_sources(settings().sources)
        rows = module_rows(con, sources)
        table(
            ["module", "system", "streams", "rows", "quarantined"],
            [(r.module, r.source, r.streams, r.rows, r.quarantined) for r in rows],
        )
        disagreeing = con.execute(
            "select source, stream, origin, measure, source_says, coalesce(landed, loaded)"
            " from ops.control_now where not agrees"
        ).fetchall()
        total = con.execute("select count(*) from ops.control_now").fetchone()
        heading(
            f"Control totals: {(total[0] if total else 0) - len(disagreeing)} of {total[0] if total else 0} agree"
        )
        if disagreeing:
            table(["source", "stream", "origin", "measure", "source says", "we hold"], disagreeing)
            print("  `tieout controls --off` says what to do about each")
        aside = open_quarantine(con)
        heading(f"Quarantine: {len(aside)} rows")
        for line in disclosed(con, sources):
            print(f"  totals are without {line}")
        for line in veiled(con, sources, aside[:20]):
            print(f"  {line}")
        if aside:
            print("  `tieout quarantine` lists them, and what to do about each")
        run = last_verified_run(con)
        if run:
            off = [rule for rule in verdict(con, run).rules if not rule.holds]
            heading(f"Rules that do not hold (run {run}): {len(off)}")
            for rule in off:
                print(f"  {'strong' if rule.blocks else 'weak  '} {rule}")
