"""CSV: whatever Python's own reader makes of a text is what lands, with the line each record begins in."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deliveries import delivered, read
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files import delimited, letters

CELL = st.text(st.sampled_from("运单号，一😀ab \"',;\t|=+@-\n\r\u2028\x85\ufeff\x0b"), max_size=6)
HEADER = ["编号", "数量", "备注"]
COLUMNS = {"no": "编号", "note": "备注", "qty": "数量"}
LINE_END = re.compile(r"\r\n|\r|\n")


def columns(delivery):
    parsed, rows = read(delivery)
    assert parsed.rows == len(rows)
    return rows


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of a few bytes, so that every border falls everywhere."""

    def cut(size):
        monkeypatch.setattr(letters, "PIECE", size)

    return cut


@settings(max_examples=80, deadline=None)
@given(
    table=st.lists(st.tuples(CELL, CELL, CELL), max_size=12),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-32"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    delimiter=st.sampled_from([",", ";", "\t", "|", "，"]),
    piece=st.sampled_from([3, 8, 50, 400, letters.PIECE]),
)
def test_a_table_written_by_python_comes_back(tmp_path_factory, table, encoding, quoting, delimiter, piece):
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(HEADER)
    expected = []
    for no, qty, note in table:
        line = len(LINE_END.findall(text.getvalue())) + 1
        writer.writerow([no, qty, note])
        expected.append((line, no or None, note or None, qty or None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "PIECE", piece)
        folder = tmp_path_factory.mktemp("csv")
        form = {"kind": "csv", "encoding": encoding, "delimiter": delimiter}
        assert (
            columns(delivered(folder, "a.csv", text.getvalue().encode(encoding), form, COLUMNS)) == expected
        )


def verdict_of_python(text: str) -> list[tuple] | None:
    """The rows of any text below its header as Python's reader says, or None where it or the width refuses."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return rows[1:]
            if cells and len(cells) != 2:
                return None
            if cells:
                rows.append((line, *(cell or None for cell in cells)))
    except csv.Error:
        return None


@settings(max_examples=250, deadline=None)
@given(
    text=st.text(st.sampled_from('ab,,""\n\r一'), max_size=40),
    piece=st.sampled_from([2, 5, 17, letters.PIECE]),
)
def test_any_text_is_read_or_refused_as_python_does(tmp_path_factory, text, piece):
    text = f"no,qty\n{text}\n"
    expected = verdict_of_python(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "PIECE", piece)
        delivery = delivered(
            tmp_path_factory.mktemp("any"),
            "a.csv",
            text.encode(),
            {"kind": "csv"},
            {"no": "no", "qty": "qty"},
        )
        if expected is None:
            with pytest.raises(SourceError, match="Nothing of it was loaded"):
                read(delivery)
        else:
            assert columns(delivery) == expected


def test_regular_pieces_do_not_need_the_slow_reader(tmp_path, monkeypatch):
    """Quoted values with line breaks and doubled quotes stay on the fast way to the end."""
    seen = []
    add = delimited.Rows.add
    monkeypatch.setattr(delimited.Rows, "add", lambda self, *a: (seen.append(a), add(self, *a)))
    content = "no,qty\n" + '"a\n""b""",1\n\nplain,2\r\n' * 1000
    rows = columns(
        delivered(tmp_path, "a.csv", content.encode(), {"kind": "csv"}, {"no": "no", "qty": "qty"})
    )
    assert rows[:3] == [(2, 'a\n"b"', "1"), (5, "plain", "2"), (6, 'a\n"b"', "1")]
    assert len(rows) == 2000
    assert seen == []


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"no,qty\na,1\nb,2", "utf-8", "the last line does not end: the file was cut in the middle"),
        ("no,qty\na,1\nb,运".encode("gb18030")[:-1], "gb18030", "cut in the middle"),
        ("no,qty\na,1\nb,2\n".encode("utf-16")[:-1], "utf-16", "cut in the middle"),
        (b"no,qty\na,1\nb\n", "utf-8", "line 3: has 1 values, the header has 2"),
        (b'no,qty\n"a\n\n",1\nb,2,3\n', "utf-8", "line 5: has 3 values, the header has 2"),
        (b'no,qty\n"a"b,1\n', "utf-8", "line 2: ',' expected after '\"'"),
        (b'no,qty\na,1\n"b,2\n', "utf-8", "line 3"),
        (b"no,qty\na,1\nb,\x00\n", "utf-8", "line 3: holds a NUL byte"),
        ("no,qty\na,运\n".encode("gb18030"), "utf-8", "byte 0xd4 at position 9.*it reads as gb18030"),
        ("no,qty\na,1\n".encode("utf-8-sig"), "gb18030", "begins with the mark of utf-8.*it reads as utf-8"),
        ("no,qty\na,1\n".encode("utf-16"), "utf-8", "begins with the mark of utf-16.*it reads as utf-16"),
        (b"no,qty,no\na,1,b\n", "utf-8", "more than one column no"),
        (b"", "utf-8", "has no header line 1"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(tmp_path, content, encoding, words):
    form = {"kind": "csv", "encoding": encoding}
    with pytest.raises(SourceError, match=words) as refused:
        read(delivered(tmp_path, "运单.csv", content, form, {"no": "no", "qty": "qty"}))
    assert str(refused.value).startswith("tms.waybill: 运单.csv")
    assert "what was loaded before stays" in str(refused.value)


def test_the_place_of_a_wrong_byte_is_exact_across_pieces(tmp_path, small_pieces):
    small_pieces(5)
    content = b"no,qty\n" + "运单号,1\n".encode() * 20 + b"\xff,1\n"
    with pytest.raises(SourceError, match=f"byte 0xff at position {len(content) - 4}"):
        read(delivered(tmp_path, "a.csv", content, {"kind": "csv"}, {"no": "no", "qty": "qty"}))


def test_a_value_that_never_ends_is_refused_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LARGEST_VALUE", 200_000)
    content = b'no,qty\n"' + b"x" * 1_000_000 + b'",1\n'
    try:
        with pytest.raises(SourceError, match="line 2: a value is larger than"):
            read(delivered(tmp_path, "a.csv", content, {"kind": "csv"}, {"no": "no", "qty": "qty"}))
    finally:
        csv.field_size_limit(16 * 2**20)


def test_a_large_value_is_kept_whole(tmp_path):
    text = "运" * 1_000_000
    (row,) = columns(
        delivered(
            tmp_path, "a.csv", f'no,qty\n"{text}\n",1\n'.encode(), {"kind": "csv"}, {"no": "no", "qty": "qty"}
        )
    )
    assert row == (2, text + "\n", "1")


def test_formulas_thousands_and_blanks_stay_what_they_are(tmp_path):
    values = [
        "=cmd|' /C calc'!A0",
        "+1+2",
        "@SUM(A1)",
        "-5",
        "1,234.50",
        "00123",
        " x ",
        "NULL",
        "\\N",
        "nan",
    ]
    text = io.StringIO()
    csv.writer(text).writerows([["no", "qty"], *([str(n), value] for n, value in enumerate(values))])
    rows = columns(
        delivered(tmp_path, "a.csv", text.getvalue().encode(), {"kind": "csv"}, {"no": "no", "qty": "qty"})
    )
    assert [row[2] for row in rows] == values


def test_the_header_is_found_below_a_title_and_the_total_ends_the_data(tmp_path):
    content = "运单清单,,\r\n\r\n编号,数量,备注\r\nA,1,\r\nB,2,x\r\n合计,3,\r\n制表人 王,,\r\n"
    form = {"kind": "csv", "header_row": "find", "footer": "合计"}
    parsed, rows = read(delivered(tmp_path, "a.csv", content.encode(), form, COLUMNS))
    assert rows == [(4, "A", None, "1"), (5, "B", "x", "2")]
    assert parsed.footer == {"编号": "合计", "备注": None, "数量": "3"}
    with pytest.raises(SourceError, match="has no row 合计: it was cut short"):
        read(delivered(tmp_path, "b.csv", content[: content.index("合计")].encode(), form, COLUMNS))


def test_a_renamed_column_still_loads_under_the_name_it_has(tmp_path):
    columns_ = {"no": {"from": ["编号", "单号"]}, "qty": "数量"}
    parsed, rows = read(
        delivered(tmp_path, "a.csv", "单号,数量,新列\nA,1,z\n".encode(), {"kind": "csv"}, columns_)
    )
    assert parsed.columns == {"单号": "text", "数量": "text"}
    assert parsed.declared == {"单号": "text", "数量": "text", "新列": "text"}
    assert rows == [(2, "A", "1")]
