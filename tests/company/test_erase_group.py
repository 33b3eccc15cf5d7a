"""A person known in many systems, and a buyer only orders name, go from the whole group; no total moves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.company.conftest import Company, Group

pytestmark = [pytest.mark.company, pytest.mark.slow, pytest.mark.nightly]

FIGURE = re.compile(
    r"(\d+) values looked for in ([\d,]+) files and ([\d,]+) tables: 0 found; as they were: (\d+) of (\d+) totals, "
    r"(\d+) of (\d+) identities, (\d+) of (\d+) counts of keys"
)


def proved(said: str) -> None:
    figure = FIGURE.search(said.splitlines()[-1])
    assert figure, said
    numbers = [int(number.replace(",", "")) for number in figure.groups()]
    assert numbers[1] > 3000 and numbers[2] > 500
    assert numbers[3] == numbers[4] > 200 and numbers[5] == numbers[6] and numbers[7] == numbers[8]


@pytest.fixture(scope="module")
def mine(group: Group, place: Path) -> Company:
    return group.copied(place / "erased")


def test_a_person_of_many_systems_goes_and_a_pull_brings_nobody_back(mine: Company) -> None:
    key, number, systems = mine.rows(
        "select c.master_key, any_value(g.value), list(distinct c.source_system) as systems from master.crosswalk as c"
        " join master.golden_attribute as g on g.entity = 'employee' and g.master_key = c.master_key"
        " and g.attribute = 'employee_no' where c.entity = 'employee' group by 1 order by len(systems) desc, 1 limit 1"
    )[0]
    ((name,),) = mine.rows("select employee_name from marts.dim_employee where employee_key = ?", key)
    assert {"hc_dingtalk", "hc_feishu", "hc_hr", "hc_yonbip"} <= set(systems)

    listed = mine.run("erase", number, "--dry-run").stdout
    assert "hc_dingtalk.user" in listed and name not in listed, "values are masked"
    proved(mine.run("erase", number, "--by", "王敏", "--reason", "asked for it", "--prove").stdout)

    ((now,),) = mine.rows("select employee_name from marts.dim_employee where employee_key = ?", key)
    assert now.startswith("erased-")
    mine.run("refresh", code=None)
    ((again,),) = mine.rows("select employee_name from marts.dim_employee where employee_key = ?", key)
    assert again == now


def test_a_buyer_that_only_orders_name_goes(mine: Company) -> None:
    buyer = mine.value('select min(shop_buyer_id) from raw_hc_shop."order" where shop_buyer_id is not null')
    proved(
        mine.run("erase", f"hc_shop:{buyer}", "--by", "王敏", "--reason", "asked for it", "--prove").stdout
    )
    assert mine.value('select count(*) from raw_hc_shop."order" where shop_buyer_id = ?', buyer) == 0


def test_whom_nobody_knows_is_refused_with_next_steps(mine: Company) -> None:
    done = mine.run("erase", "HC9999", "--by", "王敏", "--reason", "asked for it", code=3)
    assert "nobody is known" in done.stderr and "tieout master show" in done.stderr
