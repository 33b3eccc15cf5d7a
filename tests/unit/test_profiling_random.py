"""Whatever JSON is given, a profile ends: in a contract that reads back, or in a refusal that says so."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tieout.ingest.errors import SourceError
from tieout.ingest.profiling import profile
from tieout.ingest.profiling.contract import draft_profile
from tieout.ingest.profiling.documents import begun
from tieout.ingest.profiling.report import report

NAME = st.sampled_from(
    ["id", "", "a.b", "a", "b", "parent", "_each", "items", "data", "total", "金额(kg)", "客户", "@x", "#text", "code", "next", "x y", "{page}", "\x1f", "rowid"]
) | st.text(max_size=4)  # fmt: skip
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            " ",
            "2026-01-05",
            "2026-01-05T10:00Z",
            "1767571200000",
            "12.50",
            "3kg",
            "/Date(1)/",
            "[]",
            "001",
        ]
    )
    | st.text(max_size=6)
)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=4), max_leaves=25
)
ROWS = st.lists(st.dictionaries(NAME, JSON, min_size=1, max_size=5), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON | ROWS | st.fixed_dictionaries({"data": ROWS}, optional={"total": LEAF, "next": LEAF, "code": LEAF}),
       door=st.sampled_from([None, "files"]))  # fmt: skip
@example(document=[{"a": 1e300, "b": 1e-300}, {"a": 12345678901234567890123, "b": 0.1}], door=None)
@example(document=[{"no": 1, "on": 2, "null": 3, "Y": 4}], door=None)
@example(document=[{"id": "¹"}, {"id": "٣"}], door=None)
@example(document=[{"parent": {"_each": None}, "id": 1}, {"parent._each": 2, "_each": 3, "id": 2}], door=None)
@example(document={"parent": [{"parent": {"id": 1}, "x": [{"y": 1}]}]}, door=None)
def test_a_profile_never_fails(tmp_path, document, door):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8", errors="surrogatepass")
    said = profile([path])
    assert report(said)
    for item in said.objects:
        for column in item.columns.values():
            assert 0 <= column.fits <= 1 and column.distinct <= column.filled <= column.rows
            assert all(0 <= guess.confidence <= 1 for guess in column.guesses)
        for key in item.keys:
            rows = list(zip(*(item.one.values(steps) for steps in key.columns), strict=True))
            assert len({json.dumps(row) for row in rows}) == len(rows) == item.one.rows
    try:
        text = draft_profile(said, "any_one", door).text
    except SourceError as error:
        assert "Nothing was drafted" in str(error)
        return
    # That it is a contract was read back by the draft itself.
    assert text.startswith("# Drafted by")


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=3), LEAF | st.lists(LEAF, max_size=2), max_size=3),
        min_size=12,
        max_size=20,
    ),
    data=st.data(),
)
def test_a_cut_document_is_closed_behind_a_whole_row(rows, data):
    whole = json.dumps({"data": {"items": rows}}).encode()
    end = data.draw(st.integers(0, len(whole) - 1))
    try:
        text, closed = begun(whole[:end])
        found = json.loads(text + closed)
    except ValueError:
        return
    items = found.get("data", {}).get("items", [])
    cut = sum(1 for item, row in zip(items, rows, strict=False) if item != row)
    assert cut <= 1 and len(items) <= len(rows)
    if len(items) > 10:
        assert cut == 0


def test_many_columns_and_deep_nesting_end_too(tmp_path):
    deep: object = 1
    for _ in range(200):
        deep = {"a": deep, "b": [deep] if _ % 50 == 0 else 1}
    wide = [{f"k{i}_{n}": i for i in range(400)} for n in range(5)]
    for name, content in (("deep", [{"id": 1, "x": deep}]), ("wide", wide)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(content))
        assert report(profile([path]))
    (tmp_path / "bomb.json").write_text("[" * 5000)
    with pytest.raises(SourceError):
        profile([tmp_path / "bomb.json"])
