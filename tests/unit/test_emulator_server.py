"""The server under the emulators: HTTP as clients know it, and each fault exactly as it is switched."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from sandbox.emulators import EMULATORS
from sandbox.emulators.faults import Faults
from sandbox.emulators.server import Call, Emulator, Refusal, Reply, serve_all, serving
from sandbox.store import Field, Store, Table, write_store

ITEMS = Table(
    "items",
    "物料",
    ("code",),
    (Field("code", "text", "编码"), Field("qty", "decimal", "数量")),
    tuple((f"M{number:02}", f"{number}.50") for number in range(1, 13)),
)


class Shelf(Emulator):
    """A vendor of our own: `/token`, `/items?page=n` with four a page, `/fields`, `/echo`, `/refuse`, `/broken`."""

    def answer(self, call: Call) -> Reply:
        if call.path == "/token":
            return Reply({"token": self.issue(100)})
        if call.path == "/echo":
            return Reply(
                {"method": call.method, "path": call.path, "query": call.query, "body": call.body.decode()}
            )
        if call.path == "/refuse":
            raise Refusal(Reply({"code": 17}, 403))
        if call.path == "/broken":
            raise RuntimeError("a mistake of ours")
        if self.options.get("closed") and not self.alive(call.headers.get("token", "")):
            return Reply({"code": "expired"}, 401)
        if self.is_revoked("items"):
            return Reply({"code": "no right"}, 403)
        if call.path == "/fields":
            return Reply([item.name for item in self.tables["items"].fields])
        where = f"{self.column('items', call.query['field'])} = ?" if "field" in call.query else "true"
        values = [call.query["is"]] if "field" in call.query else []
        rows = self.rows("items", where, values, limit=4, offset=4 * (int(call.query.get("page", "1")) - 1))
        return Reply(self.page([row | {"price": Decimal("1.10")} for row in rows], "items"))

    def rate_error(self, call: Call) -> Reply:
        return Reply({"code": "slow down"}, 200)

    def is_counted(self, call: Call) -> bool:
        return call.path != "/token"


@pytest.fixture
def shelf(tmp_path: Path):
    write_store(tmp_path / "shelf.sqlite", [ITEMS])
    emulator = Shelf(Store(tmp_path / "shelf.sqlite"))
    with serving(emulator):
        yield emulator


def ask(emulator: Emulator, path: str, method: str = "GET", body: bytes = b"", **headers: str):
    """Status and document."""
    line = http.client.HTTPConnection(emulator.address.removeprefix("http://"), timeout=5)
    try:
        line.request(method, path, body or None, headers)
        answer = line.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text
    finally:
        line.close()


def codes(emulator: Emulator, page: int) -> list[str]:
    return [row["code"] for row in ask(emulator, f"/items?page={page}")[1]]


ALL = [f"M{number:02}" for number in range(1, 13)]


def test_a_call_arrives_as_it_was_sent(shelf):
    assert ask(shelf, "/echo?a=1&b=%E7%94%B2&c=", "POST", "单".encode()) == (
        200,
        {"method": "POST", "path": "/echo", "query": {"a": "1", "b": "甲", "c": ""}, "body": "单"},
    )
    call = shelf.calls[-1]
    assert (call.target, call.headers["content-length"]) == ("/echo?a=1&b=%E7%94%B2&c=", "3")


def test_numbers_keep_their_digits_and_a_line_is_kept_alive(shelf):
    line = http.client.HTTPConnection(shelf.address.removeprefix("http://"), timeout=5)
    for _ in range(3):
        line.request("GET", "/items")
        body = line.getresponse().read().decode()
        assert '"price":1.10' in body and '"qty":"1.50"' in body
        port = line.sock.getsockname()
        line.request("GET", "/fields")
        line.getresponse().read()
        assert line.sock.getsockname() == port
    line.close()


def test_a_stopped_server_leaves_nobody_connected(tmp_path):
    write_store(tmp_path / "shelf.sqlite", [ITEMS])
    emulator = Shelf(Store(tmp_path / "shelf.sqlite"))
    with serving(emulator) as address:
        line = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)
        line.request("GET", "/fields")
        line.getresponse().read()
        kept = line.sock
    kept.settimeout(2)
    assert kept.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        ask(emulator, "/fields")


def test_refusals_and_mistakes(shelf):
    assert ask(shelf, "/refuse") == (403, {"code": 17})
    status, text = ask(shelf, "/broken")
    assert status == 500 and "a mistake of ours" in text


def test_pages_without_faults_are_the_store(shelf):
    assert codes(shelf, 1) + codes(shelf, 2) + codes(shelf, 3) == ALL


def test_a_truncated_page_loses_its_last_third_once(shelf):
    shelf.faults = Faults(truncate_page=2)
    assert [codes(shelf, 1), codes(shelf, 2), codes(shelf, 3)] == [ALL[:4], ALL[4:7], ALL[8:]]


def test_a_page_is_sent_again_instead_of_the_next(shelf):
    shelf.faults = Faults(repeat_page=1)
    assert [codes(shelf, 1), codes(shelf, 2), codes(shelf, 3)] == [ALL[:4], ALL[:4], ALL[8:]]


def test_page_faults_can_be_limited_to_a_table(shelf):
    shelf.faults = Faults(truncate_page=1, drift={"qty": "quantity"}, tables=["other"])
    assert codes(shelf, 1) == ALL[:4]
    assert ask(shelf, "/fields")[1] == ["code", "qty"]


def test_errors_at_a_call_and_for_good(shelf):
    shelf.faults = Faults(error_at=2)
    assert [ask(shelf, "/items")[0] for _ in range(3)] == [200, 500, 200]
    shelf.faults = Faults(error_always=True)
    assert [ask(shelf, path)[0] for path in ("/items", "/token")] == [500, 500]


def test_a_cut_body_promises_more_than_it_sends(shelf):
    shelf.faults = Faults(cut_body_at=1)
    with pytest.raises(http.client.IncompleteRead) as short:
        ask(shelf, "/items")
    assert len(short.value.partial) > 20 and short.value.expected in (
        len(short.value.partial),
        len(short.value.partial) + 1,
    )
    assert codes(shelf, 1) == ALL[:4]


def test_every_nth_call_is_throttled_and_logins_do_not_count(shelf):
    shelf.faults = Faults(throttle_every=2)
    asked = ["/token", "/fields", "/token", "/fields", "/fields", "/fields"]
    assert [ask(shelf, path)[1] == {"code": "slow down"} for path in asked] == [
        False,
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_quota_is_used_up(shelf):
    shelf.faults = Faults(quota=2)
    assert [ask(shelf, "/items")[0] for _ in range(4)] == [200, 200, 429, 429]


def test_slow_answers_are_slow(shelf):
    shelf.faults = Faults(slow=0.1)
    began = time.monotonic()
    ask(shelf, "/fields")
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(
    ("faults", "want"),
    [
        (Faults(), "+++++++"),
        (Faults(expire_session_after=2), "++-++++"),
        (Faults(expire_session_every=2), "++-++-+"),
    ],
)
def test_sessions_die_after_so_many_uses(shelf, faults, want):
    shelf.options["closed"] = "1"
    shelf.faults = faults
    token, seen = ask(shelf, "/token")[1]["token"], ""
    for _ in want:
        status, _ = ask(shelf, "/items", token=token)
        seen += "+" if status == 200 else "-"
        if status == 401:
            token = ask(shelf, "/token")[1]["token"]
    assert seen == want


def test_a_token_ends_by_the_servers_own_clock(tmp_path):
    write_store(tmp_path / "shelf.sqlite", [ITEMS])
    time_is = [1000.0]
    emulator = Shelf(Store(tmp_path / "shelf.sqlite"), clock=lambda: time_is[0])
    token = emulator.issue(100)
    time_is[0] = 1099
    assert emulator.alive(token)
    time_is[0] = 1100
    assert not emulator.alive(token)
    emulator.faults = Faults(clock_skew=-7200)
    assert emulator.now() == 1100 - 7200


def test_a_drifted_field_has_its_new_name_everywhere(shelf):
    shelf.faults = Faults(drift={"code": "item_code"})
    assert ask(shelf, "/fields")[1] == ["item_code", "qty"]
    assert ask(shelf, "/items?field=item_code&is=M03")[1] == [
        {"item_code": "M03", "qty": "3.50", "price": 1.1}
    ]
    assert shelf.tables["items"].key == ("item_code",)
    with pytest.raises(KeyError):
        shelf.column("items", "code")


def test_an_unknown_key_appears_in_every_row(shelf):
    shelf.faults = Faults(add_field="surprise")
    assert all(list(row) == ["code", "qty", "price", "surprise"] for row in ask(shelf, "/items")[1])


def test_late_rows_are_hidden_until_they_come(shelf):
    shelf.faults = Faults(late_rows={"items": ["M02", "M12"]})
    assert codes(shelf, 1) + codes(shelf, 2) + codes(shelf, 3) == [
        code for code in ALL if code not in ("M02", "M12")
    ]
    assert shelf.count("items") == 10
    shelf.faults = Faults()
    assert shelf.count("items") == 12


def test_a_right_is_taken_away(shelf):
    shelf.faults = Faults(revoked=["items"])
    assert ask(shelf, "/items") == (403, {"code": "no right"})


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValidationError, match="truncate_pages"):
        Faults.model_validate_json('{"truncate_pages": 1}')


def test_many_systems_in_one_process(tmp_path):
    write_store(tmp_path / "shelf.sqlite", [ITEMS])
    systems = {name: Shelf(Store(tmp_path / "shelf.sqlite")) for name in ("one", "two")}
    with serve_all(systems) as addresses:
        assert addresses["one"] != addresses["two"]
        systems["one"].faults = Faults(error_always=True)
        assert (ask(systems["one"], "/fields")[0], ask(systems["two"], "/fields")[0]) == (500, 200)


def test_every_emulator_that_is_written_is_found_by_its_vendor():
    import importlib
    import importlib.util

    for vendor, where in EMULATORS.items():
        module, _, name = where.partition(":")
        if importlib.util.find_spec(module):
            assert issubclass(getattr(importlib.import_module(module), name), Emulator), vendor


# --- as a process ------------------------------------------------------------------------------------


def started(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sandbox.emulators", "serve", "--systems", str(folder), "--env"]
    return subprocess.Popen([*command, str(folder / "systems.env"), *more])


def until(done, seconds: float = 8.0) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)


def test_a_process_serves_a_folder_and_rereads_its_faults(tmp_path):
    for name in ("hr-forms", "erp"):
        write_store(tmp_path / f"{name}.sqlite", [ITEMS])
        options = {"api_key": "k", "app_id": "65a0000000000000000000a1"}
        (tmp_path / f"{name}.json").write_text(json.dumps({"vendor": "jiandaoyun", "options": options}))
    write_store(tmp_path / "wms.sqlite", [ITEMS])  # reached as a database, so nothing says how to serve it
    env = tmp_path / "systems.env"
    process = started(tmp_path)
    try:
        until(env.exists)
        assert stat.S_IMODE(env.stat().st_mode) == 0o600
        addresses = dict(line.split("=", 1) for line in env.read_text().splitlines())
        assert list(addresses) == ["HC_ERP_URL", "HC_HR_FORMS_URL"]

        def status() -> int:
            place = http.client.HTTPConnection(addresses["HC_ERP_URL"].removeprefix("http://"), timeout=5)
            place.request("POST", "/api/v5/app/list", b"{}", {"Authorization": "Bearer k"})
            try:
                return place.getresponse().status
            finally:
                place.close()

        assert status() == 200
        (tmp_path / "erp.faults.json").write_text('{"error_always": true}')
        assert status() == 500
        (tmp_path / "erp.faults.json").unlink()
        assert status() == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert not env.exists()


def test_a_process_ends_with_its_parent(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = started(tmp_path, "--with-parent", str(parent.pid))
    try:
        until((tmp_path / "systems.env").exists)
        assert parent.stdin is not None
        parent.stdin.close()
        assert process.wait(5) == 0
    finally:
        parent.wait()
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
