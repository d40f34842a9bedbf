"""The compiled engine writes what the eager one writes: tokens, traces and judge's verdicts.

Graphs take seconds to make, so the decoders are made once and used for every prompt.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning import AutoregressiveDecoder, JudgeHead, SpeculativeDecoder, load_pair
from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.sources import Source
from judge_lightning.decoding import compiler
from judge_lightning.decoding.bare import bare_cycles
from judge_lightning.decoding.compiled import BUCKET, CompiledEngine, steps_and_calls
from judge_lightning.decoding.draft_length import Adaptive
from judge_lightning.decoding.engine import Engine
from judge_lightning.decoding.trace import DecodeOutput
from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig
from judge_lightning.models.pair import Pair
from judge_lightning.verifiers import Exact, Judge

Models = tuple[PreTrainedModel, PreTrainedModel]
MakePair = Callable[[str], Models]

pytestmark = pytest.mark.skipif(
    compiler.compiler_problem() is not None, reason="needs a C++ compiler"
)


def head(hidden: int, layers: int) -> JudgeHead:
    """Logits of a trained head's size: much larger ones are all rounding."""
    weights = torch.randn(hidden, generator=torch.Generator().manual_seed(7)) * 0.1
    return JudgeHead.from_weights(weights, 0.1, HeadConfig(hidden, layers - 1, layers))


def other_heads() -> dict[str, JudgeHead]:
    """Of the kinds that the compiled engine runs, for the tiny pair."""
    several = HeadConfig(32, 1, 2, kind="layers", layers=(0, 1))
    heads = {
        "mlp": JudgeHead(HeadConfig(32, 0, 2, kind="mlp", options={"hidden": 5})),
        "layers": JudgeHead(several),
    }
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in [p for one in heads.values() for p in one.parameters()]:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return heads


def random_prompt(length: int) -> Tensor:
    return torch.randint(3, 61, (1, length), generator=torch.Generator().manual_seed(length))


def assert_same(compiled: DecodeOutput, eager: DecodeOutput, tolerance: float = 1e-4) -> None:
    """``tolerance`` is for the judge's probabilities. The default is that of the eager engine's
    test against a recomputation: on the tiny pair the engines differ by up to 1.2e-5."""
    assert torch.equal(compiled.sequences, eager.sequences)
    for ours, theirs in zip(compiled.trace.cycles, eager.trace.cycles, strict=True):
        assert ours.proposed == theirs.proposed
        assert ours.accepted == theirs.accepted
        assert ours.standard == theirs.standard
        assert ours.next_token == theirs.next_token
        assert (ours.judge is None) == (theirs.judge is None)
        assert ours.judge is None or ours.judge == pytest.approx(theirs.judge, abs=tolerance)


@pytest.fixture(scope="module")
def engine() -> CompiledEngine:
    return CompiledEngine()


@pytest.fixture(scope="module")
def tiny(llama: Models, engine: CompiledEngine) -> dict[str, tuple[SpeculativeDecoder, ...]]:
    """(compiled, eager) by verifier, with a draft length of 5."""
    engines: tuple[Engine | str, ...] = (engine, "eager")
    judges = {"judge": head(32, 2), **other_heads()}
    verifiers = {"exact": Exact(), **{name: Judge(one) for name, one in judges.items()}}
    return {
        name: tuple(SpeculativeDecoder(*llama, verifier, 5, each) for each in engines)
        for name, verifier in verifiers.items()
    }


Tiny = dict[str, tuple[SpeculativeDecoder, ...]]


@pytest.mark.parametrize("verifier", ["exact", "judge", "mlp", "layers"])
@pytest.mark.parametrize(
    ("length", "new"),
    [(1, 30), (2, 9), (7, 40), (3, 1), (5, 2), (9, 13), (90, 50), (95, 5), (7, 17)],
)
def test_it_decodes_what_eager_decodes(tiny: Tiny, verifier: str, length: int, new: int) -> None:
    """Prompts of one token, limits inside a block, and 96 positions that end."""
    compiled, eager = tiny[verifier]
    prompt = random_prompt(length)
    assert_same(compiled.generate(prompt, new, ()), eager.generate(prompt, new, ()))


@pytest.mark.parametrize("place", range(8))
def test_an_eos_anywhere_in_a_block_ends_it_as_in_eager(tiny: Tiny, place: int) -> None:
    for compiled, eager in tiny.values():
        prompt = random_prompt(7)
        eos = eager.generate(prompt, 12, ()).trace.tokens[place]
        assert_same(compiled.generate(prompt, 12, eos), eager.generate(prompt, 12, eos))


def test_blocks_that_end_by_themselves_end_where_they_do_in_eager(
    llama: Models,
) -> None:
    """Within a call of the draft's graph too, and read by graphs of several widths."""
    shared = CompiledEngine()
    lengths = ((Exact(), Adaptive(18, 0.02)), (Judge(head(32, 2), 0.2), Adaptive(18, 0.01, 2)))
    decoders = [
        tuple(SpeculativeDecoder(*llama, rule, length, each) for each in (shared, "eager"))
        for rule, length in lengths
    ]
    for compiled, eager in decoders:
        for length, new in ((1, 30), (7, 60), (90, 50), (5, 2)):
            prompt = random_prompt(length)
            ours, theirs = (each.generate(prompt, new, ()) for each in (compiled, eager))
            assert_same(ours, theirs)
            eos = theirs.trace.tokens[len(theirs.trace.tokens) // 2]
            assert_same(*(each.generate(prompt, new, eos) for each in (compiled, eager)))


def test_a_model_alone_decodes_the_same(llama: Models, engine: CompiledEngine) -> None:
    compiled, eager = (AutoregressiveDecoder(llama[0], each) for each in (engine, "eager"))
    for length in (1, 6, 80):
        prompt = random_prompt(length)
        assert_same(compiled.generate(prompt, 20, ()), eager.generate(prompt, 20, ()))


def test_what_was_rejected_or_answered_before_leaves_nothing_behind(tiny: Tiny) -> None:
    compiled, _ = tiny["judge"]
    prompt = random_prompt(6)
    first = compiled.generate(prompt, 30, ())
    assert any(cycle.corrected for cycle in first.trace.cycles)
    compiled.generate(random_prompt(60), 30, ())
    assert compiled.generate(prompt, 30, ()).trace.to_json() == first.trace.to_json()


def test_graphs_are_made_once(tiny: Tiny, engine: CompiledEngine) -> None:
    compiled, _ = tiny["exact"]
    compiled.generate(random_prompt(4), 20, ())
    with torch.compiler.set_stance("fail_on_recompile"):
        for length in (1, 2, 33):
            compiled.generate(random_prompt(length), 20, ())
    before = engine.compile_seconds
    compiled.generate(random_prompt(3), 20, ())
    assert engine.compile_seconds - before < 0.1


def test_a_sliding_window_is_kept_and_blocks_may_be_of_one(make_pair: MakePair) -> None:
    """The window of six slides within a static cache that holds everything."""
    pair = make_pair("sliding_window")
    compiled, eager = (
        SpeculativeDecoder(*pair, Exact(), 2, each) for each in ("compiled", "eager")
    )
    prompt = random_prompt(9)
    assert_same(compiled.generate(prompt, 25, ()), eager.generate(prompt, 25, ()))


def graphs_of(engine: Engine) -> list[set[str]]:
    assert isinstance(engine, CompiledEngine)
    return [set(model._graphs) for model in engine._models.values()]


def test_a_compiled_cycle_has_parts_and_bare_passes_too(tiny: Tiny) -> None:
    decoder, _ = tiny["exact"]
    prompt = random_prompt(7)
    trace = decoder.generate(prompt, 24, ()).trace
    for cycle in trace.cycles:
        assert cycle.parts is not None
        assert min(cycle.parts.draft, cycle.parts.verify, cycle.parts.judge) > 0
        assert cycle.overhead is not None and cycle.overhead > 0
    graphs = graphs_of(decoder.engine)
    (passes,) = bare_cycles(decoder, prompt, 1)
    assert min(passes.draft, passes.target) > 0
    assert graphs_of(decoder.engine) == graphs, "nothing is compiled for it"
    assert decoder.generate(prompt, 24, ()).trace.to_json() == trace.to_json()


@pytest.fixture(scope="module")
def micro() -> Pair:
    return load_pair("micro", device="cpu")


def test_the_embedded_pair_decodes_the_same_with_blocks_of_twenty(micro: Pair) -> None:
    verifier = Judge(head(128, 6))
    shared = CompiledEngine()
    for rule in (verifier, Exact()):
        compiled, eager = (
            SpeculativeDecoder(micro.target, micro.draft, rule, 20, each)
            for each in (shared, "eager")
        )
        source = Source("word", "micro", "word", count=6)
        for prompt in islice(source.prompts(), 6):
            ids = torch.tensor([render_prompt(micro.tokenizer, prompt.text)])
            assert_same(compiled.generate(ids, 200), eager.generate(ids, 200), tolerance=1e-5)


@pytest.mark.parametrize("count", range(2, 66))
def test_draft_steps_are_cut_into_few_calls_with_little_waste(count: int) -> None:
    steps, calls = steps_and_calls(count)
    assert count <= steps * calls <= count + 2
    assert steps <= 7


def test_a_longer_answer_grows_the_cache(llama: Models) -> None:
    engine = CompiledEngine()
    assert engine._static("target", llama[0], 5).length == min(BUCKET, 96)
    llama[0].config.max_position_embeddings = 4 * BUCKET
    try:
        assert engine._static("target", llama[0], BUCKET + 1).length == 2 * BUCKET
    finally:
        llama[0].config.max_position_embeddings = 96


def test_sampling_is_refused_with_the_remedy(tiny: Tiny) -> None:
    compiled, _ = tiny["exact"]
    with pytest.raises(UserError, match=r"temperature is 1\.0; use engine=eager"):
        compiled.generate(random_prompt(3), 5, temperature=1.0)


def test_a_model_without_a_static_cache_is_refused_before_decoding(make_pair: MakePair) -> None:
    model, _ = make_pair("llama")
    model.config.attention_chunk_size = 8
    with pytest.raises(UserError, match="LlamaForCausalLM has no static cache; use engine=eager"):
        AutoregressiveDecoder(model, "compiled")


def test_a_machine_without_a_compiler_is_refused(
    llama: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        UserError, match=r"needs a C\+\+ compiler: there is no .*; use engine=eager"
    ):
        AutoregressiveDecoder(llama[0], "compiled")


def test_an_unknown_engine_is_refused(llama: Models) -> None:
    with pytest.raises(UserError, match="no engine 'fast'; use eager or compiled"):
        AutoregressiveDecoder(llama[0], "fast")
