"""What all judge heads have in common, their file format included.

A head reads embeddings of the frozen target, its hidden states at the judged token's own
position, and says how likely that token is correct in context (arXiv 2501.19309, section 4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from judge_lightning.errors import UserError
from judge_lightning.heads.card import model_card
from judge_lightning.heads.config import HeadConfig
from judge_lightning.heads.files import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    in_config,
    read_config,
    read_weights,
)

NO_OPTIONS: Mapping[str, Any] = {}


class JudgeHead(nn.Module):
    """A head of any kind: ``JudgeHead(config)`` makes one of ``config.kind``.

    A kind is a subclass in a file of its own. Its weights start at zero, so that an untrained
    head says 0.5 for every token.

    Class attributes:
        OPTIONS: The kind's options with their defaults.
        FORMULA, SOURCE, WHAT_IT_READS: For the model card.
        reads_draft_embedding: Whether it reads the draft's state at the token, too.
        mismatches_only: Whether it knows only tokens that are not the target's argmax.
        several_layers: Whether it reads several of the target's layers, not one.
        growable: Whether zeros behind an embedding change nothing, so that a stand-in's judge is
            the seed's with zeros behind its weights.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = NO_OPTIONS
    FORMULA: ClassVar[str]
    SOURCE: ClassVar[str] = "judge decoding, arXiv 2501.19309"
    WHAT_IT_READS: ClassVar[str] = "the frozen target's own hidden state\nat that token"
    reads_draft_embedding: ClassVar[bool] = False
    mismatches_only: ClassVar[bool] = False
    several_layers: ClassVar[bool] = False
    growable: ClassVar[bool] = True

    def __new__(cls, config: HeadConfig | None = None) -> Self:
        """An object of the configured kind's class; without one (a copy) of this very class."""
        chosen: type[JudgeHead] = cls
        if cls is JudgeHead and config is not None:
            from judge_lightning.heads.registry import head_class

            chosen = head_class(config.kind, "judge kind")
        return cast("Self", super().__new__(chosen))

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        if bool(config.layers) != self.several_layers:
            remedy = f"name {'several' if self.several_layers else 'none, but one layer'}"
            raise UserError(
                "judge layers", f"{list(config.layers)} do not fit the kind {config.kind}", remedy
            )
        self.config = config
        self.folder: Path | None = None
        for name, shape in self.shapes(config).items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    @classmethod
    def check_options(cls, options: Mapping[str, Any], layers: int | None) -> None:
        """Raises UserError, whose field is the option's name, for a value that makes no sense.

        Args:
            options: All of the kind's.
            layers: How many layers the target has, None where that is not known yet.
        """

    @classmethod
    def candidates(cls, layers: int, options: Mapping[str, Any]) -> list[tuple[int, ...]]:
        """The heads that are trained side by side, each by the layers that it reads, ascending.

        Here one of every layer; the best on validation is chosen, or ``judge.layer`` names one.
        """
        return [(layer,) for layer in range(layers)]

    @classmethod
    def shapes(cls, config: HeadConfig) -> dict[str, tuple[int, ...]]:
        """The weights of a head of this configuration: names and shapes."""
        raise NotImplementedError

    @classmethod
    def bank(cls) -> Any:
        """The ``HeadBank`` subclass that trains heads of this kind."""
        raise NotImplementedError

    def forward(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        """Maps embeddings to logits (...) in the head's dtype.

        Args:
            embeddings: (..., H) of any float dtype, of a head of several layers (..., L, H).
            draft: The draft's states (..., D), for a head that reads them.
        """
        raise NotImplementedError

    @classmethod
    def from_tensors(cls, config: HeadConfig, tensors: Mapping[str, Tensor]) -> JudgeHead:
        """Makes a head of trained weights, kept as float32."""
        head = cls(config)
        with torch.no_grad():
            for name, parameter in head.named_parameters():
                parameter.copy_(tensors[name])
        return head

    @classmethod
    def from_weights(cls, weight: Tensor, bias: Tensor | float, config: HeadConfig) -> JudgeHead:
        """Makes a linear head: ``weight`` (H,), ``bias`` (), kept as float32."""
        return cls.from_tensors(config, {"weight": weight, "bias": torch.as_tensor(bias)})

    @property
    def parameters_count(self) -> int:
        """Trained numbers in the head; of a linear one hidden size + 1."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def layers_read(self) -> tuple[int, ...]:
        """The target's blocks whose outputs it reads (0-based), ascending."""
        return self.config.layers_read

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def probability(self, embeddings: Tensor, draft: Tensor | None = None) -> Tensor:
        """The probability (...) that the token is correct; arguments as in ``forward``."""
        return torch.sigmoid(self(embeddings, draft))

    def with_config(self, **changes: Any) -> JudgeHead:
        """The same weights with a changed configuration (a calibrated threshold, say)."""
        return self.from_tensors(replace(self.config, **changes), self.state_dict())

    def widened(self, config: HeadConfig) -> JudgeHead:
        """The same verdicts on embeddings with zeros behind them: zeros behind the weights.

        Args:
            config: Of the new head: as this one's, with larger sizes and other layers.

        Raises:
            UserError: The kind cannot be.
        """
        if not self.growable:
            problem = f"a judge of the kind {self.config.kind} cannot be grown with its target"
            raise UserError("judge.head", problem, "use another head, or no stand-in")
        tensors = {}
        for name, shape in self.shapes(config).items():
            tensors[name] = torch.zeros(shape)
            old = self.get_parameter(name).detach()
            tensors[name][tuple(slice(size) for size in old.shape)] = old
        return self.from_tensors(config, tensors)

    def check_fits(self, hidden_size: int, layers: int) -> None:
        """Raises UserError, naming the head's folder, when a target of another shape is given."""
        name, remedy = self._name, "use a judge that was trained on this target"
        if hidden_size != self.config.hidden_size:
            raise UserError(
                name,
                f"reads embeddings of width {self.config.hidden_size},"
                f" the target's are {hidden_size} wide",
                remedy,
            )
        if layers != self.config.layers_of_target:
            raise UserError(
                name,
                f"reads layer {self.config.layer} of {self.config.layers_of_target},"
                f" the target has {layers} layers",
                remedy,
            )

    def check_fits_draft(self, hidden_size: int) -> None:
        """Likewise for the draft, where the head reads its states."""
        if self.reads_draft_embedding and hidden_size != self.config.draft_hidden_size:
            raise UserError(
                self._name,
                f"reads draft states of width {self.config.draft_hidden_size},"
                f" the draft's are {hidden_size} wide",
                "use a judge that was trained with this draft",
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes ``judge.safetensors``, ``judge_config.json`` and a model card."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().float().cpu() for name, value in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_FILE)
        text = json.dumps(self.config.to_json(), indent=2, sort_keys=True)
        (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
        (folder / CARD_FILE).write_text(model_card(self), encoding="utf-8")

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        expected_target: str | None = None,
        expected_draft: str | None = None,
    ) -> JudgeHead:
        """Reads a saved head of any kind (float32, on the CPU, in eval mode).

        Args:
            folder: Where ``save_pretrained`` wrote.
            expected_target: The fingerprint of the target it shall judge for.
            expected_draft: That of the draft, which only a head that reads its states minds.

        Raises:
            UserError: A file is missing or damaged, does not fit its own configuration, or
                the head was trained on other models; the file is named.
        """
        folder = Path(folder)
        config = read_config(folder)
        remedy = "choose the pair that this judge belongs to"
        for role, trained, expected in (
            ("target", config.target, expected_target),
            ("draft", config.draft, expected_draft if config.draft_hidden_size else None),
        ):
            if expected is not None and trained != expected:
                raise UserError(
                    str(folder / CONFIG_FILE),
                    f"was trained on {role} {trained[:16] or 'unknown'}, not on this one"
                    f" ({expected[:16]})",
                    f"train a judge for this {role}, or {remedy}",
                )
        try:
            head = _made(config)
        except UserError as error:
            raise in_config(folder, error) from error
        head.folder = folder
        head.load_state_dict(read_weights(folder, head.shapes(config)))
        return head.eval()

    @property
    def _name(self) -> str:
        return str(self.folder) if self.folder else "judge"


def _made(config: HeadConfig) -> JudgeHead:
    """A head of a configuration that somebody may have written by hand."""
    from judge_lightning.heads.registry import head_class

    head = head_class(config.kind, "judge kind")
    options = {**head.OPTIONS, **config.options}
    if sorted(options) != sorted(head.OPTIONS):
        problem = f"{sorted(config.options)} do not fit the kind {config.kind}"
        raise UserError("judge options", problem, f"they are {', '.join(head.OPTIONS) or 'none'}")
    try:
        head.check_options(options, config.layers_of_target)
    except UserError as error:
        raise UserError(f"judge option {error.field}", error.problem, error.remedy) from None
    return head(config)
