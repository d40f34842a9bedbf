"""The report's sentences about what the threshold promises, and about whom it promises it."""

from __future__ import annotations

from pipelines.report.material import Material
from pipelines.shift import shift_line

NO_PROMISE = (
    "This threshold promises nothing: it was set, or chosen for a recall on average. A bound comes"
    " with calibrate.alpha=0.02 (docs/guarantee.md)."
)


def promise(material: Material) -> str:
    """The certificate in plain words, with its assumption."""
    certificate = material.certificate
    return NO_PROMISE if certificate is None else certificate.in_words()


def beside_plain(material: Material) -> str:
    """The chosen threshold beside a plain one of 0.5; empty where the two were not compared."""
    certificate = material.certificate
    if certificate is None or certificate.plain_events is None:
        return ""
    verb, what = {"mistakes": ("keeps", "mistakes"), "answers": ("turns", "answers wrong")}[
        certificate.risk
    ]
    plain, chosen = (
        f"{events} of {certificate.trials} ({events / certificate.trials:.1%})"
        for events in (certificate.plain_events, certificate.events)
    )
    return (
        f"On the calibration prompts the threshold {certificate.threshold:.3f} {verb} {chosen}"
        f" {what}, one a prompt; a plain 0.5 {verb} {plain}."
    )


def shift_warnings(material: Material) -> list[str]:
    """A line for each family whose prompts are not like those of the calibration."""
    return [
        shift_line(decoder, family, row)
        for decoder, families in material.shift.items()
        for family, row in families.items()
        if row["shifted"]
    ]


def shift_note(material: Material) -> str:
    """How the other families compare; empty where nobody looked or all are shifted."""
    like = [
        f"{family} ({row['flagged']} of {row['answers']})"
        for families in material.shift.values()
        for family, row in families.items()
        if not row["shifted"]
    ]
    if not like:
        return ""
    return (
        f"Flagged as unlike the calibration's answers, as often as chance would: {', '.join(like)}."
    )
