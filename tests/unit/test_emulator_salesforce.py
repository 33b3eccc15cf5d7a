"""The Salesforce emulator against its sheet, and an independent client that reads it."""

from __future__ import annotations

import pytest
import requests

from sandbox.emulators.salesforce import TOKEN, Salesforce
from sandbox.emulators.server import serving
from sandbox.store import Field, Store, Table, write_store

OPTIONS = {"client_id": "app", "client_secret": "hidden-word", "page_size": "2"}
FIELDS = (
    Field("Id", "text", "记录 ID", required=True),
    Field("Name", "text", "名称"),
    Field("Amount", "decimal", "金额"),
    Field("BillingStreet", "text", "街道"),
    Field("BillingCity", "text", "城市"),
    Field("BillingCountry", "text", "国家"),
    Field("SystemModstamp", "instant", "系统修改时间"),
    Field("IsDeleted", "flag", "已删除"),
)
ROWS = [
    (f"00{n}", f"O'Hara {n}", f"{n}.10", "Ring", "Köln", "DE", f"2026-01-0{n}T02:11:09Z", int(n == 4))
    for n in range(1, 6)
]


@pytest.fixture
def org(tmp_path):
    write_store(tmp_path / "sf.sqlite", [Table("Account", "客户", ("Id",), FIELDS, ROWS)])
    emulator = Salesforce(Store(tmp_path / "sf.sqlite"), OPTIONS)
    with serving(emulator):
        yield emulator


def token(org: Salesforce) -> str:
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "hidden-word"}
    said = requests.post(f"{org.address}{TOKEN}", data=form, timeout=5).json()
    assert said["instance_url"] == org.address and said["token_type"] == "Bearer"
    return said["access_token"]


def asked(org: Salesforce, path: str, **params: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token(org)}"}
    return requests.get(f"{org.address}{path}", params=params, headers=headers, timeout=5)


def names(org: Salesforce, how: str, where: str = "") -> list[str]:
    """Every page's names."""
    soql = f"SELECT Id, Name FROM Account {where} ORDER BY SystemModstamp, Id"
    said = asked(org, f"/services/data/v68.0/{how}", q=soql).json()
    found = [row["Name"] for row in said["records"]]
    while not said["done"]:
        assert said["nextRecordsUrl"].startswith("/services/data/v68.0/query/01g")
        said = asked(org, said["nextRecordsUrl"]).json()
        found += [row["Name"] for row in said["records"]]
    assert said["totalSize"] == len(found)
    return found


def test_only_query_all_names_what_was_deleted(org):
    assert names(org, "query") == ["O'Hara 1", "O'Hara 2", "O'Hara 3", "O'Hara 5"]
    assert names(org, "queryAll") == [f"O'Hara {n}" for n in range(1, 6)]
    assert names(org, "queryAll", "WHERE SystemModstamp >= 2026-01-04T02:11:09Z") == ["O'Hara 4", "O'Hara 5"]
    assert names(org, "query", r"WHERE Name = 'O\'Hara 2' AND Amount > 2") == ["O'Hara 2"]


def test_what_a_row_looks_like(org):
    answer = asked(
        org,
        "/services/data/v68.0/query",
        q="select Id, Amount, SystemModstamp, BillingAddress from Account limit 1",
    )
    (row,) = answer.json()["records"]
    assert row["attributes"] == {"type": "Account", "url": "/services/data/v68.0/sobjects/Account/001"}
    assert row["SystemModstamp"] == "2026-01-01T02:11:09.000+0000"
    assert row["BillingAddress"] == {"street": "Ring", "city": "Köln", "country": "DE"}
    assert '"Amount":1.10' in answer.text
    assert answer.headers["Sforce-Limit-Info"].endswith("/100000")


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nothing FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE SystemModstamp >= '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE (Name = 'x')", "MALFORMED_QUERY"),
    ],
)
def test_what_is_asked_wrongly(org, soql, code):
    answer = asked(org, "/services/data/v68.0/query", q=soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_who_is_not_let_in(org):
    answer = requests.get(
        f"{org.address}/services/data/v68.0/sobjects", headers={"Authorization": "Bearer x"}, timeout=5
    )
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "x"}
    assert requests.post(f"{org.address}{TOKEN}", data=form, timeout=5).json()["error"] == "invalid_client"


def test_an_independent_client_reads_it(org):
    """simple-salesforce follows the pages by itself."""
    package = pytest.importorskip("simple_salesforce", reason="make witness installs it")
    client = package.Salesforce(instance_url=org.address, session_id=token(org), version="68.0")
    client.base_url = f"{org.address}/services/data/v68.0/"  # it knows https only
    client.sf_instance = org.address.removeprefix("http://")
    session = client.session
    send = session.send
    session.send = lambda request, **more: send(_plain(request), **more)
    rows = client.query_all("SELECT Id, Name FROM Account ORDER BY Id", include_deleted=True)["records"]
    assert [row["Name"] for row in rows] == [row[1] for row in ROWS]
    kinds = {item["name"]: item["type"] for item in client.Account.describe()["fields"]}
    assert (
        kinds["Id"] == "id" and kinds["SystemModstamp"] == "datetime" and kinds["BillingAddress"] == "address"
    )


def _plain(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.url = str(request.url).replace("https://", "http://")
    return request
