"""The structured configuration: every field of a run, its type and its default; a file per group.

The dataclasses are registered with Hydra, so an unknown key or a wrong type is refused
when the configuration is composed. The YAML files under ``conf/`` only fill them in.
Fields marked *(free)* cannot change a result and are no part of any artifact's key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from pipelines.config.acceptance import AcceptanceConfig, TextConfig
from pipelines.config.cluster import RayConfig
from pipelines.config.court import (
    AnnotateConfig,
    ChatConfig,
    DataConfig,
    DatasetConfig,
    DrafterConfig,
    FilterConfig,
    MineConfig,
    SourceConfig,
)
from pipelines.config.decoding import EngineConfig, EvalConfig, SpeedConfig, VerifierConfig
from pipelines.config.gate import GateConfig
from pipelines.config.inference import InferenceConfig
from pipelines.config.judge import CalibrateConfig, EmbedConfig, JudgeConfig
from pipelines.config.models import ModelConfig, PairConfig
from pipelines.config.mt_bench import MTBenchConfig
from pipelines.config.pretraining import MicroModelConfig, PretrainConfig
from pipelines.config.running import LaunchConfig, SweepConfig, TrackingConfig
from pipelines.config.safety import SafetyConfig

__all__ = [
    "AcceptanceConfig",
    "AnnotateConfig",
    "CalibrateConfig",
    "ChatConfig",
    "DataConfig",
    "DatasetConfig",
    "DrafterConfig",
    "EmbedConfig",
    "EngineConfig",
    "EvalConfig",
    "FilterConfig",
    "GateConfig",
    "InferenceConfig",
    "JudgeConfig",
    "LaunchConfig",
    "MTBenchConfig",
    "MicroModelConfig",
    "MineConfig",
    "ModelConfig",
    "PairConfig",
    "PretrainConfig",
    "RayConfig",
    "RunConfig",
    "SafetyConfig",
    "SourceConfig",
    "SpeedConfig",
    "SweepConfig",
    "TextConfig",
    "TrackingConfig",
    "VerifierConfig",
    "register_schemas",
]


@dataclass
class RunConfig:
    """A whole run, composed from the config groups."""

    exp: str = MISSING
    """The experiment: a file of ``conf/exp/``, named by ``+exp=NAME``."""
    stages: list[str] | None = None
    """None: all stages of the experiment's graph; else only these (cached inputs are used)."""
    pipeline: str = "judge"
    """The graph: ``judge`` (prompts to report), ``court`` (prompts to data set), ``acceptance``
    (what verification accepts of any text), ``safety`` (what the judge accepts of flagged text) or
    ``pretrain`` (train the micro models)."""
    dry_run: bool = False
    """*(free)* Show the plan and run nothing."""
    seed: int = 0
    """Of what decoding, annotating and calibrating draw; data, mine and judge have their own."""
    artifacts_dir: str = "artifacts"
    """*(free)* Where artifacts are kept (docs/artifact_store.md): a folder, or a URL such as
    ``s3://BUCKET/PREFIX`` (docs/storage.md)."""
    artifacts_cache: str = "artifacts"
    """*(free)* The folder in front of a remote store, in which stages read and write."""
    artifacts_locks: str = "auto"
    """*(free)* One writer per key, by ``posix`` locks or by ``lease`` files where the folder's file
    system has none that reach other machines; ``auto`` looks at how it is mounted."""
    output_dir: str = "outputs"
    """*(free)* Where runs leave their folders, ``<exp>/<time>/``."""
    pair: PairConfig = field(default_factory=PairConfig)
    data: DataConfig = field(default_factory=DataConfig)
    mine: MineConfig = field(default_factory=MineConfig)
    annotate: AnnotateConfig = field(default_factory=AnnotateConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)
    verifier: VerifierConfig = field(default_factory=VerifierConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    acceptance: AcceptanceConfig = field(default_factory=AcceptanceConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    mt_bench: MTBenchConfig = field(default_factory=MTBenchConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)


def register_schemas() -> None:
    """Puts the schema where ``conf/config.yaml`` finds it."""
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
