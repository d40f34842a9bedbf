"""What a head of mismatches is trained on: the draft's states, and where the target disagrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from judge_lightning.models.hidden_states import HiddenStateTap

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class DraftModel:
    """The draft whose states are stored; ``fingerprint`` as in ``models.fingerprint``."""

    model: PreTrainedModel
    fingerprint: str = ""

    @property
    def hidden_size(self) -> int:
        """The width of its states."""
        config: Any = self.model.config
        return int(config.get_text_config(decoder=True).hidden_size)

    def states(self, ids: Tensor) -> Tensor:
        """The last block's output, before the final norm, at every token: (rows, T) long to
        (rows, T, D) on the CPU."""
        with HiddenStateTap(self.model, [-1]) as tap:
            self.model.base_model(input_ids=ids.to(self.model.device), use_cache=False)
            return tap.states[-1].cpu()


def mismatches(model: PreTrainedModel, states: Tensor, ids: Tensor, places: Tensor) -> Tensor:
    """Whether the tokens at ``places`` are not the argmax of what the target says before them.

    Args:
        model: The target.
        states: What its inner model gives at every token, after the final norm, (T, H).
        ids: What it read, (T,) long.
        places: (n,) long, each 1 or more.

    Returns:
        (n,) bool on the CPU.
    """
    before = states[(places - 1).to(states.device)]
    # Whatever scales or bounds the logits behind this head keeps their order.
    head: Any = model.get_output_embeddings()
    return head(before).argmax(-1).cpu() != ids[places]
