"""The dictionary of data elements: what a steward may write, and which columns are which element."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from sources.contract import Source, read_sources
from tieout.settings import settings
from tieout.standards.conformance import Lists
from tieout.standards.dictionary import StandardsError, read_dictionary
from tieout.standards.mappings import mapping_faults
from tieout.strict import from_yaml

STANDARDS = settings().dbt_project / "standards"
SEEDS = settings().dbt_project / "seeds" / "standards"

QUANTITY = {
    "title": {"zh": "数量", "en": "Quantity"},
    "meaning": {"zh": "数量", "en": "How much"},
    "type": "decimal",
    "digits": {"whole": 6, "places": 2},
    "unit": "stated",
    "class": "L2",
    "owner": "warehouse",
    "names": "qty",
}
TMS = """
source: tms
title: {zh: 运输, en: Transport}
module: logistics
owner: logistics
connector: sqlite
connection: {path: env:TMS_DB}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  waybill:
    title: {zh: 运单, en: Waybills}
    grain: one row per waybill
    from: waybill
    key: [waybill_no]
    columns:
      waybill_no: {type: text, required: true}
      qty: {type: "decimal(18, 4)", unit: kg}
      qty_text: {type: text}
      order_qty: {type: bigint, unit: kg}
"""


def tms() -> dict[str, Source]:
    return {"tms": Source.model_validate(from_yaml(TMS))}


def written(tmp_path: Path, **elements: dict) -> Path:
    (tmp_path / "goods.yaml").write_text(yaml.safe_dump({"elements": elements}, allow_unicode=True), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tpye": "text"}, "tpye"),
        ({"class": "L5"}, "L1"),
        ({"type": "text"}, "digits needs a number, not text"),
        ({"type": "date", "digits": None, "unit": None, "pattern": "x"}, "pattern needs text, not date"),
        ({"codes": {"values": ["a"]}}, "codes of a number are numbers"),
        ({"codes": {"values": [1], "seed": "uoms.uom_code"}}, "one of values, seed, divisions, statuses"),
        ({"codes": {"statuses": ["done"]}}, "both or none"),
        ({"names": []}, "no column is tied to it"),
        ({"names": "(qty"}, "no regular expression"),
        ({"columns": ["waybill.qty"]}, "source.stream.column"),
        ({"owner": ""}, "owner"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_file_and_key(tmp_path, change, complaint):
    folder = written(tmp_path, quantity={**QUANTITY, **change})
    with pytest.raises(StandardsError, match=re.escape(complaint)) as told:
        read_dictionary(folder)
    assert "goods.yaml: elements.quantity" in str(told.value)


def test_an_id_in_two_files_is_an_error(tmp_path):
    folder = written(tmp_path, quantity=QUANTITY)
    (folder / "more.yaml").write_text((folder / "goods.yaml").read_text("utf-8"), "utf-8")
    with pytest.raises(StandardsError, match=r"more\.yaml: another file has quantity"):
        read_dictionary(folder)


def test_a_folder_without_a_dictionary_is_an_error_not_an_empty_answer(tmp_path):
    with pytest.raises(StandardsError, match="no dictionary"):
        read_dictionary(tmp_path)


def test_a_name_is_matched_whole_and_a_listed_column_wins(tmp_path):
    weight = {**QUANTITY, "names": [], "columns": ["tms.waybill.qty"]}
    dictionary = read_dictionary(written(tmp_path, quantity=QUANTITY, weight=weight))
    assert [(item.column, item.element, item.how) for item in dictionary.tied(tms())] == [
        ("qty", "weight", "column")  # `order_qty` and `qty_text` are other names
    ]


def test_two_elements_that_claim_one_column_are_refused(tmp_path):
    dictionary = read_dictionary(
        written(tmp_path, quantity=QUANTITY, any_quantity={**QUANTITY, "names": "qty|x"})
    )
    with pytest.raises(
        StandardsError, match=r"tms\.waybill\.qty fits the names of any_quantity and quantity"
    ):
        dictionary.tied(tms())


def test_a_column_no_contract_has_is_refused_but_a_system_not_connected_is_not(tmp_path):
    gone = {**QUANTITY, "columns": ["tms.waybill.weight", "wms.line.qty"]}
    with pytest.raises(StandardsError, match=r"no contract has tms\.waybill\.weight\."):
        read_dictionary(written(tmp_path, quantity=gone)).tied(tms())


def test_the_products_own_dictionary_fits_the_products_own_contracts():
    dictionary = read_dictionary(STANDARDS)
    tied = dictionary.tied(read_sources(settings().sources))
    assert 30 <= len(dictionary.elements) <= 60
    assert {item.element for item in tied} == set(dictionary.elements), "an element no column is"
    assert len({item.place for item in tied}) == len(tied)
    by_place = {item.place: item.element for item in tied}
    assert by_place["hc_u8.customer.credit_code"] == "credit_code"
    assert by_place["hc_u8.purchase_order_line.pack_quantity"] == "pack_quantity"
    assert by_place["hc_kingdee.sales_order_line.closed_code"] == "document_status"
    assert "hx_sales.party_address.city" in by_place
    assert "hx_stock.stock_move.id" not in by_place


def test_personal_elements_are_at_least_l3():
    dictionary = read_dictionary(STANDARDS)
    for name in ("phone", "email", "contact_name", "person_name", "gross_pay"):
        assert dictionary.elements[name].sensitivity in {"L3", "L4"}


def test_every_translation_leads_to_a_standard_code_and_no_day_has_two():
    assert mapping_faults(Lists(SEEDS, date(2026, 11, 22)), read_dictionary(STANDARDS)) == []


def test_every_status_a_contract_allows_is_translated():
    """The contracts were written from the vendors' documentation, the translations from what their codes mean."""
    sources, lists = read_sources(settings().sources), Lists(SEEDS, date(2026, 11, 22))
    element = read_dictionary(STANDARDS).elements["document_status"]
    asked = 0
    for place, status in element.lists.items():
        source, stream, column = place.split(".")
        allowed = sources[source].streams[stream].columns[column].values or ()
        known = lists.valid_today(lists.statuses(source, status.document))
        assert {str(code) for code in allowed} <= known, place
        assert known, place
        asked += len(allowed)
    assert asked > 100


def test_a_translation_that_leads_nowhere_or_overlaps_is_named(tmp_path):
    (tmp_path / "source_statuses.csv").write_text(
        "source_system,document_type,source_status,status_code,valid_from,valid_to,meaning\n"
        "tms,waybill,1,open,,2025-06-30,\n"
        "tms,waybill,1,done,2025-06-30,,\n"  # both on the last day of June
        "tms,waybill,2,done,,2025-06-30,\n"
        "tms,waybill,2,open,2025-07-01,,\n"
        "tms,waybill,3,finsihed,,,\n"
        "tms,waybill,4,done,2025-07-01,2025-06-01,\n",
        "utf-8",
    )
    (tmp_path / "code_map.csv").write_text(
        "source_system,code_list,source_code,standard_code,valid_from,valid_to,reason\n"
        "tms,unit,公斤,kg,,,\ntms,unit,担,dan,,,\ntms,colour,red,r,,,\n",
        "utf-8",
    )
    (tmp_path / "units.csv").write_text("uom_code\nkg\n", "utf-8")
    status = {
        **{key: QUANTITY[key] for key in ("title", "meaning", "class", "owner")},
        "type": "text",
        "codes": {"statuses": ["open", "done"]},
        "lists": {"tms.waybill.status": {"document": "waybill"}},
    }
    unit = {**status, "codes": {"seed": "units.uom_code", "map": "unit"}, "lists": {}, "names": "uom"}
    (folder := tmp_path / "standards").mkdir()

    found = mapping_faults(
        Lists(tmp_path, date(2026, 1, 1)), read_dictionary(written(folder, status=status, unit=unit))
    )

    assert found == [
        "source_statuses.csv, tms waybill 3: 'finsihed' is no standard status",
        "code_map.csv, unit tms 担: 'dan' is no code of unit",
        "code_map.csv, colour: no element has this list",
        "source_statuses.csv, tms waybill 1: two translations are valid on the same day",
        "source_statuses.csv, tms waybill 4: valid_from 2025-07-01 is after valid_to 2025-06-01",
    ]


def test_every_unit_text_leads_to_a_unit_that_has_a_name():
    lists = Lists(SEEDS, date(2026, 11, 22))
    units = lists.column("units.uom_code")
    assert lists.column("uoms.uom_code") | lists.column("uoms.base_uom_code") <= units
    assert len(lists.rows("units")) == len(units)


def test_cities_are_those_of_the_ministry_in_full_and_short():
    cities = Lists.cities()
    assert {"苏州市", "苏州", "上海市", "上海", "大理白族自治州"} <= cities
    assert not {"昆山", "江苏省", "浦东新区", "Stuttgart", "city", ""} & cities
