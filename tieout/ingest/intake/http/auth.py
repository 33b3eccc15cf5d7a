"""Who we are: applied to every attempt anew, so that a signature is never older than the attempt it signs.

(dlt's client signs once and its retry sends the same signed request again; its auth classes, and ours of
`sources.connectors`, plug in here as `kind: custom`.)
"""

from __future__ import annotations

import base64
import importlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sources.contract import ContractError, Source
from sources.contract.http_auth import Auth, Basic, Bearer, Custom, Key, OAuth2, Session
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.values import Secrets, at, filled

if TYPE_CHECKING:
    from requests import PreparedRequest

# A token is renewed so long (seconds) before it ends, for the request that carries it takes time too.
EARLY = 30.0
Exchange = Callable[..., Any]  # sends one request without auth and returns the answer's document


class Signer:
    """Signs requests of one source. One for all threads: a session is shared, and renewed once for all."""

    def __init__(self, source: Source, secrets: Secrets) -> None:
        assert source.http is not None
        self.source, self.secrets = source.name, secrets
        self.auth: Auth | None = source.http.auth
        self.options = {f"options.{key}": value for key, value in source.options().items()}
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends = float("inf")
        self.generation = 0  # of the token: how often we logged in
        self._refused: str | None = None  # a wrong secret that is sent again and again locks an account
        self._custom: Any = self._make(self.auth) if isinstance(self.auth, Custom) else None

    @property
    def renewable(self) -> bool:
        return isinstance(self.auth, OAuth2 | Session) or hasattr(self._custom, "login")

    def ready(self, exchange: Exchange) -> None:
        """Log in if there is no session, or it is about to end.

        Raises: SourceError if the login fails.
        """
        if not self.renewable:
            return
        with self._lock:
            if self._token is None or time.monotonic() > self._ends - EARLY:
                if self._refused:
                    raise SourceError(self._refused)
                try:
                    self._login(exchange)
                except SourceError as error:
                    if type(error) is SourceError:  # not what may pass, nor what the limits refuse
                        self._refused = str(error)
                    raise

    def forget(self, generation: int) -> None:
        """The session of this generation is over, the system says; another thread may have a newer one already."""
        with self._lock:
            if self.generation == generation:
                self._token = None

    def sign(self, request: PreparedRequest) -> PreparedRequest:
        auth = self.auth
        if isinstance(auth, Bearer):
            request.headers["Authorization"] = f"Bearer {self._of(auth.token)}"
        elif isinstance(auth, Basic):
            pair = f"{self._of(auth.username)}:{self._of(auth.password)}"
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif isinstance(auth, Key):
            self._put(request, auth.prefix + self._of(auth.value), **{auth.kind: auth.name})
        elif isinstance(auth, OAuth2):
            self._put(request, f"Bearer {self._token}", header="Authorization")
        elif isinstance(auth, Session):
            self._put(request, f"{auth.prefix}{self._token}", auth.header, auth.query, auth.cookie)
        elif self._custom is not None:
            return self._custom(request)
        return request

    def _of(self, reference: str) -> str:
        value = self.secrets.of(reference, "http.auth")
        if not value.isascii():
            raise ContractError(
                f"{self.source}: http.auth: the value of {reference} is no ASCII text. Nothing was read."
            )
        return value

    def _put(
        self,
        request: PreparedRequest,
        value: str,
        header: str | None = None,
        query: str | None = None,
        cookie: str | None = None,
    ) -> None:
        if header:
            request.headers[header] = value
        elif cookie:
            before = request.headers.get("Cookie")
            request.headers["Cookie"] = f"{before}; {cookie}={value}" if before else f"{cookie}={value}"
        elif query:
            request.url = with_query(request.url or "", query, value)

    def _login(self, exchange: Exchange) -> None:
        auth = self.auth
        if isinstance(auth, OAuth2):
            form = {
                "grant_type": "client_credentials",
                **{key: self._of(item) for key, item in auth.data.items()},
            }
            if auth.scope:
                form["scope"] = auth.scope
            headers = {}
            pair = (self._of(auth.client_id), self._of(auth.client_secret))
            if auth.send == "basic":
                headers["Authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
            else:
                form |= {"client_id": pair[0], "client_secret": pair[1]}
            answer = exchange("post", auth.url, form=form, headers=headers)
            token, lives = at(answer, "access_token"), at(answer, "expires_in")
            where = "access_token"
        elif self._custom is not None:
            token, lives = self._own_login(exchange)
            where = "its place"
        else:
            assert isinstance(auth, Session)
            parts = {
                name: filled(self.secrets.everywhere(part, f"http.auth.{name}"), self.options)
                for name, part in (("params", auth.params), ("body", auth.body), ("form", auth.form))
            }
            answer = exchange(auth.method, auth.path, **parts)
            token, lives = at(answer, auth.token), at(answer, auth.expires)
            where = auth.token
        if not isinstance(token, str | int) or token == "":
            raise SourceError(
                f"{self.source}: the login was answered, but holds no token at {where}. Nothing was read. "
                f"Check the account and http.auth in sources/{self.source}/source.yaml."
            )
        self._token = str(token)
        self.secrets.learn("token", self._token)
        self._ends = time.monotonic() + float(lives) if isinstance(lives, int | float | str) else float("inf")
        self.generation += 1

    def _own_login(self, exchange: Exchange) -> tuple[str, float | None]:
        """The token that a class of ours got by its own recipe, and the seconds it lives."""
        try:
            return self._custom.login(exchange)
        except ValueError as refused:
            raise SourceError(
                f"{self.source}: {self.secrets.redacted(str(refused))} Nothing more was asked; "
                f"what was loaded before stays."
            ) from None

    def _make(self, auth: Custom) -> Callable[[PreparedRequest], PreparedRequest]:
        module, _, name = auth.use.partition(":")
        # Not `_of`: people's names are Chinese; what goes into a header is the class's business.
        arguments = {key: self.secrets.of(item, "http.auth") for key, item in auth.arguments.items()}
        try:
            return getattr(importlib.import_module(module), name)(**arguments)
        except ValueError as error:
            raise ContractError(
                f"{self.source}: http.auth: {self.secrets.redacted(str(error))}. Nothing was read. "
                f"Check connection.options in sources/{self.source}/source.yaml."
            ) from None
        except (ImportError, AttributeError, TypeError) as error:
            raise ContractError(
                f"{self.source}: http.auth: {auth.use} cannot be used: {type(error).__name__}. Nothing was read. "
                f"Check `use` and the names of `arguments`."
            ) from None

    def __repr__(self) -> str:
        return f"Signer({self.source})"


def with_query(url: str, name: str, value: str) -> str:
    """The address with one query parameter set (and not twice: a next link may carry it already)."""
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    parts = urlsplit(url)
    kept = [item for item in parse_qsl(parts.query, keep_blank_values=True) if item[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*kept, (name, value)])))
