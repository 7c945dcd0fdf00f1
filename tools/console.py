"""What all commands share: errors in one line, exit codes, progress on standard error."""

import contextlib
import errno
import logging
import os
import sys
import warnings

import click

INTERRUPTED = 130


@contextlib.contextmanager
def one_line_errors():
    """Turns errors that a user can mend into one line on standard error and an exit code."""
    from medgan.errors import MedganError

    try:
        yield
    except MedganError as error:
        fail(" ".join(str(error).split()), error.exit_code)
    except OSError as error:
        full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if error.errno not in (*full, errno.EACCES, errno.EROFS):
            raise
        where = f" {error.filename}" if error.filename else ""
        fail(f"Cannot write{where}: {error.strerror}. Free space or choose another folder.", 1)
    except KeyboardInterrupt:
        fail("Interrupted.", INTERRUPTED)


def fail(message, code):
    """Prints one line on standard error and leaves."""
    click.echo(f"medgan: {message}", err=True)
    sys.exit(code)


def quiet_tensorflow():
    """Keeps TensorFlow's own start-up messages off the terminal; call before importing it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # JAX has no float64 unless it is told to: the scores that ask for it say so in README.
    warnings.filterwarnings("ignore", message="Explicitly requested dtype float64")


@contextlib.contextmanager
def native_messages_hidden():
    """Hides what native libraries write to file descriptor 2 while TensorFlow loads."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
