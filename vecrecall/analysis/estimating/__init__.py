"""The parts of :func:`vecrecall.analysis.dimension`: what is estimated from lists of neighbours, and how it is told."""
