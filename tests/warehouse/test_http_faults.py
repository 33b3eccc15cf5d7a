"""What systems do wrong: a clear refusal, or another attempt where that is safe; nothing lost, doubled or betrayed."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pyarrow as pa
import pytest

from tests.http_server import Puller, Reply, http_source, running

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROWS = [{"id": number, "name": f"n{number}"} for number in range(1, 26)]
SECRET = "S3cr+t/=and more"


@pytest.fixture
def system():
    with running() as made:
        made.on("/api/things", pages)
        yield made


def pages(asked):
    start = int(asked.params.get("skip", 0))
    return {"code": 0, "data": {"items": ROWS[start : start + 10]}}


def thing(**request):
    defaults = {
        "params": {"skip": "{offset}"},
        "paging": {"kind": "offset", "size": 10},
        "records": "data.items",
    }
    return {
        "thing": {
            "from": "/things",
            "key": ["id"],
            "columns": {"id": "bigint", "name": "text"},
            "request": defaults | request,
        }
    }


def puller(system, tmp_path, **more):
    return Puller(http_source(system.url, thing(), **more), tmp_path)


def whole(made):
    return [int(row["id"]) for row in made.rows("thing")] == [row["id"] for row in ROWS]


# --- what may pass is asked again -----------------------------------------------------------------

BUSY = [
    Reply({"message": "slow down"}, status=429),
    Reply(body=b"<html>bad gateway</html>", status=502, headers={"Content-Type": "text/html"}),
    Reply(status=503),
    Reply(drop=True),
    Reply(body=b'{"code": 0, "data": {"items": [{"id": 1', declared=500),  # shorter than it says
    Reply(body=b'{"code": 0, "data": {"items": [{"id": 1'),  # cut short, with the length of what is left
    Reply(body=b""),
    Reply({"code": 4001, "msg": "busy"}),  # an error in HTTP 200
    Reply({"code": 4001, "msg": "busy"}, status=400),
]


@pytest.mark.parametrize(
    "fault", BUSY, ids=lambda item: f"{item.status}-{(item.body or b'')[:9]}-{item.drop}-{item.document}"
)
def test_what_may_pass_is_asked_again_and_nothing_is_doubled(system, tmp_path, fault):
    system.faults = [None, fault, None, fault, fault]
    made = puller(system, tmp_path, http={"errors": {"code": "code", "retry": [4001]}})

    assert made.pull()["thing"].error is None
    assert whole(made)
    assert len(made.waits) == 3
    assert made.landing.latest("shop", "thing").requests["retries"] == 3


def test_waits_grow_are_spread_and_are_bounded(system, tmp_path):
    system.faults = [Reply(status=503)] * 9
    made = puller(system, tmp_path, limits={"retries": 8, "longest_wait": "4s"})
    words = made.error("thing")
    assert "HTTP 503, 9 times in a row" in words and "what was loaded before stays" in words
    assert len(made.waits) == 8 and len(set(made.waits)) == 8
    assert all(0 <= wait <= min(4, 0.5 * 2**attempt) for attempt, wait in enumerate(made.waits))


@pytest.mark.parametrize(
    ("header", "waits"),
    [("7", [7.0]), (format_datetime(NOW + timedelta(seconds=9), usegmt=True), [9.0])],
)
def test_retry_after_is_heeded(system, tmp_path, header, waits):
    system.faults = [Reply(status=429, headers={"Retry-After": header})]
    made = puller(system, tmp_path)
    made.pull(NOW)
    assert whole(made)
    assert [round(wait) for wait in made.waits] == waits


def test_a_wait_longer_than_the_longest_is_not_waited(system, tmp_path):
    system.faults = [None, Reply(status=429, headers={"Retry-After": "3600"})]
    made = puller(system, tmp_path)
    words = made.error("thing")
    assert "asks us to wait 3600 s, longer than limits.longest_wait (2m)" in words
    assert made.waits == []
    made.pull()
    assert whole(made) and len(system.log) == 2 + 3  # page 1 was kept, pages 2 to 4 asked for


def test_a_vendors_own_header_of_seconds_is_heeded(system, tmp_path):
    system.faults = [Reply({"code": 99991400}, status=400, headers={"x-ogw-ratelimit-reset": "3"})]
    errors = {"code": "code", "retry": [99991400], "wait": "x-ogw-ratelimit-reset"}
    made = puller(system, tmp_path, http={"errors": errors})
    made.pull()
    assert whole(made) and made.waits == [3.0]


def test_a_server_that_does_not_answer_is_left_after_the_timeout(system, tmp_path):
    import threading

    end = threading.Event()
    system.on("/api/things", lambda asked: end.wait(5) and None)
    made = puller(system, tmp_path, limits={"retries": 0, "timeout": "1s"})
    try:
        assert "no answer within 1s, 1 times in a row" in made.error("thing")
    finally:
        end.set()


def test_nobody_there(tmp_path):
    made = Puller(http_source("http://127.0.0.1:9/api", thing(), limits={"retries": 1}), tmp_path)
    assert "the connection broke (ConnectionError), 2 times in a row" in made.error("thing")


# --- what cannot pass is refused ------------------------------------------------------------------

DEEP = b'{"code": 0, "data": {"items": [{"id": 1, "name": ' + b"[" * 1000 + b"]" * 1000 + b"}]}}"
WRONG = [
    (Reply({"code": 17, "msg": "no right"}), 'HTTP 200 with code 17: "no right"'),
    (Reply({"message": "gone"}, status=404), 'HTTP 404: "gone"'),
    (Reply(status=403), "ask the owner of the system to grant it"),
    (Reply(body=b"<!DOCTYPE html><html>login</html>", headers={"Content-Type": "text/html"}), "a page (HTML or XML), not JSON"),
    (Reply({"code": 0, "data": {"rows": []}}), "nothing at `records: data.items`"),
    (Reply({"code": 0, "data": {"items": [1, 2]}}), "row 1 at `records: data.items` is no object but int"),
    (Reply(body=b'{"code": 0, "data": {"items": [{"id": NaN}]}} and much more text'), "no JSON (position 38"),
    (Reply(body=b'{"a": "\xc4\xe3"} and much more text that follows'), "no JSON"),
    (Reply(body=DEEP), "nested more than 250 levels deep"),
    (Reply(body=b"[" * 100_000 + b"]" * 100_000), "nested more than 250 levels deep"),
    (Reply(body=b'{"x": "' + b"x" * 1_100_000 + b'"}'), "larger than 1 MB"),
    (Reply(body=gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}), "larger than 1 MB"),
    (Reply(status=302, headers={"Location": "/api/things"}), "redirects in a circle"),
    (Reply(status=302, headers={"Location": "http://127.0.0.2:1/steal"}), "would be sent our credentials"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_cannot_pass_is_refused_with_words(system, tmp_path, fault, words):
    made = puller(system, tmp_path, http={"errors": {"code": "code"}}, limits={"page_megabytes": 1})
    made.pull()
    system.faults = [None] + [fault] * 9
    found = made.error("thing")
    assert words in found
    assert found.startswith(("shop.thing: /things", "shop:"))
    assert "what was loaded before stays" in found
    assert made.waits == []
    # A refused answer is not kept: the next pull asks anew, and lands when the system is well.
    system.faults.clear()
    before = len(system.log)
    assert made.pull()["thing"].error is None and len(system.log) - before == 4


def test_a_truncated_answer_that_stays_truncated_is_refused(system, tmp_path):
    system.faults = [Reply(body=b'{"code": 0, "data": {"items": [{"id": 1')] * 9
    assert "no JSON (position 39 of 39" in puller(system, tmp_path, limits={"retries": 2}).error("thing")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'<!DOCTYPE r [<!ENTITY a "b">]><r><item><id>&a;</id></item></r>', "declares types or entities"),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "declares types or entities"),
        (b"<r><item>", "no XML"),
        (b"<r>" + b"<a>" * 300 + b"</a>" * 300 + b"</r>", "nested more than 250 levels deep"),
    ],
)
def test_xml_with_entities_or_without_end_is_refused(system, tmp_path, body, words):
    system.on("/api/things", lambda asked: Reply(body=body, headers={"Content-Type": "text/xml"}))
    streams = thing(records="item", params={}, paging={"kind": "none"})
    made = Puller(http_source(system.url, streams, http={"format": "xml"}, limits={"retries": 1}), tmp_path)
    assert words in made.error("thing")


def test_redirects_on_the_same_server_are_followed(system, tmp_path):
    system.on(
        "/api/old",
        lambda asked: Reply(status=308, headers={"Location": f"/api/things?skip={asked.params['skip']}"}),
    )
    streams = thing()
    streams["thing"]["from"] = "/old"
    made = Puller(http_source(system.url, streams), tmp_path)
    made.pull()
    assert whole(made)


def test_one_stream_that_fails_does_not_stop_the_others(system, tmp_path):
    streams = thing() | {"gone": {**thing()["thing"], "from": "/gone"}}
    made = Puller(http_source(system.url, streams), tmp_path)
    outcomes = made.pull()
    assert "HTTP 404" in str(outcomes["gone"].error)
    assert outcomes["thing"].error is None and whole(made)


# --- who we are -----------------------------------------------------------------------------------


def guarded(accepts):
    def answer(asked):
        return pages(asked) if accepts(asked) else Reply({"message": f"not you: {SECRET}"}, status=401)

    return answer


KINDS = [
    ({"kind": "bearer", "token": "env:SHOP_SECRET"}, lambda asked: asked.headers.get("Authorization") == f"Bearer {SECRET}"),
    (
        {"kind": "basic", "username": "anna", "password": "env:SHOP_SECRET"},
        lambda asked: asked.headers.get("Authorization") == "Basic YW5uYTpTM2NyK3QvPWFuZCBtb3Jl",
    ),
    ({"kind": "header", "name": "X-Key", "value": "env:SHOP_SECRET"}, lambda asked: asked.headers.get("X-Key") == SECRET),
    ({"kind": "query", "name": "key", "value": "env:SHOP_SECRET"}, lambda asked: asked.params.get("key") == SECRET),
    (
        {"kind": "custom", "use": "dlt.sources.helpers.rest_client.auth:BearerTokenAuth", "arguments": {"token": "env:SHOP_SECRET"}},
        lambda asked: asked.headers.get("Authorization") == f"Bearer {SECRET}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("auth", "accepts"), KINDS, ids=[auth["kind"] for auth, _ in KINDS])
def test_every_way_to_say_who_we_are(system, tmp_path, monkeypatch, auth, accepts):
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    system.on("/api/things", guarded(accepts))
    made = puller(system, tmp_path, http={"auth": auth})
    made.pull()
    assert whole(made)

    monkeypatch.setenv("SHOP_SECRET", "another one")
    words = made.error("thing")
    assert "HTTP 401" in words and "another one" not in words


def test_secrets_are_in_no_message_repr_manifest_page_or_state(system, tmp_path, monkeypatch, caplog):
    """The server echoes the key in next links, in errors and in rows."""
    from urllib.parse import quote, quote_plus

    monkeypatch.setenv("SHOP_SECRET", SECRET)

    def answer(asked):
        if asked.params.get("page") == "3":
            return Reply({"message": f"the key {SECRET} is used up"}, status=403)
        number = int(asked.params.get("page", 1))
        link = f"things?page={number + 1}&key={quote_plus(SECRET)}"
        return {
            "items": [{"id": number, "name": "x"}],
            "next": link,
            "echo": [SECRET, quote(SECRET, safe="")],
        }

    system.on("/api/things", answer)
    streams = thing(params={}, records="items", paging={"kind": "next_link", "next": "next"})
    auth = {"kind": "query", "name": "key", "value": "env:SHOP_SECRET"}
    made = Puller(
        http_source(system.url, streams, http={"auth": auth}, limits={"calls_per_month": 50}), tmp_path
    )
    caplog.set_level("DEBUG")
    words = made.error("thing")
    system.on("/api/things", lambda asked: made_last(answer(asked), asked))

    def made_last(body, asked):
        if asked.params.get("page") == "2":
            body.pop("next")
        return body

    made.pull()
    assert [item.params["key"] for item in system.log] == [SECRET] * len(system.log)
    assert "the key … is used up" in words
    system.faults = [None, *[Reply({"message": SECRET}, status=503)] * 9]
    texts_of_third = made.error("thing")
    assert "HTTP 503" in texts_of_third and any("journal" in file.name for file in made.files())
    texts = [
        words,
        texts_of_third,
        repr(made.source),
        repr(made.landing.latest("shop", "thing")),
        "\n".join(record.getMessage() for record in caplog.records if "urllib3" not in record.name),
    ]
    for file in made.files():
        raw = file.read_bytes()
        texts.append(
            pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read().decode()
            if file.suffix == ".zst"
            else raw.decode("latin1")
        )
    assert len(texts) > 6
    forms = [SECRET, quote(SECRET, safe=""), quote_plus(SECRET)]
    assert not [text[:200] for text in texts for form in forms if form in text]


def sessions(system, *, lives, expired):
    """Logins whose token dies after `lives` requests; a dead one is answered by `expired`."""
    state = {"token": 0, "left": 0, "logins": 0}

    def login(asked):
        if asked.body != {"user": "anna", "password": SECRET}:
            return {"code": 1, "msg": "wrong"}
        state.update(token=state["token"] + 1, left=lives, logins=state["logins"] + 1)
        return {"code": 0, "data": {"session": f"token-{state['token']}"}}

    def answer(asked):
        if asked.headers.get("X-Session") != f"token-{state['token']}" or state["left"] <= 0:
            return expired
        state["left"] -= 1
        return pages(asked)

    system.on("/api/login", login)
    system.on("/api/things", answer)
    return state


SESSION = {
    "kind": "session",
    "path": "/login",
    "body": {"user": "{options.user}", "password": "env:SHOP_SECRET"},
    "token": "data.session",
    "header": "X-Session",
}


@pytest.mark.parametrize(
    "expired", [Reply({"code": 401}, status=401), Reply({"code": 1001, "msg": "login again"})]
)
def test_a_session_that_expires_midway_is_renewed_and_the_same_page_asked_again(
    system, tmp_path, monkeypatch, expired
):
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    state = sessions(system, lives=2, expired=expired)
    http = {"auth": SESSION, "errors": {"code": "code", "expired": [1001]}}
    made = puller(system, tmp_path, http=http, options={"user": "anna"})
    made.pull()
    assert whole(made)
    assert state["logins"] == 2
    assert [item.params["skip"] for item in system.asked("/api/things")] == ["0", "10", "20", "20", "25"]


def test_a_session_that_is_never_accepted_is_refused_after_one_new_login(system, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    state = sessions(system, lives=0, expired=Reply({"code": 1001, "msg": "login again"}))
    http = {"auth": SESSION, "errors": {"code": "code", "expired": [1001]}}
    words = puller(system, tmp_path, http=http, options={"user": "anna"}).error("thing")
    assert "even just after a new login" in words and state["logins"] == 2


def test_a_login_that_fails_is_said(system, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_SECRET", "wrong password")
    sessions(system, lives=9, expired=Reply(status=401))
    made = puller(
        system, tmp_path, http={"auth": SESSION, "errors": {"code": "code"}}, options={"user": "anna"}
    )
    words = made.error("thing")
    assert 'login /login: the server answers HTTP 200 with code 1: "wrong"' in words
    assert "wrong password" not in words


def test_client_credentials_are_fetched_and_renewed_before_they_end(system, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    tokens = []

    def token(asked):
        assert asked.body["client_secret"] == SECRET and asked.body["grant_type"] == "client_credentials"
        tokens.append(f"T{len(tokens)}")
        return {
            "access_token": tokens[-1],
            "expires_in": 1,
        }  # less than the reserve: every page needs a new one

    system.on("/api/token", token)
    system.on(
        "/api/things", guarded(lambda asked: asked.headers.get("Authorization") == f"Bearer {tokens[-1]}")
    )
    auth = {"kind": "oauth2", "url": "/token", "client_id": "me", "client_secret": "env:SHOP_SECRET"}
    made = puller(system, tmp_path, http={"auth": auth})
    made.pull()
    assert whole(made) and len(tokens) == 4


def test_every_attempt_is_signed_anew(system, tmp_path, monkeypatch):
    """A signature holds a time stamp; an attempt after a wait must not carry the old one."""
    import sys
    import types

    class Signature:
        def __init__(self, key):
            self.key, self.count = key, 0

        def __call__(self, request):
            self.count += 1
            request.headers["X-Sign"] = f"{self.key}-{self.count}"
            return request

    module = types.ModuleType("sources.connectors.invented")
    module.Signature = Signature
    monkeypatch.setitem(sys.modules, "sources.connectors", types.ModuleType("sources.connectors"))
    monkeypatch.setitem(sys.modules, "sources.connectors.invented", module)
    monkeypatch.setenv("SHOP_SECRET", "key-of-shop")
    system.faults = [Reply(status=503), Reply(status=503)]
    auth = {
        "kind": "custom",
        "use": "sources.connectors.invented:Signature",
        "arguments": {"key": "env:SHOP_SECRET"},
    }
    made = puller(system, tmp_path, http={"auth": auth})
    made.pull()
    assert [item.headers["X-Sign"] for item in system.log] == [f"key-of-shop-{n}" for n in range(1, 7)]


# --- limits ---------------------------------------------------------------------------------------


def test_a_months_calls_are_counted_over_restarts_and_pages_are_kept(system, tmp_path):
    made = puller(system, tmp_path, limits={"calls_per_month": 3})
    assert "the 3 calls of" in made.error("thing") and "used up" in made.error("thing")
    assert "used up" in puller(system, tmp_path, limits={"calls_per_month": 3}).error("thing")
    assert len(system.log) == 3
    # More budget: only what is missing is asked for.
    puller(system, tmp_path, limits={"calls_per_month": 4}).pull()
    assert whole(made) and len(system.log) == 4


def test_a_month_begins_with_company_time(system, tmp_path):
    made = puller(system, tmp_path, limits={"calls_per_month": 4})
    made.pull(datetime(2026, 11, 30, 15, 59, tzinfo=UTC))
    assert "the 4 calls of 2026-11 are used up" in made.error(
        "thing", datetime(2026, 11, 30, 15, 59, 30, tzinfo=UTC)
    )
    assert (
        made.pull(datetime(2026, 11, 30, 16, 0, 1, tzinfo=UTC))["thing"].error is None
    )  # December in Shanghai
    assert json.loads((tmp_path / "manners" / "shop.json").read_text())["month"] == "2026-12"


def test_outside_its_hours_a_system_is_not_asked(system, tmp_path):
    made = puller(system, tmp_path, limits={"hours": "22:00-06:30"})
    words = made.error("thing", now=datetime(2026, 11, 22, 5, tzinfo=UTC))  # 13:00 in Shanghai
    assert "it opens 2026-11-22 22:00" in words and system.log == []
    made.pull(datetime(2026, 11, 22, 20, tzinfo=UTC))
    assert whole(made)


def test_the_rate_is_kept(system, tmp_path):
    made = puller(system, tmp_path, limits={"requests_per_second": 0.5})
    made.pull()
    # Waits are not waited for here, so each is longer than the one before by two seconds, less what passed.
    assert [round(wait) for wait in made.waits] == [2, 4, 6]


def test_a_control_total_is_asked_of_the_system(system, tmp_path):
    from tieout.ingest.errors import SourceError
    from tieout.ingest.intake.ask import Ask
    from tieout.ingest.intake.http import ask_control

    system.on(
        "/api/balance",
        lambda asked: {"data": {"total": 12.5 if asked.params == {"period": "2026-11"} else "?"}},
    )
    made = puller(system, tmp_path)
    assert ask_control(made.source, made.landing, Ask(NOW), "/balance?period=2026-11#data.total") == "12.5"
    with pytest.raises(SourceError, match="has no number at data"):
        ask_control(made.source, made.landing, Ask(NOW), "/balance#data.total")
    with pytest.raises(SourceError, match=re.escape("write /path#data.total")):
        ask_control(made.source, made.landing, Ask(NOW), "/balance")
