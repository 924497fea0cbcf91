"""What users of scikit-learn, PyTorch and Keras write is answered with our name for it."""

import copy
import os
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

pytestmark = pytest.mark.once

X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
LABELS = np.arange(30) % 3
REAL = X[:, :1]


def classifier(**options):
    return fm.Network([4, 5, 3], seed=1, **options)


def regressor(**options):
    return fm.Network([4, 5, 1], output="identity", seed=1, **options)


@pytest.mark.parametrize(
    ("argument", "theirs", "ours"),
    [
        ("activation", "swish", "silu"),
        ("activation", "ReLU", "relu"),
        ("activation", "LeakyReLU", "leaky_relu"),
        ("activation", "logistic", "sigmoid"),
        ("output", "linear", "identity"),
        ("output", "exponential", "exp"),
        ("loss", "categorical_crossentropy", "cross_entropy"),
        ("loss", "sparse_categorical_crossentropy", "cross_entropy"),
        ("loss", "CrossEntropyLoss", "cross_entropy"),
        ("loss", "log_loss", "cross_entropy"),
        ("loss", "bce", "binary_cross_entropy"),
        ("loss", "BCEWithLogitsLoss", "binary_cross_entropy"),
        ("loss", "mse", "mean_squared_error"),
        ("loss", "MSELoss", "mean_squared_error"),
        ("loss", "squared_error", "mean_squared_error"),
        ("loss", "mae", "mean_absolute_error"),
        ("loss", "L1Loss", "mean_absolute_error"),
        ("loss", "SmoothL1Loss", "huber"),
        ("normalization", "batch_norm", "batch"),
        ("normalization", "LayerNorm", "layer"),
        ("dtype", "torch.double", "float64"),
    ],
)
def test_values_of_a_network(argument, theirs, ours):
    with pytest.raises(ValueError, match=f"{argument} must be .*did you mean '{ours}'"):
        classifier(**{argument: theirs})


@pytest.mark.parametrize(
    ("make", "theirs", "ours"),
    [
        (classifier, "acc", "accuracy"),
        (classifier, "roc_auc", "auc"),
        (classifier, "f1_score", "f1"),
        (classifier, "sparse_categorical_accuracy", "accuracy"),
        (regressor, "mean_squared_error", "mse"),
        (regressor, "neg_mean_absolute_error", "mae"),
        (regressor, "r2_score", "r2"),
        (regressor, "RootMeanSquaredError", "rmse"),
    ],
)
def test_metrics(make, theirs, ours):
    net = make()
    y = LABELS if make is classifier else REAL
    with pytest.raises(ValueError, match=f"did you mean '{ours}'"):
        net.fit(X, y, validation_fraction=0.3, metrics=[theirs])


def test_monitors_and_series():
    data = {"validation_fraction": 0.3, "metrics": ["f1"]}
    for theirs, ours in {
        "val_loss": "validation_loss",
        "val_acc": "validation_accuracy",
        "val_f1": "validation_f1",
        "valid_loss": "validation_loss",
    }.items():
        with pytest.raises(ValueError, match=f"did you mean '{ours}'"):
            classifier().fit(X, LABELS, 1, early_stopping=fm.EarlyStopping(theirs), **data)
        history = classifier().fit(X, LABELS, 1, **data)
        with pytest.raises(KeyError, match=f"did you mean '{ours}'"):
            history[theirs]
    with pytest.raises(ValueError, match="needs validation_data"):
        classifier().fit(X, LABELS, 1, early_stopping=fm.EarlyStopping("val_loss"))


class ReLU:  # as of torch.nn
    __module__ = "torch.nn.modules.activation"

    def __call__(self, x): ...


def test_objects_of_other_libraries():
    with pytest.raises(TypeError, match="did you mean 'relu'"):
        classifier(activation=ReLU())
    with pytest.raises(TypeError, match="did you mean 'relu'"):
        classifier(activation=ReLU)
    loss = type("MSELoss", (ReLU,), {"__module__": "torch.nn"})
    with pytest.raises(TypeError, match="did you mean 'mean_squared_error'"):
        regressor(loss=loss())
    with pytest.raises(TypeError, match=r"f\(outputs, y, gradient\)"):
        regressor(loss=type("Odd", (ReLU,), {"__module__": "keras"})())
    adam = type("AdamW", (), {"__module__": "torch.optim"})
    with pytest.raises(TypeError, match=r"write fm.AdamW\(learning_rate"):
        classifier().fit(X, LABELS, optimizer=adam())


@pytest.mark.parametrize(
    ("call", "ours"),
    [
        (lambda: fm.Adam(lr=0.1), "learning_rate=..."),
        (lambda: fm.Adam(learning_rate_init=0.1), "learning_rate=..."),
        (lambda: fm.Adam(betas=(0.9, 0.99)), "beta_1=..., beta_2=..."),
        (lambda: fm.Adam(eps=1e-8), "epsilon=..."),
        (lambda: fm.SGD(clipnorm=1.0), "clip_norm=..."),
        (lambda: fm.SGD(nesterovs_momentum=True), "nesterov=..."),
        (lambda: fm.RMSprop(alpha=0.9), "rho=..."),
        (lambda: fm.LBFGS(max_iter=9), "max_iterations=..."),
        (lambda: fm.LBFGS(tol=9), "tolerance=..."),
        (lambda: fm.CosineDecay(0.1, T_max=9), "epochs=..."),
        (lambda: fm.StepDecay(0.1, step_size=9), "every=..."),
        (lambda: fm.ExponentialDecay(0.1, gamma=0.9), "factor=..."),
        (lambda: fm.OneCycle(0.1, pct_start=0.3), "rise=..."),
        (lambda: fm.Plateau(0.1, threshold=0.3), "min_delta=..."),
        (lambda: fm.EarlyStopping(restore_best_weights=True), "restore_best=..."),
        (lambda: fm.Checkpoint(filepath="x"), "path=..."),
        (lambda: fm.Dense(units=3), "nodes=..."),
        (lambda: fm.Dense(3, "relu", dropout_rate=0.1), "dropout=..."),
        (lambda: fm.Huber(detla=0.1), "delta=..."),
        (lambda: fm.Network(hidden_layer_sizes=(8,)), r"layers=\[features, ..., outputs\]"),
        (lambda: classifier(random_state=1), "seed=..."),
        (lambda: classifier(heads={}), r"layers=\[..., fm.Heads\(...\)\]"),
        (lambda: classifier(criterion="mse"), "loss=..."),
        (lambda: classifier(optimizer="adam"), r"fit\(optimizer=...\)"),
        (lambda: classifier(epochs=3), r"fit\(epochs=...\)"),
        (lambda: classifier(lr=3), r"fit\(optimizer=...\)"),
        (lambda: classifier().fit(X, LABELS, lr=0.1), r"optimizer=fm.SGD\(learning_rate=...\)"),
        (lambda: classifier().fit(X, LABELS, validation_split=0.1), "validation_fraction=..."),
        (lambda: classifier().fit(X, LABELS, n_epochs=1), "epochs=..."),
        (lambda: classifier().fit(X, LABELS, max_iter=1), "epochs=..."),
        (lambda: classifier().fit(X, LABELS, bs=1), "batch_size=..."),
        (lambda: classifier().fit(X, LABELS, loss="mse"), r"Network\(loss=...\)"),
        (lambda: classifier().fit(X, LABELS, patience=3), "early_stopping=fm.EarlyStopping"),
        (lambda: classifier().fit(x=X, y=LABELS), "X=..."),
        (lambda: classifier().fit(X, LABELS, random_state=1), r"Network\(seed=...\)"),
        (lambda: classifier().fit(X, LABELS, activation="tanh"), r"Network\(activation=...\)"),
        (lambda: fm.train_many([classifier()], X, LABELS, num_epochs=1), "epochs=..."),
    ],
)
def test_arguments(call, ours):
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '\w+'; write {ours}"):
        call()


def test_a_length_where_a_schedule_has_a_fraction():
    """As the second argument of PyTorch's CosineAnnealingLR and Keras' CosineDecay."""
    for schedule in (fm.CosineDecay, fm.OneCycle):
        with pytest.raises(ValueError, match=r"a fraction.*got 100: for a length write epochs=100"):
            schedule(0.1, 100)
    with pytest.raises(ValueError, match=r"final must be .*got 1\.5$"):
        fm.CosineDecay(0.1, 1.5)


def test_an_argument_like_nothing():
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'zzz'$"):
        fm.SGD(zzz=1)


def test_models_of_tables():
    with pytest.raises(TypeError, match="'random_state'; write seed="):
        fm.TabularModel(random_state=1)
    with pytest.raises(TypeError, match="'hidden_layer_sizes'; write hidden="):
        fm.TabularModel(hidden_layer_sizes=(8,))
    with pytest.raises(TypeError, match="'y'; write target="):
        fm.TabularModel().fit({"a": [1, 2]}, y="a")


@pytest.mark.parametrize(
    ("argument", "ours"),
    [("verbose", "verbose"), ("epochs", "epochs"), ("n_epochs", "epochs"), ("networks", "networks"),
     ("random_state", "seed"), ("hidden_layer_sizes", "hidden")],
)  # fmt: skip
def test_arguments_that_a_model_of_tables_takes_where_it_is_made(argument, ours):
    with pytest.raises(TypeError, match=rf"'{argument}'; write TabularModel\({ours}=...\)$"):
        fm.TabularModel().fit({"a": [1, 2]}, target="a", **{argument: 1})


def test_arguments_of_classes_that_users_derive():
    class Derived(fm.Network): ...

    class Other(fm.TabularModel):
        def __init__(self, depth):
            super().__init__([depth])

    with pytest.raises(TypeError, match=r"'random_state'; write Derived\(seed=...\)$"):
        Derived([4, 5, 3], seed=1).fit(X, LABELS, random_state=1)
    with pytest.raises(TypeError, match=r"'depth'; write Other\(depth=...\)$"):
        Other(3).fit({"a": [1, 2]}, target="a", depth=3)
    with pytest.raises(TypeError, match=r"argument 'zzz'$"):
        Other(3).fit({"a": [1, 2]}, target="a", zzz=3)


def test_an_argument_of_fit_is_not_sent_to_fit():
    with pytest.raises(TypeError, match=r"argument 'metrics'$"):
        fm.TabularModel().fit({"a": [1, 2]}, target="a", metrics=["f1"])


@pytest.mark.parametrize("table", ["houses.csv", Path("houses.csv"), {"area": [1.0, 2.0]}])
def test_a_table_where_its_model_is_made(table):
    with pytest.raises(TypeError, match=r"fit: TabularModel\(\).fit\(table, target=...\)$"):
        fm.TabularModel(table)


def test_sizes_without_brackets():
    with pytest.raises(TypeError, match=r"write Network\(\[4, 8, 2\]\)"):
        fm.Network(4, 8, 2)
    with pytest.raises(TypeError, match=r"write Network\(\[4, ...\]\)"):
        fm.Network(4)


@pytest.mark.parametrize(
    ("get", "ours"),
    [
        (lambda: classifier().fit(X, LABELS, 1).history, "metrics"),
        (lambda: fm.Sequential, "Network"),
        (lambda: fm.ReduceLROnPlateau, "Plateau"),
        (lambda: fm.MSELoss, "mean_squared_error"),
        (lambda: fm.read_csv, "TabularModel"),
        (lambda: classifier().predict_proba(X), "predict"),
        (lambda: classifier().score(X, LABELS), r"evaluate\(X, y\).accuracy"),
        (lambda: classifier().partial_fit(X, LABELS), "train_on_batch"),
        (lambda: classifier().load_state_dict({}), r"parameters\[:\]"),
        (lambda: classifier().coefs_, "weights"),
        (lambda: classifier().clone(), r"copy\(\)"),
        (lambda: classifier().polyak_update(classifier(), 0.1), "soft_update"),
        (lambda: fm.TabularModel().history, "histories"),
    ],
)
def test_attributes(get, ours):
    with pytest.raises(AttributeError, match=f"has no attribute '\\w+'; here it is: .*{ours}"):
        get()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero_grad", "backward replaces the gradients"),
        ("train", "fit trains, and predict does not"),
        ("cuda", r"it runs on CPUs, net.to_torch\(\) elsewhere"),
    ],
)
def test_what_is_not_needed(name, reason):
    with pytest.raises(AttributeError, match=f"a network has no attribute '{name}': {reason}$"):
        getattr(classifier(), name)


def test_a_series_of_a_history():
    with pytest.raises(KeyError, match="did you mean 'validation_accuracy'"):
        classifier().fit(X, LABELS, 1, validation_fraction=0.2)["accuracy"]


def test_attributes_that_are_not_there_are_not():
    history = classifier().fit(X, LABELS, 1)
    assert not hasattr(history, "_ipython_display_")
    assert not hasattr(classifier(), "predict_proba")
    with pytest.raises(AttributeError, match=r"a network has no attribute 'colour'$"):
        _ = classifier().colour
    for twin in (pickle.loads(pickle.dumps(history)), copy.copy(history)):
        assert twin.loss == history.loss


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW"), ("rmsprop", "RMSprop")],
)
def test_optimizers_by_name(name, kind):
    """A name is the optimizer with its defaults, wherever one is taken."""
    made = []
    for library in (fm, reference):
        for optimizer in (name, getattr(library, kind)()):
            fitted = library.Network([4, 5, 3], seed=1, dtype="float64")
            fitted.fit(X.tolist(), LABELS.tolist(), 2, optimizer=optimizer)
            stepped = library.Network([4, 5, 3], seed=1, dtype="float64")
            stepped.forward(X.tolist())
            stepped.backward(LABELS.tolist())
            stepped.update(optimizer)
            many = library.Network([4, 5, 3], seed=1, dtype="float64")
            library.train_many([many], X.tolist(), LABELS.tolist(), 2, optimizer=optimizer)
            made.append([list(net.parameters) for net in (fitted, stepped, many)])
    assert made[0] == made[1]
    assert made[2] == made[3]
    assert made[0][0] == made[0][2]


def test_lbfgs_by_name():
    pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    nets = [classifier(), classifier()]
    for net, optimizer in zip(nets, ("lbfgs", fm.LBFGS()), strict=True):
        net.fit(X, LABELS, optimizer=optimizer)
    assert (nets[0].parameters == nets[1].parameters).all()


def test_names_that_are_no_optimizer(assert_unchanged):
    net = classifier()
    net.forward(X)
    with assert_unchanged(net):
        with pytest.raises(ValueError, match=r"optimizer must be 'sgd'.*did you mean 'adam'"):
            net.fit(X, LABELS, optimizer="Adam")
        with pytest.raises(ValueError, match="LBFGS needs all samples"):
            net.update("lbfgs")
        for call in (net.update, lambda kind: net.fit(X, LABELS, optimizer=kind)):
            with pytest.raises(TypeError, match=r"write fm.Adam\(learning_rate=...\)"):
                call(fm.Adam)
            with pytest.raises(TypeError, match=r"write fm.LBFGS\(\)"):
                call(fm.LBFGS)


def test_solvers_of_estimators():
    sklearn = pytest.importorskip("fastmlp.sklearn", reason="scikit-learn is not installed")
    for name, optimizer in {"adamw": fm.AdamW(), "rmsprop": fm.RMSprop()}.items():
        named, given = (
            sklearn.MLPClassifier((5,), solver=solver, max_iter=3, random_state=1, tol=0)
            for solver in (name, optimizer)
        )
        with pytest.warns(match="Maximum iterations"):
            named.fit(X, LABELS)
        with pytest.warns(match="Maximum iterations"):
            given.fit(X, LABELS)
        assert (named.coefs_[0] == given.coefs_[0]).all()


TYPED = """
import numpy as np
import fastmlp as fm

net = fm.Network([4, fm.Dense(8, "tanh", "batch"), 3], "silu", "softmax", "cross_entropy")
fm.Network([4, 3], dtype=np.float64, normalization="layer")
fm.Network([4, 3], loss=fm.Huber(0.1), dtype="float32")
net.fit(np.ones((9, 4)), [0], optimizer="adamw", class_weight="balanced", metrics=["f1", "auc"])
net.fit(np.ones((9, 4)), [0], optimizer=fm.LBFGS(), metrics="top_5_accuracy", verbose=True)
net.update("adam")
fm.train_many([net], np.ones((9, 4)), [0], optimizer=["adam", fm.SGD(0.1)])
fm.EarlyStopping("validation_f1", mode="max")

fm.Network([4, 3], "rleu")  # type: ignore[arg-type]
fm.Network([4, 3], output="linear")  # type: ignore[arg-type]
fm.Network([4, 3], loss="mse")  # type: ignore[arg-type]
fm.Network([4, 3], dtype="float16")  # type: ignore[arg-type]
fm.Network([4, 3], normalization="batchnorm")  # type: ignore[arg-type]
fm.Dense(3, "swish")  # type: ignore[arg-type]
fm.EarlyStopping(mode="maximum")  # type: ignore[arg-type]
net.update("Adam")  # type: ignore[arg-type]
net.fit(np.ones((9, 4)), [0], optimizer="Adam")  # type: ignore[arg-type]
net.fit(np.ones((9, 4)), [0], metrics="acc")  # type: ignore[arg-type]
net.fit(np.ones((9, 4)), [0], class_weight="balance")  # type: ignore[arg-type]
net.fit(np.ones((9, 4)), [0], validation_split=0.1)  # type: ignore[call-arg]
fm.train_many([net], np.ones((9, 4)), [0], optimizer="lbgfs")  # type: ignore[arg-type]
fm.Adam(lr=0.1)  # type: ignore[call-arg]
net.compile()  # type: ignore[attr-defined]
"""


@pytest.mark.no_sanitizer
def test_a_type_checker_knows_the_names(tmp_path):
    """An unused ignore is an error too: each wrong name is found, and no right one."""
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    where = Path(fm.__file__).parents[1]
    # mypy looks into site-packages by itself and refuses it in MYPYPATH.
    path = "" if where.samefile(sysconfig.get_path("platlib")) else str(where)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MYPY_CACHE_DIR": str(tmp_path / "cache"), "MYPYPATH": path},
    )
    assert (done.returncode, done.stdout.splitlines()[:-1]) == (0, []), done.stdout + done.stderr
