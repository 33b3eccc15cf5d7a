"""The parts of a VSDX file that matter here: pages, and on a page shapes and what connectors are glued to.

A VSDX is a ZIP of XML parts. It is read in memory, bounded, and nothing of it is written anywhere. Lengths are
inches, the origin is the page's lower left corner. Angles and flips are not followed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import dist
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from zlib import error as ZlibError

from sources.processes import ProcessError
from tieout.process.xml import LARGEST, tree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_VISIO = "{http://schemas.microsoft.com/office/visio/2012/main}"
_PACKAGE = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MOST_PARTS, _MOST_BYTES = 5_000, 8 * LARGEST


@dataclass(frozen=True)
class Shape:
    """A shape in page coordinates: `x`, `y` is the lower left corner; connectors have `begin` and `end`."""

    id: str
    text: str
    master: str  # names of its master, lower case, local and universal; "" for a free shape
    x: float
    y: float
    width: float
    height: float
    begin: tuple[float, float] | None = None
    end: tuple[float, float] | None = None
    cells: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    outlined: bool = True
    ids: frozenset[str] = frozenset()  # its own and its parts': connectors are glued to either

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Page:
    """One sheet: its shapes, and per connector (BeginX or EndX) the shape it is glued to."""

    name: str
    shapes: tuple[Shape, ...]
    glued: Mapping[tuple[str, str], str]


class Package:
    """A VSDX file, opened to be read.

    Raises: ProcessError naming the file and what is wrong with it.
    """

    def __init__(self, path: Path) -> None:
        self.file, self._read = path.name, 0
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ProcessError(
                f"{path.name}: is no VSDX file: {error}. Nothing was imported. Save it as .vsdx in Visio 2013 or later."
            ) from None
        if len(self._zip.infolist()) > _MOST_PARTS:
            raise ProcessError(f"{path.name}: holds more than {_MOST_PARTS} parts. Nothing was imported.")
        self._masters = self._master_shapes()

    def pages(self) -> dict[str, Element]:
        """The parts of the pages by name, in the order of the file; background pages are left out."""
        listed = self._part("visio/pages/pages.xml")
        files = self._relations("visio/pages/pages.xml")
        found: dict[str, Element] = {}
        for item in listed.iterfind(f"{_VISIO}Page"):
            relation = item.find(f"{_VISIO}Rel")
            if item.get("Background") != "1" and relation is not None:
                name = item.get("Name") or item.get("NameU") or f"page {len(found) + 1}"
                found[name] = self._part(files.get(relation.get(_REL, ""), "?"))
        return found

    def page(self, name: str, part: Element) -> Page:
        shapes: list[Shape] = []
        self._shapes(part.iterfind(f"{_VISIO}Shapes/{_VISIO}Shape"), (0.0, 0.0), shapes)
        glued = {
            (item.get("FromSheet", ""), item.get("FromCell", "")): item.get("ToSheet", "")
            for item in part.iterfind(f"{_VISIO}Connects/{_VISIO}Connect")
        }
        return Page(name, tuple(shapes), glued)

    # --- shapes -------------------------------------------------------------------------------------

    def _shapes(self, elements: Iterable[Element], origin: tuple[float, float], found: list[Shape]) -> None:
        for element in elements:
            names, master = self._masters.get(element.get("Master", ""), ("", None))
            shape = _shape(element, names, master, origin)
            inside = element.findall(f"{_VISIO}Shapes/{_VISIO}Shape")
            # A group nobody named is only a way to move things together. The parts of any other belong to it,
            # but for those that have a master of their own: they were put there.
            group = (
                bool(inside) and not names and shape.begin is None and element.find(f"{_VISIO}Text") is None
            )
            if not group:
                found.append(shape)
                inside = [item for item in inside if item.get("Master")]
            self._shapes(inside, (shape.x, shape.y), found)

    def _master_shapes(self) -> dict[str, tuple[str, Element | None]]:
        listed = self._part_if_there("visio/masters/masters.xml")
        if listed is None:
            return {}
        files = self._relations("visio/masters/masters.xml")
        masters: dict[str, tuple[str, Element | None]] = {}
        for item in listed.iterfind(f"{_VISIO}Master"):
            relation = item.find(f"{_VISIO}Rel")
            file = "?" if relation is None else files.get(relation.get(_REL, ""), "?")
            part = self._part_if_there(file)
            names = f"{item.get('NameU', '')}|{item.get('Name', '')}".lower()
            shape = None if part is None else part.find(f"{_VISIO}Shapes/{_VISIO}Shape")
            masters[item.get("ID", "")] = names, shape
        return masters

    # --- parts --------------------------------------------------------------------------------------

    def _relations(self, part: str) -> dict[str, str]:
        place = PurePosixPath(part)
        listed = self._part_if_there(f"{place.parent}/_rels/{place.name}.rels")
        targets = () if listed is None else listed.iterfind(f"{_PACKAGE}Relationship")
        return {
            item.get("Id", ""): target[1:] if (target := item.get("Target", "")).startswith("/")
            else f"{place.parent}/{target}"
            for item in targets
        }  # fmt: skip

    def _part(self, name: str) -> Element:
        part = self._part_if_there(name)
        if part is None:
            raise ProcessError(
                f"{self.file}: lacks the part {name}; it is no Visio drawing, or damaged. "
                f"Nothing was imported. Save it again as .vsdx."
            )
        return part

    def _part_if_there(self, name: str) -> Element | None:
        try:
            with self._zip.open(name) as part:
                content = part.read(LARGEST + 1)
        except KeyError:
            return None
        except (OSError, zipfile.BadZipFile, ZlibError, RuntimeError, NotImplementedError, EOFError) as error:
            raise ProcessError(
                f"{self.file}: part {name} cannot be read: {error}. Nothing was imported. "
                f"Save it again as .vsdx, without a password."
            ) from None
        self._read += len(content)
        if self._read > _MOST_BYTES:
            raise ProcessError(
                f"{self.file}: unpacks to more than {_MOST_BYTES // 1024**2} MB. Nothing was imported. "
                f"Split the drawing."
            )
        return tree(content, f"{self.file}, part {name}")


def _shape(element: Element, names: str, master: Element | None, origin: tuple[float, float]) -> Shape:
    cells = ({} if master is None else _cells(master)) | _cells(element)

    def length(name: str, otherwise: float = 0.0) -> float:
        return _number(cells.get(name), otherwise)

    width, height = abs(length("Width")), abs(length("Height"))
    left = origin[0] + length("PinX") - length("LocPinX", width / 2)
    bottom = origin[1] + length("PinY") - length("LocPinY", height / 2)
    ends = {key: (origin[0] + length(f"{key}X"), origin[1] + length(f"{key}Y"))
            for key in ("Begin", "End") if f"{key}X" in cells}  # fmt: skip
    ends = ends or _ends_of_line(element, left, bottom)
    parts = list(element.iter(f"{_VISIO}Shape"))
    text = _text(element) or next((words for part in parts[1:] if (words := _text(part))), "")
    return Shape(
        element.get("ID", ""), text, names, left, bottom, width, height, ends.get("Begin"), ends.get("End"),
        cells, ({} if master is None else _properties(master)) | _properties(element), _outlined(element, master),
        frozenset(part.get("ID", "") for part in parts),
    )  # fmt: skip


def _ends_of_line(shape: Element, left: float, bottom: float) -> dict[str, tuple[float, float]]:
    """Where a line begins and ends that was drawn by hand or by a program, not as a connector: an open path."""
    geometry = shape.find(f"{_VISIO}Section[@N='Geometry']")
    if geometry is None or _cells(geometry).get("NoFill") != "1":
        return {}
    size = _cells(shape)
    points: list[tuple[float, float]] = []
    for row in geometry.iterfind(f"{_VISIO}Row"):
        x, y = (_number(_cells(row).get(axis)) for axis in ("X", "Y"))
        if row.get("T", "").startswith("Rel"):
            x, y = x * _number(size.get("Width")), y * _number(size.get("Height"))
        points.append((left + x, bottom + y))
    if len(points) < 2 or dist(points[0], points[-1]) < 0.05:
        return {}
    return {"Begin": points[0], "End": points[-1]}


def _number(text: str | None, otherwise: float = 0.0) -> float:
    try:
        return float(text or otherwise)
    except ValueError:
        return otherwise


def _cells(shape: Element) -> dict[str, str]:
    """Cells of a shape (or row or section), and of its user section as `User.<name>`."""
    found = {item.get("N", ""): item.get("V", "") for item in shape.iterfind(f"{_VISIO}Cell")}
    for row in shape.iterfind(f"{_VISIO}Section[@N='User']/{_VISIO}Row"):
        for cell in row.iterfind(f"{_VISIO}Cell[@N='Value']"):
            found[f"User.{row.get('N', '')}"] = cell.get("V", "")
    return found


def _properties(shape: Element) -> dict[str, str]:
    """Shape data by row name and by label, lower case."""
    found: dict[str, str] = {}
    for row in shape.iterfind(f"{_VISIO}Section[@N='Property']/{_VISIO}Row"):
        cells = _cells(row)
        if value := cells.get("Value", ""):
            found |= {name.lower(): value for name in (row.get("N", ""), cells.get("Label", "")) if name}
    return found


def _text(shape: Element) -> str:
    text = shape.find(f"{_VISIO}Text")
    return "" if text is None else " ".join("".join(text.itertext()).split())


def _outlined(element: Element, master: Element | None) -> bool:
    """Whether a shape has a border or fill of its own: text alone does not."""
    for shape in (element, master):
        for geometry in () if shape is None else shape.iterfind(f"{_VISIO}Section[@N='Geometry']"):
            hidden = _cells(geometry)
            if hidden.get("NoShow") != "1" and (hidden.get("NoLine"), hidden.get("NoFill")) != (
                "1",
                "1",
            ):
                return True
    return element.find(f"{_VISIO}Shapes") is not None or (
        master is not None and master.find(f"{_VISIO}Shapes") is not None
    )
