"""Opening the file: a writer waits for readers, and not for ever."""

from __future__ import annotations

import subprocess
import sys
import time

import duckdb
import pytest

from tieout import engine
from tieout.engine import connect, extension_file

READER = """
import sys, time, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with connect(path) as con:
        con.execute("create table t as select 1 as n")
    return path


def reader(path, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "open\n"
    return process


def test_a_writer_waits_until_a_reader_has_gone(file):
    process, began = reader(file, 0.7), time.monotonic()
    with connect(file) as con:
        con.execute("insert into t values (2)")
        assert time.monotonic() - began > 0.5 and process.wait(5) == 0
        assert con.execute("select count(*) from t").fetchall() == [(2,)]


def test_a_reader_that_stays_is_an_error_in_the_end(file, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.3)
    process = reader(file, 30)
    try:
        with pytest.raises(duckdb.IOException, match="lock"):
            connect(file)
    finally:
        process.kill()


def test_an_extension_that_is_not_what_was_signed_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.delitem(engine.OFFLINE, "allow_unsigned_extensions")  # put there by tests/conftest.py
    signed = extension_file("sqlite_scanner")
    changed = bytearray(signed.read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / signed.name).write_bytes(changed)

    with connect() as con:
        con.load_extension(str(signed))
    with connect() as con, pytest.raises(duckdb.IOException, match="signature"):
        con.load_extension(str(tmp_path / signed.name))
