"""The scorecard as JSON, and as the page of the docs that is written from that JSON."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tieout.detection.clean import PROVED_BY
from tieout.detection.expected import TRUE_OF_THE_SAMPLE
from tieout.detection.score import Score

_HEAD = """\
# What the platform finds of what is planted

Written by `{command}`; do not edit. Measured on {date} at commit {commit}, {machine}, {minutes} minutes.

Faults as they happen in life are planted into the systems of the sample company 华辰精工, several at once; a fresh
installation pulls everything, builds and judges. What it says beside what it says of the clean company is compared with the
key, which the platform never reads.

- **Found**: something points at a row that the fault changed, or at a document of that row or of the one it came from. The
  same period, amount or department is not enough. A renamed field is found when its batches are held, a form's when rows
  that lack it are set aside.
- **Cause right**: something said of it names the cause that was written down for its kind beforehand, and nothing that points
  at its rows names only another one.
- **Amount exact**: a finding with the right cause, or all of one rule together, states the amount at stake to the cent; asked of
  faults of which no later one has changed anything.
- **Precision**: findings that point at a row or document of a planted fault, belong to a case that does, or are a named consequence
  of one (a stock that turns negative, a control total), among all new ones.
- **Cases**: everything that has one cause is one case (`tieout cases`): about one planted fault and no other, and every fault in one
  case and no other, is what a person who has to mend it wants. A renamed field is left out, its batches wait.
- **Control**: the same findings against the key of another seed, which was never planted: what chance would find.

The examination builds on where a refresh stops: a strong test that fails stops a real refresh, and what is behind it is
judged after the repair. Renamed fields come with a second pull, since they hold all streams of their system. The rules were written, and
mended, while looking at faults of these seeds; `--from` plants others. What is
said of clean data is proved true row by row, from the systems' files and the answer keys, in `tests/company/test_clean_alarms.py`.
"""


def measured(
    score: Score, *, when: datetime, commit: str, machine: str, seconds: float, command: str
) -> dict[str, Any]:
    """Everything that was measured, as JSON takes it; amounts and shares are text."""
    return {
        "command": command,
        "date": f"{when:%Y-%m-%d}",
        "commit": commit,
        "machine": machine,
        "seconds": round(seconds),
        "recall": _percent(score.recall),
        "precision": _percent(score.precision),
        "cause_right": _percent(score.cause_accuracy),
        "residual": f"{score.residual:.2f}",
        "control_recall": _percent(score.control),
        "cases_of_one_fault": "{} of {}".format(*score.cases_of_one),
        "faults_told_in_one_case": "{} of {}".format(*score.faults_told_once),
        "goals": score.goals,
        "kinds": [
            {
                "kind": item.kind,
                "planted": item.planted,
                "found": item.detected,
                "cause_right": item.cause_right,
                "amounts": item.amounts,
                "exact": item.exact,
                "residual": f"{item.residual:.2f}",
                "said": list(item.said),
            }
            for item in score.kinds
        ],
        "trials": [
            {
                "trial": item.name,
                "planted": item.planted,
                "covered": item.covered,
                "found": item.detected,
                "findings": item.findings,
                "unfounded": [f"{one.kind} {one.rule}: {one.title}" for one in item.unfounded],
                "cases": len(item.cases),
                "cases_of_one_fault": item.cases.count(1),
                "cases_of_none": item.cases.count(0),
                "faults_told_in_one_case": f"{item.told.count(1)} of {len(item.told)}",
                "control": f"{item.strangers_found} of {item.stranger_count}",
                "seconds": round(item.seconds),
            }
            for item in score.trials
        ],
        "clean": {
            rule: {"alarms": count, "proved": proved, "why": PROVED_BY.get(rule) or TRUE_OF_THE_SAMPLE[rule]}
            for rule, (count, proved) in score.clean_alarms.items()
        },
        "false_alarms": [f"{one.kind} {one.rule}: {one.title}" for one in score.false_alarms],
        "short": [
            {
                "trial": name,
                "fault": item.fault.name,
                "kind": item.fault.kind,
                "found": item.detected,
                "cause_right": item.cause_right,
                "amount": f"{item.fault.amount} {item.fault.currency}",
                "not_accounted_for": None if item.residual is None else f"{item.residual:.2f}",
                "said": sorted({one.says for one in item.found}),
                "misled_by": list(item.misled),
            }
            for name, item in score.missed
        ],
    }


def page(said: dict[str, Any]) -> str:
    """The page, from what was measured."""
    lines = [
        _HEAD.format(**said, minutes=round(said["seconds"] / 60)),
        "## In sum\n",
        "| | measured | goal | holds |\n|---|---|---|---|",
    ]
    holds = {True: "✓", False: "✗"}
    goals = list(said["goals"].values())
    for name, value, goal, ok in (
        ("recall", said["recall"], "100 %", goals[0]),
        ("false alarms on clean data", len(said["false_alarms"]), "0", goals[1]),
        ("cause right", said["cause_right"], "≥ 95 %", goals[2]),
        ("amount at stake that nothing accounts for", said["residual"], "0.00", goals[3]),
    ):
        lines.append(f"| {name} | {value} | {goal} | {holds[ok]} |")
    lines += [
        f"| precision | {said['precision']} | – | |",
        f"| cases that are about one fault and no other | {said['cases_of_one_fault']} | – | |",
        f"| faults that are told in one case and no other | {said['faults_told_in_one_case']} | – | |",
        f"| control: recall of what was never planted | {said['control_recall']} | near 0 | |",
        "\n## By kind\n",
        "| kind | planted | found | cause right | amount exact | not accounted for | said |\n|---|---:|---:|---:|---:|---:|---|",
    ]
    for kind in said["kinds"]:
        words = ", ".join(f"`{word}`" for word in kind["said"]) or "–"
        exact = f"{kind['exact']} of {kind['amounts']}" if kind["amounts"] else "–"
        lines.append(
            f"| {kind['kind']} | {kind['planted']} | {kind['found']} | {kind['cause_right']} | {exact} "
            f"| {kind['residual']} | {words} |"
        )
    lines += [
        "\n## By trial\n",
        "| trial | planted | of it covered by a later one | found | findings | of them pointing at nothing planted "
        "| cases | about one fault | about none | faults told in one case | control | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for item in said["trials"]:
        lines.append(
            f"| {item['trial']} | {item['planted']} | {item['covered']} | {item['found']} | {item['findings']} "
            f"| {len(item['unfounded'])} | {item['cases']} | {item['cases_of_one_fault']} | {item['cases_of_none']} "
            f"| {item['faults_told_in_one_case']} | {item['control']} | {item['seconds']} |"
        )
    if said["short"]:
        lines += [
            "\n## What falls short\n",
            "| trial | kind | amount | found | cause | not accounted for | said |",
            "|---|---|---:|---|---|---:|---|",
        ]
        for item in said["short"]:
            words = ", ".join(f"`{word}`" for word in item["said"][:6]) or "–"
            lines.append(
                f"| {item['trial']} | {item['kind']} | {item['amount']} | {holds[item['found']]} | {holds[item['cause_right']]} "
                f"| {item['not_accounted_for'] or '–'} | {words} |"
            )
    unfounded = sorted({f"{one}" for item in said["trials"] for one in item["unfounded"]})
    if unfounded:
        lines += [
            "\n## Findings that point at no planted row or document\n",
            *(f"- {one}" for one in unfounded),
        ]
    lines += ["\n## Alarms on the clean group\n"]
    lines += [f"- ✗ {one}" for one in said["false_alarms"]]
    for rule, item in said["clean"].items():
        word = (
            "proved by the key"
            if item["proved"]
            else "no key speaks of it; shown from the systems' own files (tests/company/test_clean_alarms.py)"
        )
        lines.append(f"- {item['alarms']} × `{rule}`: {word}. {item['why']}")
    return "\n".join(lines) + "\n"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"
