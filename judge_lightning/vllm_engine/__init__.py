"""vLLM's offline engine in place of transformers, where this project reads or writes in bulk.

writer.py      continuations, for mining and for rollouts
states.py      hidden states, for embeddings
"""
