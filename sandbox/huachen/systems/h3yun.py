"""Quality checks of received goods in 氚云: one form; the receipt and the material are typed in, people are ids."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from sandbox.huachen.world.records import World
from sandbox.huachen.world.spelling import Spelling
from sandbox.store import Field, Table

VENDOR = "h3yun"
SYSTEM = "h3yun"
FORM = "D282411qc"
OPTIONS = {"engine_code": "hc3e8a51", "engine_secret": "sandbox-h3-9fd24c70b1"}

_FIELDS = (
    Field("ObjectId", "text", "数据编号", required=True),
    Field("Name", "text", "数据标题"),
    Field("CreatedTime", "instant", "创建时间", required=True),
    Field("ModifiedTime", "instant", "修改时间", required=True, indexed=True),
    Field("CreatedBy", "text", "创建人", refers="user", personal=True),
    Field("Status", "text", "状态"),
    Field("F0000001", "text", "检验单号", required=True),
    Field("F0000002", "text", "入库单号"),
    Field("F0000003", "text", "物料编码"),
    Field("F0000004", "decimal", "抽检数量", required=True),
    Field("F0000005", "decimal", "不合格数量", required=True),
    Field("F0000006", "text", "检验结论", required=True),
    Field("F0000007", "text", "不合格原因"),
    Field("F0000008", "instant", "检验时间", required=True),
)


def tables(world: World, spelling: Spelling) -> list[Table]:
    """The one form."""
    rows = []
    for item in world.quality:
        at = _utc(item.at)
        rows.append(
            (_guid(item.number), f"来料检验 {item.number}", at, at, spelling.employee_id(SYSTEM, item.person), "1", item.number, item.reference,
             item.subject, str(item.checked), str(item.rejected), item.result, item.note or None, at)
        )  # fmt: skip
    return [Table(FORM, "来料检验", ("ObjectId",), _FIELDS, rows)]


def _guid(number: str) -> str:
    text = f"{random.Random(f'h3yun:{number}').getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
