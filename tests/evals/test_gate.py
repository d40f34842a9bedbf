"""The gate refuses a decoder for what it may lose, not for what it happened to lose."""

from __future__ import annotations

import pytest

from evals.gate import refusals
from evals.paired import PairedComparison, compare_paired
from judge_lightning.errors import UserError
from pipelines.config import EvalConfig, GateConfig, RunConfig, VerifierConfig
from pipelines.gate import GateRefusedError, apply_gate, check_gate, gate_settings, require_passed


def compared(n: int, wrong: int = 0, right: int = 0) -> PairedComparison:
    after = [0.0] * wrong + [1.0] * (n - wrong)
    before = [1.0] * (n - right) + [0.0] * right
    return compare_paired(after, before)


def configured(**gate: object) -> RunConfig:
    given = {"name": "own", "tolerance": 0.02, **gate}
    return RunConfig(
        eval=EvalConfig(name="own", tasks=["word", "code"], headline="word"),
        verifier=VerifierConfig(name="all"),
        gate=GateConfig(**given),
    )


def test_a_decoder_that_may_lose_more_than_the_tolerance_is_refused() -> None:
    (found,) = refusals({"word": {"judge": compared(200, wrong=6)}}, 0.02, ["judge"], greedy=True)

    said = found.in_words()
    assert said.startswith("word: judge differs from the target alone by -3.0 points (95% interval")
    assert "200 documents" in said
    assert said.endswith("so that it may lose more than 2")


def test_few_documents_do_not_show_that_little_is_lost() -> None:
    nothing_turned = {n: {"word": {"judge": compared(n)}} for n in (50, 200)}

    assert refusals(nothing_turned[50], 0.02, ["judge"], greedy=True)
    assert not refusals(nothing_turned[200], 0.02, ["judge"], greedy=True)


def test_only_the_named_decoders_are_asked() -> None:
    paired = {"word": {"draft": compared(200, wrong=90), "judge": compared(400)}}

    assert not refusals(paired, 0.02, ["judge"], greedy=True)
    assert refusals(paired, 0.02, ["judge", "draft"], greedy=True)


def test_exact_decoding_may_differ_in_nothing() -> None:
    paired = {"word": {"exact": compared(4000, right=1)}}

    (found,) = refusals(paired, 0.02, ["judge"], greedy=True)
    said = "must score as the target does, and differs on 1 of 4000 documents"
    assert found.in_words().endswith(said)
    assert not refusals(paired, 0.02, ["judge"], greedy=False)


def test_the_summary_says_what_was_asked_and_answered() -> None:
    settings = gate_settings(configured(tasks=["code"]))
    assert settings is not None
    paired = {"word": {"judge": compared(40)}, "code": {"judge": compared(400)}}

    said = apply_gate(settings, paired, greedy=True)

    assert said == {**settings, "passed": True, "refused": []}
    assert settings == {"name": "own", "tolerance": 0.02, "decoders": ["judge"], "tasks": ["code"]}


def test_a_refused_run_raises_after_all_and_others_do_not() -> None:
    require_passed({})
    require_passed({"gate": None})
    require_passed({"gate": {"passed": True, "refused": []}})
    with pytest.raises(GateRefusedError, match=r"word: .*; code: "):
        require_passed({"gate": {"passed": False, "refused": ["word: lost", "code: lost"]}})


def test_without_a_tolerance_there_is_no_gate() -> None:
    assert gate_settings(configured(tolerance=None)) is None
    check_gate(configured(tolerance=None, decoders=["nobody"]))


@pytest.mark.parametrize(
    ("gate", "field", "problem"),
    [
        ({"tolerance": 2.0}, "gate.tolerance", "no share"),
        ({"tolerance": -0.1}, "gate.tolerance", "no share"),
        ({"tasks": ["mmlu"]}, "gate.tasks", "'mmlu' is not evaluated"),
        ({"decoders": ["target"]}, "gate.decoders", "'target' is not compared"),
        ({"decoders": ["typical"]}, "gate.decoders", "'typical' is not compared"),
    ],
)
def test_a_gate_that_could_say_nothing_is_refused_before_work(
    gate: dict[str, object], field: str, problem: str
) -> None:
    with pytest.raises(UserError, match=problem) as error:
        check_gate(configured(**gate))

    assert error.value.field == field


def test_a_gate_without_tasks_is_refused() -> None:
    config = configured()
    config.eval.tasks = []

    with pytest.raises(UserError, match=r"eval\.tasks is empty"):
        check_gate(config)
