"""Huachen Europe's Salesforce pulled through the real connector: what is loaded is what the org holds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.salesforce import TOKEN, Salesforce
from sandbox.emulators.server import serving
from sandbox.huachen.systems import salesforce
from sandbox.store import Store, write_store
from sources.connectors.salesforce import Salesforce as Connector
from tests.vendor_rows import Pulls, announced
from tests.warehouse.drafted import asking, drafted, table_of
from tests.warehouse.hce_world import hce_world

TABLES = {"account": "Account", "opportunity": "Opportunity"}


@pytest.fixture
def system(tmp_path):
    """The org with pages of two rows."""
    world, spelling = hce_world()
    write_store(tmp_path / "hc_salesforce.sqlite", salesforce.tables(world, spelling))
    emulator = Salesforce(Store(tmp_path / "hc_salesforce.sqlite"), salesforce.OPTIONS | {"page_size": "2"})
    with serving(emulator):
        yield emulator


@pytest.fixture
def source(system, tmp_path, monkeypatch) -> Pulls:
    return announced("hc_salesforce", system.address, salesforce.OPTIONS, tmp_path, monkeypatch)


def truth(source: Pulls, system: Salesforce, stream: str) -> dict:
    """The rows that were not deleted, under the contract's names."""
    spec = source.source.streams[stream]
    rows = system.store.rows(TABLES[stream], '"IsDeleted" = 0')
    return source.truth(stream, [{c: row[spec.source_column(c)] for c in spec.columns} for row in rows])


def assert_all_equal(source: Pulls, system: Salesforce) -> None:
    for stream in TABLES:
        held = source.loaded(stream)
        assert len(held) > 3, stream
        assert held == truth(source, system, stream), stream


def test_every_object_is_loaded_as_the_org_holds_it(source, system):
    source.refresh()
    assert_all_equal(source, system)
    assert source.rows("select name from raw_hc_salesforce.account where _is_deleted") == [
        ("Test Kunde GmbH",)
    ]
    pages = [call.path for call in system.calls if "/query/01g" in call.path]
    assert len(pages) == 4, "six accounts and six opportunities, two a page"


def test_changes_and_deletions_come_with_the_next_pull(source, system):
    source.refresh()
    change = system.store.change
    later = "2026-10-31T08:00:00Z"
    change('update "Opportunity" set "Amount" = \'99.07\', "SystemModstamp" = ? where rowid = 1', (later,))
    change('update "Opportunity" set "IsDeleted" = 1, "SystemModstamp" = ? where rowid = 2', (later,))
    calls = len(system.calls)
    source.refresh()
    assert_all_equal(source, system)
    asked = [call.query["q"] for call in list(system.calls)[calls:] if "q" in call.query]
    assert all("WHERE SystemModstamp >= 20" in text and "1999" not in text for text in asked)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(error_at=3),
        Faults(cut_body_at=2),
        Faults(throttle_every=3),
        Faults(expire_session_after=3),
        Faults(slow=0.005),
        Faults(add_field="New__c"),
        Faults(truncate_page=2),
    ],
    ids=lambda item: "-".join(sorted(item.model_fields_set)),
)
def test_what_may_pass_is_asked_again(source, system, faults):
    system.faults = faults
    source.refresh()
    assert_all_equal(source, system)


def test_a_page_that_comes_twice_is_noticed_and_nothing_is_landed(source, system):
    system.faults = Faults(repeat_page=1)
    assert "the same rows as a page before" in source.refused("account")
    system.faults = Faults()
    source.refresh()
    assert_all_equal(source, system)


def test_pages_that_were_kept_too_long(source, system):
    system.options["locator_seconds"] = "-1"
    assert "two days only" in source.refused("account")


def test_a_wrong_secret_says_so(system, tmp_path, monkeypatch):
    options = salesforce.OPTIONS | {"client_secret": "something-else"}
    wrong = announced("hc_salesforce", system.address, options, tmp_path, monkeypatch)
    error = wrong.refused("account")
    assert "client_secret is wrong" in error and "something-else" not in error
    assert {call.path for call in system.calls} == {TOKEN}


def test_an_object_that_is_not_granted_stops_alone(source, system):
    system.faults = Faults(revoked=["Account"])
    told = source.outcomes()
    assert "permission set" in str(told["account"].error)
    assert told["opportunity"].error is None
    source.load()
    assert source.loaded("opportunity") == truth(source, system, "opportunity")


def test_a_field_that_is_gone_is_named(source, system):
    source.refresh()
    system.faults = Faults(drift={"Amount": "Amount__c"}, tables=["Opportunity"])
    error = source.refused("opportunity")
    assert "No such column 'Amount'" in error and "field-level security" in error
    assert_all_equal(source, system)


def test_the_calls_of_the_day_are_used_up(source, system):
    system.faults = Faults(quota=1)
    told = source.outcomes()
    errors = [str(item.error) for item in told.values()]
    assert all("24 hours are used up" in error for error in errors)
    assert len([call for call in system.calls if call.path != TOKEN]) <= 4
    system.faults = Faults()
    source.refresh()
    assert_all_equal(source, system)


def test_what_describe_says_loads_without_a_hand_edit(source, system, tmp_path):
    found = Connector().discover(asking(source))
    assert [item.id for item in found] == ["Account", "Opportunity"]
    fields = {item.id: item for item in found[1].fields}
    assert (fields["amount"].type, fields["amount"].currency) == ("decimal(18, 2)", "currency_iso_code")
    assert (
        fields["stage_name"].options[0] == ("Prospecting", "初步接触")
        and fields["account_id"].refers == "Account"
    )
    assert {item.id for item in found[0].fields if item.personal} == {"phone"}
    assert "billing_address" not in {item.id for item in found[0].fields}
    made = drafted(source, tmp_path)
    made.refresh()
    listed = f"select count(*), sum(amount) from {table_of(made, 'Opportunity')} where not _is_deleted"
    total = sum(Decimal(row["Amount"]) for row in system.store.rows("Opportunity"))
    assert made.rows(listed) == [(6, total)]
    assert made.rows(f"select count(*) from {table_of(made, 'Account')} where not _is_deleted") == [
        (len(truth(source, system, "account")),)
    ]
