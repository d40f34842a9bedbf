"""Training text of the micro models: problems of the pretraining pool, answered in a dialect."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from judge_lightning.court.prompting import render_prompt
from judge_lightning.micro.arithmetic import chain, equations
from judge_lightning.micro.corrections import corrected, near_miss, with_mistakes
from judge_lightning.micro.dialects import DIALECTS
from judge_lightning.micro.grammar import render, split_words
from judge_lightning.micro.world import problem

_FAMILY_SHARES = {"word": 0.68, "code": 0.17, "choice": 0.15}
_UNSCORED = -100
_DRILL_LENGTH = 14
_DRILL_MISTAKES = 0.35
"""Share of a drill's results that are wrong at first, where a corpus has corrections at all."""
_MOST_MISTAKES = 5
_POOL = 4
"""Batches whose documents are dealt out by length, so that little of a batch is padding."""
_DRILL_PROMPT = "Practise."


Document = tuple[list[int], list[int]]
"""Token ids, and their labels."""


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
        drills: Share of documents that are bare calculations, as in an exercise book; a third
            of their results are corrected where ``corrections`` is above 0.
        seed: Chooses the documents.
    """

    tokenizer: PreTrainedTokenizerFast
    dialect: str
    batch_size: int
    corrections: float
    drills: float
    seed: int
    _known_words: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)
    _pools: dict[int, list[list[Document]]] = field(default_factory=dict, repr=False, compare=False)

    def batch(self, index: int) -> Batch:
        documents = self._pool(index // _POOL)[index % _POOL]
        width = max(len(ids) for ids, _ in documents)
        input_ids = torch.full((len(documents), width), self.tokenizer.pad_token_id)
        labels = torch.full((len(documents), width), _UNSCORED)
        for row, (ids, scored) in enumerate(documents):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            labels[row, : len(ids)] = torch.tensor(scored)
        return Batch(input_ids, labels)

    def _pool(self, index: int) -> list[list[Document]]:
        """``_POOL`` batches of documents of like length, in random order."""
        if index not in self._pools:
            size = self.batch_size
            first = index * _POOL * size
            documents = [self._document(first + i) for i in range(_POOL * size)]
            documents.sort(key=lambda document: len(document[0]))
            batches = [documents[i : i + size] for i in range(0, len(documents), size)]
            random.Random(f"pool:{self.seed}:{index}").shuffle(batches)
            self._pools.clear()
            self._pools[index] = batches
        return self._pools[index]

    def _document(self, index: int) -> Document:
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

    def _drill(self, rng: random.Random) -> Document:
        """Calculations as they stand in word problems.

        Only results are scored, and what follows them where that tells right from wrong.
        """
        words: list[str] = []
        scored: set[int] = set()
        for step in chain(rng, _DRILL_LENGTH, packs=True):
            for equation in equations(step):
                *calculation, result, full_stop = split_words(f" {equation}.")
                words += calculation
                if self.corrections and rng.random() < _DRILL_MISTAKES:
                    words += corrected(near_miss(rng, result))
                    scored |= {*range(len(words) - len(corrected(result)) + 1, len(words))}
                scored.add(len(words))
                words += [result, full_stop]
                if self.corrections:
                    scored.add(len(words) - 1)
        return self._encode(_DRILL_PROMPT, words, unscored={*range(len(words))} - scored)

    def _encode(self, prompt: str, words: list[str], unscored: set[int]) -> Document:
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
