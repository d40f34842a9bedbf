"""The W&B side of tracking: the only package that imports wandb, and only when it is switched on.

``run.py`` holds one run; it asks ``connection.py`` whether the server can be had, ``layout.py``
how a metric is shown, ``artifacts.py`` and ``figures.py`` for what W&B is given, and hands every
call to ``courier.py``, so that none of them can hold a stage up.
"""
