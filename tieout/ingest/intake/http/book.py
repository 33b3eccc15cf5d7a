"""The pages of one pull: kept as received, compressed, beside a journal, so that a killed pull goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

from tieout.ingest.intake.http.page import Facts

JOURNAL, BEGUN = "journal.jsonl", "begun.json"


@dataclass(frozen=True)
class Kept:
    """One page on disk: `page` as received, `lines` its rows as JSON lines (only until they are parsed)."""

    number: int  # over all legs and passes
    reading: int  # the pass over its leg that it belongs to, from 1
    page: str
    lines: str
    facts: Facts
    leg: str = ""


class Book:
    """Pages in a folder that survives a kill. One thread writes it."""

    def __init__(self, folder: Path, suffix: str, now: datetime) -> None:
        self.folder, self.suffix = folder, suffix
        begun = folder / BEGUN
        if not begun.is_file():
            _write(begun, json.dumps({"at": now.isoformat()}).encode())
        self.began = datetime.fromisoformat(json.loads(begun.read_text(encoding="utf-8"))["at"])
        self.pages: list[Kept] = list(self._kept())
        self._unread = iter(self.pages.copy())
        self.resumed = len(self.pages)
        self._journal: FileIO | None = None  # open as long as pages come

    def _kept(self) -> Iterator[Kept]:
        """Pages that are whole: a line torn by the kill, and what would follow it, are fetched again."""
        journal = self.folder / JOURNAL
        if not journal.is_file():
            return
        whole = 0
        for line in journal.read_bytes().splitlines(keepends=True):
            try:
                record = json.loads(line)
            except ValueError:
                break
            facts = Facts(**record.pop("facts"))
            kept = Kept(**record, facts=facts)
            if not line.endswith(b"\n") or not (self.folder / kept.lines).is_file():
                break
            whole += len(line)
            yield kept
        os.truncate(journal, whole)

    def already(self, leg: str, reading: int) -> Kept | None:
        """The next page that an earlier, killed pull has fetched in this pass over this leg, if there is one."""
        kept = next(self._unread, None)
        if kept is None or (kept.leg, kept.reading) == (leg, reading):
            return kept
        self._unread = iter(())  # the items are no longer those of the earlier pull (an option has changed)
        return None

    def add(self, leg: str, reading: int, body: bytes, lines: bytes, facts: Facts) -> Kept:
        """Keep one page; it counts once its line is in the journal."""
        import pyarrow as pa

        number = len(self.pages) + 1
        kept = Kept(
            number, reading, f"page-{number:05d}{self.suffix}.zst", f"lines-{number:05d}.jsonl", facts, leg
        )
        # A page that is torn by a kill is in no journal, and written over by the next pull.
        (self.folder / kept.lines).write_bytes(lines)
        (self.folder / kept.page).write_bytes(pa.Codec("zstd", 3).compress(body, asbytes=True))
        record: dict[str, Any] = {**kept.__dict__, "facts": facts.as_dict()}
        if self._journal is None:
            self._journal = (self.folder / JOURNAL).open("ab", buffering=0)
        self._journal.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self.pages.append(kept)
        return kept

    def lines(self, kept: Kept) -> Path:
        return self.folder / kept.lines

    def evidence(self, draft: Path) -> int:
        """Put every page as received into a draft batch; returns their bytes. (Links: they cost nothing.)"""
        size = 0
        for kept in self.pages:
            os.link(self.folder / kept.page, draft / kept.page)
            size += (draft / kept.page).stat().st_size
        return size

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name("." + path.name)
    part.write_bytes(content)
    part.rename(path)
