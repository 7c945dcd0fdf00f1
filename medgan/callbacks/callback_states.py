"""What callbacks remember, as plain JSON values."""

import inspect
import logging

import numpy as np

_logger = logging.getLogger(__name__)

PLAIN = bool | int | float | str | np.generic | None


def states_of(callbacks):
    """What every callback remembers.

    A callback with `get_state() -> dict` and `set_state(dict)` says it itself. Of any other, such
    as Keras's `EarlyStopping` and `ReduceLROnPlateau`, the attributes that are numbers, booleans,
    strings or None are taken, but not the arguments of its constructor.

    Args:
        callbacks: Keras callbacks.

    Returns:
        A list of `{"class": name, "state": dict}`, in order.

    Example:
        >>> import keras
        >>> from medgan.callbacks.callback_states import put_back, states_of
        >>> stop = keras.callbacks.EarlyStopping("loss", patience=3)
        >>> stop.wait = 2
        >>> states = states_of([stop])
        >>> other = keras.callbacks.EarlyStopping("loss", patience=5)
        >>> put_back([other], states)
        >>> other.wait, other.patience
        (2, 5)
    """
    return [{"class": _name(callback), "state": _state(callback)} for callback in callbacks]


def put_back(callbacks, states):
    """Gives callbacks back what `states_of` took; those of one class take theirs in order.

    A callback without a state, and a state without a callback, are logged as warnings.
    """
    left = list(states)
    for callback in callbacks:
        name = _name(callback)
        found = next((each for each in left if each["class"] == name), None)
        if found is None:
            _logger.warning("The checkpoint knows no %s: this one begins anew.", name)
            continue
        left.remove(found)
        _set_state(callback, found["state"])
    if left:
        names = ", ".join(each["class"] for each in left)
        _logger.warning("The checkpoint knows callbacks that are not there now: %s.", names)


def _name(callback):
    return type(callback).__name__


def _state(callback):
    if hasattr(callback, "get_state"):
        return callback.get_state()
    arguments = {
        name
        for each in type(callback).__mro__[:-1]
        if "__init__" in vars(each)
        for name in inspect.signature(each.__init__).parameters
    }
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
        if isinstance(value, PLAIN) and name not in arguments
    }


def _set_state(callback, state):
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name, value in state.items():
        # What was None before training began may be the model now.
        if isinstance(getattr(callback, name, None), PLAIN):
            setattr(callback, name, value)
