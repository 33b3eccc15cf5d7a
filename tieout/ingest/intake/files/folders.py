"""Where files are dropped: a folder of this machine, of an object store, or of an SFTP server."""

from __future__ import annotations

import fnmatch
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sources.contract import Source
from tieout.ingest.errors import SourceError

# Beside the data of a batch fetched from elsewhere: what the file was there, to fetch it once only.
FETCHED = "fetched.json"
# Names under which browsers, WinSCP, FileZilla, rsync and editors keep what is not complete yet.
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")


@dataclass(frozen=True)
class Entry:
    """One file there: its `path` below the folder, `size` in bytes, and a mark that changes with its content."""

    path: str
    size: int
    mark: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class UnsettledError(Exception):
    """The file is changing while it is read: it is for the next pull."""


class Folder:
    """A folder of this machine; the others answer the same questions."""

    remote = False

    def __init__(self, source: Source, root: Path) -> None:
        self.source, self.root = source, root

    def matching(self, pattern: str) -> list[Entry]:
        """The files that match, in name order."""
        found = [
            (path, path.stat())
            for path in sorted(self.root.glob(pattern))
            if path.is_file() and not path.name.startswith(("~$", "."))
        ]
        return [
            Entry(path.relative_to(self.root).as_posix(), stat.st_size, str(stat.st_mtime_ns))
            for path, stat in found
        ]

    def prepare(self, entries: Sequence[Entry]) -> None:
        """These will be fetched next."""

    def fetch(self, entry: Entry, target: Path) -> None:
        """Copy one file.

        Raises: OSError if it cannot be read; UnsettledError if it changed meanwhile.
        """
        file = self.root / entry.path
        try:
            shutil.copyfile(file, target)
            stat = file.stat()
        except FileNotFoundError:
            raise UnsettledError from None
        if (stat.st_size, str(stat.st_mtime_ns)) != (entry.size, entry.mark):
            raise UnsettledError
        if target.stat().st_size != entry.size:
            raise UnsettledError

    def beside(self, entry: Entry, name: str) -> Path | None:
        """A file that lies beside `entry`, readable here; None if there is none."""
        path = (self.root / entry.path).parent / name
        return path if path.is_file() else None

    def remembers(self, entry: Entry, batch: Path) -> bool:
        """Whether `batch` was made from exactly this file, so that it need not be fetched again."""
        return False

    def remember(self, entry: Entry, draft: Path) -> None:
        """Write down what was fetched, beside it."""


class Fetching(Folder, ABC):
    """A folder elsewhere; `root` is a private folder here for what was fetched."""

    remote = True

    @abstractmethod
    def _entries(self) -> list[Entry]:
        """Every file below the folder, asked for once."""

    def matching(self, pattern: str) -> list[Entry]:
        parts = pattern.split("/")
        found = []
        for entry in self._entries():
            said = entry.path.split("/")
            if len(said) == len(parts) and all(map(fnmatch.fnmatchcase, said, parts)):
                found.append(entry)
        visible = [entry for entry in found if not entry.name.startswith(("~$", "."))]
        return sorted(visible, key=lambda entry: entry.path)

    def beside(self, entry: Entry, name: str) -> Path | None:
        wanted = f"{entry.path.rpartition('/')[0]}/{name}".lstrip("/")
        for other in self._entries():
            if other.path == wanted:
                target = self.root / "beside" / wanted.replace("/", "_")
                if not target.is_file():
                    target.parent.mkdir(exist_ok=True)
                    self.prepare([other])
                    try:
                        self.fetch(other, target)
                    except UnsettledError:
                        target.unlink(missing_ok=True)
                        raise
                return target
        return None

    def trusts(self, entry: Entry, before: dict[str, str]) -> bool:
        """Whether the same name, size and mark mean the same content."""
        return True

    def remembers(self, entry: Entry, batch: Path) -> bool:
        try:
            before = json.loads((batch / FETCHED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        same = {key: before.get(key) for key in asdict(entry)} == asdict(entry)
        return same and bool(entry.mark) and self.trusts(entry, before)

    def remember(self, entry: Entry, draft: Path) -> None:
        (draft / FETCHED).write_text(json.dumps(asdict(entry), ensure_ascii=False), encoding="utf-8")


@contextmanager
def open_folder(source: Source, scratch: Path) -> Generator[Folder]:
    """The folder a source's files are dropped in; `scratch` is a private folder for what is fetched.

    Raises: SourceError if it cannot be reached.
    """
    place = source.place()
    if place.startswith("s3://"):
        from tieout.ingest.intake.files.bucket import Bucket

        yield Bucket(source, place, scratch)
    elif place.startswith("sftp://"):
        from tieout.ingest.intake.files.sftp import SftpFolder

        yield SftpFolder(source, place, scratch)
    elif "://" in place:
        raise SourceError(
            f"{source.name}: files are read from a folder, s3:// or sftp://, not from "
            f"{place.partition('://')[0]}://. Nothing was read. "
            f"Check the connection in sources/{source.name}/source.yaml."
        )
    else:
        if not Path(place).is_dir():
            raise SourceError(f"{source.name}: the drop folder {place} does not exist. Nothing was read.")
        yield Folder(source, Path(place))
