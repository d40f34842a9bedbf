"""Embeddings are the target's states at the labelled tokens, in shards that can be redone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from judge_lightning.court.records import IGNORED, LabelledTuple
from judge_lightning.embedding_shards import embed_tuples, plan_shards
from judge_lightning.embeddings import EmbeddingIndex, prompt_number
from judge_lightning.errors import UserError


def labelled(number: int, split: str = "train") -> LabelledTuple:
    """A tuple of 6 + 4 labelled tokens, one of them a mistake."""
    correct = [3 + (number * 7 + place) % 200 for place in range(6)]
    wrong = [3 + (number * 11 + place) % 200 for place in range(5)]
    return LabelledTuple(
        prompt_id=f"p{number}",
        family="word",
        split=split,
        drafter="draft",
        prompt_ids=[9, 8, 7][: 1 + number % 3],
        correct_text="",
        correct_ids=correct,
        correct_labels=[1] * 6,
        wrong_text="",
        wrong_ids=wrong,
        wrong_labels=[1, 1, 1, 0, IGNORED],
        mistake_characters=(0, 1),
        mistake_tokens=(3, 4),
        confidence=1.0,
        evidence="",
    )


TUPLES = [labelled(n) for n in range(7)] + [labelled(n, "validation") for n in range(7, 9)]


@pytest.fixture(scope="module")
def model(tiny_llama: Callable[[int], LlamaForCausalLM]) -> LlamaForCausalLM:
    return tiny_llama(0)


def embed(
    model: LlamaForCausalLM, folder: Path, dtype: str = "float32", batch_size: int = 4
) -> EmbeddingIndex:
    folder.mkdir(exist_ok=True)
    shards = embed_tuples(
        model, TUPLES, folder, dtype=dtype, shard_tokens=30, batch_size=batch_size, target="t"
    )
    assert [shard.file for shard in shards]
    return EmbeddingIndex.load(folder)


def test_each_row_is_the_state_of_that_token_in_a_pass_of_its_own(
    model: LlamaForCausalLM, tmp_path: Path
) -> None:
    index = embed(model, tmp_path)
    rows = {}
    for shard in index.shards:
        tensors = load_file(tmp_path / shard.file)
        for row in range(shard.tokens):
            place = (int(tensors["tuple"][row]), int(tensors["position"][row]))
            rows.setdefault(place, []).append(
                ([tensors[f"layer.{n}"][row] for n in range(2)], int(tensors["labels"][row]))
            )

    for number, one in enumerate(TUPLES):
        for side, (ids, labels) in enumerate(
            [(one.correct_ids, one.correct_labels), (one.wrong_ids, one.wrong_labels)]
        ):
            states: list[torch.Tensor] = []
            hooks = [
                block.register_forward_hook(lambda m, i, o, s=states: s.append(o))
                for block in model.model.layers
            ]
            with torch.inference_mode():
                model(torch.tensor([[*one.prompt_ids, *ids]]))
            for hook in hooks:
                hook.remove()
            for position, label in enumerate(labels):
                if label == IGNORED:
                    continue
                found = rows[number, position]
                state, seen = found[side if len(found) > 1 else 0]
                assert seen == label
                for layer in range(2):
                    alone = states[layer][0, len(one.prompt_ids) + position]
                    torch.testing.assert_close(state[layer], alone, atol=1e-4, rtol=1e-4)


def test_the_index_counts_tokens_and_mistakes_per_split(
    model: LlamaForCausalLM, tmp_path: Path
) -> None:
    index = embed(model, tmp_path)

    assert (index.layers, index.hidden_size, index.target) == (2, 32, "t")
    assert (index.tokens("train"), index.mistakes("train")) == (70, 7)
    assert (index.tokens("validation"), index.mistakes("validation")) == (20, 2)
    assert [shard.split for shard in index.shards] == ["train"] * 3 + ["validation"]


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    model: LlamaForCausalLM, tmp_path: Path
) -> None:
    embed(model, tmp_path / "whole")
    parts = tmp_path / "parts"
    parts.mkdir()
    running = embed_tuples(model, TUPLES, parts, dtype="float32", shard_tokens=30, batch_size=4)
    next(running)
    running.close()
    kept = (parts / "shard-00000.safetensors").stat().st_mtime_ns

    embed(model, parts)

    assert (parts / "shard-00000.safetensors").stat().st_mtime_ns == kept
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert {path.name: path.read_bytes() for path in parts.iterdir()} == whole


def test_a_shard_holds_whole_tuples_of_one_split() -> None:
    groups = list(plan_shards(TUPLES, 30))

    assert [first for first, _ in groups] == [0, 3, 6, 7]
    assert [len({one.split for one in group}) for _, group in groups] == [1, 1, 1, 1]


def test_memory_does_not_grow_with_the_number_of_tuples() -> None:
    def peak(count: int) -> int:
        stream: Iterator[LabelledTuple] = (labelled(n) for n in range(count))
        tracemalloc.start()
        for _ in plan_shards(stream, 100):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(2000) < 1.5 * peak(200)


def test_states_that_the_dtype_cannot_hold_are_refused(
    tiny_llama: Callable[[int], LlamaForCausalLM], tmp_path: Path
) -> None:
    model = tiny_llama(0)
    model.model.embed_tokens.weight.data.mul_(1e6)

    with pytest.raises(UserError, match="too large for float16") as error:
        embed(model, tmp_path, dtype="float16")

    assert error.value.field == "embed.dtype"


def test_every_token_says_whose_it_is(model: LlamaForCausalLM, tmp_path: Path) -> None:
    index = embed(model, tmp_path)

    tensors = load_file(tmp_path / index.of("validation")[0].file)

    numbers = {7: prompt_number("p7"), 8: prompt_number("p8")}
    assert tensors["prompt"].tolist() == [numbers[n] for n in tensors["tuple"].tolist()]
    assert tensors["answer"].tolist() == ([0] * 6 + [1] * 4) * 2
    assert min(numbers.values()) >= 0


@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_token_has_the_targets_surprisal(
    model: LlamaForCausalLM, tmp_path: Path, batch_size: int
) -> None:
    index = embed(model, tmp_path, batch_size=batch_size)
    tensors = load_file(tmp_path / index.of("validation")[0].file)

    one = TUPLES[7]
    expected = []
    for ids, count in ((one.correct_ids, 6), (one.wrong_ids, 4)):
        with torch.inference_mode():
            logits = model(torch.tensor([[*one.prompt_ids, *ids]])).logits[0]
        before = logits[len(one.prompt_ids) - 1 :][:count].log_softmax(-1)
        expected.append(-before.gather(1, torch.tensor(ids[:count])[:, None])[:, 0])
    own = tensors["surprisal"][tensors["tuple"] == 7]
    torch.testing.assert_close(own, torch.cat(expected), atol=1e-4, rtol=1e-4)


def test_a_target_that_does_more_to_its_logits_has_no_surprisals(
    tiny_llama: Callable[[int], LlamaForCausalLM], tmp_path: Path
) -> None:
    model = tiny_llama(0)
    plain = model.forward

    def scaled(*args: object, **kwargs: object) -> object:
        output = plain(*args, **kwargs)
        output.logits = output.logits / 8
        return output

    model.forward = scaled  # type: ignore[method-assign]
    index = embed(model, tmp_path)

    assert "surprisal" not in load_file(tmp_path / index.shards[0].file)
