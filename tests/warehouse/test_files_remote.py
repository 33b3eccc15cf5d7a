"""Folders elsewhere: an S3-compatible store (a small one of the standard library) and an SFTP server (OpenSSH's)."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.conftest import SmallSource
from tests.deliveries import source_of
from tieout.ingest.errors import SourceError
from tieout.ingest.landing import Landing

CSV = "运单号,件数\r\n{}\r\n".format
COLUMNS = {"waybill_no": "运单号", "quantity": {"from": "件数", "type": "decimal(18, 2)"}}
HELD = "select waybill_no, quantity::int, _origin from raw_tms.waybill where not _is_deleted order by 1"
KEY, SECRET = "AKIATEST", "s3cr3t-never-shown"


class Store:
    """Objects by key, every request, and what to do between a listing and a download."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.before_get = lambda key: None
        self.port = 0

    def got(self) -> list[str]:
        """Keys downloaded since the last time this was asked."""
        found = [key for kind, key in self.requests if kind == "get"]
        self.requests.clear()
        return found


@pytest.fixture
def store() -> Generator[Store]:
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, code: int, body: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            said = self.headers.get("Authorization", "")
            if not said.startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/") or "/s3/aws4_request" not in said:
                return self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            parts = urllib.parse.urlsplit(self.path)
            bucket, _, key = urllib.parse.unquote(parts.path).lstrip("/").partition("/")
            if bucket != "drop":
                return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
            if not key:
                return self.listing(dict(urllib.parse.parse_qsl(parts.query)))
            store.requests.append(("get", key))
            store.before_get(key)
            body = store.objects.get(key)
            if body is None:
                return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            tag = etag(body)
            if self.headers.get("If-Match", tag) != tag:
                return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return self.answer(200, body, ETag=tag, Last_Modified="Sun, 01 Nov 2026 12:00:00 GMT")

        def listing(self, query: dict[str, str]) -> None:
            """Two keys a page, so that a client that reads one page only is found out."""
            store.requests.append(("list", query.get("prefix", "")))
            prefix, slash = query.get("prefix", ""), query.get("delimiter")
            keys = [key for key in sorted(store.objects) if key.startswith(prefix)]
            if slash:
                keys = [key for key in keys if slash not in key[len(prefix) :]]
            start = int(query.get("continuation-token", "0"))
            page = keys[start : start + 2]
            more = start + 2 < len(keys)
            contents = "".join(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(store.objects[key])}</Size>"
                f"<ETag>{escape(etag(store.objects[key]))}</ETag>"
                f"<LastModified>2026-11-01T12:00:00.000Z</LastModified></Contents>"
                for key in page
            )
            token = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
            body = (
                f"<ListBucketResult><Name>drop</Name><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
                f"<KeyCount>{len(page)}</KeyCount>{contents}</ListBucketResult>"
            )
            self.answer(200, body.encode(), Content_Type="application/xml")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield store
    server.shutdown()
    server.server_close()
    thread.join()


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


@pytest.fixture
def small(tmp_path):
    def made(place: str, options: dict[str, str], pattern: str = "运单_*.csv", **more) -> SmallSource:
        source = source_of(
            place, {"kind": "csv"}, COLUMNS, key=["waybill_no"], options=options, **{"from": pattern, **more}
        )
        return SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")

    return made


@pytest.fixture
def bucket(store, small, monkeypatch):
    monkeypatch.setenv("TEST_S3_SECRET", SECRET)

    def made(place: str = "s3://drop/物流/in", **options: str) -> SmallSource:
        endpoint = f"http://127.0.0.1:{store.port}"
        keys = {"endpoint": endpoint, "access_key": KEY, "secret_key": "env:TEST_S3_SECRET", **options}
        return small(place, keys)

    return made


def test_a_bucket_is_a_folder_and_what_has_landed_is_not_fetched_again(store, bucket):
    source = bucket()
    for n in range(1, 6):
        store.objects[f"物流/in/运单_{n}.csv"] = CSV(f"WB{n},{n}").encode()
    store.objects["物流/in/other.txt"] = b"x"
    store.objects["物流/in/archive/运单_9.csv"] = CSV("WB9,9").encode()
    store.objects["物流/index/运单_8.csv"] = CSV("WB8,8").encode()
    source.pull()
    assert source.rows(HELD) == [(f"WB{n}", n, f"运单_{n}.csv") for n in range(1, 6)]
    assert store.got() == [f"物流/in/运单_{n}.csv" for n in range(1, 6)]

    store.objects["物流/in/运单_2.csv"] = CSV("WB2,7").encode()  # same size, another content
    (outcome,) = source.extract()
    assert (outcome.error, outcome.rows, len(outcome.landed)) == (None, 5, 1)
    assert store.got() == ["物流/in/运单_2.csv"]
    source.load()
    assert source.rows(HELD)[1] == ("WB2", 7, "运单_2.csv")


def test_an_object_replaced_after_it_was_listed_is_for_the_next_pull(store, bucket):
    source = bucket()
    store.objects["物流/in/运单_1.csv"] = CSV("WB1,1").encode()
    store.objects["物流/in/运单_2.csv"] = CSV("WB2,2").encode()
    store.before_get = lambda key: store.objects.update({"物流/in/运单_2.csv": CSV("WB2,3").encode()})
    (outcome,) = source.extract()
    assert outcome.error is None
    assert outcome.notes == ("运单_2.csv is still being written: left for the next pull",)
    source.pull()
    assert [row[:2] for row in source.rows(HELD)] == [("WB1", 1), ("WB2", 3)]


def test_a_control_file_lies_beside_its_objects(store, bucket):
    source = bucket()
    document = source.source.model_dump(by_alias=True, exclude_none=True)
    document["streams"]["waybill"]["control"] = {"kind": "file", "file": "控制总数.csv", "sums": ["quantity"]}
    source.source = type(source.source).model_validate(document)
    head = "文件名,行数,合计列,合计\r\n"
    store.objects["物流/in/运单_1.csv"] = CSV("WB1,1").encode()
    store.objects["物流/in/控制总数.csv"] = f"{head}运单_1.csv,1,件数,1\r\n".encode("gb18030")
    source.pull()
    store.objects["物流/in/控制总数.csv"] = f"{head}运单_1.csv,2,件数,1\r\n".encode("gb18030")
    (outcome,) = source.extract()
    assert "should have rows = 2, but 1 arrived" in str(outcome.error)


@pytest.mark.parametrize(
    ("place", "options", "words"),
    [
        ("s3://drop/in", {"access_key": "AKIAOTHER"}, "s3://drop/in cannot be listed"),
        ("s3://elsewhere/in", {}, "s3://elsewhere/in cannot be listed"),
        ("s3://drop/in", {"endpoint": "http://127.0.0.1:9"}, "s3://drop/in cannot be listed"),
        ("s3://drop/in", {"bucket": "x"}, "unknown keys .*bucket"),
        ("s3://drop/nothing", {}, "no file 运单_"),
        ("ftp://drop/in", {}, "not from ftp://"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_an_error_without_secrets(bucket, place, options, words):
    source = bucket(place, **options)
    (outcome,) = source.extract()
    assert isinstance(outcome.error, SourceError)
    assert re.search(words, str(outcome.error)), outcome.error
    for secret in (SECRET, KEY, "AKIAOTHER"):
        assert secret not in str(outcome.error)


# --- SFTP -----------------------------------------------------------------------------------------

SSHD = os.environ.get("TIEOUT_SSHD") or shutil.which("sshd", path=f"{os.environ.get('PATH')}:/usr/sbin")
needs_sshd = pytest.mark.skipif(
    not SSHD or not shutil.which("sftp") or not shutil.which("ssh-keygen"),
    reason="needs sshd, sftp and ssh-keygen (Debian: openssh-server, openssh-client)",
)


class Server:
    def __init__(self, root: Path) -> None:
        self.root, self.drop = root, root / "收件 箱"
        self.user = "daemon" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def send(self, name: str, text: str, age: float = 0) -> None:
        file = self.drop / name
        file.write_bytes(text.encode())
        moment = time.time() - age
        os.utime(file, (moment, moment))

    @property
    def place(self) -> str:
        return f"sftp://{self.user}@127.0.0.1:{self.port}{urllib.parse.quote(str(self.drop))}"

    @property
    def options(self) -> dict[str, str]:
        return {"key_file": str(self.root / "client"), "known_hosts": str(self.root / "known hosts")}


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    """An SSH server of our own, on its own port; under root it runs as daemon, for it needs no rights."""
    root = Path(tempfile.mkdtemp(prefix="tieout-sftp-"))
    server = Server(root)
    root.chmod(0o755)
    server.drop.mkdir()
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / name)], check=True, timeout=20
        )
    owner = pwd.getpwnam(server.user)
    if os.geteuid() == 0:
        os.chown(root / "host", owner.pw_uid, owner.pw_gid)
    public = (root / "host.pub").read_text().split()
    (root / "known hosts").write_text(f"[127.0.0.1]:{server.port} {public[0]} {public[1]}\n")
    (root / "strangers").write_text("")
    (root / "config").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {root}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {root}/client.pub\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    assert SSHD is not None
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(root / "config")],
        user=owner.pw_uid if os.geteuid() == 0 else None,
        group=owner.pw_gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        stderr=(root / "log").open("wb"),
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                break
        if process.poll() is not None:
            break
        time.sleep(0.05)
    if process.poll() is not None:
        pytest.skip(f"sshd does not start here: {(root / 'log').read_text()[:300]}")
    yield server
    process.terminate()
    process.wait(10)
    print((root / "log").read_text())
    shutil.rmtree(root)


@pytest.fixture
def sftp(server, small):
    shutil.rmtree(server.drop)
    server.drop.mkdir()

    def made(place: str | None = None, **options: str) -> SmallSource:
        return small(place or server.place, {**server.options, **options})

    return made


@needs_sshd
def test_an_sftp_folder_is_a_folder(server, sftp, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")  # as cron runs
    source = sftp()
    # The fourth is what the wildcards in the third one's name would find.
    names = sorted(["运单_1.csv", '运单_"a" b.csv', "运单_[2]*.csv", "运单_2y.csv", "运单_back\\slash.csv"])
    for n, name in enumerate(names):
        server.send(name, CSV(f"WB{n},{n}"))
    server.send("运单_3.csv.filepart", "half")
    server.send("other.txt", "x")
    (server.drop / "运单_folder.csv").mkdir()
    source.pull()
    assert source.rows(HELD) == [(f"WB{n}", n, name) for n, name in enumerate(names)]


@needs_sshd
def test_what_is_old_and_has_landed_is_not_fetched_again_and_what_may_have_changed_is(
    server, sftp, monkeypatch
):
    """The listing shows minutes: two versions of one minute look alike, and both must arrive."""
    from tieout.ingest.intake.files.sftp import SftpFolder

    fetched = []
    prepare = SftpFolder.prepare

    def seen(self, entries):
        fetched.extend(entry.name for entry in entries)
        prepare(self, entries)

    monkeypatch.setattr(SftpFolder, "prepare", seen)
    source = sftp()
    server.send("运单_old.csv", CSV("WB1,1"), age=30 * 86_400)
    server.send("运单_new.csv", CSV("WB2,2"))
    source.pull()
    fetched.clear()
    server.send("运单_new.csv", CSV("WB2,3"))
    (outcome,) = source.extract()
    assert (outcome.error, outcome.rows, len(outcome.landed)) == (None, 2, 1)
    assert fetched == ["运单_new.csv"]
    source.load()
    assert [row[:2] for row in source.rows(HELD)] == [("WB1", 1), ("WB2", 3)]


@needs_sshd
def test_a_file_that_grows_over_there_is_for_the_next_pull(server, sftp, monkeypatch):
    from tieout.ingest.intake.files.sftp import SftpFolder

    source = sftp()
    server.send("运单_1.csv", CSV("WB1,1"))
    server.send("运单_2.csv", CSV("WB2,2"))
    session = SftpFolder._session

    def growing(self, commands):
        if any("get" in command for command in commands):
            with (server.drop / "运单_2.csv").open("ab") as file:
                file.write(b"WB3,3\r\n")
        return session(self, commands)

    with monkeypatch.context() as patch:
        patch.setattr(SftpFolder, "_session", growing)
        (outcome,) = source.extract()
    assert outcome.error is None
    assert outcome.notes == ("运单_2.csv is still being written: left for the next pull",)
    assert [batch.origin for batch in outcome.landed] == ["运单_1.csv"]


@needs_sshd
def test_a_key_by_reference_is_never_left_behind(server, sftp, monkeypatch):
    monkeypatch.setenv("TEST_SFTP_KEY", (server.root / "client").read_text())
    modes = []
    run = subprocess.run

    def looked(command, **more):
        said = next(part for part in command if part.startswith("IdentityFile="))
        file = Path(said.partition("=")[2])
        modes.append((file, stat.S_IMODE(file.stat().st_mode)))
        return run(command, **more)

    monkeypatch.setattr(subprocess, "run", looked)
    source = sftp(key_file="env:TEST_SFTP_KEY")
    server.send("运单_1.csv", CSV("WB1,1"))
    source.pull()
    assert {mode for _, mode in modes} == {0o600}
    assert not any(file.exists() for file, _ in modes)


@needs_sshd
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"known_hosts": "{root}/strangers"}, "Host key verification failed"),
        ({"key_file": "{root}/host"}, "Permission denied|Load key"),
        ({"key_file": "{root}/nowhere"}, "the file of connection.options.key_file does not exist"),
        ({"password": "env:HOME"}, "does not know the connection's options"),
        ({"place": "sftp://{user}@127.0.0.1:{port}/nowhere"}, "cannot be read: .*[Nn]o such file"),
        ({"place": "sftp://{user}@127.0.0.1:9/x"}, "Connection refused"),
        ({"place": "sftp://-oProxyCommand=touch%20x@127.0.0.1/x"}, "is no address"),
    ],
)
def test_a_server_nobody_vouches_for_or_that_refuses_us_is_an_error(server, sftp, change, words):
    said = {
        name: value.format(root=server.root, user=server.user, port=server.port)
        for name, value in change.items()
    }
    (outcome,) = sftp(**said).extract()
    assert isinstance(outcome.error, SourceError)
    assert re.search(words, str(outcome.error)), outcome.error
    assert "what was loaded before stays" in str(outcome.error)


def test_without_the_client_the_remedy_is_said(small, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    (outcome,) = small("sftp://a@127.0.0.1/x", {}).extract()
    assert "needs the program sftp" in str(outcome.error)
    assert "openssh-client" in str(outcome.error)
