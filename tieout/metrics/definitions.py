"""Metric definitions as written in dbt's YAML, read from the `semantic_manifest.json` that dbt makes of it.

Nothing here knows the compiler. A dimension has two names: the compiler's (`customer__customer_code`) and
the one people use (`customer_code`), which is the last part as long as it is unambiguous for the metric.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tieout.metrics.errors import DefinitionError, unknown
from tieout.strict import from_yaml

GRAINS = ("day", "week", "month", "quarter", "year")
_GROUP_BY = re.compile(r"^(TimeDimension|Dimension)\('([a-z0-9_]+)'(?:, *'([a-z]+)')?\)$")

Additivity = Literal["additive", "semi_additive", "non_additive"]


class SnapshotRows(BaseModel):
    """The rows a snapshot is made of: the running sum of `amount` up to a day is the snapshot of that day.

    The relation carries the same foreign keys as the snapshot, and source_system, source_stream, source_record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str
    time: str
    amount: str


class Meta(BaseModel):
    """What we demand of a metric beside dbt's own keys (`config.meta`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str
    agreed_by: tuple[str, ...] = Field(min_length=1)
    agreed_on: str | None = None
    # A unit of measure, or the dimension that holds it (`base_uom_code`, `currency_code`).
    unit: str
    # ISO code; `document`: that of each document; `none`: not money.
    currency: str
    tax: Literal["excluded", "included", "none"]
    # Which of the many dates of a process is meant; several only where a formula joins them.
    time_role: tuple[str, ...]
    # semi_additive: adds over everything but time. non_additive: never adds.
    additivity: Additivity
    # The words departments used so far; no two metrics may claim the same one.
    replaces: tuple[str, ...] = ()
    # 业务限定: the conditions inside the measure, in words; what they leave out; what counts. Each `中文 / English`.
    filters: str = ""
    exclusions: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    # At least one of these dimensions must be asked for (or fixed), else unlike things would be added.
    requires_by: tuple[str, ...] = ()
    # Why a formula may add different dates of a process, or divide by another tax basis or currency.
    mixed: str | None = Field(default=None, min_length=20)
    # Dimension sets that are compiled ahead and materialised in metrics.metric_values.
    by: tuple[tuple[str, ...], ...] = ()
    # A snapshot's rows have no source rows of their own; these do.
    trace: SnapshotRows | None = None

    @field_validator("time_role", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("filters", "exclusions", "examples")
    @classmethod
    def _in_both_languages(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (value,) if isinstance(value, str) else value:
            if text and len([part for part in text.split(" / ") if part.strip()]) != 2:
                raise ValueError(f"write {text!r} as `中文 / English`")
        return value

    @field_validator("by", mode="before")
    @classmethod
    def _sets(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return tuple((item,) if isinstance(item, str) else tuple(item) for item in value)


@dataclass(frozen=True)
class Entity:
    """A key of a semantic model; foreign ones join to the model whose primary entity has the same name."""

    name: str
    kind: str  # primary | foreign | unique | natural
    expr: str


@dataclass(frozen=True)
class Dimension:
    name: str
    kind: str  # categorical | time
    expr: str
    label: str | None = None


@dataclass(frozen=True)
class Measure:
    """One aggregated expression over the rows of one mart."""

    name: str
    agg: str
    expr: str
    model: str
    time: str  # name of the time dimension it is aggregated over
    non_additive: str | None  # time dimension over which it must not be added
    window_choice: str | None
    window_groupings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SemanticModel:
    """One mart as the compiler sees it."""

    name: str
    schema: str
    table: str
    primary_entity: str | None
    entities: tuple[Entity, ...]
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.table}"

    def time_expr(self, name: str) -> str:
        return next(item.expr for item in self.dimensions if item.name == name)


@dataclass(frozen=True)
class Input:
    """A metric as an input of a formula, under its alias."""

    metric: str
    alias: str
    filtered: bool = False
    offset: bool = False


@dataclass(frozen=True)
class Metric:
    """One definition. `raw` is dbt's own JSON, which decides what the compiler writes."""

    name: str
    kind: str  # simple | cumulative | ratio | derived | conversion
    label: str
    description: str
    measures: tuple[str, ...]
    inputs: tuple[Input, ...]
    expr: str | None
    period_agg: str | None
    window: str | None
    grain_to_date: str | None
    filtered: bool
    raw_meta: dict = field(compare=False)
    raw: dict = field(repr=False, compare=False)

    @cached_property
    def meta(self) -> Meta:
        """Raises: DefinitionError naming the keys that are missing, wrong or unknown."""
        try:
            return Meta.model_validate(self.raw_meta)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
            )
            raise DefinitionError(f"{self.name}: config.meta: {wrong}") from error

    @property
    def descriptions(self) -> tuple[str, str]:
        """(Chinese, English): the two halves around ` / `."""
        zh, _, en = " ".join(self.description.split()).partition(" / ")
        return zh.strip(), en.strip()


@dataclass(frozen=True)
class Export:
    """A saved query that becomes one wide view `metrics.<name>`."""

    name: str
    label: str
    description: str
    metrics: tuple[str, ...]
    grain: str | None
    dimensions: tuple[str, ...]  # the compiler's names
    filtered: bool


@dataclass(frozen=True)
class Reach:
    """How one dimension is reached from a mart: its own column, or one join to a dimension table."""

    dunder: str
    expr: str
    relation: str | None = None  # None: the mart's own column
    foreign_key: str | None = None
    primary_key: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Definitions:
    """Everything one semantic manifest says."""

    metrics: dict[str, Metric]
    models: dict[str, SemanticModel]
    exports: tuple[Export, ...]
    spines: tuple[str, ...]  # relations with a daily time spine
    text: str = field(repr=False)  # the manifest itself, as the compiler wants it

    @cached_property
    def measures(self) -> dict[str, Measure]:
        return {measure.name: measure for model in self.models.values() for measure in model.measures}

    def metric(self, name: str) -> Metric:
        if name not in self.metrics:
            raise unknown("metric", name, self.metrics)
        return self.metrics[name]

    def base_metrics(self, name: str) -> tuple[Metric, ...]:
        """The metrics with measures of their own that a metric is computed from; itself, if it has some."""
        metric = self.metric(name)
        if not metric.inputs:
            return (metric,)
        found = [base for item in metric.inputs for base in self.base_metrics(item.metric)]
        return tuple(dict.fromkeys(found))

    def reaches(self, model: SemanticModel) -> dict[str, Reach]:
        """Dimensions within one join of a mart, by the compiler's name."""
        found: dict[str, Reach] = {}
        if model.primary_entity:
            for item in model.dimensions:
                if item.kind == "categorical":
                    name = f"{model.primary_entity}__{item.name}"
                    found[name] = Reach(name, item.expr, label=item.label)
        for entity in model.entities:
            if entity.kind != "foreign":
                continue
            for other in self.models.values():
                key = next(
                    (e for e in other.entities if e.name == entity.name and e.kind in {"primary", "unique"}),
                    None,
                )
                if key is None:
                    continue
                for item in other.dimensions:
                    if item.kind == "categorical":
                        name = f"{entity.name}__{item.name}"
                        found[name] = Reach(
                            name, item.expr, other.relation, entity.expr, key.expr, item.label
                        )
        return found

    def dimensions(self, metric: str) -> dict[str, str]:
        """People's name → compiler's name of every dimension all inputs of the metric share."""
        common: dict[str, Reach] | None = None
        for base in self.base_metrics(metric):
            for measure in base.measures:
                reached = self.reaches(self.models[self.measures[measure].model])
                common = reached if common is None else {k: v for k, v in common.items() if k in reached}
        names = sorted(common or ())
        short = [name.rpartition("__")[2] for name in names]
        return {
            (last if short.count(last) == 1 else name): name for name, last in zip(names, short, strict=True)
        }

    def version(self, name: str) -> str:
        """Content hash of what the number depends on: formula, measures, marts, unit; not its prose."""
        metric = self.metric(name)
        meta = metric.meta
        content = {
            "metric": [
                metric.name, metric.kind, str(metric.expr), metric.period_agg, metric.window, metric.grain_to_date,
            ],
            "inputs": [(item.alias, self.version(item.metric)) for item in metric.inputs],
            "measures": [self._measured(self.measures[item]) for item in metric.measures],
            "typed": [
                meta.unit, meta.currency, meta.tax, meta.time_role, meta.additivity, meta.requires_by
            ],
        }  # fmt: skip
        return _hash(content)

    def _measured(self, measure: Measure) -> tuple[str, str, str]:
        model = self.models[measure.model]
        return repr(measure), model.relation, model.time_expr(measure.time)

    def compile_version(self, name: str) -> str:
        """Content hash of what the compiled SQL depends on: the definition and every model it could join."""
        keys = ("name", "type", "type_params", "filter", "time_granularity")
        found = [self.metric(name), *self.base_metrics(name)]
        formulas = [{key: metric.raw.get(key) for key in keys} for metric in found]
        return _hash([formulas, repr(sorted(self.models.items())), self.spines])


def read(semantic_manifest: Path) -> Definitions:
    """Read the file that `dbt parse` writes.

    Raises: DefinitionError if it is missing or holds something this reader does not know.
    """
    try:
        return parse(semantic_manifest.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(
            f"{semantic_manifest} cannot be read: {error.strerror}. No metric was compiled. "
            "Run `tieout refresh`, which lets dbt write it."
        ) from error


def read_yaml(folder: Path, schema: str = "marts", spine: str = "dim_date") -> Definitions:
    """Read the metric YAML itself, without dbt: for the glossary, for rules in an editor, for tests.

    Equal to what `read` finds in dbt's file (a test compares them), as long as no Jinja is used.

    Raises: DefinitionError if a file is not understood.
    """
    import yaml

    found: dict[str, list] = {"semantic_models": [], "metrics": [], "saved_queries": []}
    for path in sorted(folder.glob("*.yml")):
        try:
            document = from_yaml(path.read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise DefinitionError(f"{path.name}: {error}") from error
        for key, items in found.items():
            items += document.get(key) or []
    spine_relation = {"schema_name": schema, "alias": spine, "relation_name": f"{schema}.{spine}"}
    manifest = {
        "semantic_models": [_manifest_model(item, schema) for item in found["semantic_models"]],
        "metrics": [_manifest_metric(item) for item in found["metrics"]],
        "saved_queries": [_manifest_query(item) for item in found["saved_queries"]],
        "project_configuration": {
            "time_spine_table_configurations": [],
            "time_spines": [
                {
                    "node_relation": spine_relation,
                    "primary_column": {"name": "date_day", "time_granularity": "day"},
                    "custom_granularities": [],
                }
            ],
        },
    }
    return parse(json.dumps(manifest, ensure_ascii=False))


def _manifest_model(item: dict, schema: str) -> dict:
    match = re.match(r"^ref\(['\"](\w+)['\"]\)$", item["model"])
    if match is None:
        raise DefinitionError(
            f"semantic model {item['name']}: write model: ref('<mart>'), not {item['model']}"
        )
    relation = {"schema_name": schema, "alias": match[1], "relation_name": f"{schema}.{match[1]}"}
    rest = {key: value for key, value in item.items() if key != "model"}
    return {"entities": [], "dimensions": [], "measures": [], **rest, "node_relation": relation}


def _manifest_metric(item: dict) -> dict:
    params: dict = {"metrics": [], **item["type_params"]}
    params["metrics"] = [_named(one) for one in params["metrics"]]
    for key in {"measure", "numerator", "denominator"} & set(params):
        params[key] = _named(params[key])
    return {**item, "type_params": params}


def _manifest_query(item: dict) -> dict:
    exports = [
        {**one, "config": {"alias": one["name"], "export_as": one["config"]["export_as"]}}
        for one in item["exports"]
    ]
    return {**item, "exports": exports}


def _named(value: str | dict) -> dict:
    return {"name": value} if isinstance(value, str) else value


def parse(text: str) -> Definitions:
    """Definitions from the text of a semantic manifest."""
    document = json.loads(text)
    models = {item["name"]: _model(item) for item in document["semantic_models"]}
    metrics = {item["name"]: _metric(item) for item in document["metrics"]}
    measures = {measure.name for model in models.values() for measure in model.measures}
    for metric in metrics.values():
        for item in metric.measures:
            if item not in measures:
                raise unknown("measure", item, measures, of=metric.name)
        for item in metric.inputs:
            if item.metric not in metrics:
                raise unknown("metric", item.metric, metrics, of=metric.name)
    spines = tuple(
        f"{item['node_relation']['schema_name']}.{item['node_relation']['alias']}"
        for item in document["project_configuration"].get("time_spines") or []
        if item["primary_column"]["time_granularity"] == "day"
    )
    exports = tuple(_export(item, export) for item in document["saved_queries"] for export in item["exports"])
    return Definitions(metrics, models, exports, spines, text)


def _model(item: dict) -> SemanticModel:
    relation = item["node_relation"]
    default_time = (item.get("defaults") or {}).get("agg_time_dimension")
    measures = []
    for raw in item["measures"]:
        window = raw.get("non_additive_dimension") or {}
        measures.append(
            Measure(
                name=raw["name"],
                agg=raw["agg"],
                expr=str(raw.get("expr") or raw["name"]),
                model=item["name"],
                time=raw.get("agg_time_dimension") or default_time or "",
                non_additive=window.get("name"),
                window_choice=window.get("window_choice"),
                window_groupings=tuple(window.get("window_groupings") or ()),
            )
        )
    entities = tuple(
        Entity(raw["name"], raw["type"], raw.get("expr") or raw["name"]) for raw in item["entities"]
    )
    primary = item.get("primary_entity") or next((e.name for e in entities if e.kind == "primary"), None)
    return SemanticModel(
        name=item["name"],
        schema=relation["schema_name"],
        table=relation["alias"],
        primary_entity=primary,
        entities=entities,
        dimensions=tuple(
            Dimension(raw["name"], raw["type"], raw.get("expr") or raw["name"], raw.get("label"))
            for raw in item["dimensions"]
        ),
        measures=tuple(measures),
    )


def _metric(item: dict) -> Metric:
    params = item["type_params"]
    cumulative = params.get("cumulative_type_params") or {}
    conversion = params.get("conversion_type_params") or {}
    measures = [params.get("measure"), conversion.get("base_measure"), conversion.get("conversion_measure")]
    measures = [raw for raw in measures if raw]
    inputs = [params.get("numerator"), params.get("denominator"), *(params.get("metrics") or [])]
    return Metric(
        name=item["name"],
        kind=item["type"],
        label=item.get("label") or "",
        description=item.get("description") or "",
        measures=tuple(raw["name"] for raw in measures),
        inputs=tuple(_input(raw) for raw in inputs if raw),
        expr=None if item["type"] == "simple" else params.get("expr"),
        period_agg=cumulative.get("period_agg"),
        window=repr(cumulative["window"]) if cumulative.get("window") else None,
        grain_to_date=cumulative.get("grain_to_date"),
        filtered=bool(item.get("filter")) or any(raw.get("filter") for raw in measures),
        raw_meta=(item.get("config") or {}).get("meta") or {},
        raw=item,
    )


def _input(raw: dict) -> Input:
    return Input(
        raw["name"],
        raw.get("alias") or raw["name"],
        bool(raw.get("filter")),
        bool(raw.get("offset_window") or raw.get("offset_to_grain")),
    )


def _export(item: dict, export: dict) -> Export:
    params = item["query_params"]
    grain, dimensions = None, []
    for text in params["group_by"]:
        match = _GROUP_BY.match(text)
        if match is None:
            raise DefinitionError(
                f"saved query {item['name']}: group_by {text!r} is not understood. Write "
                "TimeDimension('metric_time', 'month') or Dimension('customer__customer_code')."
            )
        if match[1] == "TimeDimension":
            grain = match[3] or "day"
        else:
            dimensions.append(match[2])
    return Export(
        name=export["config"].get("alias") or export["name"],
        label=item.get("label") or "",
        description=item.get("description") or "",
        metrics=tuple(params["metrics"]),
        grain=grain,
        dimensions=tuple(dimensions),
        filtered=bool(params.get("where") or params.get("limit")),
    )


def _hash(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
