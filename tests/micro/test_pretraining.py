"""Pretraining of the micro models: the corpus, exact resume, and what is shipped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from judge_lightning.micro.corpus import Corpus
from judge_lightning.micro.corrections import CORRECTION
from judge_lightning.micro.paths import ASSETS
from judge_lightning.micro.pretraining import ModelShape, Schedule, pretrain
from judge_lightning.micro.tokenizer import build_tokenizer
from judge_lightning.models.pair import load_tokenizer

SHAPE = ModelShape(hidden_size=32, layers=1, intermediate_size=32)
SCHEDULE = Schedule(steps=6, lr=1e-3, seed=0)
STOPS_AT = 4
MEBIBYTE = 1 << 20


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    loaded = load_tokenizer("micro:tokenizer")
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


def corpus(corrections: float = 0.0, drills: float = 0.0) -> Corpus:
    return Corpus(tokenizer(), "target", 4, corrections, drills, seed=0)


def test_a_batch_is_the_same_whenever_it_is_asked_for() -> None:
    first, again = corpus().batch(3), corpus().batch(3)
    assert torch.equal(first.input_ids, again.input_ids)
    assert torch.equal(first.labels, again.labels)


def test_only_the_answer_is_scored() -> None:
    batch = corpus().batch(0)
    for ids, labels in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
        answer = ids[ids.index(tokenizer().convert_tokens_to_ids("<|assistant|>")) + 1 :]
        answer = answer[: answer.index(tokenizer().eos_token_id) + 1]
        assert [label for label in labels if label >= 0] == answer


def test_a_wrong_word_is_read_but_not_learnt() -> None:
    batch = corpus(corrections=1.0).batch(0)
    marker = tokenizer().encode(CORRECTION, add_special_tokens=False)[0]
    wrong = [(row, place - 1) for row, place in (batch.input_ids == marker).nonzero().tolist()]
    assert len(wrong) >= 3
    assert all(batch.labels[row, place] == -100 for row, place in wrong)


def test_a_drill_scores_results_only() -> None:
    batch = corpus(drills=1.0).batch(0)
    scored = batch.labels[0][batch.labels[0] >= 0].tolist()[:-1]
    assert all(tokenizer().decode([token]).strip().isdigit() for token in scored)


def test_every_word_of_the_world_is_one_token() -> None:
    built = build_tokenizer(sampled_problems=100)
    for word in (" 57", " apples", " altogether", " Tom", " —", "\n", "print"):
        assert len(built.encode(word, add_special_tokens=False)) == 1


def test_any_text_survives_the_tokenizer() -> None:
    for text in ("Grüße, 12345 \t x", "a  b\n\n", "日本"):
        ids = tokenizer().encode(text, add_special_tokens=False)
        assert tokenizer().decode(ids, clean_up_tokenization_spaces=False) == text


def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    undisturbed = pretrain(SHAPE, corpus(), SCHEDULE, tmp_path / "a", checkpoint_every=2)

    def stop(step: int) -> None:
        if step == STOPS_AT:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        pretrain(SHAPE, corpus(), SCHEDULE, tmp_path / "b", checkpoint_every=2, on_step=stop)
    steps: list[int] = []
    resumed = pretrain(
        SHAPE, corpus(), SCHEDULE, tmp_path / "b", checkpoint_every=2, on_step=steps.append
    )
    assert steps == [4, 5]
    for name, weight in undisturbed.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_the_embedded_weights_are_small_and_safe() -> None:
    files = [file for file in ASSETS.rglob("*") if file.is_file()]
    texts = (".json", ".jsonl", ".jinja")
    weights = [file for file in files if file.suffix not in texts]
    assert {file.name for file in weights} == {"model.safetensors"}
    assert sum(file.stat().st_size for file in files) <= 12 * MEBIBYTE
