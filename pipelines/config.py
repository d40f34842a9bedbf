"""The structured configuration: every field of a run, its type and its default.

The dataclasses are registered with Hydra, so an unknown key or a wrong type is refused
when the configuration is composed. The YAML files under ``conf/`` only fill them in.
Fields marked *(free)* cannot change a result and are no part of any artifact's key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from judge_lightning.models.shape import Growth


@dataclass
class ModelConfig:
    """One model: a folder, a Hub name, or ``micro:<name>`` for an embedded one."""

    path: str = MISSING
    revision: str | None = None
    dtype: str = "float32"
    quantization: str | None = None
    """None, ``int8`` or ``nf4`` (bitsandbytes), or ``int8wo`` (torchao, weights only)."""
    device_map: str | None = None
    """*(free)* None keeps the model on the run's device; ``auto`` shards over all GPUs."""
    tensor_parallel: bool = False
    """*(free)* Split every block over the processes of ``torchrun`` (docs/loading.md): planned
    and described here, loaded in Python."""
    shape: dict[str, Any] = field(default_factory=dict)
    """The Hub config's fields (``model_type`` included), so that a plan needs no network."""
    grow: Growth | None = None
    """Decode with a stand-in: this model grown into a larger shape (docs/standins.md)."""


@dataclass
class PairConfig:
    name: str = MISSING
    target: ModelConfig = field(default_factory=ModelConfig)
    draft: ModelConfig = field(default_factory=ModelConfig)
    chat_template: str | None = None
    """A Jinja file that overrides the tokenizer's own template."""


@dataclass
class SourceConfig:
    """One source of prompts (docs/prompts.md): a format, and files or a Hub data set in it."""

    format: str = MISSING
    """A module of ``judge_lightning/court/sources/formats/``."""
    family: str = MISSING
    split: str | None = None
    """Force all of the source's prompts into one split (``eval`` keeps it out of the court)."""
    count: int = 0
    """0 takes everything."""
    path: str | None = None
    """A local file, or several by a pattern; else ``hub``."""
    hub: str | None = None
    """A Hub data set by name, or a folder that is laid out like one."""
    subset: str | None = None
    hub_split: str = "train"
    revision: str | None = None
    prompt_field: str = "prompt"
    """Likewise ``reference_field``: for the format ``jsonl``."""
    reference_field: str = "reference"
    checker: str | None = None
    """Who says whether an answer is right: a file of ``judge_lightning/court/checkers/``; None: the
    format's own. ``none``: the answers are never checked, nor mined."""
    licence: str | None = None
    """For the dataset card, where the format does not know it."""


@dataclass
class FilterConfig:
    """Which prompts are left out. The defaults leave out nothing but what is the same."""

    minimum_characters: int = 1
    maximum_characters: int = 0
    """0 sets no limit."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-1 codes; empty takes every language."""
    near_duplicates: float = 0.0
    """Jaccard similarity of word shingles from which two prompts are one; 0 looks for none."""
    decontaminate: list[str] = field(default_factory=list)
    """Sources of ``data.sources`` whose prompts no prompt of the court may overlap with."""
    ngram: int = 13
    """Words in a row that a prompt must not share with those."""


@dataclass
class DataConfig:
    name: str = MISSING
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    seed: int = 0
    shares: dict[str, float] = field(
        default_factory=lambda: {"train": 0.6, "validation": 0.1, "calibration": 0.1, "eval": 0.2}
    )
    """Share of prompts per split, by hash of the prompt's text."""
    filters: FilterConfig = field(default_factory=FilterConfig)
    max_rejected: float = 0.05
    """*(free)* The run ends when a larger share of prompts or answers cannot be used."""


@dataclass
class ChatConfig:
    """A model that is talked to: loaded here, or behind an OpenAI-compatible endpoint."""

    kind: str = "local"
    """``local`` or ``endpoint``."""
    model: str = "target"
    """Local: ``target``, ``draft`` or a model path; endpoint: the name that it serves."""
    base_url: str | None = None
    api_key_env: str | None = "OPENAI_API_KEY"
    """The environment variable that holds the key, which itself is never configured; None: the
    server asks for none."""
    concurrency: int = 8
    """*(free)* Requests at a time."""
    retries: int = 5
    """*(free)*"""
    timeout_seconds: float = 120.0
    """*(free)*"""
    prompt_price: float = 0.0
    """*(free)* Per million tokens, likewise ``completion_price``: for the cost."""
    completion_price: float = 0.0


@dataclass
class DrafterConfig:
    """Who writes the wrong answers.

    ``kind`` ``local``: ``model`` is ``draft``, ``target`` or a model path. ``endpoint``: the model
    behind ``endpoint``. ``text``: answers that exist already, in the JSON Lines file ``path``;
    fields may be dotted paths (``*.solution``: the field of every object in the line).
    """

    kind: str = "local"
    model: str = "draft"
    temperature: float = 0.0
    samples: int = 1
    endpoint: ChatConfig | None = None
    path: str | None = None
    prompt_field: str = "prompt"
    answer_field: str = "answer"


@dataclass
class MineConfig:
    name: str = MISSING
    drafters: dict[str, DrafterConfig] = field(default_factory=dict)
    max_new_tokens: int = 200
    shard_size: int = 256
    batch_size: int = 64
    """*(free)*"""
    seed: int = 0
    minimum_tuples: int = 0
    """The stage fails, naming the remedy, when fewer (correct, wrong) pairs were found."""
    target_answers: bool = True
    """Whether the target answers too; else right answers are the drafters' and the references."""
    reference_answers: bool = False
    """Whether the references count as right answers: they are worked out, as answers are."""
    longest: int = 0
    """Prompt and answer together have at most this many tokens; 0: what the target can read."""
    checker_chat: ChatConfig | None = None
    """Who decides about answers whose checker is ``prompted``."""
    allow_code: bool = False
    """*(free)* Agrees to running generated code, for ``unit_tests`` (docs/sandbox.md)."""


@dataclass
class AnnotateConfig:
    name: str = MISSING
    """The annotator: a module of ``judge_lightning/court/annotators/``."""
    options: dict[str, Any] = field(default_factory=dict)
    """The annotator's own."""
    chat: ChatConfig | None = None
    """Who marks mistakes for the annotator ``llm``."""
    check_right: bool = True
    """Whether right answers are looked at too, and left out where they hold a mistake."""
    batch_size: int = 32
    """*(free)*"""
    after_mistake: str = "ignored"
    """What follows the first mistake: ``ignored`` or ``wrong`` (labelled 0)."""


@dataclass
class DatasetConfig:
    """What of the annotated tuples becomes the data set, and what is added."""

    maximum_tuples: int = 0
    """0 keeps all."""
    reviews: list[str] = field(default_factory=list)
    """Files of people's decisions, which overrule the annotator's."""
    guarded: str | None = None
    """A JSON Lines file of continuations that must never be accepted, merged as mistakes."""


@dataclass
class EmbedConfig:
    dtype: str = "float16"
    shard_tokens: int = 16384
    batch_size: int = 32
    """*(free)*"""


@dataclass
class JudgeConfig:
    name: str = MISSING
    head: str = "linear"
    layer: int | None = None
    """None: the best on validation. A Python index into the target's blocks (-1: the last)."""
    lr: float = 1e-4
    weight_decay: float = 0.1
    batch_size: int = 128
    max_epochs: int = 50
    patience: int = 5
    positive_weight: float | None = None
    """None: negatives / positives, so that both classes weigh the same."""
    threshold: float = 0.5
    seed: int = 0


@dataclass
class CalibrateConfig:
    rule: str | None = None
    """``fixed``: ``judge.threshold``. ``recall``: the largest threshold's acceptance that
    keeps ``recall`` of the held-out mistakes out. ``risk``: the lowest threshold that promises
    ``alpha`` (docs/guarantee.md). None: ``risk`` where ``alpha`` is given, else ``fixed``."""
    recall: float = 0.95
    points: int = 101
    alpha: float | None = None
    """What the risk is at most, with probability 1 - ``epsilon`` over the calibration prompts."""
    epsilon: float = 0.05
    risk: str = "mistakes"
    """Whose share is bounded: ``mistakes`` that the judge keeps, or ``answers`` that turn from
    right to wrong, for which the calibration prompts are decoded (the stage certify)."""
    thresholds: list[float] = field(default_factory=lambda: [0.99, 0.95, 0.9, 0.8, 0.65, 0.5])
    """What is tried for ``answers``, the strictest first, until one turns too many wrong."""


@dataclass
class VerifierConfig:
    name: str = MISSING
    decoders: list[str] = field(default_factory=lambda: ["target", "draft", "exact", "judge"])
    """``target``, ``draft``, ``exact``, ``judge``, and names of ``rules``."""
    rules: dict[str, Any] = field(default_factory=dict)
    """More decoders: a name, and an acceptance rule (docs/rules.md): ``NAME``,
    ``{NAME: {OPTION: VALUE}}`` or ``{any_of: [RULE, RULE]}``."""
    lossless: bool = False
    """*(free)* Refuses decoders whose output may differ from the target's own."""


@dataclass
class EngineConfig:
    name: str = MISSING
    kind: str = "eager"
    """*(free)* ``eager``, ``compiled``, or ``auto``: compiled where the CPU decodes greedily and a
    C++ compiler is at hand. Both write the same tokens; as between devices, a judge's
    probabilities may differ in the sixth digit."""
    draft_length: int | str = 16
    """Tokens proposed per cycle, or ``auto``: as many as are worth it, block by block."""
    longest_draft: int = 32
    """Most tokens of a block; for ``auto``."""
    draft_cost: float = 0.1
    """One more proposed token in units of a target pass (``benchmarks.adaptive_length`` measures
    it); for ``auto``."""
    look_every: int = 1
    """``auto`` may end a block after every so many tokens. On a GPU each look at the draft's
    confidence waits for the device: 4 costs little there."""
    max_new_tokens: int = 200
    temperature: float = 0.0
    device: str = "auto"
    """*(free)*"""
    workers: int = 0
    """*(free)* Decoding processes side by side; 0: one per two GPUs or one per CPU core."""
    shard_size: int = 32
    prompts: int | None = None
    """Answer at most so many held-out prompts of each family, spread evenly; None: all."""
    judge_path: str | None = None
    """Decode with this judge folder instead of the trained one."""


@dataclass
class SpeedConfig:
    """Speed measured apart, on a stand-in for the run's pair (docs/standins.md)."""

    name: str = MISSING
    pair: PairConfig | None = None
    """The shapes that the run's own models wear; None, or a run whose pair is a stand-in, takes
    speed from the decode stage."""
    prompts: int = 10
    """How many of the held-out headline prompts, spread evenly; all where there are fewer."""
    engine: str = "eager"
    """*(free)* As ``engine.kind``; all decoders have the same."""
    shard_size: int = 5


@dataclass
class EvalConfig:
    name: str = MISSING
    tasks: list[str] = field(default_factory=list)
    limit: int | None = None
    headline: str = MISSING
    """The prompt family whose numbers stand in the headline table."""


@dataclass
class TrackingConfig:
    name: str = MISSING
    wandb_mode: str = "offline"
    """``offline``, ``online`` or ``disabled``."""
    project: str = "judge-lightning"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class LaunchConfig:
    name: str = MISSING
    threads: int = 0
    """*(free)* Torch threads of the main process; 0: all cores."""
    machine: str | None = None
    """*(free)* The machine that the pair has to fit, such as ``8 x 80 GiB``; None: this one."""
    prompt_tokens: int = 512
    """*(free)* The longest prompt that the memory is reckoned for. A longer one is not refused."""


@dataclass
class MicroModelConfig:
    """Shape and schedule of one embedded model (``LlamaForCausalLM``)."""

    dialect: str = MISSING
    hidden_size: int = MISSING
    layers: int = MISSING
    intermediate_size: int = MISSING
    head_dim: int = 32
    steps: int = MISSING
    batch_size: int = 32
    lr: float = 3e-3
    seed: int = 0
    corrections: float = 0.0
    """Share of training texts with one to five mistakes, each corrected at once."""
    drills: float = 0.0
    """Share of training texts that are bare calculations."""
    number_weight: float = 1.0
    """Loss weight of numbers and of the word that begins a correction."""
    right_at_least: float = 0.0
    """The stage fails when the model gets a smaller share of held-out word problems right."""
    right_at_most: float = 1.0
    """Likewise for a larger share: a draft has to leave something to judge."""


@dataclass
class PretrainConfig:
    models: dict[str, MicroModelConfig] = field(default_factory=dict)
    checkpoint_every: int = 500
    """*(free)*"""
    check_prompts: int = 300


@dataclass
class RunConfig:
    """A whole run, composed from the config groups."""

    exp: str = MISSING
    stages: list[str] | None = None
    """None: all stages of the experiment's graph; else only these (cached inputs are used)."""
    pipeline: str = "judge"
    """The graph: ``judge`` (prompts to report), ``court`` (prompts to data set) or ``pretrain``
    (train the micro models)."""
    dry_run: bool = False
    seed: int = 0
    artifacts_dir: str = "artifacts"
    output_dir: str = "outputs"
    pair: PairConfig = field(default_factory=PairConfig)
    data: DataConfig = field(default_factory=DataConfig)
    mine: MineConfig = field(default_factory=MineConfig)
    annotate: AnnotateConfig = field(default_factory=AnnotateConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    embed: EmbedConfig = field(default_factory=EmbedConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)
    verifier: VerifierConfig = field(default_factory=VerifierConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    launch: LaunchConfig = field(default_factory=LaunchConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)


def register_schemas() -> None:
    """Puts the schema where ``conf/config.yaml`` finds it."""
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
