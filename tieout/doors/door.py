"""The doors of one installation: PostgreSQL for BI tools, a snapshot file for analysts; opened and published to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tieout.fingerprint import roles_version
from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.doors.access import Access
    from tieout.doors.server import PostgresServer
    from tieout.progress import Progress
    from tieout.tie.certificate import Certificate

DATABASE = "tieout"
ANALYST = "analyst"  # the role whose clearance the snapshot file has


@dataclass(frozen=True)
class Done:
    """One publish through all doors; `copied` of the `tables` had changed."""

    tables: int
    copied: int
    rows: int
    snapshot: Path
    door: str
    data_hash: str
    in_snapshot: dict[str, str]  # content hash of every table in the snapshot file, by `schema.name`


class Door(Protocol):
    """A PostgreSQL to publish to: `opened` yields the owner's connection string."""

    name: str

    def opened(self) -> contextlib.AbstractContextManager[str]: ...


class Embedded:
    """The PostgreSQL of the wheel, run by us, behind our TLS front."""

    name = "embedded PostgreSQL"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def server(self) -> PostgresServer:
        from tieout.doors.server import PostgresServer

        return PostgresServer(self.settings.postgres)

    @contextlib.contextmanager
    def opened(self) -> Generator[str]:
        with self.server.running() as server:
            yield server.create_database(DATABASE)


class External:
    """A PostgreSQL run by somebody else (TIEOUT_POSTGRES_DSN); its own TLS, its own backups."""

    name = "external PostgreSQL"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextlib.contextmanager
    def opened(self) -> Generator[str]:
        yield self._dsn


def door_of(settings: Settings) -> Door:
    """The PostgreSQL of this installation."""
    return External(settings.postgres_dsn) if settings.postgres_dsn else Embedded(settings)


def access_of(settings: Settings) -> Access:
    """Roles and logins.

    Raises: AccessError naming the line of roles.yaml to change.
    """
    from tieout.doors.access import load_access

    return load_access(settings.dbt_project / "access" / "roles.yaml")


def policy_version(settings: Settings) -> str:
    """Content hash of roles.yaml: which rules decide who sees what."""
    return roles_version(settings.dbt_project / "access" / "roles.yaml")


def publish(settings: Settings, certificate: Certificate, hashes: dict[str, str], progress: Progress) -> Done:
    """Switch both doors to the warehouse's marts and metrics, each atomically: PostgreSQL, then the snapshot.

    Args:
        hashes: Content hash by `schema.table`; what did not change is not copied again.

    Raises: PublishError and its kinds; readers keep what they had.
    """
    from tieout.doors.logins import ensure_passwords, passwords_file
    from tieout.doors.publish import PublishMeta, publish_postgres
    from tieout.doors.published import snapshot_hashes
    from tieout.doors.snapshot import write_snapshot
    from tieout.transform.catalogue import catalogue
    from tieout.transform.dbt import target

    access = access_of(settings)
    tables = catalogue(target(settings) / "manifest.json")
    comments = {
        key: text
        for name, table in tables.items()
        for key, text in ((name, table.description), *((f"{name}.{c}", d) for c, d in table.columns.items()))
        if text
    }
    keys = {name: table.key for name, table in tables.items() if table.key}
    classes = {name: table.classes for name, table in tables.items()}
    meta = PublishMeta(
        certificate.issued_at,
        certificate.business_cut_off,
        certificate.certified,
        loaded_to=certificate.loaded_to,
        definition_version=certificate.definition_version,
        policy_version=policy_version(settings),
    )
    door = door_of(settings)
    # The file is written while PostgreSQL loads, and linked only once PostgreSQL has switched.
    turn = _Turn()
    held: dict[str, str] = {}
    file = settings.snapshots / f"tieout-{certificate.publish_id}.duckdb"

    def when(step: str) -> None:
        if step == "written":
            held.update(snapshot_hashes(file))
            turn.wait()

    try:
        with ThreadPoolExecutor(1, thread_name_prefix="snapshot") as beside:
            writing = beside.submit(
                write_snapshot,
                settings.warehouse,
                settings.snapshots,
                certificate.publish_id,
                meta=meta,
                role=ANALYST,
                clearance=access.roles[ANALYST].clearance,
                classes=classes,
                unclassified=access.unclassified,
                comments=comments,
                hashes=hashes,
                on_step=when,
            )
            with turn, door.opened() as dsn:
                done = publish_postgres(
                    settings.warehouse,
                    dsn,
                    certificate.publish_id,
                    access=access,
                    meta=meta,
                    comments=comments,
                    keys=keys,
                    classes=classes,
                    hashes=hashes,
                    passwords=ensure_passwords(passwords_file(settings.home), access.logins),
                    on_progress=lambda number, total, name: progress.advance(name),
                )
            snapshot = writing.result()
    except BaseException:
        if not turn.well:  # what was written then is of a publish that never was
            file.unlink(missing_ok=True)
        raise
    return Done(done.tables, done.loaded, done.rows, snapshot, door.name, done.data_hash, held)


class _Turn:
    """A block that others wait for: they go on when it has ended well, and give up when it has not."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self.well = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.well = kind is None
        self._ended.set()

    def wait(self) -> None:
        """Raises: CancelledError if the block failed; its own error says why."""
        self._ended.wait()
        if not self.well:
            raise CancelledError


def holds(settings: Settings, publish_id: str, snapshot: str) -> bool:
    """Whether both doors still hold that publish: somebody may have deleted a file or a database."""
    from tieout.doors.publish import current_publish

    if not (settings.snapshots / snapshot).is_file():
        return False
    if settings.postgres_dsn is None and not (settings.postgres / "lock").exists():
        return False
    with door_of(settings).opened() as dsn:
        return current_publish(dsn) == publish_id
