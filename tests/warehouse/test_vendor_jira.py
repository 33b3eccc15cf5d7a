"""Jira, Cloud and Server, from its emulator to the warehouse, and the emulator's own manners."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from sandbox.emulators.faults import Faults
from sandbox.emulators.jira import Jira
from sandbox.emulators.server import serving
from sandbox.huachen.systems import jira
from sandbox.huachen.world.records import Employee, Party, Ticket, World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Store, write_store
from sources.connectors import connector_for
from sources.contract import Source
from tests.vendor_rows import CONTRACTS, Pulls, announced, quick
from tieout.strict import from_yaml

START = datetime(2026, 9, 1, 1, 0, 30, tzinfo=UTC)
STREAMS = ("issue", "changelog", "changelog_item", "project")
RESOLVED = "resolved"  # of an issue: its column


def world() -> World:
    """Eleven tickets (so that AS-10 sorts after AS-9), the first with more changes than an issue's own answer shows."""
    made = World(1, 1, date(2026, 9, 1), date(2026, 10, 31))
    made.employees = [
        Employee(f"HC{n:03d}", f"员工{n}", f"1380000000{n}", "售后工程师", date(2020, 1, 1), None, ((date(2020, 1, 1), "800"),), Decimal(9000))
        for n in (1, 2)
    ]  # fmt: skip
    made.customers = [
        Party(
            "C0001",
            "苏州恒力机械有限公司",
            "恒力机械",
            None,
            "CN",
            "苏州",
            "东吴南路1号",
            "王伟",
            "13800000001",
            date(2020, 1, 1),
            30,
        )
    ]
    states = ("待处理", "处理中", "已解决", "已关闭")
    for n in range(1, 12):
        created = START + timedelta(hours=20 * n)
        steps = tuple(
            (created + timedelta(hours=k), "HC002", states[(k - 1) % 4], states[k % 4])
            for k in range(1, 7 if n == 1 else n % 4 + 1)
        )
        updated = steps[-1][0] if steps else created
        solved = next((at for at, _, _, to in steps if to == "已解决"), None)
        made.tickets.append(
            Ticket(f"AS-{n}", f"精密滑台 异响 {n}", "C0001", "FG-001", f"FH{n:04d}", "High", "HC001", created, updated, solved,
                   steps[-1][3] if steps else "待处理", steps)
        )  # fmt: skip
    return made


@pytest.fixture
def running(tmp_path, monkeypatch):
    history = world()
    path = tmp_path / "jira.sqlite"
    write_store(path, jira.tables(history, Spelling(history)))
    emulator = Jira(Store(path), jira.OPTIONS | {"max_results": "4", "retry_after": "0"})
    with serving(emulator) as url:
        yield emulator, announced("hc_jira", url, jira.OPTIONS, tmp_path, monkeypatch)


def truth(store: Store, stream: str) -> list[dict]:
    """The store's rows under the contract's names, codes read as words."""
    if stream == "project":
        return list(store.rows("project"))
    created = {row["id"]: row["created"] for row in store.rows("changelog")}
    if stream == "changelog":
        return [row | {"issue_id": row["issue"]} for row in store.rows("changelog")]
    if stream == "changelog_item":
        return [
            {"changelog_id": row["changelog"], "field": row["field"], "from_text": row["fromString"], "to_text": row["toString"],
             "created": created[row["changelog"]]}
            for row in store.rows("changelog_item")
        ]  # fmt: skip
    people = {row["accountId"]: row["displayName"] for row in store.rows("user")}
    return [
        row
        | {"status": dict(jira.STATES)[row["status"]], "priority": dict(jira.PRIORITIES)[row["priority"]], "issue_type": "售后问题",
           "assignee_name": people[row["assignee"]], RESOLVED: row["resolutiondate"], "customer_code": row["customfield_10041"],
           "product_code": row["customfield_10042"], "delivery": row["customfield_10043"]}
        for row in store.rows("issue")
    ]  # fmt: skip


def assert_same(emulator: Jira, small: Pulls, *streams: str) -> None:
    for stream in streams or STREAMS:
        there = small.truth(stream, truth(emulator.store, stream))
        assert there, stream
        assert small.loaded(stream) == there, stream


def test_every_table_is_as_the_store_has_it_also_histories_that_the_search_would_cut_short(running):
    emulator, small = running
    small.refresh()
    assert_same(emulator, small)
    assert emulator.store.count("changelog", "issue = '10001'") == 6


def test_server_is_read_by_the_same_contract(running, tmp_path, monkeypatch):
    emulator, _ = running
    emulator.options |= {"kind": "server"}
    text = (CONTRACTS / "hc_jira" / "source.yaml").read_text(encoding="utf-8").replace("accountId", "name")
    document = from_yaml(text)
    document["connection"]["options"] |= {"kind": "server", "user": ""}
    source = quick(Source.model_validate(document))
    small = Pulls(source, tmp_path / "other")
    small.refresh()
    assert_same(emulator, small)


def test_changes_moves_and_deletions_follow(running):
    emulator, small = running
    small.refresh()
    # in the second of the newest change, which JQL's minutes cannot tell from it
    newest = next(iter(emulator.store.rows("issue", order="updated desc")))
    emulator.store.change(
        "update issue set key = 'AS-99', status = '10002', updated = ? where id = '10003'",
        [newest["updated"]],
    )
    emulator.store.change("insert into changelog values ('20999', '10003', null, ?)", [newest["updated"]])
    emulator.store.change("insert into changelog_item values ('20999', 'status', 'jira', '处理中', '已关闭')")
    emulator.store.change("delete from issue where id = '10005'")
    small.refresh()
    assert_same(emulator, small, "issue")
    assert ("20999",) in small.loaded("changelog")
    assert small.rows("select id from raw_hc_jira.issue where _is_deleted") == [("10005",)]


@pytest.mark.parametrize(
    "faults",
    [Faults(error_at=3), Faults(cut_body_at=4), Faults(throttle_every=4), Faults(slow=0.01)],
    ids=["500 in the middle", "body cut", "throttled", "slow"],
)
def test_faults_that_can_be_survived_are(running, faults):
    emulator, small = running
    emulator.faults = faults
    took = small.refresh("changelog", "changelog_item")
    assert took["retries"] > 0 or faults.slow
    assert_same(emulator, small, "changelog", "changelog_item")


def test_a_history_that_lost_a_change_on_the_way_is_read_again(running):
    emulator, small = running
    emulator.faults = Faults(truncate_page=1, tables=["changelog"])
    small.refresh("changelog", "changelog_item")
    assert_same(emulator, small, "changelog", "changelog_item")


@pytest.mark.parametrize(
    ("faults", "token", "words"),
    [
        (Faults(), "sandbox-jira-wrong", "the account or its token is not accepted"),
        (Faults(expire_session_after=1), None, "the account or its token is not accepted"),
        (Faults(revoked=["issue"]), None, "The value 'AS' does not exist for the field 'project'."),
        (Faults(quota=1), None, "asks us to wait 2400 s"),
        (Faults(throttle_every=1), None, "Rate limit exceeded."),
    ],
    ids=["token", "expired", "right", "quota", "rate"],
)
def test_what_cannot_be_survived_says_so(running, monkeypatch, faults, token, words):
    emulator, small = running
    if token:
        monkeypatch.setenv("HC_JIRA_TOKEN", token)
    emulator.faults = faults
    said = small.refused("issue")
    assert words in said and "what was loaded before stays" in said
    assert jira.OPTIONS["token"] not in said


def test_a_history_that_may_not_be_seen_refuses_its_stream_alone(running):
    emulator, small = running
    emulator.faults = Faults(revoked=["changelog"])
    wrong = {name: str(item.error) for name, item in small.outcomes().items() if item.error}
    assert set(wrong) == {"changelog", "changelog_item"}
    assert "the account may not see it" in wrong["changelog"]


def test_discovery_reads_the_fields_of_the_site(running):
    emulator, _ = running

    def ask(method, path, *, params=None, body=None, **_):
        user, token = emulator.options["user"], emulator.options["token"]
        return requests.request(
            method, emulator.address + path, params=params, json=body, auth=(user, token), timeout=5
        ).json()

    vendor = connector_for("jira")
    vendor.check(ask)
    issue, changelog, items, project = vendor.discover(ask)
    fields = {field.id: field for field in issue.fields}
    assert fields["customfield_10041"].title == "客户编码" and fields["customfield_10041"].type == "text"
    assert (fields["status"].path, fields["updated"].type) == ("fields.status.name", "timestamptz")
    assert fields["assignee"].personal and fields["assignee"].path == "fields.assignee.accountId"
    assert "thumbnail" not in fields and "Asia/Shanghai" in (issue.doubt or "")
    assert (issue.key, issue.cursor) == (("id",), ("updated",))
    assert [item.id for item in (changelog, items, project)] == ["changelog", "changelog.items", "project"]


def searched(emulator: Jira, jql: str, **body) -> requests.Response:
    auth = (emulator.options["user"], emulator.options["token"])
    return requests.post(
        emulator.address + "/rest/api/3/search/jql", json={"jql": jql, **body}, auth=auth, timeout=5
    )


def test_the_emulator_keeps_the_rules_of_the_sheet(running):
    emulator, _ = running
    unbounded = searched(emulator, "order by created")
    assert unbounded.status_code == 400 and "Unbounded" in unbounded.json()["errorMessages"][0]
    assert searched(emulator, 'project = AS and updated >= "2026-09-01 10:00:30"').status_code == 400
    assert searched(emulator, "project = NOPE").status_code == 400
    page = searched(emulator, "project = AS order by key asc", maxResults=3).json()
    assert [set(item) for item in page["issues"]] == [
        {"id", "key", "self"}
    ] * 3  # no fields asked, none given
    assert page["isLast"] is False and "total" not in page
    wrong = searched(emulator, "project = AS", nextPageToken=page["nextPageToken"])
    assert wrong.status_code == 400
    # AS-1 was created at 09:00:30 in Shanghai plus 20 hours: minutes are read in the account's zone
    late = searched(emulator, 'project = AS and created <= "2026-09-02 05:00"', fields=["created"]).json()[
        "issues"
    ]
    assert late == []
    found = searched(emulator, 'project = AS and created <= "2026-09-02 05:01"', fields=["created"]).json()[
        "issues"
    ]
    assert [item["fields"]["created"] for item in found] == ["2026-09-02T05:00:30.000+0800"]
    cut = searched(emulator, "project = AS order by key asc", expand="changelog", maxResults=1).json()[
        "issues"
    ][0]
    assert cut["changelog"]["total"] == 6 and len(cut["changelog"]["histories"]) == 2
