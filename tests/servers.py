"""Real database servers for tests: the embedded PostgreSQL, and Debian's MariaDB where it is installed.

Each is started once a process, on a free loopback port in a temporary folder, and stopped when pytest
ends; a test works in a database of its own. If this process is killed or crashes, a shell that waits for
its end stops the server and deletes the folder.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tieout.doors.server import PostgresServer

_STARTED: dict[str, Any] = {}
_NUMBER = iter(range(1, 1_000_000))
PASSWORD = "Gehe1m-pa55w0rt"  # of the reading logins; no message may hold it


def _mourn(pidfile: Path, *folders: Path) -> None:
    """Leave a shell behind that ends a server and deletes its folders when this process is gone, however it went."""
    script = (
        'cat > /dev/null; pid=$(head -n 1 "$0" 2> /dev/null) && kill -INT "$pid" 2> /dev/null && sleep 1; '
        'kill -KILL "$pid" 2> /dev/null; rm -rf "$@"'
    )
    _STARTED[f"mourner of {pidfile}"] = subprocess.Popen(
        ["/bin/sh", "-c", script, str(pidfile), *map(str, folders)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


# --- PostgreSQL ---


@dataclass
class Postgres:
    """One database on the embedded PostgreSQL: `admin` writes, `dsn` is for a login that may only read."""

    connector: ClassVar = "postgres"
    server: PostgresServer
    name: str

    @property
    def admin(self) -> str:
        return self.server.superuser_dsn(self.name)

    @property
    def dsn(self) -> str:
        return f"postgresql://{self.reader}:{PASSWORD}@127.0.0.1:{self.server.port}/{self.name}?connect_timeout=10"

    @property
    def reader(self) -> str:
        return f"{self.name}_reader"

    def run(self, *statements: str) -> list[tuple]:
        """Run statements one by one, each committed; returns the rows of the last."""
        import psycopg

        with psycopg.connect(self.admin, autocommit=True) as con:
            for statement in statements:
                cursor = con.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def grant(self) -> None:
        """Let the reading login see every table there is now."""
        self.run(f"grant select on all tables in schema public to {self.reader}")


def postgres_database(config: pytest.Config) -> Postgres:
    """A new database with a login that may only read."""
    server = _STARTED.get("postgres")
    if server is None:
        folder = Path(tempfile.mkdtemp(prefix="tieout-test-postgres-"))
        server = _STARTED["postgres"] = PostgresServer(folder / "postgres")
        config.add_cleanup(server.remove)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        server.start()
        _mourn(server.cluster / "postmaster.pid", server.home, folder)
    made = Postgres(server, f"src{next(_NUMBER)}")
    server.create_database(made.name)
    made.run(
        f"create role {made.reader} login password '{PASSWORD}'",
        f"grant connect on database {made.name} to {made.reader}",
    )
    return made


# --- MariaDB ---


class MariaServer:
    """A `mariadbd` of our own below a temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tieout-test-mariadb-"))
        self.socket = self.folder / "s.sock"
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-log-file-size=8M",
            ],
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start and wait until it answers."""
        self.process = subprocess.Popen(
            [
                "mariadbd",
                "--no-defaults",
                f"--user={getpass.getuser()}",
                f"--datadir={self.folder / 'data'}",
                f"--socket={self.socket}",
                f"--pid-file={self.folder / 'pid'}",
                f"--log-error={self.folder / 'error.log'}",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                "--skip-log-bin",
                "--innodb-log-file-size=8M",
                "--innodb-buffer-pool-size=64M",
                "--innodb-flush-log-at-trx-commit=1",
                "--max-connections=60",
                # A server far from UTC, so that a forgotten time zone shows.
                "--default-time-zone=+08:00",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            if self.socket.exists() and self.answers():
                return
            time.sleep(0.05)
        log = self.folder / "error.log"
        raise RuntimeError(f"mariadbd did not start:\n{log.read_text()[-2000:] if log.exists() else ''}")

    def answers(self) -> bool:
        return (
            subprocess.run([*self.client(), "-e", "select 1"], capture_output=True, check=False).returncode
            == 0
        )

    def client(self, database: str | None = None) -> list[str]:
        """Command line of a client as root; SQL comes on its standard input."""
        line = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot"]
        return [
            *line,
            "--default-character-set=utf8mb4",
            "--batch",
            "--raw",
            "-N",
            *([database] if database else []),
        ]

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(20)

    def remove(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Maria:
    """One database on MariaDB: `run` writes as root, `dsn` is for a login that may only read."""

    connector: ClassVar = "mysql"
    server: MariaServer
    name: str

    @property
    def dsn(self) -> str:
        return f"host=127.0.0.1 port={self.server.port} user={self.reader} password={PASSWORD} database={self.name}"

    @property
    def reader(self) -> str:
        return f"{self.name}_reader"

    def run(self, *statements: str) -> str:
        """Run statements; returns what the client printed, one line a row."""
        done = subprocess.run(
            self.server.client(self.name),
            input=";\n".join(statements).encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode()

    def grant(self) -> None:
        """The reading login sees every table of its database from the start."""

    def texts(self, table: str, expressions: list[str]) -> list[tuple[str | None, ...]]:
        """Rows of expressions as the server prints them, null as None."""
        said = self.run(f"select json_array({', '.join(expressions)}) from `{table}`")
        return [tuple(json.loads(line)) for line in said.splitlines()]


class MariaWriter:
    """A connection that stays open: statements go in, nothing is read but whether they were taken."""

    def __init__(self, database: Maria) -> None:
        self._process = subprocess.Popen(
            [*database.server.client(database.name), "--unbuffered"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lock = threading.Lock()

    def run(self, sql: str) -> list[str]:
        """Run statements separated by semicolons; returns the lines they printed."""
        assert self._process.stdin and self._process.stdout
        with self._lock:
            self._process.stdin.write(sql + ";\nselect '--done--';\n")
            self._process.stdin.flush()
            lines = []
            for line in self._process.stdout:
                if line == "--done--\n":
                    return lines
                lines.append(line.rstrip("\n"))
            raise RuntimeError("\n".join(lines))

    def close(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(10)


def maria_database(config: pytest.Config) -> Maria:
    """A new database with a login that may only read; the test is skipped where MariaDB is not installed."""
    if missing := [name for name in ("mariadbd", "mariadb-install-db", "mariadb") if not shutil.which(name)]:
        pytest.skip(f"{', '.join(missing)} is not installed (Debian: mariadb-server)")
    server = _STARTED.get("mariadb")
    if server is None:
        server = _STARTED["mariadb"] = MariaServer()
        config.add_cleanup(server.remove)
        server.start()
        _mourn(server.folder / "pid", server.folder)
    made = Maria(server, f"src{next(_NUMBER)}")
    statements = [
        f"create database {made.name} character set utf8mb4",
        f"create user {made.reader}@'%' identified by '{PASSWORD}'",
        f"grant select on {made.name}.* to {made.reader}@'%'",
    ]
    subprocess.run(server.client(), input=";\n".join(statements).encode(), check=True, capture_output=True)
    return made
