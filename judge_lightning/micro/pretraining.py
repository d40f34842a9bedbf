"""Training the micro models from nothing: ordinary Llama checkpoints, fixed seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from judge_lightning.lightning_output import quiet_lightning
from judge_lightning.micro.corpus import Batch, Corpus
from judge_lightning.micro.corrections import CORRECTION
from judge_lightning.micro.grammar import split_words

_WARM_UP_SHARE = 0.05
_CONTEXT = 1024


@dataclass(frozen=True)
class ModelShape:
    """Shape of a micro Llama. Grouped queries are off; embeddings are tied."""

    hidden_size: int
    layers: int
    intermediate_size: int
    head_dim: int = 32


@dataclass(frozen=True)
class Schedule:
    """Optimisation of one micro model: AdamW with warm-up and a cosine to zero.

    ``number_weight`` is the loss weight of numbers and of the word that begins a correction:
    they are few and hard, while most of the loss is the free choice between phrasings.
    """

    steps: int
    lr: float
    seed: int
    number_weight: float = 1.0


def build_model(shape: ModelShape, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A randomly initialised Llama (float32) with the tokenizer's special tokens set."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=max(1, shape.hidden_size // shape.head_dim),
            num_key_value_heads=max(1, shape.hidden_size // shape.head_dim),
            head_dim=shape.head_dim,
            max_position_embeddings=_CONTEXT,
            rms_norm_eps=1e-5,
            initializer_range=shape.hidden_size**-0.5 / 2,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    assert model.generation_config is not None
    model.generation_config.update(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def token_weights(tokenizer: PreTrainedTokenizerFast, number_weight: float) -> Tensor:
    """Loss weights (V,) float32 of ``Schedule.number_weight``."""
    weights = torch.ones(len(tokenizer))
    begins_correction = split_words(CORRECTION)[0]
    for word, token in ((str(tokenizer.decode([i])), i) for i in range(len(tokenizer))):
        if word.strip().isdigit() or word == begins_correction:
            weights[token] = number_weight
    return weights


class PretrainModule(LightningModule):
    """Next-token training of one micro model on its corpus."""

    def __init__(
        self, model: LlamaForCausalLM, corpus: Corpus, schedule: Schedule, log_as: str = ""
    ) -> None:
        super().__init__()
        self.model = model
        self.corpus = corpus
        self.schedule = schedule
        self.token_weights: Tensor
        self.loss_name = f"{log_as}/loss" if log_as else "loss"
        weights = token_weights(corpus.tokenizer, schedule.number_weight)
        self.register_buffer("token_weights", weights, persistent=False)

    def train_dataloader(self) -> BatchStream:
        return BatchStream(self)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        wanted = batch.labels[:, 1:]
        scored = wanted != -100
        # Logits only where they are scored: prompts and padding are a third of a batch.
        hidden = self.model.model(input_ids=batch.input_ids, use_cache=False).last_hidden_state
        logits = self.model.lm_head(hidden[:, :-1][scored])
        loss = torch.nn.functional.cross_entropy(logits, wanted[scored], weight=self.token_weights)
        self.log(self.loss_name, loss)
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.schedule.lr,
            betas=(0.9, 0.98),
            fused=True,
        )
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.schedule.lr,
            total_steps=self.schedule.steps,
            pct_start=_WARM_UP_SHARE,
            cycle_momentum=False,
            final_div_factor=1e3,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        return Batch(batch.input_ids.to(device), batch.labels.to(device))


class BatchStream:
    """The module's batches from its current step on, so that a resumed run repeats none."""

    def __init__(self, module: PretrainModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.module.global_step, self.module.schedule.steps):
            yield self.module.corpus.batch(step)


class _StepStart(Callback):
    def __init__(self, tell: Callable[[int], None] | None) -> None:
        self._tell = tell

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if self._tell is not None:
            self._tell(trainer.global_step)


def pretrain(
    shape: ModelShape,
    corpus: Corpus,
    schedule: Schedule,
    checkpoints: Path,
    *,
    checkpoint_every: int = 500,
    logger: Logger | None = None,
    log_as: str = "",
    on_step: Callable[[int], None] | None = None,
) -> LlamaForCausalLM:
    """Trains one model, going on from the last checkpoint in ``checkpoints`` if there is one.

    Args:
        shape: The model's shape.
        corpus: What it is trained on.
        schedule: Steps, learning rate and seed.
        checkpoints: Folder for checkpoints; only what this function wrote belongs there.
        checkpoint_every: Steps between two checkpoints.
        logger: A Lightning logger, or None.
        log_as: Prefix of the metrics' names.
        on_step: Called with each step's number when it begins.

    Returns:
        The trained model in evaluation mode, on the CPU.
    """
    seed_everything(schedule.seed, verbose=False)
    module = PretrainModule(build_model(shape, corpus.tokenizer), corpus, schedule, log_as)
    saver = ModelCheckpoint(
        checkpoints, save_last=True, every_n_train_steps=checkpoint_every, save_top_k=0
    )
    last = checkpoints / "last.ckpt"
    with quiet_lightning():
        trainer = Trainer(
            max_steps=schedule.steps,
            accelerator="auto",
            devices=1,
            logger=logger if logger is not None else False,
            callbacks=[saver, _StepStart(on_step)],
            gradient_clip_val=1.0,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=20,
            default_root_dir=checkpoints,
        )
        trainer.fit(module, ckpt_path=last if last.is_file() else None)
    return module.model.cpu().eval()
