"""Reading a frozen target's states at chosen tokens of given texts: what a reader is, and the one
over a loaded model. Another engine has its own (``vllm_engine/states.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from judge_lightning.mismatches import DraftModel, mismatches
from judge_lightning.models.hidden_states import HiddenStateTap, decoder_blocks
from judge_lightning.surprisal import OutputLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Asked:
    """A text's token ids, and the places in it (0-based, 1 or more) whose states are wanted."""

    ids: Sequence[int]
    places: Sequence[int]


@dataclass(frozen=True)
class TokenStates:
    """What was found at the k places of one text.

    Attributes:
        layers: The output of every block, each (k, H) in the target's dtype; the last one's is
            before the final norm.
        beside: More of the k tokens, on the CPU: ``surprisal`` (k,) float32, -log p in nats;
            ``draft`` (k, D), the draft's states; ``mismatch`` (k,) bool, not the target's argmax.
            All texts have the same of them.
    """

    layers: Sequence[Tensor]
    beside: Mapping[str, Tensor] = field(default_factory=dict)


class StateReader(Protocol):
    """Reads the states of one target.

    Attributes:
        layers: How many blocks it has.
        hidden_size: How wide their outputs are.
    """

    layers: int
    hidden_size: int

    def read(self, asked: Sequence[Asked]) -> Iterator[tuple[int, TokenStates]]:
        """What is found in each text, in any order, with the text's place in ``asked``."""


class LoadedModel:
    """Reads with a model of transformers, texts of like length in one batch.

    Args:
        batch_size: Texts per forward pass.
        draft: Its states are read too, and which tokens the target would not have written.
    """

    def __init__(
        self, model: PreTrainedModel, batch_size: int, draft: DraftModel | None = None
    ) -> None:
        self.layers = len(decoder_blocks(model))
        self.hidden_size = int(model.config.get_text_config(decoder=True).hidden_size)
        self._model = model
        self._batch_size = batch_size
        self._draft = draft

    @torch.inference_mode()
    def read(self, asked: Sequence[Asked]) -> Iterator[tuple[int, TokenStates]]:
        """As ``StateReader`` says; a target that does more to its logits than its output layer
        has no surprisals.
        """
        model, by_length = self._model, sorted(range(len(asked)), key=lambda n: len(asked[n].ids))
        output = OutputLayer.of(model, asked[by_length[0]].ids)
        with HiddenStateTap(model, range(self.layers)) as tap:
            for start in range(0, len(by_length), self._batch_size):
                batch = by_length[start : start + self._batch_size]
                # The head over the vocabulary is needed at few positions, so the inner model runs.
                ids = _pad_right([asked[place].ids for place in batch])
                last = model.base_model(
                    input_ids=ids.to(model.device), use_cache=False
                ).last_hidden_state
                drafted = None if self._draft is None else self._draft.states(ids)
                for row, place in enumerate(batch):
                    picked = torch.tensor(asked[place].places)
                    states = [tap.states[layer][row] for layer in range(self.layers)]
                    beside = {}
                    if output is not None:
                        before = last[row][(picked - 1).to(last.device)]
                        beside["surprisal"] = output.surprisals(before, ids[row, picked])
                    if drafted is not None:
                        beside["draft"] = drafted[row][picked]
                        beside["mismatch"] = mismatches(model, last[row], ids[row], picked)
                    yield (
                        place,
                        TokenStates([s[picked.to(s.device)] for s in states], beside),
                    )


def _pad_right(rows: Sequence[Sequence[int]]) -> Tensor:
    # What stands to the right of a token cannot reach it in a causal model: no mask needed.
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids
