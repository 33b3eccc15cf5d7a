"""`tieout prove …`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Proofs anyone can repeat on their own data.", no_args_is_help=True)


@app.callback()
def prove() -> None:
    """Proofs anyone can repeat on their own data."""


@app.command("replay")
def replay(
    landing: Annotated[
        Path | None, typer.Option(help="Replay this landing; without it, the one of this installation.")
    ] = None,
    raw_only: Annotated[
        bool, typer.Option("--raw-only", help="Raw tables and ledger only: no marts, seconds not minutes.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Variants that run at the same time.")] = 2,
) -> None:
    """Load the same batches in order, shuffled, doubled, and killed at every boundary; compare every table.

    Each variant has a warehouse of its own in a temporary folder. Compared are the content hashes of every raw
    table (with its past and history), of the loader's ledger, and of every mart, metric and identity table;
    the warehouse in use, which was loaded increment by increment, is compared too.

    Exit codes: 0 all are equal · 1 some differ (they are listed) · 3 a variant could not be run.
    """
    import tempfile
    import threading
    import time

    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines, table
    from tieout.proof import Proved, prove_replay, variants
    from tieout.settings import Settings, settings

    if landing is not None and not landing.is_dir():
        raise CommandError(f"{landing} is no folder. Nothing was proved.")
    began, progress, one = time.perf_counter(), Lines(), threading.Lock()
    with tempfile.TemporaryDirectory(prefix="tieout-proof-") as folder:
        asked = settings()
        if landing is not None:
            asked = Settings(home=Path(folder) / "given")
            asked.home.mkdir()
            asked.landing.symlink_to(landing.resolve(), target_is_directory=True)
        progress.start("prove", len(variants(1, raw_only=raw_only)) + 1 + (landing is None))

        def report(proved: Proved) -> None:
            with one:
                progress.advance(f"{proved.variant}: {proved.equal} of {proved.tables} equal")

        proved = prove_replay(asked, Path(folder), report, raw_only=raw_only, live=landing is None, jobs=jobs)
    compared, equal = sum(item.tables for item in proved[1:]), sum(item.equal for item in proved[1:])
    progress.end(f"{len(proved)} variants", ok=equal == compared)
    table(
        ["variant", "tables", "equal", "seconds"],
        [(item.variant, item.tables, item.equal, f"{item.seconds:.1f}") for item in proved],
        right=(3,),
    )
    for item in proved:
        for off in item.differences[:10]:
            print(f"  ✗ {item.variant}: {off.table} ({off.rows_held} rows, {off.rows_rebuilt} rows)")
        if len(item.differences) > 10:
            print(f"  ✗ {item.variant}: … and {len(item.differences) - 10} more")
    print(
        f"{equal:,} of {compared:,} tables equal in {len(proved) - 1} variants, {time.perf_counter() - began:.0f} s"
    )
    sys.exit(0 if equal == compared else 1)


@app.command("detection")
def detection(
    seeds: Annotated[int, typer.Option(min=1, help="Trials with one fault of every kind.")] = 3,
    first: Annotated[
        int, typer.Option("--from", min=1, help="The seed of the first trial; the others follow.")
    ] = 1,
    dense: Annotated[bool, typer.Option(help="One more trial with two of every kind.")] = True,
    overlap: Annotated[
        bool, typer.Option(help="One more trial with several faults on one key, wherever rows suit.")
    ] = True,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the trials here, and go on from those that are there already."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 1,
    write: Annotated[Path | None, typer.Option(help="Write the page, docs/detection.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured as JSON.")] = False,
) -> None:
    """Plant every kind of fault into the sample company, refresh, and measure what the platform finds of it.

    Each trial is a fresh installation with the sample group in it, about two minutes on two cores. Measured are, for
    every kind of fault: found or not, whether the cause that is said is the right one, and whether the amount is exact;
    then the alarms on clean data, findings about nothing planted, and, as a control, what the same findings "find" of
    faults that were never planted. Nothing of this installation is read or changed.

    \b
    tieout prove detection --seeds 1 --no-dense --no-overlap       four minutes
    tieout prove detection --write docs/detection.md               the page in the docs
    tieout prove detection --from 11 --seeds 2                     faults nobody has looked at yet
    tieout prove detection --folder /tmp/trials                    look into the warehouses afterwards

    Exit codes: 0 every goal holds · 1 some do not (they are shown) · 3 a trial could not be run.
    """
    import json
    import tempfile
    import time

    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines
    from tieout.detection.examine import ExamError, examine
    from tieout.detection.page import measured, page

    began, progress = time.perf_counter(), Lines()
    with tempfile.TemporaryDirectory(prefix="tieout-detection-") as temporary:
        # As root, PostgreSQL runs as another user: in a closed folder its cluster would lie elsewhere, and a copy of the
        # company would be without it. What is invented may be seen by everybody here.
        Path(temporary).chmod(0o755)
        progress.start("prove", seeds + dense + overlap + 1)
        try:
            result = examine(
                folder or Path(temporary),
                progress.advance,
                seeds=seeds,
                first=first,
                dense=dense,
                overlap=overlap,
                jobs=jobs,
            )
        except ExamError as error:
            progress.end("not measured", ok=False)
            raise CommandError(str(error)) from error
    words = [
        "tieout prove detection",
        f"--seeds {seeds}",
        f"--from {first}" if first > 1 else "",
        "" if dense else "--no-dense",
        "" if overlap else "--no-overlap",
    ]
    said = measured(
        result.score, when=result.when, commit=result.commit, machine=result.machine, seconds=result.seconds,
        command=" ".join(filter(None, words)),
    )  # fmt: skip
    progress.end(
        f"{result.score.planted} faults in {len(result.score.trials)} trials", ok=all(said["goals"].values())
    )
    if write:
        write.write_text(page(said), encoding="utf-8")
    if as_json:
        print(json.dumps(said, ensure_ascii=False, indent=1))
    else:
        _scorecard(said, time.perf_counter() - began)
    sys.exit(0 if all(said["goals"].values()) else 1)


def _scorecard(said: dict[str, Any], seconds: float) -> None:
    from tieout.cli.show import table

    table(
        ["kind", "planted", "found", "cause right", "amount exact", "not accounted for", "said"],
        [
            (
                item["kind"],
                item["planted"],
                item["found"],
                item["cause_right"],
                f"{item['exact']} of {item['amounts']}" if item["amounts"] else "–",
                item["residual"],
                ", ".join(item["said"]) or "–",
            )
            for item in said["kinds"]
        ],
        right=(1, 2, 3, 5),
    )
    for item in said["short"]:
        print(
            f"  ✗ {item['trial']} {item['fault']} {item['kind']}: found {'yes' if item['found'] else 'no'}, cause "
            f"{'right' if item['cause_right'] else 'not right'}, {item['not_accounted_for'] or '–'} of {item['amount']} not "
            f"accounted for; said: {', '.join(item['said']) or 'nothing'}"
        )
    for trial in said["trials"]:
        for one in trial["unfounded"]:
            print(f"  ? {trial['trial']}: about nothing planted: {one}")
    for one in said["false_alarms"]:
        print(f"  ✗ false alarm on clean data: {one}")
    for rule, item in said["clean"].items():
        print(f"  ~ on clean data, and true: {item['alarms']} × {rule}: {item['why']}")
    print(
        f"cases about one fault and no other: {said['cases_of_one_fault']}; faults told in one case and no other: "
        f"{said['faults_told_in_one_case']}"
    )
    print(
        f"recall {said['recall']}, precision {said['precision']}, cause right {said['cause_right']}, not accounted for "
        f"{said['residual']}, false alarms {len(said['false_alarms'])}, control {said['control_recall']}, {seconds:.0f} s"
    )
    for goal, holds in said["goals"].items():
        print(f"  {'✓' if holds else '✗'} {goal}")
