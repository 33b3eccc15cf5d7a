"""Salesforce: how an object becomes SOQL, and what describe says of it."""

from __future__ import annotations

import pytest

from sources.connectors.salesforce import Salesforce, ascii_id, object_of


def document(**options: str) -> dict:
    return {
        "connection": {"options": options or {"client_id": "env:I", "client_secret": "env:S"}},
        "streams": {},
    }


COLUMNS = {
    "id": {"from": "Id", "type": "text"},
    "name": {"from": "Name", "type": "text"},
    "changed_at": {"from": "SystemModstamp", "type": "timestamptz"},
}


def test_the_query_of_the_sheet():
    stream = {
        "object": "Account",
        "key": ["id"],
        "cursor": "changed_at",
        "load": "incremental",
        "columns": {**COLUMNS, "is_deleted": {"from": "IsDeleted", "type": "boolean"}},
    }
    made = Salesforce().request("account", stream, document())
    assert made["from"] == "/services/data/v68.0/queryAll"
    assert made["request"]["params"]["q"] == (
        "SELECT Id, Name, SystemModstamp, IsDeleted FROM Account WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
    )
    assert made["deletes"] == {"column": "is_deleted", "values": [True]}
    assert made["request"]["times"]["format"] == "%Y-%m-%dT%H:%M:%SZ"


def test_without_the_flag_deleted_rows_must_not_come():
    stream = {"object": "Account", "key": ["id"], "load": "full", "columns": COLUMNS}
    made = Salesforce().request(
        "account", stream, document(client_id="x", client_secret="y", version="v70.0")
    )
    assert made["from"] == "/services/data/v70.0/query" and "deletes" not in made
    assert made["request"]["params"]["q"] == "SELECT Id, Name, SystemModstamp FROM Account ORDER BY Id"
    assert "beginning" not in made["request"]


def test_who_we_are_must_be_said():
    with pytest.raises(ValueError, match="client_secret"):
        Salesforce().http(document(client_id="env:I"))


def test_what_describe_says():
    found = object_of(
        {
            "name": "Contact",
            "label": "联系人",
            "fields": [
                {"name": "Id", "type": "id", "label": "记录 ID"},
                {"name": "Email", "type": "email", "label": "邮箱"},
                {"name": "Rate__c", "type": "percent", "label": "比例", "precision": 5, "scale": 2},
                {"name": "Score__c", "type": "double", "label": "分数"},
                {"name": "MailingAddress", "type": "address", "label": "地址"},
                {"name": "SystemModstamp", "type": "datetime", "label": "系统修改时间"},
            ],
        }
    )
    fields = {item.id: item for item in found.fields}
    assert set(fields) == {"id", "email", "rate_c", "score_c", "system_modstamp"}
    assert fields["email"].personal and not fields["rate_c"].personal
    assert (fields["rate_c"].type, fields["rate_c"].unit) == ("decimal(5, 2)", "percent")
    assert fields["score_c"].doubt and found.cursor == ("system_modstamp",)
    assert found.doubt and "keys" in found.doubt


def test_ids_are_ascii():
    assert [ascii_id(name) for name in ("CurrencyIsoCode", "ERP_Order__c", "AccountId")] == [
        "currency_iso_code", "erp_order_c", "account_id",
    ]  # fmt: skip
