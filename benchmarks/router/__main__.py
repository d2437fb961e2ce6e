"""`python -m benchmarks.router [fit]`: measure the router on icons it was not fitted on, or fit it."""

import argparse

from .fit import fit
from .score import score


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router", description=__doc__)
    parser.add_argument("task", nargs="?", choices=("score", "fit"), default="score")
    task = parser.parse_args().task
    fit() if task == "fit" else score()


if __name__ == "__main__":
    main()
