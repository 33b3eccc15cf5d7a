"""Receipts: what an answer was computed from, and the answer itself, so that it can be reproduced later.

A receipt is named after its own content, so it cannot be altered unnoticed. It is made on the path of
`tieout metric`: nothing but the standard library is imported here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.metrics.errors import MetricError
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.answer import Answer

FOLDER = "receipts"
ID_LENGTH = 16
KEPT_ROWS = 2000  # more are stated by their hash alone
_FORMAT = 1


class ReceiptError(MetricError):
    """There is no such receipt, or it cannot be read; the message says what to do."""


class Tampered(ReceiptError):
    """A receipt whose content is not what its id says."""


@dataclass(frozen=True)
class Ids:
    """What an answer was computed from.

    `data_hash` is of all published tables, `definition_version` of the metric, `definitions` of the whole
    installation, `policy_version` of the access rules; `role` is the one whose masking the answer was computed
    under. Times are ISO 8601 text. None where the publish is too old to say.
    """

    publish_id: str
    data_hash: str
    definition_version: str
    definitions: str | None
    policy_version: str | None
    role: str | None
    cut_off: str | None
    loaded_to: str | None
    certified: bool

    def __str__(self) -> str:
        """One short line, to be printed under an answer."""
        loaded = f", loaded to {self.loaded_to[:16].replace('T', ' ')} UTC" if self.loaded_to else ""
        role = f" (as {self.role})" if self.role else ""
        return (
            f"data {self.publish_id}/{self.data_hash[:8]} · definition {self.definition_version[:8]}"
            f" · policy {(self.policy_version or 'unknown')[:8]}{role} · cut-off {self.cut_off or 'unknown'}{loaded}"
            f" · {'certified' if self.certified else 'not certified'}"
        )


@dataclass(frozen=True)
class Question:
    """What was asked, as it was asked."""

    metric: str
    grain: str | None = None
    by: tuple[str, ...] = ()
    period: str | None = None
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Receipt:
    """One answer with everything it was computed from; `rows` is None where there were more than KEPT_ROWS."""

    question: Question
    asked_at: str
    ids: Ids
    sql: str
    columns: tuple[str, ...]
    row_count: int
    result_hash: str
    rows: tuple[tuple[str | None, ...], ...] | None

    @property
    def id(self) -> str:
        return _hash(_content(self))[:ID_LENGTH]


def ids_of(con: duckdb.DuckDBPyConnection, definition_version: str) -> Ids | None:
    """What a published file is, for an answer of a metric with this definition; None for a file that is no publish."""
    import duckdb

    try:
        cursor = con.execute("select * from marts.publish")
        row = cursor.fetchone()
    except duckdb.CatalogException:
        return None
    if row is None:
        return None
    said = dict(zip([item[0] for item in cursor.description or []], row, strict=True))
    loaded_to = said.get("loaded_to")
    return Ids(
        publish_id=str(said["publish_id"]),
        data_hash=str(said["data_hash"]),
        definition_version=definition_version,
        definitions=said.get("definition_version"),
        policy_version=said.get("policy_version"),
        role=said.get("role"),
        cut_off=said.get("cut_off"),
        loaded_to=loaded_to.astimezone(UTC).isoformat() if isinstance(loaded_to, datetime) else None,
        certified=bool(said["certified"]),
    )


def receipt_of(question: Question, said: Answer, ids: Ids, now: datetime) -> Receipt:
    """The receipt of an answer."""
    rows = plain(said.rows)
    return Receipt(
        question,
        now.astimezone(UTC).isoformat(timespec="seconds"),
        ids,
        said.sql,
        said.columns,
        len(rows),
        result_hash(said.columns, rows),
        rows if len(rows) <= KEPT_ROWS else None,
    )


def plain(rows: Sequence[Sequence[object]]) -> tuple[tuple[str | None, ...], ...]:
    """Rows as text, the same for the same values: decimals with all their digits, ratios with twelve."""
    return tuple(tuple(_plain(value) for value in row) for row in rows)


def _plain(value: object) -> str | None:
    if value is None:
        return None
    # The last bits of a quotient may depend on how the machine adds; no metric means them.
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def result_hash(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """SHA-256 of columns and rows, in their order."""
    return _hash({"columns": list(columns), "rows": [list(row) for row in rows]})


# --- keeping --------------------------------------------------------------------------------------


def keep(receipt: Receipt, home: Path) -> Path:
    """Write a receipt below `<home>/receipts/`, named after its content; the same one twice is one file."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{receipt.id}.json"
    write_receipt(receipt, path)
    return path


def write_receipt(receipt: Receipt, path: Path) -> None:
    """Write a receipt as JSON: its id, and what the id is the hash of."""
    document = {"id": receipt.id, "receipt": _content(receipt)}
    write_whole(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def find_receipt(name: str, home: Path) -> Receipt:
    """A receipt by its id (or the beginning of it), or by its file.

    Raises: ReceiptError if there is none; Tampered if its content is not what its id says.
    """
    path = Path(name)
    if path.is_file():
        return read_receipt(path)
    found = sorted((home / FOLDER).glob(f"{name}*.json")) if name.isalnum() else []
    if len(found) > 1:
        raise ReceiptError(
            f"{len(found)} receipts begin with {name}: {', '.join(item.stem for item in found[:5])}. Say more of the id."
        )
    if not found:
        raise ReceiptError(
            f"there is no receipt {name!r} and no such file. `tieout verify` lists what is kept; "
            "`tieout metric … --receipt` makes one."
        )
    receipt = read_receipt(found[0])
    if receipt.id != found[0].stem:
        raise Tampered(f"the file is called {found[0].stem}, but its content is that of {receipt.id}")
    return receipt


def read_receipt(path: Path) -> Receipt:
    """A receipt from its file.

    Raises: ReceiptError if it is none; Tampered if its content is not what its id says.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        said, content = document["id"], document["receipt"]
        if content["format"] != _FORMAT:
            raise ReceiptError(
                f"{path.name} has format {content['format']}; this version of Tieout reads {_FORMAT}."
            )
        actual = _hash(content)[:ID_LENGTH]
        receipt = _receipt(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReceiptError(
            f"{path} is no receipt of Tieout ({type(error).__name__}: {error}). Nothing was verified."
        ) from None
    if actual != said or actual != receipt.id:
        raise Tampered(f"its content gives {actual}, but it says {said}")
    return receipt


def _content(receipt: Receipt) -> dict[str, object]:
    return {"format": _FORMAT, **json.loads(json.dumps(asdict(receipt)))}


def _receipt(content: Mapping) -> Receipt:
    question = content["question"]
    rows = content["rows"]
    return Receipt(
        Question(
            question["metric"],
            question["grain"],
            tuple(question["by"]),
            question["period"],
            tuple((key, value) for key, value in question["where"]),
        ),
        content["asked_at"],
        Ids(**{item.name: content["ids"][item.name] for item in fields(Ids)}),
        content["sql"],
        tuple(content["columns"]),
        content["row_count"],
        content["result_hash"],
        None if rows is None else tuple(tuple(row) for row in rows),
    )


def _hash(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
