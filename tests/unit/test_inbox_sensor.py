"""Hints start one run, wait for the run that is going on, and are closed by a run that began after them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tieout.ingest.intake.inbox import open_hints, receive
from tieout.settings import Settings


@pytest.fixture(scope="module")
def sensors():
    """What is tested; it imports Dagster, two CPU seconds that every process would pay for whatever it tests."""
    from pipelines import sensors

    return sensors


@pytest.fixture(scope="module")
def dg(sensors):
    import dagster

    return dagster


@pytest.fixture
def refresh_all(dg, sensors):
    @dg.op
    def nothing() -> None: ...

    @dg.job(name=sensors.JOB)
    def refresh_all() -> None:
        nothing()

    return refresh_all


@pytest.fixture
def refresh_that_fails(dg, sensors):
    @dg.op
    def failing() -> None:
        raise dg.Failure("the vendor is down")

    @dg.job(name=sensors.JOB)
    def refresh_that_fails() -> None:
        failing()

    return refresh_that_fails


@pytest.fixture
def home(sensors, tmp_path, monkeypatch):
    monkeypatch.setattr(sensors, "settings", lambda: Settings(home=tmp_path))
    return tmp_path


@pytest.fixture
def instance(dg):
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def look(dg, sensors, instance):
    """Run keys of the runs a look at the inbox asks for."""

    def look() -> list[str | None]:
        said = sensors.hinted(dg.build_sensor_context(instance=instance))
        if isinstance(said, dg.SensorResult):
            return [request.run_key for request in said.run_requests or ()]
        assert isinstance(said, dg.SkipReason)
        return []

    return look


def hint(home, name: str, *, ago: float = 0) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    receive(home, "jdy", "order", name, "hash", moment)
    return moment.isoformat()


def test_no_hint_no_run(home, look):
    assert look() == []


def test_the_same_hints_ask_for_the_same_run_and_new_ones_for_another(home, look):
    first = hint(home, "d1")
    assert look() == look() == [f"hints {first}"]
    second = hint(home, "d2")
    assert look() == [f"hints {second}"]


def test_a_run_that_began_after_a_hint_closes_it_and_one_that_began_before_does_not(
    home, instance, look, refresh_all
):
    hint(home, "d1", ago=60)
    assert refresh_all.execute_in_process(instance=instance).success
    assert look() == [] and open_hints(home) == []

    hint(home, "d2")
    assert len(look()) == 1 and len(open_hints(home)) == 1


def test_a_run_that_failed_or_pulled_only_a_part_closes_nothing(
    home, instance, look, refresh_all, refresh_that_fails
):
    hint(home, "d1", ago=60)
    assert not refresh_that_fails.execute_in_process(instance=instance, raise_on_error=False).success
    refresh_all.execute_in_process(instance=instance, tags={"tieout/partial": "hx_sales"})

    assert len(look()) == 1 and len(open_hints(home)) == 1


def test_hints_wait_for_the_run_that_is_going_on(home, instance, dg, look, refresh_all):
    hint(home, "d1")
    instance.create_run_for_job(refresh_all, status=dg.DagsterRunStatus.STARTED)
    assert look() == [] and len(open_hints(home)) == 1
