"""Which findings have one cause: by hand for every way they meet, and by property for all of them together."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieout.tie.roots import CONTRADICTION, Finding, chains, contradictions, roots

D = Decimal
CUSTOMER, OTHER = "C-4bed242b5e50", "C-2b3e76d44549"


def off(
    document: str | None, amount: str, unit: str = "CNY", *, identity: str = "sent_is_invoiced", group: str = "2025-11-01",
    suspect: str = "amount", rows: tuple[str, ...] = (),
) -> Finding:  # fmt: skip
    """What an identity cannot explain."""
    return Finding(identity, group, document, suspect, D(amount), unit, True, "finance", rows)


def wrong(
    document: str, amount: str, kind: str = "order_in_another_currency", *, about: str = "", unit: str = "CNY",
    mentions: tuple[str, ...] = (), row: str = "",
) -> Finding:  # fmt: skip
    """What contradicts other documents in one."""
    place = row or f"erp/line/{document}"
    return Finding(
        CONTRADICTION, about or document, document, kind, D(amount), unit, False, "sales", (place,), mentions
    )


def chained(**led_to: str):
    """Chains of documents, each named with what it led to: `XS1="CK1 CK2"`."""
    links = [(before, after) for before, many in led_to.items() for after in many.split()]
    con = duckdb.connect()
    con.execute("create schema marts; create table marts.fct_document_link (from_no text, to_no text)")
    if links:
        con.executemany("insert into marts.fct_document_link values (?, ?)", links)
    return chains(con)


ALONE = chained()


def told(found: list[Finding], chain=ALONE) -> set[frozenset[str]]:
    """The causes, each as the documents (or groups) of its findings."""
    return {
        frozenset(item.document or item.group_key for item in root.findings) for root in roots(found, chain)
    }


def test_an_order_in_another_currency_is_the_cause_of_what_its_deliveries_are_off_together():
    found = [off("CK1", "70344.00"), off("CK2", "3096.00"), off("CK9", "12.00"), wrong("XS1", "73440.00")]

    made = roots(found, chained(XS1="CK1 CK2", XS9="CK9"))

    assert {frozenset(item.document for item in root.findings) for root in made} == {
        frozenset({"XS1", "CK1", "CK2"}),
        frozenset({"CK9"}),
    }
    [whole] = [root for root in made if len(root.findings) == 3]
    assert (whole.main.suspect, whole.main.document, whole.amount) == (
        "order_in_another_currency",
        "XS1",
        D("73440.00"),
    )


def test_an_amount_in_the_same_currency_that_does_not_fit_has_another_cause():
    assert told([off("CK1", "70344.01"), wrong("XS1", "73440.00")], chained(XS1="CK1")) == {
        frozenset({"CK1"}),
        frozenset({"XS1"}),
    }


def test_pieces_and_other_currencies_cannot_be_held_against_the_amount_and_follow_the_chain():
    found = [
        off("CK1", "3", "piece"),
        off("SK1", "156.20", "EUR"),
        wrong("XS1", "1209.60", "order_line_lost"),
    ]

    assert told(found, chained(XS1="CK1", CK1="YS1", YS1="SK1")) == {frozenset({"CK1", "SK1", "XS1"})}
    assert told(found, chained(XS1="CK1")) == {frozenset({"CK1", "XS1"}), frozenset({"SK1"})}


def test_what_fits_two_causes_is_left_on_its_own():
    two = [wrong("XS1", "100.00"), wrong("YS1", "100.00", "invoice_came_twice")]
    chain = chained(XS1="CK1", CK1="YS1")

    assert told([off("CK1", "100.00"), *two], chain) == {
        frozenset({"CK1"}),
        frozenset({"XS1"}),
        frozenset({"YS1"}),
    }
    assert told([off("CK1", "100.00"), two[0], wrong("YS1", "7.00", "invoice_came_twice")], chain) == {
        frozenset({"CK1", "XS1"}),
        frozenset({"YS1"}),
    }


def test_a_chain_leads_up_and_down_and_never_to_a_sister():
    chain = chained(XS1="CK1 CK2", CK1="YS1", YS1="SK1", SK1="PZ1", PZ1="JZ1")

    assert chain({"CK1", "XS1", "unknown"}) == {
        "CK1": {"XS1", "CK1", "YS1", "SK1", "PZ1", "JZ1"},
        "XS1": {"XS1", "CK1", "CK2", "YS1", "SK1", "PZ1"},  # four steps
        "unknown": {"unknown"},
    }
    assert chains(duckdb.connect())({"CK1"}) == {"CK1": {"CK1"}}, "no such table"


def test_documents_that_a_contradiction_names_are_where_it_shows():
    lost = wrong("CK1", "24192.00", "delivery_never_invoiced", mentions=("YS9", "记-202511-0448"))
    found = [
        off("YS9", "1", "documents", identity="numbers_have_no_gap", group="sales_invoice"),
        off("记-202511-0448", "1", "documents", identity="numbers_have_no_gap", group="voucher"),
        off("记-202511-0500", "1", "documents", identity="numbers_have_no_gap", group="voucher"),
        lost,
    ]

    assert told(found) == {frozenset({"CK1", "YS9", "记-202511-0448"}), frozenset({"记-202511-0500"})}


def test_one_code_that_stands_for_two_customers_is_one_cause_and_two_orders_are_two():
    kind = "customer_under_the_code_of_another"
    same = [wrong(f"XS{place}", "10.00", kind, about="CUST47") for place in range(3)]

    [root] = roots([*same, off("XS1", "10.00", rows=("erp/line/XS1",))], ALONE)

    assert root.amount == D("30.00")
    assert len(roots([wrong("XS1", "10.00"), wrong("XS2", "10.00")], ALONE)) == 2


def test_a_row_both_name_joins_them_and_a_row_among_many_does_not():
    row = "erp/line/XS1"

    assert len(roots([wrong("XS1", "5.00"), off("CK1", "9.00", rows=(row,))], ALONE)) == 1
    assert len(roots([wrong("XS1", "5.00"), off("CK1", "9.00", rows=(row, *map(str, range(6))))], ALONE)) == 2


def test_a_sum_shows_the_case_that_is_off_as_much_for_the_same_customer():
    rounded = [
        off(f"YS{place}", amount, identity="invoices_are_posted", group=f"{customer} | 2024-07-01", suspect="rounding")
        for place, (customer, amount) in enumerate([("C1", "0.01"), ("C1", "0.01"), ("C2", "0.03")])
    ]  # fmt: skip
    cause = [
        wrong(item.document or "", "0.01", "invoice_tax_off_by_rounding", about="erp") for item in rounded
    ]
    balance = [off(None, amount, identity="open_is_balance", group=who) for who, amount in (
        ("C1", "-0.02"), ("C2", "-0.03"), ("C3", "-0.02"), ("C3", "-0.04"),
    )]  # fmt: skip

    made = roots([*rounded, *cause, *balance[:2]], ALONE)
    assert len(made) == 1
    made = roots([*rounded, *cause, balance[3]], ALONE)
    assert len(made) == 2, "nobody is off by that"


def balance(amount: str, who: str = CUSTOMER, unit: str = "CNY") -> Finding:
    """A sum that nobody can trace to a document."""
    return off(None, amount, unit, identity="open_is_balance", group=who)


def test_a_sum_that_fits_two_cases_shows_neither():
    assert len(roots([off("CK1", "5.00"), off("CK2", "-5.00"), balance("5.00")], ALONE)) == 3


def shares(found: list[Finding]) -> set[frozenset[tuple[str, Decimal]]]:
    """Of each cause, the document or group and amount of everything in it."""
    return {
        frozenset((item.document or item.group_key, item.amount) for item in root.findings)
        for root in roots(found, ALONE)
    }


def test_a_sum_of_several_cases_is_parted_among_them():
    amount_wrong = off("YS1", "-900.00", group=f"{CUSTOMER} | 2025-11-01")
    unposted = off("YS2", "-190.08", group=f"{CUSTOMER} | 2025-07-01", suspect="missing_right")
    twice = off("YS3", "-806.40", group=f"{CUSTOMER} | 2025-02-01", suspect="duplicate")
    of_another = off("YS4", "-190.08", group=f"{OTHER} | 2025-07-01")
    three = [amount_wrong, unposted, twice]

    assert shares([*three, of_another, balance("-1090.08")]) == {
        frozenset({("YS1", D("-900.00")), (CUSTOMER, D("-900.00"))}),
        frozenset({("YS2", D("-190.08")), (CUSTOMER, D("-190.08"))}),
        frozenset({("YS3", D("-806.40"))}),
        frozenset({("YS4", D("-190.08"))}),
    }
    # the other way round in this identity, and three together
    assert len(roots([*three, balance("93.60")], ALONE)) == 3  # -900.00 the other way round, and twice
    assert len(roots([*three, balance("-1896.48")], ALONE)) == 3
    assert len(roots([*three, balance("-1090.09")], ALONE)) == 4, "a cent is a cent"


def test_what_adds_up_in_two_ways_is_left_alone():
    found = [
        off(f"YS{place}", amount, group=CUSTOMER)
        for place, amount in enumerate(["1.00", "2.00", "4.00", "5.00"])
    ]

    assert len(roots([*found, balance("6.00")], ALONE)) == 5, "1 + 5 and 2 + 4"
    assert len(roots([*found, balance("7.00")], ALONE)) == 4, "2 + 5; of 1 + 2 + 4 nobody would think first"


def test_of_too_many_cases_none_is_picked():
    found = [off(f"YS{place}", f"{10**place}.00", group=CUSTOMER) for place in range(9)]

    assert len(roots([*found, balance("101.00")], ALONE)) == 10
    assert len(roots([*found[:8], balance("101.00")], ALONE)) == 8


def test_what_stands_under_another_customer_has_to_show_under_both():
    moved = [
        off(
            "SK1",
            "7884.00",
            identity="receipts_are_credits",
            group=f"{CUSTOMER} | 2025-10-01",
            suspect="mapping",
        ),
        off(
            "SK1",
            "-7884.00",
            identity="receipts_are_credits",
            group=f"{OTHER} | 2025-10-01",
            suspect="mapping",
        ),
    ]
    unposted = off("YS2", "-7884.00", group=f"{CUSTOMER} | 2024-06-01", suspect="missing_right")

    assert told([*moved, unposted, balance("-7884.00")]) == {
        frozenset({"SK1"}),
        frozenset({"YS2", CUSTOMER}),
    }
    # both show: two cases fit, nobody can tell
    assert len(roots([*moved, unposted, balance("-7884.00"), balance("7884.00", OTHER)], ALONE)) == 3


def test_what_a_contradiction_names_itself_needs_no_amount_and_an_amount_may_be_without_tax():
    chain = chained(XS1="CK1 CK2")

    assert (
        len(roots([off("CK1", "1.00"), wrong("XS1", "9.00", "order_line_lost", mentions=("CK1",))], chain))
        == 1
    )
    assert len(roots([off("CK1", "3802.40"), wrong("XS1", "4296.71")], chain)) == 1, "13 % of tax"
    assert len(roots([off("CK1", "3802.41"), wrong("XS1", "4296.71")], chain)) == 2
    both = [wrong("XS1", "9.00", mentions=("CK1",)), wrong("XS2", "9.00", mentions=("CK1",))]
    assert len(roots([off("CK1", "1.00"), *both], chain)) == 3


def test_what_contradicts_is_read_with_its_cause_and_the_documents_it_names():
    con = duckdb.connect()
    assert contradictions(con) == []
    con.execute(
        """create schema marts; create table marts.fct_data_case as
        select 'refund_lost' as case_kind, 'DST2025110017' as subject, null::text as cause_subject, 'ecommerce' as owner,
            'came back on 2025-11-24 (voucher DS20251124), settlement JS20251130 deducts 6510.84 more' as detail,
            6510.84::decimal(18, 2) as amount_txn, 'CNY' as currency_code, 'wms' as source_system,
            'line' as source_stream, '7' as source_record"""
    )
    assert contradictions(con) == [], "a pair of alike customers is no contradiction of documents"
    con.execute("update marts.fct_data_case set cause_subject = subject")

    [found] = contradictions(con)

    assert (found.suspect, found.document, found.group_key, found.amount) == (
        "refund_lost",
        "DST2025110017",
        "DST2025110017",
        D("6510.84"),
    )
    assert {"DS20251124", "JS20251130"} <= set(found.mentions)
    assert "2025-11-24" not in found.mentions, "a day is no document"
    assert found.evidence == ("wms/line/7",)


_documents = st.sampled_from(["XS1", "XS2", "CK1", "CK2", "YS1", "YS2", None])
_findings = st.lists(
    st.one_of(
        st.builds(
            off, _documents, st.sampled_from(["1.00", "2.00", "-2.00", "3.00"]), st.sampled_from(["CNY", "piece"]),
            identity=st.sampled_from(["a_is_b", "c_is_d"]), group=st.sampled_from(["C1 | 2025-11-01", "C2", "P1"]),
            rows=st.lists(st.sampled_from(["erp/line/XS1", "erp/line/CK2"]), max_size=2).map(tuple),
        ),
        st.builds(
            wrong, _documents.filter(bool), st.sampled_from(["1.00", "2.00", "3.00"]),
            st.sampled_from(["invoice_came_twice", "refund_lost"]),
            mentions=st.lists(st.sampled_from(["YS2", "P1"]), max_size=1).map(tuple),
        ),
    ),
    max_size=12,
)  # fmt: skip
_LINKS = chained(XS1="CK1", CK1="YS1", XS2="CK2", CK2="YS2")


@given(_findings, st.randoms(use_true_random=False))
def test_every_finding_has_one_cause_whatever_the_order_they_come_in(found, random):
    made = roots(found, _LINKS)

    def amounts(findings: list[Finding]) -> dict[tuple, Decimal]:
        """A sum may be parted among cases; nothing of it is lost."""
        total: dict[tuple, Decimal] = defaultdict(Decimal)
        for item in findings:
            total[item.identity, item.group_key, item.document, item.suspect, item.unit, item.evidence] += (
                item.amount
            )
        return total

    assert amounts([item for root in made for item in root.findings]) == amounts(found)

    shuffled = random.sample(found, len(found))
    again = roots(shuffled, _LINKS)
    assert sorted(sorted(map(repr, root.findings)) for root in again) == sorted(
        sorted(map(repr, root.findings)) for root in made
    )
    for root in made:
        if any(item.is_contradiction for item in root.findings):
            assert root.main.is_contradiction


@pytest.mark.parametrize("kind", ["invoice_came_twice", "refund_lost"])
def test_a_case_keeps_its_name_when_its_cause_comes_to_be_known(kind):
    [before] = roots([off("YS1", "5.00")], ALONE)
    [after] = roots([off("YS1", "5.00"), wrong("YS1", "5.00", kind)], ALONE)

    assert before.anchors & after.anchors == {"document YS1"}
