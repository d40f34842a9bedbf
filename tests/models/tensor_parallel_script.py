"""Run by torchrun: decodes with a split target and compares with the target alone."""

from __future__ import annotations

import torch

from judge_lightning import SpeculativeDecoder, load_pair
from judge_lightning.models.pair import ModelSource, load_model
from judge_lightning.verifiers import Exact

TARGET = "micro:target"
QUESTION = "Tom has 12 apples. He buys 7 more. How many apples does Tom have?"

pair = load_pair(ModelSource(TARGET, tensor_parallel=True), "micro:draft", device="cpu")
ids = pair.tokenizer(QUESTION, return_tensors="pt").input_ids
decoder = SpeculativeDecoder(pair.target, pair.draft, Exact(), draft_length=8)
written = decoder.generate(ids, max_new_tokens=30).sequences
whole = load_model(ModelSource(TARGET), "cpu")
expected = whole.generate(ids, do_sample=False, max_new_tokens=30)
matrix = pair.target.model.layers[0].mlp.up_proj.weight.to_local()
half = whole.model.layers[0].mlp.up_proj.weight.numel() == 2 * matrix.numel()
print("the same and half the weights" if torch.equal(written, expected) and half else "WRONG")
