"""Training the networks of a model over ranks, to which rank 0 sends shares of prepared rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastmlp.fitting.ranks import Ranks
from fastmlp.tables.training import Part, Settings, Training, fit_network

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.network import Network
    from fastmlp.tables.features import Features
    from fastmlp.tables.target import Target


@dataclass(frozen=True)
class Prepared:
    """What a model has learned of the columns, and the training of its networks.

    Attributes
    ----------
    seed : int
        That of the model.
    """

    features: Features
    target: Target
    notes: tuple[str, ...]
    seed: int
    training: Training | TrainingOverRanks


class TrainingOverRanks:
    """The part of a rank in the training of all networks, one after the other.

    Attributes
    ----------
    networks, histories : list
        Of those that are trained.
    """

    def __init__(
        self,
        networks: list[Network],
        parts: list[Part],
        rows: int,
        target: Target,
        settings: Settings,
        comm: Any,
    ) -> None:
        self._untrained, self._parts, self._rows = networks, parts, rows
        self._target, self._settings, self._comm = target, settings, comm
        self.networks: list[Network] = []
        self.histories: list[History | None] = []

    def run(self) -> None:
        """Train all networks.

        Raises
        ------
        DivergenceError, KeyboardInterrupt
            As `Network.fit` of several ranks.
        """
        for i, network in enumerate(self._untrained):
            history = fit_network(
                network,
                self._parts[i % len(self._parts)],
                self._target,
                self._settings,
                self._rows,
                n_threads=self._settings.n_threads,
                verbose=self._settings.verbose if i == 0 else 0,
                comm=self._comm,
            )
            self.networks.append(network)
            self.histories.append(history)


def prepared_by_rank_0(prepare: Callable[[], Prepared], settings: Settings, comm: Any) -> Prepared:
    """Return what `prepare`, called on rank 0, returns there, with the rows of this rank.

    Raises
    ------
    ValueError
        If the settings of the ranks differ.
    """
    with Ranks(comm) as ranks:
        ranks.refuse_others(str(settings.plain()), "comm needs the same settings on all ranks")
        mine = prepare() if ranks.rank == 0 else None

        def common() -> tuple[Any, ...]:
            assert mine is not None
            assert isinstance(mine.training, Training)
            learned = mine.features, mine.target, mine.notes, mine.seed
            return *learned, mine.training.networks, mine.training.rows

        def shares() -> list[list[Part]]:
            assert mine is not None
            assert isinstance(mine.training, Training)
            count = len(mine.training.networks) if mine.training.has_own_parts else 1
            parts = [mine.training.part(i) for i in range(count)]
            return [[part.share(r, ranks.size) for part in parts] for r in range(ranks.size)]

        features, target, notes, seed, networks, rows = ranks.of_rank_0(common)
        parts = ranks.scattered(shares)
    training = TrainingOverRanks(networks, parts, rows, target, settings, comm)
    return Prepared(features, target, notes, seed, training)
