"""Further model families: scikit-learn estimators under short names, and any estimator by ``module:Class``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from typing import Any

from synthgate.errors import GateFileError, nearest
from synthgate.measures.utility.bag import Bag


@dataclass(frozen=True, slots=True)
class Named:
    """A pair of scikit-learn estimators.

    Attributes
    ----------
    module, classifier, regressor : str
    reads_codes : bool
        Whether it reads level numbers and missing values as they are, as trees do, rather than a scaled matrix.
    settings : dict
        Arguments of both.
    trees : int
        Of a forest of them; 0 for one alone.
    title : str
        What reports call it.
    """

    module: str
    classifier: str
    regressor: str
    title: str
    reads_codes: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    trees: int = 0


NAMED: Mapping[str, Named] = {
    "forest": Named(
        "sklearn.tree", "DecisionTreeClassifier", "DecisionTreeRegressor", "a random forest", reads_codes=True,
        settings={"min_samples_leaf": 3, "max_features": "sqrt"}, trees=100,
    ),
    "extra_trees": Named(
        "sklearn.tree", "ExtraTreeClassifier", "ExtraTreeRegressor", "a forest of random trees", reads_codes=True,
        settings={"min_samples_leaf": 3, "max_features": "sqrt"}, trees=100,
    ),
    "tree": Named(
        "sklearn.tree", "DecisionTreeClassifier", "DecisionTreeRegressor", "a decision tree", reads_codes=True,
        settings={"max_depth": 8, "min_samples_leaf": 10},
    ),
    "neighbours": Named(
        "sklearn.neighbors", "KNeighborsClassifier", "KNeighborsRegressor", "nearest neighbours",
        settings={"n_neighbors": 15, "algorithm": "brute"},
    ),
    "naive_bayes": Named("sklearn.naive_bayes", "GaussianNB", "", "naive Bayes"),
    "neural_network": Named(
        "sklearn.neural_network", "MLPClassifier", "MLPRegressor", "a small neural network",
        settings={"hidden_layer_sizes": (32,), "max_iter": 60},
    ),
    "quick_forest": Named(
        "sklearn.tree", "DecisionTreeClassifier", "DecisionTreeRegressor", "a small random forest", reads_codes=True,
        settings={"min_samples_leaf": 4, "max_features": "sqrt"}, trees=24,
    ),
}  # fmt: skip


def reads_codes(family: str) -> bool:
    """Tell whether a family reads level numbers and missing values as they are."""
    return family in NAMED and NAMED[family].reads_codes


def title(family: str) -> str:
    """Return what reports call a family."""
    return NAMED[family].title if family in NAMED else family.rpartition(":")[2]


def fits(family: str, *, classes: bool) -> bool:
    """Tell whether a family can predict classes (or numbers)."""
    if family in NAMED:
        return bool(NAMED[family].classifier if classes else NAMED[family].regressor)
    if ":" not in family:
        return True
    kind = find_estimator(family)
    return hasattr(kind, "predict_proba") if classes else not hasattr(kind, "predict_proba")


def make_estimator(family: str, *, classes: bool, seed: int) -> Any:
    """Return a new estimator of a family.

    Raises
    ------
    GateFileError
        When there is no such family or class.
    """
    if family in NAMED:
        named = NAMED[family]
        kind = getattr(import_module(named.module), named.classifier if classes else named.regressor)
        settings = dict(named.settings)
        if named.trees:
            return Bag(kind, named.trees, seed, **settings)
    else:
        kind, settings = find_estimator(family), {}
    if "random_state" in signature(kind).parameters:
        settings["random_state"] = seed
    return kind(**settings)


def find_estimator(path: str) -> Any:
    """Import the class that ``module:Class`` names.

    A gate file may name one only with ``allow_code: true``, which is checked where it is read.

    Raises
    ------
    GateFileError
        When it cannot be imported, or cannot be fitted.
    """
    where = "models"
    module, _, name = path.partition(":")
    if not name:
        raise GateFileError(where, f"unknown model {path!r}", nearest(path, ("boosting", "linear", *NAMED)))
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        fix = "write it as module:Class, such as sklearn.ensemble:AdaBoostClassifier, and install what it needs"
        raise GateFileError(where, f"the model {path!r} cannot be imported: {error}", fix) from error
    if not (isinstance(kind, type) and hasattr(kind, "fit") and hasattr(kind, "predict")):
        raise GateFileError(where, f"{path!r} is no estimator: it has no fit and predict", "name a class that has both")
    return kind
