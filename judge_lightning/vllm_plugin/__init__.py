"""Judge decoding inside vLLM: a plugin of the group ``vllm.general_plugins``.

vLLM's own speculative decoding proposes and verifies; the plugin gives its rejection sampler the
judge's opinion. Nothing here is imported unless vLLM loads its plugins (docs/serving.md).
"""
