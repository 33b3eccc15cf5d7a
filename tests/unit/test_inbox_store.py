"""Hints on disk: none lost, none growing without end, whatever is killed when."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.ingest.intake.inbox import hinted_streams, open_hints, receive, settle, store

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_many_deliveries_are_one_hint_with_a_count(tmp_path):
    kept = [receive(tmp_path, "jdy", "order", f"d{n}", "hash", later(n)) for n in range(5)]

    (hint,) = open_hints(tmp_path)
    assert kept == [True] * 5
    assert (hint.source, hint.stream, hint.id, hint.count) == ("jdy", "order", "d4", 5)
    assert (hint.first_at, hint.received_at) == (NOON.isoformat(), later(4).isoformat())


def test_a_delivery_sent_again_is_known_even_after_its_hint_was_pulled_for(tmp_path):
    assert receive(tmp_path, "jdy", "order", "d1", "hash", NOON)
    assert not receive(tmp_path, "jdy", "order", "d1", "hash", later(1))
    assert open_hints(tmp_path)[0].count == 1
    assert settle(tmp_path, open_hints(tmp_path)) == 1

    assert not receive(tmp_path, "jdy", "order", "d1", "hash", later(2))
    assert open_hints(tmp_path) == []
    assert receive(tmp_path, "jdy", "stock", "d1", "hash", later(3)), (
        "the same id for another stream is another"
    )


def test_without_an_id_an_equal_body_renews_the_hint_because_it_may_be_a_new_event(tmp_path):
    assert receive(tmp_path, "jdy", "order", None, "same", NOON)
    read_before_the_pull = open_hints(tmp_path)
    assert not receive(tmp_path, "jdy", "order", None, "same", later(1))

    assert settle(tmp_path, read_before_the_pull) == 0, "something came while the pull ran"
    assert settle(tmp_path, open_hints(tmp_path)) == 1
    assert receive(tmp_path, "jdy", "order", None, "same", later(2)), "pulled for: it is news again"


def test_what_comes_while_a_pull_runs_stays_open(tmp_path):
    receive(tmp_path, "jdy", "order", "d1", "a", NOON)
    receive(tmp_path, "jdy", None, "d2", "b", NOON)
    hints = open_hints(tmp_path)
    receive(tmp_path, "jdy", "order", "d3", "c", later(1))

    assert settle(tmp_path, hints) == 1
    assert [(hint.stream, hint.count) for hint in open_hints(tmp_path)] == [("order", 2)]
    assert settle(tmp_path, hints) == 0


def test_what_is_kept_stays_small_and_private(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "REMEMBERED", 40)
    for n in range(100):
        receive(tmp_path, "jdy", "order", f"d{n}", "hash", later(n))

    folder = tmp_path / "inbox" / "jdy"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == [".lock", "ids", "ids.old", "order.json"]
    assert sum(path.stat().st_size for path in files) < 3000
    assert not receive(tmp_path, "jdy", "order", "d99", "hash", later(101))
    assert not receive(tmp_path, "jdy", "order", "d85", "hash", later(101)), "the newest are remembered"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.name != ".lock"} == {0o600}
    assert stat.S_IMODE((folder / "open").stat().st_mode) == 0o700


def test_ends_cut_by_a_kill_neither_hide_a_delivery_nor_stop_the_next(tmp_path):
    receive(tmp_path, "jdy", "order", "d1", "hash", NOON)
    folder = tmp_path / "inbox" / "jdy"
    ids = (folder / "ids").read_bytes()
    (folder / "ids").write_bytes(ids[:-9])  # the last line half written
    (folder / "open" / ".order.json.part").write_text('{"source": "jd')

    assert [hint.id for hint in open_hints(tmp_path)] == ["d1"]
    assert receive(tmp_path, "jdy", "order", "d1", "hash", later(1)), "not known for sure: taken once more"
    assert not receive(tmp_path, "jdy", "order", "d1", "hash", later(2))
    (folder / "open" / "order.json").write_text("{}")
    assert receive(tmp_path, "jdy", "order", "d2", "hash", later(3))
    assert open_hints(tmp_path)[0].count == 1


def test_killed_between_hint_and_id_the_repetition_is_taken_again_rather_than_lost(tmp_path, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for place, step in enumerate(("_write", "_remember")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(store, step, killed)
            receive(tmp_path, "jdy", f"s{place}", "d1", "hash", NOON)
        assert receive(tmp_path, "jdy", f"s{place}", "d1", "hash", later(1)), step
    assert [(hint.stream, hint.count) for hint in open_hints(tmp_path)] == [("s0", 1), ("s1", 2)]


def _flood(home, ready) -> None:
    ready.set()
    for n in range(1_000_000):
        receive(home, "jdy", f"s{n % 3}", f"d{n}", "hash", NOON)


def test_a_process_killed_in_the_middle_leaves_whole_hints_and_a_free_lock(tmp_path):
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        ready = context.Event()
        child = context.Process(target=_flood, args=(tmp_path, ready))
        child.start()
        assert ready.wait(10)
        child.join(0.05)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join(10)

        files = list((tmp_path / "inbox" / "jdy" / "open").glob("[!.]*.json"))
        assert len(open_hints(tmp_path)) == len(files), "every file is whole"
    assert receive(tmp_path, "jdy", "s0", "after", "hash", later(1))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("got"), st.sampled_from(["a", "b", None]), st.integers(0, 6)),
            st.tuples(st.just("pull begins"), st.none(), st.just(0)),
            st.tuples(st.just("pull ends"), st.none(), st.just(0)),
        ),
        max_size=30,
    )
)
def test_every_new_delivery_is_followed_by_a_pull_or_still_open(tmp_path_factory, steps):
    """Against a model: a delivery is answered when a pull that began after it has ended."""
    home = tmp_path_factory.mktemp("home")
    waiting: dict[str | None, set[int]] = {}  # stream → new deliveries not yet answered
    known: set[tuple[str | None, int]] = set()
    began: tuple[list, dict[str | None, set[int]]] | None = None
    for place, (what, stream, name) in enumerate(steps):
        if what == "got":
            new = receive(home, "jdy", stream, f"d{name}", "hash", later(place))
            assert new == ((stream, name) not in known)
            known.add((stream, name))
            if new:
                waiting.setdefault(stream, set()).add(name)
        elif what == "pull begins":
            began = open_hints(home), {key: set(value) for key, value in waiting.items()}
        elif began is not None:
            settle(home, began[0])
            for key, answered in began[1].items():
                # A stream that got more meanwhile stays open as a whole: pulled once too often, never too seldom.
                if waiting.get(key) == answered:
                    del waiting[key]
            began = None
    assert {hint.stream for hint in open_hints(home)} == set(waiting)


def test_hints_become_streams_to_pull(tmp_path):
    receive(tmp_path, "jdy", "order", "1", "h", NOON)
    receive(tmp_path, "jdy", "gone", "2", "h", NOON)
    receive(tmp_path, "wms", None, "3", "h", NOON)
    receive(tmp_path, "old", None, "4", "h", NOON)
    promised = {"jdy": ["order", "line"], "wms": ["move", "stock"]}

    assert hinted_streams(open_hints(tmp_path), promised) == {
        "jdy": frozenset({"order"}),
        "wms": frozenset({"move", "stock"}),
    }


@pytest.mark.parametrize("home", ["empty", "missing"])
def test_no_inbox_is_no_hint(tmp_path, home):
    assert open_hints(tmp_path / home) == []
