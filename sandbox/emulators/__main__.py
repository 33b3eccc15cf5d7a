"""`python -m sandbox.emulators serve --systems DIR --env FILE`: every system below a folder, until told to stop.

A system is `<system>.sqlite` (its store) with `<system>.json` beside it: `{"vendor": …, "options": {…}, "port": 0}`; a
store without one is not served. FILE gets `HC_<SYSTEM>_URL=http://127.0.0.1:…` a line, for its owner only, when all of
them listen; it goes when they stop. `<system>.faults.json` beside the store switches faults while they run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import threading
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sandbox.announce import write_whole
from sandbox.emulators import EMULATORS
from sandbox.emulators.server import Emulator, serve_all
from sandbox.store import Store

PARENT_LOOKED_AT_EVERY = 0.2  # seconds


class System(BaseModel):
    """What `<system>.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    vendor: str
    options: dict[str, str] = {}
    port: int = 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.emulators")
    serve = parser.add_subparsers(required=True).add_parser("serve", help="serve every system below a folder")
    serve.add_argument(
        "--systems", type=Path, required=True, help="folder with <system>.sqlite and <system>.json"
    )
    serve.add_argument("--env", type=Path, required=True, help="file to write the addresses to")
    serve.add_argument("--with-parent", type=int, metavar="PID", help="stop when this process is gone")
    asked = parser.parse_args(arguments)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    systems: dict[str, Path] = {}
    for path in sorted(asked.systems.rglob("*.sqlite")):
        if not path.with_suffix(".json").exists():
            continue  # a system reached as a database or by files has no emulator
        if path.stem in systems:
            raise ValueError(
                f"two systems are called {path.stem}: {systems[path.stem]} and {path}. None is served."
            )
        systems[path.stem] = path
    said = {
        name: System.model_validate_json(path.with_suffix(".json").read_bytes())
        for name, path in systems.items()
    }
    emulators = {name: emulator(said[name], path) for name, path in systems.items()}
    with serve_all(emulators, {name: system.port for name, system in said.items()}) as addresses:
        text = "".join(f"{variable(name)}={address}\n" for name, address in addresses.items())
        write_whole(asked.env, text)
        while not stop.wait(PARENT_LOOKED_AT_EVERY):
            if asked.with_parent and not is_running(asked.with_parent):
                break
        if asked.env.exists() and asked.env.read_text(encoding="utf-8") == text:
            asked.env.unlink()
    return 0


def emulator(system: System, store: Path) -> Emulator:
    """The vendor's class over a store. Raises: ValueError if no emulator is known by that name."""
    if system.vendor not in EMULATORS:
        raise ValueError(f"{store.stem}: no emulator for {system.vendor!r}; there are {', '.join(EMULATORS)}")
    module, _, name = EMULATORS[system.vendor].partition(":")
    made: type[Emulator] = getattr(importlib.import_module(module), name)
    return made(Store(store), system.options, faults_file=store.with_suffix(".faults.json"))


def variable(system: str) -> str:
    """The name its address goes by: `erp` → `HC_ERP_URL`."""
    return f"HC_{system.replace('-', '_').upper()}_URL"


def is_running(pid: int) -> bool:
    """Is that process there? One that ended and was not waited for is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


if __name__ == "__main__":
    raise SystemExit(main())
