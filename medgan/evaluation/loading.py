"""Networks from files, whatever is in them."""

from medgan.addons import load_model
from medgan.errors import RecipeError


def saved_network(path):
    """The network of a `.keras` or `.h5` file of Keras 3 or Keras 2, not compiled."""
    return load_model(path)


def load_network(path, called, expected, load=saved_network):
    """Loads a network, or says in one line why not.

    Args:
        path: the file.
        called: what the message calls the file, such as the option it came by.
        expected: what should be in it.
        load: function from the path to a network.

    Returns:
        Keras network.

    Raises:
        RecipeError: if the file cannot be loaded.
    """
    try:
        return load(path)
    except Exception as error:  # whatever a damaged or foreign file makes Keras raise
        reason = " ".join(str(error).split())
        raise RecipeError(f"Cannot load {called}: {reason[:200]} Expected {expected}.") from error
