"""Versions of definitions: what the check refuses, and that a signature holds for exactly what was signed."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tieout.metrics import agreed_numbers
from tieout.metrics.agreed_numbers import Numbers, Said
from tieout.metrics.approve import (
    ApprovalError,
    approve,
    approvers_file,
    first_versions,
    folder,
    history,
    keep,
    new_key,
    objections,
    rewritten,
    trust,
)
from tieout.metrics.definitions import Definitions, read_yaml
from tieout.settings import PROJECT
from tieout.strict import from_yaml

DAY = date(2026, 11, 22)
METRIC = "sales_order_amount_net"
AVERAGE = "sales_order_average_amount_net"  # computed from it


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A dbt project with the metrics of sales, first versions, and two approvers: of sales, and of finance."""
    dbt = tmp_path / "dbt_project"
    (dbt / "models" / "metrics").mkdir(parents=True)
    for file in ("sales.yml", "shared.yml"):
        shutil.copy(PROJECT / "dbt_project" / "models" / "metrics" / file, dbt / "models" / "metrics" / file)
    first_versions(dbt, read(dbt), "founders", DAY)
    for name, owner in (("wang", "sales"), ("li", "finance")):
        trust(dbt, name, (owner,), new_key(tmp_path / f"{name}.key"))
    return dbt


def read(dbt: Path) -> Definitions:
    return read_yaml(dbt / "models" / "metrics")


def edit(dbt: Path, old: str, new: str, file: str = "sales.yml") -> None:
    path = dbt / "models" / "metrics" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def drop_filter(dbt: Path) -> None:
    edit(dbt, "case when is_booked then order_amount_net_cny end", "order_amount_net_cny")


def agree(
    dbt: Path,
    by: str = "wang",
    key: str | None = None,
    reason: str = "drafts count from now on",
    metric: str = METRIC,
    numbers: Numbers | None = None,
):
    return approve(
        dbt, read(dbt), metric, by=by, key=dbt.parent / f"{key or by}.key", reason=reason, today=DAY, movement=None,
        numbers=numbers,
    )  # fmt: skip


def refused(dbt: Path) -> dict[str, str]:
    return {item.metric: item.message for item in objections(dbt, read(dbt))}


def test_as_committed_every_definition_was_agreed_to():
    dbt = PROJECT / "dbt_project"
    assert objections(dbt, read(dbt)) == []


def test_an_edited_definition_is_refused_until_its_owner_signs(project):
    assert refused(project) == {}
    drop_filter(project)
    assert set(refused(project)) == {METRIC, AVERAGE}
    assert "filter dropped: is_booked" in refused(project)[METRIC]
    assert "what it is computed from" in refused(project)[AVERAGE]
    entry = agree(project)
    assert set(refused(project)) == {AVERAGE}
    agree(project, metric=AVERAGE)
    assert refused(project) == {}
    assert (entry.changed, entry.approved_by) == ("filter dropped: is_booked", "wang")
    assert [item.changed for item in history(project, METRIC)] == [
        "first version",
        "filter dropped: is_booked",
    ]


def test_a_metric_of_others_cannot_be_signed_for(project):
    drop_filter(project)
    with pytest.raises(ApprovalError, match="does not speak for its owner sales"):
        agree(project, "li")
    assert METRIC in refused(project)


def test_nobody_takes_a_metric_over_by_writing_himself_in_as_its_owner(project):
    drop_filter(project)
    file = project / "models" / "metrics" / "sales.yml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("owner: sales", "owner: finance"), encoding="utf-8"
    )
    with pytest.raises(ApprovalError, match="does not speak for its owner sales"):
        agree(project, "li")


def test_a_name_is_not_a_signature(project):
    drop_filter(project)
    with pytest.raises(ApprovalError, match="does not fit"):
        agree(project, "wang", key="li")
    with pytest.raises(ApprovalError, match="does not name"):
        agree(project, "zhao", key="wang")
    assert len(history(project, METRIC)) == 1


def test_a_reason_and_a_change_are_needed(project):
    with pytest.raises(ApprovalError, match="already agreed"):
        agree(project)
    drop_filter(project)
    with pytest.raises(ApprovalError, match="--reason"):
        agree(project, reason=" ")
    with pytest.raises(ApprovalError, match="metrics key"):
        agree(project, key="nobody")


@pytest.mark.parametrize(
    ("piece", "value"),
    [
        ("reason", "because"),
        ("changed", "nothing"),
        ("effective_from", "2020-01-01"),
        ("version", "0123456789abcdef"),
        ("approved_by", "li"),
        ("signature", "AAAA"),
        ("signature", None),
    ],
)
def test_an_entry_that_is_edited_afterwards_is_refused(project, piece, value):
    drop_filter(project)
    agree(project)
    file = folder(project) / f"{METRIC}.yaml"
    document = from_yaml(file.read_text(encoding="utf-8"))
    if value is None:
        del document["versions"][-1][piece]
    else:
        document["versions"][-1][piece] = value
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert METRIC in refused(project)


def test_an_entry_cannot_be_taken_out_or_copied_to_another_metric(project):
    drop_filter(project)
    agree(project)
    edit(project, "expr: order_amount_net_cny\n", "expr: order_amount_gross_cny\n")
    agree(project, reason="tax too")
    file = folder(project) / f"{METRIC}.yaml"
    document = from_yaml(file.read_text(encoding="utf-8"))
    del document["versions"][1]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "does not fit" in refused(project)[METRIC]


def test_a_new_metric_and_one_that_is_gone_are_named(project):
    (folder(project) / f"{METRIC}.yaml").rename(folder(project) / "sales_other.yaml")
    said = refused(project)
    assert "speaks" in said["sales_other"] or "gone" in said["sales_other"]
    assert "approve --new" in said[METRIC]
    (folder(project) / "sales_other.yaml").unlink()
    assert first_versions(project, read(project), "founders", DAY) == [METRIC]
    assert refused(project) == {}


def test_prose_may_be_edited_freely(project):
    edit(project, "label: 销售订单额（不含税）", "label: 销售订单金额（不含税）")
    assert refused(project) == {}


def test_a_key_file_is_private_and_never_overwritten(project, tmp_path):
    file = tmp_path / "wang.key"
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    with pytest.raises(ApprovalError, match="left alone"):
        new_key(file)
    assert file.read_bytes() == before
    assert "PRIVATE" not in approvers_file(project).read_text(encoding="utf-8")


# --- numbers --------------------------------------------------------------------------------------


def numbers(november: str, data: str = "d1", product: str = "p1") -> Numbers:
    cells = {("2025-11", ("HX",)): Decimal(november), ("", ("–",)): Decimal("0.5")}
    return Numbers(data, ("company_code",), cells, {"product_code": product})


def moves(dbt: Path, after: Numbers):
    kept = agreed_numbers.read(dbt, METRIC)
    assert kept is not None
    return agreed_numbers.moved(read(dbt), METRIC, kept, after)


def test_numbers_that_move_below_a_definition_need_the_owner_as_well(project):
    keep(project, METRIC, numbers("100.00"))
    assert refused(project) == {} and moves(project, numbers("100")) is None
    found = moves(project, numbers("90.25"))
    assert [(item.period, item.member, item.before, item.after) for item in found.movements] == [
        ("2025-11", "HX", Decimal(100), Decimal("90.25"))
    ]
    assert (found.total, found.others) == (Decimal("-9.75"), ())
    with pytest.raises(ApprovalError, match="other numbers of the same data"):
        keep(project, METRIC, numbers("90.25"))
    with pytest.raises(ApprovalError, match="does not speak for its owner sales"):
        agree(project, "li", numbers=numbers("90.25"))
    assert moves(project, numbers("100")) is None, "what was refused left the numbers alone"
    entry = agree(project, numbers=numbers("90.25"), reason="returns were counted twice")
    assert entry.changed == "the same definition on other SQL"
    assert moves(project, numbers("90.25")) is None and refused(project) == {}
    with pytest.raises(ApprovalError, match="already agreed"):
        agree(project, numbers=numbers("90.25"))


def test_a_split_that_moves_while_its_sum_stays_is_named(project):
    keep(project, METRIC, numbers("100"))
    found = moves(project, numbers("100", product="p2"))
    assert (found.movements, found.others) == ((), ("product_code",))


def test_a_metric_that_says_nothing_any_more_lost_its_numbers_and_that_can_be_agreed_to(project):
    keep(project, METRIC, numbers("100"))
    nothing = Said("d1", {}).of(METRIC, numbers("100"))
    assert moves(project, nothing).total == Decimal("-100.5")
    agree(project, numbers=nothing)
    assert refused(project) == {} and moves(project, nothing) is None


def test_numbers_edited_by_hand_or_taken_away_are_refused(project):
    keep(project, METRIC, numbers("100"))
    file = agreed_numbers.file(project, METRIC)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("HX,100", "HX,101"), encoding="utf-8")
    assert "other numbers than those founders agreed to" in refused(project)[METRIC]
    file.write_text(text.replace("HX,100", "HX,hundred"), encoding="utf-8")
    assert "not understood" in refused(project)[METRIC]
    file.unlink()
    assert "is gone" in refused(project)[METRIC]


def test_numbers_of_other_data_are_kept_without_a_signature(project):
    keep(project, METRIC, numbers("100"))
    agree(project, numbers=numbers("90"))
    keep(project, METRIC, numbers("7", data="d2"))
    assert refused(project) == {} and moves(project, numbers("7", data="d2")) is None


def test_history_that_is_rewritten_is_named(project):
    def histories() -> dict:
        return {path.stem: history(project, path.stem) for path in folder(project).glob("*.yaml")}

    drop_filter(project)
    agree(project)
    then, known = histories(), read(project).metrics
    agree(project, metric=AVERAGE)
    keep(project, "sales_order_line_count", numbers("3"))
    assert rewritten(histories(), then, known) == [], "versions may be added, and numbers to a first one"
    (folder(project) / f"{METRIC}.yaml").unlink()
    first_versions(project, read(project), "founders", DAY)
    assert refused(project) == {}, "by itself the new file looks well"
    assert [item.metric for item in rewritten(histories(), then, known)] == [METRIC]
    assert rewritten(histories(), then, set(known) - {METRIC}) == []


AMOUNTS = st.decimals(min_value=-(10**20), max_value=10**20, places=8)
WORDS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), min_size=1)


@given(
    cells=st.dictionaries(
        st.tuples(st.sampled_from(["2025-11", "2026-01", ""]), st.tuples(WORDS, WORDS)), AMOUNTS
    )
)
def test_numbers_are_read_as_they_were_written(tmp_path_factory, cells):
    dbt = tmp_path_factory.mktemp("dbt")
    wrote = Numbers("d1", ("base_uom_code", "company_code"), cells, {"all": "a", "product_code": "b"})
    agreed_numbers.write(dbt, METRIC, wrote)
    assert agreed_numbers.read(dbt, METRIC) == wrote
