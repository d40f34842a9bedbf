"""What a decoder's hot loop asks of an engine, and the engines by name.

An engine runs the two models: ``eager`` with dynamic caches and plain PyTorch, ``compiled`` with
static caches and compiled graphs. Which tokens are proposed and kept is the decoder's and the
verifier's matter, so both engines write the same answers.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from transformers import PreTrainedModel

from judge_lightning.decoding.draft_length import Pace
from judge_lightning.decoding.request import Request
from judge_lightning.errors import UserError

ENGINES = ("eager", "compiled")


@dataclass(frozen=True, slots=True)
class Roles:
    """Who proposes and who reads.

    ``draft_length`` is M, the number of tokens proposed per cycle, or the most of them where
    blocks are ``adaptive``; ``layers`` the target's blocks (0-based, ascending) whose outputs the
    verifier reads. ``reads_draft`` asks for the draft's probabilities when decoding greedily too,
    ``reads_draft_states`` for the output of the draft's last block at every proposed token.
    """

    target: PreTrainedModel
    draft: PreTrainedModel
    draft_length: int
    layers: tuple[int, ...] = ()
    adaptive: bool = False
    reads_draft: bool = False
    reads_draft_states: bool = False


class Speculation(Protocol):
    """One answer in the making by draft and target.

    Attributes:
        tokens: The prompt and the answer's tokens, (1, end or more) long, on the target's
            device. The decoder writes the target's own tokens into it.
    """

    tokens: Tensor

    def propose(self, n: int, pace: Pace | None = None) -> tuple[int, Tensor | None]:
        """Writes up to M draft tokens behind the ``n`` decided ones, or as many as ``pace`` wants.

        Leaves room for the target's own token, and ends at a drafted EOS where looking is free.
        Returns how many are proposed, m, and (m, V) what they were drawn from when sampling; when
        decoding greedily the draft's distribution at temperature 1 for a verifier that reads it,
        else None.
        """

    def verify(self, n: int, m: int) -> tuple[Tensor, Tensor | None]:
        """The target reads the last decided token and the ``m`` proposed ones.

        Returns its logits (m + 1, V) and, where the verifier reads layers, those blocks' outputs
        at the proposed tokens' own positions: (m, H) of one layer, (m, L, H) of several.
        """

    def draft_states(self, n: int, m: int) -> Tensor | None:
        """The draft's states (m, D) at the ``m`` proposed tokens' own positions.

        The output of its last block; None where the verifier reads none. Asked for right after
        ``propose``.
        """

    def forget_after(self, n: int) -> None:
        """Rolls both caches back to the first ``n`` tokens."""


class Monologue(Protocol):
    """One answer in the making by one model."""

    def read(self, tokens: Tensor) -> Tensor:
        """Reads the next tokens (1, k) long, the prompt first; gives logits (1, V) of the last."""


class Engine(Protocol):
    """Runs the models.

    Attributes:
        compile_seconds: Wall-clock seconds spent on compilation so far, never part of a trace.
    """

    compile_seconds: float

    def reserve(self, longest: int) -> None:
        """Makes room for answers of that many tokens, prompt included, from the next one on."""

    def admit(self, roles: Roles) -> None:
        """Takes note of what a decoder will need.

        Raises:
            UserError: The engine cannot run these models.
        """

    def admit_alone(self, model: PreTrainedModel) -> None:
        """Likewise for a model that decodes alone."""

    def prepare(self, roles: Roles, request: Request) -> None:
        """Makes what an answer needs and later answers use again: caches and graphs.

        Raises:
            UserError: The engine cannot do what is asked for.
        """

    def prepare_alone(self, model: PreTrainedModel, request: Request) -> None:
        """Likewise for a model that decodes alone."""

    def speculate(self, roles: Roles, request: Request) -> AbstractContextManager[Speculation]:
        """Starts one answer."""

    def monologue(
        self, model: PreTrainedModel, request: Request
    ) -> AbstractContextManager[Monologue]:
        """Starts one answer of a model alone."""


def make_engine(engine: str | Engine) -> Engine:
    """An engine by name, or the one that several decoders share.

    Raises:
        UserError: There is no such engine, or it cannot run on this machine.
    """
    if not isinstance(engine, str):
        return engine
    if engine == "eager":
        from judge_lightning.decoding.eager import EagerEngine

        return EagerEngine()
    if engine == "compiled":
        from judge_lightning.decoding.compiled import CompiledEngine

        return CompiledEngine()
    raise UserError("engine", f"there is no engine {engine!r}", f"use {' or '.join(ENGINES)}")
