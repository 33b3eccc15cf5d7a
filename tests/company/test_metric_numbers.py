"""The numbers of the sample group are those that were agreed to; a model that moves one is named, with the movement."""

from __future__ import annotations

import shutil
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.company.conftest import Company, Group
from tieout.engine import connect
from tieout.metrics import agreed_numbers
from tieout.metrics.definitions import read_yaml
from tieout.metrics.layer import build_layer
from tieout.settings import PROJECT
from tieout.transform.dbt import target

pytestmark = [pytest.mark.company]

METRIC = "sales_order_amount_net"
# What a model would leave that takes cancelled and draft lines for booked ones; no definition changes.
EVERYTHING_IS_BOOKED = "update marts.fct_sales_order_line set is_booked = true"


def test_every_metric_says_the_numbers_that_were_agreed_to(group: Group):
    """If this fails: `tieout metrics numbers` says which moved; their owners agree with `tieout metrics approve`."""
    said = group.run("metrics", "numbers").stdout
    count = len(read_yaml(PROJECT / "dbt_project" / "models" / "metrics").metrics)
    assert f"{count} of {count} metrics say the numbers that were agreed to" in said


def test_a_model_that_moves_a_number_is_named_with_the_movement(group: Group, tmp_path):
    other = Company(tmp_path)
    shutil.copyfile(group.settings.warehouse, other.settings.warehouse)
    amounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for day, code, booked, amount in group.rows(
        "select order_date, organisation_code, is_booked, order_amount_net_cny from marts.fct_sales_order_line"
        " join marts.dim_organisation on company_key = dim_organisation.organisation_key"
    ):
        if not booked and amount:
            amounts[f"{day:%Y-%m}" if day else "without a date", code] += amount
    assert amounts, "nothing was planted"
    with connect(other.settings.warehouse) as con:
        con.execute(EVERYTHING_IS_BOOKED)
        made = target(group.settings)
        build_layer(con, made / "semantic_manifest.json", made / "manifest.json")
        now = agreed_numbers.said(con).metrics[METRIC]
    kept = agreed_numbers.read(PROJECT / "dbt_project", METRIC)
    definitions = read_yaml(PROJECT / "dbt_project" / "models" / "metrics")
    assert kept is not None and kept.data == now.data, "what was loaded is the same"

    found = agreed_numbers.moved(definitions, METRIC, kept, now)
    assert found is not None
    assert {(item.period, item.member): item.amount for item in found.movements} == amounts
    assert found.total == sum(amounts.values())

    said = other.run("metrics", "numbers", code=1).stdout
    assert f"{METRIC} (sales): `tieout metrics approve {METRIC}" in said
    assert f"{found.largest.before:,.2f}" in said and f"{found.largest.after:,.2f}" in said
    # What does not read the column stays.
    assert "revenue_amount_net (" not in said
