"""Continuations by vLLM's offline engine: the same asking as of a loaded model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerBase

from judge_lightning.court.batches import Continuation, stops_of
from judge_lightning.models.location import locate
from judge_lightning.models.pair import ModelSource
from judge_lightning.vllm_engine.engine import Engine, VllmOptions


class VllmWriter:
    """A ``Writer`` (``court.batches``) whose model is vLLM's; the engine starts when it is asked.

    A sampled continuation draws from a seed of its own, which follows from its name. vLLM draws
    other numbers than transformers, so the two engines' sampled texts differ.
    """

    def __init__(
        self, source: ModelSource, tokenizer: PreTrainedTokenizerBase, options: VllmOptions
    ) -> None:
        self._engine = Engine(source, options)
        self.stops = stops_of(_generation_config(source), tokenizer)
        config: Any = AutoConfig.from_pretrained(locate(source.path), revision=source.revision)
        text = config.get_text_config(decoder=True)
        self.positions = int(getattr(text, "max_position_embeddings", None) or 0)

    def write(self, asked: Sequence[Continuation]) -> list[list[int]]:
        """The new token ids of each, in the order asked for, up to and with a stop token."""
        if not asked:
            return []
        outputs = self._engine.open().generate(
            [{"prompt_token_ids": list(one.prompt_ids)} for one in asked],
            [self._sampling(one) for one in asked],
            use_tqdm=False,
        )
        return [list(output.outputs[0].token_ids) for output in outputs]

    def _sampling(self, one: Continuation) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=one.temperature,
            seed=_seed(one.name) if one.temperature > 0 else None,
            max_tokens=one.limit,
            stop_token_ids=sorted(self.stops),
            ignore_eos=True,
            detokenize=False,
        )


def _generation_config(source: ModelSource) -> GenerationConfig | None:
    try:
        return GenerationConfig.from_pretrained(
            locate(source.path), revision=source.revision or "main"
        )
    except OSError:
        return None


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
