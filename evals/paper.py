"""What the paper reports, to be printed beside one's own numbers (arXiv 2501.19309)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperRow:
    """One pair of the paper. None where we know of no number.

    Attributes:
        exact: Accepted length m* of standard speculative decoding.
        judge: m* of judge decoding.
        speedup: Of judge decoding, against plain Hugging Face generation.
        tokens_per_second: Of judge decoding in the paper's optimised framework.
        machine: On what.
    """

    pair: str
    exact: float | None
    judge: float | None
    speedup: float | None
    tokens_per_second: float | None
    machine: str


PAPER = (
    PaperRow("Llama 8B → 405B", 6.3, 19.7, 9.7, 129.0, "8 H100, 8-bit"),
    PaperRow("Llama 8B → 70B", None, None, None, 141.0, "2 H100, 8-bit"),
)

SOURCE = (
    "Judge Decoding, arXiv 2501.19309 (ICLR 2025). The speed-up is against Hugging Face; tokens per"
    " second are those of the optimised framework, and the two must not be mixed. m* may count the"
    " target's own token of a cycle, so it is to be compared with accepted and with tokens a cycle."
)
