"""The publish into PostgreSQL: load what changed, build new views beside the old, switch in one transaction.

Tables live in the private schema `tieout_data` under a name made of their content, so a table that did not
change is not copied again: the new views simply stand on it. A reader sees the views of `marts` and
`metrics`; the switch renames whole schemas. Killed at any point, readers have the old publish or the new one
whole, and the next publish clears what was left.

The one trap (found by experiment): a REPEATABLE READ transaction that began before a table was loaded finds
the new table by name after the switch, but none of its rows, and no error. So the switch waits until no such
transaction is left; who outstays the door's own time limit is disconnected, which is an error they can see.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tieout.doors import access as rules
from tieout.doors.access import ACCESS, DATA, OWNER, SCHEMAS, Access, Column, KnownRoles, Table
from tieout.doors.warehouse import SourceTable, reading, source_comments, source_tables
from tieout.engine import connect, literal, load_extension, quoted
from tieout.fingerprint import table_hash

if TYPE_CHECKING:
    import duckdb
    import psycopg

log = logging.getLogger(__name__)

APPLICATION = "tieout publish"
WORKER = "tieout publish worker"  # sessions that only the holder of the publish lock has
OLDEST_POSTGRES = 150000
LOADING = "loading "  # first letters of a table that is not complete
# Longer than a statement may take at the door, so nobody within the limits is ever cut off.
PATIENCE = 330.0
LOCK_SECONDS = 15.0  # the session of a killed publisher ends within that

# A publish never waits long for a reader's lock: it would be a mistake of ours, and is an error.
UNLIMITED = (
    "statement_timeout=0",
    "idle_in_transaction_session_timeout=0",
    "lock_timeout=30s",
    "client_min_messages=error",
)

Progress = Callable[[int, int, str], None]
Step = Literal["lock", "load", "build", "wait", "swap", "clear"]


class PublishError(RuntimeError):
    """Nothing was published; readers have what they had."""


class PublishBusyError(PublishError):
    """Another publish is running."""


class PublishPostponedError(PublishError):
    """Readers hold transactions that the switch would hurt; the next publish finds the loaded tables."""


@dataclass(frozen=True)
class PublishMeta:
    """What the view `publish` says, beside the id. ``published_at`` is aware; ``cut_off`` is the instant up
    to which the numbers are complete, ``loaded_to`` the instant up to which every system was read; ``data_hash``
    is computed from the tables if None. The versions are those of the definitions and of roles.yaml."""

    published_at: dt.datetime
    cut_off: dt.datetime | dt.date | None = None
    certified: bool = False
    data_hash: str | None = None
    loaded_to: dt.datetime | None = None
    definition_version: str | None = None
    policy_version: str | None = None


@dataclass(frozen=True)
class Published:
    """What a publish did. ``loaded`` of the ``tables`` were copied, the others had not changed;
    ``rows`` are those readers now see; ``left_over`` could not be dropped yet."""

    publish_id: str
    tables: int
    loaded: int
    rows: int
    seconds: float
    waited: float
    data_hash: str
    denied: tuple[tuple[str, str, str], ...] = ()  # role, table, reason
    unused: tuple[tuple[str, str], ...] = ()  # role, pattern that fits no table
    left_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Planned:
    source: SourceTable
    rows: int
    content: str
    physical: str  # name in tieout_data
    key: tuple[str, ...]
    indexes: tuple[str, ...]


def publish_postgres(
    warehouse: Path | duckdb.DuckDBPyConnection,
    dsn: str,
    publish_id: str,
    *,
    access: Access,
    meta: PublishMeta,
    comments: Mapping[str, str] | None = None,
    keys: Mapping[str, str | Sequence[str]] | None = None,
    indexes: Mapping[str, Sequence[str]] | None = None,
    classes: Mapping[str, Mapping[str, str]] | None = None,
    hashes: Mapping[str, str] | None = None,
    passwords: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
    then: Literal["disconnect", "postpone"] = "disconnect",
    on_progress: Progress | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Published:
    """Make what readers see equal to schemas marts and metrics of the warehouse, in one switch.

    Args:
        warehouse: The DuckDB file, which nobody is writing, or an open connection to it (committed state).
        dsn: PostgreSQL 15 or later. Its user is a superuser, or may create roles and schemas and is a
            member of pg_monitor and pg_signal_backend.
        publish_id: Shown in the view `publish`.
        access: roles.yaml; roles, logins and policies are made equal to it.
        comments: `schema.table[.column]` -> text; those of the warehouse itself fill the gaps.
        keys: `schema.table` -> unique column or columns; becomes the primary key.
        indexes: `schema.table` -> columns to index, one index each.
        classes: `schema.table` -> column -> L1..L4; others have ``access.unclassified``.
        hashes: `schema.table` -> hash of its content; computed when not given.
        passwords: login -> password, sent as a SCRAM verifier only. A login without one keeps its own.
        patience: Seconds to wait for readers whose transaction the switch would hurt.
        then: What to do with those who are left: disconnect them, or postpone the publish.
        on_progress: Called with (tables done, tables, name) after each table.
        on_step: Called as each step is reached; what it raises ends the publish there.

    Raises: `PublishError` and its kinds, `UnpublishableError`, `AccessError`. In every case readers keep
        what they had. No message holds a password.
    """
    began = time.monotonic()
    step = on_step or (lambda _: None)
    advance = on_progress or (lambda *_: None)
    with _without_password(dsn), contextlib.ExitStack() as stack:
        admin = stack.enter_context(_session(dsn))
        _check_server(admin, then)
        sync_access(dsn, access, passwords or {})
        switch = stack.enter_context(_session(dsn, owner=True, autocommit=False))
        _take_lock(admin, switch)
        step("lock")
        owner = stack.enter_context(_session(dsn, application=WORKER, owner=True))
        _drop_schemas(owner)

        con = stack.enter_context(reading(warehouse))
        planned = _plan(con, source_tables(con), keys or {}, indexes or {}, hashes or {})
        present = _present_tables(owner)
        _drop_tables(owner, keep={plan.physical for plan in planned} | _used_tables(owner))

        missing = [plan for plan in planned if plan.physical not in present]
        done = 0
        for plan in planned:
            if plan not in missing:
                done += 1
                advance(done, len(planned), plan.source.full_name)
        loader = stack.enter_context(_loader(dsn)) if missing else None
        for plan in missing:
            assert loader is not None
            _load(con, loader, owner, plan)
            done += 1
            advance(done, len(planned), plan.source.full_name)
            step("load")

        data_hash = meta.data_hash or data_hash_of({plan.source.full_name: plan.content for plan in planned})
        tables = [_table(plan, access, classes or {}) for plan in planned]
        decided = rules.policy(access, tables)
        rows = sum(plan.rows for plan in planned)
        facts = publish_facts(publish_id, meta, data_hash, len(planned), rows)
        sources = [plan.source for plan in planned]
        said = signed(source_comments(sources) | dict(comments or {}), sources, facts)
        _build(owner, access, tables, decided, said, facts)
        step("build")

        waited = 0.0
        if not {plan.physical for plan in planned} <= _used_tables(owner):
            waited = _wait_for_readers(admin, patience, then)
        step("wait")
        _swap(admin, switch, access)
        step("swap")

        left = _clear(owner, keep={plan.physical for plan in planned})
        step("clear")
    for role, table, reason in decided.denied:
        log.info("role %s does not see %s: it %s", role, table, reason)
    published = Published(
        publish_id,
        len(planned),
        len(missing),
        rows,
        time.monotonic() - began,
        waited,
        data_hash,
        decided.denied,
        decided.unused,
        tuple(left),
    )
    log.info("published %s: %s tables, %s copied", publish_id, published.tables, published.loaded)
    return published


def sync_access(dsn: str, access: Access, passwords: Mapping[str, str]) -> None:
    """Make roles, logins, limits and passwords equal to roles.yaml; who is no longer listed is cut off at once.

    Part of every publish; by itself when somebody leaves. What a role may see changes with the next publish.
    """
    with _without_password(dsn), _session(dsn) as con:
        facts = con.execute(
            "select current_database(), current_setting('server_version_num')::int,"
            " (select rolsuper from pg_roles where rolname = current_user)"
        ).fetchone()
        assert facts is not None
        database, version, superuser = facts
        known = _known_roles(con)
        verifiers = {
            login: rules.scram_verifier(password, secrets.token_bytes(16))
            for login, password in passwords.items()
            if login in access.logins
        }
        statements = [
            *rules.owner_ddl(known),
            *rules.foundation_ddl(database, superuser=superuser),
            *rules.role_ddl(access, known, database=database, server_version=version, verifiers=verifiers),
        ]
        with con.transaction():
            for statement in statements:
                con.execute(statement.encode())
        gone = rules.disabled_logins(access, known)
        con.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = any(%s)", [list(gone)]
        )


def current_publish(dsn: str) -> str | None:
    """The publish id readers see now; None when nothing was ever published there."""
    import psycopg

    with _without_password(dsn), _session(dsn) as con:
        try:
            row = con.execute(f"select publish_id from {SCHEMAS[0]}.{rules.PUBLISH}").fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
    return row[0] if row else None


def data_hash_of(hashes: Mapping[str, str]) -> str:
    """One hash over the content hashes of all tables, `schema.table` -> hash."""
    lines = sorted(f"{name}:{content}" for name, content in hashes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


# -- sessions ---------------------------------------------------------------------------------------


def _session(
    dsn: str, *, application: str = APPLICATION, owner: bool = False, autocommit: bool = True
) -> psycopg.Connection:
    """A connection without time limits, as the DSN's user or as the owner of what is published."""
    import psycopg

    con = psycopg.connect(_dsn(dsn, UNLIMITED, application=application, owner=owner), autocommit=autocommit)
    con.prepare_threshold = None
    return con


def _dsn(dsn: str, settings: Sequence[str], *, application: str, owner: bool) -> str:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    given = conninfo_to_dict(dsn)
    wanted = [*settings, *([f"role={OWNER}"] if owner else [])]
    options = " ".join([str(given.get("options") or ""), *(f"-c {setting}" for setting in wanted)]).strip()
    return make_conninfo(dsn, application_name=application, options=options)


@contextlib.contextmanager
def _without_password(dsn: str) -> Generator[None]:
    """Turn what PostgreSQL or DuckDB raise into our errors, without the password both like to repeat."""
    import duckdb
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        yield
    except (psycopg.Error, duckdb.Error) as error:
        password = str(conninfo_to_dict(dsn).get("password") or "")
        text = str(error).replace(password, "***") if password else str(error)
        # `from None`: the original would print the password in the traceback.
        who = "PostgreSQL" if isinstance(error, psycopg.Error) else "DuckDB"
        raise PublishError(
            f"Nothing was published; readers keep what they had. {who} said: {text.strip()}"
        ) from None


def _check_server(admin: psycopg.Connection, then: str) -> None:
    """Refuse what would make the guard blind: without pg_monitor, other sessions' snapshots are hidden."""
    row = admin.execute(
        "select current_setting('server_version_num')::int, rolsuper or pg_has_role(current_user, 'pg_monitor', 'usage'),"
        " rolsuper or pg_has_role(current_user, 'pg_signal_backend', 'usage'), current_user"
        " from pg_roles where rolname = current_user"
    ).fetchone()
    assert row is not None
    version, sees, signals, user = row
    if version < OLDEST_POSTGRES:
        raise PublishError(
            f"Nothing was published: PostgreSQL {version // 10000} is too old; 15 or later is needed."
        )
    if not sees or (then == "disconnect" and not signals):
        raise PublishError(
            f"Nothing was published: {user} cannot see which readers the switch would hurt. "
            f"Let an administrator run: grant pg_monitor, pg_signal_backend to {quoted(user)}"
        )


def _take_lock(admin: psycopg.Connection, switch: psycopg.Connection) -> None:
    """One publish at a time, held by the transaction that will switch. Advisory locks are open to every
    login, a private table is not. What a killed publish still runs in the server is ended."""
    import psycopg

    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            switch.execute(f"lock table {ACCESS}.publishing in access exclusive mode nowait")
        except psycopg.errors.LockNotAvailable:
            switch.rollback()
            if time.monotonic() > deadline:
                raise PublishBusyError(
                    "Nothing was published: another publish is running there. Repeat later."
                ) from None
            time.sleep(0.5)
            continue
        admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = %s and datname = current_database() and usename = current_user",
            [WORKER],
        )
        return


def _known_roles(con: psycopg.Connection) -> KnownRoles:
    names = con.execute("select rolname, shobj_description(oid, 'pg_authid') from pg_roles").fetchall()
    members = con.execute(
        "select g.rolname, m.rolname from pg_auth_members join pg_roles g on g.oid = roleid join pg_roles m on m.oid = member"
    ).fetchall()
    marks = (rules.LOGIN_MARK, rules.GROUP_MARK)
    ours = {name: comment for name, comment in names if (comment or "").startswith(marks)}
    return KnownRoles(
        frozenset(name for name, _ in names), ours, frozenset((group, member) for group, member in members)
    )


# -- what to load -----------------------------------------------------------------------------------


def _plan(
    con: duckdb.DuckDBPyConnection,
    tables: Sequence[SourceTable],
    keys: Mapping[str, str | Sequence[str]],
    indexes: Mapping[str, Sequence[str]],
    hashes: Mapping[str, str],
) -> list[_Planned]:
    planned = []
    for table in tables:
        key = keys.get(table.full_name, ())
        key = (key,) if isinstance(key, str) else tuple(key)
        indexed = tuple(indexes.get(table.full_name, ()))
        names = {column.name for column in table.columns}
        if unknown := sorted({*key, *indexed} - names):
            raise PublishError(
                f"Nothing was published: {table.full_name} has no column {', '.join(unknown)} to index."
            )
        content = hashes.get(table.full_name) or table_hash(con, table.relation)
        row = con.execute(f"select count(*) from {table.relation}").fetchone()
        assert row is not None
        shape = [(column.name, column.postgres_type) for column in table.columns]
        digest = hashlib.sha256(repr((table.full_name, shape, key, indexed, content)).encode()).hexdigest()[
            :20
        ]
        planned.append(_Planned(table, row[0], content, f"{_short(table.full_name)} {digest}", key, indexed))
    return planned


def _short(full_name: str) -> str:
    """The beginning of a name, for people who look at the private tables; the hash behind it decides."""
    return re.sub(r"[^a-z0-9_.]", "", full_name.lower())[:32]


def _table(plan: _Planned, access: Access, classes: Mapping[str, Mapping[str, str]]) -> Table:
    source = plan.source
    known = classes.get(source.full_name, {})
    columns = tuple(
        Column(
            column.name, column.postgres_type, rules.sensitivity(known.get(column.name), access.unclassified)
        )
        for column in source.columns
    )
    return Table(source.schema, source.name, columns, f"{DATA}.{quoted(plan.physical)}")


# -- loading ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _loader(dsn: str) -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory with PostgreSQL attached as ``door``. Not the warehouse's own connection: what a
    session attaches is read-only if that session was opened so."""
    with connect() as loader:
        load_extension(loader, "postgres_scanner")
        target = _dsn(dsn, UNLIMITED, application=WORKER, owner=True)
        loader.execute(f"attach {literal(target)} as door (type postgres)")
        yield loader


def _load(
    con: duckdb.DuckDBPyConnection,
    loader: duckdb.DuckDBPyConnection,
    owner: psycopg.Connection,
    plan: _Planned,
) -> None:
    """Copy one table, check it, index it; only then give it the name that says it is complete."""
    loading = f"{LOADING}{plan.physical}"
    relation = f"{DATA}.{quoted(loading)}"
    owner.execute(f"drop table if exists {relation}".encode())
    # With a remembered catalogue the extension (1.5.5) was seen to "fill" a table that another session had
    # dropped: 0 rows and no error. So it forgets, and `_compare` counts.
    loader.execute("call pg_clear_cache()")
    loader.execute("begin")
    # Made and filled in one transaction: PostgreSQL then need not write the rows to its log as well.
    columns = ", ".join(f"{quoted(column.name)} {column.postgres_type}" for column in plan.source.columns)
    create = f"create table {relation} ({columns})"
    loader.execute(f"call postgres_execute('door', {literal(create)})")
    loader.register("incoming", con.execute(plan.source.select).to_arrow_reader(100_000))
    loader.execute(f"insert into door.{DATA}.{quoted(loading)} select * from incoming")
    loader.execute("commit")
    loader.unregister("incoming")
    _compare(con, owner, plan, relation)
    _index(owner, plan, relation)
    owner.execute(f"analyze {relation}".encode())
    owner.execute(f"alter table {relation} rename to {quoted(plan.physical)}".encode())


def _compare(
    con: duckdb.DuckDBPyConnection, owner: psycopg.Connection, plan: _Planned, relation: str
) -> None:
    """Rows, and the sum of every decimal column, on both sides: equal, or the publish ends here."""
    decimals = [column.name for column in plan.source.columns if column.postgres_type.startswith("numeric")]
    asked = ", ".join(["count(*)", *(f"sum({quoted(name)})" for name in decimals)])
    sent = con.execute(f"select {asked} from ({plan.source.select})").fetchone()
    arrived = owner.execute(f"select {asked} from {relation}".encode()).fetchone()
    if sent != arrived:
        raise PublishError(
            f"Nothing was published: {plan.source.full_name} did not arrive whole in PostgreSQL. "
            f"Sent {sent}, arrived {arrived} ({asked}). Repeat; if it stays, look at that table in the warehouse."
        )


def _index(owner: psycopg.Connection, plan: _Planned, relation: str) -> None:
    import psycopg

    if plan.key:
        key = ", ".join(quoted(name) for name in plan.key)
        try:
            owner.execute(f"alter table {relation} add primary key ({key})".encode())
        except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
            raise PublishError(
                f"Nothing was published: {plan.source.full_name} promises one row per {', '.join(plan.key)}, but "
                f"{error.diag.message_detail or error.diag.message_primary} Correct the model or its key."
            ) from None
    for name in plan.indexes:
        owner.execute(f"create index on {relation} ({quoted(name)})".encode())


# -- building and switching -------------------------------------------------------------------------


def publish_facts(
    publish_id: str, meta: PublishMeta, data_hash: str, tables: int, rows: int
) -> dict[str, tuple[str, str | None]]:
    """The row of `publish`, the same in PostgreSQL and in snapshot files: column -> (type, value as text)."""
    if meta.published_at.tzinfo is None:
        raise PublishError("Nothing was published: published_at has no time zone.")
    return {
        "publish_id": ("text", publish_id),
        "cut_off": ("text", str(meta.cut_off) if meta.cut_off else None),
        "certified": ("boolean", str(meta.certified).lower()),
        "published_at": ("timestamptz", meta.published_at.isoformat()),
        "data_hash": ("text", data_hash),
        "table_count": ("bigint", str(tables)),
        "row_count": ("bigint", str(rows)),
        "definition_version": ("text", meta.definition_version),
        "policy_version": ("text", meta.policy_version),
        "loaded_to": ("timestamptz", meta.loaded_to.isoformat() if meta.loaded_to else None),
    }


def signed(
    comments: Mapping[str, str], tables: Iterable[SourceTable], facts: Mapping[str, tuple[str, str | None]]
) -> dict[str, str]:
    """The comments, those of tables with a second line: which publish this is, made by which definitions."""
    line = " · ".join(
        f"{word} {facts[name][1]}"
        for name, word in (
            ("publish_id", "publish"),
            ("data_hash", "data"),
            ("definition_version", "definitions"),
            ("policy_version", "policy"),
            ("cut_off", "cut-off"),
        )
        if facts[name][1]
    )
    titles = {
        table.full_name: "\n".join(filter(None, (comments.get(table.full_name), line))) for table in tables
    }
    return {**comments, **titles}


PUBLISH_COMMENTS = {
    rules.PUBLISH: "本次发布：编号、截止时间与认证状态 / This publish: id, cut-off and certification",
    "publish_id": "发布编号 / Publish id",
    "cut_off": "数据截止 / Cut-off the numbers hold for",
    "certified": "是否通过认证 / Whether the publish is certified",
    "published_at": "发布时间 / When it was published",
    "data_hash": "数据内容哈希 / Hash of the published content",
    "table_count": "表数 / Number of tables",
    "row_count": "行数 / Number of rows",
    "definition_version": "口径版本 / Version of the definitions it was made with",
    "policy_version": "权限版本 / Version of the access rules in force",
    "loaded_to": "各系统数据读取至 / Instant up to which every system was read",
}


def _build(
    owner: psycopg.Connection,
    access: Access,
    tables: Sequence[Table],
    decided: rules.Policy,
    comments: Mapping[str, str],
    facts: Mapping[str, tuple[str, str | None]],
) -> None:
    statements = [
        *(f"create schema {quoted(rules.build_schema(schema))}" for schema in SCHEMAS),
        *rules.view_ddl(access, tables, decided, comments),
        *rules.publish_view_ddl(access.roles, facts, PUBLISH_COMMENTS),
    ]
    with owner.transaction():
        for statement in statements:
            owner.execute(statement.encode())


def _wait_for_readers(admin: psycopg.Connection, patience: float, then: str) -> float:
    """Wait until no transaction is left whose snapshot is older than the loaded tables.

    Only transactions that began before now can have one; so the set is fixed, and shrinks.
    Returns: seconds waited. Raises: `PublishPostponedError`.
    """
    began = time.monotonic()
    row = admin.execute(
        "select pg_snapshot_xmax(pg_current_snapshot())::xid::text, clock_timestamp()"
    ).fetchone()
    assert row is not None
    older = (
        "select pid, usename, application_name, state, xact_start from pg_stat_activity"
        " where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
        " and backend_xmin is not null and age(backend_xmin) > age(%s::xid) and xact_start <= %s"
    )
    while readers := admin.execute(older, row).fetchall():
        if time.monotonic() - began >= patience:
            break
        time.sleep(min(0.25, patience / 10))
    if not readers:
        return time.monotonic() - began
    who = ", ".join(f"{user} (process {pid}, since {since:%H:%M:%S})" for pid, user, _, _, since in readers)
    if then == "postpone":
        raise PublishPostponedError(
            f"Not published: the switch would empty tables under the open transaction of {who}. Readers keep what they "
            "had and nothing needs repair. Publish again when they have ended; the copied tables will be used."
        )
    for pid, *_ in readers:
        admin.execute("select pg_terminate_backend(%s, 5000)", [pid])
    if admin.execute(older, row).fetchall():
        raise PublishPostponedError(
            f"Not published: {who} could not be disconnected. Publish again when they have ended."
        )
    log.warning(
        "disconnected %s: their transactions were older than the new tables and outstayed the limit", who
    )
    return time.monotonic() - began


def _swap(admin: psycopg.Connection, switch: psycopg.Connection, access: Access) -> None:
    """The switch, in the transaction that holds the publish lock."""
    import psycopg

    groups = [
        name
        for (name,) in admin.execute(
            "select rolname from pg_roles where starts_with(rolname, %s)", [rules.GROUP_PREFIX]
        )
    ]
    present = [
        name
        for (name,) in admin.execute(
            "select nspname from pg_namespace where nspname = any(%s)", [list(SCHEMAS)]
        )
    ]
    for statement in rules.swap_ddl(present, groups, access.roles, f"{time.time_ns():x}"):
        switch.execute(statement.encode())
    try:
        switch.commit()
    except psycopg.OperationalError:
        raise PublishError(
            "The connection was lost while PostgreSQL switched: readers have the old publish or the new one whole, "
            f"`select * from {SCHEMAS[0]}.{rules.PUBLISH}` says which. Publish again; that is harmless."
        ) from None


# -- clearing ---------------------------------------------------------------------------------------


def _clear(owner: psycopg.Connection, keep: set[str]) -> list[str]:
    """Drop what readers were led away from. The switch has happened: nothing here can undo it or fail it."""
    import psycopg

    try:
        _drop_schemas(owner)
        return _drop_tables(owner, keep)
    except psycopg.Error as error:
        log.warning("published, but old tables could not be dropped; the next publish tries again: %s", error)
        return []


def _drop_schemas(owner: psycopg.Connection) -> None:
    """Drop schemas of views that nobody is led to any more. One that a reader's open transaction holds
    stays until the next publish; nobody waits for it."""
    import psycopg

    names = [
        name for (name,) in owner.execute("select nspname from pg_namespace") if rules.is_left_over(name)
    ]
    owner.execute("set lock_timeout = '1s'")
    for name in names:
        try:
            owner.execute(f"drop schema if exists {quoted(name)} cascade".encode())
        except psycopg.errors.LockNotAvailable:
            log.info("%s is still read; it is dropped after a later publish", name)
    owner.execute("reset lock_timeout")


def _present_tables(owner: psycopg.Connection) -> set[str]:
    rows = owner.execute("select tablename from pg_tables where schemaname = %s", [DATA])
    return {name for (name,) in rows}


def _used_tables(owner: psycopg.Connection) -> set[str]:
    """Tables under the views readers see now."""
    rows = owner.execute(
        "select distinct base.relname from pg_depend d"
        " join pg_rewrite rule on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid"
        " join pg_class shown on shown.oid = rule.ev_class"
        " join pg_namespace front on front.oid = shown.relnamespace"
        " join pg_class base on d.refclassid = 'pg_class'::regclass and d.refobjid = base.oid"
        " join pg_namespace back on back.oid = base.relnamespace"
        " where front.nspname = any(%s) and back.nspname = %s",
        [list(SCHEMAS), DATA],
    )
    return {name for (name,) in rows}


def _drop_tables(owner: psycopg.Connection, keep: set[str]) -> list[str]:
    """Drop tables no view needs. Returns: those that a reader, or an old view a reader holds, keeps alive."""
    import psycopg

    left = []
    owner.execute("set lock_timeout = '200ms'")
    for name in sorted(_present_tables(owner) - keep):
        try:
            owner.execute(f"drop table if exists {DATA}.{quoted(name)}".encode())
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
            left.append(name)
    owner.execute("reset lock_timeout")
    return left
