"""The sheet a department fills in: headers that are understood, examples, and how to write it, in both languages."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tieout.claimed.errors import ClaimedFileError
from tieout.claimed.words import Vocabulary
from tieout.metrics.answer import Catalogued

HEADERS = ("部门", "指标", "期间", "公司", "数值", "含税", "备注")
_INSTRUCTIONS = (
    ("一行一个数。指标写名称、标题，或本部门惯用的词；见「指标 metrics」页。",
     "One figure a line. Name the metric by its name, its title, or the word your department uses; see sheet 指标 metrics."),
    ("期间：2025-11、2025年11月、2025Q4、2025；本部门的月若从 26 日到 25 日，写 2025-10-26 至 2025-11-25。",
     "Period: 2025-11, 2025Q4, 2025; if your month runs from the 26th to the 25th, write 2025-10-26 to 2025-11-25."),
    ("数值：3974044.86、397.40万、(1,234.50) 都可以；空着表示没有上报，不是零。",
     "Value: 3974044.86, 397.40万 and (1,234.50) are all fine; an empty cell is no figure, not zero."),
    ("可加维度列，只对该成员核对：公司、客户、产品、仓库、供应商……写编码或全名。",
     "Add columns to limit a figure: 公司, 客户, 产品, 仓库, 供应商, or customer_code and the like; codes or full names."),
    ("月份也可以横排：一列一个月（2025-11、2025-12……），不写期间和数值两列。",
     "Months may stand across: one column a month, instead of the columns 期间 and 数值."),
    ("附上单据最好：加一列单据号，每张单据一行；差额会逐单对出来。",
     "Best of all, list the documents: a column 单据号, one line each; differences are then found document by document."),
    ("核对：tieout report check 本文件 --by 部门", "Compare: tieout report check THIS_FILE --by DEPARTMENT"),
)  # fmt: skip


def write_template(file: Path, words: Vocabulary | None, department: str = "") -> None:
    """Write a template: a workbook with instructions and the metrics there are, or a CSV with the header alone.

    Args:
        words: Of the published metrics; None if nothing is published yet.
        department: Fills the first column of the example.

    Raises: ClaimedFileError if the file exists or is neither .xlsx nor .csv; nothing is written.
    """
    if file.exists():
        raise ClaimedFileError(f"{file} exists. Nothing was written. Give another name.")
    known = [known.metric for known in words.metrics.values()] if words else []
    examples = _examples(known, department)
    match file.suffix.lower():
        case ".xlsx":
            _workbook(file, examples, known, words)
        case ".csv":
            with file.open("w", encoding="utf-8-sig", newline="") as lines:
                csv.writer(lines).writerows([HEADERS, *examples])
        case other:
            raise ClaimedFileError(
                f"{other or file.name!r}: a template is .xlsx or .csv. Nothing was written."
            )


def _examples(known: Sequence[Catalogued], department: str) -> list[tuple[str, ...]]:
    label = next((metric.label for metric in known if metric.owner == department), "")
    label = label or (known[0].label if known else "销售订单额（不含税）")
    return [
        (department, label, "2025-11", "", "", "", "示例：填上数值 / example: fill in the value"),
        (
            department,
            label,
            "2025-10-26 至 2025-11-25",
            "",
            "",
            "",
            "示例：26 日到 25 日 / example: 26th to 25th",
        ),
    ]


def _workbook(
    file: Path, examples: Sequence[Sequence[str]], known: Sequence[Catalogued], words: Vocabulary | None
) -> None:
    import openpyxl
    from openpyxl.styles import Font

    bold = Font(bold=True)
    book = openpyxl.Workbook()
    figures, told, metrics = (
        book.worksheets[0],
        book.create_sheet("说明 how to"),
        book.create_sheet("指标 metrics"),
    )
    figures.title = "上报 figures"
    for row in (HEADERS, *examples):
        figures.append(row)
    for pair in _INSTRUCTIONS:
        told.append(pair)
    metrics.append(
        (
            "名称 name",
            "标题 title",
            "代替的词 words it replaces",
            "税 tax",
            "单位 unit",
            "维度 limits it takes",
        )
    )
    for metric in known:
        replaced = "、".join(words.metrics[metric.name].replaces) if words else ""
        metrics.append(
            (metric.name, metric.label, replaced, metric.tax, metric.unit, ", ".join(metric.dimensions))
        )
    for sheet, widths in (
        (figures, (12, 28, 28, 18, 18, 8, 40)),
        (told, (70, 90)),
        (metrics, (36, 28, 40, 10, 14, 80)),
    ):
        for place, width in enumerate(widths):
            sheet.column_dimensions["ABCDEFG"[place]].width = width
        if sheet is not told:
            sheet.freeze_panes = "A2"
            for cell in sheet[1]:
                cell.font = bold
    book.save(file)
