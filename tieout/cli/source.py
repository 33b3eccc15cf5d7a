"""`tieout source …`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tieout.ingest.drafting import Draft

app = typer.Typer(
    help="Connect a system: draft its contract from what it says of itself; switch it on and off."
)


@app.callback()
def source() -> None:
    """Connect a system: draft its contract from what it says of itself; switch it on and off."""


@app.command("draft")
def draft(
    name: Annotated[str, typer.Argument(help="Name of the source: lower-case ASCII, such as erp.")],
    connector: Annotated[str, typer.Option(help="postgres, mysql (MariaDB too) or sqlite.")],
    dsn: Annotated[
        str | None,
        typer.Option(
            help="Reference to the connection: env:NAME, file:PATH or secret:NAME. Never the password itself."
        ),
    ] = None,
    path: Annotated[str | None, typer.Option(help="SQLite: the file, or a reference to it.")] = None,
    schema: Annotated[
        str | None,
        typer.Option(help="Schema to read (PostgreSQL: public; MySQL: the connection's database)."),
    ] = None,
    tables: Annotated[
        str,
        typer.Option(help="Tables, separated by commas; % stands for any characters. Views by full name."),
    ] = "%",
    out: Annotated[
        str | None, typer.Option(help="File to write; - prints. Without it sources/NAME/source.yaml.")
    ] = None,
    module: Annotated[str, typer.Option(help="Business module, such as finance.")] = "general",
    owner: Annotated[str, typer.Option(help="Who answers for the system.")] = "data",
    title: Annotated[str | None, typer.Option(help="Title of the system, Chinese/English.")] = None,
) -> None:
    """Write a complete contract from a database's catalogue and a look at its rows (read-only).

    Every table becomes a stream that works at once: key, types, required columns, control totals asked of the
    database itself. Names become ASCII, the originals stay in `from`. What only people know is proposed with a
    remark: read it, then run `tieout sync` and `tieout refresh`. Nothing that exists is overwritten.

    \b
    tieout source draft erp --connector postgres --dsn env:ERP_DSN
    tieout source draft erp --connector postgres --dsn env:ERP_DSN --tables 'sale_%,party_party' --out -
    tieout source draft wms --connector mysql --dsn secret:wms_dsn --owner logistics --title 仓储/Warehouse
    tieout source draft pos --connector sqlite --path /data/pos.db
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.drafting import DRAFTED, Wanted
    from tieout.ingest.drafting import draft as make

    kind = next((item for item in DRAFTED if item == connector), None)
    if kind is None:
        raise CommandError(f"--connector {connector}: use one of {', '.join(DRAFTED)}. Nothing was drafted.")
    place = path if kind == "sqlite" else dsn
    if place is None:
        raise CommandError(f"{kind} needs {'--path' if kind == 'sqlite' else '--dsn'}. Nothing was drafted.")
    target = _target(name, out)
    zh, _, en = (title or "").partition("/")
    made = make(
        Wanted(
            name=name,
            connector=kind,
            place=place,
            schema=schema,
            tables=tuple(item.strip() for item in tables.split(",") if item.strip()),
            module=module,
            owner=owner,
            title_zh=zh or None,
            title_en=en or zh or None,
        )
    )
    _hand_over(made, target)


@app.command("add")
def add(
    vendor: Annotated[str | None, typer.Argument(help="Vendor; without it: which there are.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the source; the vendor's, if not given.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of the system, or a reference to it (env:NAME).")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value; a secret as a reference (env:NAME, file:PATH, secret:NAME). Repeatable."
        ),
    ] = None,
    objects: Annotated[
        str,
        typer.Option(help="Objects (forms, bills, sheets …) by their ids, separated by commas; none: all."),
    ] = "",
    out: Annotated[
        str | None, typer.Option(help="File to write; - prints. Without it sources/NAME/source.yaml.")
    ] = None,
    module: Annotated[str | None, typer.Option(help="Business module, such as finance.")] = None,
    owner: Annotated[str, typer.Option(help="Who answers for the system.")] = "data",
    title: Annotated[str | None, typer.Option(help="Title of the system, Chinese/English.")] = None,
) -> None:
    """Connect a vendor's system: log in, read its metadata (forms, fields, bills), write a contract that loads.

    What is not given is asked for. Secrets are given as references and never stored. Chinese field names become
    ASCII ids, the originals stay as titles; types, keys, cursors and personal data are proposed, guesses say so.
    Read it, then run `tieout sync` and `tieout refresh --only NAME`.

    \b
    tieout source add                                     which vendors there are, and what each asks for
    tieout source add kingdee --url https://erp.example.com --option acct_id=66f1 --option user=tieout \\
        --option app_id=350000_x --option app_secret=env:KINGDEE_SECRET --objects SAL_SaleOrder,GL_VOUCHER
    tieout source add jiandaoyun --option api_key=secret:jdy_key --out -
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor, known
    from tieout.settings import settings

    if vendor is None:
        _vendors()
        return
    chosen = known(vendor)
    given = dict(item.partition("=")[::2] for item in option or ())
    if wrong := [item for item in option or () if "=" not in item]:
        raise CommandError(f"--option {wrong[0]}: write name=value. Nothing was drafted.")
    source = name or vendor
    target = _target(source, out)
    url = url or chosen.url or typer.prompt(f"{chosen.zh} / {chosen.en}: address (https://…)")
    for item in chosen.options:
        if item.name not in given and item.default is None:
            hint = ", a reference such as env:NAME, never the secret itself" if item.secret else ""
            example = f", such as {item.example}" if item.example else ""
            given[item.name] = typer.prompt(f"{item.name}: {item.zh} / {item.en}{hint}{example}")
    zh, _, en = (title or "").partition("/")
    wanted = VendorWanted(
        source, vendor, url, given, tuple(part.strip() for part in objects.split(",") if part.strip()), module, owner,
        zh or None, en or zh or None,
    )  # fmt: skip
    _hand_over(draft_vendor(wanted, settings().home / "manners"), target)


def _vendors() -> None:
    from sources.connectors import CONNECTORS, connector_for

    for vendor in sorted(CONNECTORS):
        one = connector_for(vendor)
        asked = ", ".join(
            option.name + ("*" if option.secret else "") + ("" if option.default is None else "?")
            for option in one.options
        )
        typer.echo(f"{vendor:<12} {one.zh} / {one.en}\n{'':<12} {asked or 'no options'}")
    typer.echo("\n* a secret, given as a reference · ? may be left out")


@app.command("off")
def off(
    names: Annotated[list[str], typer.Argument(help="Sources; * stands for any characters ('hc_*').")],
    reason: Annotated[str, typer.Option(help="Why, for those who ask later.")],
    by: Annotated[str | None, typer.Option(help="Who switches it off; the login, if not given.")] = None,
    unused: Annotated[
        bool,
        typer.Option(
            "--unused", help="They are no part of this installation: nothing is said to be without them."
        ),
    ] = False,
) -> None:
    """Switch sources off: they are not asked, their tables stay as they are (empty, if never loaded). Nothing breaks.

    What is published meanwhile says what it is without, and is not certified; with --unused nobody waits for them.

    \b
    tieout source off hc_jira --reason "its turn is in March"
    tieout source off 'hc_*' --unused --reason "another company"
    """
    import getpass
    from datetime import UTC, datetime

    from sources.contract import read_sources
    from tieout.ingest.switches import switch_off
    from tieout.settings import settings

    here = settings()
    done = switch_off(
        here.home,
        read_sources(here.sources),
        names,
        by or getpass.getuser(),
        reason,
        datetime.now(UTC),
        unused=unused,
    )
    typer.echo(f"switched off: {', '.join(done)}" if done else "they were off already; nothing was changed")


@app.command("on")
def on(names: Annotated[list[str], typer.Argument(help="Sources; * stands for any characters.")]) -> None:
    """Switch sources on again; the next refresh asks them."""
    from sources.contract import read_sources
    from tieout.ingest.switches import switch_on
    from tieout.settings import settings

    done = switch_on(settings().home, read_sources(settings().sources), names)
    typer.echo(f"switched on: {', '.join(done)}" if done else "they were on already; nothing was changed")


@app.command("list")
def every() -> None:
    """Every source: module, vendor, streams, owner, and whether it is switched off, by whom and why."""
    from sources.contract import read_sources
    from tieout.cli.show import table
    from tieout.ingest.switches import switched_off
    from tieout.settings import settings

    here = settings()
    away = switched_off(here.home)
    rows = []
    for name, one in read_sources(here.sources).items():
        item = away.get(name)
        away_as = "unused" if item and item.unused else "off"
        state = f"{away_as} since {item.at[:10]} ({item.by}: {item.reason})" if item else "on"
        rows.append(
            (name, one.title.zh, one.module, one.vendor or one.connector, len(one.streams), one.owner, state)
        )
    table(["source", "system", "module", "door", "streams", "owner", "state"], rows)


def _target(name: str, out: str | None) -> Path | None:
    """Where the draft goes; None: it is printed."""
    from tieout.cli.errors import CommandError
    from tieout.settings import settings

    target = None if out == "-" else Path(out) if out else settings().sources / name / "source.yaml"
    if target is not None and target.exists():
        raise CommandError(
            f"{target} exists, and people may have worked on it. Nothing was drafted. "
            f"Draft elsewhere (--out new.yaml, or --out - to look) and compare."
        )
    return target


def _hand_over(made: Draft, target: Path | None) -> None:
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    if target is None:
        typer.echo(made.text, nl=False)
        return
    _write(target, made.text)
    typer.echo(
        f"{target}: {made.streams} streams, {made.columns} columns. Read it, then run: tieout sync, tieout refresh"
    )


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)
