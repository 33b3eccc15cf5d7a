"""What all trials together come to: one line a kind, the sums, and whether the goals hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tieout.detection.clean import Proof
from tieout.detection.expected import said_right
from tieout.detection.finding import Finding, beyond
from tieout.detection.key import Fault
from tieout.detection.match import Matched, causes, false_alarms, matched, unfounded

CAUSE_GOAL = Decimal("0.95")


@dataclass(frozen=True)
class Trial:
    """One company with faults in it: what was planted, what was said beside what the clean one shows, how long it took.

    `strangers` are the faults of another seed, which were never planted here: what is "found" of them is chance. Those on
    a row of a fault that was planted (a row that came gets the next free number, whatever the seed) are left out.
    """

    name: str
    faults: tuple[Fault, ...]
    found: tuple[Finding, ...]
    strangers: tuple[Fault, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class KindScore:
    """All faults of one kind over all trials. `amounts` of them have an amount at stake, `exact` of those were stated
    to the cent; `residual` is what no finding with the right cause accounts for."""

    kind: str
    planted: int
    detected: int
    cause_right: int
    amounts: int
    exact: int
    residual: Decimal
    said: tuple[str, ...]  # what named the cause


@dataclass(frozen=True)
class TrialScore:
    """One trial in figures. `covered`: faults that a later one took away again, so that nothing shows them.

    `cases`: of every case beside those of the clean company, how many faults it is about. `told`: of every fault that reaches
    the data, how many cases it has.
    """

    name: str
    planted: int
    covered: int
    detected: int
    findings: int
    unfounded: tuple[Finding, ...]
    stranger_count: int
    strangers_found: int
    seconds: float
    cases: tuple[int, ...] = ()
    told: tuple[int, ...] = ()


@dataclass(frozen=True)
class Score:
    """Everything that was measured."""

    kinds: tuple[KindScore, ...]
    trials: tuple[TrialScore, ...]
    # rule -> true alarms on the clean company, and how many of them a key proves
    clean_alarms: dict[str, tuple[int, int]]
    false_alarms: tuple[Finding, ...]
    missed: tuple[
        tuple[str, Matched], ...
    ]  # trial, fault: not found, or its cause not right, or its amount not exact

    @property
    def planted(self) -> int:
        return sum(item.planted for item in self.kinds)

    @property
    def recall(self) -> Decimal:
        return _share(sum(item.detected for item in self.kinds), self.planted)

    @property
    def cause_accuracy(self) -> Decimal:
        return _share(sum(item.cause_right for item in self.kinds), self.planted)

    @property
    def precision(self) -> Decimal:
        found = sum(item.findings for item in self.trials)
        return _share(found - sum(len(item.unfounded) for item in self.trials), found)

    @property
    def cases_of_one(self) -> tuple[int, int]:
        """How many cases are about one fault and no other, and how many cases there are."""
        every = [faults for item in self.trials for faults in item.cases]
        return every.count(1), len(every)

    @property
    def faults_told_once(self) -> tuple[int, int]:
        """How many faults have one case and no other, and how many there are that reach the data."""
        every = [cases for item in self.trials for cases in item.told]
        return every.count(1), len(every)

    @property
    def residual(self) -> Decimal:
        return sum((item.residual for item in self.kinds), Decimal(0))

    @property
    def control(self) -> Decimal:
        """Recall of faults that were never planted."""
        return _share(
            sum(item.strangers_found for item in self.trials),
            sum(item.stranger_count for item in self.trials),
        )

    @property
    def goals(self) -> dict[str, bool]:
        """Each goal of the project, and whether it holds."""
        return {
            "recall 100 % for every kind": bool(self.planted) and self.recall == 1,
            "0 false alarms on clean data": not self.false_alarms,
            "cause right in at least 95 %": self.cause_accuracy >= CAUSE_GOAL,
            "unexplained residual 0.00": self.residual == 0,
        }


def score(trials: Sequence[Trial], clean: Sequence[Finding], proof: Proof = lambda _: None) -> Score:
    """Match every trial's findings with what was planted in it, and hold those of the clean company against the keys."""
    matches: list[tuple[str, Matched]] = []
    scored = []
    for trial in trials:
        new = beyond([item for item in trial.found if item.kind != "root"], list(clean))
        roots = beyond([item for item in trial.found if item.kind == "root"], list(clean))
        cases, told = causes(trial.faults, roots)
        found = matched(trial.faults, new)
        matches += [(trial.name, item) for item in found]
        taken = frozenset().union(*(fault.rows for fault in trial.faults))
        strangers = matched([fault for fault in trial.strangers if not fault.rows & taken], new)
        scored.append(
            TrialScore(
                trial.name, len(trial.faults), len(trial.faults) - len(found), sum(item.detected for item in found),
                len(new), tuple(unfounded(trial.faults, new, roots)), len(strangers),
                sum(item.detected for item in strangers), trial.seconds, tuple(cases), tuple(told),
            )
        )  # fmt: skip
    kinds = sorted({item.fault.kind for _, item in matches})
    alarming = [item for item in clean if item.kind != "root"]  # a case alarms by what it is made of
    false = false_alarms(alarming, proof)
    alarms: dict[str, tuple[int, int]] = {}
    for item in alarming:
        if item not in false:
            count, proved = alarms.get(item.rule, (0, 0))
            alarms[item.rule] = (count + 1, proved + bool(proof(item)))
    return Score(
        tuple(_kind(kind, [item for _, item in matches if item.fault.kind == kind]) for kind in kinds),
        tuple(scored),
        alarms,
        tuple(false),
        tuple(
            (name, item)
            for name, item in matches
            if not (item.detected and item.cause_right and not _left(item))
        ),
    )


def _kind(kind: str, found: Sequence[Matched]) -> KindScore:
    money = [item for item in found if item.fault.amount and item.fault.whole]
    return KindScore(
        kind,
        len(found),
        sum(item.detected for item in found),
        sum(item.cause_right for item in found),
        len(money),
        sum(not _left(item) for item in money),
        sum((_left(item) for item in money), Decimal(0)),
        tuple(sorted({said.says for item in found for said in item.found if said_right(kind, said.says)})),
    )


def _left(item: Matched) -> Decimal:
    """What of the amount at stake nobody accounts for: all of it, if nobody states an amount."""
    if not item.fault.amount or not item.fault.whole:
        return Decimal(0)
    return item.fault.amount if item.residual is None else item.residual


def _share(part: int, whole: int) -> Decimal:
    return Decimal(part) / whole if whole else Decimal(0)
