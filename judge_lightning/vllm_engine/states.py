"""Hidden states by vLLM's own extraction (its speculative method ``extract_hidden_states``)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AutoConfig

from judge_lightning.mismatches import DraftModel
from judge_lightning.models.location import locate
from judge_lightning.models.pair import ModelSource
from judge_lightning.state_readers import Asked, TokenStates
from judge_lightning.vllm_engine.engine import Engine, VllmOptions

_TEXTS = 64
"""How many texts' states may wait on the disk at a time."""


class VllmStates:
    """A ``StateReader`` (``state_readers``) whose target is vLLM's: for those that only several
    GPUs hold.

    vLLM gives the output of every block, the last one's before the final norm, and the log
    probability and rank of every token that it reads. Its kernels round otherwise than
    transformers' do (docs/serving.md states by how much).

    Args:
        draft: Its states are read too (by transformers: it is small), and which tokens the target
            would not have written.
    """

    def __init__(
        self, source: ModelSource, options: VllmOptions, draft: DraftModel | None = None
    ) -> None:
        config: Any = AutoConfig.from_pretrained(locate(source.path), revision=source.revision)
        text = config.get_text_config(decoder=True)
        self.layers = int(text.num_hidden_layers)
        self.hidden_size = int(text.hidden_size)
        self._draft = draft
        self._folder = tempfile.TemporaryDirectory(prefix="judge-lightning-states-")
        # vLLM counts the embedding's output as 0.
        layers = list(range(1, self.layers + 1))
        self._engine = Engine(
            source,
            options,
            speculative_config={
                "method": "extract_hidden_states",
                "num_speculative_tokens": 1,
                "draft_model_config": {"hf_config": {"eagle_aux_hidden_state_layer_ids": layers}},
            },
            kv_transfer_config={
                "kv_connector": "StatesConnector",
                "kv_connector_module_path": "judge_lightning.vllm_engine.connector",
                "kv_role": "kv_producer",
                "kv_connector_extra_config": {
                    "shared_storage_path": self._folder.name,
                },
            },
        )

    def read(self, asked: Sequence[Asked]) -> Iterator[tuple[int, TokenStates]]:
        """As ``StateReader`` says."""
        for start in range(0, len(asked), _TEXTS):
            yield from self._read(start, asked[start : start + _TEXTS])

    def _read(self, start: int, asked: Sequence[Asked]) -> Iterator[tuple[int, TokenStates]]:
        from vllm import SamplingParams

        outputs = self._engine.open().generate(
            [{"prompt_token_ids": list(one.ids)} for one in asked],
            SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False),
            use_tqdm=False,
        )
        for place, (one, output) in enumerate(zip(asked, outputs, strict=True), start=start):
            yield place, self._found(one, output)

    def _found(self, one: Asked, output: Any) -> TokenStates:
        from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import (
            cleanup_hidden_states,
            load_hidden_states,
        )

        path = output.kv_transfer_params["hidden_states_path"]
        states = load_hidden_states(path)["hidden_states"]
        cleanup_hidden_states(path)
        if states.shape != (len(one.ids), self.layers, self.hidden_size):
            raise RuntimeError(
                f"vLLM gave states of the shape {tuple(states.shape)} for {len(one.ids)} tokens of "
                f"{self.layers} layers"
            )
        chances = [output.prompt_logprobs[place][one.ids[place]] for place in one.places]
        beside = {"surprisal": torch.tensor([-chance.logprob for chance in chances])}
        places = list(one.places)
        if self._draft is not None:
            beside["draft"] = self._draft.states(torch.tensor([list(one.ids)]))[0][places]
            beside["mismatch"] = torch.tensor([chance.rank != 1 for chance in chances])
        return TokenStates(list(states[places].unbind(1)), beside)
