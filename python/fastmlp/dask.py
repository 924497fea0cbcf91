"""Dask: predict partition by partition, and train many networks on the workers of a cluster.

Needs the extra `dask`: ``pip install 'fastmlp[dask]'``.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from fastmlp import _validation
from fastmlp._extras import require
from fastmlp.errors import DivergenceError
from fastmlp.history import History
from fastmlp.many.arguments import are_validation_data, are_weights, for_each, read_networks
from fastmlp.many.ensemble import Ensemble
from fastmlp.many.train_many import number_diverged
from fastmlp.many.train_many import train_many as local
from fastmlp.network import Network, model_of

__all__ = ["predict", "train_many"]

_PARTS_PER_THREAD = 2
"""More parts than threads, so that those that take long do not end last."""

_FOR_EACH = {
    "optimizer": None,
    "rows": None,
    "sample_weight": are_weights,
    "class_weight": None,
    "validation_data": are_validation_data,
    "early_stopping": None,
}
"""The arguments that may be sequences, and how they differ from one value for all."""


def predict(network: Network | Ensemble, X: Any) -> Any:
    """Compute the outputs for a Dask array or frame, partition by partition, when they are needed.

    Parameters
    ----------
    network : Network or Ensemble
        Its parameters are copied now: training it later does not change the result.
    X : dask.array.Array or dask.dataframe.DataFrame, shape (n, features)
        Samples. Each partition is a part of the rows, with all columns.

    Returns
    -------
    dask.array.Array, shape (n, N)
        The outputs, with the bits of ``network.predict``. Those for a frame have chunks of unknown
        length.

    Raises
    ------
    TypeError, ValueError
        If X is neither, or has another number of features than the network.
    """
    array = require("dask.array", "fastmlp.dask", "dask")
    if not isinstance(network, Network | Ensemble):
        raise TypeError(
            f"network must be a Network or an Ensemble, got {_validation.described(network)}"
        )
    one = network if isinstance(network, Network) else network[0]
    features = model_of(one).features
    delayed = require("dask", "fastmlp.dask", "dask").delayed
    is_array = isinstance(X, array.Array)
    is_frame = hasattr(X, "to_delayed") and hasattr(X, "columns")
    if not is_array and (not is_frame or isinstance(X, type(delayed(None)))):  # which has any name
        raise TypeError(f"X must be a Dask array or frame, got {_validation.described(X)}")
    if is_array and X.ndim != 2:
        raise ValueError(f"X must have shape (n, {features}), got {X.shape}")
    if (columns := X.shape[1] if is_array else len(X.columns)) != features:
        raise ValueError(f"X has {columns} features, but the network takes {features}")
    like = network.predict(np.zeros((1, features)))[:0]
    own = copy.deepcopy(network)
    if is_array:
        whole = X.rechunk({1: -1})  # rows with all their columns
        chunks = (whole.chunks[0], (like.shape[1],))
        return whole.map_blocks(own.predict, dtype=like.dtype, chunks=chunks, meta=like)
    run = delayed(own.predict)
    shape = (np.nan, like.shape[1])
    parts = [array.from_delayed(run(part), shape, meta=like) for part in X.to_delayed()]
    return array.concatenate(parts, allow_unknown_chunksizes=True)


def train_many(
    networks: Iterable[Network],
    X: Any,
    y: Any,
    *,
    client: Any = None,
    on_divergence: Literal["raise", "return"] = "raise",
    **arguments: Any,
) -> list[History | DivergenceError]:
    """Train independent networks on the workers of a cluster: the bits of ``fm.train_many``.

    The samples are sent to every worker once, the networks in parts; a part of a worker that is
    lost is trained again by another. An `Ensemble` is trained by
    ``train_many(ensemble, X, y, rows=ensemble.bootstrap_rows(y))``.

    Parameters
    ----------
    networks : iterable of Network
        Changed when all of them are trained; after an error they are as before.
    X, y : array-like
        The samples, in the memory of this process; those of a Dask collection are first computed.
    client : dask.distributed.Client, optional
        Default is the one that was made last.
    on_divergence : {"raise", "return"}, default "raise"
        As in ``fm.train_many``.
    **arguments
        Of ``fm.train_many``, such as `epochs`, `optimizer` and `rows`. Each part is trained on
        `n_threads`, default 1, as a worker has as many parts at a time as threads. Without
        `callbacks`, `checkpoint` and `verbose`: their files and output would be the workers'. The
        state of an `early_stopping` stays there, too.

    Returns
    -------
    list of History or DivergenceError
        As ``fm.train_many``.

    Raises
    ------
    TypeError, ValueError, DivergenceError
        As ``fm.train_many``; also if there is no client.
    """
    for name in ("callbacks", "checkpoint", "verbose"):
        if arguments.get(name):
            raise ValueError(f"{name} is not supported by fastmlp.dask.train_many")
    _validation.choice("on_divergence", on_divergence, ("raise", "return"))
    nets = list(read_networks(networks))
    each = {
        name: for_each(name, arguments.pop(name), len(nets), *filter(None, [is_several]))
        for name, is_several in _FOR_EACH.items()
        if arguments.get(name) is not None
    }
    arguments.setdefault("n_threads", 1)
    client = _checked_client(client)
    here = [client.compute(array, sync=True) for array in (X, y)]
    data = client.scatter(here, broadcast=True, hash=False)  # a lost worker has not the only copy
    futures = [
        client.submit(
            _train,
            nets[first:last],
            *data,
            {name: values[first:last] for name, values in each.items()},
            arguments,
            pure=False,
        )
        for first, last in _parts(len(nets), sum(client.nthreads().values()))
    ]
    trained = [pair for part in client.gather(futures) for pair in part]
    for net, (result, _) in zip(nets, trained, strict=True):
        _take(net, result)
    results = [outcome for _, outcome in trained]
    number_diverged(results, on_divergence)
    return results


def _checked_client(client: Any) -> Any:
    """Return a client of Dask, the last that was made if it is None."""
    distributed = require("dask.distributed", "fastmlp.dask", "dask")
    if client is None:
        try:
            return distributed.get_client()
        except ValueError:
            raise ValueError(
                "client must be a dask.distributed.Client, and none has been made: begin with "
                "client = dask.distributed.Client(), which starts workers on this machine"
            ) from None
    if not isinstance(client, distributed.Client):
        raise TypeError(
            f"client must be a dask.distributed.Client, got {_validation.described(client)}"
        )
    if client.status == "closed":
        raise ValueError("client must be open, got one that is closed")
    return client


def _parts(count: int, threads: int) -> list[tuple[int, int]]:
    """Return ranges of networks, as even as possible."""
    parts = max(1, min(count, _PARTS_PER_THREAD * threads))
    cuts = [count * i // parts for i in range(parts + 1)]
    return [(a, b) for a, b in itertools.pairwise(cuts) if b > a]


def _train(
    networks: list[Network], X: Any, y: Any, each: dict[str, Any], same: dict[str, Any]
) -> list[tuple[Network, History | DivergenceError]]:
    """Train copies on a worker: what it has been sent may be used again, as by a second try."""
    own = copy.deepcopy(networks)
    outcomes = local(own, X, y, **each, **same, on_divergence="return")
    return list(zip(own, outcomes, strict=True))


def _take(network: Network, trained: Network) -> None:
    """Give everything that training changes to the network of the caller."""
    mine, other = model_of(network), model_of(trained)
    mine.core.assign(other.core)  # type: ignore[arg-type]
    mine.feature_names = other.feature_names
