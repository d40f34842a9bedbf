"""Judge heads and their file format.

A head reads one embedding of the frozen target, the hidden state at the judged token's own
position, and says how likely that token is correct in context (arXiv 2501.19309, section 4).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from judge_lightning.errors import UserError
from judge_lightning.guarantee import Certificate

FORMAT = 1
WEIGHTS_FILE = "judge.safetensors"
CONFIG_FILE = "judge_config.json"
CARD_FILE = "README.md"


@dataclass(frozen=True)
class HeadConfig:
    """What a head reads, from which target, and how it decides.

    ``layer`` is 0-based in the target's ``layers_of_target`` blocks. ``position`` says which
    state of that layer is read: ``pre_norm``, the block's own output (for the last block:
    before the final norm). ``target`` is the fingerprint of the model that gave the
    embeddings (``models.fingerprint``), empty when unknown. ``certificate`` is what the
    threshold promises (``guarantee.Certificate`` as JSON), None where it promises nothing.
    """

    hidden_size: int
    layer: int
    layers_of_target: int
    threshold: float = 0.5
    target: str = ""
    kind: str = "linear"
    position: str = "pre_norm"
    calibration: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        for name, right, remedy in (
            ("format", self.format == FORMAT, f"this version reads format {FORMAT}"),
            ("kind", self.kind == "linear", "this version reads linear heads"),
            ("position", self.position == "pre_norm", "this version reads pre_norm states"),
            ("hidden_size", self.hidden_size > 0, "it must be positive"),
            (
                "layer",
                0 <= self.layer < self.layers_of_target,
                f"the target has layers 0 to {self.layers_of_target - 1}",
            ),
            ("threshold", 0.0 <= self.threshold <= 1.0, "it must lie in 0 to 1"),
        ):
            if not right:
                raise UserError(f"judge {name}", f"{getattr(self, name)!r} does not fit", remedy)


class JudgeHead(nn.Module):
    """One weight per embedding dimension and a bias: sigmoid(w.e + b).

    Starts at zero, so that an untrained head says 0.5 for every token.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.folder: Path | None = None
        self.weight = nn.Parameter(torch.zeros(config.hidden_size))
        self.bias = nn.Parameter(torch.zeros(()))

    @classmethod
    def from_weights(cls, weight: Tensor, bias: Tensor | float, config: HeadConfig) -> JudgeHead:
        """Makes a head of trained weights: ``weight`` (H,), ``bias`` (), kept as float32."""
        head = cls(config)
        with torch.no_grad():
            head.weight.copy_(weight)
            head.bias.copy_(torch.as_tensor(bias))
        return head

    @property
    def parameters_count(self) -> int:
        """Trained numbers in the head: hidden size + 1."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, embeddings: Tensor) -> Tensor:
        """Maps embeddings (..., H) of any float dtype to logits (...) in the head's dtype."""
        return embeddings.to(self.weight.dtype) @ self.weight + self.bias

    def probability(self, embeddings: Tensor) -> Tensor:
        """Maps embeddings (..., H) to the probability (...) that the token is correct."""
        return torch.sigmoid(self(embeddings))

    def with_config(self, **changes: Any) -> JudgeHead:
        """The same weights with a changed configuration (a calibrated threshold, say)."""
        return JudgeHead.from_weights(
            self.weight.detach(), self.bias.detach(), replace(self.config, **changes)
        )

    def check_fits(self, hidden_size: int, layers: int) -> None:
        """Raises UserError, naming the head's folder, when a target of another shape is given."""
        name = str(self.folder) if self.folder else "judge"
        if hidden_size != self.config.hidden_size:
            raise UserError(
                name,
                f"reads embeddings of width {self.config.hidden_size},"
                f" the target's are {hidden_size} wide",
                "use a judge that was trained on this target",
            )
        if layers != self.config.layers_of_target:
            raise UserError(
                name,
                f"reads layer {self.config.layer} of {self.config.layers_of_target},"
                f" the target has {layers} layers",
                "use a judge that was trained on this target",
            )

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes ``judge.safetensors``, ``judge_config.json`` and a model card."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.detach().float().cpu() for name, value in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_FILE)
        text = json.dumps(asdict(self.config), indent=2, sort_keys=True)
        (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
        (folder / CARD_FILE).write_text(_model_card(self), encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path, expected_target: str | None = None) -> JudgeHead:
        """Reads a saved head (float32, on the CPU, in eval mode).

        Args:
            folder: Where ``save_pretrained`` wrote.
            expected_target: The fingerprint of the target it shall judge for.

        Raises:
            UserError: A file is missing or damaged, does not fit its own configuration, or
                the head was trained on another target; the file is named.
        """
        folder = Path(folder)
        config = _read_config(folder / CONFIG_FILE)
        if expected_target is not None and config.target != expected_target:
            raise UserError(
                str(folder / CONFIG_FILE),
                f"was trained on target {config.target[:16] or 'unknown'}, not on this one"
                f" ({expected_target[:16]})",
                "train a judge for this target, or choose the pair that this judge belongs to",
            )
        head = cls(config)
        head.folder = folder
        head.load_state_dict(_read_weights(folder / WEIGHTS_FILE, config))
        return head.eval()


def _read_config(path: Path) -> HeadConfig:
    remedy = "give the folder of a judge written by save_pretrained"
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", remedy) from error
    except ValueError as error:
        raise UserError(str(path), f"is no JSON ({error})", remedy) from error
    names = {f.name for f in fields(HeadConfig)}
    try:
        return HeadConfig(**{name: value for name, value in row.items() if name in names})
    except (TypeError, AttributeError) as error:
        raise UserError(str(path), f"is no judge configuration ({error})", remedy) from error
    except UserError as error:
        raise UserError(str(path), f"{error.field}: {error.problem}", error.remedy) from error


def _read_weights(path: Path, config: HeadConfig) -> dict[str, Tensor]:
    remedy = "copy the judge's folder again"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(str(path), f"cannot be read ({error})", remedy) from error
    expected = {"weight": (config.hidden_size,), "bias": ()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != expected:
        raise UserError(
            str(path), f"holds {shapes}, but {CONFIG_FILE} beside it means {expected}", remedy
        )
    return tensors


def _promise(config: HeadConfig) -> str:
    """The certificate as a section of the card; empty where there is none."""
    if config.certificate is None:
        return ""
    certificate = Certificate.from_json(config.certificate)
    return f"""## What the threshold promises

{certificate.in_words()} Method: {certificate.method}. Calibration data: `{certificate.data}`.
The promise is about the threshold {certificate.threshold} and about no other, and about prompts
like those of the calibration alone.

"""


def _model_card(head: JudgeHead) -> str:
    config = head.config
    numbers = {**config.provenance, **config.calibration}
    rows = "\n".join(f"| {name} | {value} |" for name, value in sorted(numbers.items()))
    return f"""---
library_name: judge-lightning
license: apache-2.0
tags: [speculative-decoding, judge-decoding]
---

# Judge head

Says whether a draft token is correct in context, from the frozen target's own hidden state
at that token (judge decoding, arXiv 2501.19309). {head.parameters_count} parameters.

| reads | |
| --- | --- |
| layer | {config.layer} of {config.layers_of_target} (0-based), {config.position} |
| hidden size | {config.hidden_size} |
| threshold | {config.threshold} |
| target | `{config.target or "unknown"}` |

| measured | |
| --- | --- |
{rows}

```python
from judge_lightning import JudgeHead, SpeculativeDecoder, load_pair
from judge_lightning.verifiers import Judge

head = JudgeHead.from_pretrained("this-folder")
decoder = SpeculativeDecoder(target, draft, Judge(head), draft_length=16)
```

{_promise(config)}It is valid for this target only. Judge decoding does not keep the target's
distribution: measure quality on your own prompts before you serve it.
"""
