from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from judge_lightning.errors import UserError
from judge_lightning.guarantee import Certificate
from judge_lightning.heads import CONFIG_FILE, WEIGHTS_FILE, HeadConfig, JudgeHead


@pytest.fixture
def head() -> JudgeHead:
    config = HeadConfig(4, 1, 3, threshold=0.25, target="abc", calibration={"recall": 0.95})
    return JudgeHead.from_weights(torch.tensor([1.0, -2.0, 0.5, 0.0]), 0.5, config)


def test_the_logit_is_the_papers_linear_form(head: JudgeHead) -> None:
    embeddings = torch.tensor([[[1.0, 1.0, 2.0, 7.0]]], dtype=torch.float16)
    assert head(embeddings).shape == (1, 1)
    assert head(embeddings).item() == pytest.approx(0.5)
    assert head.probability(embeddings).item() == pytest.approx(0.6224593)


def test_it_has_one_parameter_per_dimension_and_a_bias(head: JudgeHead) -> None:
    assert head.parameters_count == 5


def test_a_saved_head_comes_back_the_same(head: JudgeHead, tmp_path: Path) -> None:
    head.save_pretrained(tmp_path)
    again = JudgeHead.from_pretrained(tmp_path, expected_target="abc")
    assert again.config == head.config
    assert torch.equal(again.weight, head.weight)
    assert torch.equal(again.bias, head.bias)
    assert "recall" in (tmp_path / "README.md").read_text()


def test_saving_twice_gives_the_same_bytes(head: JudgeHead, tmp_path: Path) -> None:
    for name in ("one", "two"):
        head.save_pretrained(tmp_path / name)
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}


def test_a_changed_configuration_keeps_the_weights(head: JudgeHead) -> None:
    changed = head.with_config(threshold=0.75)
    assert changed.config.threshold == 0.75
    assert torch.equal(changed.weight, head.weight)
    assert head.config.threshold == 0.25


def test_a_judge_for_another_target_is_refused(head: JudgeHead, tmp_path: Path) -> None:
    head.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="trained on target abc") as error:
        JudgeHead.from_pretrained(tmp_path, expected_target="other")
    assert error.value.field == str(tmp_path / CONFIG_FILE)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layer": 3}, "layer"),
        ({"layer": -1}, "layer"),
        ({"kind": "intuition"}, "kind"),
        ({"position": "post_norm"}, "position"),
        ({"format": 2}, "format"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_by_field(
    head: JudgeHead, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    head.save_pretrained(tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=named) as error:
        JudgeHead.from_pretrained(tmp_path)
    assert error.value.field == str(path)


def test_weights_of_another_width_are_refused(head: JudgeHead, tmp_path: Path) -> None:
    head.save_pretrained(tmp_path)
    path = tmp_path / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_size": 5}))
    with pytest.raises(UserError) as error:
        JudgeHead.from_pretrained(tmp_path)
    assert error.value.field == str(tmp_path / WEIGHTS_FILE)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_or_damaged_file_is_named(head: JudgeHead, tmp_path: Path, name: str) -> None:
    head.save_pretrained(tmp_path)
    for damage in (lambda path: path.write_bytes(b"{"), Path.unlink):
        damage(tmp_path / name)
        with pytest.raises(UserError) as error:
            JudgeHead.from_pretrained(tmp_path)
        assert error.value.field == str(tmp_path / name)


def test_a_target_of_another_shape_is_refused(head: JudgeHead) -> None:
    head.check_fits(hidden_size=4, layers=3)
    with pytest.raises(UserError, match="width 4"):
        head.check_fits(hidden_size=8, layers=3)
    with pytest.raises(UserError, match="layer 1 of 3"):
        head.check_fits(hidden_size=4, layers=2)


def test_a_certificate_is_kept_and_stands_in_words_on_the_card(
    head: JudgeHead, tmp_path: Path
) -> None:
    certificate = Certificate("mistakes", 0.02, 0.05, 0.25, 200, 0, 0.0176, data="abc")
    head.with_config(certificate=asdict(certificate)).save_pretrained(tmp_path)

    again = JudgeHead.from_pretrained(tmp_path)

    assert again.config.certificate is not None
    assert Certificate.from_json(again.config.certificate) == certificate
    card = (tmp_path / "README.md").read_text()
    assert certificate.in_words() in card
    assert "At most 2 % of true mistakes are kept by the judge, with 95 % confidence" in card


def test_a_judge_file_from_before_certificates_promises_nothing(
    head: JudgeHead, tmp_path: Path
) -> None:
    head.save_pretrained(tmp_path)
    row = json.loads((tmp_path / CONFIG_FILE).read_text())
    del row["certificate"]
    (tmp_path / CONFIG_FILE).write_text(json.dumps(row))

    assert JudgeHead.from_pretrained(tmp_path).config.certificate is None
    assert "promises" not in (tmp_path / "README.md").read_text()
