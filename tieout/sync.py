"""Files that are generated from another file, so that each fact has one home.

`make sync` writes them; `tests/contract` fails when one differs from what is generated.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from sources.contract import Source, read_sources
from tieout.settings import Settings

_HEADER = "# Generated from sources/{name}/source.yaml by `make sync`; do not edit.\n"


def dbt_sources(source: Source) -> str:
    """The dbt source file of one contract: raw tables with titles, grain and sensitivity."""
    tables = [
        {
            "name": name,
            "description": f"{stream.title.zh} / {stream.title.en}. {stream.grain[0].upper()}{stream.grain[1:]}.",
            "columns": [
                {
                    "name": column,
                    "description": f"{spec.title.zh} / {spec.title.en}"
                    if spec.title
                    else stream.source_column(column),
                    "config": {"meta": {"class": source.class_of(name, column)}},
                }
                for column, spec in stream.columns.items()
            ],
        }
        for name, stream in source.streams.items()
    ]
    document = {
        "version": 2,
        "sources": [
            {
                "name": source.name,
                "schema": source.raw_schema,
                "description": f"{source.title.zh} / {source.title.en}",
                "config": {"meta": {"owner": source.owner, "module": source.module}},
                "tables": tables,
            }
        ],
    }
    body = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    return _HEADER.format(name=source.name) + body


def generated_files(settings: Settings) -> dict[Path, str]:
    """Every generated file of the project and the text it must have.

    Raises: UnclassifiedError if a column has no class, BusMatrixError if the matrix has holes, DefinitionError if a
        metric breaks a rule.
    Raises: UnclassifiedError if a column has no class, BusMatrixError if the matrix has holes, ReportError if a
        report names what does not exist.
    """
    from expectations.generate import generated_suites
    from tieout.doors.access import load_access
    from tieout.metrics.definitions import read_yaml
    from tieout.metrics.glossary import glossary
    from tieout.metrics.marts import read_marts
    from tieout.metrics.rules import require
    from tieout.privacy import classes
    from tieout.tie.generate import sync as identities
    from tieout.tie.report_issue import check_reports
    from tieout.transform.bus_matrix import bus_matrix

    models = settings.dbt_project / "models"
    classes.refuse_unclassified(models)
    definitions = read_yaml(models / "metrics")
    published_at = load_access(settings.dbt_project / "access" / "roles.yaml").unclassified
    require(definitions, read_marts(models), published_at)
    check_reports(settings)
    return {
        **{
            models / "staging" / name / f"_{name}__sources.yml": dbt_sources(source)
            for name, source in read_sources(settings.sources).items()
        },
        **generated_suites(models / "marts", settings.expectations / "suites" / "marts"),
        **{settings.project / path: text for path, text in identities(settings.project).items()},
        settings.project / "docs" / "glossary.md": glossary(definitions),
        settings.project / "docs" / "bus-matrix.md": bus_matrix(models / "marts"),
    }


def differing(settings: Settings) -> list[Path]:
    """Generated files that are missing or stale, and those whose origin is gone."""
    from expectations.generate import orphans as orphaned_suites
    from tieout.tie.generate import orphans

    wanted = generated_files(settings)
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    suites = settings.expectations / "suites" / "marts"
    return [*stale, *orphans(settings.project), *orphaned_suites(suites, wanted)]


def write(settings: Settings) -> list[Path]:
    """Write what differs, delete what has no origin any more; returns the paths touched."""
    changed = differing(settings)
    texts = generated_files(settings)
    for path in changed:
        if path not in texts:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return changed
