"""One batch on several replicas of a distribution strategy: who has which rows.

Outside a strategy, and with other backends than TensorFlow, there is one replica.
"""

import keras


def _context():
    """TensorFlow's replica context where there are several replicas, else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()  # None between steps
    return context if context is not None and context.num_replicas_in_sync > 1 else None


def count():
    """Number of replicas that share this step's batch."""
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def gathered(tensor):
    """The rows of all replicas, in their order, for what compares images of a whole batch.

    Gradients flow back to every replica's own rows.

    Args:
        tensor: `(rows, ...)`, as many rows on each replica.

    Returns:
        `(replicas * rows, ...)`, the same on each replica.
    """
    context = _context()
    return tensor if context is None else context.all_gather(tensor, axis=0)


def own_rows(draw, rows):
    """This replica's share of what is drawn for the rows of all.

    Replicas share their seeds: each draws for the whole batch and takes its rows, so that a batch
    sees the same draws on any number of replicas.

    Args:
        draw: function from a number of rows to a tensor `(rows, ...)`.
        rows: number of rows on this replica, the same on each.

    Returns:
        Tensor `(rows, ...)`.

    Example:
        >>> import numpy as np
        >>> from medgan.ops.replicas import own_rows
        >>> own_rows(np.arange, 3).tolist()
        [0, 1, 2]
    """
    context = _context()
    if context is None:
        return draw(rows)
    start = context.replica_id_in_sync_group * rows
    return draw(rows * context.num_replicas_in_sync)[start : start + rows]
