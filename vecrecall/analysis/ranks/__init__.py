"""The parts of :func:`vecrecall.analysis.rank_shift`."""
