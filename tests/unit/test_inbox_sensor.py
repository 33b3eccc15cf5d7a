"""Hints start one run, wait for the run that is going on, and are closed by a run that began after them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from pipelines import sensors
from tieout.ingest.intake.inbox import open_hints, receive
from tieout.settings import Settings


@dg.op
def nothing() -> None: ...


@dg.op
def failing() -> None:
    raise dg.Failure("the vendor is down")


@dg.job(name=sensors.JOB)
def refresh_all() -> None:
    nothing()


@dg.job(name=sensors.JOB)
def refresh_that_fails() -> None:
    failing()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(sensors, "settings", lambda: Settings(home=tmp_path))
    return tmp_path


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def look(instance) -> list[str | None]:
    """Run keys of the runs a look at the inbox asks for."""
    said = sensors.hinted(dg.build_sensor_context(instance=instance))
    if isinstance(said, dg.SensorResult):
        return [request.run_key for request in said.run_requests or ()]
    assert isinstance(said, dg.SkipReason)
    return []


def hint(home, name: str, *, ago: float = 0) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    receive(home, "jdy", "order", name, "hash", moment)
    return moment.isoformat()


def test_no_hint_no_run(home, instance):
    assert look(instance) == []


def test_the_same_hints_ask_for_the_same_run_and_new_ones_for_another(home, instance):
    first = hint(home, "d1")
    assert look(instance) == look(instance) == [f"hints {first}"]
    second = hint(home, "d2")
    assert look(instance) == [f"hints {second}"]


def test_a_run_that_began_after_a_hint_closes_it_and_one_that_began_before_does_not(home, instance):
    hint(home, "d1", ago=60)
    assert refresh_all.execute_in_process(instance=instance).success
    assert look(instance) == [] and open_hints(home) == []

    hint(home, "d2")
    assert len(look(instance)) == 1 and len(open_hints(home)) == 1


def test_a_run_that_failed_or_pulled_only_a_part_closes_nothing(home, instance):
    hint(home, "d1", ago=60)
    assert not refresh_that_fails.execute_in_process(instance=instance, raise_on_error=False).success
    refresh_all.execute_in_process(instance=instance, tags={"tieout/partial": "hx_sales"})

    assert len(look(instance)) == 1 and len(open_hints(home)) == 1


def test_hints_wait_for_the_run_that_is_going_on(home, instance):
    hint(home, "d1")
    instance.create_run_for_job(refresh_all, status=dg.DagsterRunStatus.STARTED)
    assert look(instance) == [] and len(open_hints(home)) == 1
