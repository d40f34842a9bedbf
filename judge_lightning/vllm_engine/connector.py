"""vLLM's connector for hidden states, on a CPU too, whose own copies by CUDA streams alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from vllm.distributed.kv_transfer.kv_connector.v1.example_hidden_states_connector import (
    ExampleHiddenStatesConnector,
    extract_from_kv_cache,
)


class _Done:
    """An event of a copy that is over."""

    def query(self) -> bool:
        """True."""
        return True

    def synchronize(self) -> None:
        """Returns at once."""


class StatesConnector(ExampleHiddenStatesConnector):
    """On a GPU vLLM's own; on a CPU the same file, written at once."""

    def _submit_async_write(self, pending: Any) -> None:
        assert self._kv_cache is not None
        if self._kv_cache.device.type != "cpu":
            super()._submit_async_write(pending)
            return
        if not self._is_tp_rank_zero:
            return
        blocks = torch.tensor(pending.block_ids)
        slots = (blocks[:, None] * self._block_size + torch.arange(self._block_size)).flatten()
        states = extract_from_kv_cache(self._kv_cache, slots, len(pending.token_ids))
        path = Path(pending.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever reads waits for the lock, which is held since the request arrived.
        lock = self._lock_fds.pop(pending.req_id, None)
        if lock is None:
            lock = os.open(f"{path}.lock", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            save_file({"hidden_states": states.contiguous(), "token_ids": pending.token_ids}, path)
        finally:
            os.close(lock)
        self._req_copy_events[pending.req_id] = _Done()
