"""`tieout process …`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sources.processes import Process

app = typer.Typer(
    help="How work should go between departments: drawings in and out, and what is wrong with them."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="For example order_to_cash.")]


@app.callback()
def process() -> None:
    """How work should go between departments: drawings in and out, and what is wrong with them."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .bpmn (or .xml) or a .vsdx file.")],
    name: Annotated[
        str | None, typer.Option(help="What to call the process: lower-case ASCII, such as order_to_cash.")
    ] = None,
    page: Annotated[str | None, typer.Option(help="Visio: the page, if there are several.")] = None,
    out: Annotated[
        str | None, typer.Option(help="File to write; - prints. Without it sources/processes/NAME.yaml.")
    ] = None,
) -> None:
    """Draft sources/processes/NAME.yaml from a BPMN 2.0 or Visio drawing.

    Lanes become owners. A flow from one lane to another becomes a hand-off with a limit (`sla_hours` of the
    drawing, else a proposal, marked) and an accountable owner. Lines Visio did not glue are guessed and marked.
    What is missing is said; nothing that exists is overwritten.

    \b
    tieout process import 采购流程.bpmn --name purchase_to_pay
    tieout process import flows.vsdx --page 订单 --name order_to_cash --out -
    """
    from sources.processes import ProcessError, process_in
    from tieout.cli.errors import CommandError
    from tieout.process.bpmn import read_bpmn
    from tieout.process.draft import draft, proposed
    from tieout.process.visio import read_visio
    from tieout.process.words import identifier
    from tieout.settings import settings

    if name is not None and identifier(name) != name:
        raise CommandError(
            f"--name {name}: use lower-case ASCII letters, digits and _, such as order_to_cash. Nothing was imported."
        )
    suffix = file.suffix.lower()
    if suffix in {".bpmn", ".xml", ".bpmn20"}:
        drawing = read_bpmn(file, name)
    elif suffix in {".vsdx", ".vsdm"}:
        drawing = read_visio(file, name, page)
    else:
        old = " Open it in Visio 2013 or later and save it as .vsdx." if suffix == ".vsd" else ""
        raise CommandError(
            f"{file.name}: only .bpmn, .xml and .vsdx drawings can be read.{old} Nothing was imported."
        )
    made = proposed(drawing.process)
    text = draft(made, file.name)
    target = None if out == "-" else Path(out) if out else settings().processes / f"{made.name}.yaml"
    if target is not None and target.exists():
        raise CommandError(
            f"{target} exists, and people may have worked on it. Nothing was imported. "
            f"Draft elsewhere (--out new.yaml, or --out - to look) and compare."
        )
    for note in drawing.notes:
        typer.echo(f"note: {note}", err=True)
    try:
        process_in(text, "the draft")
    except ProcessError as error:
        typer.echo(f"note: {error}\nMend these lines of the draft by hand.", err=True)
    if target is None:
        typer.echo(text, nl=False)
        return
    _write(target, text.encode())
    typer.echo(
        f"{target}: {len(made.nodes)} steps, {len(made.hand_offs)} hand-offs. "
        f"Read it, then run: tieout process check {made.name}"
    )


@app.command("export")
def export(
    name: Name,
    out: Annotated[
        str | None, typer.Option(help="File to write; - prints. Without it NAME.bpmn here.")
    ] = None,
) -> None:
    """Write a process as BPMN 2.0 XML, with lanes and a diagram, for any BPMN tool to open.

    \b
    tieout process export order_to_cash
    tieout process export order_to_cash --out - | less
    """
    from tieout.cli.errors import CommandError
    from tieout.process.bpmn_write import bpmn

    content = bpmn(_named(name))
    if out == "-":
        typer.echo(content.decode(), nl=False)
        return
    target = Path(out) if out else Path(f"{name}.bpmn")
    if target.exists() and target.read_bytes() != content:
        raise CommandError(
            f"{target} exists and says something else; it may have been edited in a BPMN tool. Nothing was written. "
            f"Bring it in with `tieout process import`, or say another --out."
        )
    _write(target, content)
    typer.echo(f"{target}: written")


@app.command("check")
def check(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One; all without it.")] = None,
) -> None:
    """What is wrong with the processes as designed: dead ends, nobody's steps, hand-offs no system sees.

    \b
    tieout process check                  every process
    tieout process check order_to_cash

    Critical: the process cannot run as drawn. Warning: it can, but cannot be trusted or measured.
    Exit code: 0 nothing critical · 1 something critical · 3 a file does not keep the contract format
    """
    from sources.contract import read_sources
    from sources.processes import read_processes
    from tieout.cli.show import heading, table
    from tieout.process.checks import findings
    from tieout.settings import settings

    here = settings()
    wanted = {name: _named(name)} if name else read_processes(here.processes)
    if not wanted:
        print(f"no process in {here.processes}; draft one: tieout process import FILE.bpmn")
        return
    sources = read_sources(here.sources)
    found = [(each, item) for each, drawn in wanted.items() for item in findings(drawn, sources)]
    critical = sum(item.severity == "critical" for _, item in found)
    hand_offs = sum(len(drawn.hand_offs) for drawn in wanted.values())
    heading(
        f"{len(wanted)} processes, {hand_offs} hand-offs, each with a limit and an owner: "
        f"{critical} critical findings, {len(found) - critical} warnings"
    )
    if found:
        table(
            ["process", "severity", "at", "finding", "发现"],
            [(each, item.severity, item.at, item.en, item.zh) for each, item in found],
        )
    sys.exit(1 if critical else 0)


@app.command("show")
def show(name: Name) -> None:
    """A process as tables: the steps with who does them, and the hand-offs with limit and owner.

    \b
    tieout process show order_to_cash
    """
    from tieout.cli.show import heading, table

    drawn = _named(name)
    heading(f"{drawn.name}  {drawn.title} / {drawn.title_en}")
    table(
        ["step", "title", "kind", "lane", "owner", "seen in"],
        [
            (
                node.id,
                node.name or None,
                node.kind.replace("_", " "),
                drawn.title_of(drawn.place_of(node.id)),
                drawn.owner_of(node.id),
                ", ".join(f"{event.system} {event.type}" for event in node.events) or None,
            )
            for node in drawn.nodes.values()
        ],
    )
    heading(f"Hand-offs: {len(drawn.hand_offs)}")
    table(
        ["from", "lane", "to", "lane", "limit", "accountable", "agreed"],
        [
            (
                drawn.title_of(edge.source),
                drawn.title_of(drawn.place_of(edge.source)),
                drawn.title_of(edge.target),
                drawn.title_of(drawn.place_of(edge.target)),
                edge.limit,
                edge.owner,
                not edge.proposed,
            )
            for edge in drawn.hand_offs
        ],
    )


def _named(name: str) -> Process:
    from sources.processes import read_process
    from tieout.cli.errors import CommandError
    from tieout.settings import settings

    folder = settings().processes
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in folder.glob("*.yaml"))) or "none yet"
        raise CommandError(
            f"there is no process {name!r} (known: {known}). Draft it: tieout process import FILE"
        )
    return read_process(path)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(content)
    part.replace(target)
