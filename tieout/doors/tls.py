"""The TLS front of the SQL door, since the embedded PostgreSQL is built without OpenSSL.

It speaks the first bytes of the PostgreSQL protocol (SSLRequest, then TLS), looks at the startup message,
and from there pipes bytes both ways; SCRAM passes through unchanged. A clear-text startup is refused with
a proper error, so no password or row ever crosses a network unencrypted. `channel_binding=require` cannot
work through a front and is refused by the server.

PostgreSQL sees 127.0.0.1 for everybody: the front's log has one line when a connection opens and one when
it ends, with the client's address and the front's own port, which is ``remote_port`` in PostgreSQL's log.

Source: postgresql.org/docs/18/protocol-flow.html, sections SSL session encryption and cancelling requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import ipaddress
import json
import logging
import os
import signal
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

log = logging.getLogger(__name__)

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
TLS_HANDSHAKE = 0x16  # first byte of a client that starts TLS without asking (sslnegotiation=direct)
ALPN = "postgresql"
LONGEST_STARTUP = 10_000  # PostgreSQL's own limit, in bytes
CHUNK = 256 * 1024
# Nobody comes in from outside as these: reports run as a person, never as the owner.
OWNERS = frozenset({"tieout", "tieout_owner", "postgres"})

CERTIFICATE_DAYS = 825
CA_DAYS = 3650
RENEW_BEFORE = dt.timedelta(days=30)

Address = tuple[str, int]


# -- certificates -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificates:
    """Files of one door. Clients need ``ca`` only (``sslmode=verify-full sslrootcert=<ca>``)."""

    ca: Path
    certificate: Path
    key: Path
    hostnames: tuple[str, ...] = ()


def certificates(
    folder: Path, hostnames: Sequence[str] = (), *, now: dt.datetime | None = None
) -> Certificates:
    """A local authority and a server certificate signed by it; made once, renewed near their end.

    Args:
        folder: Where the four files live; keys are readable by the owner only.
        hostnames: Further names or addresses of this machine, beside localhost, 127.0.0.1 and ::1.
        now: Aware time; default is the clock.

    A new authority (every ten years) has to be handed to the clients again; a new server certificate not.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = now or dt.datetime.now(dt.UTC)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_file, ca_key_file = folder / "ca.crt", folder / "ca.key"
    files = Certificates(ca_file, folder / "server.crt", folder / "server.key", tuple(hostnames))

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(
        subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))  # clocks of clients may be behind
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def usage(*, sign: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not sign,
            key_cert_sign=sign,
            crl_sign=sign,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    def save(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, to: Path, key_to: Path) -> None:
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _write(key_to, secret, 0o600)
        _write(to, certificate.public_bytes(pem), 0o644)

    def load(file: Path, key_file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        """The pair of files, or None when they are missing, near their end, or do not belong together."""
        try:
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        except (FileNotFoundError, ValueError):
            return None
        fresh = certificate.not_valid_after_utc - now > RENEW_BEFORE
        if not (
            fresh
            and isinstance(key, ec.EllipticCurvePrivateKey)
            and key.public_key() == certificate.public_key()
        ):
            return None
        return certificate, key

    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ca = load(ca_file, ca_key_file)
        if ca is None:
            key = ec.generate_private_key(ec.SECP256R1())
            subject = name(f"Tieout local authority {now:%Y-%m-%d}")
            made = (
                builder(subject, subject, key.public_key(), CA_DAYS)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(usage(sign=True), critical=True)
                .sign(key, hashes.SHA256())
            )
            save(made, key, ca_file, ca_key_file)
            ca = made, key
            log.info("made a certificate authority: %s; hand it to the clients", ca_file)
        ca_certificate, ca_key = ca

        wanted = x509.SubjectAlternativeName(_names(("localhost", "127.0.0.1", "::1", *hostnames)))
        server = load(files.certificate, files.key)
        if server is not None:
            held = server[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            try:
                server[0].verify_directly_issued_by(ca_certificate)
            except Exception:  # whatever is wrong with it, a new one is right
                held = None
            if held == wanted:
                return files
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        made = (
            builder(name("localhost"), ca_certificate.subject, key.public_key(), CERTIFICATE_DAYS)
            .add_extension(wanted, critical=False)
            .add_extension(authority, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        save(made, key, files.certificate, files.key)
    return files


def _names(names: Sequence[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _write(path: Path, content: bytes, mode: int) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


# -- the protocol's first bytes ------------------------------------------------------------------------


class StartupError(ValueError):
    """A first message we do not let through; ``code`` is the SQLSTATE the client is told."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def error_response(code: str, message: str) -> bytes:
    """An ErrorResponse of severity FATAL, as PostgreSQL itself would send it."""
    fields = b"".join(
        kind + text.encode() + b"\0"
        for kind, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", message))
    )
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"


def startup_parameters(body: bytes) -> dict[str, str]:
    """Parameters of a startup message; ``body`` is what follows the length.

    Raises: `StartupError` for anything but an ordinary session of protocol 3.
    """
    (version,) = struct.unpack_from("!I", body)
    if version >> 16 != 3:
        raise StartupError(
            "08P01", f"Protocol {version >> 16}.{version & 0xFFFF} is not spoken here; use protocol 3."
        )
    parts = body[4:].split(b"\0")
    if len(parts) < 2 or parts[-2:] != [b"", b""] or len(parts) % 2:
        raise StartupError("08P01", "The startup message is not well formed.")
    try:
        texts = [part.decode() for part in parts[:-2]]
    except UnicodeDecodeError:
        raise StartupError("08P01", "The startup message is not UTF-8.") from None
    parameters = dict(zip(texts[::2], texts[1::2], strict=True))
    if not parameters.get("user"):
        raise StartupError("28000", "No user name was sent.")
    if "replication" in parameters:
        raise StartupError("28000", "Replication is not offered through this door.")
    return parameters


# -- the front --------------------------------------------------------------------------------------


@dataclass
class _Visit:
    """One connection, for the log."""

    client: str
    start: dt.datetime
    user: str | None = None
    database: str | None = None
    application: str | None = None
    upstream_port: int | None = None
    to_client: int = 0
    from_client: int = 0
    outcome: str = "closed"


@dataclass
class TlsFront:
    """A TLS listener in front of a PostgreSQL that only listens on loopback.

    Args:
        upstream: Address of PostgreSQL, or a function giving it, asked at each connection (its port may
            change when it is started again).
        files: From `certificates`.
        host: Where to listen. The default is this machine only; "0.0.0.0" lets others in.
        port: 0 chooses a free one; see `port` after `start`.
        log_file: JSON lines, one when a connection opens, one when it ends.
        owners: Users refused here.
        limit: Connections at one time.
        startup_seconds: What a client may take for TLS and its first message.
    """

    upstream: Address | Callable[[], Address]
    files: Certificates
    host: str = "127.0.0.1"
    port: int = 0
    log_file: Path | None = None
    owners: frozenset[str] = OWNERS
    limit: int = 200
    startup_seconds: float = 10.0
    _context: ssl.SSLContext = field(init=False, repr=False)
    _sockets: list[socket.socket] = field(init=False, repr=False, default_factory=list)
    _accepting: list[asyncio.Task] = field(init=False, repr=False, default_factory=list)
    _visits: set[asyncio.Task] = field(init=False, repr=False, default_factory=set)

    def __post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_alpn_protocols([ALPN])
        self._context.load_cert_chain(self.files.certificate, self.files.key)

    def renew_certificates(self) -> None:
        """Renew what nears its end; connections from now on get the files as they are then."""
        self.files = certificates(self.files.ca.parent, self.files.hostnames)
        self._context.load_cert_chain(self.files.certificate, self.files.key)

    async def start(self) -> None:
        """Bind and accept. Raises: `OSError` when the address is taken; nothing is left open then."""
        if self.log_file:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                sock = socket.create_server((address[0], self.port), family=family, backlog=128)
                sock.setblocking(False)
                self.port = sock.getsockname()[1]  # further addresses of the host get the same port
                self._sockets.append(sock)
        except OSError:
            self._close_listeners()
            raise
        self._accepting = [asyncio.create_task(self._accept(sock)) for sock in self._sockets]
        log.info("SQL door: TLS on %s port %s", self.host, self.port)

    async def stop(self, grace: float = 5.0) -> None:
        """Take no new connection, give the present ones ``grace`` seconds, then cut them."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._close_listeners()
        if self._visits:
            await asyncio.wait(set(self._visits), timeout=grace)
        for task in set(self._visits):
            task.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def serve(
        self, until: asyncio.Event | None = None, *, opened: Callable[[], None] = lambda: None
    ) -> None:
        """Run until SIGTERM, SIGINT or ``until``; certificates are looked after every day.

        ``opened`` is called once, when clients can connect.
        """
        until = until or asyncio.Event()
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, until.set)
        await self.start()
        opened()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), timeout=86_400)
                    return
                self.renew_certificates()
        finally:
            await self.stop()

    @contextlib.contextmanager
    def running(self) -> Generator[TlsFront]:
        """The front in a thread of its own, for the length of a block."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="tls-front", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result(10)
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(grace=0.2), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    # -- one connection -------------------------------------------------------------------------------

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors: let some end first
                log.warning("SQL door: cannot accept: %s", error)
                await asyncio.sleep(0.5)
                continue
            sock.setblocking(False)
            task = asyncio.create_task(self._visit(sock, f"{address[0]}:{address[1]}"))
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)

    async def _visit(self, sock: socket.socket, client: str) -> None:
        visit = _Visit(client, dt.datetime.now(dt.UTC))
        try:
            await self._serve(sock, visit)
        except StartupError as refused:
            visit.outcome = f"refused: {refused}"
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as broken:
            visit.outcome = f"broken: {type(broken).__name__}: {broken}"
        except asyncio.CancelledError:
            visit.outcome = "cut: the door was closed"
        except Exception as unexpected:  # one visitor must not take the door down
            visit.outcome = f"error: {type(unexpected).__name__}: {unexpected}"
            log.exception("SQL door: connection of %s", client)
        finally:
            sock.close()
            self._write_log("end", visit, end=dt.datetime.now(dt.UTC))

    async def _serve(self, sock: socket.socket, visit: _Visit) -> None:
        async with asyncio.timeout(self.startup_seconds):
            direct = await self._until_tls(sock, visit)
            if direct is None:
                return
            reader, writer = await self._wrapped(sock, direct)
        try:
            async with asyncio.timeout(self.startup_seconds):
                first = await self._first_message(reader, writer, visit)
                upstream = await self._upstream(writer)
            up_reader, up_writer = upstream
            try:
                visit.upstream_port = up_writer.get_extra_info("sockname")[1]
                self._write_log("open", visit)
                up_writer.write(first)
                await self._pipe_both(reader, writer, up_reader, up_writer, visit)
            finally:
                up_writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            with contextlib.suppress(Exception):  # the last words may still be on their way
                async with asyncio.timeout(5.0):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _until_tls(self, sock: socket.socket, visit: _Visit) -> bool | None:
        """Answer what comes before TLS. Read byte-exact from the bare socket: whatever else was sent in
        clear text ahead of the handshake goes into the handshake and fails there, it is never taken for
        something said inside TLS (CVE-2021-23222).

        Returns: whether the client starts TLS unasked; None when it was a cancel request, now done.
        """
        loop = asyncio.get_running_loop()
        for _ in range(3):
            if await _peek(sock) == TLS_HANDSHAKE:
                return True
            length, code = struct.unpack("!II", await _exactly(sock, 8))
            if code == SSL_REQUEST and length == 8:
                await loop.sock_sendall(sock, b"S")
                return False
            if code == GSSENC_REQUEST and length == 8:
                await loop.sock_sendall(sock, b"N")
                continue
            if code == CANCEL_REQUEST and 16 <= length <= 12 + 256:
                visit.outcome = "cancel request"
                await self._cancel(struct.pack("!II", length, code) + await _exactly(sock, length - 8))
                return None
            if code >> 16 == 3:
                message = "TLS required: connect with sslmode=require or, better, sslmode=verify-full."
                await loop.sock_sendall(sock, error_response("28000", message))
                raise StartupError("28000", "clear text")
            break
        raise StartupError("08P01", "not a PostgreSQL client")

    async def _wrapped(
        self, sock: socket.socket, direct: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        # From here a duplicate belongs to the transport, which closes it in its own time. Closing it under
        # the transport would hand its number to the next visitor while the loop still watches it.
        owned = sock.dup()
        sock.close()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, owned, ssl=self._context)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        if direct and chosen != ALPN:  # as PostgreSQL: it might be another protocol misdirected here
            transport.abort()
            raise StartupError("08P01", "TLS without the protocol name postgresql")
        return reader, writer

    async def _first_message(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, visit: _Visit
    ) -> bytes:
        """The startup (or, from newer clients, cancel) message inside TLS, checked."""
        head = await reader.readexactly(4)
        (length,) = struct.unpack("!I", head)
        try:
            if not 8 <= length <= LONGEST_STARTUP:
                raise StartupError("08P01", "The startup message has an impossible length.")
            body = await reader.readexactly(length - 4)
            if struct.unpack_from("!I", body)[0] == CANCEL_REQUEST:
                visit.outcome = "cancel request"
                return head + body
            parameters = startup_parameters(body)
            visit.user = parameters["user"]
            visit.database = parameters.get("database", visit.user)
            visit.application = parameters.get("application_name")
            if visit.user in self.owners:
                raise StartupError(
                    "28000", f'The user "{visit.user}" is not let in here; connect as yourself.'
                )
            if len(self._visits) > self.limit:
                raise StartupError("53300", f"The door is full: {self.limit} connections.")
        except StartupError as refused:
            writer.write(error_response(refused.code, str(refused)))
            await writer.drain()
            raise
        return head + body

    async def _upstream(
        self, writer: asyncio.StreamWriter | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            host, port = self.upstream if isinstance(self.upstream, tuple) else self.upstream()
            return await asyncio.open_connection(host, port, limit=CHUNK)
        except Exception as error:
            if writer is not None:
                writer.write(error_response("57P03", "The database behind this door is not running."))
                await writer.drain()
            raise OSError(f"upstream: {error}") from error

    async def _cancel(self, message: bytes) -> None:
        reader, writer = await self._upstream(None)
        try:
            writer.write(message)
            await writer.drain()
            await reader.read()  # PostgreSQL closes when it has passed the request on
        finally:
            writer.close()

    async def _pipe_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
        visit: _Visit,
    ) -> None:
        """Bytes both ways until either side ends; what PostgreSQL said last still reaches the client."""

        async def upward() -> None:
            while chunk := await reader.read(CHUNK):
                visit.from_client += len(chunk)
                up_writer.write(chunk)
                await up_writer.drain()

        async def downward() -> None:
            while chunk := await up_reader.read(CHUNK):
                visit.to_client += len(chunk)
                writer.write(chunk)
                await writer.drain()

        tasks = [asyncio.create_task(upward()), asyncio.create_task(downward())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- the log --------------------------------------------------------------------------------------

    def _write_log(self, event: str, visit: _Visit, end: dt.datetime | None = None) -> None:
        if self.log_file is None:
            return
        line = {
            "event": event,
            **vars(visit),
            "start": visit.start.isoformat(),
            "end": end and end.isoformat(),
        }
        if event == "open":
            del line["outcome"]
        # One short write per line in append mode: whole lines, also with several writers.
        handle = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, (json.dumps(line, ensure_ascii=False) + "\n").encode())
        finally:
            os.close(handle)

    def _close_listeners(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = b""
    while len(received) < count:
        chunk = await loop.sock_recv(sock, count - len(received))
        if not chunk:
            raise ConnectionResetError("closed before the first message was complete")
        received += chunk
    return received


async def _peek(sock: socket.socket) -> int:
    """The next byte, left where it is."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock)
    byte = sock.recv(1, socket.MSG_PEEK)
    if not byte:
        raise ConnectionResetError("closed without a word")
    return byte[0]
