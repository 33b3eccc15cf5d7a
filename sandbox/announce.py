"""Addresses and secrets of the invented companies, as they are announced: `NAME=value` lines in a file of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def read_env(path: Path) -> dict[str, str]:
    """What was announced; empty if nothing was built."""
    if not path.is_file():
        return {}
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {name: value for name, _, value in lines if name and not name.startswith("#")}


def write_env(path: Path, env: Mapping[str, str]) -> None:
    """Announce, for the owner of the file only, unless it says so already."""
    text = "".join(f"{name}={value}\n" for name, value in sorted(env.items()))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file as a whole or not at all; by default its owner alone reads it, for it may hold a password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    beside.replace(path)
