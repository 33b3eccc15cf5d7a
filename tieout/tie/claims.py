"""Typed reader of `expectations/reconciliation/<claim>.yaml`: what must be equal between two departments.

A claim names two sets of rows (left and right), the groups in which their sums must be equal, and the
causes that may stand between them. Unknown keys are errors. How a claim becomes SQL: `tieout.tie.generate`.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from tieout.strict import Identifier, Strict, Title, from_yaml

# Why two honest figures differ. `unexplained` is never written: it is what no cause accounts for.
CauseKind = Literal[
    "missing_left", "missing_right", "duplicate", "timing", "cutoff", "scope", "open", "return", "amount",
    "quantity", "unit", "currency", "tax", "mapping", "master_data", "rounding",
]  # fmt: skip
Severity = Literal["critical", "warning"]
# The business process whose departments are compared: what one screen is grouped by, in this order.
Process = Literal["sales", "e-commerce", "purchasing", "stock", "production", "finance", "hr", "data"]
Status = Literal["holds", "explained", "broken"]

# Columns the generated models add; a group column or cause of that name would collide.
_TAKEN = {
    "left", "right", "unexplained", "explained", "difference", "status", "amount", "part", "evidence", "document",
    "residual", "taxes", "culprit", "left_value", "right_value", "group_key", "group_name",
}  # fmt: skip
# The union models are called identity_break and identity_result.
_TAKEN_CLAIMS = {"break", "result"}


class ClaimError(Exception):
    """A claim cannot be read or used; the message names file, key and remedy."""


class Rows(Strict):
    """Rows that each contribute an amount to a group: those of a `model`, or of a query (`sql`).

    `sql` returns the group columns, `amount`, `document` if the claim explains by document, and
    `source_system`, `source_stream`, `source_record`; it names models with `{{ ref("...") }}`.
    """

    model: Identifier | None = None
    measure: str | None = None  # an expression over one row of the model; money and quantity are decimal
    where: str | None = None
    keys: dict[Identifier, str] = Field(
        default_factory=dict
    )  # group column -> expression; default: the column of that name
    document: str | None = None  # what people quote: order, invoice; residuals are looked for per document
    tax: str | None = None  # of one row: an unexplained amount of just that much is called `tax`
    sql: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.model is None) == (self.sql is None):
            raise ValueError("say either `model` (with `measure`) or `sql`")
        if self.model is not None and self.measure is None:
            raise ValueError(f"say the `measure` of {self.model}: the expression that is summed")
        if self.sql is not None and (self.measure or self.where or self.keys or self.document):
            raise ValueError(
                "`sql` returns its own columns; `measure`, `where`, `keys`, `document` go with `model`"
            )
        return self


class Side(Rows):
    """One department's figure."""

    label: Title


class Cause(Rows):
    """One accepted reason for a difference. Signed: left + all causes = right."""

    cause: CauseKind
    name: Identifier | None = None  # needed when one kind occurs twice
    title: Title

    @property
    def key(self) -> str:
        """What the amount column is called after; unique within the claim."""
        return self.name or self.cause


class NameOf(Strict):
    """Where a group column gets a readable name from."""

    model: Identifier
    key: str
    name: str


class Claim(Strict):
    """One identity between two departments."""

    claim: Identifier
    title: Title
    description: Title
    owner: Identifier
    with_: Identifier = Field(alias="with")
    process: Process
    severity: Severity
    unit: str
    by: tuple[Identifier, ...] = ()
    # the companies it is claimed for, by `company_code`, which every part then has; empty: for all of them
    companies: tuple[str, ...] = ()
    names: dict[Identifier, NameOf] = Field(default_factory=dict)
    left: Side
    right: Side
    tolerance: Decimal = Field(default=Decimal(0), ge=0)
    causes: tuple[Cause, ...] = ()
    # groups count in different units (pieces, metres): their sum means nothing and is never shown
    mixed_units: bool = False
    allow_empty: bool = False  # an identity that compared nothing has proved nothing, unless said here

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.claim in _TAKEN_CLAIMS:
            raise ValueError(f"claim {self.claim!r}: the name is taken by a generated model; choose another")
        keys = [cause.key for cause in self.causes]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"causes {twice} occur more than once; give each a `name` of its own")
        if taken := sorted(_TAKEN & {*keys, *self.by}):
            raise ValueError(f"{taken}: these names are columns of the generated model; choose others")
        if len(set(self.by)) != len(self.by):
            raise ValueError("`by` names a column twice")
        if unknown := sorted(set(self.names) - set(self.by)):
            raise ValueError(f"`names` mentions {unknown}, which `by` does not")
        for rows in (self.left, self.right, *self.causes):
            if unknown := sorted(set(rows.keys) - set(self.by)):
                raise ValueError(f"`keys` mentions {unknown}, which `by` does not")
        return self

    @property
    def model(self) -> str:
        """Name of the generated dbt model (schema `tie`)."""
        return f"identity_{self.claim}"

    @property
    def is_money(self) -> bool:
        """Whether amounts are of a currency; otherwise they count something."""
        return self.unit.startswith("currency") or (len(self.unit) == 3 and self.unit.isupper())

    @property
    def by_document(self) -> bool:
        """Whether residuals are looked for per document: some part says which document a row belongs to."""
        return any(rows.document or rows.sql for rows in (self.left, self.right, *self.causes))


def read_claim(path: Path) -> Claim:
    """One claim; its name is the file's name.

    Raises: ClaimError naming the file, the key and what is wrong with it.
    """
    try:
        claim = Claim.model_validate(from_yaml(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ClaimError(f"{path.name} is not a valid claim. Nothing was generated.\n{error}") from error
    if claim.claim != path.stem:
        raise ClaimError(f"{path.name} says `claim: {claim.claim}`; name the file {claim.claim}.yaml.")
    return claim


def read_claims(folder: Path) -> tuple[Claim, ...]:
    """All claims of a folder, by name.

    Raises: ClaimError if one is invalid or there is none: no claims would look like no breaks.
    """
    claims = tuple(read_claim(path) for path in sorted(folder.glob("*.yaml")))
    if not claims:
        raise ClaimError(f"No claim (*.yaml) in {folder.name}/. Identities cannot hold when none is stated.")
    return claims
