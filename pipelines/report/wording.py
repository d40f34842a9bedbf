"""The report's sentences about its numbers, shared by the terminal and the page."""

from __future__ import annotations

from dataclasses import dataclass

from evals.decoders import ALONE
from evals.statistics import Estimate
from pipelines.report.material import Identity, Material

NOISE = 1.96
"""Standard errors within which a change is not told from none (95 %)."""

_SMALL_COST = 0.0105
"""One percentage point, as it is printed: up to here a loss within noise is shown as none."""


@dataclass(frozen=True)
class Finding:
    """One headline number.

    Attributes:
        tone: ``good``, ``even`` or ``bad``, for colour only.
        place: Where ``summary.json`` has ``value``, which is the number unrounded; empty where it
            is not there.
    """

    label: str
    number: str
    sentence: str
    tone: str
    place: str = ""
    value: float | None = None


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
    if not exact:
        return Finding("Gained: tokens kept", number, sentence, tone)
    return Finding(
        "Gained: tokens kept", number, sentence, tone, "verdict.accepted_ratio", judge / exact
    )


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
    number = f"{points(change.value)} points"
    return Finding(
        "Price: right answers", number, sentence, tone, "verdict.right_change", change.value
    )


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
    number = f"{judge.speedup:.2f}×"
    return Finding(label, number, sentence, tone, "decode.judge.speedup", judge.speedup)


def guarantee(material: Material) -> Finding | None:
    """What the threshold promises; None where it is not known, or no decoder has used it."""
    if not material.identity.judged:
        return None
    certificate = material.certificate
    if certificate is not None:
        number = f"≤ {100 * certificate.alpha:.10g} %"
        return Finding("Guarantee", number, certificate.in_words(), "good")
    if not material.head:
        return None
    sentence = (
        "the threshold was set, or chosen for a recall on average: it promises nothing about new"
        " prompts (calibrate.alpha=0.02 brings a bound)"
    )
    return Finding("Guarantee", "none", sentence, "even")


def findings(material: Material) -> list[Finding]:
    """Speed, tokens kept, right answers and guarantee: those that the run measured."""
    found = (speed(material), gain(material), cost(material), guarantee(material))
    return [one for one in found if one]


def verdict_sentence(material: Material) -> str:
    """The whole report in one sentence: how much faster, at what quality, with what guarantee."""
    rows = material.headline
    if not rows:
        return f"{material.identity.exp}: what could be read of this run."
    timed, change = material.speed.rows, material.change
    if not material.identity.judged and (found := _without_judge(material)):
        return found
    if not {"exact", "judge"} <= rows.keys() or "judge" not in timed or change is None:
        return f"{len(rows)} decoders on {rows['target'].prompts} held-out prompts."
    where = f"; on the stand-in {material.speed.pair}" if material.speed.apart else ""
    return (
        f"Judge decoding is {timed['judge'].speedup:.2f} times as fast as the target alone"
        f" (standard speculative decoding {timed['exact'].speedup:.2f} times{where}),"
        f" {_quality(material, 'judge', change)}; {_promise(material)}."
    )


def _without_judge(material: Material) -> str:
    """The same of a run without a judge: of the standard rule, else of the first other one."""
    identity, timed = material.identity, material.speed.rows
    changes = material.changes.get(identity.headline, {})
    names = [name for name in sorted(changes, key=lambda name: name != "exact") if name in timed]
    if not names:
        return ""
    name = names[0]
    what = f"The rule '{identity.name_of(name)}'"
    if name == "exact":
        what = "Standard speculative decoding"
    where = f" (on the stand-in {material.speed.pair})" if material.speed.apart else ""
    return (
        f"{what} is {timed[name].speedup:.2f} times as fast as the target alone{where},"
        f" {_quality(material, name, changes[name])}."
    )


def footer(identity: Identity) -> str:
    """What has to be known of the rules that were compared; empty where nothing was proposed."""
    if identity.judged:
        which = "Judge decoding (arXiv 2501.19309) does not keep"
    elif any(name not in (*ALONE, "exact") for name in identity.decoders):
        which = "An acceptance rule that is not lossless does not keep"
    elif "exact" in identity.decoders:
        return (
            "Standard speculative decoding keeps the target's distribution: a change in right"
            " answers is chance, or rounding."
        )
    else:
        return ""
    return (
        f"{which} the target's distribution: what it costs is measured here for these prompts and"
        " has to be measured again for others."
    )


def _quality(material: Material, name: str, change: Estimate) -> str:
    """What happened to a decoder's right answers, in words."""
    rows = material.headline
    shares = f"{percent(rows[name].right)} against {percent(rows['target'].right)}"
    size = f"{points(change.value)} ± {change.stderr * 100:.1f} points"
    if change.value == 0 and change.stderr == 0:
        return f"and every answer stays as right or wrong as it was ({shares} right)"
    if abs(change.value) <= NOISE * change.stderr:
        return f"with no measurable change in right answers ({size}: {shares})"
    if change.value < 0:
        number = f"{abs(change.value) * 100:.1f}"
        return f"and costs {number} percentage points of right answers ({shares})"
    return f"with {change.value * 100:.1f} percentage points more right answers ({shares})"


def _promise(material: Material) -> str:
    """The guarantee, in a few words."""
    certificate = material.certificate
    if certificate is None:
        return "its threshold carries no guarantee"
    what = {"mistakes": "mistakes pass", "answers": "right answers turn wrong"}[certificate.risk]
    return (
        f"at most {100 * certificate.alpha:.10g} % of {what}, with"
        f" {100 * (1 - certificate.epsilon):.10g} % confidence"
    )


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


def in_size(size: float) -> str:
    """A number of bytes, as people write it."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


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
