"""Command line of 华辰精工: `python -m sandbox.huachen build|plant|faults|mend --doors DIR`."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from datetime import date
from pathlib import Path

_ABOUT = """\
华辰精工 (Huachen Precision): a made-up manufacturer with a shop and a foreign subsidiary, on the systems that companies
really have. `build` writes what each of them holds; `python -m sandbox.emulators serve` lets them answer; `plant` puts
faults into what they show, `faults` lists them, `mend` takes them all away.
"""
_BUILD = """\
The same seed and scale give the same company, byte for byte. A second build finds everything in place. With --until, the
systems hold what had happened up to that day; a build with a later day, or without, lets the same company live on.

examples:
  python -m sandbox.huachen build --doors huachen
  python -m sandbox.huachen build --doors huachen --scale 10 --seed 7
  python -m sandbox.huachen build --doors huachen --until 2025-06-30
  python -m sandbox.emulators serve --systems huachen/systems --env huachen/addresses.env
"""
_PLANT = """\
A fault changes what one system shows, never what truly happened. Its key (every row and field, the true and the shown
value, period and amount at stake) goes to answers/faults.json. The same seed on the same build plants the same.
The emulators may run meanwhile; who pulls only what changed since the last time sees a fault with the next full pull.

examples:
  python -m sandbox.huachen plant paid-twice --doors huachen
  python -m sandbox.huachen plant wrong-amount --count 5 --seed 7 --doors huachen
  python -m sandbox.huachen plant mix --doors huachen
"""
_FAULTS = "Every kind of fault in one line, and those that are planted now."
_MEND = "Builds the company anew with its seed, scale and last day; every planted fault is gone."


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns: 0 when everything stands, 2 when not."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except _expected() as error:
        print(f"sandbox.huachen: {error}", file=sys.stderr)
    except sqlite3.Error as error:
        print(
            f"sandbox.huachen: a system's store did not take the change ({error}). What stands now is not sure. Stop who "
            f"reads it and take everything back: python -m sandbox.huachen mend --doors {options.doors}",
            file=sys.stderr,
        )
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m sandbox.huachen", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="build|plant|faults|mend", required=True)

    def command(name: str, words: str, about: str, run) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=words, description=about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        made.add_argument("--doors", type=Path, required=True, metavar="DIR", help="folder of the company")
        made.set_defaults(run=run)
        return made

    made = command("build", "write what every system holds, and the answer key", _BUILD, _build)
    made.add_argument("--seed", type=int, default=2026, help="another seed is another company (default 2026)")
    made.add_argument(
        "--scale", type=int, default=1, help="how many times the business of the smallest (default 1)"
    )
    made.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="DAY",
        help="the last day that is known, such as 2025-06-30 (default: the end)",
    )
    made.add_argument("--postgres", metavar="DSN", help=_POSTGRES)
    made.add_argument("--force", action="store_true", help="write everything again")
    made = command("plant", "put faults into what the systems show", _PLANT, _plant)
    made.add_argument("kind", help="a kind that `faults` lists, or mix: some of every kind")
    made.add_argument("--count", type=int, default=1, help="how many (of each kind in a mix; default 1)")
    made.add_argument("--seed", type=int, default=1, help="another seed takes other rows (default 1)")
    made.add_argument(
        "--overlap", action="store_true", help="rather take rows that an earlier fault has changed"
    )
    command("faults", "list the kinds, and what is planted", _FAULTS, _faults)
    made = command("mend", "take every planted fault away", _MEND, _mend)
    made.add_argument("--postgres", metavar="DSN", help=_POSTGRES)
    return parser


_POSTGRES = "a superuser (or env:NAME) for the MES; without it there is no MES"


def _expected() -> tuple[type[Exception], ...]:
    from sandbox.huachen.build import BuildError
    from sandbox.huachen.faults import PlantError

    return BuildError, PlantError, OSError, ValueError


def _build(options: argparse.Namespace) -> int:
    return _make(options, options.seed, options.scale, options.until, force=options.force)


def _mend(options: argparse.Namespace) -> int:
    from sandbox.huachen.build import BUILT, BuildError

    try:
        before = json.loads((options.doors / BUILT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BuildError(
            f"there is no company in {options.doors}. Nothing was changed. Build it: "
            f"python -m sandbox.huachen build --doors {options.doors}"
        ) from None
    if before["mes"] and not options.postgres:
        raise BuildError(
            f"the company in {options.doors} has a MES in PostgreSQL. Nothing was changed. Say with --postgres where, as "
            f"when it was built."
        )
    until = before.get("until")
    return _make(options, before["seed"], before["scale"], until and date.fromisoformat(until), force=True)


def _make(options: argparse.Namespace, seed: int, scale: int, until: date | None, *, force: bool) -> int:
    from sandbox.huachen.build import build

    dsn = options.postgres
    if dsn and dsn.startswith("env:"):
        dsn = os.environ.get(dsn.removeprefix("env:"))
        if not dsn:
            print(f"sandbox.huachen: {options.postgres} is not set; nothing was built", file=sys.stderr)
            return 2
    done = build(options.doors, seed, scale, dsn, force, lambda line: print(line, flush=True), until)
    print(f"{'written' if done.written else 'already there'}: {done.folder}")
    return 0


def _plant(options: argparse.Namespace) -> int:
    from sandbox.huachen.faults import KEY_FILE, plant

    made = plant(options.doors, options.kind, options.count, options.seed, overlap=options.overlap)
    for fault in made:
        print(_line(fault))
    print(f"{len(made)} planted; their keys are in {options.doors / 'answers' / KEY_FILE}")
    return 0


def _faults(options: argparse.Namespace) -> int:
    from sandbox.huachen.faults import kinds, planted

    now = planted(options.doors)
    for kind in kinds():
        print(f"{kind.name:<26}{kind.zh}: {kind.en}")
    print(f"\nplanted now: {len(now)}")
    for fault in now:
        print(_line(fault))
    return 0


def _line(fault: dict) -> str:
    at_stake = f"{fault['period']}  {fault['amount']} {fault['currency']}" if fault["period"] else "-"
    return f"{fault['id']}  {fault['kind']:<26}{fault['system']}.{fault['table']}  {at_stake}"


if __name__ == "__main__":
    sys.exit(main())
