"""S3 and what speaks like it (MinIO, OSS, COS, OBS), through obstore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from sources.contract import Source, duration
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files.folders import Entry, Fetching, UnsettledError

if TYPE_CHECKING:
    from obstore.store import S3Store

OPTIONS = {
    "endpoint": "endpoint",
    "access_key": "access_key_id",
    "secret_key": "secret_access_key",
    "session_token": "session_token",
    "region": "region",
    "virtual_hosted": "virtual_hosted_style_request",
}
# The whole of one download; connecting is bounded by `limits.timeout`.
LONGEST_DOWNLOAD = "1h"
LONGEST_RETRY = "2m"
_PIECE = 8 * 1024 * 1024


class Bucket(Fetching):
    """A prefix of a bucket. An object is whole or not there, and its ETag changes with it."""

    def __init__(self, source: Source, place: str, root: Path) -> None:
        super().__init__(source, root)
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        self.place = place
        self._prefix = prefix.strip("/")
        self._options = source.options()
        self._deep = any("/" in stream.origin for stream in source.streams.values())
        self._listed: list[Entry] | None = None
        self._store = self._opened(bucket)

    def _opened(self, bucket: str) -> S3Store:
        from datetime import timedelta

        from obstore.store import S3Store

        if unknown := set(self._options) - set(OPTIONS):
            raise SourceError(
                f"{self.source.name}: connection.options has unknown keys {sorted(unknown)}; s3:// knows "
                f"{sorted(OPTIONS)}. Nothing was read. Change sources/{self.source.name}/source.yaml."
            )
        config: dict[str, Any] = {OPTIONS[name]: value for name, value in self._options.items()}
        config.setdefault("region", "us-east-1")  # what stores without regions expect in a signature
        if not {"access_key", "secret_key"} <= set(self._options):
            config["skip_signature"] = True
        config["virtual_hosted_style_request"] = self._options.get("virtual_hosted", "") == "true"
        plain = self._options.get("endpoint", "").startswith("http://")
        try:
            return S3Store(
                bucket,
                config=config,
                client_options={
                    "allow_http": plain,
                    "connect_timeout": duration(self.source.limits.timeout),
                    "timeout": duration(LONGEST_DOWNLOAD),
                },
                retry_config={
                    "max_retries": self.source.limits.retries,
                    "retry_timeout": duration(LONGEST_RETRY),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=200),
                        "max_backoff": timedelta(seconds=15),
                        "base": 2,
                    },
                },
            )
        except Exception as error:  # obstore's own hierarchy, and ValueError for what it cannot read
            self._fail("cannot be opened", error)

    def _entries(self) -> list[Entry]:
        if self._listed is None:
            self._listed = self._list()
        return self._listed

    def _list(self) -> list[Entry]:
        import obstore

        prefix = f"{self._prefix}/" if self._prefix else ""
        try:
            if self._deep:
                found = [item for page in obstore.list(self._store, prefix=prefix or None) for item in page]
            else:
                found = list(obstore.list_with_delimiter(self._store, prefix=prefix or None)["objects"])
        except Exception as error:
            self._fail("cannot be listed", error)
        return [
            Entry(item["path"].removeprefix(prefix), item["size"], item["e_tag"] or "")
            for item in found
            if item["size"] or not item["path"].endswith("/")
        ]

    def fetch(self, entry: Entry, target: Path) -> None:
        import obstore
        from obstore.exceptions import PreconditionError

        path = f"{self._prefix}/{entry.path}" if self._prefix else entry.path
        try:
            got = obstore.get(self._store, path, options={"if_match": entry.mark} if entry.mark else None)
            with target.open("wb") as file:
                for piece in got.stream(min_chunk_size=_PIECE):
                    file.write(piece)
        except (FileNotFoundError, PreconditionError):
            raise UnsettledError from None
        except OSError:
            raise
        except Exception as error:
            self._fail(f"did not give {entry.path}", error)
        if target.stat().st_size != entry.size:
            raise UnsettledError

    def _fail(self, what: str, error: Exception) -> NoReturn:
        said = " ".join(str(error).split())[:300]
        for name in ("access_key", "secret_key", "session_token"):
            if self._options.get(name):
                said = said.replace(self._options[name], "…")
        raise SourceError(
            f"{self.source.name}: {self.place} {what}: {said}. Nothing of it was loaded; what was loaded before "
            f"stays. Check endpoint, region, keys and that the bucket exists."
        ) from None
