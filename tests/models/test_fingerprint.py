from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from judge_lightning.errors import UserError
from judge_lightning.models import fingerprint as module
from judge_lightning.models.fingerprint import fingerprint


def test_a_copy_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(str(copy)) == fingerprint(str(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_changed_byte_changes_it(folder: Path, name: str) -> None:
    before = fingerprint(str(folder))
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    assert fingerprint(str(folder)) != before


def test_files_that_do_not_identify_a_model_do_not_count(folder: Path) -> None:
    before = fingerprint(str(folder))
    (folder / "README.md").write_text("a card")
    assert fingerprint(str(folder)) == before


def test_of_large_weights_every_mebibyte_is_touched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READ_WHOLE", 1000)
    monkeypatch.setattr(module, "_STRIDE", 1000)
    monkeypatch.setattr(module, "_SAMPLE", 100)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    before = fingerprint(str(folder))
    content[3050] ^= 1
    weights.write_bytes(content)
    assert fingerprint(str(folder)) != before


def test_a_hub_name_needs_no_request() -> None:
    assert fingerprint("org/model") == "hub:org/model@main"
    assert fingerprint("org/model", "v1") == "hub:org/model@v1"


@pytest.mark.parametrize("path", ["no/such/folder/here", "./missing", ""])
def test_a_path_that_is_neither_folder_nor_hub_name_is_refused(path: str) -> None:
    with pytest.raises(UserError):
        fingerprint(path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        fingerprint(str(tmp_path))


def test_it_does_without_torch() -> None:
    code = (
        "import sys; from judge_lightning.models.fingerprint import fingerprint;"
        "fingerprint('org/model'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
