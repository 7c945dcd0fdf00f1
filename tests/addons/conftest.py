# Runs under TensorFlow 2.15 only, by hand: see its head.
collect_ignore = ["make_golden.py"]
