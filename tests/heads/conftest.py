"""One small head of every kind, with weights that a hand can reckon with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from judge_lightning.heads import HeadConfig, JudgeHead

MakeHead = Callable[..., JudgeHead]

WEIGHTS: dict[str, dict[str, Tensor]] = {
    "linear": {"weight": torch.tensor([1.0, -2.0]), "bias": torch.tensor(0.5)},
    "mlp": {
        "input_weight": torch.tensor([[1.0, 1.0], [-1.0, -1.0], [0.0, 2.0]]),
        "input_bias": torch.tensor([-1.0, 0.0, 0.0]),
        "weight": torch.tensor([2.0, 5.0, -1.0]),
        "bias": torch.tensor(0.25),
    },
    "layers": {
        "weight": torch.tensor([[1.0, 2.0], [-3.0, 0.5]]),
        "bias": torch.tensor(-1.0),
    },
    "autojudge": {
        "draft_weight": torch.tensor([1.0, -1.0, 2.0]),
        "weight": torch.tensor([0.5, 3.0]),
        "bias": torch.tensor(-2.0),
    },
}
CONFIGS: dict[str, dict[str, Any]] = {
    "linear": {},
    "mlp": {"options": {"hidden": 3}},
    "layers": {"layers": (0, 2)},
    "autojudge": {"draft_hidden_size": 3, "draft": "small"},
}
KINDS = sorted(WEIGHTS)


def make_head(kind: str, **changes: Any) -> JudgeHead:
    config = HeadConfig(2, 2, 3, kind=kind, target="abc", **{**CONFIGS[kind], **changes})
    return JudgeHead.from_tensors(config, WEIGHTS[kind])


@pytest.fixture(name="make_head")
def make_head_fixture() -> MakeHead:
    """A head of a kind for a target of 3 layers that are 2 wide, with a changed configuration."""
    return make_head


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind in turn."""
    return str(request.param)
