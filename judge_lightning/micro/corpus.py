"""Training text of the micro models: problems of the pretraining pool, answered in a dialect."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.prompting import render_prompt
from judge_lightning.micro.arithmetic import chain, equations
from judge_lightning.micro.corrections import with_mistakes
from judge_lightning.micro.dialects import DIALECTS
from judge_lightning.micro.grammar import render, split_words
from judge_lightning.micro.world import problem

_FAMILY_SHARES = {"word": 0.68, "code": 0.17, "choice": 0.15}
_UNSCORED = -100
_DRILL_LENGTH = 18
_MOST_MISTAKES = 5
_DRILL_PROMPT = "Practise."


@dataclass(frozen=True)
class Batch:
    """``input_ids`` and ``labels`` are (documents, tokens) long, right-padded.

    Labels are -100 on prompts, on padding and on wrong words, so a model learns to answer
    and to correct, but not to err.
    """

    input_ids: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Corpus:
    """An endless corpus; batch ``i`` is the same whenever and wherever it is asked for.

    Args:
        tokenizer: The micro tokenizer.
        dialect: Name of the dialect in which answers are said.
        batch_size: Documents per batch.
        corrections: Share of documents with one to five mistakes, each corrected at once.
        drills: Share of documents that are bare calculations, as in an exercise book.
        seed: Chooses the documents.
    """

    tokenizer: PreTrainedTokenizerFast
    dialect: str
    batch_size: int
    corrections: float
    drills: float
    seed: int
    _known_words: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def batch(self, index: int) -> Batch:
        first = index * self.batch_size
        documents = [self._document(first + i) for i in range(self.batch_size)]
        width = max(len(ids) for ids, _ in documents)
        input_ids = torch.full((len(documents), width), self.tokenizer.pad_token_id)
        labels = torch.full((len(documents), width), _UNSCORED)
        for row, (ids, scored) in enumerate(documents):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            labels[row, : len(ids)] = torch.tensor(scored)
        return Batch(input_ids, labels)

    def _document(self, index: int) -> tuple[list[int], list[int]]:
        rng = random.Random(f"corpus:{self.seed}:{index}")
        if rng.random() < self.drills:
            return self._drill(rng)
        family = rng.choices(list(_FAMILY_SHARES), list(_FAMILY_SHARES.values()))[0]
        drawn = problem(family, rng.randrange(10**9), "pretrain")
        words = render(drawn.answers, DIALECTS[self.dialect].chooser(rng))
        wrong: set[int] = set()
        if rng.random() < self.corrections:
            words, wrong = with_mistakes(rng, drawn.answers, words, rng.randint(1, _MOST_MISTAKES))
        return self._encode(drawn.text, words, unscored=wrong)

    def _drill(self, rng: random.Random) -> tuple[list[int], list[int]]:
        """Calculations as they stand in word problems; only their results are scored."""
        words: list[str] = []
        results: set[int] = set()
        for step in chain(rng, _DRILL_LENGTH, packs=True):
            for equation in equations(step):
                words += split_words(f" {equation}.")
                results.add(len(words) - 2)
        return self._encode(_DRILL_PROMPT, words, unscored={*range(len(words))} - results)

    def _encode(
        self, prompt: str, words: list[str], unscored: set[int]
    ) -> tuple[list[int], list[int]]:
        """Token ids and labels of a whole document; ``unscored`` are positions of words."""
        prompt_ids = render_prompt(self.tokenizer, prompt)
        answer_ids: list[int] = []
        scored: list[int] = []
        for place, word in enumerate(words):
            ids = self._word_ids(word)
            answer_ids += ids
            scored += [_UNSCORED] * len(ids) if place in unscored else ids
        end = self.tokenizer.eos_token_id
        ids = prompt_ids + answer_ids + [end]
        return ids, [_UNSCORED] * len(prompt_ids) + scored + [end]

    def _word_ids(self, word: str) -> list[int]:
        if word not in self._known_words:
            self._known_words[word] = self.tokenizer.encode(word, add_special_tokens=False)
        return self._known_words[word]
