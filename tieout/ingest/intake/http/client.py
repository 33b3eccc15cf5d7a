"""One request until it is answered: signed, in its turn, bounded, judged, and asked again where that is safe.

Only reads are made here (GET, and POST that a contract declares as a query), so every request may be repeated.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sources.contract import Source, duration
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.answer import Answer, NotThatFormat, read_answer
from tieout.ingest.intake.http.auth import Signer
from tieout.ingest.intake.http.values import Secrets
from tieout.ingest.intake.http.verdict import Verdict, verdict
from tieout.ingest.manners import Manners, retry_after

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 16
REDIRECTS = 5
SLOW = (
    10  # a page may take so many times `limits.timeout` in all; the timeout itself is of each wait for bytes
)
KEPT = "Nothing of it was loaded; what was loaded before stays."


class Unreachable(SourceError):
    """The system did not answer in spite of all attempts; what was fetched so far is kept for the next pull."""


class _Again(Exception):
    """This attempt failed in a way that may pass; `after`: seconds the server asks us to wait."""

    def __init__(self, why: str, after: float | None = None, advice: str | None = None) -> None:
        super().__init__(why)
        self.after, self.advice = after, advice


class _SessionOver(Exception):
    """The system says that our session has ended."""

    def __init__(self, why: str, advice: str | None = None) -> None:
        super().__init__(why)
        self.advice = advice


@dataclass(frozen=True)
class Call:
    """One request without who sends it; `where` names it in messages (source.stream, path)."""

    where: str
    method: str
    url: str
    params: dict[str, Any] | None = None
    headers: dict[str, str] | None = None
    body: Any = None
    form: dict[str, Any] | None = None


class Client:
    """Asks one system. Not shared between threads, but its signer and manners are."""

    def __init__(self, source: Source, signer: Signer, manners: Manners, secrets: Secrets) -> None:
        import requests

        assert source.http is not None
        self.source, self.http, self.limits = source, source.http, source.limits
        self.signer, self.manners, self.secrets = signer, manners, secrets
        self.base = source.place().rstrip("/") + "/"
        self.session = requests.Session()
        self.calls = self.retries = 0

    def url(self, path: str) -> str:
        """A path below the connection's address, or an address of the same server.

        Raises: SourceError for an address elsewhere: it would be sent our credentials.
        """
        url = path if "://" in path else self.base + path.lstrip("/")
        if _server(url) != _server(self.base):
            raise SourceError(
                f"{self.source.name}: the address {_plain(url)} is not on {_plain(self.base)}; it would be sent our "
                f"credentials. {KEPT} Ask the owner of the system, then change connection.url."
            )
        return url

    def ask(self, call: Call) -> Answer:
        """The judged answer.

        Raises: Unreachable after the last attempt; Refused by the limits; SourceError for any other answer.
        """
        renewed = False
        attempt = 0
        while True:
            self.signer.ready(self._login)
            generation = self.signer.generation
            try:
                return self._attempt(call, signed=True)
            except _SessionOver as over:
                if renewed or not self.signer.renewable:
                    advice = over.advice or "Check the account's rights and http.auth."
                    raise SourceError(
                        f"{call.where}: {over}, {'even just after a new login' if renewed else 'and there is no login to repeat'}. "
                        f"{KEPT} {advice}"
                    ) from None
                renewed = True
                self.signer.forget(generation)
            except _Again as again:
                self._wait(call, attempt, again)
                attempt += 1

    def _wait(self, call: Call, attempt: int, again: _Again) -> None:
        if attempt >= self.limits.retries:
            raise Unreachable(
                f"{call.where}: {self.secrets.redacted(str(again))}, {attempt + 1} times in a row. {KEPT} "
                f"{again.advice + ' ' if again.advice else ''}Pages already here are kept: repeat when the system is well."
            ) from None
        self.retries += 1
        self.manners.wait(self.manners.backoff(attempt, again.after))

    def _login(self, method: str, path: str, **parts: Any) -> Any:
        call = Call(f"{self.source.name}: login {path}", method, self.url(path), **parts)
        attempt = 0
        while True:
            try:
                return self._attempt(call, signed=False).document
            except _SessionOver as over:
                raise SourceError(
                    f"{call.where}: {over}. {KEPT} {over.advice or 'Check the account and http.auth.'}"
                ) from None
            except _Again as again:
                self._wait(call, attempt, again)
                attempt += 1

    # --- one attempt ---

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """Proxies and certificates of the environment: the same for all requests, which go to one server."""
        return dict(self.session.merge_environment_settings(self.base, {}, True, None, None))

    def _attempt(self, call: Call, *, signed: bool) -> Answer:
        import requests
        import urllib3

        with self.manners.turn():
            self.calls += 1
            try:
                status, headers, body, links = self._exchange(call, signed)
            except (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
                raise _Again(f"no answer within {self.limits.timeout}") from None
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
                raise SourceError(f"{call.where}: {_plain(call.url)} is no address. {KEPT}") from None
            except requests.exceptions.SSLError:
                raise SourceError(
                    f"{call.where}: the certificate of {_plain(self.base)} is not trusted. {KEPT} "
                    f"Install its authority on this machine; verification is never switched off."
                ) from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise _Again(f"the connection broke ({type(error).__name__})") from None
        return self._judged(call, status, headers, body, links)

    def _exchange(self, call: Call, signed: bool) -> tuple[int, Any, bytes, dict[str, Any]]:
        """Status, headers, bounded body and Link header, after redirects on the same server."""
        import requests

        timeout = duration(self.limits.timeout).total_seconds()
        url, method = call.url, call.method.upper()
        for _ in range(REDIRECTS + 1):
            headers = {"Accept": "application/xml" if self.http.format == "xml" else "application/json"}
            request = requests.Request(
                method,
                url,
                params=call.params if url == call.url else None,
                headers={**headers, **(call.headers or {})},
                data=_form(call.form),
                json=call.body,
                auth=self.signer.sign if signed else _nobody,
            )
            prepared = self.session.prepare_request(request)
            answer = self.session.send(prepared, timeout=timeout, allow_redirects=False, **self._settings)
            with answer:
                if answer.status_code not in {301, 302, 303, 307, 308}:
                    body = self._body(call, answer, timeout)
                    return answer.status_code, answer.headers, body, answer.links
                url = self._redirected(call, answer, url)
        raise SourceError(
            f"{call.where}: the server redirects in a circle ({REDIRECTS} times and more). {KEPT} "
            f"Check connection.url and the path."
        )

    def _redirected(self, call: Call, answer: requests.Response, url: str) -> str:
        target = urljoin(url, answer.headers.get("Location", ""))
        if call.method == "post" and answer.status_code in {301, 302, 303}:
            raise SourceError(
                f"{call.where}: the server answers a query with a redirect to {_plain(target)}: a login page? {KEPT} "
                f"Check connection.url, the path and http.auth."
            )
        return self.url(target)

    def _body(self, call: Call, answer: requests.Response, timeout: float) -> bytes:
        """The body, unpacked, never more than the page bound, never slower than the whole page may be."""
        bound = self.limits.page_megabytes * 1_000_000
        until = time.monotonic() + SLOW * timeout
        parts: list[bytes] = []
        size = 0
        while chunk := answer.raw.read(CHUNK, decode_content=True):
            parts.append(chunk)
            size += len(chunk)
            if size > bound:
                raise SourceError(
                    f"{call.where}: the answer is larger than {self.limits.page_megabytes} MB. {KEPT} "
                    f"Ask for fewer rows a page, or raise limits.page_megabytes."
                )
            if time.monotonic() > until:
                raise _Again(f"the answer did not end within {SLOW * timeout:.0f} s")
        return b"".join(parts)

    # --- judging ---

    def _judged(self, call: Call, status: int, headers: Any, body: bytes, links: dict[str, Any]) -> Answer:
        errors = self.http.errors
        now = self.manners.clock()
        after = retry_after(headers.get("Retry-After"), now)
        if after is None and errors.wait:
            after = retry_after(headers.get(errors.wait), now)
        try:
            kind = "xml" if "xml" in (call.headers or {}).get("Accept", "") else self.http.format
            answer = read_answer(body, headers.get("Content-Type", ""), kind, links)
        except NotThatFormat as not_that:
            wrong = verdict(errors, status, None, self.secrets)
            if wrong is None and not_that.cut_short:
                raise _Again(str(not_that)) from None
            if wrong is None:
                raise SourceError(
                    f"{call.where}: {not_that}. {KEPT} Check the path, and whether we are logged in."
                ) from None
        else:
            wrong = verdict(errors, status, answer.document, self.secrets)
            if wrong is None:
                return answer
        raise self._failure(call, wrong, after)

    def _failure(self, call: Call, wrong: Verdict, after: float | None) -> Exception:
        """What to raise for an answer that tells of an error."""
        told, advice = wrong.told, wrong.advice
        if wrong.kind == "retry":
            return _Again(told, after, advice)
        if wrong.kind == "expired":
            return _SessionOver(f"the session has ended: {told}", advice)
        if wrong.kind == "denied":
            return self.manners.stop(
                f"{call.where}: our account is not accepted: {told}. Nothing more was asked of {self.source.name} in "
                f"this pull, lest the account be locked; what was loaded before stays. "
                f"{advice or 'Check the secret and http.auth.'}"
            )
        if wrong.kind == "quota":
            return self.manners.stop(
                f"{call.where}: the calls that the vendor allows are used up: {told}. Nothing more was asked of "
                f"{self.source.name} in this pull; what was loaded before stays, and pages already here are kept. "
                f"{advice or 'Wait for the next period, or ask the vendor for more.'}"
            )
        if wrong.kind == "scope":
            return SourceError(
                f"{call.where}: this object is not granted to us: {told}. {KEPT} Other streams go on. "
                f"{advice or 'Ask the administrator of the system to grant the right that it names.'}"
            )
        return SourceError(f"{call.where}: {told}. {KEPT} {advice}")


def _nobody(request: Any) -> Any:
    """Signs nothing, and keeps requests from looking for a password in ~/.netrc."""
    return request


def _form(form: dict[str, Any] | None) -> dict[str, str] | None:
    """Form fields; a field that is itself a structure is sent as JSON text, as Kingdee's `data` is."""
    if form is None:
        return None
    return {
        key: json.dumps(part, ensure_ascii=False) if isinstance(part, dict | list) else str(part)
        for key, part in form.items()
    }


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _plain(url: str) -> str:
    """An address without user, query and fragment, which may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
