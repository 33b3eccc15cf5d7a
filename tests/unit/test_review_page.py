"""The stewards' page: both records, what differs, nothing personal, and commands that can be copied."""

from __future__ import annotations

import html
import re
import shlex
from datetime import UTC, datetime

import pytest

from tieout.master_data.pairs import Pair
from tieout.pages.review import write_review

CLASSES = {"master.customer_record": {"name": "L2", "city": "L2", "phone": "L3", "contact": "L3"}}
PAIR = Pair(
    "customer", "hc_crm:K 1", "hc_tms:<b>甲</b>公司", 0.65, "would join", "same phone 13800000000, contact 王小明 <i>", 3,
    (("name", "甲有限公司", "<b>甲</b>公司"), ("city", "杭州", "杭州"), ("phone", "13800000000", "13800000000"),
     ("contact", "王小明", None), ("nobody_classed_this", "42", None)),
)  # fmt: skip


@pytest.fixture
def text(tmp_path) -> str:
    file = write_review([PAIR], tmp_path / "pages", CLASSES, datetime(2026, 11, 22, tzinfo=UTC))
    assert [path.name for path in file.parent.iterdir()] == ["review.html"]
    return file.read_text("utf-8")


def test_nothing_above_l2_is_in_the_file_anywhere(text):
    assert "13800000000" not in text and "王小明" not in text and ">42<" not in text
    assert text.count("•••") >= 4


def test_what_differs_is_marked_and_what_does_not_is_not(text):
    assert "<mark>甲有限公司</mark>" in text and "<mark>杭州</mark>" not in text


def test_what_systems_hold_is_text_and_no_markup(text):
    assert "<b>甲</b>" not in text and "<mark>&lt;b&gt;甲&lt;/b&gt;公司</mark>" in text
    assert "default-src 'none'" in html.unescape(text) and "<script" not in text


def test_the_commands_name_both_records_as_a_shell_reads_them(text):
    commands = re.findall(r"<code>(tieout master [^<]*)</code>", text)
    assert [shlex.split(html.unescape(command))[2:5] for command in commands] == [
        ["same", "hc_crm:K 1", "hc_tms:<b>甲</b>公司"],
        ["different", "hc_crm:K 1", "hc_tms:<b>甲</b>公司"],
    ]


def test_nothing_to_review_is_said(tmp_path):
    file = write_review([], tmp_path, CLASSES, datetime(2026, 11, 22, tzinfo=UTC))
    assert "Nothing to review." in file.read_text("utf-8")
