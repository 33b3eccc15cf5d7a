"""What counts as found, by faults and findings made by hand: each rule alone, and nothing by accident."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tieout.detection.expected import CAUSES, said_of, said_right
from tieout.detection.finding import Finding, beyond
from tieout.detection.key import EVERYTHING, Fault
from tieout.detection.match import false_alarms, is_about, matched, unfounded
from tieout.detection.score import Trial, score

D = Decimal
LINE = ("hc_kingdee", "receivable_line", "100391")
OTHER = ("hc_kingdee", "receivable_line", "100392")


def fault(
    kind: str = "gross-as-net", amount: str = "130.00", rows=(LINE,), documents=("YS1",), **more
) -> Fault:
    return Fault("F1", kind, "2024-06", D(amount), "CNY", frozenset(rows), frozenset(documents), **more)


def case(
    says: str = "invoice_net_holds_gross",
    amount: str | None = "130.00",
    rows=(LINE,),
    documents=(),
    group="g",
) -> Finding:
    return Finding(
        "case",
        says,
        says,
        group,
        "title",
        None if amount is None else D(amount),
        frozenset(rows),
        frozenset(documents),
    )


def test_a_fault_is_found_by_its_row_or_its_document_and_by_nothing_else():
    assert is_about(case(rows=(LINE,)), fault())
    assert is_about(case(rows=(), documents=("YS1",)), fault())
    # the same key in another stream or system, the same amount, another line of the same table
    assert not is_about(case(rows=(("hc_kingdee", "payable_line", "100391"),)), fault())
    assert not is_about(case(rows=(("hx_sales", "receivable_line", "100391"),)), fault())
    assert not is_about(case(rows=(OTHER,), documents=("YS2",)), fault())
    assert not is_about(case(rows=()), fault())


def test_a_renamed_field_is_found_when_batches_of_its_source_are_held():
    renamed = fault("schema-drift", "0", rows=(("hc_shop", EVERYTHING, EVERYTHING),), documents=())
    held = Finding(
        "hold", "hc_shop.refund", "schema_changed", "", "", rows=frozenset({("hc_shop", "refund", "*")})
    )
    elsewhere = Finding("hold", "hc_crm.x", "schema_changed", "", "", rows=frozenset({("hc_crm", "x", "*")}))

    assert is_about(held, renamed)
    assert not is_about(elsewhere, renamed)
    # a held stream hides rows; it does not find faults in them
    assert not is_about(held, fault(rows=(("hc_shop", "refund", "1"),)))


def test_the_cause_is_right_when_it_is_said_and_nothing_at_the_row_says_another():
    [right] = matched([fault()], [case()])
    [silent] = matched([fault()], [case("documents_do_not_contradict")])
    [misled] = matched([fault()], [case(), case("invoice_tax_off_by_rounding")])
    [beside] = matched([fault()], [case(), case("invoice_tax_off_by_rounding", rows=(), documents=("YS1",))])

    assert (right.detected, right.cause_right) == (True, True)
    assert (silent.detected, silent.cause_right) == (True, False)
    assert (misled.detected, misled.cause_right, misled.misled) == (
        True,
        False,
        ("invoice_tax_off_by_rounding",),
    )
    assert beside.cause_right  # it points at the document, not at the row


def test_two_faults_on_one_row_do_not_mislead_each_other():
    both = [fault(), fault("rounding", "0.01")]
    found = [case(), case("invoice_tax_off_by_rounding", "0.01")]

    assert [item.cause_right for item in matched(both, found)] == [True, True]


@pytest.mark.parametrize(
    ("amounts", "residual"),
    [
        (["130.00"], "0.00"),
        (["-130.00"], "0.00"),
        (["100.00", "30.00"], "0.00"),
        (["129.99"], "0.01"),
        (["1.00", "2.00"], "127.00"),
    ],
)
def test_an_amount_is_accounted_for_by_one_finding_or_by_all_of_one_rule(amounts, residual):
    found = [case(amount=amount, group=str(place)) for place, amount in enumerate(amounts)]

    [item] = matched([fault()], found)

    assert item.residual == D(residual)


def test_an_amount_said_with_a_wrong_cause_or_by_two_rules_together_accounts_for_nothing():
    [wrong] = matched([fault()], [case("payment_before_approval")])
    [apart] = matched(
        [fault("paid-twice")], [case("supplier_invoice_paid_twice", "100.00"), case("a:duplicate", "30.00")]
    )

    assert wrong.residual is None
    assert apart.residual == D("30.00")


def test_a_fault_that_a_later_one_took_away_is_not_asked_for():
    assert matched([fault(shows=False)], [case()]) == []


def test_what_the_clean_company_says_too_is_not_new():
    known = case("doubtful_pair", None, documents=("A", "B"))
    grown = case("doubtful_pair", None, documents=("A", "B", "C"), rows=(LINE, OTHER))
    more = case("attendance_equals_timesheet:amount", "-7.50")

    assert beyond([known], [known]) == []
    [new] = beyond([grown], [known])
    assert (new.rows, new.documents) == (frozenset({OTHER}), frozenset({"C"}))
    [rest] = beyond([more], [case("attendance_equals_timesheet:amount", "-5.00")])
    assert rest.amount == D("-2.50")
    assert not is_about(rest, fault())  # it says nothing new of a row


def test_findings_about_nothing_planted_count_against_precision_and_consequences_do_not():
    stray = case("payment_before_approval", rows=(OTHER,), group="stray")
    total = Finding("control", "hc_u8.stock", "control_total", "", "")

    assert unfounded([fault()], [case(), stray, total]) == [stray, total]
    assert unfounded([fault("wrong-quantity")], [case(), stray, total]) == [stray]


def test_an_alarm_on_clean_data_is_false_unless_it_is_known_to_be_true():
    true = Finding(
        "identity", "attendance_equals_timesheet", "attendance_equals_timesheet:amount", "2025-10", ""
    )

    assert false_alarms([true, case()]) == [case()]
    # the key decides where it speaks: it proves what nobody listed, and contradicts what somebody did
    assert false_alarms([true, case()], lambda item: item == case()) == [true]


def test_every_kind_of_fault_has_a_cause_and_no_cause_belongs_to_all():
    from sandbox.huachen.faults import kinds

    assert set(CAUSES) == {kind.name for kind in kinds()}
    for kind, patterns in CAUSES.items():
        for says in patterns:
            if ":" in says:  # an identity's suspect is how a difference looks: it misleads nobody
                assert said_of(says) == frozenset()
            elif "*" not in says:
                assert said_right(kind, says)
                assert said_of(says) == {kind}, "a cause that two kinds share tells neither"


def test_goals_hold_only_when_all_is_found():
    whole = score([Trial("t", (fault(),), (case(),), (fault(rows=(OTHER,), documents=()),))], [])
    half = score([Trial("t", (fault(), fault("sent-twice", rows=(OTHER,), documents=())), (case(),))], [])

    assert all(whole.goals.values())
    assert (whole.recall, whole.precision, whole.control, whole.residual) == (1, 1, 0, 0)
    assert not half.goals["recall 100 % for every kind"]
    assert (half.recall, half.residual) == (D("0.5"), D("130.00"))
    assert not score([], []).goals["recall 100 % for every kind"]  # nothing planted proves nothing
    assert not score([Trial("t", (fault(),), (case(),))], [case()]).goals["0 false alarms on clean data"]


def test_the_control_leaves_out_what_was_planted_too():
    measured = score([Trial("t", (fault(),), (case(),), (fault(), fault(rows=(OTHER,), documents=())))], [])

    assert (measured.trials[0].stranger_count, measured.trials[0].strangers_found) == (1, 0)


def test_a_key_of_other_rows_finds_next_to_nothing():
    """Findings about a hundred faults, against a hundred faults elsewhere: chance may not look like skill."""
    dice = random.Random(6)
    kinds, places = sorted(CAUSES), list(range(10_000))
    dice.shuffle(places)

    def made(rows: list[int]) -> list[Fault]:
        return [
            fault(
                kinds[n % len(kinds)],
                rows=(("hc_kingdee", "receivable_line", str(row)),),
                documents=(f"YS{row}",),
            )
            for n, row in enumerate(rows)
        ]

    planted, strangers = made(places[:100]), made(places[100:200])
    found = [
        case(CAUSES[item.kind][0].replace("*", "x"), rows=item.rows, documents=item.documents, group=str(n))
        for n, item in enumerate(planted)
    ]

    measured = score([Trial("t", tuple(planted), tuple(found), tuple(strangers))], [])

    assert measured.recall == 1
    assert measured.control == 0
