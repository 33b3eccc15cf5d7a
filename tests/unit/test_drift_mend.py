"""One edit in a contract: only that line changes, and what it means is read again before it is written."""

from __future__ import annotations

import difflib

import pytest

from sources.contract import ContractError, read_source
from tieout.ingest.drift.mend import add, drop, rename, retype
from tieout.settings import PROJECT
from tieout.strict import from_yaml

TEXT = """\
# The warehouse; quantities are REAL there.
source: wms
title: {zh: 仓库, en: Warehouse}
module: inventory
owner: warehouse
connector: sqlite
connection: {path: env:WMS}
class: L2
schedule: {cron: "15 2 * * *"}   # at night
streams:
  move:
    title: {zh: 移动, en: Moves}
    grain: one row per move
    from: stock_move
    key: [id]
    columns:
      id: {type: bigint, required: true}   # never reused
      quantity:   {type: "decimal(18, 4)", unit: unit, title: {zh: 数量, en: "Quantity, counted"}}
      # the state machine of the system
      state: {from: [状态, status], type: text, values: [draft, done]}
      unit:
        # a block, with its own comment
        type: bigint
        title:
          zh: 单位
          en: Unit
      company: {
        type: bigint,
        required: true,
      }
      note: {from: "说明: 备注", type: text}

    control: {kind: query, rows: true, sums: [quantity]}   # asked each night
  other:
    title: {zh: 其他, en: Other}
    grain: one row per thing
    from: other
    key: [id]
    columns: {id: {type: bigint, required: true}, quantity: {type: bigint}}
"""


@pytest.fixture
def contract(tmp_path):
    path = tmp_path / "wms" / "source.yaml"
    path.parent.mkdir()

    def write(text: str = TEXT):
        path.write_bytes(text.encode())
        return path

    return write


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as a person reads a diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_a_rename_is_one_entry_in_one_line(contract):
    path = contract()
    done = rename(path, "move", "quantity", "qty")
    line = (
        '      quantity:   {type: "decimal(18, 4)", unit: unit, title: {zh: 数量, en: "Quantity, counted"}}'
    )
    assert changed(TEXT, path.read_text()) == [
        f"-{line}",
        "+" + line.replace("{type", "{from: [qty, quantity], type", 1),
    ]
    assert read_source(path).streams["move"].source_names("quantity") == ("qty", "quantity")
    assert (done.before, done.column) == (line, "quantity")


def test_a_second_rename_goes_before_the_first(contract):
    path = contract()
    rename(path, "move", "状态", "state_code")  # named as the source calls it
    assert "      state: {from: [state_code, 状态, status], type: text" in path.read_text()
    rename(path, "move", "state", "status")  # back to an older name
    assert read_source(path).streams["move"].source_names("state") == ("status", "state_code", "状态")


def test_a_block_gets_a_line_and_keeps_its_comment(contract):
    path = contract()
    rename(path, "move", "unit", "uom")
    assert changed(TEXT, path.read_text()) == ["+        from: [uom, unit]"]


@pytest.mark.parametrize("new", ["数量", "qty: net", "a, b", "it's", "yes", "1", " x ", "#", "[x]", '"'])
def test_names_that_yaml_would_misread_are_quoted(contract, new):
    path = contract()
    rename(path, "move", "company", new)
    assert read_source(path).streams["move"].source_names("company") == (new, "company")


def test_a_name_that_was_quoted_is_replaced_whole(contract):
    path = contract()
    rename(path, "move", "note", "备注")
    assert '      note: {from: [备注, "说明: 备注"], type: text}' in path.read_text()


def test_lines_that_end_as_on_windows_still_do(contract):
    text = TEXT.replace("\n", "\r\n")
    path = contract(text)
    rename(path, "move", "unit", "uom")
    add(path, "move", "批号", "text")
    after = path.read_bytes().decode()
    assert after.count("\n") == after.count("\r\n") == text.count("\r\n") + 2


def test_a_type_is_replaced(contract):
    path = contract()
    retype(path, "move", "quantity", "text")
    assert "      quantity:   {type: text, unit: unit, title" in path.read_text()
    retype(path, "move", "unit", "decimal(18, 2)")
    assert '        type: "decimal(18, 2)"\n' in path.read_text()
    retype(path, "move", "quantity", "decimal(18, 2)")
    assert read_source(path).streams["move"].columns["quantity"].type == "decimal(18, 2)"


def test_a_column_is_appended_after_the_last_one(contract):
    path = contract()
    done = add(path, "move", "lot_no", "text")
    assert changed(TEXT, path.read_text()) == ["+      lot_no: {type: text}"]
    assert list(read_source(path).streams["move"].columns)[-1] == "lot_no"
    assert done.column == "lot_no"
    added = add(path, "move", "批号", "decimal(18, 2)")
    assert read_source(path).streams["move"].source_names(added.column) == ("批号",)
    add(path, "other", "lot", "text")
    assert list(read_source(path).streams["other"].columns) == ["id", "quantity", "lot"]


def test_a_column_is_dropped_with_its_lines(contract):
    path = contract()
    drop(path, "move", "unit")
    assert "unit" not in read_source(path).streams["move"].columns
    assert [line[0] for line in changed(TEXT, path.read_text())] == ["-"] * 6
    drop(path, "move", "company")
    assert (
        "\n      state: {from: [状态, status], type: text, values: [draft, done]}\n      note:"
        in path.read_text()
    )


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda path: rename(path, "move", "colour", "color"), "promises no column 'colour'"),
        (lambda path: rename(path, "moves", "quantity", "qty"), "no stream 'moves'"),
        (lambda path: rename(path, "move", "quantity", "id"), "two columns read the same source column"),
        (lambda path: retype(path, "move", "quantity", "money"), "unknown type 'money'"),
        (lambda path: retype(path, "move", "state", "{a: b}"), "unknown type"),
        (lambda path: add(path, "move", "quantity", "text"), "already reads quantity"),
        (lambda path: add(path, "move", "x", "text", column="unit"), "already has a column unit"),
        (lambda path: add(path, "move", "x", "text", column="批号"), "not a lower-case ASCII identifier"),
        (lambda path: drop(path, "move", "quantity"), "control names unknown columns"),
        (lambda path: drop(path, "move", "id"), "key column 'id'"),
        (lambda path: drop(path, "other", "quantity"), "by hand"),
    ],
)
def test_an_edit_that_would_break_the_contract_changes_nothing(contract, edit, says):
    path = contract()
    with pytest.raises(ContractError, match=says):
        edit(path)
    assert path.read_text() == TEXT
    assert list(path.parent.iterdir()) == [path]


def test_an_anchor_would_change_another_column_too_and_is_refused(contract):
    shared = TEXT.replace("      unit:\n", "      unit: &one\n").replace(
        '      note: {from: "说明: 备注", type: text}', "      note: *one"
    )
    path = contract(shared)
    with pytest.raises(ContractError, match="Nothing was changed"):
        rename(path, "move", "note", "remark")
    assert path.read_text() == shared


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "sources").glob("*/source.yaml")), ids=lambda path: path.parent.name
)
def test_every_column_of_every_contract_can_be_renamed(path, tmp_path):
    """The last column of each stream, on a copy; judged by comparing what both files say."""
    copy = tmp_path / path.parent.name / "source.yaml"
    copy.parent.mkdir()
    text = path.read_text()
    copy.write_text(text)
    stream, promised = list(read_source(path).streams.items())[-1]
    column = list(promised.columns)[-1]
    rename(copy, stream, column, "新名")
    before, after = from_yaml(text), from_yaml(copy.read_text())
    assert after["streams"][stream]["columns"][column].pop("from") == ["新名", *promised.source_names(column)]
    before["streams"][stream]["columns"][column].pop("from", None)
    assert before == after
    assert len(changed(text, copy.read_text())) <= 2
