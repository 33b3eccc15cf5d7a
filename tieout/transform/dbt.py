"""Run dbt inside this process: its parsed project is kept between runs, its chatter goes to a log file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.engine import connect, literal
from tieout.fingerprint import definition_version
from tieout.settings import Settings
from tieout.transform.views import VIEWS, make_views, write_views
from tieout.transform.violations import reason, told, violating

if TYPE_CHECKING:
    import duckdb

_BUT_VIEWS = "config.materialized:table resource_type:test resource_type:seed resource_type:saved_query"
_ROWS_TOLD = 5  # of a test that fails
# What dbt keeps of a parsed project: it parses only files that have changed since.
PARSED = "partial_parse.msgpack"
# What dbt says of the project (read by metrics, catalogue, Dagster), and of which definitions it says it.
MANIFESTS = ("manifest.json", "semantic_manifest.json")
_DESCRIBED = "described"


class TransformError(Exception):
    """dbt could not parse or build; what is published is untouched."""


@dataclass(frozen=True)
class Node:
    """One model, seed or test that dbt has finished."""

    unique_id: str
    kind: str  # model | seed | test | ...
    state: str  # success | pass | fail | error | skipped | warn
    seconds: float
    message: str


def target(settings: Settings) -> Path:
    """Where dbt keeps its manifest and compiled SQL."""
    return settings.home / "dbt"


def preload() -> None:
    """Import dbt (3 CPU seconds) before it is needed."""
    import dbt.adapters.duckdb
    import dbt.cli.main  # noqa: F401


def parse(settings: Settings) -> Path:
    """Make manifest.json, semantic_manifest.json and PARSED; returns the manifest's path.

    Raises: TransformError with dbt's own words.
    """
    with _describing(target(settings), definition_version(settings.project)):
        _invoke(settings, ["parse"])
    return target(settings) / MANIFESTS[0]


def prepare(settings: Settings, drafts: Path) -> None:
    """Make what `parse` makes, and compile the views that stand on raw tables alone, without opening the warehouse.

    Args:
        drafts: Folder for it, empty; `adopt` takes it over.

    Raises: TransformError with dbt's own words.
    """
    version = definition_version(settings.project)
    with _describing(drafts, version):
        manifest = _invoke(settings, ["parse"], into=drafts)
        elsewhere = {"TIEOUT_WAREHOUSE": str(drafts / settings.warehouse.name)}  # SQL names it as it will be
        command = [
            "compile",
            "--no-populate-cache",
            "--no-write-json",
            "--select",
            "config.materialized:view",
        ]
        result = _invoke(settings, command, into=drafts, manifest=manifest, environ=elsewhere)
    nodes = [item.node for item in result.results if item.node.resource_type == "model"]
    write_views(nodes, version, drafts / VIEWS)


def adopt(settings: Settings, drafts: Path) -> None:
    """Take what `prepare` made, each file whole."""
    for folder in drafts.glob("compiled"):
        shutil.rmtree(target(settings) / folder.name, ignore_errors=True)
        folder.replace(target(settings) / folder.name)
    for name in (*MANIFESTS, _DESCRIBED, VIEWS, PARSED):
        (drafts / name).replace(target(settings) / name)


@contextmanager
def _describing(folder: Path, version: str) -> Generator[bool]:
    """A block in which dbt may write MANIFESTS of these definitions into `folder`; yields whether it has to.

    dbt would write them twice in every build; they say the same until a definition changes.
    """
    said = folder / _DESCRIBED
    known = (
        all((folder / name).is_file() for name in (*MANIFESTS, _DESCRIBED)) and said.read_text() == version
    )
    if not known:
        said.unlink(missing_ok=True)
    yield not known
    if not known:
        said.write_text(version)


def build(
    settings: Settings,
    report: Callable[[Node], None],
    *,
    select: str | None = None,
    keep_views: bool = False,
) -> list[Node]:
    """Seeds, models and tests in their order; `report` is called after each.

    Args:
        select: dbt's own words; everything, if not given.
        keep_views: Leave views alone that an earlier build made of the same definitions on the same raw columns:
            they show what is loaded now without being made again, and are half of all models. The first time, those
            that `prepare` has compiled are made at once.

    Raises: TransformError naming every failed node and where the log lies.
    """
    version = definition_version(settings.project)
    if not keep_views or select is not None:
        return _build(settings, report, version, select)
    with connect(settings.warehouse) as con:
        depend_on = _view_version(con, version)
        kept = _views_built(con) == f"{depend_on} {_views(con)}"
        if not kept:
            con.execute("delete from ops.views_built")  # a build that fails half-way leaves some of each
            made = make_views(con, target(settings) / VIEWS, version)
    if kept:
        return _build(settings, report, version, _BUT_VIEWS)
    nodes = [Node(name, "model", "success", 0.0, "") for name in made.names]
    for node in nodes:
        report(node)
    nodes += _build(settings, report, version, " ".join([_BUT_VIEWS, *made.others]) if nodes else None)
    with connect(settings.warehouse) as con:
        con.execute(f"insert into ops.views_built values ({literal(f'{depend_on} {_views(con)}')})")
    return nodes


def _view_version(con: duckdb.DuckDBPyConnection, version: str) -> str:
    """What views depend on: the definitions, and the columns of the raw tables under them."""
    columns = con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where schema_name like 'raw_%' order by all"
    ).fetchall()
    return version + hashlib.sha256(repr(columns).encode()).hexdigest()[:16]


def _views_built(con: duckdb.DuckDBPyConnection) -> str | None:
    """What the views were made of, and how many: a replayed warehouse takes over this line, but not the views."""
    con.execute("create table if not exists ops.views_built (version text)")
    row = con.execute("select max(version) from ops.views_built").fetchone()
    return row[0] if row else None


def _views(con: duckdb.DuckDBPyConnection) -> int:
    """How many views there are that dbt makes."""
    row = con.execute(
        "select count(*) from duckdb_views() where not internal"
        " and schema_name not in ('ops', 'metrics') and schema_name not like 'raw_%'"
    ).fetchone()
    return row[0] if row else 0


def _build(
    settings: Settings, report: Callable[[Node], None], version: str, select: str | None
) -> list[Node]:
    command = ["build", *(["--select", *select.split()] if select else [])]
    nodes: list[Node] = []

    def finished(node: Node) -> None:
        nodes.append(node)
        report(node)

    with _describing(target(settings), version) as write:
        _invoke(settings, [*command, *([] if write else ["--no-write-json"])], finished)
    failed = [node for node in nodes if node.state in {"error", "fail"}]
    if failed:
        lines = [line for node in failed for line in _failure(settings, node)]
        raise TransformError(
            f"dbt: {len(failed)} of {len(nodes)} nodes failed:\n" + "\n".join(lines) + "\n"
            f"Nothing was published; the last publish stays. Details: {_logs(settings) / 'dbt.log'}"
        )
    return nodes


def _failure(settings: Settings, node: Node) -> list[str]:
    """What a node failed with; of a test also what it is there for and the first rows it does not hold for."""
    lines = [f"  {node.unique_id}: {node.message.strip().splitlines()[0]}"]
    if node.kind != "test" or node.state != "fail":
        return lines
    compiled = target(settings) / "compiled"
    with connect(settings.warehouse, read_only=True) as con:
        rows = violating(con, compiled, node.unique_id)
        said = list(filter(None, (told(con, row) for row in rows[:_ROWS_TOLD])))
    if why := reason(compiled, node.unique_id):
        lines.append(f"    {why}")
    lines += [f"    {row}" for row in said]
    if said and len(rows) > _ROWS_TOLD:
        lines.append("    … and others")
    return lines


def _logs(settings: Settings) -> Path:
    return settings.logs / "dbt"


def environment(settings: Settings) -> dict[str, str]:
    """What the dbt project and its profile read from the environment."""
    return {
        "TIEOUT_WAREHOUSE": str(settings.warehouse),
        "TIEOUT_MASTER": str(settings.master),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DO_NOT_TRACK": "1",
    }


def _invoke(
    settings: Settings,
    command: list[str],
    report: Callable[[Node], None] = lambda node: None,
    *,
    into: Path | None = None,
    manifest: Any = None,
    environ: Mapping[str, str] | None = None,
) -> Any:
    """Run a command of dbt; returns what it returns.

    Args:
        into: Folder for what it writes; dbt's target folder, if not given.
        manifest: The parsed project; dbt parses it, if not given.
        environ: What is other than `environment` says.

    Raises: TransformError if dbt could not run; failed nodes are told to `report` only.
    """
    os.environ.update({**environment(settings), **(environ or {})})
    from dbt.cli.main import dbtRunner

    def heard(event) -> None:  # dbt's protobuf events have no public type
        if event.info.name == "NodeFinished":
            info, result = event.data.node_info, event.data.run_result
            seconds = float(result.execution_time or 0.0)
            report(Node(info.unique_id, info.resource_type, result.status, seconds, result.message or ""))

    settings.home.mkdir(parents=True, exist_ok=True)
    paths = ["--project-dir", settings.dbt_project, "--profiles-dir", settings.dbt_project]
    paths += ["--target-path", into or target(settings), "--log-path", _logs(settings)]
    quiet = ["--quiet", "--no-use-colors", "--log-level", "none", "--log-level-file", "info"]
    try:
        with _events_that_are_heard():
            runner = dbtRunner(manifest=manifest, callbacks=[heard])
            result = runner.invoke([*quiet, *command, *(str(part) for part in paths)])
    finally:
        _release()
    if result.exception is not None:
        raise TransformError(
            f"dbt {command[0]} could not run: {result.exception}\n"
            f"Nothing was published; the last publish stays. Details: {_logs(settings) / 'dbt.log'}"
        )
    return result.result


@contextmanager
def _events_that_are_heard() -> Generator[None]:
    """Let dbt make messages and log lines only of what `heard` and the log take.

    It makes some twenty debug events a node, turns each into protobuf and a line without secrets, and drops it
    then. With MANIFESTS written once, a build takes 36 CPU seconds instead of 41 (dbt-core 1.11, 422 nodes).
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event

    def heard(self, e, level=None, node=None, force_warn_or_error_handling=False) -> None:
        if (level or e.level_tag()) != EventLevel.DEBUG or type(e).__name__ == "NodeFinished":
            fire(self, e, level, node, force_warn_or_error_handling)

    EventManager.fire_event = heard
    try:
        yield
    finally:
        EventManager.fire_event = fire


def _release() -> None:
    """Close dbt's connection: it would keep the warehouse file locked against the next step."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters

    DuckDBConnectionManager.close_all_connections()
    reset_adapters()
