"""How good forecasts are: over rolling origins, on published series and on any others.

What is told at an origin, with its intervals, is chosen by what was known at it alone. Per series:
MASE, errors in those of seasonal naive on the same steps, how much the intervals held, seconds of
computing per fit (of all methods, at one origin), and whether it would be shown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from tracking.bench.report import Report

# Several threads for small matrices only wait for one another.
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--series",
        type=Path,
        nargs="+",
        help="measure these instead: CSV of a time (full hours or days, UTC) and a count per line",
    )
    parser.add_argument(
        "--told", type=Path, help="write what was told at each origin as CSV, to be judged anew"
    )


def run(options: dict[str, Any]) -> Report:
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    # only now: numpy counts threads when it is loaded, and all of it takes seconds
    from tracking.bench.forecasting import measure

    report = Report("forecast")
    measure(report, options["series"] or (), options["told"])
    return report
