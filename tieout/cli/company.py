"""The sample company behind its doors: started for a command that pulls from it, stopped after it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tieout.cli.errors import CommandError
from tieout.settings import Settings


def doors(settings: Settings) -> Path:
    """Folder of the sample company's five systems."""
    return settings.home / "company"


@contextmanager
def company(settings: Settings, *, build: bool = False) -> Generator[bool]:
    """Run the sample company's systems for the length of a block, if it was set up here.

    Its addresses go into this process's environment, where the contracts look for them; variables that
    are set already win, so a real installation never sees the sample company by accident.

    Args:
        build: Set the company up first (`tieout demo`).

    Yields: whether the sample company is there.
    """
    from tieout.doors.server import PostgresServer

    folder = doors(settings)
    addresses = folder / "doors.env"
    if not build and not addresses.is_file():
        yield False
        return
    with PostgresServer(folder / "postgres").running() as server:
        if build:
            _build(folder, server.superuser_dsn())
        for name, value in _read(addresses).items():
            os.environ.setdefault(name, value)
        yield True


def _build(folder: Path, dsn: str) -> None:
    # A separate program: the platform knows nothing of the systems it pulls from.
    command = [
        sys.executable,
        "-m",
        "sandbox.huaxin",
        "build",
        "--doors",
        str(folder),
        "--postgres",
        "env:ADMIN",
    ]
    made = subprocess.run(command, env={**os.environ, "ADMIN": dsn}, capture_output=True, text=True)
    if made.returncode:
        raise CommandError(f"the sample company could not be set up in {folder}:\n{made.stderr.strip()}")


def _read(file: Path) -> dict[str, str]:
    lines = (
        line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    )
    return {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
