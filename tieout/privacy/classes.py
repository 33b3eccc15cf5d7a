"""Every column that people can be given says its class L1 to L4, itself or through its table."""

from __future__ import annotations

from pathlib import Path

from tieout.strict import from_yaml

# Models read by people and doors; staging and steps in between are views of contracts, where a class is required.
FOLDERS = ("marts", "master", "tie")


class UnclassifiedError(Exception):
    """A column has no class; the message names file, model and column."""


def refuse_unclassified(models: Path) -> None:
    """Look through the models' descriptions.

    Raises: UnclassifiedError naming every model nobody described and every column without a class.
    """
    wrong = [line for folder in FOLDERS for line in _wrong(models / folder)]
    if wrong:
        raise UnclassifiedError("\n".join(["Columns without a class (L1 to L4):", *wrong]))


def _wrong(folder: Path) -> list[str]:
    made = {path.stem for path in folder.rglob("*") if path.suffix in {".sql", ".py"}}
    wrong, described = [], set()
    for path in sorted(folder.rglob("*.yml")):
        for model in (from_yaml(path.read_text(encoding="utf-8")) or {}).get("models", []):
            described.add(model["name"])
            if _class(model):
                continue
            columns = model.get("columns", [])
            wrong += [f"{path.name}: {model['name']}.{c['name']}" for c in columns if not _class(c)]
            if not columns:
                wrong.append(f"{path.name}: {model['name']} names no column")
    return [*wrong, *(f"{folder.name}: {name} is described nowhere" for name in sorted(made - described))]


def _class(described: dict) -> str | None:
    meta = (described.get("config") or {}).get("meta") or described.get("meta") or {}
    return meta.get("class") if meta.get("class") in {"L1", "L2", "L3", "L4"} else None
