"""What each kind of head computes, worked out by hand, and that each survives its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from judge_lightning import JudgeHead
from judge_lightning.errors import UserError
from judge_lightning.heads import CONFIG_FILE, WEIGHTS_FILE, HeadConfig, head_kinds, read_options

MakeHead = Callable[..., JudgeHead]
E = torch.tensor([[1.0, 1.0], [-1.0, 0.5]])
SEVERAL = torch.stack([E, 2 * E], 1)
D = torch.tensor([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0]])

LOGITS = {
    # w = (1, -2), b = 0.5: 1 - 2 + 0.5; -1 - 1 + 0.5.
    "linear": [-0.5, -1.5],
    # e = (1, 1): units relu(1, -2, 2), so 2 - 2 + 0.25. e = (-1, 0.5): relu(-1.5, 0.5, 1), so
    # 2.5 - 1 + 0.25.
    "mlp": [0.25, 1.75],
    # First layer (1, 2), second (-3, 0.5) on twice the embedding: 3 - 5 - 1; 0 + 6.5 - 1.
    "layers": [-3.0, 5.5],
    # Draft (1, -1, 2): 2 and -2; target (0.5, 3): 3.5 and 1; b = -2.
    "autojudge": [3.5, -3.0],
}


def inputs(kind: str) -> tuple[torch.Tensor, ...]:
    return {"layers": (SEVERAL,), "autojudge": (E, D)}.get(kind, (E,))


def test_a_file_is_a_kind() -> None:
    assert head_kinds() == ["autojudge", "layers", "linear", "mlp"]


def test_the_logits_are_those_of_the_formula(kind: str, make_head: MakeHead) -> None:
    head = make_head(kind)
    assert head(*inputs(kind)).tolist() == pytest.approx(LOGITS[kind])
    half = [tensor.half() for tensor in inputs(kind)]
    assert head.probability(*half).tolist() == pytest.approx(
        torch.tensor(LOGITS[kind]).sigmoid().tolist()
    )


def test_an_untrained_head_does_not_know(kind: str, make_head: MakeHead) -> None:
    untrained = JudgeHead(make_head(kind).config)
    assert untrained.probability(*inputs(kind)).tolist() == [0.5, 0.5]


def test_a_saved_head_comes_back_the_same(kind: str, make_head: MakeHead, tmp_path: Path) -> None:
    head = make_head(kind, threshold=0.25)
    head.save_pretrained(tmp_path)

    again = JudgeHead.from_pretrained(tmp_path, expected_target="abc", expected_draft="small")

    assert type(again) is type(head)
    assert again.config == head.config
    assert torch.equal(again(*inputs(kind)), head(*inputs(kind)))
    assert again.parameters_count == sum(p.numel() for p in head.parameters())
    card = (tmp_path / "README.md").read_text()
    assert head.FORMULA in card
    assert head.SOURCE in card


def test_it_says_what_it_reads(make_head: MakeHead) -> None:
    assert make_head("linear").layers_read == (2,)
    assert make_head("layers").layers_read == (0, 2)
    assert [kind for kind in LOGITS if make_head(kind).reads_draft_embedding] == ["autojudge"]
    assert [kind for kind in LOGITS if make_head(kind).mismatches_only] == ["autojudge"]


def test_a_changed_configuration_keeps_the_weights(kind: str, make_head: MakeHead) -> None:
    head = make_head(kind)
    changed = head.with_config(threshold=0.75)
    assert (changed.config.threshold, head.config.threshold) == (0.75, 0.5)
    assert torch.equal(changed(*inputs(kind)), head(*inputs(kind)))


def test_zeros_behind_the_states_change_nothing_in_a_widened_head(
    kind: str, make_head: MakeHead
) -> None:
    head = make_head(kind)
    config = replace(
        head.config,
        hidden_size=5,
        layers_of_target=6,
        layer=5,
        layers=(1, 5) if head.several_layers else (),
        draft_hidden_size=7 if head.reads_draft_embedding else 0,
    )
    wide = head.widened(config)
    padded = [
        torch.nn.functional.pad(tensor, (0, width - tensor.shape[-1]))
        for tensor, width in zip(inputs(kind), (5, 7), strict=False)
    ]
    assert wide(*padded).tolist() == pytest.approx(LOGITS[kind])
    assert wide.layers_read == config.layers_read


def test_a_judge_file_from_before_there_were_kinds_is_a_linear_head(tmp_path: Path) -> None:
    config = HeadConfig(2, 1, 3, target="abc")
    JudgeHead.from_weights(torch.tensor([1.0, -2.0]), 0.5, config).save_pretrained(tmp_path)
    row = json.loads((tmp_path / CONFIG_FILE).read_text())

    assert not {"layers", "options", "draft_hidden_size", "draft"} & row.keys()
    assert JudgeHead.from_pretrained(tmp_path)(E).tolist() == pytest.approx(LOGITS["linear"])


@pytest.mark.parametrize(
    ("kind", "changes", "named"),
    [
        ("linear", {"layers": [0, 2]}, "layers"),
        ("linear", {"options": {"hidden": 3}}, "options"),
        ("layers", {"layers": []}, "layers"),
        ("layers", {"layers": [2, 0]}, "layers"),
        ("layers", {"layers": [0, 1]}, "layers"),
        ("mlp", {"options": {"hidden": 0}}, "hidden"),
        ("mlp", {"options": {"width": 3}}, "options"),
        ("autojudge", {"draft_hidden_size": 0}, "draft_hidden_size"),
    ],
)
def test_a_configuration_that_does_not_fit_its_kind_is_refused_by_file(
    make_head: MakeHead, tmp_path: Path, kind: str, changes: dict[str, Any], named: str
) -> None:
    make_head(kind).save_pretrained(tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    with pytest.raises(UserError, match=named) as error:
        JudgeHead.from_pretrained(tmp_path)

    assert error.value.field == str(path)


def test_weights_of_another_kind_are_refused(make_head: MakeHead, tmp_path: Path) -> None:
    make_head("mlp").save_pretrained(tmp_path)
    weights = (tmp_path / WEIGHTS_FILE).read_bytes()
    make_head("layers").save_pretrained(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(weights)

    with pytest.raises(UserError, match="input_weight") as error:
        JudgeHead.from_pretrained(tmp_path)

    assert error.value.field == str(tmp_path / WEIGHTS_FILE)


def test_a_judge_that_reads_another_draft_is_refused(make_head: MakeHead, tmp_path: Path) -> None:
    make_head("autojudge").save_pretrained(tmp_path)
    with pytest.raises(UserError, match="draft small, not on this one"):
        JudgeHead.from_pretrained(tmp_path, expected_draft="other")
    with pytest.raises(UserError, match="draft states of width 3"):
        make_head("autojudge").check_fits_draft(4)
    make_head("linear").check_fits_draft(4)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("intuition", {}, "judge.head: there is no head 'intuition'"),
        ("linear", {"hidden": 3}, "judge.options.hidden: the head linear has no such option"),
        ("mlp", {"width": 3}, "judge.options.width: .*its options are hidden"),
        ("mlp", {"hidden": 0}, "judge.options.hidden: 0 is no number of units"),
        ("mlp", {"hidden": True}, "judge.options.hidden"),
        ("layers", {"layers": [-1]}, "judge.options.layers: .* two or more"),
        ("layers", {"layers": [0, 6]}, "judge.options.layers: 6 is out of range"),
        ("layers", {"layers": [5, -1]}, "judge.options.layers: .*twice"),
        ("layers", {"layers": -1}, "judge.options.layers"),
        ("autojudge", {"layer": 6}, "judge.options.layer: 6 is out of range"),
        ("autojudge", {"layer": "last"}, "judge.options.layer"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_options(kind, options, layers=6)


def test_options_have_defaults() -> None:
    assert read_options("mlp", {}, layers=6) == {"hidden": 64}
    assert read_options("layers", {"layers": [0, 1]}, layers=None) == {"layers": [0, 1]}
