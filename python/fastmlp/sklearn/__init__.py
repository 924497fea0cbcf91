"""scikit-learn's multilayer perceptrons on the compiled core: change one import.

>>> from fastmlp.sklearn import MLPClassifier, MLPRegressor

The estimators have the constructor, the attributes, the methods, the messages and the defaults of
scikit-learn's own, draw the same random numbers in the same order, and follow the same trajectories
up to rounding, in a fraction of the time. Additional features are keyword arguments after
scikit-learn's own.

Needs scikit-learn: ``pip install 'fastmlp[sklearn]'``.
"""

from fastmlp.sklearn.classifier import MLPClassifier
from fastmlp.sklearn.conversion import to_sklearn
from fastmlp.sklearn.ensembles import MLPEnsembleClassifier, MLPEnsembleRegressor
from fastmlp.sklearn.registration import register_skl2onnx
from fastmlp.sklearn.regressor import MLPRegressor
from fastmlp.sklearn.searches import GridSearchCV, RandomizedSearchCV

__all__ = [
    "GridSearchCV",
    "MLPClassifier",
    "MLPEnsembleClassifier",
    "MLPEnsembleRegressor",
    "MLPRegressor",
    "RandomizedSearchCV",
    "register_skl2onnx",
    "to_sklearn",
]
