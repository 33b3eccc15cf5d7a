"""The dictionary of a small company: looked up, listed with its contradictions, and written as a page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tieout.engine import connect
from tieout.metrics.definitions import read_yaml
from tieout.metrics.dictionary import look_up
from tieout.metrics.errors import MetricError, UnknownName
from tieout.metrics.layer import build_layer
from tieout.pages.dictionary import write_dictionary

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
META = "unit: CNY, currency: CNY, tax: excluded, additivity: additive"
DEFINITIONS = f"""
semantic_models:
  - name: orders
    model: ref('fct_order')
    primary_entity: order
    defaults: {{agg_time_dimension: order_date}}
    dimensions: [{{name: order_date, type: time, type_params: {{time_granularity: day}}}}]
    measures: [{{name: booked, agg: sum, expr: amount_cny}}]
  - name: entries
    model: ref('fct_entry')
    primary_entity: entry
    defaults: {{agg_time_dimension: entry_date}}
    dimensions: [{{name: entry_date, type: time, type_params: {{time_granularity: day}}}}]
    measures: [{{name: earned, agg: sum, expr: amount_cny}}]
metrics:
  - name: order_amount_net
    label: 订单额
    description: 订单额 <b>&amp; 预收</b> / Orders <script>alert(1)</script>.
    type: simple
    type_params: {{measure: booked}}
    config: {{meta: {{{META}, owner: sales, agreed_by: [sales, finance], time_role: ordered, replaces: [销售额（销售部）, GMV]}}}}
  - name: revenue_amount_net
    label: 收入
    description: 收入 / Earned.
    type: simple
    type_params: {{measure: earned}}
    config: {{meta: {{{META}, owner: finance, agreed_by: [finance], time_role: posted, replaces: [销售额（财务部）, 营收]}}}}
"""
COLUMNS = {
    "fct_order": {"order_date": {"time_role": "ordered"}},
    "fct_entry": {"entry_date": {"time_role": "posted"}},
}
MARTS = """
create schema marts;
create table marts.dim_date as select cast(d as date) as date_day
    from generate_series(date '2024-01-01', date '2026-12-31', interval 1 day) t(d);
create table marts.fct_order(order_date date, amount_cny decimal(18, 2));
insert into marts.fct_order values ('2024-12-31', 1000), ('2025-01-01', 70.25), ('2025-12-31', 30), ('2026-03-02', 9);
create table marts.fct_entry(entry_date date, amount_cny decimal(18, 2));
insert into marts.fct_entry values ('2025-06-01', 60.05), ('2026-03-01', 5);
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dictionary")
    (folder / "yaml").mkdir()
    (folder / "yaml" / "company.yml").write_text(DEFINITIONS, encoding="utf-8")
    (folder / "semantic_manifest.json").write_text(read_yaml(folder / "yaml").text, encoding="utf-8")
    amount = {"unit": "CNY", "currency": "CNY", "tax": "excluded"}
    nodes = {
        mart: {
            "resource_type": "model",
            "name": mart,
            "columns": {
                name: {"name": name, "config": {"meta": meta}}
                for name, meta in {**columns, "amount_cny": amount}.items()
            },
        }
        for mart, columns in COLUMNS.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"nodes": nodes, "semantic_models": {}}))
    with connect(folder / "warehouse.duckdb") as con:
        con.execute(MARTS)
        build_layer(con, folder / "semantic_manifest.json", folder / "manifest.json")
    return folder / "warehouse.duckdb"


@pytest.fixture
def con(built):
    with connect(built, read_only=True) as con:
        yield con


def meant(con, word: str) -> list[tuple[str, str]]:
    return [(item.metric, item.word) for item in look_up(con, word)]


def test_a_word_of_two_departments_has_two_meanings(con):
    both = [("order_amount_net", "销售额（销售部）"), ("revenue_amount_net", "销售额（财务部）")]

    assert meant(con, "销售额") == both
    assert meant(con, " 销售 额 ") == both
    assert [name for name, _ in meant(con, "销售额(财务部)")] == ["revenue_amount_net"]


def test_a_word_is_found_in_either_language_and_by_part(con):
    assert [name for name, _ in meant(con, "gmv")] == ["order_amount_net"]
    assert [name for name, _ in meant(con, "revenue amount net")] == ["revenue_amount_net"]
    assert [name for name, _ in meant(con, "order_amount_net")] == ["order_amount_net"]
    assert [name for name, _ in meant(con, "营")] == ["revenue_amount_net"]


def test_an_unknown_word_is_an_error_that_names_its_neighbours(con):
    with pytest.raises(UnknownName, match="营收"):
        look_up(con, "营收额度")
    with pytest.raises(UnknownName):
        look_up(con, "")
    with connect() as empty, pytest.raises(MetricError, match="tieout refresh"):
        look_up(empty, "营收")


def test_words_are_a_table_for_sql(con):
    rows = con.execute(
        "select word, language, department, kind from metrics.metric_word where metric_name = 'order_amount_net'"
        " order by all"
    ).fetchall()

    assert rows == [
        ("GMV", "en", "", "replaces"),
        ("order amount net", "en", "", "english"),
        ("订单额", "zh", "", "label"),
        ("销售额（销售部）", "zh", "销售部", "replaces"),
    ]


def test_two_meanings_are_apart_by_what_the_last_whole_year_says(con):
    rows = con.execute(
        "select kind, one, other, year, value_one, value_other, difference from metrics.contradiction"
    ).fetchall()

    # 2026 is not over: its last day with anything is the second of March
    assert rows == [
        ("same_word", "order_amount_net", "revenue_amount_net", date(2025, 1, 1),
         Decimal("100.25"), Decimal("60.05"), Decimal("-40.20")),
    ]  # fmt: skip


class Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_says_every_word_and_every_contradiction(con, tmp_path):
    source = write_dictionary(con, tmp_path, {}, NOON).read_text("utf-8")
    page = Page(source)

    assert [path.name for path in tmp_path.iterdir()] == ["dictionary.html"]
    for said in (
        "订单额",
        "GMV",
        "销售额（销售部）",
        "销售额（财务部）",
        "营收",
        "Earned.",
        "sum(amount_cny)",
        "40.20",
    ):
        assert said in page.text
    assert "<script>alert(1)</script>" not in source
    assert "Orders <script>alert(1)</script>." in page.text  # what they wrote, as text
    searched = {a["id"]: a["data-search"] for tag, a in page.tags if tag == "article"}
    assert set(searched) == {"order_amount_net", "revenue_amount_net"}
    assert "gmv" in (searched["order_amount_net"] or "")


def test_the_page_asks_nothing_from_outside_and_its_links_lead_somewhere(con, tmp_path):
    source = write_dictionary(con, tmp_path, {}, NOON).read_text("utf-8")
    page = Page(source)
    ids = [a["id"] for _, a in page.tags if "id" in a]

    assert not re.search(r"https?:|url\((?!#)|@import", source)
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        assert "src" not in attributes and "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "a":
            assert attributes["href"] == "index.html" or (attributes["href"] or "")[1:] in ids


def test_only_our_own_style_and_script_may_run(con, tmp_path):
    source = write_dictionary(con, tmp_path, {}, NOON).read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', source)

    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", source, flags=re.DOTALL)
        wanted = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{wanted}&#39;" in policy


def test_before_anything_is_defined_the_page_says_so(tmp_path):
    with connect() as con:
        page = Page(write_dictionary(con, tmp_path, {}, NOON).read_text("utf-8"))

    assert "There are no metrics yet" in page.text
