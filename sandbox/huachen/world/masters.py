"""People, parties and things the company deals with: the same for the same seed and scale."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from sandbox.huachen.world.records import CENT, Department, Employee, Party, Product, World

_CITIES = (
    ("上海", "310115", "浦东新区张江路"), ("苏州", "320506", "吴中区东吴南路"), ("杭州", "330108", "滨江区江南大道"),
    ("宁波", "330212", "鄞州区首南中路"), ("无锡", "320214", "新吴区长江路"), ("深圳", "440306", "宝安区新安路"),
    ("东莞", "441900", "松山湖科技路"), ("成都", "510107", "武侯区武兴路"), ("武汉", "420111", "洪山区珞喻路"),
    ("青岛", "370212", "崂山区株洲路"), ("天津", "120116", "滨海新区第三大街"), ("重庆", "500112", "渝北区金开大道"),
)  # fmt: skip
_CORES = [
    "恒力",
    "瑞丰",
    "金鼎",
    "联创",
    "华东",
    "中联",
    "宏图",
    "鑫源",
    "天成",
    "博远",
    "凯达",
    "正泰源",
    "万通",
    "德盛",
    "永兴",
    "海纳",
    "泰和",
    "嘉禾",
    "信达",
    "飞跃",
    "东方",
    "长城",
    "新科",
    "三江",
    "五洲",
    "精诚",
    "科瑞",
    "盛世",
    "同创",
    "友邦",
    "康达",
    "远景",
    "银河",
    "百川",
    "顺达",
    "卓越",
    "铭泰",
    "振华",
    "光大",
    "众合",
]
_TRADES = [
    "机械",
    "机电",
    "自动化设备",
    "精密部件",
    "液压",
    "电气",
    "工业科技",
    "装备制造",
    "仪器仪表",
    "传动",
]
_SUPPLY = ["五金制品", "钢铁贸易", "轴承", "电子元件", "铸造", "包装材料", "化工", "紧固件", "铜业", "塑胶"]
_FORMS = ("有限公司", "有限公司", "有限责任公司", "股份有限公司", "（集团）有限公司")
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗"
_GIVEN = [
    "伟",
    "芳",
    "娜",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "洋",
    "勇",
    "艳",
    "杰",
    "娟",
    "涛",
    "明",
    "超",
    "秀兰",
    "霞",
    "平",
    "刚",
    "桂英",
    "建华",
    "文",
    "晓东",
    "志远",
    "雨晴",
    "子轩",
    "梓涵",
]
_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)

_DEPARTMENTS = (
    ("100", "总经办", None), ("200", "销售部", "100"), ("210", "华东大区", "200"), ("220", "电商部", "200"),
    ("300", "采购部", "100"), ("400", "生产部", "100"), ("410", "一车间", "400"), ("420", "二车间", "400"),
    ("500", "仓储物流部", "100"), ("600", "财务部", "100"), ("700", "人力资源部", "100"), ("800", "售后服务部", "100"),
)  # fmt: skip
# How many people of 48, and what a month costs before the person's own addition.
_STAFF = {"100": (1, 32000), "200": (2, 18000), "210": (4, 13000), "220": (3, 9000), "300": (4, 10500),
          "400": (2, 15000), "410": (11, 7200), "420": (9, 7000), "500": (5, 6800), "600": (3, 12000),
          "700": (2, 9500), "800": (2, 8800)}  # fmt: skip
_TITLES = {"100": "总经理", "200": "销售经理", "210": "销售代表", "220": "运营专员", "300": "采购员", "400": "生产经理",
           "410": "操作工", "420": "装配工", "500": "仓管员", "600": "会计", "700": "人事专员", "800": "售后工程师"}  # fmt: skip

_MATERIALS = (
    ("RM-001", "冷轧钢板", "2.0mm Q235", "公斤", "6.20", "吨", 1000), ("RM-002", "圆钢", "Φ30 45#", "公斤", "5.60", "吨", 1000),
    ("RM-003", "深沟球轴承", "6204-2RS", "个", "8.40", "箱", 100), ("RM-004", "深沟球轴承", "6305-2RS", "个", "14.20", "箱", 50),
    ("RM-005", "伺服电机", "400W", "台", "620.00", "台", 1), ("RM-006", "步进电机", "57系列", "台", "95.00", "台", 1),
    ("RM-007", "控制板", "V3.2", "块", "138.00", "盒", 10), ("RM-008", "密封圈", "O型 25×3", "个", "0.35", "包", 500),
    ("RM-009", "内六角螺栓", "M8×30", "个", "0.28", "盒", 200), ("RM-010", "铜线", "Φ1.2", "公斤", "68.00", "卷", 25),
    ("RM-011", "铝型材", "40×40", "米", "32.50", "支", 6), ("RM-012", "减速箱", "1:10", "台", "285.00", "台", 1),
    ("RM-013", "铸铁底座", "HT250", "件", "156.00", "件", 1), ("RM-014", "接近开关", "NPN M12", "个", "22.00", "盒", 20),
    ("RM-015", "包装木箱", "60×60×50", "个", "46.00", "个", 1), ("RM-016", "润滑脂", "2#", "公斤", "24.00", "桶", 15),
)  # fmt: skip
_FINISHED = (
    ("FG-001", "精密滑台", "行程300", "台", "1980", {"RM-006": 1, "RM-003": 2, "RM-011": "1.2", "RM-009": 16}, True),
    ("FG-002", "精密滑台", "行程500", "台", "2480", {"RM-006": 1, "RM-003": 2, "RM-011": "1.8", "RM-009": 20}, True),
    ("FG-003", "伺服压机", "3T", "台", "16800", {"RM-005": 1, "RM-012": 1, "RM-013": 2, "RM-007": 1, "RM-001": 85, "RM-015": 1}, False),
    ("FG-004", "伺服压机", "5T", "台", "22600", {"RM-005": 2, "RM-012": 1, "RM-013": 3, "RM-007": 1, "RM-001": 120, "RM-015": 1}, False),
    ("FG-005", "分割器", "80DF", "台", "3650", {"RM-002": 18, "RM-004": 4, "RM-008": 6, "RM-016": "0.5"}, False),
    ("FG-006", "电动推杆", "DC24V 200mm", "支", "560", {"RM-006": 1, "RM-008": 4, "RM-010": "0.3", "RM-009": 6}, True),
    ("FG-007", "送料机", "SL-200", "台", "7900", {"RM-005": 1, "RM-007": 1, "RM-011": 6, "RM-014": 4, "RM-015": 1}, False),
    ("FG-008", "计数检测仪", "JC-10", "台", "4300", {"RM-007": 2, "RM-014": 6, "RM-001": "4.5"}, False),
    ("FG-009", "维修套件", "推杆用", "套", "88", {"RM-008": 8, "RM-009": 12, "RM-016": "0.1"}, True),
    ("FG-010", "联轴器", "D30", "个", "65", {"RM-002": "0.8", "RM-009": 2}, True),
)  # fmt: skip
ACCOUNTS = {
    "1002": "银行存款", "1012": "其他货币资金", "1122": "应收账款", "1403": "原材料", "1404": "材料成本差异",
    "1405": "库存商品", "2202": "应付账款", "220201": "暂估应付账款", "2211": "应付职工薪酬", "222101": "应交增值税-进项税额",
    "222102": "应交增值税-销项税额", "4001": "实收资本", "4103": "本年利润", "5001": "生产成本", "5101": "制造费用",
    "6001": "主营业务收入", "6401": "主营业务成本", "6601": "销售费用", "6602": "管理费用", "6711": "营业外支出", "6301": "营业外收入",
}  # fmt: skip
FOREIGN_ACCOUNTS = {
    "113100": "Bank 1", "140000": "Trade receivables", "166000": "Input tax", "160000": "Trade payables",
    "175000": "Output tax", "800000": "Sales revenues", "893000": "Cost of goods sold", "300000": "Subscribed capital",
}  # fmt: skip
WAREHOUSES = {"W01": "原材料仓", "W02": "成品仓", "W03": "电商仓"}


def masters(world: World) -> None:
    """Fill in everything that is there before the first day, and what joins later with the day it joins on."""
    world.warehouses, world.accounts = dict(WAREHOUSES), dict(ACCOUNTS)
    world.foreign_accounts = dict(FOREIGN_ACCOUNTS)
    _departments(world)
    _employees(world)
    _products(world)
    world.customers = _parties(world, "customers", round(56 * world.scale**0.8), _TRADES, "C")
    world.suppliers = _suppliers(world)
    world.foreign_customers = _foreign(world)
    _rates(world)


def _departments(world: World) -> None:
    for code, name, parent in _DEPARTMENTS:
        world.departments.append(Department(code, name, parent, world.first))
    # 电商部 becomes a department of its own in the middle of the first year.
    moved = date(world.first.year, 7, 1)
    world.departments = [
        Department(d.code, d.name, d.parent, d.valid_from, moved - timedelta(days=1))
        if d.code == "220"
        else d
        for d in world.departments
    ]
    world.departments.append(Department("220", "电商部", "100", moved))


def _employees(world: World) -> None:
    dice = random.Random(f"{world.seed}:employees")
    span = (world.last - world.first).days
    names: set[str] = set()
    for department, (count, pay) in _STAFF.items():
        for place in range(count):
            name = next(
                n for n in iter(lambda: dice.choice(_FAMILY) + dice.choice(_GIVEN), "") if n not in names
            )
            names.add(name)
            joined_late = dice.random() < 0.2
            hired = (
                world.first + timedelta(days=dice.randrange(30, span // 2))
                if joined_late
                else date(
                    world.first.year - dice.randrange(1, 9), dice.randrange(1, 13), dice.randrange(1, 28)
                )
            )
            left = (
                world.last - timedelta(days=dice.randrange(20, span // 3))
                if place and dice.random() < 0.12
                else None
            )
            posts = [(hired, department)]
            if department == "410" and place == 3:  # from one workshop to the other, in the middle of a month
                posts.append((date(world.first.year + 1, 3, 17), "420"))
            if department == "210" and place == 1:
                posts.append((date(world.first.year, 10, 1), "220"))
            world.employees.append(
                Employee(
                    f"HC{len(world.employees) + 1:04d}", name, f"13{dice.randrange(10**8, 10**9)}", _TITLES[department],
                    hired, left, tuple(posts), Decimal(pay + dice.randrange(0, 30) * 100),
                )
            )  # fmt: skip


def _products(world: World) -> None:
    dice = random.Random(f"{world.seed}:products")
    cost = {}
    for place, (code, name, spec, unit, price, pack_unit, pack) in enumerate(_MATERIALS):
        cost[code] = Decimal(price)
        # Two materials each, of the first and of the second choice.
        first, second = f"S{place // 2 + 1:04d}", f"S{place // 2 + 9:04d}"
        world.products.append(
            Product(
                code,
                name,
                spec,
                "material",
                unit,
                cost[code],
                Decimal(0),
                pack_unit,
                pack,
                first,
                second=second,
            )
        )
    for code, name, spec, unit, price, parts, shop in _FINISHED:
        amounts = tuple((part, Decimal(str(quantity))) for part, quantity in parts.items())
        material = sum((cost[part] * quantity for part, quantity in amounts), Decimal(0))
        work = (material * Decimal(dice.randrange(18, 30)) / 100).quantize(CENT)
        standard = (material + work).quantize(CENT)
        world.products.append(
            Product(
                code, name, spec, "finished", unit, standard, Decimal(price), unit, 1, None, amounts, shop
            )
        )


def _parties(world: World, topic: str, count: int, trades: Sequence[str], letter: str) -> list[Party]:
    dice = random.Random(f"{world.seed}:{topic}")
    found: dict[str, Party] = {}
    span = (world.last - world.first).days
    while len(found) < count:
        city, area, street = dice.choice(_CITIES)
        core = dice.choice(_CORES) if len(found) < 300 else dice.choice(_CORES) + dice.choice(_CORES)[0]
        trade, form = dice.choice(trades), dice.choice(_FORMS)
        name = f"{city}{core}{trade}{form}"
        if name in found:
            continue
        late = dice.random() < 0.25
        since = (
            world.first + timedelta(days=dice.randrange(10, span - 60))
            if late
            else world.first - timedelta(days=dice.randrange(60, 2000))
        )
        found[name] = Party(
            f"{letter}{len(found) + 1:04d}", name, core + trade[:2],
            credit_code(dice, area) if dice.random() < 0.9 else None, "CN", city,
            f"{city}市{street}{dice.randrange(1, 999)}号", dice.choice(_FAMILY) + dice.choice(_GIVEN),
            f"1{dice.choice('3578')}{dice.randrange(10**8, 10**9)}", since, dice.choice((30, 45, 60)),
        )  # fmt: skip
    return list(found.values())


def _suppliers(world: World) -> list[Party]:
    every = _parties(world, "suppliers", max(round(18 * world.scale**0.5), 18), _SUPPLY, "S")
    # One supplier takes over another: orders before the day name the one, orders after it the other.
    taken, taker = every[4], every[2]
    on = date(world.first.year + 1, 1, 1)
    return [
        replace(
            p,
            since=min(
                p.since, world.first - timedelta(days=30)
            ),  # each material has one supplier, from the first day
            merged_into=taker.number if p is taken else None,
            merged_on=on if p is taken else None,
        )
        for p in every
    ]


def _foreign(world: World) -> list[Party]:
    dice = random.Random(f"{world.seed}:foreign")
    cores = [
        "Weber",
        "Schmitt",
        "Keller",
        "Bauer",
        "Lindner",
        "Vogel",
        "Rossi",
        "Moretti",
        "Laurent",
        "Dubois",
        "Novak",
        "Jansen",
        "Peeters",
        "Svensson",
        "Nielsen",
    ]
    forms = {"DE": ("Maschinenbau GmbH", "Antriebstechnik GmbH & Co. KG"), "IT": ("Automazione S.r.l.",), "FR": ("Industrie SAS",),
             "CZ": ("Strojirny s.r.o.",), "NL": ("Techniek B.V.",), "SE": ("Mekanik AB",)}  # fmt: skip
    cities = {
        "DE": "Stuttgart",
        "IT": "Bologna",
        "FR": "Lyon",
        "CZ": "Brno",
        "NL": "Eindhoven",
        "SE": "Malmö",
    }
    found: dict[str, Party] = {}
    while len(found) < round(18 * world.scale**0.8):
        country = dice.choice(list(forms))
        core = dice.choice(cores) if len(found) < 60 else f"{dice.choice(cores)} {dice.choice(cores)}"
        name = f"{core} {dice.choice(forms[country])}"
        if name in found:
            continue
        found[name] = Party(
            f"F{len(found) + 1:04d}", name, core, f"{country}{dice.randrange(10**8, 10**9)}", country, cities[country],
            f"Industriestrasse {dice.randrange(1, 90)}", f"{dice.choice('ABCDEFGHKLM')}. {dice.choice(cores)}",
            f"+49 711 {dice.randrange(10**5, 10**6)}", world.first - timedelta(days=dice.randrange(10, 900)), 30,
        )  # fmt: skip
    return list(found.values())


def _rates(world: World) -> None:
    """CNY for one EUR, by day: a walk in ten-thousandths."""
    dice = random.Random(f"{world.seed}:rates")
    rate, day = 78000, world.first
    while day <= world.last:
        rate += dice.randrange(-180, 181) + (78000 - rate) // 50
        world.rates[day] = Decimal(rate) / 10000
        day += timedelta(days=1)


def credit_code(dice: random.Random, area: str) -> str:
    """A 统一社会信用代码 with a right check character (GB 32100-2015)."""
    body = "91" + area + "".join(dice.choice(_CODE) for _ in range(9))
    return body + check_character(body)


def check_character(body: str) -> str:
    """The 18th character for the first 17."""
    total = sum(_CODE.index(char) * weight for char, weight in zip(body, _WEIGHTS, strict=True))
    return _CODE[(31 - total % 31) % 31]
