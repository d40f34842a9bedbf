"""The configured gate: checked before work, applied to what was evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from judge_lightning.errors import UserError
from pipelines.config import RunConfig

if TYPE_CHECKING:
    from evals.gate import ByTask


class GateRefusedError(Exception):
    """Everything is saved, and the gate says no."""


def check_gate(config: RunConfig) -> None:
    """Raises UserError for a gate that could not say anything."""
    gate, tasks = config.gate, config.eval.tasks
    if gate.tolerance is None:
        return
    if not 0 <= gate.tolerance < 1:
        raise UserError(
            "gate.tolerance", f"{gate.tolerance} is no share", "give 0.02 for two points of 100"
        )
    if not tasks:
        raise UserError("gate", "eval.tasks is empty", "name tasks to compare on, or gate=none")
    for name in gate.tasks or ():
        if name not in tasks:
            raise UserError(
                "gate.tasks", f"{name!r} is not evaluated", f"one of {', '.join(tasks)}"
            )
    for name in gate.decoders:
        if name == "target" or name not in config.verifier.decoders:
            others = [other for other in config.verifier.decoders if other != "target"]
            raise UserError(
                "gate.decoders", f"{name!r} is not compared", f"one of {', '.join(others)}"
            )


def gate_settings(config: RunConfig) -> dict[str, Any] | None:
    """What the report is told of the gate; None without one."""
    gate = config.gate
    if gate.tolerance is None:
        return None
    return {
        "name": gate.name,
        "tolerance": gate.tolerance,
        "decoders": list(gate.decoders),
        "tasks": list(config.eval.tasks if gate.tasks is None else gate.tasks),
    }


def apply_gate(gate: dict[str, Any], paired: ByTask, *, greedy: bool) -> dict[str, Any]:
    """The gate's part of the summary: its settings, ``passed``, and ``refused``, a sentence each.

    A group of tasks is compared task by task.
    """
    from evals.gate import refusals

    asked = paired if gate["tasks"] is None else _chosen(paired, gate["tasks"])
    found = refusals(asked, gate["tolerance"], gate["decoders"], greedy=greedy)
    return {**gate, "passed": not found, "refused": [one.in_words() for one in found]}


def _chosen(paired: ByTask, tasks: list[str]) -> ByTask:
    # Tasks of a group carry its name in front: mmlu_virology of mmlu.
    return {
        name: rows
        for name, rows in paired.items()
        if any(name == task or name.startswith(f"{task}_") for task in tasks)
    }


def require_passed(summary: dict[str, Any]) -> None:
    """Raises GateRefusedError for a summary that the gate refused."""
    gate = summary.get("gate")
    if gate and not gate["passed"]:
        raise GateRefusedError("; ".join(gate["refused"]))
