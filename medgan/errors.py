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
    """A training that has gone wrong: numbers that are not finite, or images that are no good.

    Args:
        message: the line for the user.
        step: number of the optimizer's steps when it was noticed, or None.
        reason: what was seen, in a few words without advice, or None.
    """

    exit_code = 4

    def __init__(self, message, step=None, reason=None):
        super().__init__(message)
        self.step = step
        self.reason = reason


class ExportError(MedganError):
    """An exported network that does not compute what the Keras network computes."""

    exit_code = 5
