"""A total of the whole system, asked of it: `SourceControl.ask` is `/report/balance?period=2026-11#data.total`."""

from __future__ import annotations

import time

from sources.contract import Source
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.ask import Ask
from tieout.ingest.intake.http.client import KEPT, Call
from tieout.ingest.intake.http.pull import opened
from tieout.ingest.intake.http.values import at, filled
from tieout.ingest.landing import Landing
from tieout.ingest.manners import Pause


def ask_control(source: Source, landing: Landing, ask: Ask, what: str, *, pause: Pause = time.sleep) -> str:
    """The one number at `path#where`, as the system writes it.

    Raises: SourceError if the system does not answer, or its answer has no number there.
    """
    path, mark, where = what.partition("#")
    if not mark:
        raise SourceError(
            f"{source.name}: the control {what!r} does not say where its number is; write /path#data.total."
        )
    client = opened(source, landing, ask, pause)()
    http = client.http
    values = client.signer.options

    def part(template: object) -> dict[str, str]:
        return filled(client.secrets.everywhere(template, "http"), values) or {}

    call = Call(
        f"{source.name}: control {path}",
        "get",
        client.url(filled(path, values)),
        part(http.params),
        part(http.headers),
    )
    number = at(client.ask(call).document, where)
    try:
        if isinstance(number, bool):
            raise ValueError
        float(str(number))
    except ValueError:
        raise SourceError(
            f"{source.name}: control {path}: the answer has no number at {where}. {KEPT} Check `controls`."
        ) from None
    return str(number)
