"""Huachen Europe's SAP pulled through the real connector: what is loaded is what the system holds, whatever goes wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.sap import TOKEN, Sap
from sandbox.emulators.server import serving
from sandbox.huachen.systems import sap
from sandbox.store import Store, write_store
from sources.connectors.sap import Sap as Connector
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, Pulls, announced
from tests.warehouse.drafted import asking, drafted, table_of
from tests.warehouse.hce_world import hce_world
from tieout.strict import from_yaml

# stream → the entity set it comes from
TABLES = {
    "sales_order": "API_SALES_ORDER_SRV/A_SalesOrder",
    "sales_order_item": "API_SALES_ORDER_SRV/A_SalesOrderItem",
    "billing_document": "API_BILLING_DOCUMENT_SRV/A_BillingDocument",
    "billing_document_item": "API_BILLING_DOCUMENT_SRV/A_BillingDocumentItem",
    "product": "API_PRODUCT_SRV/A_Product",
    "product_description": "API_PRODUCT_SRV/A_ProductDescription",
    "business_partner": "api_business_partner/srvd_a2x/sap/businesspartner/0001/BusinessPartner",
    "journal_item": "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube",
}
ORDERS = TABLES["sales_order"]
ORDER = ("sales_order", "sales_order_item")  # one request


@pytest.fixture
def system(tmp_path):
    """The subsidiary's system with pages of three rows."""
    world, spelling = hce_world()
    write_store(tmp_path / "hc_sap.sqlite", sap.tables(world, spelling))
    small = {"page_size": "3", "page_size_v4": "2", "default_client": "000"}
    emulator = Sap(Store(tmp_path / "hc_sap.sqlite"), sap.OPTIONS | small)
    with serving(emulator):
        yield emulator


@pytest.fixture
def source(system, tmp_path, monkeypatch) -> Pulls:
    return announced("hc_sap", system.address, sap.OPTIONS, tmp_path, monkeypatch)


def truth(source: Pulls, system: Sap, stream: str) -> dict:
    """The store's rows under the contract's names; of lines, with the changing time of their document."""
    spec = source.source.streams[stream]
    names = {column: spec.source_column(column).removeprefix("parent.") for column in spec.columns}
    rows = list(system.store.rows(TABLES[stream]))
    if stream.endswith("_item") and stream != "journal_item":
        parent = system.store.tables[TABLES[stream]].parent
        heads = {row[spec_key(system, parent)]: row for row in system.store.rows(str(parent))}
        link = str(system.store.tables[TABLES[stream]].link)
        rows = [row | {"LastChangeDateTime": heads[row[link]]["LastChangeDateTime"]} for row in rows]
    return source.truth(stream, [{column: row[name] for column, name in names.items()} for row in rows])


def spec_key(system: Sap, table: str | None) -> str:
    return system.store.tables[str(table)].key[0]


def assert_all_equal(source: Pulls, system: Sap, *streams: str) -> None:
    for stream in streams or TABLES:
        held = source.loaded(stream)
        assert held, stream
        assert held == truth(source, system, stream), stream


def test_every_table_is_loaded_as_the_system_holds_it(source, system):
    source.refresh()
    assert_all_equal(source, system)
    # pages of three (two with V4), and a link that forgets the client
    links = [call for call in system.calls if "$skiptoken" in call.query]
    assert len(links) > 8 and not any("sap-client" in call.query for call in links)


def test_a_change_is_followed_and_lines_that_vanish_with_it(source, system):
    source.refresh(*ORDER)
    change = system.store.change
    first, second = (row["SalesOrder"] for row in system.store.rows(ORDERS, limit=2))
    later = "2026-10-30T08:00:00Z"
    change(
        f'update "{ORDERS}" set "TotalNetAmount" = \'1.05\', "LastChangeDateTime" = ? where "SalesOrder" = ?',
        (later, first),
    )
    change(
        f'delete from "{ORDERS}Item" where "SalesOrder" = ? and "SalesOrderItem" = ?',
        (first, "20"),
    )
    change(f'delete from "{ORDERS}" where "SalesOrder" = ?', (second,))
    change(f'delete from "{ORDERS}Item" where "SalesOrder" = ?', (second,))
    calls = len(system.calls)
    source.refresh(*ORDER)
    assert_all_equal(source, system, *ORDER)
    asked = [call.query.get("$filter", "") for call in list(system.calls)[calls:] if ORDERS in call.path]
    assert any("LastChangeDateTime ge datetimeoffset'" in text for text in asked)
    source.refresh(*ORDER)
    assert_all_equal(source, system, *ORDER)


def test_what_never_changed_is_found_by_its_creation(source, system):
    source.refresh("business_partner")
    partners = TABLES["business_partner"]
    columns = ["BusinessPartner", "BusinessPartnerFullName", "BusinessPartnerCategory", "Customer", "SearchTerm1", "TaxNumber"]  # fmt: skip
    columns += ["Country", "CityName", "StreetName", "PhoneNumber", "BusinessPartnerIsBlocked", "CreationDate", "LastChangeDate"]  # fmt: skip
    new = ("00000099", "Neu & Söhne GmbH", "2", "00000099", "NEU", None, "DE", "Köln", "Ring 1", None, 0, "2026-10-31", None)  # fmt: skip
    marks, listed = ", ".join("?" * len(new)), ", ".join(columns)
    system.store.change(f'insert into "{partners}" ({listed}) values ({marks})', new)
    source.refresh("business_partner")
    assert ("00000099",) in source.loaded("business_partner")
    assert_all_equal(source, system, "business_partner")


@pytest.mark.parametrize(
    "faults",
    [
        Faults(error_at=2),
        Faults(cut_body_at=3),
        Faults(throttle_every=3),
        Faults(slow=0.005),
        Faults(add_field="ZZ_NEW"),
        Faults(truncate_page=2),
    ],
    ids=lambda item: "-".join(sorted(item.model_fields_set)),
)
def test_what_may_pass_is_asked_again(source, system, faults):
    system.faults = faults
    source.refresh(*ORDER)
    assert_all_equal(source, system, *ORDER)


def test_the_newer_protocol_is_asked_again_too(source, system):
    system.faults = Faults(error_at=2, truncate_page=2)
    source.refresh("business_partner")
    assert_all_equal(source, system, "business_partner")


def test_a_page_that_comes_twice_is_noticed_and_nothing_is_landed(source, system):
    system.faults = Faults(repeat_page=1, tables=[ORDERS])
    error = source.refused("sales_order")
    assert "the same rows as a page before" in error and "Nothing of it was loaded" in error
    system.faults = Faults()
    source.refresh(*ORDER)
    assert_all_equal(source, system, *ORDER)


def test_a_renamed_property_is_named(source, system):
    source.refresh(*ORDER)
    system.faults = Faults(drift={"TotalNetAmount": "NetAmountTotal"}, tables=[ORDERS])
    error = source.refused("sales_order")
    assert "Property TotalNetAmount not found" in error and "$metadata" in error
    assert_all_equal(source, system, *ORDER)


def test_a_wrong_password_is_tried_once(system, tmp_path, monkeypatch):
    wrong = announced(
        "hc_sap", system.address, sap.OPTIONS | {"password": "not-the-one"}, tmp_path, monkeypatch
    )
    told = wrong.outcomes()
    assert {str(item.error).partition(" Nothing")[0] == "" for item in told.values()} == {False}
    assert all("user or the password is wrong" in str(item.error) for item in told.values())
    assert not any("not-the-one" in str(item.error) for item in told.values())
    # two requests may be under way when the first answer comes: no more than those
    assert len(system.calls) <= 2


def test_another_client_is_no_way_in(system, tmp_path, monkeypatch):
    wrong = announced("hc_sap", system.address, sap.OPTIONS | {"client": "200"}, tmp_path, monkeypatch)
    assert "option `client`" in wrong.refused("product")


def test_a_missing_scenario_stops_its_streams_only(source, system):
    system.faults = Faults(revoked=[TABLES["billing_document"]])
    told = source.outcomes()
    refused = {name for name, item in told.items() if item.error}
    assert refused == {"billing_document", "billing_document_item"}
    assert "communication scenario" in str(told["billing_document"].error)
    source.load()
    assert source.loaded("sales_order") == truth(source, system, "sales_order")


def test_a_link_to_another_host_gets_no_credentials(source, system):
    system.address = "http://sap-internal.example:8000"  # as behind a proxy that does not rewrite answers
    assert "would be sent our credentials" in source.refused("sales_order")


def test_oauth_in_place_of_a_password(system, tmp_path, monkeypatch):
    system.options |= {"client_id": "TIEOUT", "client_secret": "a-long-secret"}
    document = from_yaml((CONTRACTS / "hc_sap" / "source.yaml").read_text())
    document["connection"] = {
        "url": system.address,
        "options": {"client": "env:T_CLIENT", "client_id": "env:T_ID", "client_secret": "env:T_SECRET"},
    }
    for name, value in (("T_CLIENT", "100"), ("T_ID", "TIEOUT"), ("T_SECRET", "a-long-secret")):
        monkeypatch.setenv(name, value)
    source = Pulls(Source.model_validate(document), tmp_path)
    system.faults = Faults(expire_session_after=2)
    source.refresh(*ORDER)
    assert_all_equal(source, system, *ORDER)
    assert [call.path for call in system.calls].count(TOKEN) == 2
    monkeypatch.setenv("T_SECRET", "another-secret")
    assert "Client authentication failed" in source.refused("product") or "401" in source.refused("product")


def test_what_is_drafted_loads_without_a_hand_edit(source, system, tmp_path):
    asked = (ORDERS, f"{ORDERS}/to_Item", TABLES["business_partner"])
    made = drafted(source, tmp_path, *asked)
    made.refresh()
    for said, table in zip(asked, (ORDERS, f"{ORDERS}Item", TABLES["business_partner"]), strict=True):
        rows = made.rows(f"select count(*) from {table_of(made, said)} where not _is_deleted")
        assert rows == [(system.store.count(table),)]
    (total,) = made.rows(
        f"select sum(total_net_amount), max(last_change_date_time at time zone 'UTC')::text from {table_of(made, ORDERS)}"
    )
    rows = list(system.store.rows(ORDERS))
    assert total[0] == sum(Decimal(row["TotalNetAmount"]) for row in rows)
    assert total[1] == max(row["LastChangeDateTime"] for row in rows).replace("T", " ").removesuffix("Z")


def test_what_changed_in_the_metadata_is_told(source, system):
    source.refresh()
    system.faults = Faults(drift={"ProductGroup": "MaterialGroup"}, tables=[TABLES["product"]])
    told = source.outcomes()
    assert "Property ProductGroup not found" in str(told["product"].error)
    (note,) = [note for item in told.values() for note in item.notes]
    assert "field product_group (物料组) is gone" in note and "new field material_group" in note


def test_only_services_that_are_granted_are_found(source, system):
    system.faults = Faults(revoked=[TABLES["billing_document"]])
    found = [item.id for item in Connector().discover(asking(source))]
    assert ORDERS in found and f"{ORDERS}/to_Item" in found
    assert not any("BILLING" in name for name in found)
