"""XML of strangers: bounded, no document type, no entities, no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sources.processes import ProcessError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST = 32 * 1024 * 1024  # bytes; drawings of a thousand steps take about one
_DEEPEST = 100  # elements inside each other; drawings have about ten


def tree(content: bytes, where: str) -> Element:
    """The root element of an XML text.

    Raises: ProcessError if it is too large or too deep, is not XML, or declares a document type or entities.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(content) > LARGEST:
        raise ProcessError(
            f"{where}: larger than {LARGEST // 1024**2} MB. Nothing was read. Split the drawing."
        )
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ProcessError(
            f"{where}: declares a document type or entities ({type(error).__name__}), which no drawing needs and "
            f"attacks use. Nothing was read. Export it again, or take the <!DOCTYPE …> out."
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise ProcessError(
            f"{where}: is not well-formed XML: {error}. Nothing was read. Export it again."
        ) from None
    level, depth = [root], 0
    while level:
        level, depth = [child for element in level for child in element], depth + 1
        if depth > _DEEPEST:
            raise ProcessError(
                f"{where}: elements lie more than {_DEEPEST} deep. Nothing was read. Export it again."
            )
    return root


def content_of(path: Path) -> bytes:
    """What a file holds, as far as a drawing may be long.

    Raises: ProcessError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ProcessError(f"{path}: cannot be read: {error.strerror}. Nothing was imported.") from None


def local(tag: object) -> str:
    """The name of an element or attribute without its namespace; "" for comments."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(tag: object) -> str:
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag[0] == "{" else ""
