"""BenchError      what was measured is worthless: the run ends with this sentence and a failing exit code."""


class BenchError(Exception):
    pass
