"""The crew of a run: none where this machine does the work itself, else one on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from judge_lightning.crew import Crew
from judge_lightning.models.location import EMBEDDED, locate
from pipelines.authors import local_models
from pipelines.config import RunConfig
from pipelines.plan import Plan


def check_launch(config: RunConfig) -> None:
    """Raises UserError for a cluster that could not be hired whatever it is."""
    if config.launch.ray is not None:
        from pipelines.crew.nodes import check_settings

        check_settings(config.launch.ray)


@contextmanager
def hired_crew(config: RunConfig, plan: Plan) -> Iterator[Crew | None]:
    """The cluster's crew, joined and looked at, for the time of a run that has shards to do.

    Raises:
        UserError: There is no such cluster, it has no room, or one of its nodes is not fit.
    """
    settings = config.launch.ray
    if settings is None or not any(planned.stage.in_shards for planned in plan.to_run):
        yield None
        return
    from pipelines.crew.inspection import Premises, inspect
    from pipelines.crew.nodes import able, count_replicas, describe_replica, describe_room, nodes_of
    from pipelines.crew.ray_cluster import import_ray, joined_cluster
    from pipelines.crew.ray_crew import RayCrew

    with joined_cluster(settings):
        ray = import_ray()
        nodes = nodes_of(ray)
        replicas = count_replicas(settings, nodes)
        artifacts = Path(config.artifacts_dir).absolute()
        inspect(ray, able(settings, nodes), Premises(Path.cwd(), artifacts, _models(config)))
        workers = f"{replicas} worker{'s' if replicas > 1 else ''} of {describe_replica(settings)}"
        print(f"ray: {describe_room(nodes)}; up to {workers}", flush=True)
        yield RayCrew(settings, replicas)


def _models(config: RunConfig) -> Mapping[Path, str]:
    """Model folders with the field that names each; what comes with the package or from the Hub is
    each node's own."""
    named = dict.fromkeys(local_models(config), "mine.drafters")
    named |= {config.pair.draft.path: "pair.draft.path"}
    named |= {config.pair.target.path: "pair.target.path"}
    folders: dict[Path, str] = {}
    for path, field in named.items():
        found = locate(path)
        if isinstance(found, Path) and not path.startswith(f"{EMBEDDED}:"):
            folders[found.absolute()] = field
    return folders
