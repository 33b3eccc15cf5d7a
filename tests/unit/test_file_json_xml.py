"""JSON, JSON lines, XML and Parquet: exact values, bounded memory, and a refusal that says where."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deliveries import delivered, read
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files import letters, objects, rows

COLUMNS = {"no": "单号", "qty": "数量"}


def of_json(tmp_path, text: str | bytes, form: dict | None = None, columns=None):
    content = text.encode() if isinstance(text, str) else text
    return read(
        delivered(tmp_path, "运单.json", content, {"kind": "json", **(form or {})}, columns or COLUMNS)
    )


def of_xml(tmp_path, text: str | bytes, columns=None, **form):
    content = text.encode() if isinstance(text, str) else text
    return read(
        delivered(
            tmp_path, "运单.xml", content, {"kind": "xml", "records": "row", **form}, columns or COLUMNS
        )
    )


def test_numbers_keep_their_digits_and_nested_values_become_json(tmp_path):
    text = """[{"单号": "A", "数量": 1.10, "x": null}, {"数量": 12345678901234567890.12345678901234567890, "单号": "B"},
               {"单号": true, "数量": {"值": 1.00, "列": [1e400, "\\"", null, false]}}, {"单号": "", "数量": []}]"""
    parsed, found = of_json(tmp_path, text)
    assert found == [
        (1, "A", "1.10"),
        (2, "B", "12345678901234567890.12345678901234567890"),
        (3, "true", '{"值":1.00,"列":[1e400,"\\"",null,false]}'),
        (4, None, "[]"),
    ]
    assert parsed.declared == {"单号": "text", "数量": "text", "x": "text"}


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[],:一😀\n', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab一", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    items=st.lists(st.fixed_dictionaries({"单号": VALUE}, optional={"数量": VALUE}), max_size=6),
    beside=VALUE,
    indent=st.sampled_from([None, 1]),
    piece=st.sampled_from([1, 4, 30, letters.PIECE]),
    held=st.sampled_from([1, 2, 20_000]),
)
def test_what_python_wrote_comes_back(tmp_path_factory, items, beside, indent, piece, held):
    document = {"code": beside, "data": {"n": 12, "items": items}, "after": beside}
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "PIECE", piece)
        patch.setattr(rows, "HELD_ROWS", held)
        columns = {"no": "单号", **({"qty": "数量"} if any("数量" in item for item in items) else {})}
        _, found = of_json(tmp_path_factory.mktemp("json"), text, {"records": "data.items"}, columns)

    def back(value):
        if value is None or isinstance(value, bool):
            return None if value is None else json.dumps(value)
        if isinstance(value, str | int):
            return str(value) or None
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    names = ["单号", "数量"][: len(columns)]
    assert found == [(n, *(back(item.get(name)) for name in names)) for n, item in enumerate(items, start=1)]


def test_each_record_may_use_another_name_of_a_renamed_column(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "HELD_ROWS", 1)
    columns = {"no": {"from": ["单号", "运单号"]}, "qty": "数量"}
    text = '[{"运单号": "A", "数量": 1}, {"单号": "B", "数量": 2}, {"数量": 3, "单号": "C"}]'
    parsed, found = of_json(tmp_path, text, columns=columns)
    assert found == [(1, "A", "1"), (2, "B", "2"), (3, "C", "3")]
    assert parsed.columns == {"单号": "text", "数量": "text"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"单号": 1, "数量": 2}, {"单号"', "line 1: is not JSON .it ends in the middle"),
        ('[{"单号": 1, "数量": 2}', "is not JSON .it ends in the middle"),
        ('[{"单号": 1, "数量": 2},\n{"单号": 1 "数量": 2}]', "line 2: is not JSON .Expecting ',' delimiter"),
        ('[{"单号": 1, "数量": 2},]', "a value is expected after the last comma"),
        ('[{"单号": 1, "数量": 2}] x', "something follows its end"),
        ('[{"单号": 1, "数量": 2, "单号": 3}]', "an object has the key '单号' twice"),
        ('[{"单号": 1, "数量": {"a": 1, "a": 2}}]', "an object has the key 'a' twice"),
        ('[{"单号": 1, "数量": NaN}]', "NaN is no number"),
        ("[1, 2]", "line 1: is not an array of objects"),
        ('{"data": []}', "is not an array of objects.*Set `format.records`"),
        ('[{"单号": 1, "数量": "\\ud800"}]', r"half a character, U\+D800"),
        (b'[{"\xff": 1}]', "is not utf-8: byte 0xff at position 3"),
    ],
)
def test_broken_json_is_refused_with_its_place(tmp_path, text, words):
    with pytest.raises(SourceError, match=words) as refused:
        of_json(tmp_path, text)
    assert "what was loaded before stays" in str(refused.value)


@pytest.mark.parametrize("depth", [101, 1_000, 200_000])
@pytest.mark.parametrize("inside", ["[{}]", '{{"skipped": {}, "data": []}}'])
def test_deep_nesting_is_refused(tmp_path, depth, inside):
    deep = "[" * depth + "]" * depth
    text = inside.format('{"单号": 1, "数量": ' + deep + "}" if inside == "[{}]" else deep)
    form = None if inside == "[{}]" else {"records": "data"}
    if form and depth == 101:
        assert of_json(tmp_path, text, form)[0].rows == 0  # beside the records it harms nobody
        return
    with pytest.raises(SourceError, match="line 1: is nested more than 100 deep"):
        of_json(tmp_path, text, form)


def test_where_the_records_are_is_said_when_they_are_not_there(tmp_path):
    text = '{"code": 0, "data": {"rows": []}}'
    with pytest.raises(SourceError, match=r"has no data.items, only \['rows'\]"):
        of_json(tmp_path, text, {"records": "data.items"})


def test_a_record_without_end_is_refused_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(letters, "PIECE", 10_000)
    monkeypatch.setattr(objects, "LARGEST_RECORD", 100_000)
    with pytest.raises(SourceError, match="a record is larger than"):
        of_json(tmp_path, '[{"单号": "' + "x" * 1_000_000)


def test_lines_of_json_count_as_a_person_would(tmp_path):
    text = '{"单号": "A", "数量": 1}\n\n{"单号": "B", "数量": 2}\n{"单号": "C", "数量": 3}'
    assert of_json(tmp_path, text, {"kind": "jsonl"})[1] == [(1, "A", "1"), (3, "B", "2"), (4, "C", "3")]
    with pytest.raises(SourceError, match=r"line 4: is not JSON .it ends in the middle"):
        of_json(tmp_path, text[:-4], {"kind": "jsonl"})


def test_keys_that_are_data_are_no_columns(tmp_path):
    text = json.dumps([{f"k{n}": 1} for n in range(3_000)])
    with pytest.raises(SourceError, match="record 2001: its records have more than 2,000 different keys"):
        of_json(tmp_path, text)


# --- XML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk", "utf-16", "iso-8859-1"])
def test_xml_in_the_encoding_it_names(tmp_path, encoding):
    name = "华辰" if encoding != "iso-8859-1" else "Zürich"
    text = f"""<?xml version="1.0" encoding="{encoding}"?>
    <r xmlns="urn:x" xmlns:y="urn:y"><head><row2/></head><rows>
      <row y:no="A &amp; B"><qty> 1.50 </qty><party><name code="7">{name}</name></party><tag>x</tag><tag>y</tag></row>
      <!-- between --><row no="C"><qty><![CDATA[<2>]]></qty><party/></row><row no="D"/>
    </rows></r>"""
    columns = {"no": "@no", "qty": "qty", "party": "party/name", "code": "party/name/@code"}
    parsed, found = of_xml(tmp_path, text.encode(encoding), columns)
    assert found == [
        (1, "A & B", " 1.50 ", name, "7"),
        (2, "C", "<2>", None, None),
        (3, "D", None, None, None),
    ]
    assert set(parsed.declared) >= {"@no", "qty", "party/name", "party/name/@code", "tag"}


def test_the_text_of_a_row_and_a_path_of_records(tmp_path):
    text = '<r><row no="0">out</row><rows><row no="1">in</row></rows></r>'
    assert of_xml(tmp_path, text, {"no": "@no", "text": "."}, records="rows/row")[1] == [(1, "1", "in")]


BOMB = "<!DOCTYPE r [" + '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB + "]><r><row 单号='1' 数量='&a9;'/></r>", "declares a document type or entities"),
        (
            '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><row>&x;</row></r>',
            "document type or entities",
        ),
        ('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>', "document type or entities"),
        ("<r><row><单号>1</单号><数量>2</数量></row><row><单号>1</单号>", "is not XML .no element found"),
        ("<r><row><单号>1</row></r>", "is not XML .mismatched tag"),
        ("<r><row><单号>1</单号><数量>&x;</数量></row></r>", "is not XML .undefined entity"),
        (
            "<r><row><单号>1</单号><单号>2</单号><数量>3</数量></row></r>",
            "record 1: holds 单号 more than once",
        ),
        ("<a>" * 1_000 + "</a>" * 1_000, "is nested more than 100 deep"),
        (
            "<r><row>" + "<a>" * 1_000 + "</a>" * 1_000 + "</row></r>",
            "record 1: is nested more than 100 deep",
        ),
        (b"<r><row>\xff</row></r>", "is not utf-8: byte 0xff at position 8"),
    ],
)
def test_broken_or_dangerous_xml_is_refused(tmp_path, text, words):
    with pytest.raises(SourceError, match=words) as refused:
        of_xml(tmp_path, text)
    assert "what was loaded before stays" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["<r><row><单号>{}</单号></row></r>", "<r><row 单号='{}'/></r>", "<r><row {}/></r>"]
)
def test_a_value_or_tag_without_end_is_refused(tmp_path, text, monkeypatch):
    from tieout.ingest.intake.files import markup

    monkeypatch.setattr(markup, "LARGEST_VALUE", 200_000)
    with pytest.raises(SourceError, match="is larger than 16 MB"):
        of_xml(tmp_path, text.format("x" * 2_000_000))


# --- Parquet --------------------------------------------------------------------------------------


def test_parquet_is_loaded_as_it_came(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "运单.parquet"
    pq.write_table(pa.table({"单号": ["A", "B"], "数量": [1, 2], "_row": [7, 8], "新": [None, "x"]}), file)
    delivery = delivered(tmp_path, file.name, None, {"kind": "parquet"}, COLUMNS)
    parsed, found = read(delivery)
    assert (parsed.rows, found) == (2, [("A", 1, None), ("B", 2, "x")])
    assert parsed.declared["数量"] == "BIGINT"

    content = file.read_bytes()
    for cut in (content[:-1], content[: len(content) // 2], b""):
        file.write_bytes(cut)
        with pytest.raises(SourceError, match="is not a readable Parquet file") as refused:
            read(delivery)
        assert str(tmp_path) not in str(refused.value)
