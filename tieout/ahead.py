"""Work done ahead: what a first run needs of the project's files alone, made while the systems are still being asked.

Pulling and loading keep one core busy. Meanwhile a side process parses the dbt project (14 CPU seconds), compiles the
views (2) and the metrics (18): `dbt build` then reads the parsed project in 3, half of its models are made at once
(`tieout.transform.views`), and schema `metrics` takes the SQL as it is. Measured 2026-11 on 2 cores.

- The side process never opens the warehouse. What it makes is written beside its place and renamed; dbt compares
  the parsed project with the files, `tieout.metrics.layer` the SQL with the definitions, so neither can be stale.
- It ends with its parent, however that ends: its standard input is then at its end. If it fails or takes too long,
  the steps do the work themselves as if it had never been; what it said is in `logs/ahead.log`.
- It runs only where dbt has parsed nothing yet; later runs find the parsed project and the compiled SQL of the first.

It holds about 200 MB and is gone before this process holds most, so `tieout demo` does not add it up.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tieout.settings import Settings
from tieout.transform.dbt import PARSED, target

_PATIENCE = 120.0  # seconds; then the steps do the work themselves


class Ahead:
    """The side process of one run, if there is anything to do ahead; for the length of a block."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Ahead:
        if not self._parsed.is_file():
            self._process = _start(self.settings)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.kill()  # nothing it makes is ever half there
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()

    def wait_parsed(self) -> None:
        """Wait until dbt may start: the project is parsed and its views compiled, or will not be."""
        self._wait(until_parsed=True)

    def wait(self) -> None:
        """Wait until everything is made, or will not be."""
        self._wait(until_parsed=False)

    @contextmanager
    def importing(self) -> Generator[None]:
        """Import what transform and verify need, for a block in which this process waits for others.

        Nothing is imported where the run may turn out to have nothing to do.
        """
        thread = threading.Thread(target=_import, daemon=True)
        if self._process is not None:
            thread.start()
        try:
            yield
        finally:
            if self._process is not None:
                thread.join()

    @property
    def _parsed(self) -> Path:
        return target(self.settings) / PARSED

    def _wait(self, *, until_parsed: bool) -> None:
        if self._process is None:
            return
        ends = time.monotonic() + _PATIENCE
        while self._process.poll() is None and not (until_parsed and self._parsed.is_file()):
            if time.monotonic() > ends:
                self._process.kill()
                self._process.wait()
                return
            time.sleep(0.02)


def _start(settings: Settings) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-m", "tieout.ahead", str(settings.home), str(settings.project)]
    try:
        settings.logs.mkdir(parents=True, exist_ok=True)
        with (settings.logs / "ahead.log").open("wb") as log:
            # Its own group: Ctrl-C is for the run, which then ends this process.
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0)
    except OSError:
        return None


def _import() -> None:
    try:
        from expectations.suite import preload as load_suites
        from tieout.transform.dbt import preload as load_dbt

        load_dbt()
        load_suites()
    except Exception:  # the step that needs it says what is wrong
        return


# --- the side process -----------------------------------------------------------------------------


def main(home: str, project: str) -> None:
    """Parse, then compile; one at a time for an installation, a second one leaves at once."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(19)  # the run itself goes first; what this makes is needed after loading only
    settings = Settings(Path(home), Path(project))
    target(settings).mkdir(parents=True, exist_ok=True)
    with (target(settings) / "ahead.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        _make(settings, target(settings) / "ahead")


def _make(settings: Settings, drafts: Path) -> None:
    from tieout.metrics.definitions import read
    from tieout.metrics.layer import COMPILED, compile_ahead
    from tieout.transform import dbt

    shutil.rmtree(drafts, ignore_errors=True)  # of one that was killed
    drafts.mkdir(parents=True)
    dbt.prepare(settings, drafts)
    definitions = read(drafts / "semantic_manifest.json")
    dbt.adopt(settings, drafts)
    shutil.rmtree(drafts, ignore_errors=True)
    # A fifth less CPU for 60 MB more: the compiler makes millions of small objects, and this process ends after it.
    gc.disable()
    compile_ahead(definitions, target(settings) / COMPILED)


def _end_with_parent() -> None:
    """Nobody writes to standard input; its end is the end of the parent, even of one that was killed."""
    while os.read(0, 1):  # not through sys.stdin: a thread that reads it would disturb the regular end
        pass
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
