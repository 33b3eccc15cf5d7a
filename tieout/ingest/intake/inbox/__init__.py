"""The webhook inbox: a system says that something has changed, and a pull of that stream is worth while now.

A webhook is only ever a hint. What it carries is not kept and never loaded: systems do not send webhooks for
imports, batch edits or their own API, send them twice, late and out of order. The batch pull stays the truth.
"""

from tieout.ingest.intake.inbox.server import PORT, InboxServer
from tieout.ingest.intake.inbox.store import Hint, hinted_streams, open_hints, receive, settle

__all__ = ["PORT", "Hint", "InboxServer", "hinted_streams", "open_hints", "receive", "settle"]
