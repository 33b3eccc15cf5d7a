"""docs/glossary.md: which word means which number. Written from the metric YAML, never by hand."""

from __future__ import annotations

from tieout.metrics.definitions import Definitions, Metric
from tieout.metrics.layer import formula

_TAX = {"excluded": "不含税 / excluded", "included": "含税 / included", "none": "无 / none"}
_ADDITIVITY = {
    "additive": "可加 / additive",
    "semi_additive": "跨期不可加 / not over time",
    "non_additive": "不可加 / not additive",
}
_HEAD = """\
# 指标词典 / Glossary

由 `dbt_project/models/metrics/*.yml` 生成（`make sync`），请勿手改。 /
Generated from `dbt_project/models/metrics/*.yml` by `make sync`; do not edit.

原子指标 = measure，业务限定 = 度量表达式里的条件，统计周期 = 提问时的期间，粒度 = grain 与维度。 /
An atomic metric is a measure, its qualifier a condition inside it; period and grain are asked for, not named.
"""


def glossary(definitions: Definitions) -> str:
    """The page: local words first, since people come with those; then every metric by owner and name."""
    metrics = sorted(definitions.metrics.values(), key=lambda item: (item.meta.owner, item.name))
    words = sorted(
        ((word, metric) for metric in metrics for word in metric.meta.replaces), key=lambda pair: pair[0]
    )
    lines = [
        _HEAD,
        "## 各部门的说法 / What departments say",
        "",
        "| 说法 / word | 指标 / metric |",
        "| --- | --- |",
    ]
    lines += [f"| {word} | [{metric.label}](#{metric.name}) `{metric.name}` |" for word, metric in words]
    for metric in metrics:
        lines += ["", *_entry(definitions, metric)]
    return "\n".join(lines) + "\n"


def _entry(definitions: Definitions, metric: Metric) -> list[str]:
    meta = metric.meta
    zh, en = metric.descriptions
    needs = f"；必须按 / must be asked by: {' | '.join(meta.requires_by)}" if meta.requires_by else ""
    currency = {"none": "", "document": "，原币 / document currency"}.get(meta.currency, "")
    return [
        f"## {metric.name}",
        "",
        f"**{metric.label}**",
        "",
        zh,
        "",
        en,
        "",
        "| | |",
        "| --- | --- |",
        f"| 负责 / owner | {meta.owner}；同意 / agreed by: {', '.join(meta.agreed_by)} |",
        f"| 单位 / unit | {meta.unit}{currency}{needs} |",
        f"| 税 / tax | {_TAX[meta.tax]} |",
        f"| 日期 / time role | {', '.join(meta.time_role)} |",
        f"| 可加性 / additivity | {_ADDITIVITY[meta.additivity]} |",
        f"| 公式 / formula | `{formula(definitions, metric).replace('|', '/')}` |",
        f"| 维度 / dimensions | {', '.join(definitions.dimensions(metric.name))} |",
        f"| 取代 / replaces | {'、'.join(meta.replaces) or '–'} |",
    ]
