"""What `fit` takes, `train_many` takes: every network ends with the bits of its own fit.

Over 400 lines, as every argument of `fit` is compared in the same way.
"""

import numpy as np
import pytest

import fastmlp as fm
from fastmlp import reference

COUNT = 5


def networks(dtype="float32", **settings):
    return [fm.Network([4, 6 + i % 2, 3], seed=i, dtype=dtype, **settings) for i in range(COUNT)]


def bootstraps(n=90, step=7):
    rng = np.random.default_rng(1)
    return [rng.integers(0, n, 40 + step * i) for i in range(COUNT)]


def assert_same(many, alone, results=None, expected=None):
    for i, (net, twin) in enumerate(zip(many, alone, strict=True)):
        assert np.array_equal(net.parameters, twin.parameters), i
        assert np.array_equal(net.statistics, twin.statistics), i
        assert (net.epoch, net.steps) == (twin.epoch, twin.steps), i
        for name in ("input_scale", "input_offset", "output_scale", "output_offset"):
            assert np.array_equal(getattr(net, name), getattr(twin, name)), name
    for got, want in zip(results or [], expected or [], strict=True):
        assert got.loss == want.loss
        assert got.validation_loss == want.validation_loss
        assert got.validation_accuracy == want.validation_accuracy
        assert got.validation_metrics == want.validation_metrics
        assert got.learning_rate == want.learning_rate
        assert (got.stopped_by, got.best_epoch) == (want.stopped_by, want.best_epoch)
        assert (got.samples, got.n_threads) == (want.samples, 1)


def stopping():
    return fm.EarlyStopping(patience=2)


@pytest.fixture(name="way", params=["in rounds", "one after another"])
def ways(monkeypatch, request):
    """Both ways of training networks that something follows after each epoch."""
    alone = request.param == "one after another"
    monkeypatch.setattr(
        fm.many.rounds._Pace, "is_slower_than_alone", lambda self, jobs, n_threads: alone
    )


OPTIONS = {
    "fraction": {"validation_fraction": 0.2},
    "metrics": {"validation_fraction": 0.3, "metrics": ["f1", "log_loss"]},
    "early stopping": {"validation_fraction": 0.3, "early_stopping": stopping, "epochs": 40},
    "on the loss": {"early_stopping": lambda: fm.EarlyStopping("loss", 1, 0.01), "epochs": 40},
    "class weights": {"class_weight": {0: 2.0, 2: 0.25}},
    "balanced": {"class_weight": "balanced", "validation_fraction": 0.2},
    "standardize": {"standardize": True, "validation_fraction": 0.2},
    "plateau": {
        "validation_fraction": 0.2,
        "optimizer": lambda: fm.SGD(fm.Plateau(0.5, patience=1)),
        "epochs": 12,
    },
    "cosine": {
        "validation_fraction": 0.2,
        "optimizer": lambda: fm.Adam(fm.CosineDecay(0.02)),
    },
    "ema": {"ema": 0.9, "validation_fraction": 0.2},
    "in order": {"shuffle": False, "validation_fraction": 0.2},
    "lbfgs": {"optimizer": lambda: fm.LBFGS(max_iterations=7), "validation_fraction": 0.2},
    "lbfgs, standardize": {"optimizer": lambda: fm.LBFGS(max_iterations=7), "standardize": True},
}


def made(options):
    return {k: v() if callable(v) else v for k, v in options.items()}


@pytest.mark.usefixtures("way")
@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
@pytest.mark.parametrize(
    ("each", "weight"),
    [
        (None, np.arange(90) % 4),
        (bootstraps(), np.arange(90) % 4),
        (bootstraps(step=0), None),  # of one size: side by side in the lanes of a vector
    ],
    ids=["weights", "weighted bootstraps", "bootstraps"],
)
@pytest.mark.parametrize("name", OPTIONS)
def test_bits_are_those_of_fit(blobs, dtype, name, each, weight):
    X, y = blobs
    many, alone = networks(dtype), networks(dtype)
    options = OPTIONS[name]
    results = fm.train_many(many, X, y, sample_weight=weight, rows=each, **made(options))
    expected = []
    for i, net in enumerate(alone):
        part = slice(None) if each is None else each[i]
        own = None if weight is None else weight[part]
        expected.append(net.fit(X[part], y[part], sample_weight=own, n_threads=1, **made(options)))
    assert_same(many, alone, results, expected)


def test_dropout_and_normalizations_in_rounds(blobs):
    X, y = blobs
    settings = {"dropout": 0.2, "normalization": "batch"}
    many, alone = networks(**settings), networks(**settings)
    results = fm.train_many(
        many, X, y, 3, 16, fm.Adam(), rows=bootstraps(), callbacks=print_nothing
    )
    expected = [
        net.fit(X[part], y[part], 3, 16, optimizer=fm.Adam())
        for net, part in zip(alone, bootstraps(), strict=True)
    ]
    assert_same(many, alone)
    assert [got.loss for got in results] == [want.loss for want in expected]


def print_nothing(nets, reports):
    assert len(nets) == len(reports) == COUNT


def test_float64_features_are_rounded_and_scaled_as_by_fit(blobs):
    X, y = blobs
    X = X.astype(np.float64) * 1e3 + 1e4
    for adapted in (False, True):
        many, alone = networks(), networks()
        for net in (*many, *alone) if adapted else ():
            net.adapt(X)
        fm.train_many(many, X, y, 2, rows=bootstraps(), standardize=not adapted)
        for net, part in zip(alone, bootstraps(), strict=True):
            net.fit(X[part], y[part], 2, standardize=not adapted)
        assert_same(many, alone)


@pytest.mark.parametrize("callbacks", [None, print_nothing])
def test_rows_that_each_scales_in_its_own_way_are_copied_for_some_at_a_time(
    blobs, monkeypatch, callbacks
):
    X, y = blobs
    many, alone, calls = networks(), networks(), []
    train = fm.many.jobs._core.train_many32
    monkeypatch.setattr(
        fm.many.jobs._core,
        "train_many32",
        lambda jobs, *a, **given: (calls.append(len(jobs)), train(jobs, *a, **given))[1],
    )
    monkeypatch.setattr(fm.many.jobs, "_FEW", 2)
    monkeypatch.setattr(fm.many.jobs, "_MOST_BYTES", 1)
    options = {"standardize": True, "sample_weight": np.arange(90) % 4 + 1}
    results = fm.train_many(
        many, X.astype(float), y, 2, rows=bootstraps(), callbacks=callbacks, **options
    )
    assert calls == ([2, 2, 1] if callbacks is None else [5, 5])
    for net, part, result in zip(alone, bootstraps(), results, strict=True):
        weight = options["sample_weight"][part]
        expected = net.fit(X[part], y[part], 2, standardize=True, sample_weight=weight)
        assert result.loss == expected.loss
    assert_same(many, alone)


def test_lanes_scale_features_as_they_read_them(dtype, rng):
    X = rng.standard_normal((70, 3)).astype(dtype)
    y, weight = X[:, :1].copy(), np.arange(70) % 3
    many, alone = (
        [fm.Network([3, 8, 1], output="identity", seed=i, dtype=dtype) for i in range(40)]
        for _ in range(2)
    )
    for nets in (many, alone):
        for i, net in enumerate(nets[1:]):  # the first one does not scale
            net.input_scale, net.input_offset = [0.5 + i / 20, 0.1, 0], [i / 20, -3, 1]
    fm.train_many(many, X, y, 3, 16, fm.SGD(0.01), sample_weight=weight)
    for net in alone:
        net.fit(X, y, 3, 16, fm.SGD(0.01), sample_weight=weight)
    assert_same(many, alone)


def test_each_scales_the_features_in_its_own_way(blobs):
    X, y = blobs
    many, alone = networks(), networks()
    for nets in (many, alone):
        for net, part in zip(nets, bootstraps(), strict=True):
            net.adapt(X[part])
    fm.train_many(many, X, y, 2)
    for net in alone:
        net.fit(X, y, 2)
    assert_same(many, alone)


def test_each_reads_the_targets_of_its_own_heads(blobs):
    X, y = blobs
    kind, number = fm.Head(3, "softmax"), fm.Head(1, "identity")

    def nets():
        of_each = ({"kind": kind, "value": number}, {"number": number, "label": kind})
        return [fm.Network([4, 6, fm.Heads(**heads)], seed=1) for heads in of_each]

    def largest(y, outputs):
        return float(outputs.max())

    options = {"validation_data": (X, (y, y)), "metrics": largest, "epochs": 3}
    many, alone = nets(), nets()
    results = fm.train_many(many, X, (y, y), **options)
    expected = [net.fit(X, (y, y), **options) for net in alone]
    assert_same(many, alone, results, expected)
    assert [got.head_losses for got in results] == [want.head_losses for want in expected]


@pytest.mark.parametrize("rows", [None, bootstraps()], ids=["all rows", "bootstraps"])
def test_heads_with_class_weights(blobs, rows):
    X, y = blobs
    targets = (y, X[:, :1])

    def nets():
        heads = fm.Heads(kind=fm.Head(3, "softmax"), value=fm.Head(1, "identity"))
        return [fm.Network([4, 6, heads], seed=i) for i in range(COUNT)]

    options = {"class_weight": {"kind": "balanced"}, "validation_fraction": 0.2, "epochs": 3}
    many, alone = nets(), nets()
    results = fm.train_many(many, X, targets, rows=rows, **options)
    expected = []
    for i, net in enumerate(alone):
        part = slice(None) if rows is None else rows[i]
        expected.append(net.fit(X[part], tuple(each[part] for each in targets), **options))
    assert_same(many, alone)
    for got, want in zip(results, expected, strict=True):
        assert got.head_losses == want.head_losses
        assert got.validation_metrics == want.validation_metrics


def test_arguments_for_each(blobs):
    X, y = blobs
    weights = [None, np.arange(90) + 1.0, None, np.ones(90), 1.0 / (np.arange(90) + 1)]
    classes = [None, "balanced", {1: 3.0}, None, "balanced"]
    data = [(X[i :: COUNT + 1], y[i :: COUNT + 1]) for i in range(COUNT)]
    stoppings = [None, True, fm.EarlyStopping("loss", 1), False, stopping()]
    optimizers = ["adam", fm.SGD(0.2), fm.SGD(fm.Plateau(0.3)), fm.RMSprop(), "sgd"]
    many, alone = networks(), networks()
    results = fm.train_many(
        many,
        X,
        y,
        6,
        optimizer=optimizers,
        sample_weight=weights,
        class_weight=classes,
        validation_data=data,
        early_stopping=stoppings,
    )
    expected = [
        net.fit(
            X,
            y,
            6,
            optimizer=optimizers[i],
            sample_weight=weights[i],
            class_weight=classes[i],
            validation_data=data[i],
            early_stopping=stopping() if i == 4 else stoppings[i],
        )
        for i, net in enumerate(alone)
    ]
    assert_same(many, alone)
    assert [r.validation_loss for r in results] == [e.validation_loss for e in expected]
    assert stoppings[4].best_epoch == results[4].best_epoch


def test_rows_are_not_copied(blobs, monkeypatch):
    X, y = blobs
    copies = []
    original = fm.model.samples.CheckedSamples.of_rows
    monkeypatch.setattr(
        fm.model.samples.CheckedSamples,
        "of_rows",
        lambda self, rows: copies.append(len(rows)) or original(self, rows),
    )
    fm.train_many(networks(), X, y, 1, rows=bootstraps())
    assert copies == []


def test_one_callback_follows_all_networks(blobs):
    X, y = blobs
    seen = []

    class Follower(fm.Callback):
        def on_fit_begin(self, networks):
            seen.append(("begin", len(networks)))

        def on_epoch_begin(self, networks, epoch):
            seen.append(("epoch", epoch))

        def on_epoch_end(self, networks, reports):
            seen.append([report and report.epoch for report in reports])
            return seen.count(("epoch", 4)) > 0

        def on_fit_end(self, networks, histories):
            seen.append([len(history.loss) for history in histories])

    early = [fm.EarlyStopping("loss", patience=1, min_delta=1e9), *[None] * (COUNT - 1)]
    results = fm.train_many(networks(), X, y, 9, callbacks=Follower(), early_stopping=early)
    ones = [1] * COUNT
    assert seen == [
        ("begin", COUNT),
        *(("epoch", 1), ones),
        *(("epoch", 2), [2] * COUNT),
        *(("epoch", 3), [None, *[3] * (COUNT - 1)]),
        *(("epoch", 4), [None, *[4] * (COUNT - 1)]),
        [2, *[4] * (COUNT - 1)],
    ]
    assert [r.stopped_by for r in results] == ["early_stopping", *["callback"] * (COUNT - 1)]


@pytest.mark.parametrize("kind", [list, np.array])
def test_a_callback_stops_single_networks(blobs, kind):
    X, y = blobs

    def stop(_, reports):
        epoch = next(report.epoch for report in reports if report)
        return kind([epoch == i + 1 for i in range(COUNT)])

    many, alone = networks(), networks()
    results = fm.train_many(many, X, y, 9, callbacks=[stop, lambda *_: None])
    for i, net in enumerate(alone):
        net.fit(X, y, i + 1)
    assert_same(many, alone)
    assert [(len(r.loss), r.stopped_by) for r in results] == [
        (i + 1, "callback") for i in range(COUNT)
    ]


@pytest.mark.parametrize("flags", [[True], np.zeros(COUNT + 1, bool), [[True, False]] * COUNT])
def test_flags_that_are_not_one_for_each_are_refused(blobs, flags):
    if len(flags) == COUNT:
        flags = [np.array(flag) for flag in flags]
    with pytest.raises((ValueError, TypeError), match="callbacks must return True to stop"):
        fm.train_many(networks(), *blobs, 2, callbacks=lambda *_: flags)


@pytest.mark.parametrize("verbose", [1, 2])
def test_progress_where_all_diverge(blobs, verbose, capsys):
    results = fm.train_many(
        networks(), *blobs, 3, optimizer=fm.SGD(1e30), verbose=verbose, on_divergence="return"
    )
    assert all(isinstance(result, fm.DivergenceError) for result in results)
    assert "loss" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"optimizer": "lbfgs", "callbacks": print}, ValueError),
        ({"checkpoint": "/dev/null/folder"}, OSError),
        ({"rows": [[0, 10**6]] * COUNT}, ValueError),
        ({"optimizer": fm.SGD(0.1), "callbacks": "busy"}, RuntimeError),
    ],
)
def test_names_of_features_are_not_learned_from_a_refused_training(blobs, arguments, error):
    frames = pytest.importorskip("pandas")
    X, y = blobs
    nets = networks()

    class Raises(fm.Callback):
        def on_fit_begin(self, _):
            raise RuntimeError("busy")

    if arguments.get("callbacks") == "busy":
        arguments = arguments | {"callbacks": Raises()}
    with pytest.raises(error):
        fm.train_many(nets, frames.DataFrame(X, columns=list("abcd")), y, 2, **arguments)
    assert [net.feature_names for net in nets] == [None] * COUNT


def test_names_of_features_are_learned_and_compared_by_each(blobs):
    frames = pytest.importorskip("pandas")
    X, y = blobs
    given, other = (frames.DataFrame(X, columns=list(names)) for names in ("abcd", "abdc"))
    nets = networks()
    fm.train_many(nets[:2], given, y, 1)
    assert [net.feature_names for net in nets] == [tuple("abcd")] * 2 + [None] * 3
    nets[4].fit(other, y, 1)
    for some, data in ((nets, None), (nets[2:4], [(given, y), (other, y)])):
        before = [net.parameters.tobytes() for net in nets]
        with pytest.raises(ValueError, match="another order"):
            fm.train_many(some, given, y, 1, validation_data=data)
        assert [net.parameters.tobytes() for net in nets] == before


def test_scaling_cannot_change_between_epochs(blobs):
    X, y = blobs

    def adapt(nets, _):
        nets[2].adapt(X)

    with pytest.raises(RuntimeError, match="scaling of features cannot change while"):
        fm.train_many(networks(), X, y, 3, callbacks=adapt)


@pytest.mark.usefixtures("way")
def test_validation_of_one_that_diverges(blobs):
    X, y = blobs
    options = {"validation_fraction": 0.2, "standardize": True, "on_divergence": "return"}
    rates = [fm.SGD(0.1), fm.SGD(1e30), fm.SGD(fm.LinearWarmup(1e30, 60)), *[fm.SGD(0.1)] * 2]
    many, alone = networks(), networks()
    results = fm.train_many(many, X, y, 3, 16, rates, **options)
    del options["on_divergence"]
    for i, (net, rate) in enumerate(zip(alone, rates, strict=True)):
        if i not in (1, 2):
            assert net.fit(X, y, 3, 16, rate, **options).loss == results[i].loss
            continue
        with pytest.raises(fm.DivergenceError) as caught:
            net.fit(X, y, 3, 16, rate, **options)
        assert str(caught.value) == str(results[i]).replace(f" of networks[{i}]", "")
    assert_same(many, alone)


def test_few_short_epochs_are_trained_one_after_another(blobs, monkeypatch):
    alone = []
    job = fm.many.jobs.Job
    train = job.train_alone
    monkeypatch.setattr(job, "train_alone", lambda job, n: (alone.append(job), train(job, n))[1])
    options = {"validation_fraction": 0.2, "n_threads": 1}
    many = [fm.Network([4, 65, 3], seed=i) for i in range(17)]  # too wide for lanes
    histories = fm.train_many(many[:16], *blobs, 3, **options)
    assert [each.model.core.seed for each in alone] == [*range(16)]
    assert histories[3] == fm.Network([4, 65, 3], seed=3).fit(*blobs, 3, validation_fraction=0.2)
    del alone[:]
    fm.train_many(many, *blobs, 3, **options)
    fm.train_many(many[:2], *blobs, 3, callbacks=lambda *_: None, **options)
    assert alone == []


def test_one_that_diverges_in_rounds_is_as_after_its_fit(blobs):
    X, y = blobs
    y = np.eye(3, dtype=np.float32)[y]

    def nets():
        return [fm.Network([4, 8, 3], output="identity", seed=i) for i in range(3)]

    rates = [fm.SGD(0.1), fm.SGD(fm.LinearWarmup(10.0, 60)), fm.SGD(1e30)]
    many, alone = nets(), nets()
    options = {"validation_fraction": 0.2, "standardize": True, "batch_size": 30}
    results = fm.train_many(
        many,
        X,
        y,
        30,
        optimizer=rates,
        on_divergence="return",
        callbacks=lambda *_: None,
        **options,
    )
    assert alone[0].fit(X, y, 30, optimizer=rates[0], **options).loss == results[0].loss
    for i in (1, 2):
        with pytest.raises(fm.DivergenceError) as caught:
            alone[i].fit(X, y, 30, optimizer=rates[i], **options)
        assert str(caught.value) == str(results[i]).replace(f" of networks[{i}]", "")
    assert_same(many, alone)
    assert many[1].epoch > 1
    assert (many[2].epoch, many[2].input_scale) == (0, None)


class TestCheckpoints:
    @pytest.mark.usefixtures("way")
    @pytest.mark.parametrize("kind", ["folder", "files"])
    def test_a_run_that_stops_is_resumed(self, blobs, tmp_path, kind):
        X, y = blobs
        path = tmp_path / "run" / "folder"
        files = [tmp_path / f"{i}.ckpt" for i in range(COUNT)]
        given = path if kind == "folder" else files
        options = {"validation_fraction": 0.2, "early_stopping": True}

        class StopError(Exception):
            pass

        def stop(nets, reports):
            if reports[0].epoch == 3:
                raise StopError

        with pytest.raises(StopError):
            fm.train_many(networks(), X, y, 6, checkpoint=given, callbacks=stop, **options)
        many, alone = networks(), networks()
        results = fm.train_many(many, X, y, 6, checkpoint=given, **options)
        expected = [net.fit(X, y, 6, **options) for net in alone]
        assert_same(many, alone)
        assert [r.loss for r in results] == [e.loss for e in expected]
        assert len(results[0].loss) == 6
        if kind == "folder":
            assert sorted(file.name for file in path.iterdir()) == [
                f"{i}.ckpt" for i in range(COUNT)
            ]
            files = [path / f"{i}.ckpt" for i in range(COUNT)]
        fit = networks()[2]
        history = fit.fit(X, y, 6, checkpoint=files[2], **options)  # it is the file of a fit
        assert history.loss == expected[2].loss

    def test_those_without_a_seed_hold_out_the_same_rows(self, blobs, tmp_path):
        options = {"validation_fraction": 0.2, "checkpoint": tmp_path}
        fm.train_many(networks(), *blobs, 2, **options)
        plain = networks()
        nets = [fm.Network([4, 6 + i % 2, 3]) for i in range(COUNT)]
        results = fm.train_many(nets, *blobs, 4, **options)
        expected = [net.fit(*blobs, 4, validation_fraction=0.2) for net in plain]
        assert_same(nets, plain, results, expected)

    @pytest.mark.usefixtures("way")
    def test_runs_of_different_length_go_on(self, blobs, tmp_path):
        X, y = blobs
        files = [tmp_path / f"{i}.ckpt" for i in range(COUNT)]
        for i, net in enumerate(networks()[:3]):
            net.fit(X, y, i + 1, checkpoint=files[i])
        many, alone = networks(), networks()
        fm.train_many(many, X, y, 5, checkpoint=files)
        for net in alone:
            net.fit(X, y, 5)
        assert_same(many, alone)

    def test_a_file_of_another_fit_changes_nothing(self, blobs, tmp_path):
        X, y = blobs
        files = [tmp_path / f"{i}.ckpt" for i in range(COUNT)]
        networks()[0].fit(X, y, 2, checkpoint=files[0])
        networks()[1].fit(X, y, 2, 16, checkpoint=files[1])
        many, fresh = networks(), networks()
        with pytest.raises(ValueError, match="batch_size was 16"):
            fm.train_many(many, X, y, 5, checkpoint=files)
        assert_same(many, fresh)


@pytest.mark.parametrize("verbose", [1, 2])
def test_progress(blobs, capsys, verbose):
    pytest.importorskip("tqdm")
    fm.train_many(networks(), *blobs, 2, verbose=verbose, validation_fraction=0.2)
    shown = capsys.readouterr()
    assert "loss" in shown.err
    assert "accuracy" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rows": 5}, TypeError, "rows must be a sequence with row numbers for each"),
        ({"rows": "all"}, TypeError, "rows must be a sequence with row numbers for each"),
        ({"rows": [np.ones(60, bool)] * 5}, TypeError, "pass np.flatnonzero"),
        ({"rows": [[[0], [1, 2]]] * 5}, TypeError, "rows.0. must be a vector of integers"),
        ({"rows": [np.ma.masked_equal([0, 1], 1)] * 5}, TypeError, "rows.0. has masked values"),
        ({"sample_weight": [None]}, ValueError, "sample_weight has 1 items for 5 networks"),
        (
            {"sample_weight": np.arange(90) < 50, "rows": [[*range(50)]] * 4 + [[50, 89]]},
            ValueError,
            r"rows\[4\] holds only samples whose sample_weight is 0",
        ),
        ({"class_weight": ["balanced"]}, ValueError, "class_weight has 1 items"),
        ({"validation_data": [None]}, ValueError, "validation_data has 1 items"),
        ({"early_stopping": [True, False]}, ValueError, "early_stopping has 2 items"),
        ({"early_stopping": [fm.EarlyStopping("loss")] * 5}, ValueError, "one is twice"),
        ({"early_stopping": True}, ValueError, "monitors 'validation_loss'"),
        ({"checkpoint": ["a", "b"]}, ValueError, "checkpoint has 2 items"),
        ({"checkpoint": ["a"] * 5}, ValueError, "one is twice"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be"),
        ({"callbacks": 3}, TypeError, "callbacks must be callable"),
        ({"callbacks": fm.EarlyStopping("loss")}, TypeError, "pass it as early_stopping"),
        ({"metrics": "f1"}, ValueError, "metrics are measured on validation"),
        ({"validation_fraction": 2.0}, ValueError, "validation_fraction must be"),
        ({"validation_fraction": 0.2, "validation_data": ()}, ValueError, "not both"),
        ({"class_weight": {5: 1.0}}, ValueError, "class_weight has the label 5"),
        ({"optimizer": "lbfgs", "callbacks": print}, ValueError, "which LBFGS does not have"),
        ({"shuffle": [[0, 1]]}, TypeError, "shuffle must be"),
        ({"verbose": 5}, ValueError, "verbose must be"),
        (
            {"rows": [[-1], [0], [0], [0], [0]]},
            ValueError,
            r"rows\[0\] .* got -1 at 0",
        ),
        ({"rows": [[0], [], [0], [0], [0]]}, (TypeError, ValueError), r"rows\[1\]"),
    ],
)
def test_bad_arguments_change_nothing(blobs, assert_unchanged, arguments, error, message):
    nets = networks()
    with assert_unchanged(nets[0], blobs[0]), pytest.raises(error, match=message):
        fm.train_many(nets, *blobs, **arguments)


def test_step_callbacks_are_refused(blobs):
    class Stepper(fm.Callback):
        def on_batch_end(self, network, step, loss):
            pass

    with pytest.raises(ValueError, match="Stepper has on_batch_end"):
        fm.train_many(networks(), *blobs, callbacks=Stepper())


def test_the_reference_takes_the_same():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((24, 3)), np.arange(24) % 2
    rows = [[*range(20)], [3, 3, *range(4, 22)]]
    weights = [None, (np.arange(24) % 3 + 1.0).tolist()]
    options = {
        "class_weight": [{1: 2.0}, "balanced"],
        "validation_fraction": 0.25,
        "early_stopping": True,
        "standardize": True,
    }
    results = []
    for library in (fm, reference):
        nets = [library.Network([3, 4, 2], seed=i, dtype="float64") for i in range(2)]
        given = (X, y) if library is fm else (X.tolist(), y.tolist())
        results.append(
            library.train_many(nets, *given, 3, 8, rows=rows, sample_weight=weights, **options)
        )
    # 12 steps of sums of at most 24 terms below 10, each rounded otherwise.
    rtol = 12 * 24 * 10 * np.finfo(float).eps
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours.loss, twin.loss, rtol=rtol)
        np.testing.assert_allclose(ours.validation_loss, twin.validation_loss, rtol=rtol)


@pytest.mark.filterwarnings("ignore::fastmlp.ConvergenceWarning")
def test_l_bfgs_that_diverges_leaves_the_others(rng):
    """As with the other optimizers, the error is an outcome of its network."""
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    nets = [fm.Network([3, 4, 1], output="identity", dtype="float64", seed=i) for i in range(3)]
    nets[1].parameters[:] = 1e200
    results = fm.train_many(nets, X, y, optimizer=fm.LBFGS(), on_divergence="return")
    assert [isinstance(result, fm.DivergenceError) for result in results] == [False, True, False]


def test_batch_normalization_needs_two_samples_in_any_epoch_of_all():
    """Not in the rest of the epochs, of which there is one in the last round."""
    x, y, weight = np.eye(8, 3), np.arange(8) % 2, np.arange(8) < 2
    for seed in range(12):
        net, twin = (fm.Network([3, 4, 2], normalization="batch", seed=seed) for _ in range(2))
        try:
            twin.fit(x, y, 4, 2, sample_weight=weight)
        except ValueError:
            continue
        fm.train_many([net], x, y, 4, 2, sample_weight=weight, callbacks=lambda *_: None)
        assert net.parameters.tobytes() == twin.parameters.tobytes()
