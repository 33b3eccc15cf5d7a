"""Signatures as senders make them: checked against vectors from outside and against Python's own hmac."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.contract.inbox import Inbox
from tieout.ingest.intake.inbox.verify import Delivery, Unreadable, delivery_id, genuine, hinted_stream

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRET = "It's a Secret to Everybody"


def inbox(**signature) -> Inbox:
    more = {name: signature.pop(name) for name in ("id", "hints") if name in signature}
    return Inbox.model_validate({"secret": "env:X", "signature": {"header": "X-Sig", **signature}, **more})


def test_the_vector_github_publishes():
    # docs.github.com, "Validating webhook deliveries": secret, payload and signature are given there.
    rule = inbox(header="X-Hub-Signature-256", prefix="sha256=")
    said = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    delivery = Delivery({"x-hub-signature-256": said}, {}, b"Hello, World!")

    assert genuine(rule, SECRET, delivery, NOW)
    assert not genuine(rule, SECRET, Delivery(delivery.headers, {}, b"Hello, World?"), NOW)
    assert not genuine(rule, "another", delivery, NOW)


def test_the_vector_of_the_jiandaoyun_sheet_with_a_plain_hash_over_query_and_secret():
    rule = inbox(
        header="X-JDY-Signature", algorithm="sha1", timestamp_query="timestamp", signed="{query.nonce}:{body}:{secret}:{timestamp}"
    )  # fmt: skip
    body = b'{"op":"data_create","data":{"_id":"1"}}'
    headers = {"x-jdy-signature": "f11ece2f688834a3cbbd0ef8bde3cbd43702cec8"}
    query = {"nonce": "abc123", "timestamp": "1767225600"}
    then = datetime.fromtimestamp(1767225600, UTC)

    assert genuine(rule, "demo-secret", Delivery(headers, query, body), then)
    assert not genuine(rule, "demo-secret", Delivery(headers, {**query, "nonce": "abc124"}, body), then)
    assert not genuine(rule, "demo-secret", Delivery(headers, {"timestamp": "1767225600"}, body), then)


@given(
    body=st.binary(max_size=200),
    secret=st.text(min_size=1, max_size=30).filter(lambda s: s.isprintable()),
    algorithm=st.sampled_from(["hmac-sha256", "hmac-sha1"]),
    encoding=st.sampled_from(["hex", "base64"]),
    late=st.integers(-900, 900),
    spoilt=st.integers(0, 3),
)
def test_only_the_right_secret_over_the_right_bytes_in_time_is_genuine(
    body, secret, algorithm, encoding, late, spoilt
):
    rule = inbox(
        algorithm=algorithm,
        encoding=encoding,
        prefix="v1=",
        signed="{timestamp}.{body}",
        timestamp_header="X-Time",
    )
    sent = str(int((NOW + timedelta(seconds=late)).timestamp()))
    hashed = hashlib.sha256 if algorithm == "hmac-sha256" else hashlib.sha1
    digest = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashed).digest()
    said = "v1=" + (digest.hex() if encoding == "hex" else base64.b64encode(digest).decode())
    if spoilt == 1:
        body += b"x"
    if spoilt == 2:
        secret += "x"
    headers = {"x-sig": said, "x-time": sent if spoilt != 3 else str(int(sent) + 1)}

    assert genuine(rule, secret, Delivery(headers, {}, body), NOW) == (spoilt == 0 and abs(late) <= 300)


@pytest.mark.parametrize(
    ("said", "fresh"),
    [
        ("1793534400", True),  # 2026-11-01 12:00 UTC
        ("1793534400000", True),
        ("2026-11-01T20:04:59+08:00", True),
        ("2026-11-01T12:00:00Z", True),
        ("2026-11-01T12:05:01Z", False),
        ("1793534099", False),
        ("-1", False),
        ("9" * 16, False),
        ("9" * 5000, False),
        ("nan", False),
        ("", False),
    ],
)
def test_a_timestamp_is_understood_however_it_is_written_and_must_be_near(said, fresh):
    rule = inbox(signed="{timestamp}{body}", timestamp_header="X-Time")
    signature = hmac.new(b"k", said.encode() + b"b", hashlib.sha256).hexdigest()

    assert genuine(rule, "k", Delivery({"x-sig": signature, "x-time": said}, {}, b"b"), NOW) == fresh


@pytest.mark.parametrize("said", ["", "sha256=", "é", "\udcff", "0" * 64, "0" * 10_000, None])
def test_a_signature_that_is_none_is_refused_without_an_error(said):
    headers = {} if said is None else {"x-sig": said}
    assert not genuine(inbox(), "k", Delivery(headers, {}, b"b"), NOW)


def test_ids_and_hints_are_found_where_the_contract_says():
    rule = inbox(
        id={"path": "event.id"}, hints={"event.items.0.form": {"f1": "order_head"}, "op": {"9": "stock"}}
    )
    body = b'{"event": {"id": 17, "items": [{"form": "f1"}]}, "op": 9}'

    assert delivery_id(rule, Delivery({}, {}, body)) == "17"
    assert hinted_stream(rule, Delivery({}, {}, body)) == "order_head"
    assert hinted_stream(rule, Delivery({}, {}, b'{"event": 1, "op": 9}')) == "stock"
    assert hinted_stream(rule, Delivery({}, {}, b'{"op": "other"}')) is None
    assert delivery_id(inbox(id={"header": "X-Id"}), Delivery({"x-id": "a" * 500}, {}, b"")) == (
        hashlib.sha256(b"a" * 500).hexdigest()
    )
    assert delivery_id(inbox(), Delivery({}, {}, b"")) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b'{"event": {"id": {"a": 1}}}', b'{"event": 3}'],
)
def test_a_body_that_is_not_what_the_contract_says_is_unreadable_never_a_crash(body):
    with pytest.raises(Unreadable):
        delivery_id(inbox(id={"path": "event.id"}), Delivery({}, {}, body))
