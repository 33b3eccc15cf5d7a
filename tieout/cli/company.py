"""The sample group behind its doors: started for a command that pulls from it, stopped after it.

华信 (`hx_` sources) lives in `company/` below the installation's home, 华辰精工 (`hc_` sources) in `huachen/`: its vendors'
systems are emulators, one small process for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tieout.cli.errors import CommandError
from tieout.ingest.switches import switched_off
from tieout.settings import Settings

_PATIENCE = 30.0  # seconds for all emulators to listen


def doors(settings: Settings) -> Path:
    """Folder of 华信's five systems."""
    return settings.home / "company"


def huachen(settings: Settings) -> Path:
    """Folder of what 华辰精工's systems hold."""
    return settings.home / "huachen"


@contextmanager
def company(
    settings: Settings, *, build: bool = False, scale: int | None = None, seed: int | None = None
) -> Generator[bool]:
    """Run the sample group's systems for the length of a block, if it was set up here.

    Its addresses go into this process's environment, where the contracts look for them; variables that
    are set already win, so a real installation never sees the sample group by accident. A company whose
    sources are all switched off is neither built nor started.

    Args:
        build: Set the companies up first (`tieout demo`).
        scale, seed: Of 华辰精工; as it was built before, if not given.

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
            _build("huaxin", folder, server.superuser_dsn())
            if with_other:
                said = _build("huachen", other, server.superuser_dsn(), **_said(other, scale, seed))
                if "written:" in said:
                    _forget(settings, "hc_")
        _announce(folder / "doors.env")
        runs = with_other and (other / "doors.env").is_file()
        with _emulators(other) if runs else nullcontext():
            yield True


def _is_on(settings: Settings, prefix: str) -> bool:
    off = switched_off(settings.home)
    return any(
        path.parent.name.startswith(prefix) and path.parent.name not in off
        for path in settings.sources.glob("*/source.yaml")
    )


def _said(folder: Path, scale: int | None, seed: int | None) -> dict[str, int]:
    """Seed and scale to build with: as asked for, else as they are."""
    import json

    try:
        before = json.loads((folder / ".built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    wanted = {"scale": scale or before.get("scale"), "seed": seed if seed is not None else before.get("seed")}
    return {name: value for name, value in wanted.items() if value is not None}


def _build(name: str, folder: Path, dsn: str, **said: int) -> str:
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
        _announce(folder / "doors.env")
        _announce(addresses)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _announce(file: Path) -> None:
    for name, value in _read(file).items():
        os.environ.setdefault(name, value)


def _read(file: Path) -> dict[str, str]:
    lines = (
        line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    )
    return {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
