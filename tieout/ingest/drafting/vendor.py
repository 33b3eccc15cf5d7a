"""Draft a contract from what a vendor's system says of its own objects: forms, bills, entity sets, sheets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sources.connectors import CONNECTORS, connector_for
from sources.connectors.connector import Ask, Connector, FieldMeta, ObjectMeta
from sources.contract import ContractError, Source
from sources.contract.references import is_reference
from tieout.ingest.drafting import Draft, read_back
from tieout.ingest.drafting.catalogue import Field, Table
from tieout.ingest.drafting.classes import sensitivity
from tieout.ingest.drafting.names import identifiers
from tieout.ingest.drafting.write import remark, scalar, title
from tieout.ingest.errors import SourceError
from tieout.strict import explained

# Ids that say nothing to a person: the column is named after its title instead.
_OPAQUE = re.compile(
    r"^(_widget_\d+|fld\w+|F\d{5,}|customfield_\d+|[0-9a-f]{20,}|D\d{6}\w*|(field|object)_[0-9A-Za-z]{5}__c)$"
)


@dataclass(frozen=True)
class VendorWanted:
    """What to draft. `options` are values or, for secrets, references; `objects` ids, none means all that may be read."""

    name: str
    vendor: str
    url: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[str, ...] = ()
    module: str | None = None
    owner: str = "data"
    title_zh: str | None = None
    title_en: str | None = None


def known(vendor: str) -> Connector:
    """The connector of a vendor.

    Raises: ContractError naming those there are.
    """
    if vendor not in CONNECTORS:
        raise ContractError(
            f"no connector for {vendor!r}. Nothing was drafted. There are: {', '.join(sorted(CONNECTORS))}; "
            f"a database is drafted by `tieout source draft`, any other system by docs/adding-a-source.md."
        )
    return connector_for(vendor)


def draft_vendor(wanted: VendorWanted, state: Path) -> Draft:
    """Log in, ask for the metadata and write the contract; the same metadata gives the same text.

    Args:
        state: Folder that keeps the calls of the month, for the vendor's budget.

    Raises: ContractError for options that are missing or unknown; SourceError if the system refuses.
    """
    vendor = known(wanted.vendor)
    _check_options(vendor, wanted)
    with asking(_empty(vendor, wanted), state) as ask:
        vendor.check(ask)
        objects = vendor.discover(ask, wanted.objects or None)
    # An entry of an app may be named without the app: `04b4…` for `65a0…/04b4…`.
    named = {name for item in objects for name in (item.id, item.id.rpartition("/")[2])}
    if unknown := set(wanted.objects) - named:
        raise SourceError(
            f"{wanted.name}: {vendor.en} has no object {', '.join(sorted(unknown))} that this account may read. "
            f"Nothing was drafted. Without --objects everything is drafted."
        )
    if not objects:
        raise SourceError(
            f"{wanted.name}: {vendor.en} shows this account no object at all. Nothing was drafted. "
            f"Ask the owner of the system to grant the account what it should read."
        )
    text = "\n".join([*_head(vendor, wanted, objects), *_streams(objects)]) + "\n"
    read_back(text)
    notes = [f"{item.id} ({item.title}): {item.doubt}" for item in objects if item.doubt]
    return Draft(text, len(objects), sum(len(item.fields) for item in objects), tuple(notes))


class asking:
    """A connection for questions about metadata, within the source's limits. Use as a context.

    Gives an `Ask` whose errors are SourceErrors in the vendor's words.
    """

    def __init__(self, source: Source, state: Path) -> None:
        self.source, self.state = source, state

    def __enter__(self) -> Ask:
        from tieout.ingest.intake.http.auth import Signer
        from tieout.ingest.intake.http.client import Client
        from tieout.ingest.intake.http.metadata import asker
        from tieout.ingest.intake.http.values import Secrets
        from tieout.ingest.manners import Manners

        secrets = Secrets(self.source)
        manners = Manners(self.source, self.state / f"{self.source.name}.json", lambda: datetime.now(UTC))
        client = Client(self.source, Signer(self.source, secrets), manners, secrets)
        self._session = client.session
        return asker(client)

    def __exit__(self, *_: object) -> None:
        self._session.close()


def _check_options(vendor: Connector, wanted: VendorWanted) -> None:
    names = {option.name for option in vendor.options}
    if unknown := set(wanted.options) - names:
        raise ContractError(
            f"{wanted.name}: {vendor.en} has no option {', '.join(sorted(unknown))}. Nothing was drafted. "
            f"It has: {', '.join(option.name for option in vendor.options)}."
        )
    for option in vendor.options:
        value = wanted.options.get(option.name)
        if value is None and option.default is None:
            raise ContractError(
                f"{wanted.name}: {vendor.en} needs --option {option.name}=… ({option.zh} / {option.en}). Nothing was drafted."
            )
        if value is not None and option.secret and not is_reference(value):
            raise ContractError(
                f"{wanted.name}: option {option.name} is a secret: give a reference (env:NAME, file:PATH or secret:NAME), "
                f"never the secret itself. Nothing was drafted."
            )
    if not (wanted.url or vendor.url):
        raise ContractError(f"{wanted.name}: {vendor.en} needs --url: its address. Nothing was drafted.")


def _document(vendor: Connector, wanted: VendorWanted) -> dict[str, Any]:
    return {
        "source": wanted.name,
        "title": {"zh": wanted.title_zh or vendor.zh, "en": wanted.title_en or vendor.en},
        "module": wanted.module or vendor.module,
        "owner": wanted.owner,
        "connector": wanted.vendor,
        "connection": {"url": wanted.url or vendor.url, "options": dict(wanted.options)},
        "class": "L2",
        "schedule": {"cron": "15 2 * * *"},
        "streams": {},
    }


def _empty(vendor: Connector, wanted: VendorWanted) -> Source:
    """The contract before it has streams: enough to log in."""
    from pydantic import ValidationError

    try:
        return Source.model_validate(_document(vendor, wanted))
    except ValidationError as error:
        raise ContractError(f"{wanted.name}: {explained(error)}. Nothing was drafted.") from None


def _head(vendor: Connector, wanted: VendorWanted, objects: list[ObjectMeta]) -> list[str]:
    said = _document(vendor, wanted)
    options = [f"    {name}: {scalar(value)}" for name, value in wanted.options.items()]
    return [
        f"# Drafted by `tieout source add {wanted.vendor}` from the metadata of {vendor.en}: {len(objects)} objects.",
        "# It loads as it is. A line without a remark is as the system declares it; `guess:` and `proposal:` are ours.",
        "# Then say what only people know: units, currencies, tax, code lists, lateness, owners.",
        f"source: {wanted.name}",
        f"title: {{zh: {scalar(said['title']['zh'])}, en: {scalar(said['title']['en'])}}}",
        f"module: {said['module']}",
        f"owner: {scalar(wanted.owner)}",
        f"connector: {wanted.vendor}",
        "connection:",
        f"  url: {scalar(said['connection']['url'])}",
        *(["  options:", *options] if options else []),
        "class: L2",
        'schedule: {cron: "15 2 * * *"}',
        "streams:",
    ]


def _streams(objects: Iterable[ObjectMeta]) -> list[str]:
    every = list(objects)
    names = _names((item.id, item.title) for item in every)
    lines: list[str] = []
    for item in every:
        lines += ["", *_stream(names[item.id], item, names)]
    return lines[1:]


def _names(things: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Id → ASCII name; what has an opaque id is named after its title."""
    said = [(one, one if one.isascii() and not _OPAQUE.match(one) else f"{label}") for one, label in things]
    times: dict[str, int] = {}
    for _, label in said:
        times[label] = times.get(label, 0) + 1
    labels = {one: label if times[label] == 1 else f"{label} {one}" for one, label in said}
    made = identifiers(labels.values())
    return {one: made[label] for one, label in labels.items()}


def _stream(name: str, item: ObjectMeta, names: Mapping[str, str]) -> list[str]:
    ids = _names((part.id, part.title) for part in item.fields)
    key = [ids[part] for part in item.key]
    cursor = [ids[part] for part in item.cursor]
    more = dict(item.stream or {})
    if item.parent:
        more["request"] = {"parent": names[item.parent], **more.get("request", {})}
    load = more.pop("load", "incremental" if cursor else "full")
    lines = [
        f"  {scalar(name)}:{remark(item.doubt and f'guess: {item.doubt}')}",
        f"    title: {title(item.id, item.title)}",
        f"    grain: {scalar('one row per ' + ' and '.join(key))}",
        f"    object: {scalar(item.id)}",
        f"    key: [{', '.join(map(scalar, key))}]",
        f"    load: {load}",
        *([f"    cursor: [{', '.join(map(scalar, cursor))}]"] if cursor else []),
        *(f"    {part}: {json.dumps(value, ensure_ascii=False)}" for part, value in more.items()),
        *([] if "allow_empty" in more else ["    allow_empty: at_first"]),
        "    columns:",
    ]
    return [*lines, *(_column(item, part, ids[part.id], part.id in item.key) for part in item.fields)]


def _column(item: ObjectMeta, part: FieldMeta, name: str, is_key: bool) -> str:
    level, why = sensitivity(
        Table(item.title, None, item.title, ()), Field(part.title, part.kind, nullable=not part.required), ()
    )
    level = "L3" if part.personal and level is None else level
    parts = [f"from: {scalar(part.path)}"] if part.path != name else []
    parts.append(f"type: {json.dumps(part.type) if '(' in part.type else part.type}")
    if part.required or is_key:
        parts.append("required: true")
    parts += [
        f"{said}: {scalar(value)}"
        for said, value in (("unit", part.unit), ("currency", part.currency))
        if value
    ]
    if level:
        parts.append(f"class: {level}")
    parts.append(f"title: {title(part.id, part.title)}")
    remarks = [f"guess: {part.doubt}" if part.doubt else None, f"proposal: personal, {why}" if why else None]
    if part.options:
        remarks.append("codes: " + ", ".join(f"{code} {words}" for code, words in part.options[:8]))
    if part.refers:
        remarks.append(f"refers to {part.refers}")
    return (
        f"      {scalar(name)}: {{{', '.join(parts)}}}{remark('; '.join(item for item in remarks if item))}"
    )
