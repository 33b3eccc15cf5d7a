"""What a contract may say of webhooks: nothing that lets a stranger in."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from sources.contract import Source
from tests.conftest import WAYBILLS
from tieout.strict import from_yaml

INBOX = {"secret": "env:TMS_HOOK", "signature": {"header": "X-Signature"}}


@pytest.fixture
def document():
    return from_yaml(WAYBILLS) | {"inbox": copy.deepcopy(INBOX)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["inbox"].update(secret="hunter2"), "a secret is written here"),
        (lambda d: d["inbox"].pop("signature"), "Field required"),
        (lambda d: d["inbox"].update(hints={"op": {"x": "nothing"}}), "unknown streams: ['nothing']"),
        (lambda d: d["inbox"].update(id={"header": "A", "path": "b"}), "say one of header, query and path"),
        (lambda d: d["inbox"]["signature"].update(signed="{timestamp}"), "without {body}"),
        (lambda d: d["inbox"]["signature"].update(signed="{body}{colour}"), "unknown part {colour}"),
        (lambda d: d["inbox"]["signature"].update(timestamp_header="T"), "must hold {timestamp}"),
        (lambda d: d["inbox"]["signature"].update(algorithm="sha1"), "needs {secret} inside"),
        (lambda d: d["inbox"]["signature"].update(signed="{secret}{body}"), "has no {secret} inside"),
        (lambda d: d["inbox"]["signature"].update(algorithm="md5"), "Input should be"),
        (lambda d: d["inbox"].update(colour="red"), "Extra inputs"),
    ],
)
def test_an_inbox_that_would_let_a_stranger_in_is_refused(document, change, words):
    Source.model_validate(document)
    change(document)
    with pytest.raises(ValidationError) as refused:
        Source.model_validate(document)
    assert words in str(refused.value)
    assert "hunter2" not in repr(document["inbox"].get("signature"))


def test_a_source_without_an_inbox_is_as_before(document):
    del document["inbox"]
    assert Source.model_validate(document).inbox is None
