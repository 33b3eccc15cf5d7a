"""Company names, taken apart: region, core (字号), trade, legal form, branch.

上海恒力机械有限公司 is region 上海, core 恒力, trade 机械, form ltd. What may differ between two spellings of one company is
kept apart from what may not. A region is stripped only while a core remains: 宁波银行 stays 宁波银行, or it would equal
every other bank. A branch has the name of its head office and is not it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tieout.master_data.standard import regions
from tieout.master_data.standard.text import folded, has_han, plain, says_nothing

# What a name ends with, longest first, and what it says. Forms that say the same have one name.
_FORMS = {
    "集团股份有限公司": "group_plc", "集团股份公司": "group_plc", "集团有限责任公司": "group_ltd", "集团有限公司": "group_ltd",
    "股份有限责任公司": "plc", "股份有限公司": "plc", "股份公司": "plc",
    "有限责任公司": "ltd", "责任有限公司": "ltd", "有限公司": "ltd",
    "集团总公司": "group", "集团公司": "group", "总公司": "company", "集团": "group", "公司": "company",
    "合伙企业": "partnership", "个人独资企业": "sole", "个体工商户": "sole",
    "厂": "works", "商行": "shop", "经营部": "shop", "门市部": "shop", "商店": "shop", "工作室": "shop", "专业合作社": "cooperative",
    "合作社": "cooperative",
}  # fmt: skip
_FORM = re.compile(f"({'|'.join(sorted(_FORMS, key=len, reverse=True))})$")
_HEAD_FORM = re.compile(
    "(集团股份有限公司|集团股份公司|集团有限责任公司|集团有限公司|股份有限责任公司|股份有限公司|股份公司|有限责任公司|责任有限公司|有限公司|集团总公司|集团公司|总公司)"
)
_BRACKETED_FORMS = {
    "集团": None, "有限合伙": "partnership", "普通合伙": "partnership", "特殊普通合伙": "partnership", "个体工商户": "sole", "个人独资": "sole",
}  # fmt: skip
# Forms of which one is the short way to say the other. All others are different companies until something else joins them.
LOOSE_FORMS = frozenset(
    {
        ("company", "ltd"),
        ("company", "plc"),
        ("group", "group_ltd"),
        ("group", "group_plc"),
        ("company", "group"),
    }
)
# Forms of which a company takes the other on without becoming another company. A group and its members, or a GmbH and the
# KG it manages, have one name and one switchboard and are two.
CONVERTED_FORMS = frozenset({("ltd", "plc"), ("group_ltd", "group_plc")})
_FOREIGN_FORMS = {
    "gmbh & co kgaa": "kgaa", "gmbh & co kg": "gmbh_kg", "gmbh & co ohg": "gmbh_kg", "ag & co kg": "gmbh_kg", "gmbh": "gmbh", "mbh": "gmbh",
    "ag": "ag", "kg": "kg", "ohg": "ohg", "ug": "ug", "se": "se", "ek": "ek",
    "societa per azioni": "spa", "spa": "spa", "srl": "srl", "sas": "sas", "sasu": "sas", "sarl": "sarl", "eurl": "sarl", "sa": "sa",
    "bv": "bv", "nv": "nv", "ab": "ab", "as": "as", "asa": "asa", "aps": "aps", "oy": "oy", "oyj": "oyj", "sl": "sl", "slu": "sl",
    "sro": "sro", "spol s r o": "sro", "sp z o o": "spzoo", "spzoo": "spzoo", "kft": "kft", "zrt": "zrt", "doo": "doo", "ood": "ood",
    "incorporated": "inc", "inc": "inc", "corporation": "corp", "corp": "corp", "company limited": "ltd", "company ltd": "ltd",
    "co limited": "ltd", "co ltd": "ltd", "private limited": "ltd", "pvt ltd": "ltd", "pte ltd": "ltd", "pty ltd": "ltd", "sdn bhd": "bhd",
    "limited": "ltd", "ltd": "ltd", "llc": "llc", "llp": "llp", "lp": "lp", "plc": "plc", "kk": "kk", "co": "company",
}  # fmt: skip
# Records that stand for whoever comes along.
_ANYBODY_WORDS = (
    "零售客户 零售 散户 散客 零散客户 零星客户 现金客户 临时客户 一次性客户 个人 个人客户 普通客户 一般客户 虚拟客户 内部客户 其他客户 其它客户 临时供应商 "
    "零星供应商 一次性供应商 零星采购 其他供应商 其它供应商 个体户 客户 供应商 公司 有限公司"
)
_ANYBODY = frozenset(_ANYBODY_WORDS.split())
_LONGEST_FOREIGN_FORM = max(len(words.split()) for words in _FOREIGN_FORMS)
_MARKS = (
    "证券营业部|营业部|营业所|储蓄所|分公司|支公司|分行|支行|分理处|办事处|联络处|代表处|事业部|项目部|分店|分厂|分院|分部|分社|分中心|"
    "采购部|销售部|财务部|工程部|仓库|采购中心|物流中心|服务站|加油站"
)
_BRANCH = re.compile(rf"(?:{_MARKS})$")
_HOUSES = re.compile(r"(银行|信用社|信用联社|证券|保险|人寿|财险|信托|期货|基金)(?=.{2,})")
_LOOSE_BRANCH = re.compile(r"(分公司|支公司|办事处|联络处|代表处|事业部|分厂|分店)$")
_ORDINAL = re.compile(r"第[一二三四五六七八九十百\d]+$")
_NOTE = re.compile(
    r"^(?:停用|已停用|作废|勿用|禁用|不用|注销|已注销|旧|老|新|备用|现结|月结|现金|含税|不含税|一般纳税人|小规模|原.*|曾用名.*|简称.*|筹|重复.*|黑名单|vip)$"
)
_BANKS = {
    "工行": "中国工商银行", "农行": "中国农业银行", "中行": "中国银行", "建行": "中国建设银行", "交行": "交通银行", "招行": "招商银行",
    "邮储银行": "中国邮政储蓄银行", "工商银行": "中国工商银行", "农业银行": "中国农业银行", "建设银行": "中国建设银行", "光大银行": "中国光大银行",
    "民生银行": "中国民生银行", "邮政储蓄银行": "中国邮政储蓄银行",
}  # fmt: skip
_TOWN = re.compile(r"[^\W\d_]{2,3}(?:镇|街道)(?=[^\W\d_]{4,})")
_BANK = re.compile(f"^({'|'.join(sorted(_BANKS, key=len, reverse=True))})(?!股份制)")
# Words that say what a company does. What is left in front of them is its core.
_TRADE_WORDS = (
    "科技 技术 高科技 高新技术 信息 信息技术 信息科技 网络 网络科技 软件 数码 数据 智能 智能科技 智能装备 电子 电子商务 电子科技 通信 通讯 光电 光学 半导体 集成电路 芯片 微电子 "
    "机械 机电 机床 机器人 机械设备 设备 装备 装备制造 制造 制品 加工 自动化 自动化设备 自控 控制 控制系统 仪器 仪表 仪器仪表 测控 检测 检验 计量 精密 精工 精机 精密部件 精密机械 部件 配件 零部件 "
    "汽配 汽车 汽车零部件 汽车配件 摩托车 车辆 船舶 航空 航天 铁路 轨道交通 液压 气动 传动 轴承 紧固件 标准件 五金 五金制品 模具 模塑 工具 刀具 阀门 泵业 水泵 电机 电器 电气 电力 电力设备 电缆 线缆 "
    "电线电缆 电池 电源 新能源 能源 能源科技 太阳能 光伏 风电 风力发电 水电 热电 热力 燃气 天然气 石油 石化 化工 化学 化纤 精细化工 涂料 油漆 塑料 塑胶 塑业 橡胶 橡塑 树脂 高分子 "
    "新材料 材料 材料科技 复合材料 陶瓷 玻璃 水泥 建材 建筑材料 钢铁 钢材 钢管 钢结构 钢铁贸易 特钢 不锈钢 铝业 铝材 铜业 铜材 金属 金属制品 金属材料 有色金属 稀土 矿业 煤业 煤炭 煤矿 冶金 铸造 锻造 热处理 焊接 "
    "包装 包装材料 包装制品 包装制造 印刷 印务 彩印 纸业 纸品 纸制品 木业 家具 家居 家电 家用电器 厨具 卫浴 灯饰 照明 玩具 文具 文化用品 办公用品 办公设备 体育用品 日用品 百货 服装 服饰 制衣 针织 纺织 纺织品 "
    "印染 面料 皮革 鞋业 食品 饮料 酒业 茶业 粮油 农业 农业科技 农业发展 农产品 农牧 牧业 渔业 水产 养殖 种业 林业 园林 园艺 绿化 园林绿化 饲料 化肥 农药 医药 药业 制药 生物 生物科技 生物技术 生物医药 医疗 医疗器械 医疗科技 健康 健康管理 "
    "保健品 化妆品 美容 环保 环保科技 环保节能 环境 环境科技 节能 节能科技 水务 水处理 污水处理 工业 工业科技 工业设备 实业 实业发展 产业 企业 发展 开发 建设 建设工程 建设发展 建筑 建筑工程 工程 工程技术 安装 安装工程 装饰 装修 装饰工程 装潢 设计 规划 "
    "勘察 监理 测绘 市政 市政工程 路桥 交通 交通运输 运输 物流 货运 货运代理 国际货运代理 速递 快递 供应链 供应链管理 仓储 港口 航运 贸易 商贸 工贸 国际贸易 进出口 进出口贸易 外贸 经贸 物资 物资贸易 物贸 商业 商务 商务服务 零售 批发 超市 连锁 "
    "酒店 酒店管理 餐饮 餐饮管理 旅游 旅行社 文化 文化传媒 文化传播 文化发展 传媒 广告 影视 动漫 游戏 教育 教育科技 教育咨询 培训 体育 娱乐 出版 投资 投资管理 投资控股 投资发展 股权投资 创业投资 资产管理 资产经营 资本 资本管理 控股 金融 金融服务 "
    "融资租赁 租赁 担保 融资担保 典当 小额贷款 保险 保险经纪 证券 期货 基金 基金管理 信托 银行 商业银行 农村商业银行 农商银行 村镇银行 财务 财务咨询 财务管理 会计 税务 法律 咨询 咨询服务 管理咨询 企业管理 企业管理咨询 企业管理服务 信息咨询 管理 "
    "经营管理 运营 运营管理 服务 技术服务 技术咨询 技术开发 技术发展 人力资源 劳务 劳务派遣 物业 物业管理 物业服务 置业 地产 房地产 房地产开发 房产 保安 安防 消防 清洁 家政 维修 制冷 空调 暖通 电梯 起重 叉车 工程机械 农机 纺机 印刷机械 包装机械 食品机械 "
    "化工机械 塑料机械 木工机械 激光 激光科技 磁性材料 磁材 磁业 变压器 开关 继电器 传感器 传感 电容 电阻 线路板 电路板 电子元件 电子器件 元器件 元件 器件 接插件 连接器 显示 视讯 音响 乐器 钟表 珠宝 首饰 工艺品 礼品 眼镜 箱包 伞业 "
    "担保中心 中心 总站 站 事务所 律师事务所 会计师事务所 研究院 研究所 设计院 设计研究院 学院 大学 学校 中学 小学 幼儿园 医院 卫生院 门诊部 药房 大药房 酒楼 宾馆 大酒店 饭店 商场 商城 市场 农场 林场 牧场 供销社 合作联社 与 和 及"
)
_TRADE = frozenset(_TRADE_WORDS.split())
_NO_CORE = frozenset({"中国", "中华", "国际", "全国", "全球", "中央", "国家"})
_LONGEST_TRADE = max(map(len, _TRADE))


@dataclass(frozen=True, slots=True)
class CompanyName:
    """A name and its parts; empty where the name does not say.

    Attributes:
        text: The whole name in one script and width.
        region: Path (江苏/苏州) of the region it begins with or has in brackets.
        core: 字号 (恒力); empty if all words are words of a trade.
        trade: What it does (机械); empty if no known word ends the name.
        stem: All but region, form and branch (恒力机械): what two spellings of one company have in common.
        form: Legal form, as one name for one meaning (ltd, plc, group_ltd, gmbh …).
        branch: 上海分公司; empty for a company itself.
    """

    text: str
    region: str
    core: str
    trade: str
    stem: str
    form: str
    branch: str

    @property
    def short(self) -> str:
        """How people say it: the core and the first two characters of the trade (恒力机械, 恒力自动)."""
        return self.core + self.trade[:2] if self.core and has_han(self.stem) else self.stem


def company_name(value: str | None) -> CompanyName | None:
    """Take a company name apart; None for what names nobody (无, 测试, 零星客户)."""
    text = plain(value)
    if text is None or says_nothing(text) or text.replace(" ", "") in _ANYBODY:
        return None
    return _chinese(plain(text.replace(" ", "")) or text) if has_han(text) else _foreign(text)


def forms_conflict(one: str, other: str) -> bool:
    """Do two legal forms say that these are two companies? A missing form says nothing."""
    return bool(one and other and one != other and tuple(sorted((one, other))) not in LOOSE_FORMS)


@lru_cache(maxsize=200_000)
def _chinese(text: str) -> CompanyName | None:
    name, region, form = _without_brackets(text.casefold())
    begins, end = regions.leading(name)
    front, name = name[:end], name[end:]
    if begins and (town := _TOWN.match(name)):
        name = name[town.end() :]
    head, branch = _parted(_bank(name) if not begins else name)
    found = _FORM.search(head)
    if found and len(head) > len(found[1]):
        head, form = head[: found.start()], form or _FORMS[found[1]]
    head, inside = _inner_region(_clean(head), begins)
    core, trade = _core_and_trade(head)
    stem = head
    path = begins.path if begins else ""
    if begins and len(core) < 2:
        # 宁波银行, 上海机械: without the region only words of a trade would be left.
        # Then it may be a name like any other (昌吉机电 of 天津), unless 市 says that the city is meant.
        core, stem = regions.short(front) + core, regions.short(front) + head
        path = path if front[-1] in "省市区县州盟旗" else ""
    for other in (inside, region):
        if other and regions.compatible(path, other) and len(other) > len(path):
            path = other
        elif other and not regions.compatible(path, other):
            stem += f"({other})"
    if not stem:
        return None
    return CompanyName(text, path, core, trade, stem, form, _branch(branch))


def _without_brackets(name: str) -> tuple[str, str, str]:
    """The name without what its brackets say of region, form and notes: (name, region path, form)."""
    region = form = ""

    def said(match: re.Match[str]) -> str:
        nonlocal region, form
        content = match[1]
        if content in _BRACKETED_FORMS:
            form = _BRACKETED_FORMS[content] or form
            return "" if _BRACKETED_FORMS[content] else content
        place = regions.whole(content) if len(content) >= 2 else None
        if place and not region:
            region = place.path
            return ""
        return "" if not content or _NOTE.match(content) else f"({content})"

    return re.sub(r"\(([^()]*)\)", said, name), region, form


def _parted(name: str) -> tuple[str, str]:
    """Head office and branch: 恒力机械有限公司上海分公司 → (恒力机械有限公司, 上海分公司)."""
    found = _HEAD_FORM.search(name)
    if found and found.start() >= 1:
        return name[: found.end()], name[found.end() :]
    if not _BRANCH.search(name):
        return name, ""
    house = _HOUSES.search(name)
    if house:
        return name[: house.end(1)], name[house.end(1) :]
    mark = _LOOSE_BRANCH.search(name)
    if not mark:
        return name, ""
    before = name[: mark.start()]
    ordinal = _ORDINAL.search(before)
    if ordinal and ordinal.start() >= 2:
        return before[: ordinal.start()], name[ordinal.start() :]
    for start in range(2, len(before) - 1):
        if regions.whole(before[start:]):
            return before[:start], name[start:]
    return (before, mark[1]) if len(before) >= 4 else (name, "")


def _inner_region(head: str, begins: regions.Region | None) -> tuple[str, str]:
    """A region in brackets that the form or the branch had hidden: nothing else is taken out of the middle of a name."""
    found = re.search(r"\(([^()]{2,})\)", head)
    place = regions.whole(found[1]) if found else None
    if found and place:
        return head[: found.start()] + head[found.end() :], place.path
    return head, ""


def _clean(head: str) -> str:
    return re.sub(r"[\s,.\-_·'\"!?*#:;/\\]+", "", head)


def _bank(head: str) -> str:
    found = _BANK.match(head)
    return _BANKS[found[1]] + head[found.end() :] if found else head


def _branch(text: str) -> str:
    """A branch to compare: 深圳市分行 = 深圳分行, （筹） and signs left out."""
    text = re.sub(r"[()\s,.\-_·]+", "", text)
    shorter = re.sub(r"(?<=[^\W\d_]{2})[省市区县镇](?=[^\W_])", "", text)
    return shorter if len(shorter) >= 3 else text


@lru_cache(maxsize=65_536)
def _core_and_trade(head: str) -> tuple[str, str]:
    """The longest end of `head` made only of words of a trade, and what is in front of it (empty, or two characters)."""
    length = len(head)
    ends = {length}
    # From the back: a place is good if a word of a trade reaches from it to a good place.
    for start in range(length - 1, -1, -1):
        for size in range(1, min(_LONGEST_TRADE, length - start) + 1):
            if start + size in ends and head[start : start + size] in _TRADE:
                ends.add(start)
                break
    if 0 in ends:
        return "", head
    cut = min(place for place in ends if place >= 2) if length >= 2 else length
    if head[:cut] in _NO_CORE:
        return head, ""
    return head[:cut], head[cut:]


def _foreign(text: str) -> CompanyName | None:
    said = folded(text) or ""
    said = re.sub(r"\(([^()]*)\)", r" \1 ", said)
    said = re.sub(r"\s*[&+]\s*", " & ", said)
    said = re.sub(r"(?<=\b\w)\.(?=\s?\w\b)\s?|(?<=\w)\.", "", said)  # S.r.l. → srl, s. r. o. → sro
    words = re.sub(r"[^\w&]+", " ", said).split()
    while words and words[-1] == "&":
        words.pop()
    form = ""
    for size in range(min(_LONGEST_FOREIGN_FORM, len(words) - 1), 0, -1):
        if (found := _FOREIGN_FORMS.get(" ".join(words[-size:]))) is not None:
            words, form = words[:-size], found
            break
    while words and words[-1] == "&":
        words.pop()
    stem = " ".join("and" if word == "&" else word for word in words)
    return CompanyName(re.sub(r"\s+", " ", text), "", stem, "", stem, form, "") if stem else None
