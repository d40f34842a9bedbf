"""Crews that a run hires elsewhere: a Ray cluster, how it is joined, checked and worked with."""
