"""What a head of mismatches needs is stored beside the target's states, and for it alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from judge_lightning.court.records import IGNORED, LabelledTuple
from judge_lightning.embedding_shards import embed_tuples
from judge_lightning.embeddings import EmbeddingIndex
from judge_lightning.mismatches import DraftModel
from judge_lightning.models.hidden_states import HiddenStateTap


def labelled(number: int) -> LabelledTuple:
    """A wrong answer whose fourth token is the mistake, and a correct one of six tokens."""
    return LabelledTuple(
        prompt_id=f"p{number}", family="word", split="train", drafter="draft",
        prompt_ids=[9, 8, 7][: 1 + number % 3],
        correct_text="", correct_ids=[3 + (number * 7 + n) % 200 for n in range(6)],
        correct_labels=[1] * 6,
        wrong_text="", wrong_ids=[3 + (number * 11 + n) % 200 for n in range(5)],
        wrong_labels=[1, 1, 1, 0, IGNORED],
        mistake_characters=(0, 1), mistake_tokens=(3, 4), confidence=1.0, evidence="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def models(tiny_llama: Callable[[int], LlamaForCausalLM]) -> tuple[LlamaForCausalLM, DraftModel]:
    return tiny_llama(0), DraftModel(tiny_llama(1), "small")


@pytest.fixture(scope="module")
def tuples(models: tuple[LlamaForCausalLM, DraftModel]) -> list[LabelledTuple]:
    """Random tokens, but for one answer that the target itself would begin so."""
    target, _ = models
    rows = [labelled(number) for number in range(5)]
    own = target.generate(
        torch.tensor([rows[2].prompt_ids]), max_new_tokens=6, min_new_tokens=6, do_sample=False
    )
    rows[2].correct_ids[:] = own[0, -6:].tolist()
    return rows


def embed(
    models: tuple[LlamaForCausalLM, DraftModel], tuples: list[LabelledTuple], folder: Path
) -> EmbeddingIndex:
    folder.mkdir(exist_ok=True)
    target, draft = models
    list(
        embed_tuples(
            target, tuples, folder, dtype="float32", shard_tokens=20, batch_size=3, draft=draft
        )
    )
    return EmbeddingIndex.load(folder)


def test_states_and_mismatches_are_those_of_each_answer_alone(
    models: tuple[LlamaForCausalLM, DraftModel], tuples: list[LabelledTuple], tmp_path: Path
) -> None:
    target, draft = models
    index = embed(models, tuples, tmp_path / "with")
    stored = [load_file(tmp_path / "with" / shard.file) for shard in index.shards]
    states = torch.cat([one["draft"] for one in stored])
    mismatch = torch.cat([one["mismatch"] for one in stored])

    expected, differs = [], []
    for row in tuples:
        for answer, count in ((row.correct_ids, 6), (row.wrong_ids, 4)):
            ids = torch.tensor([[*row.prompt_ids, *answer]])
            places = range(len(row.prompt_ids), len(row.prompt_ids) + count)
            with torch.inference_mode(), HiddenStateTap(draft.model, [-1]) as tap:
                draft.model(ids)
                expected.append(tap.states[-1][0, list(places)])
                best = target(ids).logits[0].argmax(-1)
            differs += [bool(best[place - 1] != ids[0, place]) for place in places]
    torch.testing.assert_close(states, torch.cat(expected), atol=1e-4, rtol=1e-4)
    assert mismatch.tolist() == differs
    assert 0 < sum(differs) < len(differs)
    assert sum(shard.mismatches for shard in index.shards) == sum(differs)
    labels = torch.cat([one["labels"] for one in stored])
    mistakes = int((labels[mismatch] == 0).sum())
    assert sum(shard.mismatched_mistakes for shard in index.shards) == mistakes
    assert (index.draft_hidden_size, index.draft) == (draft.hidden_size, "small")


def test_the_targets_states_are_the_same_with_and_without_a_draft(
    models: tuple[LlamaForCausalLM, DraftModel], tuples: list[LabelledTuple], tmp_path: Path
) -> None:
    embed(models, tuples, tmp_path / "with")
    (tmp_path / "without").mkdir()
    options = {"dtype": "float32", "shard_tokens": 20, "batch_size": 3}
    for shard in embed_tuples(models[0], tuples, tmp_path / "without", **options):  # type: ignore[arg-type]
        alone = load_file(tmp_path / "without" / shard.file)
        beside = load_file(tmp_path / "with" / shard.file)
        assert {"draft", "mismatch"} == beside.keys() - alone.keys()
        assert all(torch.equal(value, beside[name]) for name, value in alone.items())
        assert (shard.mismatches, shard.mismatched_mistakes) == (0, 0)


def test_shards_that_are_there_are_counted_without_being_computed_again(
    models: tuple[LlamaForCausalLM, DraftModel], tuples: list[LabelledTuple], tmp_path: Path
) -> None:
    folder = tmp_path / "with"
    whole = embed(models, tuples, folder)
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    next(iter(written)).unlink()

    assert embed(models, tuples, folder) == whole
    assert sum(path.stat().st_mtime_ns == before for path, before in written.items()) == (
        len(written) - 1
    )
