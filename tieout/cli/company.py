"""The sample group behind its doors: started for a command that pulls from it, stopped after it.

华信 (`hx_` sources) lives in `company/` below the installation's home, 华辰精工 (`hc_` sources) in `huachen/`: its vendors'
systems are emulators, one small process for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tieout.cli.errors import CommandError
from tieout.ingest.switches import switched_off
from tieout.settings import Settings

END = "end"  # of the history; after every day, also as text
_PATIENCE = 30.0  # seconds for all emulators to listen


def doors(settings: Settings) -> Path:
    """Folder of 华信's five systems."""
    return settings.home / "company"


def huachen(settings: Settings) -> Path:
    """Folder of what 华辰精工's systems hold."""
    return settings.home / "huachen"


@contextmanager
def company(
    settings: Settings,
    *,
    build: bool = False,
    scale: int | None = None,
    seed: int | None = None,
    until: str | None = None,
) -> Generator[bool]:
    """Run the sample group's systems for the length of a block, if it was set up here.

    Its addresses go into this process's environment for as long, where the contracts look for them; variables that
    are set already win, so a real installation never sees the sample group by accident. A company whose
    sources are all switched off is neither built nor started.

    Args:
        build: Set the companies up first (`tieout demo`).
        scale, seed, until: Of 华辰精工; as it was built before, if not given. `until` is its last day, or END.

    Yields: whether the sample group is there.
    """
    from tieout.doors.server import PostgresServer

    folder, other = doors(settings), huachen(settings)
    if not build and not (folder / "doors.env").is_file():
        yield False
        return
    with_other = _is_on(settings, "hc_")
    with PostgresServer(folder / "postgres").running() as server:
        if build:
            with ThreadPoolExecutor(1, thread_name_prefix="huaxin") as beside:
                huaxin = beside.submit(_build, "huaxin", folder, server.superuser_dsn())
                if with_other:
                    before = _built(other)
                    wanted = _wanted(before, scale=scale, seed=seed, until=until)
                    said = _build("huachen", other, server.superuser_dsn(), **wanted)
                    if "written:" in said and not _lives_on(before, _built(other)):
                        _forget(settings, "hc_")
                huaxin.result()
        runs = with_other and (other / "doors.env").is_file()
        with _announced(folder / "doors.env"), _emulators(other) if runs else nullcontext():
            yield True


def _is_on(settings: Settings, prefix: str) -> bool:
    off = switched_off(settings.home)
    return any(
        path.parent.name.startswith(prefix) and path.parent.name not in off
        for path in settings.sources.glob("*/source.yaml")
    )


def _built(folder: Path) -> dict[str, Any]:
    """What the company was built from; nothing if it was not."""
    import json

    try:
        return json.loads((folder / ".built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _wanted(before: Mapping[str, Any], **asked: int | str | None) -> dict[str, int | str]:
    """What to build from: as asked for, else as it is."""
    wanted = {name: before.get(name) if value is None else value for name, value in asked.items()}
    return {name: value for name, value in wanted.items() if value is not None and value != END}


def _lives_on(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether it is the same company some days later: then nothing of what was loaded is wrong."""
    same = all(before.get(name) == now.get(name) for name in ("seed", "scale", "code"))
    return same and "until" in before and (now.get("until") or END) >= before["until"]


def _build(name: str, folder: Path, dsn: str, **said: int | str) -> str:
    """Set a company up; returns what its builder said."""
    # A separate program: the platform knows nothing of the systems it pulls from.
    command = [
        sys.executable,
        "-m",
        f"sandbox.{name}",
        "build",
        "--doors",
        str(folder),
        "--postgres",
        "env:ADMIN",
    ]
    for option, value in said.items():
        command += [f"--{option}", str(value)]
    made = subprocess.run(command, env={**os.environ, "ADMIN": dsn}, capture_output=True, text=True)
    if made.returncode:
        raise CommandError(f"{name} could not be set up in {folder}:\n{made.stderr.strip()}")
    return made.stdout


def _forget(settings: Settings, prefix: str) -> None:
    """The company was invented anew: what came from its systems before belongs to another history."""
    import shutil

    from sources.contract import read_sources
    from tieout.engine import connect, relations
    from tieout.ingest.tables import empty, history_table

    if not settings.warehouse.is_file():
        return
    with connect(settings.warehouse) as con:
        there = relations(con)
        for name, source in read_sources(settings.sources).items():
            if name.startswith(prefix):
                shutil.rmtree(settings.landing / name, ignore_errors=True)
                for stream in source.streams:
                    if history_table(source, stream).replace('"', "") in there:
                        empty(con, source, stream)


@contextmanager
def _emulators(folder: Path) -> Generator[None]:
    """All vendors' systems of 华辰精工, answering on loopback."""
    addresses = folder / "addresses.env"
    addresses.unlink(missing_ok=True)
    log = folder / "emulators.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.emulators", "serve", "--systems", str(folder / "systems"), "--env", str(addresses),
             "--with-parent", str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        began = time.monotonic()
        while not addresses.is_file():
            if process.poll() is not None or time.monotonic() - began > _PATIENCE:
                raise CommandError(
                    f"the emulators of 华辰精工 did not start. Nothing was pulled. What they said is in {log}; "
                    f"without them: tieout source off 'hc_*' --reason demo"
                )
            time.sleep(0.05)
        with _announced(folder / "doors.env"), _announced(addresses):
            yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def _announced(file: Path) -> Generator[None]:
    """A block in which the environment holds the addresses of a file; those of a server that is gone mislead."""
    new = {name: value for name, value in _read(file).items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _read(file: Path) -> dict[str, str]:
    lines = (
        line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    )
    return {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
