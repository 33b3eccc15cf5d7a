"""What is inside an Excel file, looked at before anything is unpacked: its size, its merges, what was not calculated."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries

from tieout.ingest.intake.files.delivery import Delivery

# Real sheets unpack to 5 to 30 times their size; 2 GB of XML is more than a full sheet of 1,048,576 rows × 20.
LARGEST_UNPACKED, LARGEST_RATIO, RATIO_MATTERS_FROM = 2 * 2**30, 200, 64 * 2**20
# The table of shared texts is held in memory by the reader, unlike the sheets.
LARGEST_TEXTS = 256 * 2**20
MOST_PARTS, MOST_MERGES, MOST_UNCALCULATED = 10_000, 500_000, 500_000

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PIECE = 1024 * 1024
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z0-9:$]+)[\"']")
_ROOT = re.compile(r"<[A-Za-z_]")
_ENCODING = re.compile(r"\bencoding\s*=\s*[\"']([^\"']*)[\"']")
# Encodings in which a prolog can be read before it is known; no program writes sheets in another.
_PLAIN = frozenset({"utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1"})
_LONGEST_PROLOG = 64 * 1024
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


@dataclass(frozen=True)
class Area:
    """A merged range, rows and columns from 1, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Structure:
    """What the reader of values does not tell: merges by their first row, and formulas without a value, row → columns."""

    merges: dict[int, list[Area]] = field(default_factory=dict)
    uncalculated: dict[int, list[int]] = field(default_factory=dict)


def check_package(delivery: Delivery) -> None:
    """Raises: SourceError if the file is no workbook of today, is encrypted, or unpacks to far more than it is."""
    with delivery.file.open("rb") as file:
        start = file.read(4096)
        if start.startswith(_OLE):
            file.seek(0)
            # The names in an OLE container are UTF-16; they stand in its first or last sectors.
            encrypted = _holds(file, "EncryptedPackage".encode("utf-16-le"))
            if encrypted:
                raise delivery.refusal(
                    "is encrypted: it needs a password to open", "Have it sent without a password."
                )
            raise delivery.refusal(
                "is a workbook of Excel 97 (.xls)", "Have it saved as .xlsx, or as CSV, and sent again."
            )
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise delivery.refusal(
            "is not a readable Excel workbook (it is a web page or XML under an Excel name)",
            "Have it opened in Excel, saved as .xlsx and sent again.",
        )
    try:
        with zipfile.ZipFile(delivery.file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise delivery.refusal(f"is not a readable Excel workbook ({error})") from None
    # Python's unpacker stops at the size the directory names: one that lies is cut, and its checksum is wrong.
    unpacked, packed = sum(part.file_size for part in parts), delivery.file.stat().st_size
    texts = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
    if (
        unpacked > LARGEST_UNPACKED
        or texts > LARGEST_TEXTS
        or (unpacked > RATIO_MATTERS_FROM and unpacked > LARGEST_RATIO * packed)
        or len(parts) > MOST_PARTS
    ):
        raise delivery.refusal(
            f"would unpack from {packed / 2**20:,.1f} MB to {unpacked / 2**20:,.0f} MB in {len(parts):,} parts: "
            f"a zip bomb, or far too much for a sheet",
            "Have it sent as CSV or Parquet.",
        )
    if any(part.flag_bits & 1 for part in parts):
        raise delivery.refusal(
            "is encrypted: it needs a password to open", "Have it sent without a password."
        )
    _check_prologs(delivery)


def _check_prologs(delivery: Delivery) -> None:
    """Raises: SourceError if a part declares a document type.

    openpyxl refuses entities where defusedxml is installed; this does not depend on it, and says which part.
    """
    with zipfile.ZipFile(delivery.file) as archive:
        for part in archive.infolist():
            try:
                with archive.open(part) as file:
                    raw = file.read(_LONGEST_PROLOG)
            except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
                raise delivery.refusal(f"is not a readable Excel workbook ({error})") from None
            wide = raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw[:4]
            text = raw.decode("utf-16" if wide else "latin-1", errors="replace")
            if not text.lstrip("\ufeffï»¿ \t\r\n").startswith("<"):
                continue  # pictures, printer settings
            root = _ROOT.search(text)
            prolog = text[: root.start()] if root else text
            said = _ENCODING.search(prolog)
            if "<!DOCTYPE" in prolog or root is None or (said and said[1].lower() not in _PLAIN):
                raise delivery.refusal(
                    f"{part.filename} inside it declares a document type or entities, which no workbook needs",
                    "They are never expanded or fetched. Have it saved by Excel and sent again.",
                )


def structure(delivery: Delivery, part: str, sheet: str) -> Structure:
    """Read merges, formulas and the order of rows of one sheet, in bounded memory.

    Raises: SourceError if rows are not in order (the reader of values would drop them) or there is a DOCTYPE.
    """
    found = Structure()
    formulas, last, merges = False, 0, 0
    with zipfile.ZipFile(delivery.file) as archive:
        for piece in _pieces(archive, part):
            for match in _ROW.finditer(piece):
                row = int(match[1])
                if row <= last:
                    raise delivery.refusal(
                        f"row {row} comes after row {last}: the workbook is damaged", at=f"sheet {sheet}"
                    )
                last = row
            formulas = formulas or _FORMULA.search(piece) is not None
            for match in _MERGE.finditer(piece):
                merges += 1
                if merges > MOST_MERGES:
                    raise delivery.refusal(
                        f"has more than {MOST_MERGES:,} merged ranges", at=f"sheet {sheet}"
                    )
                left, top, right, bottom = range_boundaries(match[1].decode())
                assert left and top and right and bottom
                found.merges.setdefault(top, []).append(Area(top, left, bottom, right))
        if formulas:
            _Formulas(delivery, sheet, found).read(archive, part)
    return found


def _pieces(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The bytes of a part in pieces that end before a tag, so that no tag is torn."""
    rest = b""
    with archive.open(part) as file:
        while read := file.read(_PIECE):
            rest += read
            cut = rest.rfind(b"<")
            if cut > 0:
                yield rest[:cut]
                rest = rest[cut:]
    yield rest


class _Formulas:
    """Finds cells with a formula that no program has ever calculated: they look empty, and are not."""

    def __init__(self, delivery: Delivery, sheet: str, found: Structure) -> None:
        self.delivery, self.sheet, self.found = delivery, sheet, found
        self._row = self._column = self._count = 0
        self._formula = self._value = self._in_value = self._text = False

    def read(self, archive: zipfile.ZipFile, part: str) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            with archive.open(part) as file:
                while read := file.read(_PIECE):
                    parser.Parse(read, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self.delivery.refusal(
                f"is not a readable Excel workbook ({error})", at=f"sheet {self.sheet}"
            ) from None

    def _doctype(self, *_: object) -> None:
        raise self.delivery.refusal("declares entities, which no workbook needs", at=f"sheet {self.sheet}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        kind = name.rpartition(":")[2]
        if kind == "c":
            place = attributes.get("r")
            if place:
                self._row, self._column = coordinate_to_tuple(place)
            else:
                self._column += 1
            self._formula = self._value = False
            self._text = attributes.get("t") == "str"
        elif kind == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), 0
        elif kind == "f":
            self._formula = True
        elif kind == "v":
            self._in_value = True
            # A formula whose result is empty text has an empty value, and says that it is a text.
            self._value = self._value or self._text

    def _end(self, name: str) -> None:
        kind = name.rpartition(":")[2]
        if kind == "v":
            self._in_value = False
        elif kind == "c" and self._formula and not self._value:
            self._count += 1
            if self._count > MOST_UNCALCULATED:
                raise self.delivery.refusal(
                    f"has more than {MOST_UNCALCULATED:,} formulas that were never calculated",
                    "Have it opened in Excel, saved and sent again.",
                    at=f"sheet {self.sheet}",
                )
            self.found.uncalculated.setdefault(self._row, []).append(self._column)

    def _characters(self, text: str) -> None:
        if self._in_value and text.strip():
            self._value = True


def _holds(file, needle: bytes) -> bool:
    rest = b""
    while read := file.read(_PIECE):
        if needle in rest + read:
            return True
        rest = read[-len(needle) :]
    return False
