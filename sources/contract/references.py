"""References to secrets and places: `env:NAME`, `file:PATH`, `secret:NAME`; resolved only while a run needs them."""

from __future__ import annotations

import os
import re
from pathlib import Path

_LITERAL_SECRET = re.compile(r"(password|pwd|token|secret)\s*=|://[^/@\s]+:[^/@\s]+@", re.IGNORECASE)


class ContractError(Exception):
    """A contract cannot be read or used; the message names file, key and remedy."""


def is_reference(text: str) -> bool:
    return text.partition(":")[0] in {"env", "file", "secret"}


def holds_a_secret(text: str) -> bool:
    """Whether a literal looks like a password or token written down where a reference belongs."""
    return not is_reference(text) and _LITERAL_SECRET.search(text) is not None


def resolve(reference: str, what: str) -> str:
    """Look up a reference; anything else is taken literally. Never log the result.

    `env:NAME` is an environment variable (Dagster's own too), `file:PATH` the content of a file,
    `secret:NAME` the file NAME in the folder TIEOUT_SECRETS (as container platforms mount them).

    Raises: ContractError naming the missing variable or file (never its value).
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            raise ContractError(
                f"{what}: the environment variable {name} is not set. Nothing was read. "
                f"Set it (the sample company writes its own to company/doors.env; `tieout demo` reads that)."
            )
        return value
    if kind in {"file", "secret"}:
        folder = os.environ.get("TIEOUT_SECRETS") or "/run/secrets"
        path = Path(name).expanduser() if kind == "file" else Path(folder) / name
        if not path.is_file():
            raise ContractError(f"{what}: the file {path} does not exist. Nothing was read.")
        return path.read_text(encoding="utf-8").strip()
    return reference
