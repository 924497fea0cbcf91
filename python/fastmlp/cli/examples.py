"""The examples that `--help` shows at its end."""

import argparse
from typing import Final

EXAMPLES: Final = {
    "": (
        "fastmlp train digits                    handwritten digits, from scikit-learn",
        "fastmlp train flowers.csv --target species --save flowers.safetensors",
        "fastmlp predict flowers.safetensors new.csv",
        "fastmlp COMMAND --help                  the options of a command",
    ),
    "train": (
        "fastmlp train flowers.csv --target species --save flowers.safetensors",
        "fastmlp train houses.csv --target price --drop address,agent --networks 8",
        "fastmlp train visits.parquet --target returned --group patient --plot report.png",
        "fastmlp train data.npz --json           arrays X and y; one JSON object",
    ),
    "predict": (
        "fastmlp predict flowers.safetensors new.csv --output answers.csv",
        "fastmlp predict flowers.safetensors new.csv --proba",
    ),
    "evaluate": ("fastmlp evaluate flowers.safetensors test.csv",),
    "describe": ("fastmlp describe flowers.safetensors",),
    "bench": ("fastmlp bench --threads 2 --json > bench.json",),
}
"""By command; those of the program itself are the first."""


def examples(command: str = "") -> str:
    """Return them, as the end of `--help`."""
    return "examples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[command])


class Formatter(argparse.HelpFormatter):
    """Wraps all texts but the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)
