from __future__ import annotations

import json

from judge_lightning.decoding.trace import Cycle, Trace


def example() -> Trace:
    return Trace(
        [
            Cycle([5, 6, 7], 2, [True, False, False], [0.9, 0.8, 0.1], 9, seconds=0.5),
            Cycle([4, 2], 2, [True, True], [0.3, 0.99], None, seconds=0.25),
        ],
        threshold=0.5,
    )


def test_the_tokens_are_those_kept_and_the_targets_own() -> None:
    assert example().tokens == [5, 6, 9, 4, 2]


def test_every_token_has_a_fate() -> None:
    assert example().fates == ["both", "judge", "target", "standard", "both"]


def test_without_a_judge_the_standard_rule_keeps() -> None:
    assert Trace([Cycle([5], 1, [True], None, 9)]).fates == ["standard", "target"]


def test_a_correction_is_told_from_a_bonus() -> None:
    first, second = example().cycles
    assert first.corrected
    assert not second.corrected


def test_means_are_over_cycles() -> None:
    assert example().accepted_per_cycle == 2.0
    assert example().tokens_per_cycle == 2.5
    assert Trace().accepted_per_cycle == 0.0


def test_json_keeps_everything_but_the_seconds() -> None:
    row = json.loads(json.dumps(example().to_json()))
    again = Trace.from_json(row)
    assert again.to_json() == row
    assert again.fates == example().fates
    assert again.seconds == 0.0
    assert "seconds" not in json.dumps(row)
