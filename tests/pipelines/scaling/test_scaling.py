"""What a run would take on GPUs that are not at hand."""

from __future__ import annotations

import re

import pytest

from pipelines.scaling.__main__ import in_time, main
from pipelines.scaling.published import published_rates, published_share

SMALL = ["+exp=70b_judge", "--gpus", "2", "--share", "1"]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(list(arguments))
    return " ".join(capsys.readouterr().out.split())


def rate(output: str, decoder: str) -> float:
    """The decoder's bound in tokens a second."""
    found = re.search(rf"│ {decoder} │ ([\d,.]+) │", output)
    assert found is not None
    return float(found[1].replace(",", ""))


def test_the_published_rates_lie_below_the_bound() -> None:
    assert [round(row.share, 2) for row in published_rates()] == [0.39, 0.75, 0.16, 0.38]
    assert published_share() == published_rates()[0].share


def test_a_split_pair_decodes_as_many_times_as_fast_as_there_are_gpus(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks, split = printed(capsys, *SMALL), printed(capsys, *SMALL, "--split")
    for decoder in ("target", "draft", "exact", "judge"):
        assert rate(split, decoder) == pytest.approx(2 * rate(blocks, decoder), rel=0.01)
    # 70 GB in 8 bits over 3.35 TB/s, and one token a pass.
    assert rate(blocks, "target") == pytest.approx(3350 / 70.6, rel=0.02)


def test_every_stage_has_its_derivation_and_the_price_its_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = printed(capsys, *SMALL, "--price", "2")
    for stage in ("mine", "embed", "train (CPU)", "decode", "evaluate"):
        assert f"│ {stage} │" in output
    cost = re.search(r"cost: ([\d.]+) GPU hours x 2 = ([\d,]+)", output)
    assert cost is not None
    assert float(cost[2].replace(",", "")) == pytest.approx(2 * float(cost[1]), abs=1)
    assert "cost" not in printed(capsys, *SMALL)


def test_a_pair_that_does_not_fit_gets_a_remedy_and_no_times(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["+exp=405b_judge", "--gpus", "2"]) == 1
    output = capsys.readouterr().out
    assert "DOES NOT FIT" in output
    assert "no times" in output
    assert "tokens/s" not in output.partition("no times")[2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["+exp=70b_judg"], "exp: there is no '70b_judg'"),
        (["+exp=70b_judge", "--gpus", "0"], "--gpus: is 0"),
        (["+exp=70b_judge", "--share", "2"], "--share: is 2"),
    ],
)
def test_what_cannot_be_derived_is_refused_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(32.34, "32.3 s"), (600, "10 min"), (36000, "10 h")]
)
def test_times_are_told_in_their_own_unit(seconds: float, words: str) -> None:
    assert in_time(seconds) == words
