"""What the model class makes of a pair's and a verifier's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from evals.decoders import DECODERS, Rules, check_decoders
from judge_lightning.decoding.verifiers.registry import RuleSpec, rule_names

if TYPE_CHECKING:
    from judge_lightning.models.pair import Pair


def named_verifier(verifier: RuleSpec, rules: Rules) -> tuple[str, Rules]:
    """The decoder's name, and the rules with its own among them.

    Raises:
        UserError: There is no such decoder and no such rule, or the rule makes no sense.
    """
    if not isinstance(verifier, str):
        name = "_".join(map(str, verifier)) + "_rule"
        rules = {**rules, name: verifier}
    else:
        name = verifier
        if name not in DECODERS and name not in rules and name in rule_names():
            rules = {**rules, name: name}
    check_decoders(["target"] if name == "target" else ["target", name], rules)
    return name, rules


def loader(target: str, draft: str | None, device: str | None) -> Callable[[], Pair]:
    """What loads a pair by its names; a GPU that is not there is not used."""
    # lm-eval's command line names the first GPU where nobody has named a device.
    if device is None or (device.startswith("cuda") and not torch.cuda.is_available()):
        device = "auto"

    def load() -> Pair:
        from judge_lightning.models.pair import load_pair

        return load_pair(target, draft, device=device)

    return load
