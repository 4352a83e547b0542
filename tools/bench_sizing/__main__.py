"""What `fit` predicts against what vLLM logged: weights, cache, tokens, concurrency, and whether it started.

    make bench-sizing      (or: python -m tools.bench_sizing [--summary])

Rows: tests/sizing/kv_points.csv and measured.csv; configurations: tests/sizing/configs. Two baselines stand beside:
KAITO's rule and llm-d's constants, with the bytes per token counted here, so that only their overheads are compared.
"Left out" predicts each model with constants that are refitted without any row of that model; "in the range" counts the
measured figures that lie in the range that `fit` prints.
"""

from __future__ import annotations

import argparse

from .predictions import predictions
from .report import report, rows_lines


def main() -> None:
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tools.bench_sizing", description=description)
    parser.add_argument("--summary", action="store_true", help="without the single rows")
    options = parser.parse_args()
    predicted = predictions()
    if not options.summary:
        print("\n".join(rows_lines(predicted)), end="\n\n")
    print("\n".join(report(predicted)))


if __name__ == "__main__":
    main()
