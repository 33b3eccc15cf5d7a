"""Which streams a run is about: all of them, some by name, one window of one, or all of some from the beginning."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from sources.contract import ContractError, Source
from tieout.ingest.intake.ask import Ask, Window


@dataclass(frozen=True)
class Wanted:
    """What a run pulls. `names` are `source` or `source.stream`; none means everything.

    `full` reads streams with a cursor from the beginning; `window` reads one part of one stream again.
    """

    names: tuple[str, ...] = ()
    full: bool = False
    window: Window | None = None

    def asks(
        self, sources: dict[str, Source], now: datetime, off: Container[str] = frozenset()
    ) -> dict[str, Ask]:
        """One question a source.

        Args:
            off: Sources that are switched off: they are left alone.

        Raises: ContractError naming what is not a source or a stream (and what there is), or is switched off.
        """
        if not self.names:
            return {name: Ask(now, full=self.full, window=self.window) for name in sources if name not in off}
        for name in dict.fromkeys(item.partition(".")[0] for item in self.names):
            if name in sources and name in off:
                raise ContractError(
                    f"{name} is switched off. Nothing was done. `tieout source on {name}` switches it on."
                )
        return {
            name: Ask(now, streams, self.window, self.full)
            for name, streams in _named(sources, self.names).items()
        }


def _named(sources: dict[str, Source], names: Iterable[str]) -> dict[str, frozenset[str] | None]:
    found: dict[str, frozenset[str] | None] = {}
    for item in names:
        name, _, stream = item.partition(".")
        if name not in sources:
            raise ContractError(
                f"there is no source {name!r}. Nothing was done. There are: {', '.join(sources)}."
            )
        if not stream:
            found[name] = None
        elif stream not in sources[name].streams:
            raise ContractError(
                f"{name} has no stream {stream!r}. Nothing was done. It has: {', '.join(sources[name].streams)}."
            )
        else:
            known = found.get(name, frozenset())
            found[name] = None if known is None else known | {stream}
    return found
