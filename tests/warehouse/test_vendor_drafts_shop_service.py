"""`tieout source add` for 聚水潭, Jira, 明道云 and 氚云: the draft loads every row without a hand edit."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.emulators import EMULATORS
from sandbox.emulators.server import serving
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Store, write_store
from sources.contract import Source
from tests.vendor_rows import PULLED_AT, Pulls, quick
from tests.warehouse import test_vendor_h3yun, test_vendor_jira, test_vendor_jushuitan, test_vendor_mingdao
from tieout.ingest.drafting.vendor import VendorWanted, draft_vendor
from tieout.strict import from_yaml

# system → the history it holds, what is said to `source add`, secrets, objects to draft, stream → store's table
CASES = {
    "shop": (test_vendor_jushuitan, {"app_key": "hc5f21c9a7e84d02", "since": "2026-09-28"}, ("app_secret", "access_token"),
             ("orders", "orders.items", "refunds", "refunds.items", "shops", "sku"),
             {"orders": "orders", "orders_items": "order_items", "refunds": "refunds", "refunds_items": "refund_items", "shops": "shops", "sku": "sku"}),
    "jira": (test_vendor_jira, {"user": "dataplatform@huachen.example", "projects": "AS"}, ("token",), (),
             {"issue": "issue", "changelog": "changelog", "changelog_items": "changelog_item", "project": "project"}),
    "mingdao": (test_vendor_mingdao, {"app_key": "hc7b2d90e5"}, ("sign",), (), {"sbdj": "66c1a05e9d7b3f2c84e05a10"}),
    "h3yun": (test_vendor_h3yun, {"engine_code": "hc3e8a51"}, ("engine_secret",), ("D282411qc",), {"d282411qc": "D282411qc"}),
}  # fmt: skip


@dataclass
class Tenant:
    store: Store
    url: str
    options: dict[str, str]


@pytest.fixture
def tenant(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tenant]:
    system = importlib.import_module(f"sandbox.huachen.systems.{request.param}")
    history = CASES[request.param][0].world()
    path = tmp_path / f"{request.param}.sqlite"
    write_store(path, system.tables(history, Spelling(history)))
    module, _, name = EMULATORS[system.VENDOR].partition(":")
    emulator = getattr(importlib.import_module(module), name)(
        Store(path), system.OPTIONS, clock=PULLED_AT.timestamp
    )
    monkeypatch.setattr("sources.connectors.jushuitan.time.time", PULLED_AT.timestamp)
    monkeypatch.setattr("tieout.ingest.manners.FIRST_BACKOFF", 0.001)
    with serving(emulator) as url:
        yield Tenant(emulator.store, url, system.OPTIONS)


@pytest.mark.parametrize(("tenant", "system"), [(name, name) for name in CASES], indirect=["tenant"])
def test_a_draft_loads_every_row(
    tenant: Tenant, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, options, secrets, objects, expected = CASES[system]
    for name in secrets:
        monkeypatch.setenv(f"V4_{name.upper()}", tenant.options[name])
    monkeypatch.setattr("sources.connectors.jushuitan.datetime", _Clock)
    said: dict[str, Any] = {**options, **{name: f"env:V4_{name.upper()}" for name in secrets}}
    vendor = importlib.import_module(f"sandbox.huachen.systems.{system}").VENDOR
    draft = draft_vendor(VendorWanted("drafted", vendor, tenant.url, said, objects), tmp_path / "state")
    source = quick(Source.model_validate(from_yaml(draft.text)))
    small = Pulls(source, tmp_path)
    small.refresh()
    found = {
        name: small.rows(f'select count(*) from raw_drafted."{name}" where not _is_deleted')[0][0]
        for name in source.streams
    }
    assert found == {name: tenant.store.count(table) for name, table in expected.items()}, draft.text


class _Clock:
    """The day on which the emulated shop is looked at."""

    @staticmethod
    def now(zone):
        return PULLED_AT.astimezone(zone)
