"""pretrain: trains the embedded models from nothing and examines them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import MicroModelConfig, RunConfig
from pipelines.stage import Stage, StageContext

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class Pretrain(Stage):
    """Writes ``tokenizer/`` and one Hugging Face folder per model of ``pretrain.models``."""

    name = "pretrain"
    version = 2

    def settings(self, config: RunConfig) -> dict[str, Any]:
        return {
            "models": {name: asdict(model) for name, model in config.pretrain.models.items()},
            "check_prompts": config.pretrain.check_prompts,
        }

    def validate(self, config: RunConfig) -> None:
        from judge_lightning.micro.dialects import DIALECTS

        if not config.pretrain.models:
            raise UserError("pretrain.models", "no model is named", "use +exp=micro_pretrain")
        for name, model in config.pretrain.models.items():
            if model.dialect not in DIALECTS:
                raise UserError(
                    f"pretrain.models.{name}.dialect",
                    f"unknown dialect {model.dialect!r}",
                    f"one of {sorted(DIALECTS)}",
                )
            if model.hidden_size % model.head_dim:
                raise UserError(
                    f"pretrain.models.{name}.hidden_size",
                    f"{model.hidden_size} is no multiple of head_dim {model.head_dim}",
                    "choose a multiple",
                )

    def run(self, context: StageContext) -> None:
        from transformers import PreTrainedTokenizerFast

        from judge_lightning.micro.tokenizer import build_tokenizer

        folder = context.work / "tokenizer"
        if not (folder / "tokenizer.json").is_file():
            build_tokenizer().save_pretrained(folder)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        for name, model in context.config.pretrain.models.items():
            trained = context.work / name
            if not (trained / "config.json").is_file():
                _train(context, name, model, tokenizer, trained)
            _examine(context, name, model, trained)


def _train(
    context: StageContext,
    name: str,
    config: MicroModelConfig,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
) -> None:
    from judge_lightning.micro.corpus import Corpus
    from judge_lightning.micro.pretraining import ModelShape, Schedule, pretrain

    bars: dict[str, Any] = {}

    def on_step(step: int) -> None:
        if name not in bars:
            left = range(config.steps - step)
            bars[name] = context.recorder.progress(
                left, total=config.steps, unit="steps", done=step
            )
        next(bars[name], None)

    model = pretrain(
        ModelShape(config.hidden_size, config.layers, config.intermediate_size, config.head_dim),
        Corpus(
            tokenizer,
            config.dialect,
            config.batch_size,
            config.corrections,
            config.drills,
            config.seed,
        ),
        Schedule(config.steps, config.lr, config.seed, config.number_weight),
        context.work / "scratch" / name,
        checkpoint_every=context.config.pretrain.checkpoint_every,
        logger=context.recorder.lightning_logger(),
        log_as=name,
        on_step=on_step,
    )
    beside = context.work / "scratch" / f"{name}.saved"
    model.save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    beside.rename(folder)


def _examine(context: StageContext, name: str, config: MicroModelConfig, folder: Path) -> None:
    from judge_lightning.micro.examination import share_right
    from judge_lightning.micro.world import FAMILIES
    from judge_lightning.models.pair import ModelSource, load_model, load_tokenizer

    examinee = load_model(ModelSource(str(folder)), device="cpu")
    tokenizer = load_tokenizer(str(folder))
    count = context.config.pretrain.check_prompts
    shares = {family: share_right(examinee, tokenizer, family, count) for family in FAMILIES}
    for family, right in shares.items():
        context.recorder.metric(f"{name}/right/{family}", right)
    share = shares["word"]
    if not config.right_at_least <= share <= config.right_at_most:
        raise RuntimeError(
            f"pretrain.models.{name}: {share:.1%} of held-out word problems right, wanted "
            f"{config.right_at_least:.0%} to {config.right_at_most:.0%}; change its steps"
        )


STAGE = Pretrain()
