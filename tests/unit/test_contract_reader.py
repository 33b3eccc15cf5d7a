"""A contract that says something unclear is refused, with the place and the remedy."""

from __future__ import annotations

import copy

import pytest
import yaml

from sources.contract import ContractError, Source, contract_version, read_source, resolve
from tests.conftest import WAYBILLS
from tieout.strict import from_yaml


@pytest.fixture
def document():
    return from_yaml(WAYBILLS)


def written(tmp_path, document):
    path = tmp_path / "tms" / "source.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_a_good_contract_is_read(tmp_path, document):
    source = read_source(written(tmp_path, document))
    assert source.raw_schema == "raw_tms"
    assert source.streams["waybill"].source_column("waybill_no") == "运单号"
    assert source.class_of("waybill", "quantity") == "L2"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda d: d["streams"]["waybill"].update(keys=["a"]), "keys: Extra inputs"),
        (
            lambda d: d["streams"]["waybill"]["columns"]["quantity"].update(type="money"),
            "unknown type 'money'",
        ),
        (lambda d: d["streams"]["waybill"]["columns"]["currency"].update(min=0), "min and max need a number"),
        (lambda d: d["streams"]["waybill"].update(key=["nothing"]), "is not among the columns"),
        (
            lambda d: d["streams"]["waybill"]["columns"]["waybill_no"].pop("required"),
            "must say `required: true`",
        ),
        (lambda d: d["streams"]["waybill"].pop("format"), "`format` is for files"),
        (
            lambda d: d["streams"]["waybill"]["columns"]["currency"].update({"from": "件数"}),
            "same source column",
        ),
        (lambda d: d["streams"]["waybill"]["columns"].update({"件数": {"type": "text"}}), "ASCII identifier"),
        (lambda d: d.update(connection={"dsn": "env:X"}), "files needs `path`"),
    ],
)
def test_a_wrong_contract_is_refused_with_its_place(tmp_path, document, change, words):
    change(document)
    with pytest.raises(ContractError, match=r"tms.source\.yaml") as refused:
        read_source(written(tmp_path, document))
    assert words in str(refused.value)


def test_a_missing_variable_is_named_and_no_value_is_shown(monkeypatch):
    monkeypatch.delenv("TMS_TOKEN", raising=False)
    with pytest.raises(ContractError, match="TMS_TOKEN is not set"):
        resolve("env:TMS_TOKEN", "tms: connection")
    monkeypatch.setenv("TMS_TOKEN", "s3cret")
    assert resolve("env:TMS_TOKEN", "tms: connection") == "s3cret"


def test_a_connection_never_prints_itself(document):
    document["connection"]["path"] = "/secret/place"
    assert "secret" not in repr(Source.model_validate(document))


def test_the_version_follows_the_content(document):
    one = Source.model_validate(document)
    same = Source.model_validate(copy.deepcopy(document))
    document["streams"]["waybill"]["columns"]["quantity"]["min"] = 1
    assert (
        contract_version(one) == contract_version(same) != contract_version(Source.model_validate(document))
    )
