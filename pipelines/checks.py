"""Every expectation, every type and every identity as an asset check; strong ones stop what comes after."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from expectations.suite import read_suites
from pipelines.assets import WAREHOUSE_POOL, run_id
from pipelines.log import StepLog
from tieout import refresh
from tieout.metrics.definitions import read_yaml
from tieout.metrics.marts import read_marts
from tieout.metrics.mixing import fact_checks
from tieout.settings import settings
from tieout.tie.claims import read_claims


def _suite_specs() -> dict[str, dg.AssetCheckSpec]:
    """By the rule's name in the ledger, `table.check_id`."""
    return {
        f"{suite.table}.{expectation.meta.id}": dg.AssetCheckSpec(
            expectation.meta.id,
            asset=dg.AssetKey([suite.schema_name, suite.table]),
            description=f"{expectation.description.zh} / {expectation.description.en}",
            blocking=expectation.severity == "critical",
            metadata={"owner": suite.owner},
        )
        for suite in read_suites(settings().expectations / "suites")
        for expectation in suite.expectations
    }


def _identity_specs() -> dict[str, dg.AssetCheckSpec]:
    """By the identity's name."""
    return {
        claim.claim: dg.AssetCheckSpec(
            claim.claim,
            asset=dg.AssetKey(["tie", claim.model]),
            description=f"{claim.title.zh} / {claim.title.en}",
            blocking=claim.severity == "critical",
            metadata={"owner": claim.owner, "with": claim.with_},
        )
        for claim in read_claims(settings().expectations / "reconciliation")
    }


def _type_specs() -> dict[str, dg.AssetCheckSpec]:
    """What the facts must keep so that measures have the types they say, by the rule's name; all are strong."""
    models = settings().dbt_project / "models"
    return {
        f"{check.fact}.{check.check_id}": dg.AssetCheckSpec(
            check.check_id,
            asset=dg.AssetKey(["marts", check.fact]),
            description=check.title,
            blocking=True,
            metadata={"owner": check.owner},
        )
        for check in fact_checks(read_yaml(models / "metrics"), read_marts(models))
    }


def suite_and_identity_checks() -> dg.AssetChecksDefinition:
    """One step for all of them: Great Expectations is imported once."""
    specs = {**_suite_specs(), **_type_specs(), **_identity_specs()}

    @dg.multi_asset_check(name="verify", specs=list(specs.values()), pool=WAREHOUSE_POOL)
    def verify(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        said = refresh.verify(settings(), StepLog(context.log), run_id(context), datetime.now(UTC))
        if nothing := [rule for rule in said.rules if rule.name not in specs]:
            raise dg.Failure("\n".join(map(str, nothing)))  # nothing was checked at all
        for rule in said.rules:
            spec = specs[rule.name]
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=rule.holds,
                severity=dg.AssetCheckSeverity.ERROR if rule.strong else dg.AssetCheckSeverity.WARN,
                metadata={"state": rule.state, "detail": rule.detail, "owner": rule.owner},
            )

    return verify
