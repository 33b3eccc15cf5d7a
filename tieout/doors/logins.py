"""Passwords of the SQL door's logins: made once, kept in one file that only its owner can read."""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from tieout.whole import write_whole


def passwords_file(home: Path) -> Path:
    return home / "secrets" / "logins.json"


def read_passwords(file: Path) -> dict[str, str]:
    """Login -> password. Raises: `PermissionError` if others could read the file too; nothing is used then."""
    if not file.exists():
        return {}
    if file.stat().st_mode & 0o077:
        raise PermissionError(
            f"{file} can be read by other users. Nothing was done. Run `chmod 600 {file}`, then change the passwords."
        )
    return json.loads(file.read_text())


def ensure_passwords(file: Path, logins: Iterable[str]) -> dict[str, str]:
    """Passwords of ``logins``; those without one get one (24 random bytes). Others in the file are kept.

    Delete a line of the file to give that login a new password at the next publish.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = list(logins)
    with (file.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read_passwords(file)
        missing = [login for login in wanted if login not in known]
        if missing:
            known |= {login: secrets.token_urlsafe(24) for login in missing}
            write_whole(file, json.dumps(known, indent=2), private=True)
    return {login: known[login] for login in wanted}
