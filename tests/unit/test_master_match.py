"""Which records look like the same: rules as files, hard pairs, what is shared by too many, and increments."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data.cluster import cluster
from tieout.master_data.match import doubtful, edges, standardised, trained
from tieout.master_data.rules import Rules, RulesError, read_rules, rules_from
from tieout.master_data.types import Edge
from tieout.strict import from_yaml

PROJECT = Path(__file__).resolve().parents[2]
FILES = PROJECT / "dbt_project" / "master_data"
ENTITIES = ("customer", "supplier", "product", "employee")
# Valid by GB 32100: two that differ, and one of Shenzhen.
ONE, OTHER, THIRD = "91350100M000100Y43", "91330100799655058B", "914403001922038216"


@lru_cache
def rules(entity: str) -> Rules:
    return read_rules(FILES / f"{entity}.yaml")


def table(*rows: dict[str, Any]) -> pa.Table:
    """Records `a:1`, `a:2` … of source system `a`, unless a row says otherwise."""
    full = [
        {"record_id": f"a:{place}", "source_system": row.get("record_id", "a:").split(":")[0], **row}
        for place, row in enumerate(rows, start=1)
    ]
    names = sorted({name for row in full for name in row})
    return pa.table({name: [row.get(name) for row in full] for name in names}) if full else pa.table({})


def found(entity: str | Rules, *rows: dict[str, Any]) -> list[Edge]:
    of = rules(entity) if isinstance(entity, str) else entity
    return edges(standardised(table(*rows), of), of)


def only(entity: str | Rules, *rows: dict[str, Any]) -> Edge | None:
    """The edge of two records, if there is one."""
    every = found(entity, *rows)
    assert len(every) <= 1
    return every[0] if every else None


def clusters(entity: str, *rows: dict[str, Any]) -> set[frozenset[str]]:
    of = rules(entity)
    std = standardised(table(*rows), of)
    ids = std.column("record_id").to_pylist()
    exclusive = {a: b for a, b in zip(ids, std.column("exclusive").to_pylist(), strict=True) if b}
    return set(cluster(ids, edges(std, of), auto=of.auto, exclusive=exclusive).clusters)


# --- rules as files ---


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_rules_of_an_entity_are_read_and_name_systems_that_exist(entity):
    one = rules(entity)

    assert one.entity == entity
    systems = {
        *one.trust,
        *one.no_duplicates_within,
        *(name for item in one.references for name in item.system),
    }
    systems |= {name for names in one.trust_for.values() for name in names}
    assert {name for name in systems if not (PROJECT / "sources" / name).is_dir()} == set()
    assert one.survivorship["*"] == one.trust


MINIMAL = {
    "entity": "thing",
    "kind": "product",
    "auto": 0.9,
    "review": 0.5,
    "fields": {"name": {"from": "name", "as": "exact"}},
    "blocks": [{"of": "name"}],
    "comparisons": {"name": {"how": "equal", "of": "name"}},
    "rules": [{"name": "same", "when": {"name": "same"}, "score": 0.95}],
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"review": 0.95}, r"review \(0.95\) is above auto"),
        ({"blocks": [{"of": "nmae"}]}, "blocks: no column nmae"),
        ({"comparisons": {"name": {"how": "equal", "of": "nam"}}}, "comparisons.name: no column nam"),
        (
            {"rules": [{"name": "x", "when": {"name": "close"}, "score": 1}]},
            "name never finds close, only same",
        ),
        ({"rules": [{"name": "x", "when": {"city": "same"}, "score": 1}]}, "nothing compares city"),
        ({"exclusive": "code"}, "exclusive: no column code"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"fields": {"name": {"from": "name", "as": "nonsense"}}}, "fields.name.as"),
        (
            {"references": [{"space": "s", "system": "a", "column": "c", "pattern": "("}]},
            "no regular expression",
        ),
    ],
)
def test_rules_that_cannot_be_are_refused_before_anything_is_matched(change, says):
    with pytest.raises(RulesError, match=says) as error:
        rules_from({**MINIMAL, **change})
    assert "Nothing was matched" in str(error.value)


def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path):
    with pytest.raises(RulesError, match=r"thing\.yaml.*Nothing was matched"):
        read_rules(tmp_path / "thing.yaml")
    (tmp_path / "thing.yaml").write_text(yaml.safe_dump({**MINIMAL, "model": "thing.model.json"}))
    with pytest.raises(RulesError, match=r"thing\.model\.json.*Train it again"):
        read_rules(tmp_path / "thing.yaml")


# --- hard pairs ---

TRADES = ["机械", "液压", "轴承", "模具", "铝业", "塑胶", "电气", "化工", "铸造", "五金"]
PHONE, DOOR = {"phone": "13812341235"}, {"address": "上海市张江路116号"}


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        # A code joins whatever the names say, if anything else fits.
        ({"name": "上海恒力机械有限公司", "credit_code": ONE, **PHONE}, {"name": "旭日贸易", "credit_code": f" {ONE.lower()}", **PHONE}, "same_credit_code"),
        ({"name": "恒力", "credit_code": THIRD}, {"name": "恒力", "credit_code": "19220382-1"}, "same_organisation_code"),
        ({"name": "恒力", "credit_code": "440301103448669"}, {"name": "恒力", "credit_code": "4403 0110 3448 669"}, "same_registration_number"),
        ({"name": "Weber GmbH", "credit_code": "DE 811193231"}, {"name": "WEBER", "credit_code": "DE811193231"}, "same_credit_code"),
        # One name in its spellings.
        ({"name": "上海恒力機械有限公司", **PHONE}, {"name": "恒力机械有限公司（上海）", "phone": "１３８１２３４１２３５"}, "same_name_and_phone"),
        ({"name": "上海恒力机械有限公司", **DOOR}, {"name": "上海市恒力机械有限责任公司", "address": "上海浦东新区张江路116号"}, "same_name_and_address"),
        ({"name": "恒力机械", **PHONE}, {"name": "上海恒力机械有限公司", **PHONE}, "short_name_and_phone"),
        ({"name": "恒力自动", **PHONE}, {"name": "上海恒力自动化设备（集团）有限公司", **PHONE}, "short_name_and_phone"),
        ({"name": "恒力自动", **DOOR}, {"name": "上海恒力自动化设备有限公司", **DOOR}, "short_name_and_address"),
        ({"name": "恒力自动", "city": "上海"}, {"name": "上海恒力自动化设备有限公司"}, "only_company_the_short_name_can_mean"),
        ({"name": "上海恒力机械有限公司"}, {"name": "上海恒力机械有限公司"}, "same_full_name"),
        ({"name": "恒力机械有限公司", "city": "上海"}, {"name": "上海恒力机械有限公司"}, "same_name_in_city"),
        ({"name": "恒力机械股份有限公司", "city": "上海", **PHONE}, {"name": "上海恒力机械有限公司", **PHONE}, "other_form_same_phone"),
        ({"name": "Weber Antriebstechnik GmbH & Co. KG", "phone": "+49 711 135861"}, {"name": "WEBER ANTRIEBSTECHNIK GMBH&CO. KG ", "phone": "86+49 711 135861"}, "same_name_and_phone"),
        ({"name": "建行深圳分行"}, {"name": "中国建设银行股份有限公司深圳市分行"}, "only_company_of_that_name_in_city"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_these_are_one_company(one, other, rule):
    edge = only("customer", one, other)

    assert edge is not None
    assert edge.rule == rule
    assert edge.score >= rules("customer").auto


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Legal forms that differ, and nothing else in common.
        ({"name": "内蒙古伊东煤炭有限公司"}, {"name": "内蒙古伊东煤炭集团有限责任公司"}),
        ({"name": "上海恒力机械有限公司"}, {"name": "上海恒力机械股份有限公司"}),
        # A group and its company share the door and the switchboard.
        ({"name": "上海恒力机械有限公司", **PHONE}, {"name": "上海恒力机械集团有限公司", **PHONE}),
        ({"name": "上海恒力机械有限公司", **DOOR}, {"name": "上海恒力机械集团有限公司", **DOOR}),
        # The KG and the GmbH that manages it, too.
        ({"name": "Weber Antriebstechnik GmbH & Co. KG", "city": "Stuttgart", "phone": "+49 711 135861"}, {"name": "Weber Antriebstechnik GmbH", "city": "Stuttgart", "phone": "+49 711 135861"}),
        ({"name": "上海恒力机械厂", **PHONE, **DOOR}, {"name": "上海恒力机械有限公司", **PHONE, **DOOR}),
        # One character apart: a slip or a neighbour.
        ({"name": "中山市昌建药业有限公司", **PHONE}, {"name": "中山市昌健药业有限公司", **PHONE}),
        # One name, two valid codes.
        ({"name": "上海恒力机械有限公司", "credit_code": ONE}, {"name": "上海恒力机械有限公司", "credit_code": OTHER}),
        # One code, nothing else: copied and forgotten.
        ({"name": "上海恒力机械有限公司", "credit_code": ONE, **PHONE, **DOOR}, {"name": "旭日贸易有限公司", "credit_code": ONE, "phone": "13912341235", "address": "苏州市人民路8号"}),
        # Documents say so, the names do not.
        ({"name": "上海恒力机械有限公司", "same_as": ["a:2"]}, {"name": "旭日贸易有限公司"}),
        # The short name fits, the rest contradicts.
        ({"name": "恒力机械", "city": "上海", **PHONE, **DOOR}, {"name": "上海恒力机械有限公司", "phone": "13912341235", "address": "上海市人民路8号"}),
    ],
)  # fmt: skip
def test_these_are_for_a_steward(one, other):
    edge = only("customer", one, other)

    assert edge is not None
    assert rules("customer").review <= edge.score < rules("customer").auto


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "中国银行"}, {"name": "宁波银行"}),
        ({"name": "中国银行股份有限公司"}, {"name": "中国农业银行股份有限公司"}),
        ({"name": "中山市昌建药业有限公司"}, {"name": "中山市昌健药业有限公司", "phone": "13912341235"}),
        ({"name": "宝清县双利煤矿有限公司"}, {"name": "宝清县双柳煤矿有限公司", "address": "双鸭山市人民路8号"}),
        ({"name": "上海恒力机械有限公司", **PHONE}, {"name": "上海恒力机械有限公司苏州分公司", **PHONE}),
        ({"name": "交通银行股份有限公司宁波支行"}, {"name": "交通银行股份有限公司宁波观城支行"}),
        ({"name": "苏州恒力机械有限公司", "credit_code": ONE}, {"name": "无锡恒力机械有限公司", "credit_code": OTHER}),
        ({"name": "苏州恒力机械有限公司"}, {"name": "无锡恒力机械有限公司"}),
        ({"name": "恒力机械有限公司", "city": "苏州"}, {"name": "恒力机械有限公司", "city": "无锡"}),
        ({"name": "上海恒力机械有限公司", **PHONE}, {"name": "上海恒力液压有限公司", "phone": "13912341235"}),
        ({"name": "上海恒力机械有限公司", **PHONE, **DOOR}, {"name": "上海恒力液压有限公司", **PHONE, **DOOR}),
        ({"name": "Weber Maschinenbau GmbH", "city": "Stuttgart"}, {"name": "Weber Antriebstechnik GmbH", "city": "Stuttgart"}),
    ],
)  # fmt: skip
def test_these_are_two_companies(one, other):
    assert only("customer", one, other) is None


def test_a_code_makes_a_branch_the_same_as_its_head_office():
    edge = only(
        "customer",
        {"name": "上海恒力机械有限公司", "credit_code": ONE},
        {"name": "上海恒力机械有限公司苏州分公司", "credit_code": ONE},
    )

    assert edge is not None
    assert edge.score >= rules("customer").auto


def test_a_short_name_that_fits_two_companies_goes_to_the_one_with_its_number():
    short = {"record_id": "crm:1", "name": "恒力自动", "city": "上海", **PHONE}
    right = {"record_id": "erp:1", "name": "上海恒力自动化设备有限公司", **PHONE}
    wrong = {"record_id": "erp:2", "name": "上海恒力自动化设备股份有限公司", "phone": "13912341235"}

    assert clusters("customer", short, right, wrong) == {frozenset({"crm:1", "erp:1"}), frozenset({"erp:2"})}
    # Without the number nobody knows.
    assert clusters("customer", {**short, "phone": None}, right, wrong) == {
        frozenset({"crm:1"}), frozenset({"erp:1"}), frozenset({"erp:2"}),
    }  # fmt: skip


def test_a_short_name_at_a_number_shared_by_a_company_and_its_group_is_for_a_steward():
    every = found(
        "customer",
        {"record_id": "crm:1", "name": "恒力机械", "city": "上海", **PHONE},
        {"record_id": "erp:1", "name": "上海恒力机械有限公司", **PHONE},
        {"record_id": "erp:2", "name": "上海恒力机械集团有限公司", **PHONE},
    )

    assert len(every) == 3
    assert all(edge.score < rules("customer").auto for edge in every)


def test_two_codes_bridged_by_a_record_without_one_stay_two():
    company, other = {"name": "上海恒力机械有限公司", **PHONE}, {"name": "上海恒力机械有限公司", **PHONE}

    assert clusters(
        "customer", {**company, "credit_code": ONE}, {**other, "credit_code": OTHER}, {**company, "phone": "138-1234-1235"}
    ) in (
        {frozenset({"a:1", "a:3"}), frozenset({"a:2"})},
        {frozenset({"a:2", "a:3"}), frozenset({"a:1"})},
    )  # fmt: skip


@pytest.mark.parametrize(
    "nothing",
    [
        {"credit_code": "000000000000000000"},
        {"credit_code": "无"},
        {"phone": "13800138000"},
        {"phone": "88888888"},
        {"phone": "1.38E+10"},
        {"name": "测试"},
        {"name": "零星客户", "city": "上海"},
        {"address": "无", "city": "上海"},
        {"contact": "王先生", "city": "上海"},
    ],
)
def test_a_placeholder_joins_nobody(nothing):
    names = iter(["恒力", "瑞丰"])
    rows = [{"name": f"上海{next(names)}机械有限公司", **nothing} for _ in range(2)]

    std = standardised(table(*rows), rules("customer"))

    assert edges(std, rules("customer")) == []
    assert std.column("exclusive").to_pylist() == [None, None]


def test_a_value_that_a_thousand_records_share_joins_nobody_and_costs_nothing():
    cores = [one + other for one in "恒瑞金联宏鑫天博凯正" for other in "力丰鼎创图源成远达泰"]
    rows = [
        {
            "record_id": f"a:{n:04d}",
            "name": f"上海{cores[n % 100]}{trade}有限公司",
            "phone": "400-820-8820",
            "credit_code": ONE,
            "address": "上海市张江路1号",
        }
        for n, trade in enumerate(trade for trade in TRADES for _ in cores)
    ]

    std = standardised(table(*rows), rules("customer"))

    assert edges(std, rules("customer")) == []
    assert set(std.column("exclusive").to_pylist()) == {None}
    longest = max(len(keys or []) for keys in std.column("keys").to_pylist())
    assert longest <= 6
    told = doubtful(table(*rows), std, rules("customer")).to_pylist()
    assert {row["attribute"] for row in told} == {"phone", "credit_code"}
    assert len(told) == 2000


def test_no_group_that_is_compared_is_larger_than_its_block_allows():
    rows = [{"record_id": f"a:{n:04d}", "name": "恒力机械", "city": "上海"} for n in range(201)]

    std = standardised(table(*rows), rules("customer"))

    assert edges(std, rules("customer")) == []
    assert len(edges(standardised(table(*rows[:20]), rules("customer")), rules("customer"))) == 190


# --- products and people ---


def test_a_product_is_known_by_its_number_or_by_name_and_specification():
    works = {"record_id": "hc_sap:1", "old_code": "FG-001", "name": "精密滑台 行程３００", "uom_text": "ST"}
    shop = {"record_id": "hc_shopify:1", "code": "HCE-FG-001", "name": "Precision slide"}
    stock = {"record_id": "hc_kingdee:1", "name": "精密滑台", "specification": "行程300", "uom_text": "台"}
    other = {"record_id": "hc_u8:1", "name": "精密滑台", "specification": "行程500", "uom_text": "台"}

    assert [(edge.a, edge.b, edge.rule) for edge in found("product", works, shop, stock, other)] == [
        ("hc_kingdee:1", "hc_sap:1", "same_name_and_specification"),
        ("hc_sap:1", "hc_shopify:1", "same_works_number"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "轴承", "specification": "6204"}, {"name": "轴承", "specification": "6305"}),
        # Codes are only meaningful inside a system.
        ({"code": "01001", "name": "轴承"}, {"code": "01001", "name": "滑台"}),
        ({"record_id": "hc_u8:1", "old_code": "FG001-63"}, {"record_id": "hc_sap:1", "old_code": "FG-002"}),
    ],
)
def test_these_are_two_products(one, other):
    assert only("product", one, other) is None


def test_one_name_counted_in_pieces_and_weighed_is_for_a_steward():
    edge = only(
        "product",
        {"name": "圆钢", "specification": "Φ30", "uom_text": "公斤"},
        {"name": "圆钢", "specification": "φ30", "uom_text": "件"},
    )

    assert edge is not None
    assert edge.rule == "same_item_counted_otherwise"
    assert edge.score < rules("product").auto


PERSON = {"name": "王磊", "hired_on": "2020-03-01"}


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        ({**PERSON, "record_id": "hc_hr:HC0001", "employee_no": "HC0001"}, {"record_id": "hc_feishu:x", "employee_no": "hc0001", "name": "王 磊"}, "same_number_and_name"),
        ({**PERSON, "record_id": "hc_hr:1", "mobile": "13812341235"}, {"record_id": "hc_yonbip:1", "name": "王磊", "mobile": "+86 138-1234-1235"}, "same_name_and_mobile"),
        ({**PERSON, "record_id": "hc_hr:HC0001", "employee_no": "HC0001"}, {"record_id": "hc_jira:5b", "name": "王磊"}, "only_one_of_that_name"),
        ({"record_id": "hc_kingdee:104", "same_as": ["hc_hr:HC0001"]}, {**PERSON, "record_id": "hc_hr:HC0001"}, "said_same"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_these_are_one_person(one, other, rule):
    edge = only("employee", one, other)

    assert edge is not None
    assert (edge.rule, edge.score >= rules("employee").auto) == (rule, True)


def test_two_people_of_one_name_are_told_apart_by_their_numbers():
    first = {**PERSON, "record_id": "hc_hr:HC0001", "employee_no": "HC0001"}
    second = {**PERSON, "record_id": "hc_hr:HC0002", "employee_no": "HC0002"}
    account = {"record_id": "hc_jira:5b", "name": "王磊"}

    assert clusters("employee", first, second) == {frozenset({"hc_hr:HC0001"}), frozenset({"hc_hr:HC0002"})}
    # Whose account it is nobody can say.
    assert {edge.score < rules("employee").auto for edge in found("employee", first, second, account)} == {
        True
    }


def test_two_accounts_of_one_name_in_one_directory_are_two_people():
    accounts = [{"record_id": f"hc_jira:{n}", "name": "王磊"} for n in range(2)]

    assert found("employee", *accounts) == []
    assert all(
        edge.score < rules("employee").auto
        for edge in found(
            "employee", *accounts, {**PERSON, "record_id": "hc_hr:HC0001", "employee_no": "HC0001"}
        )
    )


# --- evidence ---


def test_evidence_says_what_is_alike_and_hides_what_is_personal():
    edge = only(
        "customer",
        {"name": "上海恒力机械有限公司", "credit_code": ONE, "contact": "王建华", **PHONE, **DOOR},
        {"name": "恒力机械有限公司", "contact": "王建华", "phone": "13812341235/13912341236", **DOOR},
    )

    assert edge is not None
    assert edge.evidence == (
        "core 恒力机械; credit code missing on one side; same phone 138****1235; same address; region 上海; same contact 王**"
    )


def test_a_person_is_not_shown_in_full():
    edge = only(
        "employee",
        {"name": "王建华", "mobile": "13812341235", "email": "wang@example.com"},
        {"name": "王建华", "mobile": "13812341235", "email": "wang@example.com"},
    )

    assert edge is not None
    assert not re.search(r"建华|1234|wang@", edge.evidence)


# --- increments ---

NAMES = ["上海恒力机械有限公司", "恒力机械有限公司", "恒力机械", "恒力机", "上海恒力机械集团有限公司", "上海恒立机械有限公司", "苏州恒力机械有限公司", "无", None]  # fmt: skip
PHONES = ["13812341235", "138-1234-1235", "13912341236", "13912341236/13812341235", "13800138000", None]
CODES = [ONE, OTHER, "000000000000000000", None, None]
record = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "phone": st.sampled_from(PHONES),
        "credit_code": st.sampled_from(CODES),
        "city": st.sampled_from(["上海", "苏州", None]),
        "address": st.sampled_from(["上海市张江路1号", "张江路1号", "苏州市人民路8号", None]),
        "same_as": st.sampled_from([None, None, ["a:3"], ["b:1", "a:0"]]),
    }
)
# Steps of a history: in each, some records are new or changed, and some (those with None) are gone.
step = st.dictionaries(
    st.sampled_from([f"{s}:{n}" for s in "ab" for n in range(6)]), st.none() | record, max_size=7
)


def narrow() -> Rules:
    """The rules of customers with limits so low that a few records reach them."""
    document = from_yaml((FILES / "customer.yaml").read_text(encoding="utf-8"))
    document["shared_by"] = {"phone": 4, "credit_code": 3, "address": 4}
    document["no_duplicates_within"] = ["b"]
    for block in document["blocks"]:
        block["largest"] = 5
    return rules_from(document)


NARROW = narrow()


def as_table(records: dict[str, dict[str, Any]]) -> pa.Table:
    schema = {"record_id": pa.string(), "source_system": pa.string(), "same_as": pa.list_(pa.string())}
    schema |= dict.fromkeys(("name", "phone", "credit_code", "city", "address"), pa.string())
    rows = [{"record_id": key, "source_system": key[0], **value} for key, value in records.items()]
    return pa.Table.from_pylist(rows, schema=pa.schema(list(schema.items())))


@given(st.lists(step, min_size=1, max_size=4))
@settings(max_examples=12, deadline=None)
def test_comparing_only_what_changed_gives_what_comparing_everything_gives(history):
    records: dict[str, dict[str, Any]] = {}
    kept: dict[tuple[str, str], Edge] = {}
    hashes: dict[str, str] = {}
    for changes in history:
        for key, value in changes.items():
            if value is None:
                records.pop(key, None)
            else:
                records[key] = value
        std = standardised(as_table(records), NARROW)
        now = dict(
            zip(std.column("record_id").to_pylist(), std.column("record_hash").to_pylist(), strict=True)
        )
        changed = {key for key in now.keys() | hashes.keys() if now.get(key) != hashes.get(key)}
        hashes = now
        kept = {pair: edge for pair, edge in kept.items() if not changed & set(pair)}
        fresh = edges(std, NARROW, changed & now.keys())
        assert all(changed & {edge.a, edge.b} for edge in fresh)
        kept |= {(edge.a, edge.b): edge for edge in fresh}

        assert sorted(kept.values(), key=lambda edge: (edge.a, edge.b)) == edges(std, NARROW)


@given(st.dictionaries(st.sampled_from([f"a:{n}" for n in range(9)]), record, min_size=2), st.randoms())
@settings(max_examples=6, deadline=None)
def test_the_order_of_the_records_does_not_matter(records, dice):
    order = list(records)
    dice.shuffle(order)
    straight, shuffled = (
        standardised(as_table(one), NARROW) for one in (records, {key: records[key] for key in order})
    )

    assert straight.equals(shuffled)
    every = edges(straight, NARROW)
    assert every == edges(shuffled, NARROW)
    assert all(edge.a < edge.b and NARROW.review <= edge.score <= 1 for edge in every)
    assert len({(edge.a, edge.b) for edge in every}) == len(every)


def test_a_number_that_becomes_common_stops_to_count_for_those_who_had_it():
    few = {
        f"a:{n}": {"name": name, "phone": "13912341236"}
        for n, name in enumerate(["上海恒力机械有限公司", "恒力机械有限公司"])
    }
    many = few | {f"a:{n}": {"name": f"上海{core}液压有限公司", "phone": "13912341236"} for n, core in enumerate(["瑞丰", "金鼎", "联创"], start=2)}  # fmt: skip
    before, after = (standardised(as_table(one), NARROW) for one in (few, many))

    assert [edge.rule for edge in edges(before, NARROW)] == ["same_name_and_phone"]
    assert [edge.rule for edge in edges(after, NARROW)] == ["only_company_of_that_name"]
    changed = set(before.column("record_hash").to_pylist()) & set(after.column("record_hash").to_pylist())
    assert changed == set()


def test_a_group_that_becomes_too_large_is_let_go_by_those_who_were_in_it():
    short = {"name": "恒力机械", "city": "上海"}
    before, after = (
        standardised(as_table({f"a:{n}": short for n in range(count)}), NARROW) for count in (5, 6)
    )

    assert len(edges(before, NARROW)) == 10
    assert edges(after, NARROW) == []
    assert not set(before.column("record_hash").to_pylist()) & set(after.column("record_hash").to_pylist())


def test_no_records_give_no_edges():
    std = standardised(as_table({}), NARROW)

    assert len(std) == 0
    assert edges(std, NARROW) == []
    assert edges(std, NARROW, set()) == []


# --- the model ---


def weighed(table_: dict[str, Any] | None = None) -> Rules:
    return rules_from(
        {
            **MINIMAL,
            "fields": {
                "name": {"from": "name", "as": "exact"},
                "city": {"from": "city", "as": "exact"},
                "size": {"from": "size", "as": "number"},
            },
            "blocks": [{"of": "name"}, {"of": "city"}],
            "comparisons": {
                "name": {"how": "equal", "of": "name"},
                "city": {"how": "equal", "of": "city"},
                "size": {"how": "number", "of": "size"},
            },
            "rules": [],
            "review": 0.01,
            "table": table_,
        }
    )


def test_what_no_rule_decides_is_weighed():
    model = {
        "trained": "by hand",
        "prior": -3.0,
        "weights": {"name": {"same": 4.0, "differs": -2.0}, "city": {"same": 1.0}},
    }
    edge = only(weighed(model), {"name": "Weber", "city": "Lyon"}, {"name": "weber", "city": "lyon"})
    half = only(weighed(model), {"name": "Weber", "city": "Lyon"}, {"name": "Weber"})

    # Odds of 2 to the -3 + 4 + 1; a city that is missing says nothing.
    assert edge is not None
    assert half is not None
    assert math.isclose(edge.score, 4 / 5)
    assert math.isclose(half.score, 2 / 3)
    assert edge.rule == "model"


def test_a_model_is_trained_without_labels_and_always_the_same():
    # 40 pairs that agree on everything, 60 that share their city and nothing else.
    rows = [{"name": f"n{n}", "city": f"c{n}", "size": str(100 + n)} for n in range(40) for _ in range(2)]
    rows += [
        {"name": f"x{n}-{k}", "city": f"d{n}", "size": str(n + 5000 * (k + 1))}
        for n in range(60)
        for k in range(2)
    ]
    std = standardised(table(*rows), weighed())

    one, again = trained(std, weighed(), "a test"), trained(std, weighed(), "a test")

    assert one == again
    # The share of matches among candidates is 40 of 100.
    assert math.isclose(one.prior, math.log2(40 / 60), abs_tol=0.05)
    assert one.weights["name"]["same"] > 5
    assert one.weights["name"]["differs"] < -5
    assert one.weights["size"]["same"] > 5
    # All candidates share their city: it tells nothing.
    assert abs(one.weights["city"]["same"]) < 0.05


def test_nothing_to_train_on_is_said():
    with pytest.raises(RulesError, match="Nothing was trained"):
        trained(standardised(table({"name": "a1"}, {"name": "b1"}), weighed()), weighed(), "a test")
