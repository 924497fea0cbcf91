"""The command ``fastmlp``: its options and exit codes.

Exit codes: 0 success; 1 training diverged, or the output could not be written; 2 invalid options or
data; 130 interrupted by Ctrl-C. An error is one line on standard error.

Over 400 lines, as every option is written out.
"""

import argparse
import csv
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from fastmlp import __version__
from fastmlp._validation import brief
from fastmlp.cli import answers, bench, launched, outputs
from fastmlp.cli.examples import Formatter, examples
from fastmlp.cli.report import Report
from fastmlp.cli.train import OPTIMIZERS, Experiment, Settings
from fastmlp.config import show_config
from fastmlp.errors import DivergenceError
from fastmlp.layers import ACTIVATIONS
from fastmlp.tables.plots import check_plot

_DEFAULTS = Settings()
_ACTIVATIONS = tuple(name for name in ACTIVATIONS if name != "softmax")
_BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports for other tools


class _Parser(argparse.ArgumentParser):
    """A parser that raises errors for `main` to print, on one line like all others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Formatter} | options)

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the name of the program; None means those of the process.

    Returns
    -------
    int
        The exit code.
    """
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except (ImportError, KeyboardInterrupt, MemoryError, OSError, ValueError) as error:
        message, code = _explained(error)
        if launched.reports():
            print(f"fastmlp: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _run(argv: Sequence[str] | None) -> int:
    if hasattr(sys.stdout, "reconfigure"):
        # File names and labels may have characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit:
        return 0  # --help or --version has printed
    arguments.command(arguments)
    return 0


def _explained(error: BaseException) -> tuple[str, int]:
    """Return the message for a failure, and the exit code."""
    match error:
        case KeyboardInterrupt():
            return str(error) or "interrupted", 130
        case DivergenceError():
            return (
                f"training diverged in epoch {error.epoch}: with a learning rate of "
                f"{error.learning_rate:g} the loss became {error.loss}; "
                f"try --learning-rate {error.learning_rate / 10:g}"
            ), 1
        case MemoryError():
            return f"not enough memory: {error}", 2
        case OSError(filename=None):
            _discard_output()
            return f"the output cannot be written: {error.strerror}", 1
        case OSError():
            return f"{error.filename}: {error.strerror}", 2
        case _:
            # Invalid data or settings: the library's messages name them.
            return str(error), 2


def _discard_output() -> None:
    # Python flushes standard output again at exit; this discards what cannot be written.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@launched.errors_of_ranks()
def _train(arguments: argparse.Namespace) -> None:
    settings = Settings(
        **{field.name: getattr(arguments, field.name) for field in fields(Settings)}
    )
    comm = launched.communicator()
    if comm is not None and comm.Get_rank() > 0:
        launched.train_along(settings, comm)
        return

    def begin(threads: int) -> Experiment:
        return _experiment(arguments, settings, comm, threads)

    if comm is None:
        experiment = begin(settings.threads or 0)
    else:
        experiment = launched.prepared(begin, settings, comm)
    with answers.notes_on_stderr(lambda: experiment.model.notes):
        report = _saving(experiment, arguments)
    print(report.to_json() if arguments.json else f"\n{report.to_text()}")
    if arguments.plot is not None:
        experiment.plot(arguments.plot, report)


def _experiment(
    arguments: argparse.Namespace, settings: Settings, comm: Any, threads: int
) -> Experiment:
    """Return the experiment, once it is certain that its results can be written."""
    if arguments.plot is not None:
        check_plot(arguments.plot)
    inputs = (arguments.data, arguments.test)
    if arguments.save is not None:
        outputs.check_model(arguments.save, inputs)
    if arguments.plot is not None:
        outputs.check_path(arguments.plot, inputs)
    on_terminal = not arguments.json and sys.stderr is not None and sys.stderr.isatty()
    return Experiment(arguments.data, settings, int(on_terminal), comm, threads)


def _saving(experiment: Experiment, arguments: argparse.Namespace) -> Report:
    """Run an experiment and save its model, also if it was interrupted."""

    def tell(text: str) -> None:
        if not arguments.json:
            print(text, flush=True)

    try:
        report = experiment.run(tell)
    except KeyboardInterrupt:
        if arguments.save is not None and (epochs := experiment.save_best(arguments.save)):
            message = f"interrupted: {arguments.save} has the model of epochs {epochs}"
            raise KeyboardInterrupt(message) from None
        raise
    if arguments.save is not None:
        experiment.model.save(arguments.save)
        tell(f"\nsaved as {arguments.save}")
    return report


def _predict(arguments: argparse.Namespace) -> None:
    if arguments.output is not None:
        outputs.check_csv(arguments.output, (arguments.model, arguments.data))
    answers.predict(arguments.model, arguments.data, arguments.output, proba=arguments.proba)


def _evaluate(arguments: argparse.Namespace) -> None:
    answers.evaluate(arguments.model, arguments.data, arguments.weight, as_json=arguments.json)


def _describe(arguments: argparse.Namespace) -> None:
    answers.describe(arguments.model, as_json=arguments.json)


def _info(_arguments: argparse.Namespace) -> None:
    show_config()


def _bench(arguments: argparse.Namespace) -> None:
    bench.run(arguments.threads, arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastmlp",
        description="Train multilayer perceptrons on the CPU, fast.",
        epilog=examples(),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train on data, and test", allow_abbrev=False))
    _add_answers(commands)
    info = commands.add_parser("info", help="show version, instruction set and threads")
    info.set_defaults(command=_info)
    _add_bench(commands.add_parser("bench", help="measure the speed of training on this machine"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train networks on one part of a table and test them on the rest. What is learned of each "
        "column is decided by its cells and printed. The task is guessed if not given: text, or "
        "whole numbers of at most 20 different values, mean classification; other numbers mean "
        "regression."
    )
    parser.epilog = examples("train")
    parser.set_defaults(command=_train)
    add = parser.add_argument
    add(
        "data",
        help="a file of CSV, TSV, JSON lines, Excel, Parquet, Arrow, ARFF, svmlight, .npy or .npz, "
        "also compressed; a folder or a pattern of such files; or digits, which come with "
        "scikit-learn",
    )
    _add_columns(parser)
    add("--task", choices=("classification", "regression"), help="what to learn")
    _add_networks(add)
    add(
        "--test-fraction",
        type=_share,
        default=_DEFAULTS.test_fraction,
        metavar="SHARE",
        help="share of the rows to test on, between 0 and 1 (default: %(default)s)",
    )
    # The former name of the option, for existing scripts.
    add("--test-share", dest="test_fraction", type=_share, default=argparse.SUPPRESS,
        help=argparse.SUPPRESS)  # fmt: skip
    add("--test", metavar="FILE", help="a table to test on instead")
    add("--threads", type=_integer(1), metavar="N", help="upper limit of threads (default: all)")
    add("--save", metavar="MODEL", help="the file to save the model to, for predict and the others")
    add("--plot", metavar="FILE", help="a picture of losses and answers, such as report.png")
    add("--json", action="store_true", help="print one JSON object and nothing else")


def _add_networks(add: Callable[..., Any]) -> None:
    """Add the options of the networks, of their training, and the seeds."""
    add(
        "--hidden",
        type=_sizes,
        default=_DEFAULTS.hidden,
        metavar="N,N,...",
        help="nodes of the hidden layers (default: 128,64)",
    )
    add(
        "--activation",
        choices=_ACTIVATIONS,
        default=_DEFAULTS.activation,
        help="of the hidden layers (default: %(default)s)",
    )
    add(
        "--numbers",
        choices=("piecewise", "standardized"),
        default=_DEFAULTS.numbers,
        help="their encoding; with standardized and --networks 1, C and C++ can load a model of a "
        "table of numbers (default: %(default)s)",
    )
    for option, kind, meaning in (
        ("--networks", _integer(1), "networks to take the mean of"),
        ("--epochs", _integer(1, 2**32 - 1), "times to go through the data at most"),
        ("--batch-size", _integer(1), "samples per step"),
        ("--seed", _integer(0, 2**64 - 1), "of initial weights and order of samples"),
        ("--split-seed", _integer(0, 2**64 - 1), "of the split into training and test part"),
        ("--dropout", _fraction, "share of the hidden nodes that each step leaves out"),
    ):
        default = getattr(_DEFAULTS, option[2:].replace("-", "_"))
        automatic = "0.25 of classes, 0.1 of numbers" if option == "--dropout" else "by the rows"
        shown = automatic if default is None else default
        help_text = f"{meaning} (default: {shown})"
        add(option, type=kind, default=default, metavar="N", help=help_text)
    add(
        "--optimizer",
        choices=OPTIMIZERS,
        default=_DEFAULTS.optimizer,
        help="how a gradient changes the parameters (default: %(default)s)",
    )
    add(
        "--learning-rate",
        type=_rate,
        metavar="RATE",
        help="size of a step (default: for adamw and adam 0.004 for numbers and 0.01 for classes, "
        "for sgd 0.05, for rmsprop 0.001)",
    )


def _add_answers(commands: Any) -> None:
    """Add the commands that use a saved model."""
    data = "a table of any kind that train reads, with the columns of the training"
    for name, command, what in (
        ("predict", _predict, "answer for the rows of a table"),
        ("evaluate", _evaluate, "compare the answers for a table with its target"),
        (
            "describe",
            _describe,
            "show what a model was trained on, or the layers of a saved network",
        ),
    ):
        parser = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        parser.epilog = examples(name)
        parser.set_defaults(command=command)
        saved = ", Network.save or Ensemble.save" if name == "describe" else ""
        parser.add_argument("model", help=f"what train --save wrote{saved}")
        if name != "describe":
            parser.add_argument("data", help=data)
        if name == "evaluate":
            parser.add_argument("--weight", metavar="COLUMN", help="the column of sample weights")
        if name == "predict":
            parser.add_argument(
                "--output", metavar="FILE", help="a CSV file (default: standard output)"
            )
            parser.add_argument(
                "--proba", action="store_true", help="write the probability of each class"
            )
        else:
            parser.add_argument("--json", action="store_true", help="print one JSON object only")


def _add_columns(parser: argparse.ArgumentParser) -> None:
    """Add the options that select rows and columns."""
    add = parser.add_argument
    add(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN",
        help="the column to learn, by its name, or of columns without names its number from 0; "
        "several times for several",
    )
    add("--features", type=_names, metavar="NAME,...", help="columns to learn from (default: all)")
    add(
        "--drop",
        type=_names,
        action="extend",
        default=[],
        metavar="NAME,...",
        help="columns not to learn from",
    )
    add("--weight", metavar="COLUMN", help="the column that says how much each row counts")
    add("--group", metavar="COLUMN", help="the column whose equal values stay in one part")
    add(
        "--missing-target",
        choices=("drop", "error"),
        default="drop",
        help="what to do with rows without a target (default: %(default)s)",
    )


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measure the FMA peak of this machine, and training of eight networks beside it, in under "
        "two minutes."
    )
    parser.epilog = examples("bench")
    parser.set_defaults(command=_bench)
    parser.add_argument(
        "--threads", type=_integer(1), default=1, metavar="N", help="threads (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object only")


def _integer(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    allowed = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            raise argparse.ArgumentTypeError(f"must be an integer {allowed}, got {brief(text)}")
        return number

    return convert


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(
            f"must be integers of at least 1 between commas, such as 64,64, got {brief(text)}"
        )
    return sizes


def _names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas; a name that contains a comma is quoted."""
    return tuple(next(csv.reader([text], skipinitialspace=True), []))


def _fraction(text: str) -> float:
    number = _real(text)
    if not 0.0 <= number < 1.0:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to below 1, got {brief(text)}")
    return number


def _rate(text: str) -> float:
    number = _real(text)
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, got {brief(text)}")
    return number


def _share(text: str) -> float:
    number = _real(text)
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and below 1, got {brief(text)}")
    return number


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
