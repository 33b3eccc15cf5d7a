"""The text of a file, decoded piece by piece: any encoding Python knows, errors with their place in the file."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files.delivery import STAYS, Delivery

PIECE = 4 * 1024 * 1024  # bytes read at once: large enough for vectors to pay, small enough to hold ten of
# A line may hold several large values, but a line that never ends is no line.
LONGEST_LINE = 64 * 1024 * 1024
LINE_END = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What an export is likely to be instead; gb18030 last, for it reads almost anything.
_LIKELY = ("utf-8", "utf-16", "gb18030")


class Letters:
    """A file's text: `buffer[at:]` is read and not yet used, and begins in line `line` (from 1)."""

    def __init__(self, delivery: Delivery, file: BinaryIO, encoding: str) -> None:
        """Raises: SourceError if Python does not know the encoding or the file says itself that it has another."""
        self.delivery, self.encoding = delivery, encoding
        self.buffer, self.at, self.line = "", 0, 1
        self.ended = False
        self._file = file
        self._bytes = 0
        try:
            name = codecs.lookup(encoding).name
            # Keeps \r\n together across pieces; a mark at the very beginning is no character of the text.
            self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), False)
        except LookupError:
            raise self._wrong("Python knows no such encoding") from None
        start = file.read(4)
        file.seek(0)
        for mark, family in _MARKS:
            if start.startswith(mark):
                if not name.startswith(family) and not (family == "utf-16" and name.startswith("utf-32")):
                    raise self._wrong(f"it begins with the mark of {family}")
                break

    def more(self) -> bool:
        """Read a further piece into the buffer; False at the end of the file.

        Raises: SourceError if the bytes are not of the encoding.
        """
        if self.ended:
            return False
        raw = self._file.read(PIECE)
        self.ended = not raw
        try:
            text = self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            if not raw:
                raise self.cut() from None
            # The decoder kept the beginning of a character: what it complains of began before this piece.
            place = self._bytes + len(raw) - len(error.object) + error.start
            raise self._wrong(f"byte {error.object[error.start]:#04x} at position {place:,}") from None
        except UnicodeError as error:
            raise self._wrong(str(error)) from None
        if self._bytes == 0:
            text = text.removeprefix("\ufeff")
        self._bytes += len(raw)
        if "\0" in text:
            line = self.line + len(LINE_END.findall(self.buffer[self.at :] + text[: text.index("\0")]))
            raise self.delivery.refusal(
                "holds a NUL byte: the file is damaged, or it is UTF-16", at=f"line {line}"
            )
        self.buffer = self.buffer[self.at :] + text if self.at < len(self.buffer) else text
        self.at = 0
        return not self.ended or bool(text)

    def lines(self) -> Iterator[str]:
        """The lines from here on, each with its end; `line` is then the number of the next one.

        Raises: SourceError if the last line does not end, or one is too long.
        """
        while True:
            found = _LINE.match(self.buffer, self.at)
            if found:
                self.at = found.end()
                self.line += 1
                yield found.group()
                continue
            if len(self.buffer) - self.at > LONGEST_LINE:
                raise self.delivery.refusal(
                    f"is longer than {LONGEST_LINE // 2**20} MB: this is no table of lines",
                    at=f"line {self.line}",
                )
            if not self.more() and self.ended:
                if self.at < len(self.buffer):
                    raise self.cut()
                return

    def cut(self) -> SourceError:
        return self.delivery.refusal("the last line does not end: the file was cut in the middle")

    def _wrong(self, what: str) -> SourceError:
        likely = _readable_as(self._file, self.encoding)
        hint = f" (it reads as {likely})" if likely else ""
        return SourceError(
            f"{self.delivery.where}: is not {self.encoding}: {what}. {STAYS} "
            f"Set `format.encoding` in the contract to what the file really is{hint}."
        )


def _readable_as(file: BinaryIO, but: str) -> str | None:
    """Another encoding in which the beginning of the file makes sense, if there is a likely one."""
    file.seek(0)
    start = file.read(PIECE)
    for encoding in _LIKELY:
        if encoding == but or (
            encoding == "utf-16" and not start.startswith(_MARKS[2][0]) and b"\0" not in start
        ):
            continue
        try:
            if "\0" not in codecs.getincrementaldecoder(encoding)().decode(start):
                return encoding
        except UnicodeError:
            continue
    return None
