"""Errors that a user can mend: one line each, with the exit code of the commands."""


class MedganError(Exception):
    """A failure that medgan explains in one line instead of a traceback.

    The message says what was received, what was expected and what to do.

    Attributes:
        exit_code: what a command returns to the shell when it meets this error.
    """

    exit_code = 1


class RecipeError(MedganError, ValueError):
    """A recipe, a `--set` or a command line that cannot be understood."""

    exit_code = 2


class DataError(MedganError, ValueError):
    """Images that are missing, unreadable or do not fit together."""

    exit_code = 3


class DivergedError(MedganError, ArithmeticError):
    """A training whose losses are no longer finite."""

    exit_code = 4


class ExportError(MedganError):
    """An exported network that does not compute what the Keras network computes."""

    exit_code = 5
