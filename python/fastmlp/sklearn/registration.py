"""Registration of the estimators with packages that convert those of scikit-learn."""

from fastmlp._extras import require


def register_skl2onnx() -> None:
    """Register converters of `MLPClassifier` and `MLPRegressor` with skl2onnx.

    After this call ``skl2onnx.to_onnx`` and ``convert_sklearn`` convert them alone, in pipelines
    and in other estimators: all activations and losses, several outputs and labels, with skl2onnx's
    options for classifiers (``zipmap``, ``output_class_labels``, ``nocl``). The graph computes in
    double precision if its input is of doubles, otherwise in single precision. Regressors return
    (n, N), also for one output.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> register_skl2onnx()  # doctest: +SKIP
    >>> skl2onnx.to_onnx(pipeline, X[:1].astype("float32"))  # doctest: +SKIP
    """
    require("skl2onnx", "register_skl2onnx", "skl2onnx")
    from fastmlp.sklearn.converters import register  # noqa: PLC0415  (not in every installation)

    register()
