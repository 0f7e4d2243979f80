"""The parts of :mod:`vecrecall.analysis.neighbours`: how rows are compared, and what becomes of lists of neighbours."""
