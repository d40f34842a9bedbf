"""A grown model says what its seed says, whatever shape it wears."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import DynamicCache, GPT2Config, LlamaConfig, LlamaForCausalLM

from judge_lightning.errors import UserError
from judge_lightning.heads import HeadConfig, JudgeHead
from judge_lightning.models.growth import grow, grow_head, grown_config
from judge_lightning.models.hidden_states import HiddenStateTap
from judge_lightning.models.shape import Growth, LlamaShape, grown_fingerprint, grown_layer

ROPE: dict[str, dict[str, Any]] = {
    "default": {"rope_type": "default", "rope_theta": 10000.0},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
}
SEED = LlamaShape(
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    vocab_size=31,
    tie_word_embeddings=True,
)
GROWN = Growth(
    hidden_size=48,
    intermediate_size=50,
    num_hidden_layers=5,
    num_attention_heads=12,
    num_key_value_heads=4,
    head_dim=16,
    vocab_size=40,
    tie_word_embeddings=False,
)


@dataclass(frozen=True)
class Case:
    shape: LlamaShape
    growth: Growth
    rope: str
    number: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A small shape and any larger one that can hold it."""
    keys, per_key = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    heads = keys * per_key
    shape = LlamaShape(
        hidden_size=heads * draw(st.integers(2, 5)),
        intermediate_size=draw(st.integers(1, 20)),
        num_hidden_layers=draw(st.integers(1, 3)),
        num_attention_heads=heads,
        num_key_value_heads=keys,
        head_dim=draw(st.sampled_from([2, 4, 8])),
        vocab_size=draw(st.integers(3, 30)),
        tie_word_embeddings=draw(st.booleans()),
    )
    new_per_key = draw(st.integers(1, 4))
    new_keys = keys * -(-per_key // new_per_key) + draw(st.integers(0, 2))
    new_heads = new_keys * new_per_key
    least = -(-shape.hidden_size // new_heads)
    growth = Growth(
        hidden_size=new_heads * (least + draw(st.integers(0, 4))),
        intermediate_size=shape.intermediate_size + draw(st.integers(0, 20)),
        num_hidden_layers=shape.num_hidden_layers + draw(st.integers(0, 4)),
        num_attention_heads=new_heads,
        num_key_value_heads=new_keys,
        head_dim=shape.head_dim + 2 * draw(st.integers(0, 8)),
        vocab_size=shape.vocab_size + draw(st.integers(0, 9)),
        tie_word_embeddings=shape.tie_word_embeddings and draw(st.booleans()),
    )
    return Case(shape, growth, draw(st.sampled_from(list(ROPE))), draw(st.integers(0, 1000)))


def make_seed(shape: LlamaShape, rope: str = "default", number: int = 0) -> LlamaForCausalLM:
    """A model with weights so large that every part of it speaks up in the logits."""
    torch.manual_seed(number)
    config = LlamaConfig(
        **asdict(shape), rope_parameters=ROPE[rope], bos_token_id=1, eos_token_id=2
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.3)
    return model


def tokens(model: LlamaForCausalLM, length: int = 24) -> Tensor:
    return torch.randint(model.config.vocab_size, (2, length))


def in_pieces(model: LlamaForCausalLM, ids: Tensor, sizes: list[int]) -> Tensor:
    """The logits of a decoding with a cache: a prompt, then pieces of one or more tokens."""
    cache = DynamicCache(config=model.config)
    pieces = ids.split(sizes, dim=1)
    return torch.cat([model(piece, past_key_values=cache).logits for piece in pieces], dim=1)


@pytest.fixture(scope="module")
def seed() -> LlamaForCausalLM:
    return make_seed(SEED)


@pytest.fixture(scope="module")
def grown(seed: LlamaForCausalLM) -> LlamaForCausalLM:
    return grow(seed, GROWN)


@torch.no_grad()
@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_logits_are_the_seeds_in_any_larger_shape_with_and_without_a_cache(case: Case) -> None:
    seed = make_seed(case.shape, case.rope, case.number)
    grown = grow(seed, case.growth)
    assert LlamaShape.of(grown.config.to_dict()) == case.growth.resolve(case.shape)
    ids = tokens(seed)
    expected = seed(ids).logits
    for logits in (grown(ids).logits, in_pieces(grown, ids, [9, 1, 1, 6, 1, 6])):
        known = logits[..., : case.shape.vocab_size]
        torch.testing.assert_close(known, expected, atol=1e-4, rtol=0)
        assert torch.equal(logits.argmax(-1), expected.argmax(-1))


@torch.no_grad()
@pytest.mark.parametrize("field", [name for name in asdict(GROWN) if name != "built_layers"])
def test_each_size_may_grow_by_itself(field: str, seed: LlamaForCausalLM) -> None:
    value = {"num_attention_heads": 8, "num_key_value_heads": 4}.get(field, getattr(GROWN, field))
    grown = grow(seed, replace(Growth(), **{field: value}))
    ids = tokens(seed)
    logits = grown(ids).logits[..., : SEED.vocab_size]
    torch.testing.assert_close(logits, seed(ids).logits, atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_embedded_target_keeps_its_words_in_the_proportions_of_a_large_llama() -> None:
    from judge_lightning.models.pair import ModelSource, load_model

    seed = load_model(ModelSource("micro:target"), device="cpu")
    assert isinstance(seed, LlamaForCausalLM)
    growth = Growth(512, 1792, 10, 8, 4, 128, 1200, False)
    grown = grow(seed, growth)
    ids = tokens(seed, 300)
    expected, logits = seed(ids).logits, grown(ids).logits
    torch.testing.assert_close(logits[..., : seed.config.vocab_size], expected, atol=1e-4, rtol=0)
    assert torch.equal(logits.argmax(-1), expected.argmax(-1))


@torch.no_grad()
def test_ids_that_the_seed_does_not_have_get_no_probability(
    grown: LlamaForCausalLM, seed: LlamaForCausalLM
) -> None:
    probabilities = grown(tokens(seed)).logits.softmax(-1)
    assert probabilities[..., SEED.vocab_size :].max() == 0.0


@torch.no_grad()
def test_states_are_the_seeds_followed_by_zeros_at_every_layer(
    grown: LlamaForCausalLM, seed: LlamaForCausalLM
) -> None:
    ids = tokens(seed)
    layers = [grown_layer(layer, 2, 5) for layer in range(2)]
    with HiddenStateTap(seed, [0, 1]) as ours, HiddenStateTap(grown, layers) as theirs:
        seed(ids)
        grown(ids)
        for layer, place in enumerate(layers):
            states = theirs.states[place]
            torch.testing.assert_close(states[..., :16], ours.states[layer], atol=1e-4, rtol=0)
            assert states[..., 16:].abs().max() == 0.0


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1])
def test_a_grown_head_gives_the_same_verdicts(
    layer: int, grown: LlamaForCausalLM, seed: LlamaForCausalLM
) -> None:
    config = HeadConfig(hidden_size=16, layer=layer, layers_of_target=2, threshold=0.4)
    head = JudgeHead.from_weights(torch.randn(16), 0.1, config)
    bigger = grow_head(head, GROWN, SEED, target="grown")
    assert (bigger.config.target, bigger.config.threshold) == ("grown", 0.4)
    bigger.check_fits(grown.config.hidden_size, grown.config.num_hidden_layers)
    ids = tokens(seed)
    place = bigger.config.layer
    with HiddenStateTap(seed, [layer]) as ours, HiddenStateTap(grown, [place]) as theirs:
        seed(ids)
        grown(ids)
        expected, verdicts = head(ours.states[layer]), bigger(theirs.states[place])
    torch.testing.assert_close(verdicts, expected, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(
    "kind",
    [
        {"kind": "mlp", "options": {"hidden": 3}},
        {"kind": "layers", "layers": (0, 1)},
        {"kind": "autojudge", "draft_hidden_size": 16, "draft": "small"},
    ],
    ids=lambda kind: kind["kind"],
)
def test_heads_of_every_kind_grow_with_the_models_that_they_read(
    kind: dict[str, Any], grown: LlamaForCausalLM, seed: LlamaForCausalLM
) -> None:
    """The seed is its own draft here, and so is the grown model."""
    head = JudgeHead(HeadConfig(hidden_size=16, layer=1, layers_of_target=2, **kind))
    for parameter in head.parameters():
        parameter.copy_(torch.randn(parameter.shape))
    width = grown.config.hidden_size
    bigger = grow_head(head, GROWN, SEED, "grown", draft_hidden_size=width, draft="grown draft")
    ids = tokens(seed)

    def verdicts(judge: JudgeHead, model: LlamaForCausalLM) -> Tensor:
        with HiddenStateTap(model, [*judge.layers_read, -1]) as tap:
            model(ids)
            read = torch.stack([tap.states[layer] for layer in judge.layers_read], -2)
            draft: Tensor = tap.states[-1]
            logits: Tensor = judge(read if judge.several_layers else read.squeeze(-2), draft)
            return logits

    torch.testing.assert_close(verdicts(bigger, grown), verdicts(head, seed), atol=1e-3, rtol=0)
    assert bigger.config.draft == ("grown draft" if head.reads_draft_embedding else "")


def test_a_head_of_another_model_is_not_grown() -> None:
    head = JudgeHead(HeadConfig(hidden_size=24, layer=0, layers_of_target=2))
    with pytest.raises(UserError, match="width 24"):
        grow_head(head, GROWN, SEED)


def test_layers_keep_their_relative_depth_and_the_last_stays_the_last() -> None:
    assert [grown_layer(layer, 4, 80) for layer in range(4)] == [19, 39, 59, 79]
    assert [grown_layer(layer, 3, 4) for layer in range(3)] == [0, 1, 3]
    assert [grown_layer(layer, 3, 3) for layer in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(("layer", "first_free"), [(0, 0), (1, SEED.hidden_size)])
def test_the_weights_that_do_not_matter_are_random(
    layer: int, first_free: int, grown: LlamaForCausalLM
) -> None:
    block = grown.model.layers[layer]
    attention, mlp = block.self_attn, block.mlp
    projections = [attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj]
    for linear in projections:
        free = linear.weight.detach()[:, first_free:]
        assert (free != 0).all()
        assert free.std().item() == pytest.approx(0.02, rel=0.2)


def test_the_same_seed_gives_the_same_weights_and_another_gives_others(
    seed: LlamaForCausalLM, grown: LlamaForCausalLM
) -> None:
    again, other = grow(seed, GROWN), grow(seed, GROWN, random_seed=1)
    states = again.state_dict()
    assert all(torch.equal(states[name], value) for name, value in grown.state_dict().items())
    assert not torch.equal(other.lm_head.weight, grown.lm_head.weight)


@torch.no_grad()
def test_it_is_built_in_bfloat16_with_exact_rotary_frequencies(seed: LlamaForCausalLM) -> None:
    grown = grow(seed, GROWN, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in grown.parameters()} == {torch.bfloat16}
    assert grown.model.rotary_emb.inv_freq.dtype == torch.float32
    assert torch.equal(grown.model.rotary_emb.inv_freq[::2], seed.model.rotary_emb.inv_freq)
    ids = tokens(seed)
    torch.testing.assert_close(
        grown(ids).logits[..., : SEED.vocab_size].float(), seed(ids).logits, atol=0.5, rtol=0
    )


@torch.no_grad()
def test_of_a_cut_shape_only_some_layers_are_built(seed: LlamaForCausalLM) -> None:
    grown = grow(seed, replace(GROWN, num_hidden_layers=80, built_layers=3))
    assert len(grown.model.layers) == 3
    ids = tokens(seed)
    assert torch.equal(grown(ids).logits.argmax(-1), seed(ids).logits.argmax(-1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 12),
        ("intermediate_size", 8),
        ("num_hidden_layers", 1),
        ("num_attention_heads", 2),
        ("num_attention_heads", 5),
        ("num_key_value_heads", 1),
        ("num_key_value_heads", 3),
        ("num_key_value_heads", 0),
        ("head_dim", 4),
        ("head_dim", 9),
        ("vocab_size", 30),
        ("built_layers", 1),
        ("built_layers", 3),
    ],
)
def test_a_shape_that_cannot_hold_the_seed_is_refused_by_its_field(field: str, value: int) -> None:
    with pytest.raises(UserError, match=str(value)) as error:
        replace(Growth(), **{field: value}).resolve(SEED)
    assert error.value.field in (f"grow.{field}", "grow.num_key_value_heads")


def test_embeddings_that_are_not_tied_cannot_be_tied() -> None:
    with pytest.raises(UserError, match=r"grow\.tie_word_embeddings"):
        Growth(tie_word_embeddings=True).resolve(replace(SEED, tie_word_embeddings=False))


@pytest.mark.parametrize(
    "changes",
    [{"attention_bias": True}, {"mlp_bias": True}, {"model_type": "gpt2"}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_no_plain_llama_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"^grow: the seed"):
        LlamaShape.of({**LlamaConfig(**asdict(SEED)).to_dict(), **changes})
    with pytest.raises(UserError, match="gpt2"):
        LlamaShape.of(GPT2Config().to_dict())


@pytest.mark.parametrize(
    ("rope", "head_dim", "problem"),
    [
        ({"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}, 16, "of type 'yarn'"),
        ({"rope_type": "default", "rope_theta": 5e5}, 60, "beyond float32"),
    ],
)
def test_rotary_positions_that_cannot_be_kept_are_refused(
    rope: dict[str, Any], head_dim: int, problem: str
) -> None:
    config = LlamaConfig(**asdict(SEED), rope_parameters=rope)
    with pytest.raises(UserError, match=problem) as error:
        grown_config(config, Growth(head_dim=head_dim))
    assert error.value.field == "grow.head_dim"


def test_a_fingerprint_tells_seeds_and_shapes_apart() -> None:
    prints = {
        grown_fingerprint("a", Growth(hidden_size=64)),
        grown_fingerprint("b", Growth(hidden_size=64)),
        grown_fingerprint("a", Growth(hidden_size=128)),
        grown_fingerprint("a", Growth(intermediate_size=64)),
    }
    assert len(prints) == 4
