"""What is measured: a configured pair, its judge, held-out prompts, and replayed verdicts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judge_lightning.court.prompting import render_prompt
from judge_lightning.court.records import Prompt
from judge_lightning.court.sources import Source
from judge_lightning.decoding.verifiers.verdict import Block, Verdict
from judge_lightning.errors import UserError
from judge_lightning.heads import CONFIG_FILE, HeadConfig, JudgeHead
from judge_lightning.models.hidden_states import decoder_blocks
from judge_lightning.verifiers import Verifier
from pipelines.composition import CONF, as_user_error, typed_config
from pipelines.config import RunConfig, register_schemas
from pipelines.stand_in import check_stand_ins, grow_judge, model_fingerprint, seed_of

TRAIN_A_JUDGE = (
    "python -m pipelines.run +exp=quickstart stages=[prompts,mine,annotate,embed,train,calibrate]"
)


def pair_config(pair: str, overrides: Sequence[str] = ()) -> RunConfig:
    """The quickstart's configuration with another pair.

    Raises:
        UserError: There is no such pair, or an override is wrong.
    """
    register_schemas()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = typed_config(
                compose("config", ["+exp=quickstart", f"pair={pair}", *overrides])
            )
    except Exception as error:
        known = as_user_error(error)
        if known is None:
            raise
        raise known from error
    check_stand_ins(config.pair)
    return config


def held_out_prompts(count: int, family: str = "word") -> list[Prompt]:
    """The first of micro's held-out prompts of a family, which no judge was trained on."""
    source = Source("benchmark", "micro", family, checker="micro", count=count)
    return list(islice(source.prompts(), count))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, device: torch.device) -> Tensor:
    """A prompt as the models read it, (1, T) long."""
    return torch.tensor([render_prompt(tokenizer, prompt.text)], device=device)


def load_judge(config: RunConfig, folder: Path | None, artifacts: Path) -> JudgeHead:
    """The judge of the configured target; a stand-in gets its seed's, grown.

    Args:
        config: The pair.
        folder: A judge's folder; None takes the newest one below ``artifacts/calibrate``.
        artifacts: The artifact store's folder.

    Raises:
        UserError: There is none, or it was trained on another target.
    """
    target = config.pair.target
    seed = model_fingerprint(seed_of(target))
    folder = folder or _newest_judge(artifacts, seed)
    if target.grow is None:
        return JudgeHead.from_pretrained(folder, expected_target=seed)
    with tempfile.TemporaryDirectory() as scratch:
        return JudgeHead.from_pretrained(
            grow_judge(folder, target, Path(scratch), config.pair.draft)
        )


def idle_head(target: PreTrainedModel) -> JudgeHead:
    """An untrained head of the last layer: it costs what any head costs and overrules nothing."""
    hidden_size = int(target.config.get_text_config(decoder=True).hidden_size)
    layers = len(decoder_blocks(target))
    return JudgeHead(HeadConfig(hidden_size, layers - 1, layers)).eval()


class Replayed:
    """A rule that decides as another one does, and then keeps as many tokens as it is told.

    Its cost is the other rule's, its acceptance the replayed one: the i-th block keeps
    ``lengths[i mod len(lengths)]`` tokens, or all where there are fewer.
    """

    def __init__(self, rule: Verifier, lengths: Sequence[int]) -> None:
        self.rule = rule
        self.lengths = lengths
        self.lossless = False
        self.reads_draft = rule.reads_draft
        self.reads_draft_states = rule.reads_draft_states
        self.layers = rule.layers
        self.threshold = rule.threshold
        self._blocks = 0

    def check_target(self, target: PreTrainedModel) -> None:
        """Every target that the rule takes."""
        self.rule.check_target(target)

    def check_draft(self, draft: PreTrainedModel) -> None:
        """Every draft that the rule takes."""
        self.rule.check_draft(draft)

    def verdict(self, block: Block, generator: torch.Generator | None = None) -> Verdict:
        """The rule's verdicts with the replayed length, and the target's token behind it."""
        verdict = self.rule.verdict(block, generator)
        wanted = self.lengths[self._blocks % len(self.lengths)]
        self._blocks += 1
        verdict.accepted = min(wanted, len(block.tokens))
        verdict.next_token = int(block.logits[verdict.accepted].argmax())
        return verdict


def lengths_with_mean(mean: float, count: int = 10) -> list[int]:
    """Whole accept lengths, as even as can be, whose mean is ``mean`` to one part in ``count``.

    Cycles of one draft length cost the same whatever they keep, so the spread does not matter.
    """
    steps = [round(mean * i) for i in range(count + 1)]
    return [after - before for before, after in pairwise(steps)]


def _newest_judge(artifacts: Path, target: str) -> Path:
    found = sorted(
        artifacts.glob(f"calibrate/*/judge/{CONFIG_FILE}"),
        key=lambda file: file.stat().st_mtime,
        reverse=True,
    )
    for file in found:
        if JudgeHead.from_pretrained(file.parent).config.target == target:
            return file.parent
    problem = f"{artifacts}/calibrate holds no judge of this target"
    if found:
        problem += f" (but {len(found)} of others)"
    raise UserError("--judge", problem, f"train one ({TRAIN_A_JUDGE}) or name a judge's folder")
