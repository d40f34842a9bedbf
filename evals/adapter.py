"""The model class through which lm-evaluation-harness sees a decoder.

It is registered as ``judge_decoding``; importing this module is enough:

    lm_eval.simple_evaluate("judge_decoding", {"pair": "micro", "judge": FOLDER}, tasks=[...])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from evals.comparison import stream_seed
from evals.decoders import NO_RULES, Rules, build_decoder, check_decoders
from evals.generations import Generation, text_of
from judge_lightning.decoding.draft_length import DraftLength, as_draft_length
from judge_lightning.decoding.request import longest_sequence, stop_tokens
from judge_lightning.heads import JudgeHead

if TYPE_CHECKING:
    from judge_lightning.models.pair import Pair

Recorded = Mapping[tuple[int, ...], Generation]
"""Generations by the token ids of the prompt that they answer."""


@register_model("judge_decoding")
class JudgeDecodingLM(TemplateLM):
    """One decoder over a pair, as lm-eval's model.

    Sampling belongs to the decoder that is measured, not to the task, so a task's own
    ``do_sample`` and ``temperature`` are not read.

    Args:
        pair: A name for ``load_pair``, or what loads the pair when it is first needed.
        decoder: One of ``evals.decoders.DECODERS``, or a name of ``rules``.
        judge: A head or its folder; the ``judge`` decoder and rules with a judge need it.
        draft_length: Draft tokens per cycle, ``auto`` or a policy.
        max_gen_toks: For tasks that set no limit of their own.
        temperature: 0 is greedy.
        seed: Of sampling.
        tokenizer: Saves loading the pair where ``recorded`` holds all answers.
        recorded: Generations of this decoder that may be used instead of decoding again.
        device: Where a pair that is given by name is loaded.
        batch_size: Ignored; judge decoding answers one prompt at a time.
        max_batch_size: Ignored.
        rules: Acceptance rules of more decoders, by name.

    Raises:
        UserError: The decoder is unknown, or has no judge where it needs one.
    """

    def __init__(
        self,
        pair: str | Callable[[], Pair] = "micro",
        *,
        decoder: str = "judge",
        judge: JudgeHead | str | None = None,
        draft_length: int | str | DraftLength = 16,
        max_gen_toks: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        tokenizer: PreTrainedTokenizerBase | None = None,
        recorded: Recorded | None = None,
        device: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        rules: Rules = NO_RULES,
    ) -> None:
        super().__init__()
        check_decoders(["target"] if decoder == "target" else ["target", decoder], rules)
        self.rules = rules
        self.decoder = decoder
        self.draft_length = as_draft_length(draft_length)
        self.max_gen_toks = int(max_gen_toks)
        self.temperature = float(temperature)
        self.seed = int(seed)
        self.recorded: Recorded = recorded or {}
        self.decoded_live = 0
        self._load_pair = _loader(pair, device) if isinstance(pair, str) else pair
        self._judge = judge
        self._tokenizer = tokenizer

    @cached_property
    def _pair(self) -> Pair:
        return self._load_pair()

    @cached_property
    def _generator(self) -> Any:
        head = JudgeHead.from_pretrained(self._judge) if isinstance(self._judge, str) else None
        head = head or (self._judge if isinstance(self._judge, JudgeHead) else None)
        return build_decoder(self.decoder, self._pair, head, self.draft_length, rules=self.rules)

    @property
    def _scorer(self) -> PreTrainedModel:
        """Whose likelihoods count: acceptance rules do not change them, so the target's."""
        return self._pair.draft if self.decoder == "draft" else self._pair.target

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._tokenizer if self._tokenizer is not None else self._pair.tokenizer

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path).replace("/", "__")

    @property
    def eot_token_id(self) -> int:
        token_id = self.tokenizer.eos_token_id
        if token_id is None:
            token_id = min(stop_tokens(self._pair.target, None))
        return int(token_id)

    @property
    def max_length(self) -> int:
        return longest_sequence(self._scorer)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Renders a conversation; without a template, the contents, a blank line apart."""
        if self.tokenizer.chat_template is None:
            return "\n\n".join(message["content"] for message in chat_history)
        text = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        if add_special_tokens is None:
            # A chat template writes its special tokens itself.
            add_special_tokens = self.tokenizer.chat_template is None
        return list(self.tokenizer(string, add_special_tokens=add_special_tokens)["input_ids"])

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answers each (rendered context, generation settings) request, until its stop strings."""
        answers = []
        for request in tqdm(requests, desc=self.decoder, disable=True if disable_tqdm else None):
            context, settings = request.args
            limit = int(settings.get("max_gen_toks") or self.max_gen_toks)
            token_ids = self._answer(self.tok_encode(context), limit)
            text = text_of(self.tokenizer, token_ids)
            answer = cut_at(text, settings.get("until") or [])
            answers.append(answer)
            self.cache_hook.add_partial("generate_until", request.args, answer)
        return answers

    def _answer(self, prompt_ids: list[int], limit: int) -> list[int]:
        recorded = self.recorded.get(tuple(prompt_ids))
        if recorded is not None and (recorded.finished or len(recorded.token_ids) >= limit):
            return recorded.token_ids[:limit]
        self.decoded_live += 1
        prompt_ids = prompt_ids[-max(1, self.max_length - limit) :]
        device = self._pair.target.device
        generator = None
        if self.temperature > 0:
            stream = " ".join(map(str, prompt_ids))
            generator = torch.Generator(device=device)
            generator.manual_seed(stream_seed(self.seed, self.decoder, stream))
        output = self._generator.generate(
            torch.tensor([prompt_ids], device=device),
            max_new_tokens=limit,
            temperature=self.temperature,
            generator=generator,
        )
        new_ids: list[int] = output.sequences[0, len(prompt_ids) :].tolist()
        return new_ids

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[Any, list[int], list[int]]],
        disable_tqdm: bool = False,
        **kwargs: Any,
    ) -> list[tuple[float, bool]]:
        return [
            self._score(context, continuation)
            for _, context, continuation in tqdm(requests, disable=True if disable_tqdm else None)
        ]

    def _score(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        """Log-probability of the continuation, and whether greedy decoding would write it."""
        ids = torch.tensor([*context, *continuation][-(self.max_length + 1) :])
        targets = ids[-len(continuation) :].to(self._scorer.device)
        with torch.inference_mode():
            output = self._scorer(input_ids=ids[None, :-1].to(self._scorer.device))
        logits = output.logits[0, -len(continuation) :].float()
        logprobs = torch.log_softmax(logits, dim=-1).gather(-1, targets[:, None])
        return logprobs.sum().item(), bool((logits.argmax(-1) == targets).all())

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of whole texts, in windows of the model's context."""
        return [self._rolling(request.args[0]) for request in requests]

    def _rolling(self, text: str) -> float:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        pieces = [(None, *make_disjoint_window(window)) for window in windows]
        return sum(score for score, _ in self._loglikelihood_tokens(pieces, disable_tqdm=True))


def cut_at(text: str, stops: str | Sequence[str]) -> str:
    """The text before the first of the stop strings; empty stop strings are no stops."""
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop:
            text = text.split(stop, maxsplit=1)[0]
    return text


def _loader(name: str, device: str | None) -> Callable[[], Pair]:
    def load() -> Pair:
        from judge_lightning.models.pair import load_pair

        return load_pair(name, device=device) if device else load_pair(name)

    return load
