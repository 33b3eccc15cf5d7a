"""What 金蝶's QueryBusinessInfo says of a form, as fields of a contract.

Known from callers: `Entrys[].Fields[]` with `Key` and `Name: [{Key: 2052, Value}]`. The rest of the shape is unverified,
so every part may be missing, and a type that is not known becomes text with a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sources.connectors.connector import FieldMeta, ObjectMeta


def form_of(form: str, info: Mapping[str, Any], usual: str) -> ObjectMeta:
    """A form as QueryBusinessInfo describes it: the head and the first entry that has fields, one row a line.

    `usual`: its title if it names none.
    """
    entities = info.get("Entrys") or []
    head = next(
        (item for item in entities if item.get("Key") in {"FBillHead", None}), entities[0] if entities else {}
    )
    lines = [
        item for item in entities if item is not head and item.get("Fields") and item.get("EntryPkFieldName")
    ]
    entry = lines[0] if lines else None
    head_key = str(info.get("PkFieldName") or "FID")
    key = f"{entry['Key']}_{entry['EntryPkFieldName']}" if entry else head_key
    fields = [_key_field(head_key, "内码")]
    if entry:
        fields.append(_key_field(key, f"{_name(entry)}内码"))
    for entity in [head, *([entry] if entry else [])]:
        every = [made for item in entity.get("Fields") or [] for made in _fields(item)]
        fields += [made for made in every if made.path not in {head_key, key}]
    ids = {item.id for item in fields}
    cursor = tuple(name for name in ("fmodifydate", "fcreatedate") if name in ids)
    doubt = None
    if len(lines) > 1:
        others = ", ".join(str(item["Key"]) for item in lines[1:])
        doubt = f"further entries ({others}) need streams of their own"
    more = {"deletes": "keys"} if cursor else None
    return ObjectMeta(
        form,
        _name(info) or usual,
        tuple(fields),
        (ascii_id(key),),
        cursor,
        stream=more,
        doubt=doubt,
    )


def ascii_id(field: str) -> str:
    """A column's id: `FCustId.FNumber` → `fcustid_fnumber`."""
    return field.lower().replace(".", "_")


def _key_field(path: str, title: str) -> FieldMeta:
    return FieldMeta(ascii_id(path), path, title, "key", "text", required=True)


# How the metadata names types: by the kind of field, or by SQL Server's number of the column's type.
_TYPES: dict[str | int, str] = {
    "TextField": "text", "ComboField": "text", "IntegerField": "bigint", "DecimalField": "decimal(28, 10)",
    "DateField": "date", "DateTimeField": "timestamp", "CheckBoxField": "boolean", "BaseDataField": "text",
    35: "text", 36: "text", 99: "text", 167: "text", 175: "text", 231: "text", 239: "text", 48: "bigint", 52: "bigint",
    56: "bigint", 127: "bigint", 104: "boolean", 40: "date", 58: "timestamp", 61: "timestamp", 60: "decimal(28, 10)",
    106: "decimal(28, 10)", 108: "decimal(28, 10)", 59: "double", 62: "double",
}  # fmt: skip
_PERSONAL = ("联系人", "电话", "手机", "邮箱", "地址", "身份证", "姓名", "银行账号", "开户")
_INSTANTS = {"FModifyDate", "FCreateDate", "FApproveDate"}


# 核算维度: which slot holds what is the vendor's default, and may be assigned anew.
_DIMENSIONS = {"FFLEX4": "供应商", "FFLEX5": "部门", "FFLEX6": "客户"}


def _fields(item: Mapping[str, Any]) -> list[FieldMeta]:
    name, title = str(item.get("Key")), _name(item) or str(item.get("Key"))
    if name == "FDetailID":
        paths = {slot: f"{name}.{slot}.FNumber" for slot in _DIMENSIONS}
        doubt = "check in 核算维度 that this slot holds it"
        return [
            FieldMeta(ascii_id(path), path, f"{_DIMENSIONS[slot]}编码", "flex", "text", doubt=doubt)
            for slot, path in paths.items()
        ]
    said = next((item[key] for key in ("ElementType", "FieldType") if item.get(key) in _TYPES), None)
    told = str(item.get("ElementType") or item.get("FieldType"))
    looked_up = item.get("LookUpObject") or item.get("LookUpObjectFormId")
    if looked_up:
        # The field alone is an internal id; what people know it by is the number.
        refers = looked_up.get("FormId") if isinstance(looked_up, Mapping) else looked_up
        path = f"{name}.FNumber"
        return [
            FieldMeta(
                ascii_id(path), path, f"{title}编码", told, "text", refers=str(refers) if refers else None
            )
        ]
    kind = _TYPES[said] if said is not None else None
    if kind == "timestamp" and title.endswith("日期") and name not in _INSTANTS:
        kind = "date"
    one = FieldMeta(
        id=ascii_id(name), path=name, title=title, kind=told, type=kind or "text",
        options=tuple((str(one.get("Value")), _name(one, "Caption")) for one in item.get("EnumItems") or []),
        personal=any(word in title for word in _PERSONAL),
        doubt=None if kind else f"the type {told} is not known; text loses nothing",
    )  # fmt: skip
    return [one]


def _name(item: Mapping[str, Any], key: str = "Name") -> str:
    """A title in Chinese: plain, or a list of languages."""
    said = item.get(key)
    if isinstance(said, list):
        texts = {one.get("Key"): one.get("Value") for one in said if isinstance(one, Mapping)}
        said = texts.get(2052) or next((text for text in texts.values() if text), "")
    return str(said or "").strip()
