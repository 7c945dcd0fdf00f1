"""A process that takes cells one after the other: starting TensorFlow costs as much as some cells.

It is started by `medgan.comparison.dispatch`, which writes one JSON object a line to its standard
input and reads one answer for each from its standard output.
"""

import json
import os
import queue
import signal
import sys
import threading


def main():
    """Answers requests until there are no more; dies with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    requests = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    begin = requests.get()
    training = _training(begin)
    while True:
        request = requests.get()
        print(json.dumps(_answer(training, request)), file=answers, flush=True)


def _listen(requests):
    """Hands on what is asked; when nobody can ask any more, the process ends at once."""
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def _training(begin):
    """Loads TensorFlow and the data; an error is kept for the first answer."""
    from medgan.errors import MedganError

    threads = begin["threads"]
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several processes share a GPU
    sys.path.extend(begin["path"])
    try:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        from medgan.comparison.cell_training import CellTraining
        from medgan.comparison.cells import Plan
        from medgan.comparison.protocol import Protocol
        from medgan.devices import keep_order

        keep_order()
        return CellTraining(Plan(Protocol(begin["tables"])), begin["output"])
    except MedganError as error:
        return error


def _answer(training, request):
    """Runs or measures a cell; an error is an answer as well."""
    from medgan.comparison.cells import Cell
    from medgan.errors import MedganError

    try:
        if isinstance(training, MedganError):
            raise training
        action = {"run": training.run, "measure": training.measure}[request["action"]]
        return {"result": action(Cell(*request["cell"]))}
    except MedganError as error:
        return {"error": str(error), "exit_code": error.exit_code}


if __name__ == "__main__":
    main()
