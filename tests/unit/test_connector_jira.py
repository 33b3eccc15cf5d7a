"""Jira: how objects become JQL and requests, on Cloud and on Server, and what discovery makes of a site's fields."""

from __future__ import annotations

import pytest

from sources.connectors.jira import Jira


def document(streams: dict | None = None, **options: str) -> dict:
    return {
        "connection": {"options": {"token": "env:T", "projects": "SUPPLY", **options}},
        "streams": streams or {},
    }


ISSUE = {
    "object": "issue",
    "key": ["id"],
    "load": "incremental",
    "cursor": "updated",
    "deletes": "keys",
    "columns": {
        "id": {"type": "text"},
        "summary": {"from": "fields.summary", "type": "text"},
        "status": {"from": "fields.status.name", "type": "text"},
        "status_id": {"from": ["fields.status.id", "fields.state.id"], "type": "text"},
        "updated": {"from": "fields.updated", "type": "timestamptz"},
        "points": {"from": "fields.customfield_10016", "type": "decimal(9, 2)"},
    },
}


def test_issues_of_cloud_are_asked_by_minute_with_exactly_the_wanted_fields():
    made = Jira().request("issue", ISSUE, document(user="a@b.example", zone="Europe/Berlin"))
    assert made["from"] == "/rest/api/3/search/jql"
    request = made["request"]
    assert request["body"] == {
        "jql": 'project in ({options.projects}) AND updated >= "{since}" ORDER BY updated ASC, key ASC',
        "fields": ["customfield_10016", "status", "summary", "updated"],
        "maxResults": "{size}",
        "nextPageToken": "{cursor}",
    }
    assert request["paging"] == {"kind": "cursor", "next": "nextPageToken", "size": 100}
    assert request["times"] == {"format": "%Y-%m-%d %H:%M", "timezone": "Europe/Berlin"}
    assert request["keys"]["body"]["jql"] == "project in ({options.projects}) ORDER BY key ASC"
    assert "total" not in request and made["lateness"] == "10m"


def test_server_pages_by_offset_and_names_a_total():
    made = Jira().request("issue", ISSUE | {"load": "full", "deletes": "none"}, document(kind="server"))
    assert made["from"] == "/rest/api/2/search"
    assert made["request"]["body"]["jql"] == "project in ({options.projects}) ORDER BY key ASC"
    assert made["request"]["body"]["startAt"] == "{offset}" and made["request"]["total"] == "total"
    assert "beginning" not in made["request"] and "lateness" not in made


@pytest.mark.parametrize(
    ("kind", "path", "records"),
    [
        ("cloud", "/rest/api/3/issue/{each}/changelog", "values"),
        ("server", "/rest/api/2/issue/{each}", "changelog.histories"),
    ],
)
def test_histories_are_asked_issue_by_issue(kind, path, records):
    stream = {
        "object": "changelog",
        "key": ["id"],
        "load": "incremental",
        "columns": {"id": {"type": "text"}},
    }
    made = Jira().request("changelog", stream, document(kind=kind))
    assert (made["from"], made["request"]["records"]) == (path, records)
    listed = made["request"]["for_each"]["list"]
    assert listed["item"] == "id" and 'updated >= "{since}"' in listed["body"]["jql"]


def test_who_we_are():
    cloud = Jira().http(document(user="a@b.example"))["auth"]
    assert cloud == {"kind": "basic", "username": "a@b.example", "password": "env:T"}
    assert Jira().http(document(kind="server"))["auth"] == {"kind": "bearer", "token": "env:T"}


@pytest.mark.parametrize(
    ("options", "words"),
    [({"kind": "datacenter"}, "is neither cloud nor server"), ({"projects": ""}, "say which projects")],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        Jira().http(document(**options))


def test_an_unknown_object_is_named():
    with pytest.raises(ValueError, match=r"streams\.sprint: object 'sprint' is none of"):
        Jira().request("sprint", {"object": "sprint", "columns": {}}, document())
