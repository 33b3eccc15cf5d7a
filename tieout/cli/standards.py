"""`tieout standards …`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tieout.cli.errors import CommandError

if TYPE_CHECKING:
    from tieout.standards.conformance import Conformance, Lists
    from tieout.standards.dictionary import Dictionary, Element

app = typer.Typer(
    help="What a field is, wherever it occurs: the dictionary of elements, and which columns keep to it."
)


@app.callback(invoke_without_command=True)
def standards(context: typer.Context) -> None:
    """One dictionary says what a customer code, a quantity, a tax rate is: type, length, codes, unit, class, owner.

    \b
    tieout standards list                        every element, and how many columns of the systems are one
    tieout standards show quantity               one element: its rules, its columns, its codes
    tieout standards check                       every loaded column against its element
    tieout standards check --source hc_u8        only one system
    tieout standards check --element phone       only one element

    Elements are written in dbt_project/standards/*.yaml. Codes lie in dbt_project/seeds/standards: what each
    system prints for a standard code in code_map.csv and source_statuses.csv, with the days it holds.
    """
    if context.invoked_subcommand is None:
        list_elements()


@app.command("list")
def list_elements() -> None:
    """Every element of the dictionary, and how many columns of the contracts are one of it."""
    from sources.contract import read_sources
    from tieout.cli.show import heading, table
    from tieout.settings import settings

    dictionary, _ = _standard()
    tied = dictionary.tied(read_sources(settings().sources))
    columns: dict[str, int] = {}
    for item in tied:
        columns[item.element] = columns.get(item.element, 0) + 1
    heading(f"Data elements: {len(dictionary.elements)}, in {len(tied):,} columns of the systems")
    table(
        ["element", "名称", "name", "form", "codes", "unit", "class", "owner", "columns"],
        [
            (
                name,
                element.title.zh,
                element.title.en,
                element.form,
                _codes(element),
                element.unit or ("currency" if element.currency else ""),
                element.sensitivity,
                element.owner,
                columns.get(name, 0),
            )
            for name, element in dictionary.elements.items()
        ],
    )
    print(
        "\nNext: `tieout standards show ELEMENT` for one; `tieout standards check` for how the data keeps to them."
    )


@app.command("show")
def show(element: Annotated[str, typer.Argument(help="Its id: customer_code, quantity, tax_rate …")]) -> None:
    """One element: what it means, its rules, its codes, and every column that is one of it."""
    from sources.contract import read_sources
    from tieout.cli.show import heading, table
    from tieout.settings import settings
    from tieout.standards.conformance import STATUSES

    dictionary, lists = _standard()
    one = _known(dictionary, element)
    heading(f"{element}  {one.title.zh} / {one.title.en}")
    facts = {
        "means": f"{one.meaning.zh} / {one.meaning.en}",
        "form": one.form,
        "range": " to ".join("…" if item is None else f"{item:g}" for item in (one.min, one.max))
        if (one.min, one.max) != (None, None)
        else None,
        "pattern": one.pattern,
        "check digit": one.check_digit,
        "codes": _codes(one),
        "unit": "every column says its own" if one.unit == "stated" else one.unit,
        "currency": "every column says its own" if one.currency == "stated" else one.currency,
        "class": one.sensitivity,
        "owner": one.owner,
    }
    for name, value in facts.items():
        if value:
            print(f"  {name:<11} {value}")
    tied = [item for item in dictionary.tied(read_sources(settings().sources)) if item.element == element]
    heading(f"Columns: {len(tied)}")
    table(["column", "tied by"], [(item.place, item.how) for item in tied])
    if one.codes and one.codes.statuses:
        documents = {(item.place.split(".")[0], one.lists[item.place].document) for item in tied}
        rows = [
            (
                row["source_system"],
                row["document_type"],
                row["source_status"],
                row["status_code"],
                *_days(row["valid_from"], row["valid_to"]),
            )
            for row in lists.rows(STATUSES)
            if (row["source_system"], row["document_type"]) in documents
        ]
        heading(f"What systems print, and the standard code: {len(rows)}")
        table(["system", "document", "prints", "means", "from", "to"], rows)
    elif one.codes and one.codes.map:
        rows = [
            (system, prints, means, *_days(first, last))
            for system, prints, means, first, last in lists.translations(one.codes.map)
        ]
        heading(f"What systems print instead of a standard code: {len(rows)}")
        table(["system", "prints", "means", "from", "to"], rows)


@app.command("check")
def check(
    source: Annotated[str | None, typer.Option("--source", help="Only columns of this system.")] = None,
    element: Annotated[
        str | None, typer.Option("--element", help="Only columns that are this element.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also columns that conform.")] = False,
    csv: Annotated[bool, typer.Option(help="Print CSV instead of tables, every column.")] = False,
) -> None:
    """Every loaded column against its element: rows, conforming, not conforming and why, three examples, the owner.

    \b
    tieout standards check                      columns that do not keep to the standard, worst first
    tieout standards check --source hc_u8 --all one system, the conforming columns too
    tieout standards check --element phone
    tieout standards check --csv > conformance.csv

    Reasons: type, length, range, pattern, check digit, code list (the code is not on it, and no mapping translates
    it today), unit and currency (the contract does not say which, or names one no list has). Empty values are not
    judged here: what must be there is the contract's promise. Examples of personal columns are dotted.
    Units that a system prints with a product and that no list, card or ruling converts are listed below.
    Exit 0 everything conforms · 1 something does not.
    """
    from sources.contract import read_sources
    from tieout.cli.open import working_copy
    from tieout.cli.show import csv_rows, heading, table
    from tieout.settings import settings
    from tieout.standards.conformance import conformance, unconverted
    from tieout.standards.mappings import mapping_faults

    dictionary, lists = _standard()
    sources = read_sources(settings().sources)
    if source is not None and source not in sources:
        raise CommandError(f"no system {source!r}. There are {', '.join(sorted(sources))}.")
    if element is not None:
        _known(dictionary, element)
    wanted = [
        item
        for item in dictionary.tied(sources)
        if source in (None, item.source) and element in (None, item.element)
    ]
    faults = mapping_faults(lists, dictionary)
    with working_copy(settings()) as con:
        found = conformance(con, sources, dictionary, lists, wanted=wanted)
        units = unconverted(con, source) if element in (None, "unit_of_measure", "quantity") else []
    if csv:
        csv_rows(
            [
                "column",
                "element",
                "owner",
                "rows",
                "filled",
                "conforming",
                "reason",
                "not_conforming",
                "examples",
                "notes",
            ],
            [cells for line in found for cells in _csv(line)],
        )
    else:
        _print(found, faults, every)
        if units:
            heading(f"Units that do not convert to the product's base unit: {len(units)}")
            table(["system", "product", "prints", "unit", "base unit", "why", "lines"], units)
            print(
                "  What a steward rules goes into product_unit_conversions.csv; a unit the list lacks into uoms.csv."
            )
    sys.exit(1 if faults or units or not all(line.conforms for line in found) else 0)


def _print(found: list[Conformance], faults: list[str], every: bool) -> None:
    from tieout.cli.show import heading, table

    wrong = [line for line in found if not line.conforms]
    heading(f"Data standards: {len(found) - len(wrong):,} of {len(found):,} columns conform")
    shown = sorted(found if every else wrong, key=lambda line: (-(line.filled - line.conforming), line.place))
    if shown:
        table(
            ["column", "element", "rows", "filled", "conforming", "not conforming", "examples", "owner"],
            [
                (
                    line.place,
                    line.element,
                    line.rows,
                    line.filled,
                    line.conforming,
                    "; ".join((*(f"{name} {rows:,}" for name, rows in line.broken.items()), *line.faults)),
                    " | ".join(map(_seen, line.examples)),
                    line.owner,
                )
                for line in shown
            ],
        )
    for line in wrong:
        if line.notes:
            print(f"  {line.place}: {'; '.join(line.notes)}")
    if faults:
        heading(f"Mappings that lead nowhere: {len(faults)}")
        for fault in faults:
            print(f"  {fault}")
    if wrong:
        print(
            "\nNext: the owner mends the values in the system, or says the unit in sources/<source>/source.yaml; a code that"
            "\nis right gets a row in code_map.csv or source_statuses.csv (dbt_project/seeds/standards)."
        )


def _seen(text: str) -> str:
    """A blank at either end is what is wrong, so it must be seen."""
    return text if text == text.strip() else text.replace(" ", "␣")


def _csv(line: Conformance) -> list[tuple[object, ...]]:
    """A line a reason; a column that conforms has one without."""
    head = (line.place, line.element, line.owner, line.rows, line.filled, line.conforming)
    tail = (" | ".join(line.examples), "; ".join((*line.faults, *line.notes)))
    return [(*head, name, rows, *tail) for name, rows in line.broken.items()] or [(*head, "", 0, *tail)]


def _standard() -> tuple[Dictionary, Lists]:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from tieout.settings import settings
    from tieout.standards.conformance import Lists
    from tieout.standards.dictionary import read_dictionary

    folder = settings().dbt_project
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    return read_dictionary(folder / "standards"), Lists(folder / "seeds" / "standards", today)


def _known(dictionary: Dictionary, element: str) -> Element:
    from difflib import get_close_matches

    if element not in dictionary.elements:
        near = get_close_matches(element, dictionary.elements, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else " `tieout standards list` shows them all."
        raise CommandError(f"no element {element!r}.{hint}")
    return dictionary.elements[element]


def _codes(element: Element) -> str:
    codes = element.codes
    if codes is None:
        return ""
    if codes.seed or codes.divisions:
        return codes.seed or "cities of China"
    listed = [str(code) for code in codes.statuses or codes.values or ()]
    return " ".join(listed) if len(listed) <= 8 else f"{' '.join(listed[:7])} … ({len(listed)})"


def _days(first: str, last: str) -> tuple[str, str]:
    return first or "always", last or "open"
