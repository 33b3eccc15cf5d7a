"""Values in one form: company names taken apart, codes checked, numbers that can be dialled, addresses, products, people."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data.standard import addresses, credit_code, people, phones, products, regions
from tieout.master_data.standard.names import company_name, forms_conflict
from tieout.master_data.standard.text import folded, plain, says_nothing

QUICK = settings(max_examples=60, deadline=None)

# name, region, core, trade, form, branch: worked out by hand.
NAMES = [
    ("上海恒力机械有限公司", "上海/上海", "恒力", "机械", "ltd", ""),
    ("上海市恒力机械有限责任公司", "上海/上海", "恒力", "机械", "ltd", ""),
    ("恒力机械有限公司（上海）", "上海/上海", "恒力", "机械", "ltd", ""),
    ("恒力机械（上海）有限公司", "上海/上海", "恒力", "机械", "ltd", ""),
    ("  上海　恒力机械　有限公司 ", "上海/上海", "恒力", "机械", "ltd", ""),
    ("上海恒力机械股份有限公司", "上海/上海", "恒力", "机械", "plc", ""),
    ("上海恒力机械（集团）有限公司", "上海/上海", "恒力", "机械", "group_ltd", ""),
    ("上海恒力机械集团有限责任公司", "上海/上海", "恒力", "机械", "group_ltd", ""),
    ("恒力集团", "", "恒力", "", "group", ""),
    ("恒力机械", "", "恒力", "机械", "", ""),
    ("恒力自动化设备", "", "恒力", "自动化设备", "", ""),
    ("恒力自动", "", "恒力自动", "", "", ""),
    ("江苏苏州昆山恒力精密部件有限公司", "江苏/苏州/昆山", "恒力", "精密部件", "ltd", ""),
    ("昆山恒力精密部件有限公司", "江苏/苏州/昆山", "恒力", "精密部件", "ltd", ""),
    ("广东省深圳市宝安区恒力模具厂", "广东/深圳/宝安", "恒力", "模具", "works", ""),
    ("深圳市宝安区石岩镇恒力五金厂", "广东/深圳/宝安", "恒力", "五金", "works", ""),
    ("义乌市恒力饰品商行", "浙江/金华/义乌", "恒力饰品", "", "shop", ""),
    # Without its region only words of a trade would be left.
    ("中国银行", "", "中国银行", "", "", ""),
    ("宁波银行股份有限公司", "", "宁波", "银行", "plc", ""),
    ("厦门市商业银行", "福建/厦门", "厦门", "商业银行", "", ""),
    ("上海机械设备有限公司", "", "上海", "机械设备", "ltd", ""),
    ("天津昌吉机电有限公司", "天津/天津", "昌吉", "机电", "ltd", ""),
    # 东方, 长城, 永兴 and 三江 are names of places, too.
    ("东方机械有限公司", "", "东方", "机械", "ltd", ""),
    ("海南东方市恒力机械有限公司", "海南/东方", "恒力", "机械", "ltd", ""),
    ("无锡永兴液压有限公司", "江苏/无锡", "永兴", "液压", "ltd", ""),
    ("平安证券股份有限公司", "", "平安", "证券", "plc", ""),
    ("吉林市恒力机械有限公司", "吉林/吉林", "恒力", "机械", "ltd", ""),
    ("北京市区块链技术有限公司", "北京/北京", "区块链", "技术", "ltd", ""),
    ("内蒙古伊东煤炭集团有限责任公司", "内蒙古", "伊东", "煤炭", "group_ltd", ""),
    ("宝清县双利煤矿有限公司", "黑龙江/双鸭山/宝清", "双利", "煤矿", "ltd", ""),
    # A branch has the name of its head office and is not it.
    ("上海恒力机械有限公司苏州分公司", "上海/上海", "恒力", "机械", "ltd", "苏州分公司"),
    ("恒力机械苏州办事处", "", "恒力", "机械", "", "苏州办事处"),
    ("恒力机械有限公司第二分公司", "", "恒力", "机械", "ltd", "第二分公司"),
    ("恒力机械股份有限公司自动化事业部", "", "恒力", "机械", "plc", "自动化事业部"),
    ("中国建设银行股份有限公司深圳市分行", "", "中国建设银行", "", "plc", "深圳分行"),
    ("建行深圳分行", "", "中国建设银行", "", "", "深圳分行"),
    ("中行厦门湖里支行", "", "中国银行", "", "", "厦门湖里支行"),
    ("中国农业银行股份有限公司厦门湖里支行", "", "中国农业银行", "", "plc", "厦门湖里支行"),
    # Script, width, brackets, notes.
    ("香港安納聯合制葯有限公司", "香港/香港", "安纳联合", "制药", "ltd", ""),
    ("嘉里物流(武漢)有限公司", "湖北/武汉", "嘉里", "物流", "ltd", ""),
    ("深圳市振业（集团）股份有限公司", "广东/深圳", "振业", "", "group_plc", ""),
    ("杭州恒力机械有限公司（已停用）", "浙江/杭州", "恒力", "机械", "ltd", ""),
    ("北京合众创世管理咨询合伙企业(有限合伙)", "北京/北京", "合众创世", "管理咨询", "partnership", ""),
    # Two regions that cannot be one place stay two.
    ("博世（中国）投资有限公司", "", "博世(中国)", "投资", "ltd", ""),
    # Abroad.
    ("Weber Maschinenbau GmbH", "", "weber maschinenbau", "", "gmbh", ""),
    ("WEBER ANTRIEBSTECHNIK GMBH&CO. KG", "", "weber antriebstechnik", "", "gmbh_kg", ""),
    ("Weber Antriebstechnik GmbH & Co. KG ", "", "weber antriebstechnik", "", "gmbh_kg", ""),
    ("Rossi Automazione S.r.l.", "", "rossi automazione", "", "srl", ""),
    ("Laurent Industrie SAS", "", "laurent industrie", "", "sas", ""),
    ("Jansen Techniek B.V.", "", "jansen techniek", "", "bv", ""),
    ("Svensson Mekanik AB", "", "svensson mekanik", "", "ab", ""),
    ("Novák Strojírny s. r. o.", "", "novak strojirny", "", "sro", ""),
    ("Huawei Technologies Co., Ltd.", "", "huawei technologies", "", "ltd", ""),
    ("Magnifice(HK)Limited", "", "magnifice hk", "", "ltd", ""),
    ("Acme, Inc.", "", "acme", "", "inc", ""),
    ("Acme Tools LLC", "", "acme tools", "", "llc", ""),
    ("Müller & Söhne AG", "", "muller and sohne", "", "ag", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "region", "core", "trade", "form", "branch"), NAMES, ids=[row[0] for row in NAMES]
)
def test_a_company_name_is_taken_apart(text, region, core, trade, form, branch):
    name = company_name(text)

    assert name is not None
    assert (name.region, name.core, name.trade, name.form, name.branch) == (region, core, trade, form, branch)


@pytest.mark.parametrize(
    "text", [None, "", "  ", "无", "测试", "N/A", "0000", "----", "零星客户", "现金客户", "test", "。"]
)
def test_what_people_type_where_they_know_nothing_is_no_name(text):
    assert company_name(text) is None


def test_a_second_region_that_contradicts_the_first_stays_in_the_name():
    plain_one, with_two = company_name("上海恒力机械有限公司"), company_name("上海恒力（苏州）机械有限公司")

    assert plain_one and with_two and plain_one.stem != with_two.stem


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        ("ltd", "ltd", False),
        ("", "group_ltd", False),
        ("company", "ltd", False),
        ("group", "group_ltd", False),
        ("ltd", "group_ltd", True),
        ("ltd", "plc", True),
        ("works", "ltd", True),
        ("gmbh", "gmbh_kg", True),
    ],
)
def test_a_legal_form_that_is_missing_or_short_contradicts_nothing(one, other, conflict):
    assert forms_conflict(one, other) is conflict
    assert forms_conflict(other, one) is conflict


FULL = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
TRADITIONAL = str.maketrans(
    "东机联创华业电气设备轴设铜铝无锡苏广宁银团", "東機聯創華業電氣設備軸設銅鋁無錫蘇廣寧銀團"
)
parts = st.tuples(
    st.sampled_from(["上海", "苏州市", "无锡", "宁波市", "广东省东莞市", ""]),
    st.sampled_from(["恒力", "联创", "华东", "东方", "正泰源", "A1科", "银河"]),
    st.sampled_from(["机械", "电气", "自动化设备", "铜业", "轴承", "仪器仪表"]),
    st.sampled_from(["有限公司", "有限责任公司", "股份有限公司", "(集团)有限公司", "", "厂"]),
)


@given(parts, st.booleans(), st.booleans(), st.integers(0, 12))
@QUICK
def test_width_script_and_blanks_do_not_change_a_name(pieces, full, traditional, blank):
    text = "".join(pieces)
    said = text.translate(TRADITIONAL) if traditional else text
    said = said.translate(FULL) if full else said
    said = said[:blank] + " " + said[blank:]

    one, other = company_name(text), company_name(said)

    assert one is not None
    assert other is not None
    assert (one.region, one.core, one.trade, one.form) == (other.region, other.core, other.trade, other.form)


# Chinese, full-width, accented and odd characters, and pieces that mean something.
odd = st.text(
    st.sampled_from("上海市苏州恒力机電氣設備有限公司厂（）()【】Ａｂ１２3-－ \u3000·、,.&üßΦ×*45#号转/+86") | st.characters(max_codepoint=0x9FFF, exclude_categories=["Cs"]), max_size=24
)  # fmt: skip


@given(odd)
@settings(max_examples=250, deadline=None)
def test_standardising_twice_changes_nothing(text):
    def number(value: str | None) -> str | None:
        return phones.phone(value)

    for standard in (
        plain,
        folded,
        number,
        credit_code.credit_code,
        products.writing,
        products.code,
        people.person_name,
        people.employee_no,
        people.email,
    ):
        once = standard(text)
        assert standard(once) == once, standard
    name = company_name(text)
    if name is not None:
        assert company_name(name.text) == name


def test_words_that_say_nothing_are_known_whatever_their_width():
    assert all(says_nothing(word) for word in ("无", "ＮＡ", " n/a ", "００００", "測試", "暂无", "***"))
    assert not any(says_nothing(word) for word in ("无锡恒力", "测试仪器有限公司", "A1", "00012"))


# --- codes ---


def independent_check(body: str) -> str:
    """The check character of GB 32100 by Horner's rule, with the alphabet written out once more."""
    alphabet = [*string.digits, *(char for char in string.ascii_uppercase if char not in "IOSVZ")]
    value = 0
    for char in reversed(body):
        value = (value * 3 + alphabet.index(char)) % 31
    return alphabet[(31 - value) % 31]


def random_code(dice: random.Random) -> str:
    body = (
        dice.choice("159ANY") + dice.choice("123459") + "".join(dice.choice("0123456789") for _ in range(6))
    )
    body += "".join(dice.choice(credit_code.ALPHABET) for _ in range(9))
    return body + independent_check(body)


@given(st.integers(0, 10**9))
@QUICK
def test_no_single_slip_makes_another_valid_credit_code(seed):
    code = random_code(random.Random(seed))
    assert credit_code.credit_code(code) == code

    for place in range(18):
        for char in string.digits + string.ascii_uppercase:
            if char != code[place]:
                assert credit_code.credit_code(code[:place] + char + code[place + 1 :]) is None
    for place in range(17):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        if swapped != code:
            assert credit_code.credit_code(swapped) is None


@pytest.mark.parametrize(
    ("text", "kind", "value", "organisation"),
    [
        (
            "91350100M000100Y43",
            "credit_code",
            "91350100M000100Y43",
            "M000100Y4",
        ),  # the example of the standard
        ("914403001922038216", "credit_code", "914403001922038216", "192203821"),
        ("9144 0300-7152 6726 xg", "credit_code", "9144030071526726XG", "71526726X"),
        ("９１３３０１００７９９６５５０５８Ｂ", "credit_code", "91330100799655058B", "799655058"),
        ("12100000400000624D", "credit_code", "12100000400000624D", "400000624"),
        ("71526726-X", "organisation", "71526726X", "71526726X"),
        ("440301103448669", "registration", "440301103448669", None),
        (
            "440300192203821",
            "organisation",
            "192203821",
            "192203821",
        ),  # a 税务登记号: six figures and the above
        ("DE 811 193 231", "vat", "DE811193231", None),
        ("CHE-116.281.710 MWST", "vat", "CHE116281710", None),
        ("CHE-116.281.710", "vat", "CHE116281710", None),
        ("000000000000000000", None, None, None),  # passes the arithmetic
        ("111111111111111111", None, None, None),
        ("91350100M000100Y44", None, None, None),
        ("无", None, None, None),
        ("71526726-1", None, None, None),
        ("440301103448660", None, None, None),
        ("DE0000000", None, None, None),
    ],
)
def test_a_code_is_known_by_its_shape_and_its_check(text, kind, value, organisation):
    found = credit_code.identified(text)

    assert (found and found.kind, found and found.value, found and found.organisation) == (
        kind,
        value,
        organisation,
    )


def test_an_identity_card_is_nobodys_credit_code():
    # Both checks pass for a card in about 31; such a card must not become a company's code.
    dice, weights = random.Random(5), (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    tried = 0
    while tried < 3:
        body = f"5{dice.randrange(10**5):05d}19{dice.randrange(50, 99)}0{dice.randrange(1, 9)}1{dice.randrange(9)}{dice.randrange(100, 999)}"
        card = body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]
        if card[17] == independent_check(card[:17]):
            tried += 1
            assert credit_code.identified(card) is None


# --- telephones ---


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("13812341235", ["+8613812341235"]),
        ("138-1234-1235", ["+8613812341235"]),
        ("138 1234 1235", ["+8613812341235"]),
        ("+86 13812341235", ["+8613812341235"]),
        ("8613812341235", ["+8613812341235"]),
        ("008613812341235", ["+8613812341235"]),
        ("１３８１２３４１２３５", ["+8613812341235"]),
        ("13812341235/13912341236", ["+8613812341235", "+8613912341236"]),
        ("13812341235、021-58881234", ["+8613812341235", "+862158881234"]),
        ("021-5888 1234", ["+862158881234"]),
        ("(0755)26770000转8012", ["+8675526770000"]),
        ("0755-26770000-8012", ["+8675526770000"]),
        ("0755-26770000 ext. 12", ["+8675526770000"]),
        ("1.3812341235E+10", ["+8613812341235"]),
        ("13812341235.0", ["+8613812341235"]),
        ("1.38E+10", []),  # Excel has cut the digits off
        ("1.38123E+10", []),
        ("13800138000", []),
        ("88888888", []),
        ("0", []),
        ("无", []),
        ("1381234123", []),
        ("+49 711 135861", ["+49711135861"]),
        ("86+49 711 135861", ["+49711135861"]),
        ("+49- 711- 135861", ["+49711135861"]),
    ],
)
def test_only_numbers_that_can_be_dialled_are_kept(text, numbers):
    assert list(phones.phones(text)) == numbers


def test_a_national_number_is_read_in_the_country_of_its_record():
    assert phones.phone("0711 135861", "DE") == "+49711135861"
    assert phones.phone("0711 135861") is None


def test_a_masked_number_cannot_be_dialled():
    assert phones.masked("+8613812341235") == "138****1235"
    assert "1358" not in phones.masked("+49711135861")


# --- places ---


@pytest.mark.parametrize(
    ("text", "path", "rest"),
    [
        ("上海市浦东新区张江路", "上海/上海/浦东", "张江路"),
        ("江苏省苏州市昆山市", "江苏/苏州/昆山", ""),
        ("广西壮族自治区南宁市", "广西/南宁", ""),
        ("新疆石河子市", "新疆/石河子", ""),
        ("大理恒力", "云南/大理", "恒力"),
        ("甘肃金塔恒盛农业", "甘肃/酒泉/金塔", "恒盛农业"),
        ("朝阳区恒力", None, "朝阳区恒力"),  # in several cities
        ("北京朝阳区恒力", "北京/北京/朝阳", "恒力"),
        ("浦东新区", None, "浦东新区"),
    ],
)
def test_a_region_is_read_as_far_as_it_is_unmistakable(text, path, rest):
    region, end = regions.leading(text)

    assert (region.path if region else None, text[end:]) == (path, rest)


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        ("江苏/苏州", "江苏", True),
        ("江苏/苏州", "江苏/苏州/昆山", True),
        ("江苏/苏州", "江苏/无锡", False),
        (None, "江苏", True),
        ("吉林", "吉林/吉林", True),
        ("上海/上海", "江苏/苏州", False),
    ],
)
def test_regions_agree_if_one_holds_the_other(one, other, may_be):
    assert regions.compatible(one, other) is may_be
    assert regions.compatible(other, one) is may_be


@pytest.mark.parametrize(
    ("text", "city", "key"),
    [
        ("上海市浦东新区张江路116号", None, "上海/上海|张江路|116"),
        ("上海浦东新区张江路１１６号3楼", None, "上海/上海|张江路|116"),
        ("201203上海市张江高科技园区张江路116号", None, "上海/上海|张江路|116"),
        ("天津市滨海新区第三大街132号", "天津", "天津/天津|第三大街|132"),
        ("深圳市宝安区石岩街道宝石路8号A栋", None, "广东/深圳|宝石路|8"),
        ("张江路116号", "上海", "上海/上海|张江路|116"),
        ("张江路116号", None, None),
        ("香港中路554号", "青岛", "山东/青岛|香港中路|554"),  # a road named after another city
        ("南京路12号", None, None),
        ("朝阳区建国路88号", None, None),  # the city is not said
        ("Industriestraße 43", "Stuttgart", "stuttgart|industriestrasse|43"),
        ("43, Industriestr.", "Stuttgart", "stuttgart|industriestrasse|43"),
        ("Storgatan 5", "Malmö", "malmo|storgatan|5"),
        ("无", "上海", None),
    ],
)
def test_an_address_comes_down_to_city_road_and_number(text, city, key):
    assert addresses.address(text, city).key == key


# --- products and people ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("圆钢", "Φ30 45#"), ("圆钢Φ30 45#", "Φ３０ ４５号")),
        (("密封圈", "O型 25×3"), ("密封圈", "Ｏ型 ２５*３")),
        (("精密滑台", "行程300"), ("精密滑台 行程３００", None)),
        (("深沟球轴承6204-2RS", "6204-2RS"), ("深沟球轴承", "６２０４－２rs")),
        (("冷轧钢板", "2.0mm Q235"), ("冷轧钢板", "2毫米 q235")),
        (("包装木箱", "60×60×50"), ("包装木箱", "60 x 60 X 50")),
    ],
)
def test_one_product_is_written_in_one_way(one, other):
    assert products.product(*one).item == products.product(*other).item is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("精密滑台", "行程300"), ("精密滑台", "行程500")),
        (("深沟球轴承", "6204-2RS"), ("深沟球轴承", "6305-2RS")),
        (("控制板", "V3.2"), ("控制板", "V3.20")),
        (("控制板", "V3.0"), ("控制板", "V3")),
    ],
)
def test_two_products_stay_two(one, other):
    assert products.product(*one).item != products.product(*other).item


def test_model_codes_and_units_are_found():
    assert products.model_codes("内六角螺栓 M8×30 GB/T70.1 不锈钢") == ["m8x30", "gb/t70.1"]
    assert products.model_codes("电动推杆 DC24V 200mm 第3批") == ["dc24v", "200mm"]
    assert [products.dimension(unit) for unit in ("KG", "公斤", "台", "ST", "PC", "箱(12)", "Meter", "m²", "朵")] == [
        "mass", "mass", "count", "count", "count", "pack", "length", "area", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("王 磊", "王磊"),
        ("王磊（采购）", "王磊"),
        ("王磊经理", "王磊"),
        ("王先生", None),
        ("欧阳女士", None),
        ("无", None),
        ("Weber, Karl", "karl weber"),
        ("KARL  WEBER", "karl weber"),
        ("K.", None),
    ],
)
def test_a_person_is_a_name_not_a_courtesy(text, name):
    assert people.person_name(text) == name


def test_numbers_and_mail_of_people():
    assert people.employee_no(" hc-0001 ") == people.employee_no("ＨＣ０００１") == "HC0001"
    assert people.employee_no("000123") == people.employee_no("123") == "123"
    assert people.employee_no("0000") is None
    assert (
        people.email("Wang.Lei@Example.com ")
        == people.email("<wang.lei@example.com>")
        == "wang.lei@example.com"
    )
    assert people.email("a@example.com; b@example.com") is None
    assert people.masked_name("王建华") == "王**"
