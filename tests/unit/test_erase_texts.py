"""What counts as a person's value inside a text, and that replacing it harms nothing else."""

from __future__ import annotations

import random

import pytest

from tieout.privacy.erased import Erased
from tieout.privacy.rewrite import in_sentence, in_words, named_in
from tieout.privacy.search import Search
from tieout.privacy.tokens import PSEUDONYM, Tokens, canonical, is_strong

KNOWN = Tokens(b"k" * 32)
VALUES = (
    "张伟",
    "13800001111",
    "zhang.wei@example.com",
    "ux9a77",
    "557058:ab-12",
    "买家0434***",
    "Anna Schmidt",
)
WANTED = frozenset(map(KNOWN.token, VALUES))
ERASED = Erased(KNOWN, {"*": WANTED}, {}, 2)
NAME, PHONE = (KNOWN.pseudonym(value) for value in VALUES[:2])


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("张伟", NAME),
        (" +86 138-0000-1111 ", PHONE),
        ("ZHANG.WEI@example.com", KNOWN.pseudonym(VALUES[2])),
        ('[{"name":"张伟","id":"ux9a77"}]', f'[{{"name":"{NAME}","id":"{KNOWN.pseudonym("ux9a77")}"}}]'),
        ("accountId=557058:ab-12", f"accountId={KNOWN.pseudonym('557058:ab-12')}"),
        ("张伟 / 李娜", f"{NAME} / 李娜"),
        ("张伟明", "张伟明"),
        ("ux9a778", "ux9a778"),
        ("213800001111", "213800001111"),
        ("", ""),
    ],
)
def test_whole_words_are_replaced_and_parts_of_words_are_not(text, becomes):
    assert in_words(text, WANTED, ERASED) == becomes


def test_a_chinese_name_inside_a_sentence_is_found_in_rows_about_the_person():
    assert in_sentence("张伟提交的请假，电话13800001111", WANTED, ERASED) == f"{NAME}提交的请假，电话{PHONE}"
    assert (
        in_sentence("Signed by Anna Schmidt.", WANTED, ERASED)
        == f"Signed by {KNOWN.pseudonym('Anna Schmidt')}."
    )
    for page in (
        '{"buyer": "买家0434***"}',
        "<b>Anna Schmidt</b>",
        "1,Anna Schmidt,2",
        "sent to Anna Schmidt, Bonn",
    ):
        assert named_in(page, ERASED), page
    assert named_in("由张伟提交", ERASED) and not named_in("由李娜提交", ERASED)


def test_equal_values_stay_equal_and_different_ones_different():
    numbers = [f"1390000{number:04}" for number in range(5000)]
    assert len({KNOWN.pseudonym(number) for number in numbers}) == len(numbers)
    assert KNOWN.pseudonym("+86 13800001111") == KNOWN.pseudonym("138-0000-1111") == PHONE
    assert Tokens(b"o" * 32).pseudonym("张伟") != NAME, "another installation, another pseudonym"
    assert KNOWN.pseudonym(NAME) == NAME


@pytest.mark.parametrize("seed", range(200))
def test_any_text_loses_the_values_keeps_the_rest_and_is_left_alone_afterwards(seed):
    pick = random.Random(seed)
    others = ["李娜", "order 7", "13900002222", "，", " ", '"', "{", "\n", "2026-01-01", "x@y.cn"]
    parts = [pick.choice([*VALUES, *others]) for _ in range(pick.randint(1, 12))]
    text = "|".join(parts)
    clean = in_sentence(text, WANTED, ERASED)
    assert not Search(VALUES).found(clean.encode())
    assert clean.split("|") == [KNOWN.pseudonym(part) if part in VALUES else part for part in parts]
    assert in_sentence(clean, WANTED, ERASED) == clean


@pytest.mark.parametrize(
    ("value", "strong"),
    [("13800001111", True), ("a@b.cn", True), ("11010119900307123X", True), ("7b996f6811f60a3c", True),
     ("张伟", False), ("HC0027", False), ("2026-01-01", False), ("100001", False), ("engineering", False)],
)  # fmt: skip
def test_what_names_one_person_in_any_system(value, strong):
    assert is_strong(value) is strong, canonical(value)


def test_bytes_are_searched_in_every_encoding_and_as_words():
    search = Search(VALUES)
    for form in ("张伟".encode(), "张伟".encode("gb18030"), "张伟".encode("utf-16-le"), b"\\u5f20\\u4f1f"):
        assert search.found(b"\0\1" + form + b"\2")["张伟"] == 1
    assert search.found(b"213800001111 138000011112 13800001111")["13800001111"] == 1


def test_a_pseudonym_looks_like_nothing_else():
    assert PSEUDONYM.fullmatch(NAME) and not is_strong("erased")
