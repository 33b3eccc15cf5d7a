"""docs/glossary.md is written from the metric YAML; a hand-made change or a forgotten `make sync` shows here."""

from __future__ import annotations

from tieout.metrics.definitions import read_yaml
from tieout.metrics.glossary import glossary
from tieout.settings import PROJECT

FOLDER = PROJECT / "dbt_project" / "models" / "metrics"
PAGE = PROJECT / "docs" / "glossary.md"


def test_the_page_says_what_the_definitions_say():
    assert PAGE.read_text(encoding="utf-8") == glossary(read_yaml(FOLDER)), "run `make sync`"


def test_every_metric_and_every_local_word_is_on_the_page():
    definitions = read_yaml(FOLDER)
    page = glossary(definitions)

    for name, metric in definitions.metrics.items():
        assert f"\n## {name}\n" in page
        assert metric.label in page
        for word in metric.meta.replaces:
            assert f"\n| {word} | " in page
