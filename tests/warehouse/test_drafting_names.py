"""Names: ASCII, the same every time, never one for two, and written so that YAML reads them back."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tieout.ingest.drafting.names import identifier, identifiers
from tieout.ingest.drafting.write import remark, scalar, title
from tieout.strict import from_yaml

NAMES = st.text(min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sale_line-account_tax", "sale_line_account_tax"),
        ("sale_opportunity__history", "sale_opportunity_history"),
        ("__id", "id"),
        ("OrderID", "order_id"),
        ("FBillNo", "fbill_no"),
        ("客户名称", "khmc"),
        ("采购订单号", "cgddh"),
        ("物料编码2", "wlbm2"),
        ("2024年销售", "x_2024nxs"),
        ("Crème brûlée", "creme_brulee"),
        ("unit price (net)", "unit_price_net"),
        ("-", "x"),
        ("rowid", "rowid_4c984a"),
    ],
)
def test_a_name_reads_as_people_would_abbreviate_it(name, wanted):
    assert identifier(name) == wanted


def test_names_that_would_be_one_get_a_tail_of_their_own_and_the_plain_one_keeps_its_name():
    made = identifiers(["客户名称", "khmc", "开户名称", "amount"])

    assert made["khmc"] == "khmc" and made["amount"] == "amount"
    assert re.fullmatch(r"khmc_[0-9a-f]{6}", made["客户名称"])
    assert len(set(made.values())) == 4
    assert identifiers(["amount", "开户名称", "khmc", "客户名称"]) == made, "whatever the order"


def test_characters_without_a_reading_are_told_apart():
    made = identifiers(["龘", "𠮷", "заказ", "金额"])
    assert len(set(made.values())) == 4 and all(value.isascii() for value in made.values())


@given(st.lists(NAMES, max_size=20, unique=True))
def test_any_names_become_different_identifiers_that_a_contract_and_a_database_take(names):
    made = identifiers(names)

    assert len(set(made.values())) == len(names)
    for value in made.values():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", value) and len(value) <= 63 and "__" not in value
    assert identifiers(reversed(names)) == made


@given(NAMES)
def test_an_identifier_is_its_own(name):
    own = identifier(name)
    assert identifier(own) == own


@given(st.text(max_size=200).filter(lambda text: not re.search(r"[\ud800-\udfff]", text)))
def test_any_text_is_read_back_by_yaml_in_a_mapping_a_list_and_beside_a_remark(text):
    line = f"a: {{b: {scalar(text)}, c: [{scalar(text)}]}}{remark(text)}\nd: {scalar(text)}\n"
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert yaml.load(line, Loader=loader) == {"a": {"b": text, "c": [text]}, "d": text}


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "Null",
        "1e3",
        "0x1F",
        "2026-11-01",
        "12:30",
        "~",
        "",
        " a",
        "a: b",
        "a #b",
        "=",
        "<<",
        "1_000",
        ".5",
        "on",
    ],
)
def test_words_that_mean_something_to_yaml_stay_text(text):
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert yaml.load(f"a: {{b: {scalar(text)}}}", Loader=loader) == {"a": {"b": text}}


@given(NAMES, st.one_of(st.none(), st.text(max_size=200)))
def test_a_title_is_never_empty(name, comment):
    said = from_yaml(f"t: {title(name, comment)}")["t"]
    assert set(said) == {"zh", "en"} and said["zh"] and said["en"]


def test_a_comment_is_the_title_in_its_language():
    assert title("sale_order", "销售订单") == "{zh: 销售订单, en: Sale order}"
    assert (
        title("so", "Sales orders, open and closed")
        == '{zh: "Sales orders, open and closed", en: "Sales orders, open and closed"}'
    )
    assert title("客户", None) == "{zh: 客户, en: 客户}"
