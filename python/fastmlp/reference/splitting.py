"""The choice of held-out samples."""

from collections.abc import Sequence

from .random import sample_order

SPLIT_EPOCH = 2**32 - 1
"""The epoch whose order of samples determines which to hold out; training never reaches it."""


def stratified(
    labels: Sequence[int], share: float, order: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Split samples so that both parts have the same proportions of classes.

    Parameters
    ----------
    labels : sequence of int
        The class of each sample, numbered from 0; all 0 for an unstratified split.
    share : float
        The fraction to hold out, above 0 and below 1.
    order : sequence of int
        All row numbers, shuffled: of each class, the first in this order are held out.

    Returns
    -------
    train, held_out : list of int
        Row numbers, ascending.
    """
    counts = [0] * (max(labels) + 1)
    for label in labels:
        counts[label] += 1
    taken = [int(count * share) for count in counts]
    # The samples left over by rounding down go to the classes that lost most by it, one each.
    left_over = round(sum(count * share for count in counts)) - sum(taken)
    lost = sorted(range(len(counts)), key=lambda c: taken[c] - counts[c] * share)
    for c in lost[:left_over]:
        taken[c] += 1
    # A class keeps at least one sample for training.
    taken = [min(t, max(count - 1, 0)) for t, count in zip(taken, counts, strict=True)]
    held_out = []
    for row in order:
        if taken[labels[row]]:
            taken[labels[row]] -= 1
            held_out.append(row)
    return sorted(set(order) - set(held_out)), sorted(held_out)


def split(
    labels: Sequence[int], share: float, seed: int, parts: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the training rows and the held-out rows, chosen by the seed.

    Of each of the `parts`, the numbers of rows of the ranks, this share is held out, as if it were
    alone.

    Raises
    ------
    ValueError
        If no sample would be held out.
    """
    train: list[int] = []
    held_out: list[int] = []
    first = 0
    for rows in parts:
        mine = labels[first : first + rows]
        if mine:
            chosen = stratified(mine, share, sample_order(seed, SPLIT_EPOCH, rows))
            train += [first + row for row in chosen[0]]
            held_out += [first + row for row in chosen[1]]
        first += rows
    if not held_out:
        raise ValueError(
            f"validation_fraction={share:g} of {len(labels)} samples leaves none to validate on"
        )
    return train, held_out
