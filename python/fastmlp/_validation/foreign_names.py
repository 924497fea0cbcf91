"""Names that users of scikit-learn, PyTorch and Keras bring, and ours: what an error suggests."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

_LIBRARIES: Final = frozenset(
    {"flax", "jax", "keras", "lightning", "optax", "sklearn", "skorch", "tensorflow", "torch"}
)

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    # activations
    "linear": ("identity",),
    "none": ("identity",),
    "logistic": ("sigmoid",),
    "swish": ("silu",),
    "hardsilu": ("hardswish",),
    "lrelu": ("leaky_relu",),
    "geluexact": ("gelu",),
    "gelupytorchtanh": ("gelu_tanh",),
    "geluapproximate": ("gelu_tanh",),
    "exponential": ("exp",),
    "rectifier": ("relu",),
    "softmaxcrossentropy": ("softmax", "cross_entropy"),
    # losses, and the metrics that are named like them
    "mse": ("mean_squared_error",),
    "l2": ("mean_squared_error",),
    "squarederror": ("mean_squared_error", "mse"),
    "meansquarederror": ("mean_squared_error", "mse"),
    "negmeansquarederror": ("mse",),
    "rootmeansquarederror": ("rmse",),
    "mae": ("mean_absolute_error",),
    "l1": ("mean_absolute_error",),
    "absoluteerror": ("mean_absolute_error", "mae"),
    "meanabsoluteerror": ("mean_absolute_error", "mae"),
    "negmeanabsoluteerror": ("mae",),
    "meanabsolutepercentageerror": ("mape",),
    "ce": ("cross_entropy", "log_loss"),
    "nll": ("cross_entropy", "log_loss"),
    "log": ("cross_entropy", "log_loss"),
    "neglog": ("log_loss",),
    "crossentropy": ("cross_entropy", "log_loss"),
    "categoricalcrossentropy": ("cross_entropy", "log_loss"),
    "sparsecategoricalcrossentropy": ("cross_entropy", "log_loss"),
    "bce": ("binary_cross_entropy", "log_loss"),
    "bcewithlogits": ("binary_cross_entropy", "log_loss"),
    "binarycrossentropy": ("binary_cross_entropy", "log_loss"),
    "binarycrossentropywithlogits": ("binary_cross_entropy", "log_loss"),
    "smoothl1": ("huber",),
    "pinball": ("quantile",),
    "poissonnll": ("poisson",),
    # metrics
    "acc": ("accuracy", "validation_accuracy"),
    "accuracy": ("validation_accuracy",),
    "binaryaccuracy": ("accuracy",),
    "categoricalaccuracy": ("accuracy",),
    "sparsecategoricalaccuracy": ("accuracy",),
    "topkcategoricalaccuracy": ("top_5_accuracy",),
    "sparsetopkcategoricalaccuracy": ("top_5_accuracy",),
    "rocauc": ("auc",),
    "auroc": ("auc",),
    "ap": ("average_precision",),
    "f1macro": ("f1",),
    # normalizations
    "bn": ("batch",),
    "batchnorm": ("batch",),
    "batchnorm1d": ("batch",),
    "batchnormalization": ("batch",),
    "ln": ("layer",),
    "layernorm": ("layer",),
    "layernormalization": ("layer",),
    # numbers
    "single": ("float32",),
    "float": ("float32",),
    "double": ("float64",),
}
"""What others call a choice, in lower case without separators, and what it is here. The first that
is allowed where it was said is suggested."""

_RATE: Final = ("learning_rate", "optimizer=fm.SGD(learning_rate=...)", "fit(optimizer=...)")
_EPOCHS: Final = ("epochs", "max_iterations", "fit(epochs=...)")
_LAYERS: Final = ("layers=[features, ..., outputs]", "nodes", "Network([features, ..., outputs])")
_PATIENCE: Final = ("patience", "early_stopping=fm.EarlyStopping(patience=...)")
_CLIP_NORM: Final = ("clip_norm", "optimizer=fm.Adam(clip_norm=...)")
_SEED: Final = ("seed", "Network(seed=...)")
_HIDDEN: Final = ("hidden", *_LAYERS)
_LOSS: Final = ("loss", "Network(loss=...)")

_KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("lr", "eta", "learning_rate", "learning_rate_init"), _RATE),
    **dict.fromkeys(("base_lr", "max_lr", "initial_learning_rate", "step_size_init"), _RATE),
    **dict.fromkeys(("n_epochs", "num_epochs", "nb_epoch", "max_epochs", "epoch"), _EPOCHS),
    **dict.fromkeys(("max_iter", "n_iter", "iterations", "maxiter", "T_max", "epochs"), _EPOCHS),
    **dict.fromkeys(("hidden_layer_sizes", "hidden", "hidden_layers", "hidden_sizes"), _HIDDEN),
    **dict.fromkeys(("hidden_size", "layer_sizes", "sizes", "input_dim", "n_features"), _LAYERS),
    **dict.fromkeys(("input_size", "input_shape", "output_size", "n_outputs"), _LAYERS),
    **dict.fromkeys(("units", "out_features", "width"), _LAYERS),
    **dict.fromkeys(("n_iter_no_change", "patience"), _PATIENCE),
    **dict.fromkeys(("clipnorm", "global_clipnorm", "max_norm", "max_grad_norm"), _CLIP_NORM),
    **dict.fromkeys(("gradient_clip_val", "grad_clip"), _CLIP_NORM),
    **dict.fromkeys(("random_state", "random_seed", "seed"), _SEED),
    **dict.fromkeys(("criterion", "loss_fn", "loss_func", "loss"), _LOSS),
    **dict.fromkeys(("validation_split", "val_split"), ("validation_fraction",)),
    **dict.fromkeys(("val_data", "eval_set", "validation_set"), ("validation_data",)),
    **dict.fromkeys(("bs", "minibatch_size"), ("batch_size",)),
    **dict.fromkeys(("optim", "opt", "solver", "optimizer"), ("optimizer", "fit(optimizer=...)")),
    **dict.fromkeys(("n_jobs", "num_threads", "workers", "threads"), ("n_threads",)),
    **dict.fromkeys(("progress", "verbosity", "verbose"), ("verbose", "fit(verbose=...)")),
    **dict.fromkeys(("sample_weights", "weights", "weight"), ("sample_weight",)),
    **dict.fromkeys(("scheduler", "lr_scheduler"), ("optimizer=fm.SGD(fm.CosineDecay(...))",)),
    **dict.fromkeys(("batch_norm", "batch_normalization", "norm"), ('normalization="batch"',)),
    **dict.fromkeys(("p", "rate", "drop", "dropout_rate"), ("dropout", "every", *_RATE)),
    **dict.fromkeys(("restore_best_weights", "load_best"), ("restore_best",)),
    **dict.fromkeys(("threshold", "tol"), ("tolerance", "min_delta", *_PATIENCE)),
    **dict.fromkeys(("gamma", "decay", "decay_rate"), ("factor", "rho", "weight_decay")),
    **dict.fromkeys(("eps", "epsilon"), ("epsilon", "tolerance")),
    **dict.fromkeys(("eta_min", "alpha_min"), ("final",)),
    **dict.fromkeys(("output_activation", "out_activation", "last_activation"), ("output",)),
    **dict.fromkeys(("filepath", "filename", "file"), ("path",)),
    **dict.fromkeys(("label", "label_column", "target_column", "y"), ("target",)),
    **dict.fromkeys(("n_estimators", "n_networks", "n_models"), ("networks",)),
    **dict.fromkeys(("warmup", "warmup_steps", "num_warmup_steps"), ("steps",)),
    "activations": ("activation",),
    "alpha": ("negative_slope", "rho", "final", "l2", "fit(optimizer=fm.SGD(l2=...))"),
    "slope": ("negative_slope",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "betas": ("beta_1=..., beta_2=...",),
    "batch_size": ("fit(batch_size=...)",),
    "callback": ("callbacks",),
    "class_weights": ("class_weight",),
    "clipvalue": ("clip_value",),
    "comm": ("fit(comm=...)",),
    "data": ("X",),
    "decay_steps": ("epochs",),
    "div_factor": ("initial",),
    "early_stop": ("early_stopping",),
    "gtol": ("tolerance",),
    "heads": ("layers=[..., fm.Heads(...)]",),
    "history_size": ("history",),
    "maxcor": ("history",),
    "metric": ("metrics",),
    "metrics": ("fit(metrics=...)",),
    "momentum": ("optimizer=fm.SGD(momentum=...)",),
    "nesterovs_momentum": ("nesterov",),
    "pct_start": ("rise",),
    "power_t": ("power",),
    "save_freq": ("every",),
    "step_size": ("every", *_RATE),
    "targets": ("y",),
    "total_steps": ("epochs",),
    "x": ("X",),
}
"""What others call an argument, and how it is written here. The first whose argument there is where
it was given is suggested, or one that names another place: ``fit(...)``, ``Network(...)``."""

_ATTRIBUTES: Final[dict[str, str]] = {
    # of histories
    "history": "metrics",
    **dict.fromkeys(("val_loss", "loss_val"), "validation_loss"),
    **dict.fromkeys(("accuracy", "acc", "val_accuracy", "val_acc"), "validation_accuracy"),
    "loss_curve_": "loss",
    # of the package
    **dict.fromkeys(("Sequential", "MLP", "Model", "Module", "NeuralNetwork"), "Network"),
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "fastmlp.sklearn"),
    **dict.fromkeys(("Linear", "Layer", "Input", "nn"), "Dense, or a number in Network([...])"),
    **dict.fromkeys(("BatchNorm1d", "BatchNormalization"), 'Dense(normalization="batch")'),
    **dict.fromkeys(("LayerNormalization",), 'Dense(normalization="layer")'),
    "Dropout": "Dense(dropout=...)",
    **dict.fromkeys(("RMSProp", "Rmsprop"), "RMSprop"),
    **dict.fromkeys(("optim", "optimizers"), "SGD, Adam, AdamW, RMSprop, LBFGS"),
    **dict.fromkeys(("CrossEntropyLoss", "CategoricalCrossentropy"), "CrossEntropy"),
    **dict.fromkeys(("SparseCategoricalCrossentropy",), "CrossEntropy"),
    **dict.fromkeys(("MSELoss", "MeanSquaredError"), 'loss="mean_squared_error"'),
    **dict.fromkeys(("L1Loss", "MeanAbsoluteError"), 'loss="mean_absolute_error"'),
    **dict.fromkeys(("BCELoss", "BinaryCrossentropy"), 'loss="binary_cross_entropy"'),
    **dict.fromkeys(("HuberLoss", "SmoothL1Loss"), "Huber"),
    "ModelCheckpoint": "Checkpoint",
    "ReduceLROnPlateau": "Plateau",
    **dict.fromkeys(("CosineAnnealingLR", "CosineAnnealing"), "CosineDecay"),
    **dict.fromkeys(("OneCycleLR",), "OneCycle"),
    **dict.fromkeys(("StepLR", "MultiStepLR"), "StepDecay"),
    **dict.fromkeys(("ExponentialLR",), "ExponentialDecay"),
    **dict.fromkeys(("LinearLR", "WarmUp", "Warmup"), "LinearWarmup"),
    **dict.fromkeys(
        ("read_csv", "read_parquet", "from_csv"), "TabularModel().fit(path, target=...)"
    ),
    **dict.fromkeys(("manual_seed", "set_seed", "random"), "the argument seed of Network"),
    **dict.fromkeys(("DataLoader", "Dataset", "TensorDataset"), "Stream, ArrayStream"),
}
"""What others call a method, an attribute or a name of the package, and what is here instead."""

_OF_NETWORKS: Final[dict[str, str]] = {
    "predict_proba": "predict",
    "decision_function": "predict",
    "score": "evaluate(X, y).accuracy",
    **dict.fromkeys(("partial_fit", "train_step", "learn"), "train_on_batch(X, y, optimizer)"),
    **dict.fromkeys(("state_dict", "get_weights", "get_params"), "parameters, weights, biases"),
    **dict.fromkeys(("load_state_dict", "set_weights"), "parameters[:] = ..., fm.from_state_dict"),
    **dict.fromkeys(("coefs_", "W", "kernel"), "weights"),
    **dict.fromkeys(("intercepts_", "b", "bias"), "biases"),
    **dict.fromkeys(("clone", "deepcopy"), "copy()"),
    **dict.fromkeys(("polyak_update", "update_target"), "soft_update(source, tau)"),
    "predict_row": "predict(x.reshape(1, -1))",
    "step": "update(optimizer)",
    "compile": "fit(optimizer=..., metrics=...) and Network(loss=...)",
    **dict.fromkeys(("history", "loss_", "loss_curve_"), "what fit returns, a History"),
    **dict.fromkeys(("grad", "grads"), "gradients, weight_gradients, bias_gradients"),
}
_NOT_OF_NETWORKS: Final[dict[str, str]] = {
    "zero_grad": "backward replaces the gradients",
    **dict.fromkeys(("train", "eval"), "fit trains, and predict does not"),
    **dict.fromkeys(("to", "cuda", "cpu", "device"), "it runs on CPUs, net.to_torch() elsewhere"),
}
"""What others need, and a network does not, with the reason."""

_OF_TABLE_MODELS: Final[dict[str, str]] = {
    "classes_": "classes",
    "feature_names_in_": "columns",
    **dict.fromkeys(("history", "history_"), "histories"),
}
"""What others call attributes of a model, and what is here instead."""

_Target = TypeVar("_Target", bound=Callable[..., Any])


def ours(text: str, allowed: Sequence[str]) -> str:
    """Return the name among `allowed` that others call `text`; an empty string if there is none."""
    measured = re.fullmatch(r"val(?:idation)?_(.+)", text)
    if measured:  # on the validation data
        of_validation = [name.removeprefix("validation_") for name in allowed if "_" in name]
        found = ours(measured[1], of_validation)
        return f"validation_{found}" if f"validation_{found}" in allowed else ""
    spelled = {_spelled(name): name for name in allowed}
    whole = _spelled(text)
    for key in (whole, re.sub("(loss|score|activation)$", "", whole)):
        for name in (spelled.get(key, ""), *_VALUES.get(key, ())):
            if name in allowed:
                return name
    return ""


def suggestion(value: object, allowed: Sequence[str]) -> str:
    """Write which of the names `allowed` may be meant: ``"; did you mean 'relu'?"``, or nothing.

    Parameters
    ----------
    value : object
        What came: a name, or a function, class or object of another library.
    allowed : sequence of str
        The names there are.
    """
    text = value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)
    found = ours(str(text).rpartition(".")[2], allowed)  # of torch.float64 the last part
    if not found and isinstance(value, str):
        import difflib  # noqa: PLC0415  (2 ms that only a mistake pays)

        found = next(iter(difflib.get_close_matches(value.lower(), allowed, n=1)), "")
    return f"; did you mean {found!r}?" if found else ""


def missing_attribute(owner: str, name: str) -> AttributeError:
    """Return the error of an attribute that `owner` does not have, with a hint at ours."""
    names = {"a network": _OF_NETWORKS, "a TabularModel": _OF_TABLE_MODELS}.get(owner, _ATTRIBUTES)
    if owner == "a network" and name in _NOT_OF_NETWORKS:
        return AttributeError(f"{owner} has no attribute {name!r}: {_NOT_OF_NETWORKS[name]}")
    hint = f"; here it is: {names[name]}" if name in names else ""
    return AttributeError(f"{owner} has no attribute {name!r}{hint}")


def is_foreign(value: object) -> bool:
    """Tell whether an object or function is one of another library for neural networks."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).partition(".")[0] in _LIBRARIES


def hints_at_arguments(target: _Target) -> _Target:
    """Decorate a function, or a class, whose unknown keyword arguments get a hint at ours."""
    entry = "__new__" if "__new__" in vars(target) else "__init__"
    function: Any = getattr(target, entry) if isinstance(target, type) else target
    known = _arguments(function)
    name = target.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def hinting(*args: Any, **kwargs: Any) -> Any:
        if not known.issuperset(kwargs):
            unknown = next(key for key in kwargs if key not in known)
            owner = type(args[0]) if "." in name and args else None
            hint = _argument_here(unknown, known) or _argument_elsewhere(unknown, name, owner)
            hint = hint or _argument_like(unknown, known)
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown!r}{hint}")
        return function(*args, **kwargs)

    if not isinstance(target, type):
        return hinting  # type: ignore[return-value]
    setattr(target, entry, hinting)
    return target


def _arguments(function: Any) -> frozenset[str]:
    """Return the names of the arguments of a function, also of one that gives hints."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if code is None:  # of C
        return frozenset()
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _ours_among(unknown: str, known: frozenset[str]) -> str:
    """Return how an argument that others call `unknown` is written, or nothing."""
    for found in _KEYWORDS.get(unknown, ()):
        word = re.match(r"\w+(?!\()\b", found)
        if word and word[0] in known:
            return found if "=" in found else f"{found}=..."
    return ""


def _argument_here(unknown: str, known: frozenset[str]) -> str:
    found = _ours_among(unknown, known)
    return f"; write {found}" if found else ""


def _argument_elsewhere(unknown: str, name: str, owner: type | None) -> str:
    """Write where an argument belongs: to the constructor of `owner`, to ``fit``, or nowhere."""
    if owner is not None:
        known = _arguments(owner.__init__)  # type: ignore[misc]
        found = f"{unknown}=..." if unknown in known else _ours_among(unknown, known)
        if found:
            return f"; write {owner.__name__}({found})"
    for found in _KEYWORDS.get(unknown, ()):
        place = found.partition("(")[0]
        if place in {"fit", "Network"} and not name.endswith(f".{place}"):
            return f"; write {found}"
    return ""


def _argument_like(unknown: str, known: frozenset[str]) -> str:
    import difflib  # noqa: PLC0415  (as above)

    near = difflib.get_close_matches(unknown.lower(), known - {"self"}, n=1)
    return f"; write {near[0]}=..." if near else ""


def _spelled(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
