"""What stores and databases cost: requests, bytes, processor time, commits a second.

Our own steps run in processes of their own; servers run beside them and are not counted.
`python -m tests.benchmarks.stores --help` tells the options.
"""
