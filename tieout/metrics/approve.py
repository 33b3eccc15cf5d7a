"""Versions of definitions and who agreed to them: `dbt_project/metric_versions/<metric>.yaml`, one file a metric.

A metric's first version names its owner and those who agreed. Every later one is signed (Ed25519) by somebody the
owner's department trusts (`dbt_project/access/approvers.yaml`): over the metric, the version before, the new one, what
changed in words, the movement as measured, and the reason. So a definition that is edited without its owner's knowledge
has no entry, and an entry that is edited has no valid signature; `tieout sync --check` refuses both. A definition can
also stay while a model below it moves its numbers: a version carries the digest of the numbers it was agreed to with
(`tieout.metrics.agreed_numbers`), on the data of the reference company.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tieout.metrics import agreed_numbers
from tieout.metrics.agreed_numbers import Numbers
from tieout.metrics.definitions import Definitions
from tieout.metrics.diff import MetricDiff
from tieout.metrics.diff_words import in_words, said
from tieout.metrics.errors import MetricError, unknown
from tieout.strict import from_yaml
from tieout.whole import write_whole

FIRST = "first version"
BELOW = "the same definition on other SQL"
_HEADER = "# Versions of this definition, oldest first. Written and signed by `tieout metrics approve`; do not edit.\n"


class ApprovalError(MetricError):
    """Something about versions, keys or signatures does not hold; nothing was written."""


class Largest(BaseModel):
    """The number that moves most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    period: str
    member: str
    before: str | None
    after: str | None


class Measured(BaseModel):
    """How far the numbers moved on the data of one publish when the change was agreed to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish: str
    numbers: int
    moved: int
    total: str
    largest: Largest | None = None


class Agreed(BaseModel):
    """Which numbers were agreed to: those of this data, with this digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    digest: str


class Entry(BaseModel):
    """One version of one definition, or of what is below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    effective_from: date
    changed: str
    says: dict[str, str]
    owner: str = Field(min_length=1)
    agreed_by: tuple[str, ...] = Field(min_length=1)
    movement: Measured | None = None
    numbers: Agreed | None = None
    approved_by: str = Field(min_length=1)
    approved_on: date
    reason: str = ""
    signature: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    versions: tuple[Entry, ...] = Field(min_length=1)


class Approver(BaseModel):
    """Who may agree to changes of metrics of these owners (`*`: every one)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = ""
    owners: tuple[str, ...] = Field(min_length=1)
    public_key: str


class _Approvers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    approvers: dict[str, Approver] = Field(default_factory=dict)


@dataclass(frozen=True)
class Objection:
    """Why a metric's definition is not one that was agreed to, and what to do."""

    metric: str
    message: str

    def __str__(self) -> str:
        return f"{self.metric}: {self.message}"


def folder(dbt_project: Path) -> Path:
    return dbt_project / "metric_versions"


def approvers_file(dbt_project: Path) -> Path:
    return dbt_project / "access" / "approvers.yaml"


def history(dbt_project: Path, metric: str) -> tuple[Entry, ...]:
    """Versions of a metric, oldest first; empty if it has no file.

    Raises: ApprovalError if the file is not understood.
    """
    path = folder(dbt_project) / f"{metric}.yaml"
    if not path.is_file():
        return ()
    try:
        read = _File.model_validate(from_yaml(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ApprovalError(f"{path.name} is not understood: {error}") from error
    if read.metric != metric:
        raise ApprovalError(f"{path.name} speaks of {read.metric}")
    return read.versions


def approvers(dbt_project: Path) -> dict[str, Approver]:
    """Raises: ApprovalError if the file is not understood."""
    path = approvers_file(dbt_project)
    if not path.is_file():
        return {}
    try:
        return _Approvers.model_validate(from_yaml(path.read_text(encoding="utf-8")) or {}).approvers
    except (ValidationError, yaml.YAMLError) as error:
        raise ApprovalError(f"{path.name} is not understood: {error}") from error


# --- what the check says --------------------------------------------------------------------------


def objections(dbt_project: Path, definitions: Definitions) -> list[Objection]:
    """Every metric whose definition nobody agreed to, or whose agreement is not valid. Needs no warehouse."""
    try:
        trusted = approvers(dbt_project)
    except ApprovalError as error:
        return [Objection("access/approvers.yaml", str(error))]
    found = []
    for name in sorted(definitions.metrics):
        message = _objection(dbt_project, definitions, name, trusted)
        if message:
            found.append(Objection(name, message))
    for path in sorted(folder(dbt_project).glob("*.yaml")):
        if path.stem not in definitions.metrics:
            found.append(
                Objection(
                    path.stem,
                    f"the metric is gone, its versions are not. If its owner agrees, remove "
                    f"{path.relative_to(dbt_project.parent)}; who reads it: `tieout metrics diff --metric {path.stem}`",
                )
            )
    return found


def _objection(
    dbt_project: Path, definitions: Definitions, name: str, trusted: Mapping[str, Approver]
) -> str | None:
    try:
        entries = history(dbt_project, name)
    except ApprovalError as error:
        return str(error)
    if not entries:
        return (
            "it has no version that anybody agreed to. A new metric: `tieout metrics approve --new --by NAME`"
        )
    now = definitions.version(name)
    for before, entry in zip((None, *entries), entries, strict=False):
        if before is not None and (wrong := invalid(name, before, entry, trusted)):
            return wrong
    last = entries[-1]
    if last.version != now:
        words = in_words(last.says, said(definitions, name))
        return (
            f"its definition is not the one of {last.effective_from} that {last.approved_by} agreed to: {words}. "
            f"See what moves: `tieout metrics diff --metric {name}`; its owner ({last.owner}) agrees with "
            f"`tieout metrics approve {name} --by NAME --reason …`"
        )
    return _other_numbers(dbt_project, name, last)


def _other_numbers(dbt_project: Path, name: str, last: Entry) -> str | None:
    """Whether the kept numbers are those the last version was agreed to with; numbers of other data say nothing of it."""
    if last.numbers is None:
        return None
    path = agreed_numbers.file(dbt_project, name)
    try:
        kept = agreed_numbers.read(dbt_project, name)
    except agreed_numbers.NumbersError as error:
        return str(error)
    if kept is None:
        return (
            f"{path.name}, its numbers as agreed to on {last.approved_on}, is gone. Take it from git again."
        )
    if kept.data == last.numbers.data and kept.digest != last.numbers.digest:
        return (
            f"{path.name} holds other numbers than those {last.approved_by} agreed to on {last.approved_on}. "
            f"Take it from git again, or agree to them: `tieout metrics approve {name} --by NAME --reason …`"
        )
    return None


def invalid(name: str, before: Entry, entry: Entry, trusted: Mapping[str, Approver]) -> str | None:
    """Why the signature of a change is not valid; None if it is."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    where = f"version {entry.version} of {entry.effective_from}"
    if entry.signature is None:
        return f"{where} is not signed: `tieout metrics approve {name} --by NAME --reason …`"
    who = trusted.get(entry.approved_by)
    if who is None:
        return f"{where} is signed by {entry.approved_by}, whom access/approvers.yaml does not name"
    # The owner who loses a metric agrees too: nobody takes one over by writing himself into it.
    if not {"*", before.owner} & set(who.owners):
        return f"{where} is signed by {entry.approved_by}, who does not speak for its owner {before.owner}"
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(who.public_key, validate=True))
        key.verify(base64.b64decode(entry.signature, validate=True), _signed(name, before, entry))
    except (InvalidSignature, ValueError):
        return f"{where}: the signature of {entry.approved_by} does not fit what it says: somebody edited it"
    return None


def _signed(name: str, before: Entry, entry: Entry) -> bytes:
    content = entry.model_dump(mode="json", exclude={"signature"})
    if entry.numbers is None:
        del content["numbers"]  # versions signed before numbers were kept
    text = {"metric": name, "after": before.version, "after_signature": before.signature, **content}
    return json.dumps(text, ensure_ascii=False, sort_keys=True).encode()


# --- agreeing -------------------------------------------------------------------------------------


def first_versions(
    dbt_project: Path, definitions: Definitions, by: str, today: date, reason: str = ""
) -> list[str]:
    """Write the first version of every metric that has none; returns their names."""
    written = []
    for name in sorted(definitions.metrics):
        if history(dbt_project, name):
            continue
        meta = definitions.metric(name).meta
        entry = Entry(
            version=definitions.version(name), effective_from=today, changed=FIRST, says=said(definitions, name),
            owner=meta.owner, agreed_by=meta.agreed_by, approved_by=by, approved_on=today, reason=reason,
        )  # fmt: skip
        _write(dbt_project, name, (entry,))
        written.append(name)
    return written


def approve(
    dbt_project: Path,
    definitions: Definitions,
    name: str,
    *,
    by: str,
    key: Path,
    reason: str,
    today: date,
    movement: Measured | None,
    numbers: Numbers | None = None,
    effective_from: date | None = None,
) -> Entry:
    """Agree to a metric's definition as it is written now, and to its numbers: add its entry, signed.

    Args:
        key: File of the approver's private key.
        movement: How far its numbers move; None if that cannot be known.
        numbers: What the metric says now of the reference company; kept with the version. None if that cannot be known.

    Raises: ApprovalError; nothing is written.
    """
    entries = history(dbt_project, name)
    if name not in definitions.metrics:
        raise unknown("metric", name, definitions.metrics)
    if not entries:
        raise ApprovalError(
            f"{name} has no version yet; a first one needs no signature: `tieout metrics approve --new --by {by}`"
        )
    last, meta = entries[-1], definitions.metric(name).meta
    same = last.version == definitions.version(name)
    if same and (numbers is None or numbers == agreed_numbers.read(dbt_project, name)):
        raise ApprovalError(
            f"{name} is already agreed to in this version, by {last.approved_by}. Nothing was written."
        )
    if not reason.strip():
        raise ApprovalError("say why: --reason …. Nothing was written.")
    says = said(definitions, name)
    entry = Entry(
        version=definitions.version(name), effective_from=effective_from or today,
        changed=BELOW if same else in_words(last.says, says),
        says=says, owner=meta.owner, agreed_by=meta.agreed_by, movement=movement,
        numbers=Agreed(data=numbers.data, digest=numbers.digest) if numbers else None, approved_by=by, approved_on=today, reason=reason.strip(),
    )  # fmt: skip
    signed = entry.model_copy(update={"signature": _sign(key, _signed(name, last, entry))})
    wrong = invalid(name, last, signed, approvers(dbt_project))
    if wrong:
        raise ApprovalError(f"{name}: {wrong}. Nothing was written.")
    # A kill in between leaves numbers that no version speaks of: the check says so, and agreeing again mends it.
    if numbers is not None:
        agreed_numbers.write(dbt_project, name, numbers)
    _write(dbt_project, name, (*entries, signed))
    return signed


def keep(dbt_project: Path, name: str, numbers: Numbers) -> None:
    """Keep numbers nobody has to sign for: of a first version that has none yet, or of other data.

    Raises: ApprovalError if numbers of the same data are kept, and are others.
    """
    kept = agreed_numbers.read(dbt_project, name)
    if kept is not None and kept.data == numbers.data and kept != numbers:
        raise ApprovalError(
            f"{name} says other numbers of the same data than were agreed to. Nothing was written. "
            f"Its owner agrees with `tieout metrics approve {name} --by NAME --reason …`"
        )
    agreed_numbers.write(dbt_project, name, numbers)
    entries = history(dbt_project, name)
    if len(entries) == 1 and entries[0].signature is None:
        said = Agreed(data=numbers.data, digest=numbers.digest)
        _write(dbt_project, name, (entries[0].model_copy(update={"numbers": said}),))


def rewritten(
    now: Mapping[str, tuple[Entry, ...]], then: Mapping[str, tuple[Entry, ...]], defined: Iterable[str]
) -> list[Objection]:
    """Metrics whose versions of an earlier revision are not the beginning of those of today: somebody edited history.

    Args:
        now, then: Versions by metric; what is kept of a first version's numbers may be added later.
        defined: Metrics there are today; one that is gone may take its versions with it.
    """
    found = []
    for name in sorted(then.keys() & set(defined)):
        for was, entry in zip_longest(then[name], now.get(name, ())[: len(then[name])]):
            if entry is None or _bare(entry) != _bare(was):
                message = (
                    f"version {was.version} of {was.effective_from}, which {was.approved_by} agreed to, was edited or "
                    f"taken out. Versions are only added: take {name}.yaml from git again"
                )
                found.append(Objection(name, message))
                break
    return found


def _bare(entry: Entry) -> dict[str, Any]:
    return entry.model_dump(exclude={"numbers"} if entry.signature is None else None)


def measured(moved: MetricDiff | None, publish: str) -> Measured:
    """What an entry says of a difference on the data of a publish; without one no number moves."""
    if moved is None:
        return Measured(publish=publish, numbers=0, moved=0, total="0")
    most = moved.largest
    return Measured(
        publish=publish,
        numbers=moved.numbers,
        moved=len(moved.movements),
        total=str(moved.total),
        largest=Largest(
            by=most.dim_set, period=most.period, member=most.member,
            before=None if most.before is None else str(most.before),
            after=None if most.after is None else str(most.after),
        ) if most else None,
    )  # fmt: skip


def _write(dbt_project: Path, name: str, entries: tuple[Entry, ...]) -> None:
    document = {
        "metric": name,
        "versions": [
            entry.model_dump(mode="json", exclude_none=True, exclude_defaults=True) for entry in entries
        ],
    }
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    write_whole(folder(dbt_project) / f"{name}.yaml", _HEADER + text)


# --- keys -----------------------------------------------------------------------------------------


def new_key(file: Path) -> str:
    """Make a private key in a file only its owner can read; returns the public key.

    Raises: ApprovalError if the file is there: whoever signed with it could not be verified any more.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if file.exists():
        raise ApprovalError(f"{file} is there already; it was left alone. Another one: --key FILE.")
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text.decode(), private=True)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(public).decode()


def trust(dbt_project: Path, name: str, owners: tuple[str, ...], public_key: str, title: str = "") -> None:
    """Enter an approver into access/approvers.yaml.

    Raises: ApprovalError if the name is taken.
    """
    known = approvers(dbt_project)
    if name in known:
        raise ApprovalError(f"{name} is an approver already. Remove the entry first, or take another name.")
    everyone = {**known, name: Approver(title=title, owners=owners, public_key=public_key)}
    document = {
        "approvers": {
            who: item.model_dump(mode="json", exclude_defaults=True) for who, item in everyone.items()
        }
    }
    header = "# Who may agree to changes of metric definitions, for which owners. A new line is agreed to by security.\n"
    text = header + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    write_whole(approvers_file(dbt_project), text)


def _sign(file: Path, content: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise ApprovalError(
            f"{file} cannot be read: {error.strerror}. Nothing was written. Make a key once: `tieout metrics key NAME`"
        ) from error
    except ValueError as error:
        raise ApprovalError(f"{file} holds no private key. Nothing was written.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ApprovalError(f"{file} is no Ed25519 key. Nothing was written.")
    return base64.b64encode(key.sign(content)).decode()
