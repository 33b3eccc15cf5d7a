"""Memory is bounded by a piece of the file, never by the file: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MB = 2**20
# Held whole as Python objects, each of these files would take 0.4 to 0.6 GB.
ALLOWED = 250

MEASURED = """
import sys
from pathlib import Path
from tests.deliveries import _engine, delivered
from tieout.ingest.intake.files.drop import parse
from tieout.memory import peak_memory
import duckdb, numpy, pyarrow.csv, pyarrow.parquet, defusedxml.ElementTree

file, kind = Path(sys.argv[1]), sys.argv[2]
form = {"kind": kind, **({"records": "row"} if kind == "xml" else {})}
delivery = delivered(file.parent, file.name, None, form, {"no": "no", "note": "note"})
_engine().execute("set memory_limit = '100MB'")
before = peak_memory()
print(parse(_engine(), delivery).rows, round(peak_memory() - before))
"""

TEXT = "华辰精工有限公司, 上海市浦东新区 " * 2
FORMS = {
    "csv": ("no,name,note\n", f'{{n:08}},"{TEXT}","""quoted""\nand broken"\n', "", 60),
    "json": ("[", f'{{{{"no": {{n}}, "name": "{TEXT}", "note": [1, "x"]}}}},\n', '{"no": 0, "note": 1}]', 50),
    "xml": ("<r>", f"<row><no>{{n}}</no><name>{TEXT}</name><note>x</note></row>\n", "</r>", 40),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMS)
def test_memory_does_not_grow_with_the_file(tmp_path, kind):
    head, row, tail, size = FORMS[kind]
    block = "".join(row.format(n=n) for n in range(10_000)).encode()
    blocks = size * MB // len(block) + 1
    file = tmp_path / f"large.{kind}"
    with file.open("wb") as out:
        out.write(head.encode())
        for _ in range(blocks):
            out.write(block)
        out.write(tail.encode())
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file), kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, grown = map(int, done.stdout.split())
    assert rows == blocks * 10_000 + (kind == "json")
    assert grown < ALLOWED, f"{size} MB took {grown} MB"
