"""企业微信 from the emulator to the warehouse: what is loaded is what the system holds, also when things go wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from sandbox.emulators.faults import Faults
from sandbox.emulators.server import serving
from sandbox.emulators.wecom import WeCom as Emulator
from sandbox.huachen.systems.wecom import OPTIONS, TEMPLATE, tables
from sandbox.huachen.world import Spelling
from sandbox.store import Store, write_store
from sources.connectors.wecom import WeCom
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, PULLED_AT, Pulls, four_months
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.metadata import asker
from tieout.ingest.intake.http.pull import opened
from tieout.ingest.landing import Landing
from tieout.strict import from_yaml

STREAM = "expense_claim"


@pytest.fixture(scope="module")
def made():
    world = four_months()
    return tables(world, Spelling(world))


@pytest.fixture
def system(made, tmp_path):
    """A few claims, one still open, one exactly where two pieces of 31 days meet, one of another template."""
    approvals, records = made
    rows = [list(row) for row in approvals.rows[:9]]
    rows[0][2] = 1
    rows[1][4] = "2023-12-31T16:00:00Z"  # the beginning itself
    rows[2][4] = "2024-01-31T16:00:00Z"  # 31 days later to the second
    rows[3][8] = "90071992547409.1234"
    rows[4][3] = "AnotherTemplate"
    steps = [list(row) for row in records.rows if row[0] in {row[0] for row in rows}]
    steps[0][2:5] = [1, steps[0][3], None]
    steps.append([rows[5][0], 2, 2, steps[0][3], "2024-03-01T00:00:00Z", "同一个人再批一次"])
    tables_ = [
        replace(approvals, rows=[tuple(row) for row in rows]),
        replace(records, rows=[tuple(row) for row in steps]),
    ]
    write_store(tmp_path / "wecom.sqlite", tables_)
    emulator = Emulator(Store(tmp_path / "wecom.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.01)
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"HC_WECOM_{name.upper()}", value)


def pulls(system: Emulator, tmp_path, **request) -> Pulls:
    document = from_yaml((CONTRACTS / "hc_wecom" / "source.yaml").read_text(encoding="utf-8"))
    document["connection"]["url"] = system.address
    document["limits"]["retries"] = 3
    document["streams"][STREAM]["request"] = {"beginning": "2024-01-01", **request}
    return Pulls(Source.model_validate(document), tmp_path)


def assert_equal(system: Emulator, small: Pulls) -> None:
    there = {}
    for row in system.store.rows("approval", "template_id = ?", (TEMPLATE,)):
        steps = [
            (step["sp_status"], step["approver_userid"], step["sptime"] and int(datetime.fromisoformat(step["sptime"]).timestamp()))
            for step in system.store.rows("record", "sp_no = ?", (row["sp_no"],))
        ]  # fmt: skip
        there[row["sp_no"]] = (
            row["sp_name"], row["sp_status"], row["template_id"], datetime.fromisoformat(row["apply_time"]), row["applyer_userid"],
            row["partyid"], steps, row["reason"], Decimal(row["amount"]),
        )  # fmt: skip
    found = {}
    for row in small.loaded(STREAM).values():
        steps = [
            (node["sp_status"], one["approver"]["userid"], one["sptime"] or None)
            for node in json.loads(row["steps"]) for one in node["details"]
        ]  # fmt: skip
        reason, money = (item["value"] for item in json.loads(row["contents"]))
        found[row["approval_no"]] = (
            row["approval_name"], row["status_code"], row["template_id"], row["applied_at"], row["applicant_id"], row["department_id"], steps,
            reason["text"], Decimal(money["new_money"]),
        )  # fmt: skip
    assert len(there) == 8 and found == there


def test_claims_with_steps_and_form_are_loaded_as_the_system_holds_them(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    assert_equal(system, small)
    asked = [call.json for call in system.calls if call.path.endswith("getapprovalinfo")][
        1:
    ]  # after the check
    assert asked[0] == {
        "starttime": "1704038400",  # 2024-01-01 00:00 in Shanghai, as text
        "endtime": "1706716800",  # 31 days later
        "new_cursor": "",
        "size": 100,
        "filters": [{"key": "template_id", "value": TEMPLATE}],
    }
    assert {int(body["endtime"]) - int(body["starttime"]) for body in asked[:-1]} == {31 * 86_400}


def test_pages_follow_each_other(system, tmp_path):
    small = pulls(system, tmp_path, for_each={"list": {"paging": {"size": 3}}})
    small.refresh()
    assert_equal(system, small)
    assert any(
        call.json["new_cursor"] == "3" for call in system.calls if call.path.endswith("getapprovalinfo")
    )


@pytest.mark.parametrize(
    "faults",
    [{"error_at": 4}, {"cut_body_at": 5}, {"throttle_every": 4}, {"expire_session_after": 6}, {"expire_session_every": 5}, {"add_field": "new_field"}],
    ids=lambda item: next(iter(item)),
)  # fmt: skip
def test_what_passes_is_overcome(system, tmp_path, faults):
    system.faults = Faults(**faults)
    small = pulls(system, tmp_path)
    small.refresh()
    assert_equal(system, small)


def test_a_claim_that_is_decided_later_follows(system, tmp_path):
    small = pulls(system, tmp_path)
    small.refresh()
    newest = max(system.store.rows("approval"), key=lambda row: row["apply_time"])["sp_no"]
    system.store.change("update approval set sp_status = 6 where sp_no = ?", (newest,))
    small.refresh()
    assert_equal(system, small)
    assert small.loaded(STREAM)[(newest,)]["status_code"] == 6


@pytest.mark.parametrize(
    ("wrong", "option", "faults", "words"),
    [
        ({"secret": "wrong-secret-wrong"}, {}, {}, "secret is not accepted"),
        ({"corpid": "ww0000000000000000"}, {}, {}, "corp id"),
        ({}, {"trusted": "0"}, {}, "企业可信IP"),
        ({}, {}, {"revoked": ["approval"]}, "可调用接口的应用"),
        ({}, {}, {"quota": 0}, "code 45009"),
    ],
    ids=["secret", "corp", "address", "right", "frequency"],
)
def test_each_refusal_says_what_it_is(system, tmp_path, monkeypatch, wrong, option, faults, words):
    for name, value in wrong.items():
        monkeypatch.setenv(f"HC_WECOM_{name.upper()}", value)
    system.options.update(option)
    system.faults = Faults(**faults)
    message = pulls(system, tmp_path).refused(STREAM)
    assert words in message and "hc_wecom" in message and "Nothing" in message
    assert OPTIONS["secret"] not in message and "wrong-secret" not in message


def test_it_says_what_an_approval_holds(system, tmp_path):
    small = pulls(system, tmp_path)
    ask = asker(opened(small.source, Landing(tmp_path / "asked"), Ask(PULLED_AT), lambda _: None)())
    (found,) = WeCom().discover(ask)
    assert found.key == ("sp_no",) and found.cursor == ("applied_at",)
    assert {field.id for field in found.fields if field.personal} == {"applicant"}
