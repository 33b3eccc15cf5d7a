"""Run the expectation suites on the warehouse: what must be true inside one table.

Suites are YAML with Great Expectations' own keys, under `expectations/suites/<schema>/<table>.yaml`; what follows from
standards is generated beside them (`expectations.generate`) and runs as part of the same suite. This is
the only module that imports great_expectations, and only while suites run: the import costs five CPU seconds.
An expectation whose SQL does not run is an `error` and blocks whatever its severity; it is never a pass.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from expectations.generate import FOLDER
from tieout.engine import connect, literal, quoted
from tieout.strict import Strict, Title, from_yaml

if TYPE_CHECKING:
    import duckdb

Severity = Literal["critical", "warning"]
Status = Literal["passed", "failed", "error"]
SAMPLE = 20  # violating rows kept per failed check
_BATCH = re.compile(r"\{\s*batch\s*\}\s+as\s+(?=[a-z])", re.IGNORECASE)
# Where a row came from; every mart has these.
SOURCE_COLUMNS = ("source_system", "source_stream", "source_record")


class SuiteError(Exception):
    """Suites cannot be read or run at all; the message names file, key and remedy."""


class Meta(Strict):
    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")


class Expectation(Strict):
    """One expectation, in Great Expectations' own words."""

    type: str = Field(pattern=r"^(expect_[a-z0-9_]+|unexpected_rows_expectation)$")
    kwargs: dict[str, Any] = Field(default_factory=dict)
    severity: Severity
    description: Title
    meta: Meta

    @model_validator(mode="after")
    def _names_its_table(self) -> Expectation:
        query = str(self.kwargs.get("unexpected_rows_query", ""))
        if self.type == "unexpected_rows_expectation" and not _BATCH.search(query):
            # GX adds an alias of its own to queries without a join and none to the others; `prepare` evens that out
            raise ValueError("`unexpected_rows_query` reads the table as `{batch} as <alias>`")
        return self


class Suite(Strict):
    """All expectations on one table."""

    owner: str = Field(min_length=1)
    key: tuple[str, ...] = ()  # columns that name a violating row, besides where it came from
    expectations: tuple[Expectation, ...] = Field(min_length=1)
    schema_name: str = Field(exclude=True)
    table: str = Field(exclude=True)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Suite:
        ids = [expectation.meta.id for expectation in self.expectations]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"meta.id {twice} is used more than once; results could not be told apart")
        return self

    @property
    def name(self) -> str:
        return f"{self.schema_name}.{self.table}"


@dataclass(frozen=True)
class CheckResult:
    """What one expectation said."""

    suite: str  # schema.table
    table_name: str
    check_id: str
    title_zh: str
    title_en: str
    severity: Severity
    status: Status
    observed: str | None  # the value, for a check on one value; why, for an error
    unexpected_count: int | None  # rows that violate it; None when the check is not about rows
    owner: str
    rows: tuple[dict[str, Any], ...] = ()  # the first violating rows: key columns and where they came from

    @property
    def blocks(self) -> bool:
        """Whether nothing may be published."""
        return self.status == "error" or (self.status == "failed" and self.severity == "critical")


def read_suites(folder: Path) -> tuple[Suite, ...]:
    """All suites, by schema and table.

    Args:
        folder: Holds `<schema>/<table>.yaml`.

    Raises: SuiteError if one is invalid or there is none: nothing checked would look like nothing wrong.
    """
    suites = tuple(_suite(path) for path in sorted(folder.glob("*/*.yaml")))
    if not suites:
        raise SuiteError(f"No suite (<schema>/<table>.yaml) in {folder.name}/. Nothing was checked.")
    return suites


def run_suites(
    warehouse: Path, suites: Path, on_progress: Callable[[str, int, int], None] | None = None
) -> list[CheckResult]:
    """Run every suite; one result per expectation, in the order they are written.

    Args:
        warehouse: DuckDB file; opened read-only, so this process must not hold it open for writing.
        suites: Folder with `<schema>/<table>.yaml`.
        on_progress: Called after each suite with its name, how many are done, and how many there are.

    Raises: SuiteError if a suite is invalid, none exists, an expectation type or argument is unknown, or the
        warehouse cannot be opened. Nothing is returned then.
    """
    loaded = read_suites(suites)
    with _Runner(warehouse) as runner:
        prepared = [(suite, runner.prepare(suite)) for suite in loaded]  # refuses before the first query
        results: list[CheckResult] = []
        for done, (suite, expectations) in enumerate(prepared, start=1):
            results += runner.run(suite, expectations)
            if on_progress:
                on_progress(suite.name, done, len(prepared))
    return results


def preload() -> None:
    """Import Great Expectations (5 CPU seconds) before it is needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401


def record(
    con: duckdb.DuckDBPyConnection, run_id: str, results: list[CheckResult], checked_at: datetime
) -> None:
    """Append results to `ops.check_result`; recording a run again replaces it.

    Args:
        con: Open connection to the warehouse; the caller owns the transaction.
        checked_at: Aware.
    """
    con.execute("delete from ops.check_result where run_id = ?", [run_id])
    if results:
        con.executemany(
            """insert into ops.check_result (run_id, suite, table_name, check_id, title, severity, status,
                observed, unexpected_count, owner, checked_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            [
                (
                    run_id, result.suite, result.table_name, result.check_id,
                    f"{result.title_zh} / {result.title_en}", result.severity, result.status, result.observed,
                    result.unexpected_count, result.owner, checked_at,
                )
                for result in results
            ],
        )  # fmt: skip


def _place(path: Path) -> dict[str, str]:
    """Which table a file is about."""
    return {"schema_name": path.parent.name, "table": path.stem}


def _suite(path: Path) -> Suite:
    """A suite as written, with the checks that follow from standards appended."""
    where = f"{path.parent.name}/{path.name}"
    try:
        content = from_yaml(path.read_text("utf-8"))
        if not isinstance(content, Mapping):
            raise SuiteError(f"{where} is empty. Nothing was checked.")
        if taken := {"schema_name", "table"} & set(content):
            raise SuiteError(f"{where} says {sorted(taken)}; the folder and the file name say that already.")
        suite = Suite.model_validate({**content, **_place(path)})
        generated = path.parent / FOLDER / path.name
        if not generated.is_file():
            return suite
        where = f"{path.parent.name}/{FOLDER}/{path.name}"
        more = from_yaml(generated.read_text("utf-8"))
        every = [*content["expectations"], *(more or {}).get("expectations", [])]
        return Suite.model_validate({**content, **_place(path), "expectations": every})
    except (ValidationError, yaml.YAMLError) as error:
        raise SuiteError(f"{where} is not a valid suite. Nothing was checked.\n{error}") from error


def violation_condition(expectation: Expectation) -> str | None:
    """SQL that is true for a row violating the expectation; None if it is not about single rows.

    Great Expectations decides whether a check passes; this names the rows, all of them, since its own results
    stop at 200.
    """
    arguments = expectation.kwargs
    if arguments.get("row_condition") is not None:
        return None
    column = quoted(str(arguments.get("column", "")))
    match expectation.type:
        case "expect_column_values_to_not_be_null":
            return f"{column} is null"
        case "expect_column_values_to_be_null":
            return f"{column} is not null"
        case "expect_column_values_to_be_in_set":
            return f"{column} not in ({_literals(arguments['value_set'])})"
        case "expect_column_values_to_not_be_in_set":
            return f"{column} in ({_literals(arguments['value_set'])})"
        case "expect_column_values_to_be_unique":
            return f"{column} is not null and count(*) over (partition by {column}) > 1"
        case "expect_compound_columns_to_be_unique":
            columns = ", ".join(quoted(name) for name in arguments["column_list"])
            return f"count(*) over (partition by {columns}) > 1"
        case "expect_column_values_to_be_between":
            return _outside(column, arguments)
        case "expect_column_pair_values_a_to_be_greater_than_b":
            first, second = quoted(arguments["column_A"]), quoted(arguments["column_B"])
            return f"not ({first} {'>=' if arguments.get('or_equal') else '>'} {second})"
        case "expect_column_pair_values_to_be_equal":
            return f"{quoted(arguments['column_A'])} is distinct from {quoted(arguments['column_B'])}"
    return None


def _outside(column: str, arguments: Mapping[str, Any]) -> str | None:
    bounds = []
    if (low := arguments.get("min_value")) is not None:
        bounds.append(f"{column} {'<=' if arguments.get('strict_min') else '<'} {_literal(low)}")
    if (high := arguments.get("max_value")) is not None:
        bounds.append(f"{column} {'>=' if arguments.get('strict_max') else '>'} {_literal(high)}")
    return " or ".join(bounds) or None


def _arguments(expectation: Expectation) -> dict[str, Any]:
    """The arguments as GX takes them: the table in a subquery, so that the alias is always the author's."""
    if expectation.type != "unexpected_rows_expectation":
        return expectation.kwargs
    query = expectation.kwargs["unexpected_rows_query"].strip().rstrip(";")
    return {**expectation.kwargs, "unexpected_rows_query": _BATCH.sub("(select * from {batch}) as ", query)}


def _literals(values: list[Any]) -> str:
    return ", ".join(_literal(value) for value in values) or "null"


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    return literal(value.isoformat() if isinstance(value, date) else str(value))


class _Runner:
    """One ephemeral context and one read-only connection for all suites of a run."""

    def __init__(self, warehouse: Path) -> None:
        if not warehouse.is_file():
            raise SuiteError(
                f"{warehouse.name} does not exist. Nothing was checked. Run `tieout refresh` first."
            )
        self.warehouse = warehouse

    def __enter__(self) -> _Runner:
        import duckdb

        try:
            self.con = connect(self.warehouse, read_only=True)
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            raise SuiteError(
                f"{self.warehouse.name} cannot be opened for reading: {error}. Nothing was checked. "
                "Close the connection that writes to it and run the suites again."
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

            from expectations.dialect import URL_PREFIX

            # It reports its temporary folders as news.
            logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
            self.gx = gx
            context = gx.get_context(mode="ephemeral")
            context.enable_analytics(enable=False)
            context.variables.progress_bars = ProgressBarsConfig(globally=False)
            self.source = context.data_sources.add_sql(
                "warehouse", connection_string=f"{URL_PREFIX}{self.warehouse}", create_temp_table=False
            )
        return self

    def __exit__(self, *exception: object) -> None:
        from expectations.dialect import close_all

        close_all(self.warehouse)
        self.con.close()

    def prepare(self, suite: Suite) -> list[Any]:
        """GX's own objects; their checks of names and arguments are ours.

        Raises: SuiteError naming suite and check.
        """
        from great_expectations.exceptions import ExpectationNotFoundError
        from great_expectations.expectations.registry import get_expectation_impl

        prepared = []
        for expectation in suite.expectations:
            try:
                prepared.append(
                    get_expectation_impl(expectation.type)(
                        **_arguments(expectation),
                        severity=expectation.severity,
                        description=expectation.description.en,
                        meta={"id": expectation.meta.id},
                    )
                )
            except ExpectationNotFoundError as error:
                raise SuiteError(
                    f"{suite.name}: {expectation.meta.id} has the unknown type {expectation.type}. "
                    "Nothing was checked. Use a type of Great Expectations."
                ) from error
            except (ValueError, TypeError) as error:
                raise SuiteError(
                    f"{suite.name}: {expectation.meta.id} has arguments {expectation.type} does not take. "
                    f"Nothing was checked.\n{error}"
                ) from error
        return prepared

    def run(self, suite: Suite, prepared: list[Any]) -> list[CheckResult]:
        """Results of one suite; first only yes or no for all, then the details of what failed."""
        try:
            batch = (
                self.source.add_table_asset(suite.name, table_name=suite.table, schema_name=suite.schema_name)
                .add_batch_definition_whole_table("all")
                .get_batch()
            )
        except Exception as error:  # GX raises its own, pydantic's and SQLAlchemy's: the table is not there
            return [_result(suite, e, "error", observed=_reason(error)) for e in suite.expectations]
        answers = self._validated(batch, suite, prepared, "BOOLEAN_ONLY")
        details = [
            one
            for one, expectation in zip(prepared, suite.expectations, strict=True)
            if _error(answers[expectation.meta.id]) is None
            and not answers[expectation.meta.id].success
            and not self._names_rows(expectation)
        ]
        observed = self._validated(batch, suite, details, "SUMMARY") if details else {}
        return [
            self._judged(suite, expectation, answers[expectation.meta.id], observed.get(expectation.meta.id))
            for expectation in suite.expectations
        ]

    def _validated(self, batch: Any, suite: Suite, prepared: list[Any], result_format: str) -> dict[str, Any]:
        answer = batch.validate(
            self.gx.ExpectationSuite(f"{suite.name} {result_format}", expectations=list(prepared)),
            result_format=result_format,
        )
        return {one.expectation_config.meta["id"]: one for one in answer.results}

    def _judged(self, suite: Suite, expectation: Expectation, answer: Any, detail: Any) -> CheckResult:
        import duckdb

        if (reason := _error(answer)) is not None:
            return _result(suite, expectation, "error", observed=reason)
        if answer.success:
            return _result(
                suite, expectation, "passed", unexpected_count=0 if self._names_rows(expectation) else None
            )
        if self._names_rows(expectation):
            try:
                count, rows = self._violations(suite, expectation)
            except duckdb.Error as error:  # failed it has; only its rows cannot be named
                return _result(suite, expectation, "failed", observed=f"rows not read: {_reason(error)}")
            return _result(suite, expectation, "failed", unexpected_count=count, rows=rows)
        values = dict(detail.result) if detail is not None else {}
        value = values.get("observed_value")
        return _result(
            suite,
            expectation,
            "failed",
            observed=None if value is None else str(value),
            unexpected_count=values.get("unexpected_count"),
        )

    def _names_rows(self, expectation: Expectation) -> bool:
        return (
            expectation.type == "unexpected_rows_expectation" or violation_condition(expectation) is not None
        )

    def _violations(self, suite: Suite, expectation: Expectation) -> tuple[int, tuple[dict[str, Any], ...]]:
        """How many rows violate the expectation, and the first of them by their key."""
        table = f"{quoted(suite.schema_name)}.{quoted(suite.table)}"
        if expectation.type == "unexpected_rows_expectation":
            query = expectation.kwargs["unexpected_rows_query"].strip().rstrip(";")
            query = _BATCH.sub(f"{table} as ", query)
            query = query.replace("{{", "{").replace("}}", "}")
            wanted = self._columns_of(query)
        else:
            condition = violation_condition(expectation) or "false"
            keyword = "qualify" if " over (" in condition else "where"
            query = f"select * from {table} {keyword} {condition}"
            tested = [
                expectation.kwargs.get("column"),
                expectation.kwargs.get("column_A"),
                expectation.kwargs.get("column_B"),
                *expectation.kwargs.get("column_list", ()),
            ]
            there = self._columns_of(query)
            wanted = [
                name
                for name in dict.fromkeys([*suite.key, *(t for t in tested if t), *SOURCE_COLUMNS])
                if name in there
            ]
        (count,) = self.con.execute(f"select count(*) from ({query}) as violating").fetchone() or (0,)
        columns = ", ".join(quoted(name) for name in wanted)
        rows = self.con.execute(
            f"select {columns} from ({query}) as violating order by all limit {SAMPLE}"
        ).fetchall()
        return int(count), tuple(dict(zip(wanted, row, strict=True)) for row in rows)

    def _columns_of(self, query: str) -> list[str]:
        return [str(row[0]) for row in self.con.execute(f"describe {query}").fetchall()]


def _result(
    suite: Suite,
    expectation: Expectation,
    status: Status,
    *,
    observed: str | None = None,
    unexpected_count: int | None = None,
    rows: tuple[dict[str, Any], ...] = (),
) -> CheckResult:
    return CheckResult(
        suite=suite.name,
        table_name=suite.table,
        check_id=expectation.meta.id,
        title_zh=expectation.description.zh,
        title_en=expectation.description.en,
        severity=expectation.severity,
        status=status,
        observed=observed,
        unexpected_count=unexpected_count,
        owner=suite.owner,
        rows=rows,
    )


def _error(answer: Any) -> str | None:
    """Why GX could not compute an expectation; it reports that as a failure without a result."""
    information = answer.exception_info or {}
    if information.get("raised_exception") is True:
        return _reason(information.get("exception_message"))
    for one in information.values():
        if isinstance(one, Mapping) and one.get("raised_exception"):
            return _reason(one.get("exception_message"))
    return None


def _reason(error: object) -> str:
    return " ".join(str(error).split())[:500]
