"""`tieout inbox`"""

from __future__ import annotations

from typing import Annotated

import typer


def inbox(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8439,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Keep the loopback: TLS belongs before it.")
    ] = "127.0.0.1",
    show: Annotated[bool, typer.Option("--show", help="Show the open hints and leave.")] = False,
) -> None:
    """Take webhooks as hints: what came is never loaded, it only says which stream is worth a pull.

    Systems post to /SOURCE or /SOURCE/STREAM. Their contract says under `inbox` how they sign; unsigned,
    replayed or oversized deliveries are refused, repeated ones recognised. Next: `tieout refresh --hinted`.

    \b
    inbox:
      secret: env:JDY_SECRET
      signature: {header: X-JDY-Signature, algorithm: sha1, timestamp_query: timestamp,
                  signed: "{query.nonce}:{body}:{secret}:{timestamp}"}
      id: {header: X-JDY-DeliverId}
      hints: {data.formId: {5f3a…: order_head}}
    """
    from sources.contract import read_sources
    from tieout.cli.errors import CommandError
    from tieout.cli.show import table
    from tieout.ingest.intake.inbox import InboxServer, open_hints
    from tieout.settings import settings

    if show:
        rows = [
            (h.source, h.stream or "every stream", h.count, h.first_at, h.received_at)
            for h in open_hints(settings().home)
        ]
        if rows:
            table(["source", "stream", "deliveries", "since (UTC)", "last (UTC)"], rows)
        else:
            print("no open hints")
        return
    sources = read_sources(settings().sources)
    if not any(source.inbox for source in sources.values()):
        raise CommandError(
            "no contract has an `inbox`, so nobody may send anything. Nothing was started. "
            "`tieout inbox --help` shows what to write into sources/<source>/source.yaml."
        )
    try:
        server = InboxServer((host, port), settings().home, sources, lambda line: print(line, flush=True))
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from None
    with server:
        listening = f"http://{server.server_address[0]}:{server.server_address[1]}"
        print(f"taking hints for {', '.join(server.sources)} at {listening} (stop with Ctrl-C)", flush=True)
        server.serve_forever()
