"""What a judge head's configuration file says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from judge_lightning.errors import UserError

FORMAT = 1

_OPTIONAL = ("layers", "options", "draft_hidden_size", "draft")
"""Fields that a file leaves out where they say nothing, as all of them do for a linear head."""


@dataclass(frozen=True)
class HeadConfig:
    """What a head reads, from which target, and how it decides.

    ``layer`` is 0-based in the target's ``layers_of_target`` blocks. ``position`` says which
    state of that layer is read: ``pre_norm``, the block's own output (for the last block:
    before the final norm). ``target`` is the fingerprint of the model that gave the
    embeddings (``models.fingerprint``), empty when unknown. ``certificate`` is what the
    threshold promises (``guarantee.Certificate`` as JSON), None where it promises nothing.

    ``kind`` names the file in ``judge_lightning/heads/`` that knows the rest: ``options`` are that
    kind's. A head of several layers names all of them in ``layers``, ascending; ``layer`` is then
    the last of them. A head that reads the draft too says how wide its states are,
    ``draft_hidden_size``, and by ``draft`` whose they were.
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
    layers: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    draft_hidden_size: int = 0
    draft: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        count = self.layers_of_target
        for name, right, remedy in (
            ("format", self.format == FORMAT, f"this version reads format {FORMAT}"),
            ("position", self.position == "pre_norm", "this version reads pre_norm states"),
            ("hidden_size", self.hidden_size > 0, "it must be positive"),
            ("draft_hidden_size", self.draft_hidden_size >= 0, "it must not be negative"),
            ("layer", 0 <= self.layer < count, f"the target has layers 0 to {count - 1}"),
            (
                "layers",
                not self.layers
                or (
                    list(self.layers) == sorted(set(self.layers))
                    and self.layers[0] >= 0
                    and self.layers[-1] == self.layer
                ),
                f"they must ascend from 0 or more to layer {self.layer}",
            ),
            ("threshold", 0.0 <= self.threshold <= 1.0, "it must lie in 0 to 1"),
        ):
            if not right:
                raise UserError(f"judge {name}", f"{getattr(self, name)!r} does not fit", remedy)

    @property
    def layers_read(self) -> tuple[int, ...]:
        """The target's blocks whose outputs the head reads (0-based), ascending."""
        return self.layers or (self.layer,)

    def to_json(self) -> dict[str, Any]:
        """As the file has it: plain values, without optional fields that say nothing."""
        row = asdict(self)
        row["layers"] = list(self.layers)
        return {name: value for name, value in row.items() if name not in _OPTIONAL or value}
