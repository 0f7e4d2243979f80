"""The parts of :func:`vecrecall.analysis.study`."""
