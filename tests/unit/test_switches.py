"""Sources that are off: some are missed by everybody, some are no part of the installation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sources.contract import ContractError
from tieout.ingest.switches import missing, switch_off, switch_on, switched_off

SOURCES = {"hc_crm": 1, "hc_jira": 2, "hx_sales": 3}
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def off(home, *patterns, unused=False):
    return switch_off(home, SOURCES, patterns, "PMO", "because", NOW, unused=unused)


def test_only_what_belongs_here_is_missed(tmp_path):
    assert off(tmp_path, "hc_*", unused=True) == ["hc_crm", "hc_jira"]
    assert off(tmp_path, "hx_sales") == ["hx_sales"]
    assert set(switched_off(tmp_path)) == set(SOURCES) and set(missing(tmp_path)) == {"hx_sales"}

    # Its turn will come after all: now it is waited for, though nobody asks it yet.
    assert off(tmp_path, "hc_jira") == ["hc_jira"] and off(tmp_path, "hc_jira") == []
    assert set(missing(tmp_path)) == {"hc_jira", "hx_sales"}
    assert (
        switch_on(tmp_path, SOURCES, ["*"]) == ["hc_crm", "hc_jira", "hx_sales"] and missing(tmp_path) == {}
    )


def test_a_name_that_is_no_source_changes_nothing(tmp_path):
    with pytest.raises(ContractError, match="there is no source 'hz_"):
        off(tmp_path, "hc_crm", "hz_*", unused=True)
    assert switched_off(tmp_path) == {}
