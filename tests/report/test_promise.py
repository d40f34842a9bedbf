"""The report says in plain words what the threshold promises, and to whom it does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from judge_lightning.guarantee import Certificate
from pipelines.report.html import render_html
from pipelines.report.material import Material, read_material
from pipelines.report.promise import NO_PROMISE, beside_plain
from pipelines.report.summary import summarise
from pipelines.report.terminal import render_terminal
from tests.report.conftest import IDENTITY

CERTIFICATE = Certificate(
    "mistakes", 0.02, 0.05, 0.9, 200, 0, 0.0176, data="f" * 64, plain_events=7
)


def certify(folder: Path, certificate: Certificate) -> None:
    path = folder / "judge" / "judge_config.json"
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "certificate": asdict(certificate)}))


@pytest.fixture
def certified(artifacts: dict[str, Path]) -> Material:
    certify(artifacts["calibrate"], CERTIFICATE)
    return read_material(IDENTITY, artifacts)


@pytest.fixture
def shifted(artifacts: dict[str, Path]) -> Material:
    families = {
        "word": {"answers": 40, "flagged": 1, "chance": 0.3, "shifted": False},
        "code": {"answers": 10, "flagged": 9, "chance": 1e-9, "shifted": True},
    }
    (artifacts["decode"] / "shift.json").write_text(json.dumps({"judge": families}))
    return read_material(IDENTITY, artifacts)


def test_the_promise_stands_in_words_with_its_assumption_everywhere(certified: Material) -> None:
    words = CERTIFICATE.in_words()
    assert "as long as prompts are exchangeable with the calibration prompts" in words
    assert words in render_html(certified)
    assert words in " ".join(render_terminal(certified).split())
    assert summarise(certified)["judge"]["certificate"] == {
        **asdict(CERTIFICATE),
        "in_words": words,
    }


def test_a_plain_threshold_stands_beside_it(certified: Material) -> None:
    line = beside_plain(certified)

    assert line == (
        "On the calibration prompts the threshold 0.900 keeps 0 of 200 (0.0%) mistakes, one a"
        " prompt; a plain 0.5 keeps 7 of 200 (3.5%)."
    )
    assert line in render_html(certified)
    assert line in " ".join(render_terminal(certified).split())


def test_a_threshold_without_a_promise_says_so(material: Material) -> None:
    assert NO_PROMISE in render_html(material)
    assert NO_PROMISE in " ".join(render_terminal(material).split())
    assert summarise(material)["judge"]["certificate"] is None


def test_a_judge_certified_by_whole_answers_takes_the_place_of_the_calibrated_one(
    artifacts: dict[str, Path],
) -> None:
    answers = Certificate("answers", 0.05, 0.05, 0.8, 115, 1, 0.02, plain_events=None)
    certify(artifacts["calibrate"], answers)
    certified = read_material(
        IDENTITY, {**artifacts, "certify": artifacts["calibrate"]}
    ).certificate

    assert certified is not None
    assert "of answers turn from right to wrong" in certified.in_words()


def test_a_shifted_family_is_warned_of_and_the_others_are_not(shifted: Material) -> None:
    page, table = render_html(shifted), render_terminal(shifted)
    line = "judge: the code prompts are unlike those that the judge was calibrated on (9 of 10"

    assert line in page
    assert "Flagged as unlike the calibration&#39;s answers" in page
    assert "warning: " + line in " ".join(table.split())
    assert "the word prompts are unlike" not in page
    assert summarise(shifted)["shift"]["judge"]["code"]["shifted"] is True
