"""Running the jobs of a multirun: in turn, side by side, on Slurm or on Ray; again after a kill.

A sweep's folder holds ``sweep.json``, which says what its jobs are, and a folder a job. Whatever
runs a job, everything about it is in its folder: what it has become is read there.
"""
