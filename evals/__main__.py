"""``python -m evals``: see ``evals.lm.command``."""

from evals.lm.command import main

if __name__ == "__main__":
    main()
