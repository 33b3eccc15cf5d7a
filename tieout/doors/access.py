"""Who may read what: `dbt_project/access/roles.yaml`, and the PostgreSQL statements that follow from it.

Everything here is pure: text and tables in, statements out. `tieout.doors.publish` runs them.

A reader sees views only. The tables live in the schema `tieout_data`, where no reader may look; schemas
`marts` and `metrics` hold one view per table, the same for everybody:

- a role that may not read a table has no grant on its view;
- a column above a role's clearance comes back null, so ``select *`` never fails;
- where some role has row rules, the view keeps the rows of the person who asks.

Who asks is `session_user`, the login that gave a password. It does not change by SET ROLE, so a pooled
connection that tries to become somebody else sees nothing more.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import pydantic

from tieout.engine import literal, quoted
from tieout.strict import Strict, Title, from_yaml

SCHEMAS = ("marts", "metrics")  # what is published; anything else stays in the warehouse
PUBLISH = "publish"  # the view in every published schema that says which publish this is
OWNER = "tieout_owner"
DATA = "tieout_data"
ACCESS = "tieout_access"
GROUP_PREFIX = "tieout_role_"
BUILD_SUFFIX = "__build"
OLD_INFIX = "__old_"
LOGIN_MARK = "Tieout login"  # role comments: only roles that bear them are changed or disabled
GROUP_MARK = "Tieout role"

Class = Literal["L1", "L2", "L3", "L4"]

Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Pattern = Annotated[str, pydantic.StringConstraints(pattern=r"^(marts|metrics)\.[a-z0-9_*]+$")]
# A setting PostgreSQL understands as a length of time; 0 would switch the limit off.
Duration = Annotated[str, pydantic.StringConstraints(pattern=r"^[1-9][0-9]*(ms|s|min|h)$")]

TAKEN_NAMES = frozenset({"tieout", OWNER, "postgres", "public", "none"})


class AccessError(ValueError):
    """roles.yaml cannot be used as it is; the message says which line to change."""


class Role(Strict):
    """What one kind of reader sees.

    ``rows`` is an "and" over columns, an "or" over values. It holds for every table in ``reads``; a table
    without these columns cannot be filtered and is denied, unless ``unfiltered`` names it.
    """

    title: Title
    reads: tuple[Pattern, ...] = pydantic.Field(min_length=1)
    clearance: Class
    rows: dict[Name, Annotated[tuple[str | int, ...], pydantic.Field(min_length=1)]] = pydantic.Field(
        default_factory=dict
    )
    unfiltered: tuple[Pattern, ...] = ()

    @pydantic.model_validator(mode="after")
    def _unfiltered_needs_rows(self) -> Role:
        if self.unfiltered and not self.rows:
            raise ValueError("`unfiltered` without `rows` says nothing; remove it")
        return self


class Sessions(Strict):
    """Limits and settings of every login."""

    statement_timeout: Duration = "5min"
    idle_in_transaction: Duration = "2min"
    transaction: Duration = "15min"  # PostgreSQL 17 and later
    connections: int = pydantic.Field(default=20, ge=1)
    timezone: Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_+/-]+$")] = "UTC"


class Access(Strict):
    """The whole of roles.yaml."""

    unclassified: Class = "L2"  # of a column nobody classified
    sessions: Sessions = Sessions()
    roles: dict[Name, Role]
    logins: dict[Name, Name]  # login -> role

    @pydantic.model_validator(mode="after")
    def _names_fit(self) -> Access:
        for login, role in self.logins.items():
            if role not in self.roles:
                raise ValueError(
                    f"login {login}: there is no role {role!r}; there are {', '.join(self.roles)}"
                )
            if login in TAKEN_NAMES or login.startswith(("pg_", GROUP_PREFIX)):
                raise ValueError(
                    f"login {login}: this name belongs to PostgreSQL or to Tieout itself; choose another"
                )
        return self


def load_access(path: Path) -> Access:
    """Read roles.yaml. Raises: `AccessError` naming the file and each wrong entry."""
    import yaml

    try:
        content = from_yaml(path.read_text(encoding="utf-8"))
        return Access.model_validate(content)
    except yaml.YAMLError as error:
        raise AccessError(f"{path.name} is not YAML: {error}") from error
    except pydantic.ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {e['msg']}" for e in error.errors()
        ]
        raise AccessError(f"{path.name}: nothing was changed.\n" + "\n".join(problems)) from error


# -- which role reads which table ---------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # as PostgreSQL writes it, `numeric(18,4)`
    sensitivity: Class


@dataclass(frozen=True)
class Table:
    """A published table. ``relation`` is where its rows are, quoted, `tieout_data."..."`."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    relation: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Grant:
    """A role reads a table: ``rows`` as in the role (empty: all rows), ``masked`` columns come back null."""

    role: str
    table: str
    rows: tuple[tuple[str, tuple[str | int, ...]], ...]
    masked: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """What `policy` found. ``denied``: tables a role names but cannot be shown; ``unused``: its patterns
    that fit no table, which is normal for a module not connected yet."""

    grants: tuple[Grant, ...]
    denied: tuple[tuple[str, str, str], ...]  # role, table, reason
    unused: tuple[tuple[str, str], ...]  # role, pattern

    def of_table(self, full_name: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.table == full_name)


def rank(sensitivity: Class) -> int:
    """L1 is 1 (public) and L4 is 4 (most restricted)."""
    return int(sensitivity[1])


def sensitivity(given: str | None, otherwise: Class) -> Class:
    """The class of a column. Raises: `AccessError` for anything that is not L1 to L4."""
    if given is None:
        return otherwise
    for known in get_args(Class):
        if given == known:
            return known
    raise AccessError(
        f"{given!r} is no class of sensitivity; say one of {', '.join(get_args(Class))}. Nothing was published."
    )


def policy(access: Access, tables: Sequence[Table]) -> Policy:
    """Decide for every role and table; what is not granted is denied."""
    grants: list[Grant] = []
    denied: list[tuple[str, str, str]] = []
    unused: list[tuple[str, str]] = []
    for role_name, role in access.roles.items():
        for pattern in (*role.reads, *role.unfiltered):
            if not any(fnmatch.fnmatchcase(table.full_name, pattern) for table in tables):
                unused.append((role_name, pattern))
        for table in tables:
            if not _named(table.full_name, role.reads):
                continue
            rows = {} if _named(table.full_name, role.unfiltered) else role.rows
            missing = sorted(set(rows) - {column.name for column in table.columns})
            if missing:
                denied.append(
                    (role_name, table.full_name, f"has no column {', '.join(missing)} to filter by")
                )
                continue
            masked = tuple(c.name for c in table.columns if rank(c.sensitivity) > rank(role.clearance))
            grants.append(Grant(role_name, table.full_name, tuple(rows.items()), masked))
    return Policy(tuple(grants), tuple(denied), tuple(unused))


def _named(full_name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(full_name, pattern) for pattern in patterns)


# -- statements -------------------------------------------------------------------------------------


def group(role: str) -> str:
    """Name of the PostgreSQL role that holds the grants of a role."""
    return GROUP_PREFIX + role


def scram_verifier(password: str, salt: bytes, iterations: int = 4096) -> str:
    """What PostgreSQL stores for an ASCII password: the password itself then never reaches a server or its log.

    Source: RFC 5802 section 3 and postgresql.org/docs/18/catalog-pg-authid.html.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")

    def text(value: bytes) -> str:
        return base64.b64encode(value).decode()

    return f"SCRAM-SHA-256${iterations}:{text(salt)}${text(stored)}:{text(server)}"


def foundation_ddl(database: str, *, superuser: bool) -> list[str]:
    """The private schemas and the closed database; run in one transaction at each publish, by who may make
    roles. `login` is what views ask; `publishing` is locked by the one publish that is running."""
    statements = [
        f"create schema if not exists {DATA} authorization {OWNER}",
        f"create schema if not exists {ACCESS} authorization {OWNER}",
        # Made as the owner: to change a table's owner later needs a lock that every reader's open
        # transaction denies, since each view with a mask asks `login`.
        f"set local role {OWNER}",
        f"create table if not exists {ACCESS}.login (login name primary key, role text not null, clearance int not null)",
        f"create table if not exists {ACCESS}.publishing ()",
        "reset role",
        f"revoke all on database {quoted(database)} from public",
        f"grant create on database {quoted(database)} to {OWNER}",
        "revoke all on schema public from public",
    ]
    if superuser:  # large objects are the one thing every login may make, whatever its grants
        statements += [
            f"revoke execute on function pg_catalog.{function} from public"
            for function in ("lo_creat(int)", "lo_create(oid)", "lo_from_bytea(oid, bytea)")
        ]
    return statements


@dataclass(frozen=True)
class KnownRoles:
    """PostgreSQL's roles as they are. ``ours``: name -> comment of the roles that bear our mark."""

    names: frozenset[str]
    ours: Mapping[str, str]
    memberships: frozenset[tuple[str, str]]  # group, member


def owner_ddl(known: KnownRoles) -> list[str]:
    """The role that owns what is published; nobody logs in as it, and it is no superuser."""
    if OWNER in known.names:
        return []
    return [f"create role {OWNER} nologin", f"grant {OWNER} to current_user"]


def role_ddl(
    access: Access, known: KnownRoles, *, database: str, server_version: int, verifiers: Mapping[str, str]
) -> list[str]:
    """Make the roles of PostgreSQL equal to roles.yaml; a login no longer listed is disabled, not dropped.

    Args:
        known: What is there.
        server_version: As PostgreSQL's `server_version_num`.
        verifiers: Login -> `scram_verifier`; a login without one keeps what it has (a new one cannot log in).

    Raises: `AccessError` if a login's name belongs to a role that Tieout did not make.
    """
    strangers = sorted(set(access.logins) & known.names - set(known.ours))
    if strangers:
        raise AccessError(
            f"logins {', '.join(strangers)}: PostgreSQL has a role of this name that Tieout did not make. No login was "
            "changed. Choose another name in roles.yaml, or drop that role."
        )
    statements: list[str] = []
    wanted_groups = {group(name): role for name, role in access.roles.items()}
    for name, role in wanted_groups.items():
        if name not in known.names:
            statements.append(f"create role {quoted(name)} nologin")
        statements.append(
            f"comment on role {quoted(name)} is {literal(f'{GROUP_MARK}: {role.title.zh} / {role.title.en}')}"
        )
        statements.append(f"grant connect on database {quoted(database)} to {quoted(name)}")
    # Members read what their group reads but cannot become it (PostgreSQL 16 and later can say so).
    membership = " with inherit true, set false" if server_version >= 160000 else ""
    for login, role_name in access.logins.items():
        who = quoted(login)
        if login not in known.names:
            statements.append(f"create role {who} nologin")
            statements.append(f"comment on role {who} is {literal(f'{LOGIN_MARK}: {role_name}')}")
        elif known.ours[login] != f"{LOGIN_MARK}: {role_name}":
            statements.append(f"comment on role {who} is {literal(f'{LOGIN_MARK}: {role_name}')}")
        password = f" password {literal(verifiers[login])}" if login in verifiers else ""
        statements.append(
            f"alter role {who} login inherit connection limit {access.sessions.connections}{password}"
        )
        statements += [
            f"alter role {who} set {setting}"
            for setting in _session_settings(access.sessions, server_version)
        ]
        if (group(role_name), login) not in known.memberships:
            statements.append(f"grant {quoted(group(role_name))} to {who}{membership}")
    for group_name, member in sorted(known.memberships):
        if group_name.startswith(GROUP_PREFIX) and known.ours.get(member, "").startswith(LOGIN_MARK):
            role_name = access.logins.get(member)
            if role_name is None or group(role_name) != group_name:
                statements.append(f"revoke {quoted(group_name)} from {quoted(member)}")
    for gone in sorted(disabled_logins(access, known)):
        statements.append(f"alter role {quoted(gone)} nologin password null")
    statements.append(f"delete from {ACCESS}.login")
    for login, role_name in access.logins.items():
        values = f"{literal(login)}, {literal(role_name)}, {rank(access.roles[role_name].clearance)}"
        statements.append(f"insert into {ACCESS}.login (login, role, clearance) values ({values})")
    return statements


def disabled_logins(access: Access, known: KnownRoles) -> set[str]:
    """Logins Tieout made earlier that roles.yaml no longer lists."""
    return {
        name for name, mark in known.ours.items() if mark.startswith(LOGIN_MARK) and name not in access.logins
    }


def _session_settings(sessions: Sessions, server_version: int) -> list[str]:
    """A person may change these in a session; what they see does not depend on them."""
    settings = {
        "statement_timeout": sessions.statement_timeout,
        "idle_in_transaction_session_timeout": sessions.idle_in_transaction,
        "default_transaction_read_only": "on",
        "timezone": sessions.timezone,
    }
    if server_version >= 170000:
        settings["transaction_timeout"] = sessions.transaction
    return [
        *(f"{name} = {literal(value)}" for name, value in settings.items()),
        f"search_path = {', '.join(SCHEMAS)}",
    ]


_ME = f"from {ACCESS}.login where login.login = session_user"


def view_ddl(
    access: Access, tables: Sequence[Table], decided: Policy, comments: Mapping[str, str]
) -> list[str]:
    """The views of one publish with comments and grants, in schemas named `<schema>__build`.

    Args:
        tables: Each with ``relation`` filled in.
        decided: Of the same access and tables.
        comments: `schema.table` or `schema.table.column` -> text.
    """
    statements: list[str] = []
    for table in tables:
        view = f"{quoted(table.schema + BUILD_SUFFIX)}.{quoted(table.name)}"
        grants = decided.of_table(table.full_name)
        columns = ",\n    ".join(_shown(column, grants) for column in table.columns)
        condition = _row_condition(grants)
        # A barrier keeps functions of the reader away from rows the view leaves out.
        options = " with (security_barrier = true)" if condition else ""
        where = f"\nwhere {condition}" if condition else ""
        statements.append(
            f"create view {view}{options} as\nselect\n    {columns}\nfrom {table.relation} as t{where}"
        )
        if text := comments.get(table.full_name):
            statements.append(f"comment on view {view} is {literal(text)}")
        for column in table.columns:
            if text := comments.get(f"{table.full_name}.{column.name}"):
                statements.append(f"comment on column {view}.{quoted(column.name)} is {literal(text)}")
        statements += [f"grant select on {view} to {quoted(group(grant.role))}" for grant in grants]
    return statements


def _shown(column: Column, grants: Sequence[Grant]) -> str:
    """A column as the view shows it: as it is if every reader of the table is cleared for it."""
    name = quoted(column.name)
    blind = [grant for grant in grants if column.name in grant.masked]
    if not blind and grants:
        return f"t.{name}"
    if len(blind) == len(grants):  # nobody, also when nobody reads the table at all
        return f"cast(null as {column.type}) as {name}"
    cleared = f"(select login.clearance {_ME}) >= {rank(column.sensitivity)}"
    # The cast keeps precision and scale, which `case` would lose.
    return f"cast(case when {cleared} then t.{name} end as {column.type}) as {name}"


def _row_condition(grants: Sequence[Grant]) -> str | None:
    """Which rows of a table the person who asks may see; None: every reader sees all of them."""
    if not any(grant.rows for grant in grants):
        return None
    arms = []
    for grant in grants:
        tests = [
            f"t.{quoted(name)} in ({', '.join(literal(str(v)) for v in values)})"
            for name, values in grant.rows
        ]
        arms.append(f"when {literal(grant.role)} then {' and '.join(tests) or 'true'}")
    return f"case (select login.role {_ME}) {' '.join(arms)} else false end"


def publish_view_ddl(
    decided_roles: Iterable[str], facts: Mapping[str, tuple[str, str | None]], comments: Mapping[str, str]
) -> list[str]:
    """The view `publish` of each schema: one row of constants, so it can never be apart from its schema.

    Args:
        facts: Column -> (PostgreSQL type, value as text or None).
    """
    columns = ",\n    ".join(
        f"cast({'null' if value is None else literal(value)} as {kind}) as {quoted(name)}"
        for name, (kind, value) in facts.items()
    )
    statements: list[str] = []
    for schema in SCHEMAS:
        view = f"{quoted(schema + BUILD_SUFFIX)}.{quoted(PUBLISH)}"
        statements.append(f"create view {view} as\nselect\n    {columns}")
        for name, text in comments.items():
            target = f"view {view}" if name == PUBLISH else f"column {view}.{quoted(name)}"
            statements.append(f"comment on {target} is {literal(text)}")
        statements += [f"grant select on {view} to {quoted(group(role))}" for role in decided_roles]
    return statements


def swap_ddl(present: Iterable[str], groups: Iterable[str], roles: Iterable[str], stamp: str) -> list[str]:
    """Put the built schemas in place of the present ones; to be run in one transaction.

    Args:
        present: Published schemas that exist now.
        groups: Group roles that may be able to see them; they lose sight of the old ones.
        roles: Roles of roles.yaml, who are let into the new ones.
        stamp: Makes the names of the old ones unique.
    """
    statements: list[str] = []
    for schema in SCHEMAS:
        old = quoted(f"{schema}{OLD_INFIX}{stamp}")
        if schema in set(present):
            statements += [f"revoke all on schema {quoted(schema)} from {quoted(name)}" for name in groups]
            statements.append(f"alter schema {quoted(schema)} rename to {old}")
        statements.append(f"alter schema {quoted(schema + BUILD_SUFFIX)} rename to {quoted(schema)}")
        statements += [f"grant usage on schema {quoted(schema)} to {quoted(group(role))}" for role in roles]
    return statements


def build_schema(schema: str) -> str:
    return schema + BUILD_SUFFIX


def is_left_over(schema: str) -> bool:
    """Whether a schema is what a publish that was killed or could not drop it left behind."""
    return bool(re.fullmatch(rf"({'|'.join(SCHEMAS)})({BUILD_SUFFIX}|{OLD_INFIX}[0-9a-z_]+)", schema))
