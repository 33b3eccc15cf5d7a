"""The registry of keys without the erased: records whose own key was a personal value get its pseudonym, keys stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path

from tieout.master_data.build import DOUBTFUL, ISSUED, REVIEW
from tieout.master_data.decisions import FOLDER as DECISIONS
from tieout.master_data.decisions import Decision, decide, decisions, written
from tieout.master_data.registry import EDGES, SEGMENTS
from tieout.master_data.types import ENTITIES, entity_folder
from tieout.privacy.batches import clean_texts
from tieout.whole import write_whole


def clean_registry(
    master: Path,
    entity: str | None,
    records: Collection[str],
    renamed: Mapping[str, str],
    pieces: Mapping[str, str],
) -> int:
    """Write what names the erased anew; returns how many cells or decisions changed. Doing it again does nothing.

    Args:
        records: Ids of the person's records of `entity`, as they were.
        renamed: Those of them whose id changes → the id with a pseudonym.
        pieces: Personal value → pseudonym, for texts that stewards wrote.
    """
    changed = 0
    for name in ENTITIES:
        folder = entity_folder(master, name)
        changed += _clean_decisions(folder / DECISIONS, renamed if name == entity else {}, pieces)
        if name != entity:
            continue
        for file in sorted((folder / SEGMENTS).glob("*/*.parquet")):
            if file.name == "record.parquet":
                changed += _clean_records(file, records, renamed)
            else:
                changed += clean_texts(file, lambda text: renamed.get(text, text))
    for name in ENTITIES:  # made again from the records at the next build
        for left in (EDGES, REVIEW, ISSUED, DOUBTFUL):
            (entity_folder(master, name) / left).unlink(missing_ok=True)
    return changed


def _clean_records(file: Path, records: Collection[str], renamed: Mapping[str, str]) -> int:
    """Ids, keys, and the hash of what a record held: a hash without a key could be tried out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        held = opened.read()
    mine = {*records, *renamed.values()}
    rows, changed = held.to_pylist(), 0
    for row in rows:
        if row["record_id"] not in mine:
            continue
        new = renamed.get(row["record_id"], row["record_id"])
        said = {"record_id": new}
        if row["source_key"] is not None:
            said |= {"source_key": new.partition(":")[2], "fingerprint": ""}
        changed += any(row[name] != value for name, value in said.items())
        row |= said
    if changed:
        draft = file.with_name(f".erasing-{file.name}")
        pq.write_table(pa.Table.from_pylist(rows, schema=held.schema), draft, compression="zstd")
        draft.replace(file)
    return changed


def keep_together(
    master: Path, entity: str, records: list[str], *, by: str, reason: str, now: datetime
) -> None:
    """Decide that the records of the erased stay one: without names, no rule could tell. Decides nothing twice."""
    known = {item.pair for item in decisions(master, entity) if item.kind == "same"}
    first, *others = sorted(records)
    for other in others:
        if (first, other) not in known:
            decide(master, entity, "same", by=by, reason=reason, now=now, a=first, b=other)


def _clean_decisions(folder: Path, renamed: Mapping[str, str], pieces: Mapping[str, str]) -> int:
    """Decisions are named by their content, so one that changes is written under its new name first."""
    changed, names = 0, {}
    for path in sorted(folder.glob("[!.]*.json")):
        decision = Decision.model_validate_json(path.read_text(encoding="utf-8"))
        said = decision.model_dump(exclude_none=True)
        new = {name: _said(renamed.get(text, text), pieces) for name, text in said.items()}
        new["at"] = said["at"]
        if new.get("revokes") in names:
            new["revokes"] = names[new["revokes"]]
        if "a" in new and "b" in new:
            new["a"], new["b"] = sorted((new["a"], new["b"]))
        if new == said:
            continue
        mended = Decision.model_validate(new)
        names[decision.id] = mended.id
        write_whole(folder / f"{mended.id}.json", written(mended) + "\n")
        path.unlink()
        changed += 1
    return changed


def _said(text: str, pieces: Mapping[str, str]) -> str:
    for old, new in pieces.items():
        if old in text:
            text = text.replace(old, new)
    return text
