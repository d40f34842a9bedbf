"""The model class through which lm-evaluation-harness sees a decoder.

It is registered as ``judge_decoding``; importing this module is enough:

    lm_eval.simple_evaluate("judge_decoding", {"pair": "micro", "judge": FOLDER}, tasks=[...])
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import has_bos_prefix
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from evals.comparison import stream_seed
from evals.decoders import NO_RULES, Rules, build_decoder, needing_judge
from evals.generations import Generation, text_of
from evals.lm.answering import Asked, asked_of, cut_at
from evals.lm.arguments import loader, named_verifier
from evals.lm.likelihood import Scored, score_continuations
from judge_lightning.decoding.draft_length import DraftLength, as_draft_length
from judge_lightning.decoding.request import longest_sequence, stop_tokens
from judge_lightning.decoding.verifiers.registry import RuleSpec
from judge_lightning.errors import UserError
from judge_lightning.heads import JudgeHead

if TYPE_CHECKING:
    from judge_lightning.models.pair import Pair

Recorded = Mapping[tuple[int, ...], Generation]
"""Generations by the token ids of the prompt that they answer."""

_LOGGER = logging.getLogger(__name__)


@register_model("judge_decoding")
class JudgeDecodingLM(TemplateLM):
    """One decoder over a pair, as lm-eval's model.

    Args:
        pair: The target's name or folder (``micro``: the embedded pair), or what loads the pair
            when it is first needed.
        draft: The draft's name or folder, where the target is not the embedded one.
        verifier: ``target``, ``draft``, ``exact``, ``judge``, a name of ``rules``, a registered
            rule (docs/rules.md), or ``{RULE: {OPTION: VALUE}}``.
        judge: A head or its folder; ``judge`` and rules with a judge in them need it.
        draft_length: Draft tokens per cycle, ``auto`` or a policy.
        engine: ``eager`` or ``compiled``.
        max_gen_toks: For tasks that set no limit of their own.
        temperature: 0 is greedy; None draws tokens as the task wants them drawn.
        seed: Of sampling.
        batch_size: Rows a forward pass where likelihoods are asked for; ``auto`` chooses. Answers
            are always decoded one at a time.
        max_batch_size: Ignored.
        truncate: Cut what is longer than the context on its left, instead of refusing it.
        device: Where a pair that is given by name is loaded; a GPU that is not there is not used.
        tokenizer: Saves loading the pair where ``recorded`` holds all answers.
        recorded: Generations of this decoder, at ``temperature``, that may be used instead of
            decoding again.
        rules: Acceptance rules of more decoders, by name.

    Raises:
        UserError: The decoder is unknown, or has no judge where it needs one.
    """

    def __init__(
        self,
        pair: str | Callable[[], Pair] = "micro",
        *,
        draft: str | None = None,
        verifier: RuleSpec = "judge",
        judge: JudgeHead | str | None = None,
        draft_length: int | str | DraftLength = 16,
        engine: str = "eager",
        max_gen_toks: int = 256,
        temperature: float | None = None,
        seed: int = 0,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        truncate: bool = False,
        device: str | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        recorded: Recorded | None = None,
        rules: Rules = NO_RULES,
    ) -> None:
        super().__init__()
        self.decoder, self.rules = named_verifier(verifier, rules)
        if judge is None and needing_judge([self.decoder], self.rules):
            raise UserError("judge", f"{self.decoder} was given no judge", "name a judge's folder")
        self.draft_length = as_draft_length(draft_length)
        self.engine = engine
        self.max_gen_toks = int(max_gen_toks)
        self.temperature = None if temperature is None else float(temperature)
        self.seed = int(seed)
        self.batch_size = None if batch_size in (None, "auto") else int(str(batch_size))
        self.truncate = truncate
        self.recorded: Recorded = recorded or {}
        self.decoded_live = 0
        self._load_pair = loader(pair, draft, device) if isinstance(pair, str) else pair
        self._judge = judge
        self._tokenizer = tokenizer
        self._renders_chats = False

    @cached_property
    def _pair(self) -> Pair:
        return self._load_pair()

    @cached_property
    def _generator(self) -> Any:
        head = self._judge
        head = JudgeHead.from_pretrained(head) if isinstance(head, str) else head
        return build_decoder(
            self.decoder, self._pair, head, self.draft_length, self.engine, rules=self.rules
        )

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
    def prefix_token_id(self) -> int:
        token_id = self.tokenizer.bos_token_id
        return self.eot_token_id if token_id is None else int(token_id)

    @property
    def max_length(self) -> int:
        return longest_sequence(self._scorer)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Renders a conversation; without a template, the contents, a blank line apart.

        Raises:
            UserError: The template cannot render what the task wants.
        """
        if self.tokenizer.chat_template is None:
            return "\n\n".join(message["content"] for message in chat_history)
        self._renders_chats = True
        try:
            text = self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        except (ValueError, TemplateError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            turns = ", ".join(message["role"] for message in chat_history)
            raise UserError(
                "eval.chat_template",
                f"the tokenizer's chat template cannot render the turns {turns} ({reason})",
                "leave it out: eval.chat_template=false",
            ) from error
        return str(text)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        if add_special_tokens is None:
            # A chat template writes its special tokens itself.
            begun = has_bos_prefix(string, str(self.tokenizer.decode([self.prefix_token_id])))
            add_special_tokens = not (begun or self._renders_chats)
        return list(self.tokenizer(string, add_special_tokens=add_special_tokens)["input_ids"])

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answers each (rendered context, generation settings) request, until its stop strings.

        Raises:
            UserError: A context leaves no room for an answer.
        """
        prompts = [self.tok_encode(request.args[0]) for request in requests]
        prompts = self._fitted(prompts, self.max_length - 1) if self._live(prompts) else prompts
        asked = [asked_of(r.args[1], self.max_gen_toks, self.temperature) for r in requests]
        answers = []
        repeats: Counter[tuple[int, ...]] = Counter()
        rows = zip(requests, prompts, asked, strict=True)
        for request, prompt_ids, wanted in tqdm(
            rows, desc=self.decoder, total=len(requests), disable=True if disable_tqdm else None
        ):
            repeat = repeats[tuple(prompt_ids)]
            repeats[tuple(prompt_ids)] += 1
            token_ids = self._answer(prompt_ids, wanted, repeat)
            answer = cut_at(text_of(self.tokenizer, token_ids), wanted.stops)
            answers.append(answer)
            self.cache_hook.add_partial("generate_until", request.args, answer)
        return answers

    def _live(self, prompts: Sequence[list[int]]) -> bool:
        """Whether the models may be needed; a recorded answer's prompt has fitted before."""
        return not all(tuple(prompt) in self.recorded for prompt in prompts)

    def _answer(self, prompt_ids: list[int], asked: Asked, repeat: int) -> list[int]:
        recorded = None if repeat or asked.warped else self.recorded.get(tuple(prompt_ids))
        if recorded is not None and (recorded.finished or len(recorded.token_ids) >= asked.tokens):
            return recorded.token_ids[: asked.tokens]
        self.decoded_live += 1
        device = self._pair.target.device
        generator = None
        if asked.temperature > 0:
            stream = " ".join(map(str, prompt_ids)) + (f" again {repeat}" if repeat else "")
            generator = torch.Generator(device=device)
            generator.manual_seed(stream_seed(self.seed, self.decoder, stream))
        output = self._generator.generate(
            torch.tensor([prompt_ids], device=device),
            max_new_tokens=asked.tokens,
            temperature=asked.drawn_at,
            generator=generator,
            extras=asked.extras(self.tokenizer, len(prompt_ids)),
        )
        new_ids: list[int] = output.sequences[0, len(prompt_ids) :].tolist()
        return new_ids

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[Any, list[int], list[int]]],
        disable_tqdm: bool = False,
        **kwargs: Any,
    ) -> list[Scored]:
        # The last token is scored and not read.
        whole = self._fitted(
            [[*context, *new] for _, context, new in requests], self.max_length + 1
        )
        fitted = [
            (name, ids[: -len(new)], new)
            for (name, _, new), ids in zip(requests, whole, strict=True)
        ]
        bar = tqdm(desc="likelihoods", total=len(fitted), disable=True if disable_tqdm else None)

        def scored(name: Any, score: Scored) -> None:
            bar.update()
            if name is not None:  # Windows of longer texts have no name.
                self.cache_hook.add_partial("loglikelihood", name, score)

        with bar:
            return score_continuations(self._scorer, fitted, self.batch_size, scored)

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Log-probability of whole texts, in windows of the model's context."""
        windows = [self._windows(request.args[0]) for request in requests]
        pieces = [piece for of_one in windows for piece in of_one]
        scores = iter(self._loglikelihood_tokens(pieces, disable_tqdm))
        totals = [sum(next(scores)[0] for _ in of_one) for of_one in windows]
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _windows(self, text: str) -> list[tuple[None, list[int], list[int]]]:
        windows = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return [(None, *make_disjoint_window(window)) for window in windows]

    def _fitted(self, rows: list[list[int]], longest: int) -> list[list[int]]:
        """The rows as they are, or with ``truncate`` their last ``longest`` tokens.

        Raises:
            UserError: One of them is longer.
        """
        too_long = sorted(len(row) for row in rows if len(row) > longest)
        if not too_long:
            return rows
        problem = (
            f"{len(too_long)} of {len(rows)} documents are longer than the context of"
            f" {self.max_length} tokens, the longest has {too_long[-1]}"
        )
        if not self.truncate:
            remedy = "use fewer examples (num_fewshot), or cut documents on their left (truncate)"
            raise UserError("eval", problem, remedy)
        _LOGGER.warning("%s; they are cut on their left", problem)
        return [row[-longest:] for row in rows]
