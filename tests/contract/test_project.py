"""Every file a person writes is well formed, and every generated file is what it would be generated as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sources.contract import read_sources
from tieout import sync
from tieout.settings import settings
from tieout.strict import from_yaml

PROJECT = settings().project
SOURCES = read_sources(settings().sources)
STREAMS = [(source, name) for source in SOURCES.values() for name in source.streams]
# Type names, and words that PostgreSQL reserves: FineBI and others fail on such columns (published ones).
FORBIDDEN = {
    "date",
    "time",
    "timestamp",
    "text",
    "number",
    "double",
    "boolean",
    "bit",
    "order",
    "user",
    "desc",
}


def test_generated_files_are_up_to_date():
    assert sync.differing(settings()) == [], "run `make sync`"


@pytest.mark.parametrize(("source", "stream"), STREAMS, ids=lambda value: getattr(value, "name", value))
def test_every_stream_says_its_grain_key_and_class(source, stream):
    promise = source.streams[stream]
    assert promise.grain.startswith("one row per ")
    assert promise.key
    assert {source.class_of(stream, column) for column in promise.columns} <= {"L1", "L2", "L3", "L4"}


@pytest.mark.parametrize(("source", "stream"), STREAMS, ids=lambda value: getattr(value, "name", value))
def test_names_of_persons_and_phones_are_personal(source, stream):
    for column in source.streams[stream].columns:
        if re.fullmatch(r"(employee_name|phone)", column):
            assert source.class_of(stream, column) in {"L3", "L4"}, f"{source.name}.{stream}.{column}"


def test_connections_are_references_never_secrets():
    for source in SOURCES.values():
        for value in (source.connection.dsn, source.connection.path):
            assert value is None or value.startswith(("env:", "file:")), f"{source.name}: {value}"


def test_every_metric_model_and_suite_file_is_yaml():
    files = [*PROJECT.glob("dbt_project/**/*.yml"), *PROJECT.glob("expectations/**/*.yaml")]
    files = [path for path in files if "target" not in path.parts]
    assert len(files) > 20
    for path in files:
        assert from_yaml(path.read_text(encoding="utf-8")), path


def test_the_lock_has_hashes_and_names_no_host():
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    pinned = set(re.findall(r"^([A-Za-z0-9_.-]+)==", lock, flags=re.M))
    wanted = set(re.findall(r"^([A-Za-z0-9_-]+)", (PROJECT / "requirements.in").read_text(), flags=re.M))
    assert {name.lower() for name in wanted} <= {name.lower() for name in pinned}


def test_no_third_readme_command_is_needed():
    for name in ("README.md", "README.zh-CN.md"):
        text = (PROJECT / name).read_text(encoding="utf-8")
        assert "make demo" in text
        assert "make test" in text


def _columns_of_marts() -> list[tuple[str, str]]:
    found = []
    for path in sorted(Path(PROJECT / "dbt_project/models/marts").rglob("*.yml")):
        for model in from_yaml(path.read_text(encoding="utf-8")).get("models", []):
            found += [(model["name"], column["name"]) for column in model["columns"]]
    return found


def test_published_columns_carry_names_that_bi_tools_accept():
    columns = _columns_of_marts()
    assert len(columns) > 150
    for model, column in columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", column), f"{model}.{column}"
        assert column not in FORBIDDEN, f"{model}.{column}"
