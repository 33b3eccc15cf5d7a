"""A column without a class fails `make check`: in a contract, and in the description of a model."""

from __future__ import annotations

import shutil

import pytest
import yaml

from sources.contract import ContractError, read_source
from tests.conftest import WAYBILLS
from tieout import sync
from tieout.privacy.classes import UnclassifiedError, refuse_unclassified
from tieout.settings import settings
from tieout.strict import from_yaml

MODELS = settings().dbt_project / "models"


def test_every_column_of_the_project_has_a_class():
    refuse_unclassified(MODELS)


@pytest.fixture
def models(tmp_path):
    return shutil.copytree(MODELS, tmp_path / "models")


def test_a_column_that_loses_its_class_is_named(models):
    file = models / "marts" / "shared" / "_shared__models.yml"
    document = from_yaml(file.read_text(encoding="utf-8"))
    model = next(item for item in document["models"] if item["name"] == "dim_employee")
    del model["config"]["meta"]["class"]
    for column in model["columns"]:
        column.get("config", {}).get("meta", {}).pop("class", None)
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UnclassifiedError, match=r"_shared__models.yml: dim_employee.employee_name"):
        refuse_unclassified(models)


def test_a_new_model_nobody_described_is_named(models):
    (models / "marts" / "hr" / "fct_secret.sql").write_text("select 1 as pay", encoding="utf-8")
    with pytest.raises(UnclassifiedError, match="marts: fct_secret is described nowhere"):
        refuse_unclassified(models)


def test_a_contract_without_a_class_is_refused(tmp_path):
    document = from_yaml(WAYBILLS)
    del document["class"]
    folder = tmp_path / "tms"
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ContractError, match="class"):
        read_source(folder / "source.yaml")


def test_make_check_asks(monkeypatch):
    """`make check` runs `tieout sync --check`, which looks through the classes first."""

    def fails(_models) -> None:
        raise UnclassifiedError("asked")

    assert "tieout sync --check" in (settings().project / "Makefile").read_text(encoding="utf-8")
    monkeypatch.setattr("tieout.privacy.classes.refuse_unclassified", fails)
    with pytest.raises(UnclassifiedError, match="asked"):
        sync.differing(settings())
