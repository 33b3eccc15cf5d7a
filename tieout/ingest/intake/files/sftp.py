"""SFTP, through the OpenSSH client that every Linux has: its keys, its known hosts, its ciphers.

The host must be known (`known_hosts`, or the user's own file): a server nobody has vouched for is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sources.contract import Source, duration
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files.folders import Entry, Fetching, UnsettledError

OPTIONS = ("key_file", "known_hosts")
# One session with everything that is new; a night's worth of a slow line.
LONGEST_SESSION = "6h"
_USER = re.compile(r"^[A-Za-z0-9_.][A-Za-z0-9_.@\\-]*$")
_HOST = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.:_-]*$")
# -rw-r--r--    1 1000     1000         1234 Nov 22 04:14 name
_LISTED = re.compile(
    r"^(?P<kind>\S)\S{9,}\s+\S+\s+\S+\s+\S+\s+(?P<size>\d+)\s+(?P<when>\w{3}\s+\d+\s+[\d:]+)\s(?P<name>.+)$"
)


class SftpFolder(Fetching):
    """A folder of an SFTP server, listed once a pull; what is new is fetched in one session."""

    def __init__(self, source: Source, place: str, root: Path) -> None:
        super().__init__(source, root)
        parts = urllib.parse.urlsplit(place)
        self._folder = urllib.parse.unquote(parts.path) or "."
        self.place = f"sftp://{parts.hostname}{parts.path}"
        if parts.password:
            raise self._failure(
                "has a password, which no unattended client can use",
                "Have a key accepted there, and say `key_file` in the connection's options.",
            )
        if any("/" in stream.origin for stream in source.streams.values()):
            raise self._failure("is one folder", "Leave `/` out of the streams' `from`.")
        user, host = urllib.parse.unquote(parts.username or ""), parts.hostname or ""
        if not _HOST.match(host) or (user and not _USER.match(user)) or "\n" in self._folder:
            raise self._failure("is no address", "Write sftp://user@host:port/folder.")
        self._to = f"{user}@{host}" if user else host
        self._port = parts.port or 22
        self._client = self._command()
        self._listed: list[Entry] | None = None
        self._got: dict[Entry, Path | None] = {}  # None: it changed while it was fetched

    def _command(self) -> list[str]:
        client = shutil.which("sftp")
        if client is None:
            raise self._failure("needs the program sftp, which is not installed", "Install openssh-client.")
        options = self.source.options()
        if unknown := set(options) - set(OPTIONS):
            raise self._failure(
                f"does not know the connection's options {sorted(unknown)}", f"It knows {sorted(OPTIONS)}."
            )
        seconds = max(1, int(duration(self.source.limits.timeout).total_seconds()))
        settings = {
            "LogLevel": "ERROR",  # not the banner, but the reason
            "BatchMode": "yes",  # never asks, so it never hangs
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": str(seconds),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
        }
        if "known_hosts" in options:
            settings["UserKnownHostsFile"] = _quoted(self._file("known_hosts", options["known_hosts"]))
            settings["GlobalKnownHostsFile"] = "none"
        if "key_file" in options:
            settings["IdentityFile"] = _quoted(self._file("key_file", options["key_file"]))
            settings["IdentitiesOnly"] = "yes"
        flags = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        return [client, "-b", "-", "-P", str(self._port), *flags, "--", self._to]

    def _file(self, name: str, value: str) -> Path:
        """The option's file. A reference `file:` or `secret:` gives its content: then it is written out for ssh."""
        path = Path(value).expanduser() if "\n" not in value and len(value) < 1000 else None
        if path and path.is_file():
            return path.resolve()
        if "PRIVATE KEY" in value or (name == "known_hosts" and " " in value):
            private = self.root / name
            with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(value + "\n")
            return private
        raise self._failure(f"the file of connection.options.{name} does not exist", "Put it there.")

    # --- what Folder asks ---

    def _entries(self) -> list[Entry]:
        if self._listed is None:
            self._listed = _entries(self._session([self._change(), "ls -lan"]))
        return self._listed

    def prepare(self, entries: Sequence[Entry]) -> None:
        """Fetch them all in one session, and list the folder again behind them."""
        missing = [entry for entry in entries if entry not in self._got]
        if not missing:
            return
        first = len(self._got)
        targets = {entry: self.root / f"{first + n}.fetched" for n, entry in enumerate(missing)}
        # `-get`: a file that has gone meanwhile does not end the session.
        gets = [f"-get {_word(entry.name)} {_word(str(target))}" for entry, target in targets.items()]
        after = set(_entries(self._session([self._change(), *gets, "ls -lan"])))
        self._got |= {entry: target if entry in after else None for entry, target in targets.items()}

    def fetch(self, entry: Entry, target: Path) -> None:
        file = self._got.get(entry)
        if file is None or not file.is_file() or file.stat().st_size != entry.size:
            raise UnsettledError
        shutil.move(file, target)

    def trusts(self, entry: Entry, before: dict[str, str]) -> bool:
        """The listing shows minutes, and days of older files: only a day well past when it was fetched is told apart."""
        fetched = datetime.fromisoformat(before["at"]) if "at" in before else None
        changed = _day(entry.mark, fetched)
        return fetched is not None and changed is not None and (fetched - changed).days >= 2

    def remember(self, entry: Entry, draft: Path) -> None:
        import json
        from dataclasses import asdict

        from tieout.ingest.intake.files.folders import FETCHED

        said = {**asdict(entry), "at": datetime.now(UTC).isoformat()}
        (draft / FETCHED).write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")

    # --- the client ---

    def _change(self) -> str:
        return f"cd {_word(self._folder)}"

    def _session(self, commands: Sequence[str]) -> str:
        limit = duration(LONGEST_SESSION).total_seconds()
        try:
            done = subprocess.run(
                self._client,
                input="\n".join([*commands, "bye", ""]),
                # In the C locale the client writes Chinese names in octal.
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failure(
                f"took longer than {LONGEST_SESSION}", "Is the line slow, or stuck?"
            ) from None
        if done.returncode != 0:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            said = "; ".join(line for line in lines if not line.startswith("Warning: Permanently"))[:300]
            raise self._failure(
                f"cannot be read: {said or f'sftp ended with code {done.returncode}'}",
                "Check address, key_file, known_hosts and that the folder exists.",
            )
        return done.stdout

    def _failure(self, what: str, advice: str) -> SourceError:
        return SourceError(
            f"{self.source.name}: {self.place} {what}. Nothing of it was loaded; what was loaded before stays. "
            f"{advice}"
        )


def _entries(listing: str) -> list[Entry]:
    found = []
    for line in listing.splitlines():
        match = _LISTED.match(line)
        if match and match["kind"] == "-" and "/" not in match["name"] and not line.startswith("sftp>"):
            found.append(Entry(match["name"], int(match["size"]), " ".join(match["when"].split())))
    return found


def _day(mark: str, near: datetime | None) -> datetime | None:
    """The day of a listing, `Nov 22 04:14` or `Nov 22 2025`, as one not after `near`."""
    if near is None:
        return None
    try:
        month, day, last = mark.split()
        year = near.year if ":" in last else int(last)
        found = datetime.strptime(f"{month} {day} {year}", "%b %d %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    if ":" in last and found > near:
        found = found.replace(year=year - 1)
    return found


def _word(text: str) -> str:
    """One word of a batch file; inside quotes the client takes wildcards for themselves."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
