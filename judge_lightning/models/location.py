"""Where a model's files are: a local folder, or a name on the Hub."""

from __future__ import annotations

from pathlib import Path

from judge_lightning.errors import UserError

EMBEDDED = "micro"


def locate(path: str) -> Path | str:
    """Resolves a model's path: a folder gives a ``Path``, a Hub name stays a string.

    ``micro:<name>`` is an embedded model.

    Raises:
        UserError: The folder or the embedded model does not exist.
    """
    family, colon, name = path.partition(":")
    if family == EMBEDDED and colon:
        from judge_lightning.micro.paths import asset_path

        return asset_path(name)
    folder = Path(path).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(path, "holds no config.json", "give the folder of a saved model")
        return folder
    if _is_hub_name(path):
        return path
    raise UserError(
        path, "is no folder and no name on the Hub", "give a model folder, micro:<name> or org/name"
    )


def _is_hub_name(path: str) -> bool:
    parts = path.split("/")
    return len(parts) <= 2 and all(part and part not in (".", "..", "~") for part in parts)
