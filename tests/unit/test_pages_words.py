"""No code of the definitions stands on a page as a bare code: each has words in both languages."""

from __future__ import annotations

import re

from tieout.metrics.definitions import read_yaml
from tieout.pages import words
from tieout.settings import PROJECT
from tieout.tie import generate


def test_every_date_a_metric_stands_on_has_words():
    metrics = read_yaml(PROJECT / "dbt_project" / "models" / "metrics").metrics.values()
    roles = {role for metric in metrics for role in metric.meta.time_role}
    assert len(roles) > 10 and roles - set(words.TIME_ROLE) == set()


def test_everything_an_unexplained_amount_may_look_like_has_words():
    found = set()
    for path in (PROJECT / generate.MODELS).glob("identity_*.sql"):
        before, column, _ = path.read_text("utf-8").partition("as suspect\n")
        if column:
            found |= set(re.findall(r"(?:then|else)\s+'([a-z_]+)'", before[-2500:]))
    assert len(found) > 6 and found - set(words.SUSPECT) == set()


def test_every_case_the_data_can_leave_open_has_words():
    found = set()
    for folder in ("intermediate", "marts"):
        for path in (PROJECT / "dbt_project" / "models" / folder).rglob("*.sql"):
            text = path.read_text("utf-8")
            # 'kind' as case_kind, and every branch of a case expression that ends so
            for before in text.split("as case_kind")[:-1]:
                said = before[before.rfind("select") :] if before.rstrip().endswith("end") else before[-60:]
                found |= set(re.findall(r"'([a-z]+(?:_[a-z]+)+)'\s*$", said))
                found |= set(re.findall(r"(?:then|else)\s+'([a-z_]+)'", said))
    assert len(found) > 35 and found - set(words.CASE) == set()
