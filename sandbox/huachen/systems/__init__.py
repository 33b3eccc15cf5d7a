"""What each system of the company holds of the true history, in its own codes, names, units and states.

One module a system: `VENDOR` (of an emulator, or `sqlite`, `postgres`, `files`), `OPTIONS` (this tenant's credentials
and settings, invented), `tables(world, spelling)`, and for files `write(folder, world, spelling)`.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def systems() -> dict[str, ModuleType]:
    """Every system by name, in alphabetical order."""
    found = {}
    for item in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{item.name}")
        if hasattr(module, "VENDOR"):
            found[item.name] = module
    return found
