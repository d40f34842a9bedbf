"""The report's sentences about its numbers, shared by the terminal and the page."""

from __future__ import annotations

from dataclasses import dataclass

from evals.statistics import Estimate
from pipelines.report.material import Material

NOISE = 1.96
"""Standard errors within which a change is not told from none (95 %)."""

_SMALL_COST = 0.0105
"""One percentage point, as it is printed: up to here a loss within noise is shown as none."""


@dataclass(frozen=True)
class Finding:
    """One headline number. ``tone``: ``good``, ``even`` or ``bad``, for colour only."""

    label: str
    number: str
    sentence: str
    tone: str


def gain(material: Material) -> Finding | None:
    """How many more draft tokens a cycle keeps; None where one of the two was not run."""
    rows = material.headline
    if not {"exact", "judge"} <= rows.keys():
        return None
    exact, judge = rows["exact"].accepted_per_cycle, rows["judge"].accepted_per_cycle
    number = f"{judge / exact:.1f}×" if exact else f"{judge:.1f}"
    tone = "good" if judge > 1.1 * exact else "even" if judge >= exact else "bad"
    sentence = (
        f"draft tokens kept per cycle: {judge:.1f} of {material.identity.proposals} proposed,"
        f" where the standard rule keeps {exact:.1f}"
    )
    return Finding("Gained", number, sentence, tone)


def cost(material: Material) -> Finding | None:
    """What happened to the share of right answers; None where the judge was not run."""
    change = material.change
    if change is None:
        return None
    rows = material.headline
    sentence = (
        f"right answers against the target alone:"
        f" {percent(rows['judge'].right)} instead of {percent(rows['target'].right)}"
        f" of {change.n} held-out prompts, {significance(change)}"
    )
    lost = change.value < 0 and change.value < -NOISE * change.stderr
    tone = "bad" if lost else "good" if change.value > -_SMALL_COST else "even"
    return Finding("Cost", f"{points(change.value)} points", sentence, tone)


def speed(material: Material) -> Finding | None:
    """Tokens per second against the target alone; None where the judge was not run."""
    timed = material.speed
    rows = timed.rows
    if "judge" not in rows:
        return None
    judge = rows["judge"]
    where = f" on the stand-in {timed.pair} ({timed.prompts} prompts)" if timed.apart else ""
    sentence = (
        f"the target's speed{where}, measured one prompt at a time:"
        f" {judge.tokens_per_second:.0f} instead"
        f" of {rows['target'].tokens_per_second:.0f} tokens per second"
    )
    if "exact" in rows:
        sentence += f"; standard speculative decoding reaches {rows['exact'].speedup:.2f}×"
    tone = "good" if judge.speedup > 1.05 else "even" if judge.speedup > 0.95 else "bad"
    label = "Speed of a stand-in" if timed.stand_in else "Speed"
    return Finding(label, f"{judge.speedup:.2f}×", sentence, tone)


def findings(material: Material) -> list[Finding]:
    """Gain, cost and speed: those that the run measured."""
    return [found for found in (gain(material), cost(material), speed(material)) if found]


def verdict_sentence(material: Material) -> str:
    """The whole report in one sentence."""
    rows = material.headline
    gained, change = gain(material), material.change
    if gained is None or change is None:
        return f"{len(rows)} decoders on {rows['target'].prompts} held-out prompts."
    exact, judge = rows["exact"].accepted_per_cycle, rows["judge"].accepted_per_cycle
    factor = f"{judge / exact:.1f} times as many" if exact else "more"
    if change.value == 0 and change.stderr == 0:
        quality = "and every answer stays as right or wrong as it was"
    elif abs(change.value) <= NOISE * change.stderr:
        size = f"{points(change.value)} ± {change.stderr * 100:.1f} points"
        quality = f"with no measurable change in right answers ({size})"
    elif change.value < 0:
        quality = f"and costs {abs(change.value) * 100:.1f} percentage points of right answers"
    else:
        quality = f"with {change.value * 100:.1f} percentage points more right answers"
    subject = "Judge decoding keeps"
    return f"{subject} {factor} draft tokens as standard speculative decoding, {quality}."


def stand_in_note(material: Material) -> str:
    """What a reader has to know of a pair with grown models; empty for any other pair."""
    what = material.identity.stand_in
    if not what:
        return ""
    return (
        f"Measured on a stand-in: {what}. A grown model writes what its seed writes and costs"
        " what its shape costs: tokens kept and answers are the seeds' own, and the speed is not"
        " that of a model trained at this size."
    )


def sources(material: Material) -> str:
    """Which figures were measured on what; empty where the pair's own prompts are all there is."""
    timed = material.speed
    if not timed.apart:
        return ""
    return (
        f"speed: stand-in {timed.pair}, {timed.prompts} prompts; quality and accepted per cycle:"
        f" {material.identity.pair}, {material.headline['target'].prompts} prompts"
    )


def speed_note(material: Material) -> str:
    """Why speed comes from a stand-in, that it writes the same, and the pair's own speed."""
    timed, pair = material.speed, material.identity.pair
    if not timed.apart:
        return ""
    answers = sum(row.prompts for row in timed.rows.values())
    same = (
        f"wrote the same tokens in all {answers} answers"
        if not timed.tokens_differ
        else f"wrote other tokens in {timed.tokens_differ} of {answers} answers"
    )
    engine = f" with the {timed.engine} engine" if timed.engine else ""
    note = (
        f"Tokens/s and speed-up are those of a stand-in, {timed.pair}{engine}: {timed.stand_in}."
        f" It {same} and costs what its shape costs; it is not a model trained at this size."
    )
    if "judge" not in timed.rows:
        return note
    kept, own = timed.rows["judge"].accepted_per_cycle, material.headline["judge"]
    return (
        f"{note} On its {timed.prompts} prompts the judge keeps {kept:.2f} tokens a cycle, on all"
        f" {own.prompts} it keeps {own.accepted_per_cycle:.2f}. Of {pair} itself, the judge"
        f" reaches {own.tokens_per_second:.0f} tokens/s, {own.speedup:.2f}× its target alone."
    )


def significance(change: Estimate) -> str:
    """Whether a paired change is more than noise, in words."""
    if change.value == 0 and change.stderr == 0:
        return "none changed"
    size = f"{points(change.value)} ± {change.stderr * 100:.1f} points"
    noise = abs(change.value) <= NOISE * change.stderr
    return f"{size}, {'within noise' if noise else 'more than noise'}"


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def points(change: float) -> str:
    """A signed number of percentage points, with a real minus sign; nothing is +0.0."""
    rounded = round(change * 100, 1) or 0.0
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "±0.0"


def with_error(value: float, stderr: float) -> str:
    return f"{value * 100:.1f} ± {stderr * 100:.1f} %"


def agreement(material: Material) -> str:
    """How far standard speculative decoding was seen to equal the target alone."""
    if "exact" not in material.headline or material.identity.temperature > 0:
        return ""
    if not material.ties:
        return "Standard speculative decoding wrote what the target alone writes, token for token."
    return (
        "Standard speculative decoding wrote what the target alone writes, up to ties that"
        f" rounding decides on {material.ties} of them."
    )


def draft_cost(material: Material) -> str:
    """What the speed-up hangs on: how much cheaper a draft token is than a target token."""
    times = material.speed.target_over_draft
    if times is None:
        return ""
    whose = "the stand-in's" if material.speed.apart else "one"
    limit = (
        "so little is left to gain in time, however many tokens are kept"
        if times < 4
        else "which leaves room for the speed-up"
    )
    return (
        f"On this machine one draft token is {times:.1f} times as fast as {whose} target token,"
        f" {limit}."
        " Tokens kept per cycle carry over to a larger pair of the same behaviour; tokens per"
        " second do not."
    )


def judge_sentence(material: Material) -> str:
    """The judge in one sentence: size, place, and how well it tells mistakes apart."""
    head, measured = material.head, material.calibration
    layers = head.get("layers") or [head["layer"]]
    places = " and ".join(filter(None, [", ".join(map(str, layers[:-1])), str(layers[-1])]))
    whose = (
        "the draft's and the target's own embeddings"
        if head.get("draft_hidden_size")
        else ("the target's own embedding")
    )
    # Artifacts from before there were other heads than the linear one do not say how many.
    numbers = measured.get("parameters", head["hidden_size"] + 1)
    return (
        f"{numbers} trained numbers ({head.get('kind', 'linear')}) read {whose} after"
        f" {'layers' if len(layers) > 1 else 'layer'} {places} of {head['layers_of_target']}"
        " (counted from 0)."
        f" At the threshold {head['threshold']:.2f} they reject {percent(measured['recall'])} of"
        f" {measured['mistakes']} held-out mistake tokens and keep {percent(measured['kept'])} of"
        f" {measured['correct']} correct ones (AUROC {measured['auroc']:.3f})."
    )
