"""QueryBusinessInfo: what a form consists of.

Seen in callers' code: `Result.NeedReturnData.Entrys[].Fields[]` with `FieldName` and `Name: [{Key: 2052, Value}]`. The
other keys (`Key`, `ElementType`, `MustInput`, `LookUpObject`, `EnumItems`, `PkFieldName`, `EntryPkFieldName`) are our
best knowledge and unverified.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.store import Field, Table

_ENTRY_KEY = re.compile(r"(?P<entity>\w+)_F(?:EntryID|SEQ|DetailID)", re.IGNORECASE)
_ELEMENTS = {
    "text": "TextField",
    "integer": "IntegerField",
    "decimal": "DecimalField",
    "date": "DateField",
    "instant": "DateTimeField",
    "flag": "CheckBoxField",
    "choice": "ComboField",
    "list": "TextField",
}


def business_info(table: Table) -> dict[str, Any]:
    """A form's entities with their fields. Keys of form and entities are no fields; a reference is one field, not its parts."""
    own_key = table.fields[0].name if table.fields[0].kind == "integer" else ""
    entities = [_entity("FBillHead", table.title, own_key)]
    for item in table.fields:
        if item.name == own_key:
            continue
        if found := _ENTRY_KEY.fullmatch(item.name):
            name, key = found["entity"], item.name[len(found["entity"]) + 1 :]
            if entities[-1]["Key"] != name:
                entities.append(_entity(name, "明细", ""))
            entities[-1]["SeqFieldKey" if key.upper() == "FSEQ" else "EntryPkFieldName"] = key
            continue
        fields = entities[-1]["Fields"]
        key = item.name.partition(".")[0]
        if all(field["Key"] != key for field in fields):
            fields.append(_field(item, key, entities[-1]["Key"]))
    said = {"Id": table.name, "Name": _named(table.title), "PkFieldName": own_key, "Entrys": entities}
    status = {"IsSuccess": True, "Errors": [], "SuccessEntitys": [], "SuccessMessages": [], "MsgCode": 0}
    return {"Result": {"ResponseStatus": status, "NeedReturnData": said}}


def _entity(key: str, title: str, own_key: str) -> dict[str, Any]:
    return {
        "Id": key,
        "Key": key,
        "Name": _named(title),
        "EntryPkFieldName": own_key,
        "SeqFieldKey": "",
        "Fields": [],
    }


def _field(field: Field, key: str, entity: str) -> dict[str, Any]:
    reference = "." in field.name
    said: dict[str, Any] = {
        "Key": key,
        "FieldName": key.upper(),
        "EntityKey": entity,
        "Name": _named(field.title),
        "ElementType": "BaseDataField" if reference else _ELEMENTS[field.kind],
        "MustInput": int(field.required),
    }
    if reference:
        said["LookUpObject"] = {"FormId": field.refers or ""}
    if field.options:
        said["EnumItems"] = [{"Value": code, "Caption": _named(words)} for code, words in field.options]
    return said


def _named(text: str) -> list[dict[str, Any]]:
    """A title in the languages there are: 2052 is simplified Chinese."""
    return [{"Key": 2052, "Value": text}]
