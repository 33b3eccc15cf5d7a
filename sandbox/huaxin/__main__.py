"""Command line of the sample company: `python -m sandbox.huaxin build --doors DIR [--postgres DSN]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

_ABOUT = """\
华信精密装备 (Huaxin): the data of a made-up manufacturer, behind the doors a real company has.

  hx_sales       销售与客户    PostgreSQL database huaxin_sales
  hx_stock       仓储与生产    SQLite file
  hx_purchasing  采购          CSV files, GB18030, Chinese headers, one a month
  hx_finance     财务          Parquet and JSON exports
  hx_people      人事          Excel workbooks
"""
_BUILD = """\
Make the five doors. The same data gives the same files, byte for byte; a second build finds
everything in place and does nothing. Doors changed by hand are written anew.

examples:
  python -m sandbox.huaxin build --doors company
      the four file doors only
  python -m sandbox.huaxin build --doors company --postgres postgresql://postgres@127.0.0.1:5432/postgres
      all five; the database huaxin_sales is dropped and made again if its content differs
  PG=... python -m sandbox.huaxin build --doors company --postgres env:PG
      the same, and the server's password is not seen in the process list

Where everything is stands in DIR/doors.env (only you may read it: it holds the password of the
read-only login tieout_reader). To look around yourself:
  set -a; . company/doors.env; set +a; psql "$HX_SALES_DSN"
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns: 0 when every door asked for stands, 2 when not."""
    parser = argparse.ArgumentParser(
        "python -m sandbox.huaxin", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="build")
    build_command = commands.add_parser(
        "build",
        help="make the five doors (python -m sandbox.huaxin build --help says how)",
        description=_BUILD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build_command.add_argument(
        "--doors", type=Path, required=True, metavar="DIR", help="folder of the doors; made if missing"
    )
    build_command.add_argument(
        "--postgres",
        metavar="DSN",
        help="a superuser of a running PostgreSQL; without it hx_sales is left out",
    )
    build_command.add_argument(
        "--reader-password-file",
        type=Path,
        metavar="FILE",
        help="holds the password for tieout_reader (default: the one in doors.env, else a new one)",
    )
    build_command.add_argument("--force", action="store_true", help="write everything again")
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2

    from sandbox.huaxin.build import BuildError, build

    try:
        done = build(
            options.doors, _dsn(options.postgres), _password(options.reader_password_file), options.force
        )
    except (BuildError, OSError) as error:
        print(f"sandbox.huaxin: {error}", file=sys.stderr)
        return 2
    print(f"written: {', '.join(done.written) or 'nothing'}")
    print(f"already there: {', '.join(done.unchanged) or 'nothing'}")
    if options.postgres is None:
        print("hx_sales: left out, because --postgres was not given")
    print(f"addresses: {done.env_file}")
    return 0


def _dsn(text: str | None) -> str | None:
    if text is None or not text.startswith("env:"):
        return text
    name = text.removeprefix("env:")
    if name not in os.environ:
        raise OSError(f"--postgres {text}: the environment variable {name} is not set; nothing was built")
    return os.environ[name]


def _password(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
