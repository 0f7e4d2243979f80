"""Data for the demo, the tests and the benchmarks, and the programs that made it; not part of the wheel."""
